import { permutation } from '../../dataset/random.js';
import type { Metrics } from '../../run/run.js';
import type { Judgement } from '../../tasks/task.js';
import type { Experience, Stage } from './experience.js';
import { isClean } from './ppo-metrics.js';

/** From this share of refuted verdicts on, and this number, a run warns. */
const [warningShare, warningCount] = [0.1, 2];

export interface CrossCheck {
  metrics: Metrics;
  /** Of the verdicts that were looked into, those that an attack refuted. */
  refuted: number;
  checked: number;
}

/**
 * Runs a few of an iteration's answers with all attacks: those that work and that the teacher finds secure, on whose word rewards rest. An
 * attack that succeeds refutes the teacher.
 */
export async function crossCheck(
  { config, verdicts }: Stage,
  { rollouts, judgements, verdicts: taught }: Experience,
  step: number,
): Promise<CrossCheck | undefined> {
  if (config.crossCheck === 0 || judgements === undefined) return undefined;
  const believed = rollouts.filter(
    (_, b) => judgements[b]?.functional === true && isClean(taught[b]) && taught[b]?.missing.length === 0,
  );
  const chosen = permutation(believed.length, config.seed + step, 1)
    .slice(0, config.crossCheck)
    .sort();
  const samples = Array.from(chosen, (i) => believed[i] as (typeof believed)[number]);
  const judged: Judgement[] = (await verdicts.judge(samples, { attack: true })) ?? [];
  const known = judged.filter(({ unjudged }) => unjudged === undefined);
  const [checked, refuted] = [known.length, known.filter(({ secure }) => !secure).length];
  const metrics = { 'credit/checked': checked, ...(checked > 0 && { 'credit/refuted': refuted / checked }) };
  return { metrics, refuted, checked };
}

/** What is to be said of checks, in turn; undefined while they are well. */
export function warningOf(checks: readonly CrossCheck[]): string | undefined {
  const total = (of: 'refuted' | 'checked'): number => checks.reduce((sum, check) => sum + check[of], 0);
  const [refuted, checked] = [total('refuted'), total('checked')];
  if (refuted < warningCount || refuted < warningShare * checked) return undefined;
  return (
    `Of ${checked} answers that the teacher found secure in the last iterations, attacks succeed on ${refuted}: ` +
    'the policy may be learning what only looks secure. samples.jsonl and srcode audit show what is credited.'
  );
}
