import { z } from 'zod';
import { free, group, type Shape } from './schema.js';

/** Options that every training program has. */
export interface CommonConfig {
  model: string;
  data: string[];
  run: string;
  seed: number;
  lr: number;
  checkpointEvery: number;
  keepCheckpoints: number;
  evalEvery: number | null;
  heldOut: number;
  microBatchTokens: number;
  device: 'cpu';
  dtype: 'bf16' | 'f32';
  threads: number;
  optimizer: OptimizerConfig;
  schedule: ScheduleConfig;
}

export interface OptimizerConfig {
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  clipNorm: number;
  maxNonFinite: number;
}

export interface ScheduleConfig {
  kind: 'constant' | 'linear' | 'cosine';
  warmup: number;
  decay: number;
  floor: number;
}

export interface LoraConfig {
  rank: number;
  alpha: number;
  targets: Target[];
}

export interface SamplesConfig {
  count: number;
  maxNewTokens: number;
}

/** The linear layers of a decoder block, by their Hugging Face names. */
export type Target = (typeof targets)[number];
export const targets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

/** How a program's defaults differ from the common ones. */
interface Defaults {
  program: string;
  data: string;
  dataNeeded: boolean;
  lr: number;
  decayShare: number;
  floor: number;
  weightDecay: number;
}

/** The fields of {@link CommonConfig}; the programs differ in a few defaults only. */
export function commonShape({
  program,
  data,
  dataNeeded,
  lr,
  decayShare,
  floor,
  weightDecay,
}: Defaults): Shape<CommonConfig> {
  return {
    model: z.string().min(1).default('tiny').describe('"tiny" (embedded) or a Hugging Face model folder'),
    data: z
      .array(z.string().min(1))
      .min(dataNeeded ? 1 : 0, 'expected at least one file (--data FILE)')
      // prefault, not default: an empty default must meet the check above.
      .prefault([])
      .describe(data),
    run: z.string().min(1).default(`runs/${program}`).describe('run folder').meta(free),
    seed: z
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .default(0)
      .describe('all randomness is a function of it'),
    lr: z.number().positive().default(lr).describe('peak learning rate'),
    checkpointEvery: z
      .int()
      .min(1)
      .default(100)
      .describe('steps between checkpoints; the last step always has one')
      .meta(free),
    keepCheckpoints: z.int().min(0).default(0).describe('newest checkpoints kept; 0 keeps all').meta(free),
    evalEvery: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe('steps between evaluations; null: before and after only'),
    heldOut: z
      .number()
      .min(0)
      .max(0.5)
      .default(0.1)
      .describe('share of the data held back from training to measure on'),
    microBatchTokens: z
      .int()
      .min(1)
      .default(4096)
      .describe('tokens computed at once; a batch is accumulated over as many as it needs'),
    device: z.enum(['cpu']).default('cpu').describe('where the model computes').meta(free),
    dtype: z.enum(['bf16', 'f32']).default('bf16').describe('type of weights and activations'),
    threads: z.int().min(0).max(1024).default(0).describe('compute threads; 0: one per usable core').meta(free),
    optimizer: group({
      beta1: z.number().min(0).lt(1).default(0.9).describe('AdamW decay of the first moment'),
      beta2: z.number().min(0).lt(1).default(0.95).describe('AdamW decay of the second moment'),
      eps: z.number().positive().default(1e-8).describe('AdamW epsilon'),
      weightDecay: z.number().min(0).default(weightDecay).describe('decoupled weight decay'),
      clipNorm: z.number().positive().default(1).describe('largest global gradient norm'),
      maxNonFinite: z.int().min(1).default(3).describe('steps in a row with non-finite gradients that end the run'),
    }),
    schedule: group({
      kind: z.enum(['constant', 'linear', 'cosine']).default('cosine').describe('shape of the decay'),
      warmup: z.int().min(0).default(10).describe('steps of linear warm-up'),
      decay: z
        .number()
        .min(0)
        .max(1)
        .default(decayShare)
        .describe('share of the steps, counted from the end, that decays'),
      floor: z.number().min(0).max(1).default(floor).describe('learning rate at the end, as a share of lr'),
    }),
  };
}

/** Steps by number or by passes over the data. */
export interface LengthConfig {
  steps: number | null;
  epochs: number;
  batchSize: number;
  maxLength: number | null;
}

export function lengthShape(unit: string, batchSize: number): Shape<LengthConfig> {
  return {
    steps: z.int().min(1).nullable().default(null).describe('optimiser steps; null: as many as epochs needs'),
    epochs: z.number().positive().default(1).describe('passes over the data when steps is null'),
    batchSize: z.int().min(1).default(batchSize).describe(`${unit} in one optimiser step`),
    maxLength: z
      .int()
      .min(2)
      .nullable()
      .default(null)
      .describe(`longest ${unit.slice(0, -1)} in tokens, longer ones are dropped; null: the context`),
  };
}

export function loraShape(): z.ZodType<LoraConfig> {
  return group({
    rank: z.int().min(1).max(1024).default(8).describe('rank of the adapter'),
    alpha: z.number().positive().default(16).describe('scale of the adapter is alpha / rank'),
    targets: z
      .array(z.enum(targets))
      .min(1)
      .default([...targets])
      .describe('linear layers that get an adapter'),
  });
}

export function samplesShape(): z.ZodType<SamplesConfig> {
  return group({
    count: z
      .int()
      .min(0)
      .max(64)
      .default(2)
      .describe('held-back prompts answered at each evaluation, into samples.jsonl'),
    maxNewTokens: z.int().min(1).default(96).describe('longest sample in tokens'),
  });
}
