import type { PpoConfig } from '../../config/ppo.js';
import type { Model } from '../../native/model.js';
import { Phases } from '../../phases.js';
import { type AnswerReward, answerReward, batchRewards, type GuardReport, guardAnswers } from '../../reward/index.js';
import { type Rollout, rollOut, sequenceOf } from '../../rollout/rollout.js';
import { answerLogProbs, answerScores, answerValues } from '../../rollout/score.js';
import type { Judgement, Task } from '../../tasks/task.js';
import type { Verdicts } from '../../tasks/verdicts.js';
import type { Verdict } from '../../teacher/teacher.js';
import type { Tokenizer } from '../../tokenizer/index.js';
import { explainedVariance, gaeAdvantages, groupAdvantages, moments } from './advantages.js';

/** The adapters of a run, by name. undefined: the base model, or none. */
export interface Cast {
  policy: 'policy';
  reference: string | undefined;
  /** Whose value head is the critic. */
  critic: 'policy' | 'critic' | undefined;
  rewardModel: string | undefined;
}

/** What makes scores of the reward model comparable: (score - mean) / sd. */
export interface Normalizer {
  mean: number;
  sd: number;
}

/** An iteration's B answers, with all that is known of them before the first update. [N] packs their tokens in order. */
export interface Experience {
  rollouts: Rollout[];
  /** Prompt and answer. */
  sequences: Int32Array[];
  /** [B + 1] */
  cuSeqlens: Int32Array;
  /** [L] of each: log π_ref. */
  refLogProbs: Float32Array[];
  /** Scores as the reward model gave them. */
  scores: number[] | undefined;
  verdicts: Verdict[];
  judgements: Judgement[] | undefined;
  /** What guards say of the answers, where they are asked. */
  guarded: GuardReport[] | undefined;
  earned: AnswerReward[];
  /** [N] log π_old - log π_ref. */
  kl: Float32Array;
  /** [N] r_t. */
  rewards: Float32Array;
  /** [N] A_t, as the updates take it. */
  advantages: Float32Array;
  critique: Critique | undefined;
}

/** What a critic adds. */
export interface Critique {
  /** [N] V_old. */
  values: Float32Array;
  /** [N] */
  returns: Float32Array;
  explainedVariance: number;
}

export interface Stage {
  config: PpoConfig;
  model: Model;
  tokenizer: Tokenizer;
  cast: Cast;
  verdicts: Verdicts;
}

/** Numbers of a run that iterations hand on. */
export interface PpoState {
  beta: number;
  /** Measured on the first iteration's answers. */
  normalizer: Normalizer | undefined;
}

/** Samples iteration number `step` (from 0) and judges it: a function of the weights, the config, the step and the state. */
export async function collect(
  { config, model, tokenizer, cast, verdicts }: Stage,
  step: number,
  state: PpoState,
  phases: Phases,
): Promise<Experience> {
  const { template, seed, microBatchTokens: tokens } = config;
  const indices = Array.from({ length: config.prompts }, (_, i) => step * config.prompts + i);
  const prompts = indices.map((index) => verdicts.task.prompt('train', seed, index));
  const policy = { model, tokenizer, adapter: cast.policy, template };
  const rollouts = await phases.time('generate', () => rollOut(policy, prompts, { ...config, indices }));

  const [refLogProbs, values, scores] = await phases.time('score', async () => [
    await answerLogProbs(model, rollouts, { adapter: cast.reference, tokens }),
    cast.critic === undefined ? undefined : await answerValues(model, rollouts, { adapter: cast.critic, tokens }),
    cast.rewardModel === undefined
      ? undefined
      : await answerScores(model, rollouts, { adapter: cast.rewardModel, tokens }),
  ]);
  state.normalizer ??= scores === undefined ? undefined : normalizerOf(scores, config);
  const [teaching, judging] = [new Phases(), new Phases()];
  const taught = await phases.time('teach', () => verdicts.teach(rollouts, { phases: teaching }));
  const judgements = await phases.time('judge', () => verdicts.judge(rollouts, { attack: false, phases: judging }));
  phases.include('teach', teaching);
  phases.include('judge', judging);
  const { task } = verdicts;
  const { when } = config.reward.guards;
  const guarded =
    when === 'always' || (when === 'unjudged' && judgements === undefined)
      ? await phases.time('guard', () => guardRollouts(rollouts, task, config))
      : undefined;

  const earned = rollouts.map((rollout, b) =>
    answerReward(
      {
        ...task.program(rollout),
        offsets: rollout.offsets,
        verdict: taught[b] as Verdict,
        functional: judgements?.[b]?.functional ?? null,
        guards: guarded?.[b],
        score: rewardScore(scores?.[b], rollout, config, state),
      },
      config.reward,
    ),
  );
  const cuSeqlens = Int32Array.from([0, ...rollouts.map(({ ids }) => ids.length)]);
  for (let b = 0; b < rollouts.length; b++) cuSeqlens[b + 1] = (cuSeqlens[b + 1] as number) + (cuSeqlens[b] as number);
  const refs = pack(refLogProbs);
  const kl = pack(rollouts.map(({ logProbs }) => logProbs)).map((logProb, t) => logProb - (refs[t] as number));
  const inReward = config.kl.estimator === 'k1' ? { kl, beta: state.beta } : {};
  const rewards = batchRewards(earned, cuSeqlens, inReward);
  const known = {
    rollouts,
    sequences: rollouts.map(sequenceOf),
    cuSeqlens,
    refLogProbs,
    scores,
    verdicts: taught,
    judgements,
    guarded,
  };
  return { ...known, earned, kl, rewards, ...assess(config, cuSeqlens, earned, rewards, values && pack(values)) };
}

function guardRollouts(rollouts: readonly Rollout[], task: Task, { reward }: PpoConfig): Promise<GuardReport[]> {
  const answers = rollouts.map((rollout) => {
    const { code, answerStart } = task.program(rollout);
    const { answer, finished, prompt } = rollout;
    const answerEnd = answerStart + answer.length;
    return { code, answerStart, answerEnd, language: task.language, finished, expects: prompt.expects };
  });
  return guardAnswers(answers, reward.guards);
}

/** Turns rewards into advantages. */
function assess(
  { advantage, gamma, lambda, whiten, samples }: PpoConfig,
  cuSeqlens: Int32Array,
  earned: readonly AnswerReward[],
  rewards: Float32Array,
  values: Float32Array | undefined,
): Pick<Experience, 'advantages' | 'critique'> {
  const penalties = earned.map(({ advantagePenalty }) => advantagePenalty);
  if (advantage === 'group' || values === undefined) {
    // What is not a token's own is the outcome: the terminal reward, and KL where it is a reward.
    const tokens = earned.map(({ token, penalty }) => token.map((reward) => reward - penalty));
    const outcomes = tokens.map((own, b) => sum(unpack(rewards, cuSeqlens, b)) - sum(own));
    return { advantages: pack(groupAdvantages({ outcomes, tokens, penalties, samples })), critique: undefined };
  }
  const { advantages, returns } = gaeAdvantages({ rewards, values, cuSeqlens, gamma, lambda, penalties, whiten });
  return { advantages, critique: { values, returns, explainedVariance: explainedVariance(returns, values) } };
}

function normalizerOf(scores: readonly number[], { normalizeScores }: PpoConfig): Normalizer {
  if (!normalizeScores) return { mean: 0, sd: 1 };
  const { mean, variance } = moments(scores);
  return { mean, sd: Math.max(Math.sqrt(variance), 1e-6) };
}

function rewardScore(
  score: number | undefined,
  { finished }: Rollout,
  { unfinishedScore }: PpoConfig,
  { normalizer }: PpoState,
): number | null {
  if (score === undefined || normalizer === undefined) return null;
  if (!finished && unfinishedScore !== null) return unfinishedScore;
  return (score - normalizer.mean) / normalizer.sd;
}

/** Rows after one another. */
export function pack(rows: readonly Float32Array[]): Float32Array {
  const packed = new Float32Array(sum(rows.map(({ length }) => length)));
  let next = 0;
  for (const row of rows) {
    packed.set(row, next);
    next += row.length;
  }
  return packed;
}

/** Answer `b`'s part of packed values. */
export function unpack(packed: Float32Array, cuSeqlens: Int32Array, b: number): Float32Array {
  return packed.subarray(cuSeqlens[b], cuSeqlens[b + 1]);
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
