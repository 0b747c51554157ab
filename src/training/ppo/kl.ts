import type { AdaptiveKlConfig } from '../../config/ppo.js';

/**
 * The next β (arXiv 1909.08593, section 2.2): e = clip(KL / target - 1, ±0.2), β ← β (1 + e · answers / horizon), kept in its range.
 * `kl` is in nats an answer, the mean of `answers` answers.
 */
export function nextBeta(
  beta: number,
  kl: number,
  answers: number,
  { on, target, horizon, least, most }: AdaptiveKlConfig,
): number {
  if (!on) return beta;
  const error = Math.max(-0.2, Math.min(0.2, kl / target - 1));
  return Math.max(least, Math.min(most, beta * (1 + (error * answers) / horizon)));
}
