import { z } from 'zod';
import { type CommonConfig, commonShape, type SamplesConfig, samplesShape } from './common.js';
import { type ConfigSchema, group, type Options, type Shape } from './schema.js';

export interface PretrainConfig extends CommonConfig {
  steps: number;
  batchTokens: number;
  sequenceLength: number;
  task: 'family' | null;
  textShare: number;
  promptWeight: number;
  halfSteps: number;
  initialWeights: 'random' | 'induction';
  tokenizer: string | null;
  shape: ShapeConfig;
  samples: SamplesConfig;
}

/** The decoder that `model: tiny` makes, with random weights from `seed`. Its vocabulary is the tokenizer's. */
export interface ShapeConfig {
  layers: number;
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  kvHeads: number;
  contextLength: number;
  ropeTheta: number;
  rmsNormEps: number;
  tiedEmbeddings: boolean;
  qkvBias: boolean;
}

const common = commonShape({
  program: 'pretrain',
  data: 'text files, folders of them, or JSONL rows with "text"; empty: the sources of this package',
  dataNeeded: false,
  lr: 3e-3,
  decayShare: 1,
  floor: 0.03,
  weightDecay: 0.05,
});

export const pretrainSchema: ConfigSchema<PretrainConfig> = z.strictObject({
  ...common,
  model: z
    .string()
    .min(1)
    .default('tiny')
    .describe('"tiny": fresh weights of `shape`; a folder: go on from its weights'),
  steps: z.int().min(1).default(1000).describe('optimiser steps'),
  batchTokens: z.int().min(2).default(4096).describe('tokens in one optimiser step, packed without padding'),
  sequenceLength: z.int().min(2).default(512).describe('longest sequence; longer documents are cut into several'),
  task: z
    .enum(['family'])
    .nullable()
    .default(null)
    .describe('learn the documents of an embedded task, drawn without end; null: the text of `data`'),
  textShare: z.number().min(0).max(1).default(0.05).describe('share of plain text among the documents of a task'),
  promptWeight: z.number().min(0).max(1).default(0.2).describe("loss weight of the tokens of a task's prompts"),
  halfSteps: z.int().min(0).default(0).describe('first steps, which take half of batchTokens (with `task`)'),
  initialWeights: z
    .enum(['random', 'induction'])
    .default('random')
    .describe('of a fresh model; induction: with heads that copy, built in'),
  tokenizer: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('"tiny" or a folder with tokenizer.json; null: the model\'s'),
  shape: group({
    layers: z.int().min(1).default(4).describe('decoder blocks'),
    hiddenSize: z.int().min(2).default(192).describe('width of the residual stream'),
    intermediateSize: z.int().min(1).default(512).describe('width of the MLP'),
    heads: z.int().min(1).default(6).describe('query heads'),
    kvHeads: z.int().min(1).default(6).describe('key and value heads; divides heads'),
    contextLength: z.int().min(2).default(2048).describe('longest sequence of the model'),
    ropeTheta: z.number().positive().default(10_000).describe('base of the rotary embedding'),
    rmsNormEps: z.number().positive().default(1e-6).describe('epsilon of the norms'),
    tiedEmbeddings: z.boolean().default(true).describe('head and embedding share their weights'),
    qkvBias: z.boolean().default(true).describe('biases on q, k and v (Qwen2); false: Llama'),
  }),
  samples: samplesShape(),
} satisfies Shape<PretrainConfig>);

/** Named settings that lie under the caller's own. */
export const pretrainPresets: { readonly [name: string]: Options<PretrainConfig> } = {
  // Constant, then linear decay over the last quarter. 25.5 M tokens of the embedded task: three quarters of an hour on two cores.
  tiny: {
    task: 'family',
    initialWeights: 'induction',
    steps: 5600,
    halfSteps: 1000,
    batchTokens: 5000,
    checkpointEvery: 200,
    keepCheckpoints: 2,
    optimizer: { weightDecay: 0.05 },
    schedule: { kind: 'linear', warmup: 40, decay: 0.25, floor: 0.03 },
  },
  // Three million tokens: minutes on two cores.
  'tiny-quick': {
    task: 'family',
    initialWeights: 'induction',
    steps: 1200,
    batchTokens: 2500,
    checkpointEvery: 200,
    keepCheckpoints: 2,
    optimizer: { weightDecay: 0.05 },
    schedule: { kind: 'linear', warmup: 40, decay: 0.25, floor: 0.03 },
  },
};
