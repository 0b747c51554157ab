import { chunks } from '../dataset/index.js';
import type { Model } from '../native/model.js';
import { type Rollout, sequenceOf } from './rollout.js';

interface With {
  /** undefined is the base model. */
  adapter: string | undefined;
  /** Tokens computed at once. */
  tokens: number;
}

/** [L] of each answer: log π of its tokens. */
export async function answerLogProbs(
  model: Model,
  rollouts: readonly Rollout[],
  options: With,
): Promise<Float32Array[]> {
  // Entry t of the log-probs is token t + 1's.
  return ofAnswers(rollouts, options, (sequences, call) => model.logProbs(sequences, call));
}

/** [L] of each answer: V(s_t), which is the value head's on the token before y_t. */
export async function answerValues(model: Model, rollouts: readonly Rollout[], options: With): Promise<Float32Array[]> {
  return ofAnswers(rollouts, options, (sequences, call) => model.values(sequences, call));
}

/** The reward model's score of each answer. */
export async function answerScores(
  model: Model,
  rollouts: readonly Rollout[],
  { adapter, tokens }: With,
): Promise<number[]> {
  const scores: number[] = [];
  for (const sequences of chunks(rollouts.map(sequenceOf), tokens, ({ length }) => length)) {
    scores.push(...(await model.rewards(sequences, adapter === undefined ? {} : { adapter })));
  }
  return scores;
}

async function ofAnswers(
  rollouts: readonly Rollout[],
  { adapter, tokens }: With,
  call: (sequences: Int32Array[], options: { adapter?: string }) => Promise<Float32Array[]>,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (const sequences of chunks(rollouts.map(sequenceOf), tokens, ({ length }) => length)) {
    rows.push(...(await call(sequences, adapter === undefined ? {} : { adapter })));
  }
  return rollouts.map(({ promptIds, ids }, i) => {
    const start = promptIds.length - 1;
    return (rows[i] as Float32Array).subarray(start, start + ids.length);
  });
}
