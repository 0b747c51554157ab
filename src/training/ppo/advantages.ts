import { kernels } from '../../native/kernels.js';

/** What advantages are made of; [N] packs the answers' tokens, answer b being [cuSeqlens[b], cuSeqlens[b + 1]). */
export interface GaeInput {
  /** [N] r_t. */
  rewards: Float32Array;
  /** [N] V(s_t). */
  values: Float32Array;
  cuSeqlens: Int32Array;
  gamma: number;
  lambda: number;
  /** [B] ρ ≥ 0, taken from every advantage of its answer behind GAE, so that it keeps one sign and size. */
  penalties: readonly number[];
  whiten: boolean;
}

/** Eq. 5 and 6, less the penalties, then whitened; the returns (A + V) are those before both. */
export function gaeAdvantages(input: GaeInput): { advantages: Float32Array; returns: Float32Array } {
  const { rewards, values, cuSeqlens, gamma, lambda, penalties, whiten } = input;
  const { advantages, returns } = kernels.gae({ rewards, values, cuSeqlens, gamma, lambda });
  for (const [b, penalty] of penalties.entries()) {
    for (let t = cuSeqlens[b] as number; t < (cuSeqlens[b + 1] as number); t++)
      advantages[t] = at(advantages, t) - penalty;
  }
  return { advantages: whiten ? whitened(advantages) : advantages, returns };
}

export interface GroupInput {
  /** [B] what each answer earned as a whole; the `samples` answers of a prompt are neighbours. */
  outcomes: readonly number[];
  /** [L] of each answer: what its tokens earned by themselves. */
  tokens: readonly Float32Array[];
  /** [B] ρ ≥ 0, taken from every advantage of its answer. */
  penalties: readonly number[];
  samples: number;
}

/**
 * Advantages without a critic: an answer's outcome against those of the prompt's other answers (GRPO, arXiv 2402.03300), the same for all its
 * tokens, plus each token's own reward against those of all tokens of the prompt's answers. Equal rewards teach nothing: 0.
 */
export function groupAdvantages({ outcomes, tokens, penalties, samples }: GroupInput): Float32Array[] {
  const advantages: Float32Array[] = [];
  for (let from = 0; from < outcomes.length; from += samples) {
    const group = tokens.slice(from, from + samples);
    const ofAnswer = standardise(outcomes.slice(from, from + samples), 1e-6);
    const ofToken = standardise(
      group.flatMap((rewards) => Array.from(rewards)),
      1e-6,
    );
    let next = 0;
    for (const [i, rewards] of group.entries()) {
      const own = (ofAnswer[i] ?? 0) - (penalties[from + i] ?? 0);
      advantages.push(rewards.map(() => own + (ofToken[next++] ?? 0)));
    }
  }
  return advantages;
}

/** Mean 0, variance 1: (x - mean) / √(var + 1e-8), with the unbiased variance (as TRL whitens). */
export function whitened(values: Float32Array): Float32Array {
  const { mean, variance } = moments(values);
  const scale = 1 / Math.sqrt(variance + 1e-8);
  return values.map((value) => (value - mean) * scale);
}

/** Share of the variance of the returns that the values explain: 1 - Var(R - V) / Var(R); 0 where the returns do not vary. */
export function explainedVariance(returns: Float32Array, values: Float32Array): number {
  const all = moments(returns).variance;
  return all > 0 ? 1 - moments(returns.map((target, t) => target - at(values, t))).variance / all : 0;
}

/** Mean and unbiased variance (0 for fewer than two values). */
export function moments(values: ArrayLike<number>): { mean: number; variance: number } {
  const n = values.length;
  if (n === 0) return { mean: 0, variance: 0 };
  let [sum, squares] = [0, 0];
  for (let i = 0; i < n; i++) sum += at(values, i);
  const mean = sum / n;
  for (let i = 0; i < n; i++) squares += (at(values, i) - mean) ** 2;
  return { mean, variance: n > 1 ? squares / (n - 1) : 0 };
}

function standardise(values: readonly number[], eps: number): number[] {
  const { mean, variance } = moments(values);
  return values.map((value) => (value - mean) / (Math.sqrt(variance) + eps));
}

function at(values: ArrayLike<number>, i: number): number {
  return values[i] as number;
}
