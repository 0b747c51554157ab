import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Distance } from './close.js';

export const fixtures: string = join(import.meta.dirname, '../fixtures');

export interface OptimizerOptions {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  clipNorm: number;
}
export interface TrainingRecord {
  optimizer: OptimizerOptions;
  batches: number[][];
  losses: number[];
  gradNorms: number[];
}
export interface AdapterRecord {
  rank: number;
  alpha: number;
  targets: string[];
  bf16Error: Distance;
  loss: number;
  training: TrainingRecord;
}
export interface ModelRecord {
  sequences: number[][];
  scored: number[][];
  bf16Error: Distance;
  lossWeights?: number[][];
  stop: number | null;
  generations: { prompt: number[]; tokens: number[]; finish: 'stop' | 'length'; margin: number }[];
  full?: { loss: number; training: TrainingRecord };
  adapters: Record<string, AdapterRecord>;
  reward?: { pairs: [number, number][]; accuracy: number; training: Omit<TrainingRecord, 'batches'> };
}
export type Clip =
  | { kind: 'ppo'; epsilon: number }
  | { kind: 'dual'; epsilon: number; c: number }
  | { kind: 'sapo'; tauPos: number; tauNeg: number }
  | { kind: 'cispo'; cap: number };
export interface KernelRecords {
  gae: { cuSeqlens: number[]; gamma: number; lambda: number };
  ppoLoss: {
    valueClip: number;
    cases: { clip: Clip; aggregation: 'mean' | 'sum'; loss: number; valueLoss: number; approxKl: number }[];
  };
  loraUpdate: { options: OptimizerOptions; gradNorms: number[] };
}

// test/fixtures/README.md says what is in it.
export function readIndex(): { models: Record<string, ModelRecord>; kernels: KernelRecords } {
  return JSON.parse(readFileSync(join(fixtures, 'index.json'), 'utf8'));
}
