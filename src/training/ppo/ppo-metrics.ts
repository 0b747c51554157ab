import { creditShare, type GuardReport } from '../../reward/index.js';
import type { Metrics } from '../../run/run.js';
import type { Judgement } from '../../tasks/task.js';
import type { Verdict } from '../../teacher/teacher.js';
import { type Experience, sum } from './experience.js';
import type { Updated } from './update.js';

/** The numbers of an iteration; means over its answers where nothing else is said. */
export function ppoMetrics(experience: Experience, updated: Updated, beta: number): Metrics {
  const { rollouts, verdicts, judgements, earned, kl, rewards, advantages, critique, scores } = experience;
  const answers = rollouts.length;
  const mean = (value: (b: number) => number): number => sum(rollouts.map((_, b) => value(b))) / answers;
  const credit = creditShare(
    advantages,
    earned.map(({ secureTokens }) => secureTokens),
  );
  const part = (name: keyof (typeof earned)[number]['breakdown']): number =>
    mean((b) => earned[b]?.breakdown[name] ?? 0);
  return {
    ...(judgements && judged(judgements, verdicts)),
    ...(experience.guarded && guarded(experience.guarded)),
    // By the teacher: nothing found, whatever else the program does.
    'rollout/secure': mean((b) => Number(isClean(verdicts[b]))),
    'rollout/missing': mean((b) => verdicts[b]?.missing.length ?? 0),
    'rollout/repeated': mean((b) => idle(verdicts[b], 'repeated')),
    'rollout/foreign': mean((b) => idle(verdicts[b], 'foreign')),
    'rollout/length': mean((b) => rollouts[b]?.ids.length ?? 0),
    'rollout/finished': mean((b) => Number(rollouts[b]?.finished)),
    'rollout/reward': sum(rewards) / answers,
    // Nats an answer, from the reference.
    'rollout/kl': sum(kl) / answers,
    // Nats a token: the sampled tokens estimate it.
    'rollout/entropy': -sum(rollouts.map(({ logProbs }) => sum(logProbs))) / kl.length,
    ...(scores && { 'rollout/score': sum(scores) / answers }),
    'reward/secure': part('secure'),
    'reward/withheld': part('withheld'),
    'reward/idle': -part('idle'),
    'reward/penalty': -part('penalty'),
    'reward/functional': part('functional'),
    'reward/model': part('rewardModel'),
    // Before the first update a token's weight in the policy gradient is |A_t|.
    'gradient/secure-share': credit.gradient,
    'gradient/secure-tokens': credit.tokens,
    ...(critique && { 'critic/explained-variance': critique.explainedVariance, 'critic/loss': updated.valueLoss }),
    ...counted(verdicts),
    'policy/loss': updated.policyLoss,
    'policy/clip-fraction': updated.clipFraction,
    'policy/approx-kl': updated.approxKl,
    'policy/steps': updated.steps,
    'policy/mismatch': updated.mismatch,
    'policy/beta': beta,
  };
}

function judged(judgements: readonly Judgement[], verdicts: readonly Verdict[]): Metrics {
  const share = (holds: (judgement: Judgement, b: number) => boolean): number =>
    judgements.filter(holds).length / judgements.length;
  const functional = share((judgement) => judgement.functional);
  const fs = share((judgement, b) => judgement.functional && isClean(verdicts[b]));
  return {
    'rollout/compiled': share(({ compiled }) => compiled),
    'rollout/refused': share(({ refused }) => refused !== undefined),
    'rollout/unjudged': share(({ unjudged }) => unjudged !== undefined),
    'rollout/functional': functional,
    // Functional by execution, secure by the teacher.
    'rollout/fs': fs,
    ...(functional > 0 && { 'rollout/secure-of-valid': fs / functional }),
  };
}

/** The share of answers that pass all guards, and of those that fail each. */
function guarded(reports: readonly GuardReport[]): Metrics {
  const share = (holds: (report: GuardReport) => boolean): number => reports.filter(holds).length / reports.length;
  const names = [...new Set(reports.flatMap(({ applied }) => applied))].sort();
  return {
    'rollout/guarded': share(({ failed }) => failed.length === 0),
    ...Object.fromEntries(names.map((name) => [`guards/${name}`, share(({ failed }) => failed.includes(name))])),
  };
}

/** What teachers counted, by name; an answer about which nothing was said counts 0. */
function counted(verdicts: readonly Verdict[]): Metrics {
  const names = [...new Set(verdicts.flatMap(({ counts = {} }) => Object.keys(counts)))].sort();
  const mean = (name: string): number => sum(verdicts.map(({ counts }) => counts?.[name] ?? 0)) / verdicts.length;
  return Object.fromEntries(names.map((name) => [`teacher/${name}`, mean(name)]));
}

/** The teacher read the whole program and found no flaw. */
export function isClean(verdict: Verdict | undefined): boolean {
  return verdict?.parseOk === true && verdict.findings.length === 0;
}

function idle(verdict: Verdict | undefined, why: 'repeated' | 'foreign'): number {
  return verdict?.idle.filter((guard) => guard.why === why).length ?? 0;
}
