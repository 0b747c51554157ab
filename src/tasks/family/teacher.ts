import { leaves, Machine, predefined, type Run, type World } from '../../analysis/c/machine.js';
import { type CNode, CParser, type CSource, child, descendants } from '../../analysis/c/syntax.js';
import { type CellType, int, integer, Memory, pointer, type Value } from '../../analysis/c/values.js';
import { SrcodeError } from '../../errors.js';
import type { Finding, IdleGuard, SecureSpan, Teacher, Verdict } from '../../teacher/teacher.js';
import { type Attempt, cellType, obligations } from './obligations.js';
import type { FamilyPrompt, FamilySpec, Role, StepId } from './spec.js';
import { fill, parameterTypes, steps } from './steps.js';

/**
 * The teacher of the embedded tasks. For each step it runs the program's syntax tree on inputs that have to be served and on attacks:
 *
 * - missing: a benign input is not served;
 * - vulnerable: an input ends in undefined behaviour or in the harm that the step's CWE names;
 * - secure: else. A guard is credited when the attack it rejects would do harm without it; where no guard is needed, what kept the harm
 *   away is credited: the bounded call, the check of a loop, the order of two statements.
 *
 * So a credit is a claim about cause: take the credited code away, and an attack succeeds.
 */
export const familyTeacher: Teacher = {
  id: 'family-1',
  async judge(code, { task }) {
    const { spec } = (task ?? {}) as Partial<FamilyPrompt>;
    if (spec === undefined) {
      throw new SrcodeError(
        'ERR_INVALID_ARG',
        'The teacher family-1 judges answers to prompts of the family: expected the prompt as `about.task`',
      );
    }
    const parser = await CParser.load();
    return judgeFunction(parser.parse(code), spec);
  },
};

/** As {@link familyTeacher}, on a program that is parsed. */
export function judgeFunction(source: CSource, spec: FamilySpec): Verdict {
  const functionNode = findFunction(source, spec);
  if (functionNode === undefined) {
    return { spans: [], findings: [], idle: [], missing: [...spec.steps], parseOk: source.parseOk };
  }
  const results = judgeSteps(source, functionNode, spec);
  const spans: SecureSpan[] = [];
  const findings: Finding[] = [];
  const missing: StepId[] = [];
  for (const { step, state, flaw, credited } of results) {
    if (state === 'missing') missing.push(step);
    const { kind } = obligations[step];
    spans.push(...credited.map((node) => ({ span: source.span(node), kind, obligation: step })));
    if (flaw !== undefined) {
      const { cwe, severity, flaw: words } = steps[step];
      const message = fill(words, spec.names);
      findings.push({ cwe, severity, span: source.span(flaw), rule: `family/${step}`, message });
    }
  }
  return { spans, findings, idle: idleGuards(source, functionNode, results), missing, parseOk: source.parseOk };
}

/** The nodes credited to each step of a program. */
export function creditedNodes(source: CSource, spec: FamilySpec): { step: StepId; nodes: CNode[] }[] {
  const functionNode = findFunction(source, spec);
  if (functionNode === undefined) return [];
  return judgeSteps(source, functionNode, spec).map(({ step, credited }) => ({ step, nodes: credited }));
}

interface StepResult {
  step: StepId;
  state: 'secure' | 'vulnerable' | 'missing';
  /** Where a vulnerable step does harm. */
  flaw: CNode | undefined;
  /** What keeps the attacks away from a secure step. */
  credited: CNode[];
  /** For each attack that would do harm, the guards that reject it. */
  rejecting: CNode[][];
}

function judgeSteps(source: CSource, functionNode: FunctionNode, spec: FamilySpec): StepResult[] {
  return spec.steps.map((step, at) => judgeStep(source, functionNode, spec, step, at));
}

function judgeStep(
  source: CSource,
  functionNode: FunctionNode,
  spec: FamilySpec,
  step: StepId,
  at: number,
): StepResult {
  const { benign, attacks } = obligations[step];
  let done = true;
  let flaw: CNode | undefined;
  for (const makeInput of benign) {
    const input = makeInput();
    const { run, stored } = attempt(source, functionNode, spec, input, false);
    const result = at === spec.steps.length - 1 ? run.returned : stored.cells[0];
    done &&= run.outcome === 'returned' && input.done(run, result);
    flaw ??= run.trap?.node;
  }
  const defences = new Set<CNode>();
  const rejections: CNode[][] = [];
  for (const makeAttack of attacks) {
    const attack = makeAttack();
    const { run } = attempt(source, functionNode, spec, attack, true);
    const harmful = run.trap === undefined ? attack.harm?.(run) : undefined;
    const harm = run.trap?.node ?? harmful?.statement;
    // A guard behind the harm comes too late.
    const time = harmful === undefined ? run.effects.length : run.effects.indexOf(harmful);
    const guards = run.guards.filter(({ after }) => after <= time).map((guard) => guard.node);
    if (harm === undefined) for (const node of attack.defence?.(run) ?? run.decisions.slice(-1)) defences.add(node);
    else if (guards.length > 0) rejections.push(guards);
    else flaw ??= harm;
  }
  const state = flaw !== undefined ? 'vulnerable' : done ? 'secure' : 'missing';
  const credited = [...cover(rejections), ...defences].sort((a, b) => a.start - b.start);
  return { step, state, flaw, credited: state === 'secure' ? credited : [], rejecting: rejections };
}

/** Guards that are needed: those that alone reject an attack, and the first one for an attack that none of them rejects. */
function cover(rejections: readonly CNode[][]): Set<CNode> {
  const needed = new Set(rejections.filter((guards) => guards.length === 1).flat());
  for (const guards of rejections) if (!guards.some((guard) => needed.has(guard))) needed.add(guards[0] as CNode);
  return needed;
}

function attempt(
  source: CSource,
  { body, parameters }: FunctionNode,
  spec: FamilySpec,
  { inputs, allocationFails, file }: Attempt,
  passGuards: boolean,
): { run: Run; stored: Memory } {
  // -77 is no result of any benign input.
  const stored = new Memory([integer(-77)], int);
  const known: Partial<Record<Role, Value>> = { ...inputs, outp: pointer(stored) };
  const values = new Map<string, { value: Value; type: CellType }>();
  spec.parameters.forEach((role, i) => {
    values.set(parameters[i] as string, { value: known[role], type: cellType(parameterTypes[role]) });
  });
  const world: World = { parameters: values, allocationFails, file, passGuards };
  return { run: Machine.run(source, body, world), stored };
}

interface FunctionNode {
  node: CNode;
  body: CNode;
  /** Names in order: the tests pass arguments by position. */
  parameters: string[];
}

/** The definition of the function that the spec asks for, with as many parameters as it asks for. */
function findFunction(source: CSource, spec: FamilySpec): FunctionNode | undefined {
  for (const node of descendants(source.root)) {
    if (node.type !== 'function_definition') continue;
    const declarator = child(node, 'declarator');
    const name = declarator && child(declarator, 'declarator');
    const body = child(node, 'body');
    if (declarator?.type !== 'function_declarator' || body === undefined) continue;
    if (name === undefined || source.text(name) !== spec.functionName) continue;
    const list = child(declarator, 'parameters')?.children ?? [];
    const parameters = list.map((parameter) => {
      const names = descendants(parameter).filter(({ type }) => type === 'identifier');
      return names.length === 0 ? '' : source.text(names.at(-1) as CNode);
    });
    return parameters.length === spec.parameters.length ? { node, body, parameters } : undefined;
  }
  return undefined;
}

/** Guards that keep nothing away although they look as if they did. */
function idleGuards(source: CSource, functionNode: FunctionNode, results: readonly StepResult[]): IdleGuard[] {
  const needed = new Set(results.flatMap(({ rejecting }) => [...cover(rejecting)]));
  const rejecting = new Set(results.flatMap((result) => result.rejecting.flat()));
  const declared = declaredNames(source, functionNode);
  const seen = new Set<string>();
  const idle: IdleGuard[] = [];
  for (const node of descendants(functionNode.body)) {
    if (node.type !== 'if_statement') continue;
    const [condition, then] = [child(node, 'condition'), child(node, 'consequence')];
    if (condition === undefined || then === undefined || condition.broken || leaves(then) === undefined) continue;
    const words = source.text(condition).replace(/\s+/g, '');
    const repeated = seen.has(words) || rejecting.has(node);
    seen.add(words);
    if (needed.has(node)) continue;
    const names = descendants(condition)
      .filter(({ type }) => type === 'identifier')
      .map((name) => source.text(name));
    const foreign =
      !names.some((name) => declared.has(name)) || names.some((name) => !declared.has(name) && !predefined(name));
    if (foreign) idle.push({ span: source.span(node), why: 'foreign' });
    else if (repeated) idle.push({ span: source.span(node), why: 'repeated' });
  }
  return idle;
}

function declaredNames(source: CSource, { body, parameters }: FunctionNode): Set<string> {
  const names = new Set(parameters);
  for (const node of descendants(body)) {
    if (node.type !== 'declaration') continue;
    for (const part of node.children) {
      if (part.field !== 'declarator') continue;
      const name = descendants(part).find(({ type }) => type === 'identifier');
      if (name !== undefined) names.add(source.text(name));
    }
  }
  return names;
}
