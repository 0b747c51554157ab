import { type CNode, child, descendants } from '../c/syntax.js';
import { isExit } from '../engine/functions.js';
import type { RuleFamily } from '../engine/rule.js';
import { Source } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';
import { names } from '../names.js';

/** Loops, recursions and assertions that outside can bring down, or that never end. */
export const control: RuleFamily = {
  rules: [
    {
      id: 'assertion',
      cwe: 'CWE-617',
      kind: 'assertion',
      finds: 'an assertion that input can break, or that never holds',
      discharge: 'a test of the input before',
    },
    {
      id: 'recursion',
      cwe: 'CWE-674',
      kind: 'recursion',
      finds: 'a recursion that gets no nearer to its end, or that input makes as deep as it likes',
      discharge: 'a changed argument and an end; a limit of the depth',
    },
    {
      id: 'endless-loop',
      cwe: 'CWE-835',
      kind: 'loop',
      finds: 'a loop that nothing ends: no exit, or a condition that the body does not change',
      discharge: 'a way out; progress towards the condition',
    },
    {
      id: 'endless-resources',
      cwe: 'CWE-770',
      kind: 'limit',
      finds: 'processes, threads or memory taken for each request without a limit',
      discharge: 'a count that is compared with a limit; the memory freed in the loop',
    },
  ],

  call(walk, { node, name, arguments: args, state }) {
    if (name === 'assert') {
      const condition = args[0];
      const silenced = definition(walk, 'NDEBUG');
      if (condition === undefined || (silenced !== undefined && walk.holds(silenced))) return;
      const { yes, no } = walk.quietly(() => walk.branch(condition.node, state, null));
      const input = mentions(walk, condition.node, (value) => value === Source.input, state);
      if (!no.dead && (yes.dead || input))
        walk.report('assertion', node, yes.dead ? 'this never holds' : 'input can break this assertion');
      return;
    }
    const callee = walk.program.functions.get(name);
    if (callee === undefined) return;
    const inside = walk.frame.function.name === name;
    if (!inside && recursive(walk, callee.body, name)) {
      const deep = args.some(
        ({ value }) =>
          value.type.kind === 'int' &&
          walk.sourceOf(value.number) === Source.input &&
          walk.range(value.number, state.facts).hi > 100_000,
      );
      if (deep) walk.report('recursion', node, 'input says how deep this recursion goes');
    }
    if (inside) {
      const { parameters } = callee;
      const stuck =
        args.length > 0 &&
        args.length === parameters.length &&
        args.every(({ node: argument }, i) => {
          const text = walk.text(argument).replace(/\s/g, '');
          const parameter = parameters[i]?.name;
          if (text !== parameter && !walk.holds(argument)) return true;
          return (
            text === parameter ||
            text === `${parameter}++` ||
            text === `${parameter}--` ||
            text.startsWith(`(${parameter}+1)%`)
          );
        });
      if (
        stuck &&
        !assigned(
          walk,
          callee.body,
          parameters.map(({ name }) => name),
        )
      )
        walk.report('recursion', node, 'the recursion gets the same arguments again');
      else if (!conditional(walk, node, callee.body)) walk.report('recursion', node, 'nothing ends this recursion');
    }
  },

  loop(walk, { node }) {
    let found = judged.get(node);
    if (found === undefined) {
      found = endless(walk, node);
      judged.set(node, found);
    }
    for (const [[rule, at, message], guard] of found)
      if (guard === null || !walk.holds(guard)) walk.report(rule, at, message);
    if (found.length === 0 && leftOpen(walk, node)) walk.report('endless-loop', node, 'nothing ends this loop');
    const step = found.length === 0 ? progress(walk, node) : undefined;
    if (step !== undefined && !walk.holds(step)) walk.report('endless-loop', node, 'nothing gets this loop to its end');
  },
};

function definition(walk: Walk, macro: string): CNode | undefined {
  if (!walk.program.macros.has(macro)) return undefined;
  return descendants(walk.program.source.root).find(
    (at) => at.type === 'preproc_def' && walk.text(child(at, 'name') ?? at) === macro,
  );
}

function mentions(
  walk: Walk,
  node: CNode,
  test: (source: Source) => boolean,
  state: Parameters<Walk['evaluate']>[1],
): boolean {
  for (const at of descendants(node)) {
    if (at.type !== 'identifier') continue;
    const variable = walk.lookup(walk.text(at));
    const value = variable === undefined ? undefined : state.store.get(variable.key);
    if (value !== undefined && test(value.source)) return true;
  }
  return false;
}

// A function's body says the same at every call of it.
const recursions = new WeakMap<CNode, boolean>();

function recursive(walk: Walk, body: CNode, name: string): boolean {
  let found = recursions.get(body);
  if (found === undefined) {
    found = descendants(body).some((at) => at.type === 'call_expression' && walk.calleeOf(at) === name);
    recursions.set(body, found);
  }
  return found;
}

function assigned(walk: Walk, body: CNode, names: readonly string[]): boolean {
  for (const at of descendants(body)) {
    const target =
      at.type === 'assignment_expression'
        ? child(at, 'left')
        : at.type === 'update_expression' && at.parent?.type !== 'argument_list'
          ? child(at, 'argument')
          : undefined;
    if (target !== undefined && names.includes(walk.text(target))) return true;
  }
  return false;
}

// Whether the function may end without getting to the call.
function conditional(walk: Walk, call: CNode, body: CNode): boolean {
  for (let at = call; at !== body && at.parent !== null; at = at.parent) {
    if (/^(if|while|for|switch|case|conditional)_/.test(at.parent.type) && at.field !== 'condition') {
      const condition = bare(child(at.parent, 'condition'));
      if (condition === undefined || walk.consults(condition)) return true;
    }
    if (at.parent.type === 'binary_expression' && /^(&&|\|\|)$/.test(at.parent.operator) && at.field === 'right')
      return true;
    for (const before of at.parent.children) {
      if (before === at) break;
      if (!walk.consults(before)) continue;
      for (const inner of descendants(before))
        if (isJump(inner) || (inner.type === 'call_expression' && /exit|abort/.test(inner.type))) return true;
    }
  }
  return false;
}

function bare(node: CNode | undefined): CNode | undefined {
  return node?.type === 'parenthesized_expression' ? bare(node.children[0]) : node;
}

const waits = names(
  /^(accept|recv|recvfrom|read|fgets|getchar|fgetc|getc|scanf|fscanf|sleep|usleep|nanosleep|pause|select|poll|epoll_wait|pthread_cond_wait|sem_wait|wait|waitpid|getline|sigsuspend|msgrcv|mq_receive)$/,
);

type Report = [rule: string, node: CNode, message: string];

// A loop's text says the same in every walk.
const judged = new WeakMap<CNode, readonly Judged[]>();

/** What is found, and what alone keeps it away; null where nothing does. */
type Judged = readonly [report: Report, guard: CNode | null];

function endless(walk: Walk, node: CNode): Judged[] {
  const condition = child(node, 'condition');
  const update = child(node, 'update');
  const body = child(node, 'body') ?? node.children.at(-1);
  if (body === undefined) return [];
  const parts = [condition, update, body].filter((part): part is CNode => part !== undefined);
  const ways: CNode[] = [];
  let waiting = false;
  let takes: CNode | undefined;
  const gives: CNode[] = [];
  const compares: CNode[] = [];
  for (const part of parts) {
    for (const at of descendants(part)) {
      if (isJump(at) || (at.type === 'break_statement' && breaks(at, node))) ways.push(at);
      if (
        at.type === 'binary_expression' &&
        /^[<>]=?$/.test(at.operator) &&
        !/^-?[01]$/.test(walk.text(child(at, 'right') ?? at))
      )
        compares.push(at);
      if (at.type !== 'call_expression') continue;
      const name = walk.calleeOf(at);
      if (isExit(name)) ways.push(at);
      if (waits.test(name)) waiting = true;
      const own = walk.program.functions.get(name);
      const inner = own === undefined ? [at] : descendants(own.body).filter(({ type }) => type === 'call_expression');
      for (const call of inner) {
        const callee = walk.calleeOf(call);
        if (own !== undefined && isExit(callee)) ways.push(at);
        if (/^(fork|pthread_create|malloc|calloc)$/.test(callee)) takes ??= at;
        if (/^(free|pthread_join|wait|waitpid)$/.test(callee) && !/WNOHANG/.test(walk.text(call))) gives.push(at);
      }
    }
  }
  const always = condition === undefined || walk.always(condition);
  if (!always) {
    if (ways.length > 0 || waiting) return [];
    return stuck(walk, node, condition, update, body).map((report) => [report, null]);
  }
  const found: Judged[] = [];
  if (!waiting && ways.length <= 1) {
    const guard = ways[0] === undefined ? null : around(ways[0], node);
    if (guard !== undefined) found.push([['endless-loop', node, 'nothing ends this loop'], guard]);
  }
  if (takes !== undefined && waiting && compares.length + gives.length <= 1) {
    const report: Report = ['endless-resources', takes, 'each turn takes more, without a limit'];
    found.push([report, gives[0] ?? (compares[0] === undefined ? null : (around(compares[0], node) ?? compares[0]))]);
  }
  return found;
}

/** The `if` of a loop that something depends on; undefined where there is none, or it has another way on. */
function around(at: CNode, loop: CNode): CNode | undefined {
  for (let up = at.parent; up !== null && up !== loop; up = up.parent)
    if (up.type === 'if_statement') return child(up, 'alternative') === undefined ? up : undefined;
  return undefined;
}

function breaks(at: CNode, loop: CNode): boolean {
  for (let up = at.parent; up !== null && up !== loop; up = up.parent)
    if (/^(while|for|do|switch)_statement$/.test(up.type)) return false;
  return true;
}

/** The plain local variables of a condition; undefined where it looks at anything else. */
function conditionNames(walk: Walk, condition: CNode): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const at of descendants(condition)) {
    if (
      /^(call_expression|field_expression|subscript_expression|pointer_expression|assignment_expression|update_expression)$/.test(
        at.type,
      )
    )
      return undefined;
    if (at.type !== 'identifier') continue;
    const name = walk.text(at);
    const variable = walk.lookup(name);
    if (variable === undefined) continue;
    if (variable.region.kind === 'global') return undefined;
    names.add(name);
  }
  return names.size === 0 ? undefined : names;
}

interface Change {
  readonly node: CNode;
  readonly target: string;
  /** It is done in every turn that gets there. */
  readonly direct: boolean;
}

/** What changes variables in a loop. */
function changesOf(walk: Walk, names: ReadonlySet<string>, update: CNode | undefined, body: CNode): Change[] {
  const found: Change[] = [];
  for (const part of update === undefined ? [body] : [update, body]) {
    for (const at of descendants(part)) {
      const target =
        at.type === 'update_expression' || (at.type === 'pointer_expression' && at.operator === '&')
          ? child(at, 'argument')
          : at.type === 'assignment_expression'
            ? child(at, 'left')
            : undefined;
      if (target === undefined || !names.has(walk.text(target))) continue;
      found.push({ node: at, target: walk.text(target), direct: part === update || at.parent?.parent === body });
    }
  }
  return found;
}

/** Whether the condition that is left out is the only end of a `while` loop. */
function leftOpen(walk: Walk, loop: CNode): boolean {
  const condition = bare(child(loop, 'condition'));
  const body = child(loop, 'body') ?? loop.children.at(-1);
  if (loop.type === 'for_statement' || condition === undefined || body === undefined) return false;
  const names = leavesLoop(loop, body) || waitsIn(walk, body) ? undefined : conditionNames(walk, condition);
  if (names === undefined || ![...names].every((name) => walk.lookup(name)?.type.kind === 'int')) return false;
  return !walk.holds(condition);
}

/** The one step by which a `while` loop gets to its end. */
function progress(walk: Walk, loop: CNode): CNode | undefined {
  const condition = child(loop, 'condition');
  const body = child(loop, 'body') ?? loop.children.at(-1);
  if (loop.type === 'for_statement' || condition === undefined || body === undefined) return undefined;
  const names = conditionNames(walk, condition);
  if (names === undefined || leavesLoop(loop, body)) return undefined;
  const [step, ...others] = changesOf(walk, names, undefined, body);
  const counts = step?.direct && others.length === 0 && step.node.type !== 'pointer_expression';
  return counts && walk.lookup(step.target)?.type.kind === 'int' ? step.node : undefined;
}

function waitsIn(walk: Walk, body: CNode): boolean {
  return descendants(body).some((at) => at.type === 'call_expression' && waits.test(walk.calleeOf(at)));
}

function leavesLoop(loop: CNode, body: CNode): boolean {
  for (const at of descendants(body)) {
    if (isJump(at)) return true;
    if (at.type === 'break_statement' && breaks(at, loop)) return true;
  }
  return false;
}

// A condition on plain local variables that the loop does not change, or changes away from its end.
function stuck(walk: Walk, node: CNode, condition: CNode, update: CNode | undefined, body: CNode): Report[] {
  const names = conditionNames(walk, condition);
  if (names === undefined) return [];
  const changes = changesOf(walk, names, update, body);
  const steps = changes.map(({ node: at, target, direct }) =>
    at.type === 'update_expression' && direct ? `${at.operator}${target}` : '?',
  );
  if (steps.length === 0) return [['endless-loop', node, 'the loop changes nothing that its condition looks at']];
  if (
    steps.length === 2 &&
    steps.every((step) => step !== '?') &&
    steps[0]?.slice(2) === steps[1]?.slice(2) &&
    steps[0] !== steps[1]
  ) {
    return [['endless-loop', node, 'one step takes back what the other one does']];
  } else if (steps.length === 1 && condition.type === 'binary_expression') {
    const left = child(condition, 'left');
    const away =
      left !== undefined &&
      steps[0]?.slice(2) === walk.text(left) &&
      ((/^<=?$/.test(condition.operator) && steps[0]?.startsWith('--')) ||
        (/^>=?$/.test(condition.operator) && steps[0]?.startsWith('++')));
    const variable = left === undefined ? undefined : walk.lookup(walk.text(left));
    const unsigned =
      variable?.type.kind === 'int' &&
      !variable.type.signed &&
      condition.operator === '>=' &&
      /^0$/.test(walk.text(child(condition, 'right') ?? condition));
    if (away || unsigned) return [['endless-loop', node, 'the condition gets no nearer to its end']];
  }
  return [];
}

function isJump({ type }: CNode): boolean {
  return type === 'return_statement' || type === 'goto_statement';
}
