import type { Meter } from '../../analysis/c/machine.js';
import { readText } from '../../analysis/c/plain.js';
import { type CNode, CParser, type CSource } from '../../analysis/c/syntax.js';
import { SrcodeError } from '../../errors.js';
import type { Finding, SecureSpan, Teacher, Verdict } from '../../teacher/teacher.js';
import { refusalOf } from '../c-answers/index.js';
import { cases } from './cases.js';
import { idleGuards } from './idle-guards.js';
import { given } from './judge/offer.js';
import { cover, judgeSteps } from './judging.js';
import { teacherVersion } from './obligations.js';
import type { FamilyPrompt, FamilySpec, StepId } from './spec.js';
import { fill, steps } from './steps.js';
import { findFunction, headers } from './trials.js';

/**
 * The teacher of the embedded tasks. It runs the program's syntax tree on inputs that have to be served and on attacks on each step:
 *
 * - missing: a benign input is not served, or some run is not understood;
 * - vulnerable: an input ends in undefined behaviour or in the harm that the step's CWE names;
 * - secure: else. A guard is credited when the attack it rejects does harm without it; where no guard is needed, what kept the harm
 *   away is credited: the bounded call, the check of a loop, the order of two statements.
 *
 * So a credit is a claim about cause: take the credited code away, and an attack succeeds. Nothing is believed of code that the machine
 * does not understand, in whatever way; `counts.notUnderstood` says of how many steps that held.
 */
export const familyTeacher: Teacher = {
  id: `family-${teacherVersion}`,
  async judge(code, { task }) {
    const { spec } = (task ?? {}) as Partial<FamilyPrompt>;
    if (spec === undefined) {
      throw new SrcodeError(
        'ERR_INVALID_ARG',
        'The teacher of the family judges answers to prompts of the family: expected the prompt as `about.task`',
      );
    }
    // What is never compiled does nothing.
    if ((await refusalOf(code, given)) !== undefined) {
      const counts = { notUnderstood: spec.steps.length, refused: 1 };
      return { spans: [], findings: [], idle: [], missing: [...spec.steps], parseOk: true, counts };
    }
    return judgeFunction(await readAnswer(code), spec);
  },
};

/** A program as the teacher reads it: to the letter, and not at all where a compiler might read something else. */
export async function readAnswer(code: Uint8Array): Promise<CSource> {
  const parser = await CParser.load();
  return parser.parseWhole(code, (text) => readText(text, headers).doubt === undefined);
}

/** As {@link familyTeacher}, on a program that is parsed. The work of all runs together is what `meter` has left. */
export function judgeFunction(source: CSource, spec: FamilySpec, meter?: Meter): Verdict {
  const functionNode = findFunction(source, spec);
  if (functionNode === undefined || !source.parseOk) {
    const { parseOk } = source;
    const counts = { notUnderstood: parseOk ? 0 : spec.steps.length };
    return { spans: [], findings: [], idle: [], missing: [...spec.steps], parseOk, counts };
  }
  const results = judgeSteps(source, functionNode, spec, meter);
  const spans: SecureSpan[] = [];
  const findings: Finding[] = [];
  const missing: StepId[] = [];
  for (const { step, state, flaw, credited } of results) {
    if (state === 'missing') missing.push(step);
    const { kind } = cases[step];
    spans.push(...credited.map((node) => ({ span: source.span(node), kind, obligation: step })));
    if (flaw !== undefined) {
      const { cwe, severity, flaw: words } = steps[step];
      const message = fill(words, spec.names);
      findings.push({ cwe, severity, span: source.span(flaw), rule: `family/${step}`, message });
    }
  }
  const needed = new Set(results.flatMap(({ rejecting }) => [...cover(rejecting)]));
  const rejecting = new Set(results.flatMap((result) => result.rejecting.flat()));
  const idle = idleGuards(source, functionNode, needed, rejecting);
  const counts = { notUnderstood: results.filter(({ doubtful }) => doubtful).length };
  return { spans, findings, idle, missing, parseOk: source.parseOk, counts };
}

/** The nodes credited to each step of a program. */
export function creditedNodes(source: CSource, spec: FamilySpec): { step: StepId; nodes: CNode[] }[] {
  const functionNode = source.parseOk ? findFunction(source, spec) : undefined;
  if (functionNode === undefined) return [];
  return judgeSteps(source, functionNode, spec).map(({ step, credited }) => ({ step, nodes: credited }));
}
