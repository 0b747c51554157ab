import type { ScheduleConfig } from '../config/common.js';

/**
 * The learning rate of a step (0-based) out of `steps`: linear warm-up to `lr`, then level, then over the last `decay` share
 * of the steps a fall to `floor * lr`, linear or along half a cosine (SGDR, arXiv 1608.03983, eq. 5, without restarts).
 */
export function learningRate(
  lr: number,
  { kind, warmup, decay, floor }: ScheduleConfig,
  step: number,
  steps: number,
): number {
  if (step < warmup) return (lr * (step + 1)) / (warmup + 1);
  const decaying = kind === 'constant' ? 0 : Math.min(Math.round(decay * steps), steps - warmup);
  const into = step + 1 - (steps - decaying);
  if (into <= 0 || decaying <= 0) return lr;
  const progress = into / decaying;
  const left = kind === 'linear' ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2;
  return lr * (floor + (1 - floor) * left);
}
