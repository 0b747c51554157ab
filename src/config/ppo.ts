import { z } from 'zod';
import { tinyTemplate } from '../tasks/template.js';
import { type CommonConfig, commonShape, type LoraConfig, loraShape } from './common.js';
import { type EnsembleConfig, ensembleShape } from './ensemble.js';
import { type LlmConfig, llmShape } from './llm.js';
import { type RewardOptions, rewardOptionsShape, rewardPresets } from './reward-options.js';
import { type ConfigSchema, free, group, type Options, type Shape } from './schema.js';

/** Policy optimisation on a task: prompts instead of data, rewards instead of labels. An iteration is a step of the run. */
export interface PpoConfig extends Omit<CommonConfig, 'data' | 'heldOut'> {
  task: string;
  unsafe: boolean;
  teacher: string[];
  ensemble: EnsembleConfig;
  llm: LlmConfig;
  template: string;
  reference: string | null;
  init: string | null;
  rewardModel: string | null;
  iterations: number;
  prompts: number;
  samples: number;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  normalizeScores: boolean;
  unfinishedScore: number | null;
  advantage: 'gae' | 'group';
  gamma: number;
  lambda: number;
  whiten: boolean;
  epochs: number;
  minibatch: number;
  clip: ClipConfig;
  aggregation: 'mean' | 'sum';
  entropyCoef: number;
  critic: 'shared' | 'adapter';
  criticLr: number | null;
  criticWarmup: number;
  valueCoef: number;
  valueClip: number;
  kl: KlConfig;
  targetKl: number | null;
  reward: RewardOptions;
  lora: LoraConfig;
  evalPrompts: number;
  shown: number;
  auditMutants: number;
  crossCheck: number;
  verdictSeed: number;
}

/** The numbers of the kinds that are not chosen stay unused. */
export interface ClipConfig {
  kind: 'ppo' | 'dual' | 'sapo' | 'cispo';
  epsilon: number;
  c: number;
  tauPos: number;
  tauNeg: number;
  cap: number;
}

export interface KlConfig {
  estimator: 'k1' | 'k3';
  coefficient: number;
  adaptive: AdaptiveKlConfig;
}

export interface AdaptiveKlConfig {
  on: boolean;
  target: number;
  horizon: number;
  least: number;
  most: number;
}

const {
  data: _,
  heldOut: __,
  ...common
} = commonShape({
  program: 'ppo',
  data: '',
  dataNeeded: false,
  lr: 5e-4,
  decayShare: 1,
  floor: 0.1,
  weightDecay: 0,
});

export const ppoSchema: ConfigSchema<PpoConfig> = z
  .strictObject({
    ...common,
    checkpointEvery: z
      .int()
      .min(1)
      .default(5)
      .describe('iterations between checkpoints; the last one always has one')
      .meta(free),
    evalEvery: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe('iterations between evaluations and sample rows; null: before and after only'),
    schedule: group({
      kind: z.enum(['constant', 'linear', 'cosine']).default('constant').describe('shape of the decay'),
      warmup: z.int().min(0).default(3).describe('iterations of linear warm-up'),
      decay: z.number().min(0).max(1).default(1).describe('share of the iterations, counted from the end, that decays'),
      floor: z.number().min(0).max(1).default(0.1).describe('learning rate at the end, as a share of lr'),
    }),
    task: z
      .string()
      .min(1)
      .default('family')
      .describe('"family", pairs:FILE (real code), or a module (.js, .mjs) whose default export is a Task'),
    unsafe: z
      .boolean()
      .default(false)
      .describe('let the judge of task family run programs, and compilers read them, even where no isolation works')
      .meta(free),
    teacher: z
      .array(z.string().min(1))
      .min(1)
      .default(['task'])
      .describe(
        'who judges programs: task (its own), embedded, family, replay:FILE, llm:MODEL@URL; several make an ensemble, also with gcc, clang, …',
      ),
    ensemble: group(ensembleShape()),
    llm: group(llmShape()),
    template: z
      .string()
      .includes('{prompt}')
      .default(tinyTemplate)
      .describe('what the model reads; {prompt} stands for the prompt'),
    reference: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe('PEFT folder of the frozen policy that KL is measured from; null: the model itself'),
    init: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe('PEFT folder that the policy starts from; null: a fresh adapter of `lora`'),
    rewardModel: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe('PEFT folder with a reward head, trained on the same model; null: no reward model'),
    iterations: z.int().min(1).default(20).describe('rounds of sampling and updating the policy'),
    prompts: z.int().min(1).default(64).describe('prompts of an iteration'),
    samples: z.int().min(1).default(1).describe('answers to each prompt; advantage group needs 2 or more'),
    maxNewTokens: z.int().min(1).default(180).describe('longest answer in tokens'),
    temperature: z.number().positive().default(1).describe('divides the logits when sampling'),
    topP: z.number().gt(0).max(1).default(1).describe('probability mass sampled from'),
    normalizeScores: z
      .boolean()
      .default(true)
      .describe("the reward model's scores get mean 0 and deviation 1 on the first iteration's answers"),
    unfinishedScore: z
      .number()
      .nullable()
      .default(-2)
      .describe("stands for the reward model's score of an answer that did not end; null: no exception"),
    advantage: z
      .enum(['gae', 'group'])
      .default('gae')
      .describe("gae: a critic; group: rewards against those of the prompt's other answers (GRPO), no critic"),
    gamma: z.number().min(0).max(1).default(1).describe('discount'),
    lambda: z.number().min(0).max(1).default(0.95).describe('how far GAE looks past the critic'),
    whiten: z.boolean().default(true).describe('advantages of an iteration get mean 0 and deviation 1 (gae)'),
    epochs: z.int().min(1).default(2).describe('passes over the answers of an iteration'),
    minibatch: z.int().min(1).default(16).describe('answers in one optimiser step'),
    clip: group({
      kind: z.enum(['ppo', 'dual', 'sapo', 'cispo']).default('ppo').describe('how the ratio is kept from running away'),
      epsilon: z.number().gt(0).lt(1).default(0.2).describe('clip range of ppo and dual'),
      c: z.number().gt(1).default(3).describe('bound of dual where the advantage is negative'),
      tauPos: z.number().positive().default(1).describe('temperature of sapo where the advantage is positive'),
      tauNeg: z.number().positive().default(1.05).describe('temperature of sapo where it is negative'),
      cap: z.number().min(1).default(1.28).describe('largest ratio of cispo'),
    }),
    aggregation: z.enum(['mean', 'sum']).default('mean').describe("the policy's loss over tokens; sum: Eq. 7"),
    entropyCoef: z.number().min(0).default(0).describe('weight of the entropy bonus'),
    critic: z
      .enum(['shared', 'adapter'])
      .default('shared')
      .describe(
        "a value head on the policy's adapter; an adapter of its own, from the reward model where there is one",
      ),
    criticLr: z.number().positive().nullable().default(null).describe('peak learning rate of critic adapter; null: lr'),
    criticWarmup: z
      .int()
      .min(0)
      .default(0)
      .describe('iterations before the others in which critic adapter learns and the policy rests'),
    valueCoef: z.number().min(0).default(0.1).describe('weight of the value loss with critic shared'),
    valueClip: z.number().positive().default(0.5).describe('how far a value may move before its loss is held'),
    kl: group({
      estimator: z
        .enum(['k1', 'k3'])
        .default('k1')
        .describe('k1: log π/π_ref, taken from the rewards; k3: its positive estimator, added to the loss'),
      coefficient: z.number().min(0).default(0.1).describe('β, at the start'),
      adaptive: group({
        on: z.boolean().default(false).describe('steer β so that KL nears the target'),
        target: z.number().positive().default(6).describe('nats an answer'),
        horizon: z.number().positive().default(10_000).describe('answers over which β may change by a fifth'),
        least: z.number().positive().default(1e-3).describe('smallest β'),
        most: z.number().positive().default(10).describe('largest β'),
      }),
    }),
    targetKl: z
      .number()
      .positive()
      .nullable()
      .default(null)
      .describe('an approximate KL from the old policy, nats a token, beyond which an iteration makes no further step'),
    reward: group(rewardOptionsShape()),
    lora: loraShape(),
    evalPrompts: z.int().min(0).default(0).describe('validation prompts answered and judged at each evaluation'),
    auditMutants: z
      .int()
      .min(0)
      .default(24)
      .describe('mutants without what the teacher credits, run with attacks at each evaluation; 0: no audit'),
    crossCheck: z
      .int()
      .min(0)
      .default(6)
      .describe('answers of an iteration that the teacher finds secure, run with all attacks; 0: none'),
    verdictSeed: z
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .default(0)
      .describe('draws the inputs that programs of task family are judged on'),
    shown: z.int().min(0).default(4).describe('answers of an iteration written to samples.jsonl at each evaluation'),
  } satisfies Shape<PpoConfig>)
  .superRefine((config, { addIssue }) => {
    const problem = (path: keyof PpoConfig, message: string): void =>
      addIssue({ code: 'custom', path: [path], input: config[path], message });
    const { advantage, samples, critic, criticWarmup } = config;
    if (advantage === 'group' && samples < 2) problem('samples', 'expected 2 or more with advantage group');
    if (criticWarmup > 0 && (advantage === 'group' || critic === 'shared')) {
      problem('criticWarmup', 'expected 0 without a critic adapter (critic: adapter, advantage: gae)');
    }
  });

/**
 * `srcode`: what validation runs on the embedded family chose (docs/quickstart.md), where that is not the default. `paper`: arXiv 2602.23407 to the letter, with TRL's constants where the paper leaves them to its framework;
 * its learning rate is not known and stays ours.
 */
export const ppoPresets: { readonly paper: Options<PpoConfig>; readonly srcode: Options<PpoConfig> } = {
  paper: {
    reward: rewardPresets.paper,
    normalizeScores: false,
    unfinishedScore: null,
    topP: 0.9,
    epochs: 4,
    advantage: 'gae',
    gamma: 1,
    lambda: 0.95,
    critic: 'shared',
    valueCoef: 0.1,
    valueClip: 0.2,
    clip: { kind: 'ppo', epsilon: 0.2 },
    kl: { estimator: 'k1', coefficient: 0.2, adaptive: { on: true, target: 6, horizon: 10_000 } },
  },
  srcode: {
    reward: rewardPresets.srcode,
    lr: 1e-3,
    schedule: { kind: 'linear', floor: 0.1 },
  },
};
