import type { Chart } from './data.js';

/** What a report draws of metrics.jsonl unless told otherwise. */
export const defaultCharts: readonly Chart[] = [
  { path: 'rollout/fs', title: 'Functional and secure, of the rollouts', unit: 'share' },
  { path: 'rollout/functional', title: 'Functional, of the rollouts', unit: 'share' },
  { path: 'rollout/secure-of-valid', title: 'Secure, of the functional rollouts', unit: 'share' },
  { path: 'rollout/reward', title: 'Reward, summed over an answer' },
  { path: 'rollout/length', title: 'Length of an answer', unit: 'tokens' },
  { path: 'rollout/kl', title: 'KL from the reference, an answer', unit: 'nats' },
  { path: 'critic/explained-variance', title: 'Return that the critic explains', unit: 'share' },
  { path: 'gradient/secure-share', title: 'Policy gradient on secure tokens', unit: 'share' },
];
