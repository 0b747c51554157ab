import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { tinyModelDir } from '../assets.js';
import type { PpoConfig } from '../config/ppo.js';
import { pretrainPresets } from '../config/pretrain.js';
import type { RewardConfig } from '../config/reward.js';
import type { Options } from '../config/schema.js';
import type { SftConfig } from '../config/sft.js';
import { SrcodeError } from '../errors.js';
import { audit } from '../evaluation/audit.js';
import { type Evaluation, type EvaluationRow, evaluate } from '../evaluation/evaluate.js';
import { Model } from '../native/model.js';
import type { CreditResult, RewardModelResult } from '../report/data.js';
import type { FamilyPrompt } from '../tasks/family/index.js';
import type { Split, Task } from '../tasks/task.js';
import { Tokenizer } from '../tokenizer/index.js';
import type { Hooks } from '../training/hooks.js';
import { ppo } from '../training/ppo.js';
import { pretrain } from '../training/pretrain.js';
import { rewardModel } from '../training/reward-model.js';
import { sft } from '../training/sft.js';
import type { Arm } from './arms.js';
import { type LessonScores, measureLessons, preferenceAccuracy, writeLessons, writePreferences } from './lessons.js';
import type { Profile } from './profiles.js';
import { trainRejection } from './rejection.js';
import type { Results } from './results.js';

/** What all phases know. */
export interface Context {
  run: string;
  profile: Profile;
  threads: number;
  task: Task<FamilyPrompt>;
  /** Folder of the base model. */
  base: string;
  results: Results;
  hooks: Pick<Hooks, 'signal' | 'onStep' | 'onNotice'> & { onPhase?: (phase: string) => void };
}

/** What a model does before or after SFT. */
export interface Measured {
  lessons: LessonScores;
  evaluation: Evaluation;
}

/** One training seed's measurements. */
export interface SeedResults {
  seed: number;
  sft: Measured;
  reward: Reward;
  arms: { arm: string; run: string; evaluation: Evaluation }[];
}

interface Reward {
  adapter: string;
  accuracy: RewardModelResult;
}

/** @throws ERR_UNSUPPORTED when this copy of srcode came without the base's weights. */
export function shippedBase(): string {
  if (!existsSync(join(tinyModelDir, 'model.safetensors'))) {
    throw new SrcodeError('ERR_UNSUPPORTED', `No weights in ${tinyModelDir}; pretrain a base with --from-scratch`);
  }
  return tinyModelDir;
}

/** A base of three million tokens, in minutes. */
export async function fromScratch(run: string, threads: number, hooks: Context['hooks']): Promise<string> {
  hooks.onPhase?.('pretraining a base from random weights');
  const { checkpoint } = await pretrain({ ...pretrainPresets['tiny-quick'], run, threads }, { ...hooks, resume: true });
  return checkpoint;
}

/** The base on the test prompts, and on the lessons that it has not had. */
export async function measureBase(context: Context): Promise<Measured> {
  return phase(context, 'base', 'measuring the base model', context.base, () => measure(context, context.base));
}

/** SFT, reward model and all arms with one training seed. */
export async function runSeed(context: Context, seed: number): Promise<SeedResults> {
  const tuned = await fineTune(context, seed);
  const after = await phase(context, `after SFT ${seed}`, 'measuring what fine-tuning taught', tuned, () =>
    measure(context, tuned),
  );
  const reward = await trainReward(context, tuned, 'reward', seed);
  const arms: SeedResults['arms'] = [];
  for (const arm of context.profile.arms) arms.push(await runArm(context, arm, seed, { tuned, reward }));
  return { seed, sft: after, reward, arms };
}

/** What fine-tuning on the lessons is, by whatever method. */
export const sftRecipe: Options<SftConfig> = {
  ...{ verdictWeight: 5, batchSize: 20, heldOut: 0.01, keepCheckpoints: 1, samples: { count: 0 } },
  schedule: { kind: 'cosine', warmup: 20, floor: 0.05 },
};

/** All weights: LoRA learns these lessons less well in the same time. Returns the model's folder. */
export async function fineTune(context: Context, seed: number): Promise<string> {
  const { run, profile, threads, base, hooks } = context;
  const rows = join(run, `lessons-${seed}.jsonl`);
  const options: Options<SftConfig> & { run: string } = {
    ...{ model: base, data: [rows], run: join(run, `sft-${seed}`), seed, threads, mode: 'full', lr: 1e-3 },
    ...sftRecipe,
    optimizer: { weightDecay: 0.01 },
  };
  return training(context, `SFT ${seed}`, 'fine-tuning on detection and repair', options, async () => {
    writeLessons(rows, seed, profile.lessons);
    return (await sft(options, { ...hooks, resume: true })).checkpoint;
  });
}

export async function trainReward(context: Context, model: string, name: string, seed: number): Promise<Reward> {
  const { run, profile, threads, hooks } = context;
  const pairs = profile.lessons.preferences;
  const rows = join(run, `preferences-${seed}.jsonl`);
  const options: Options<RewardConfig> & { run: string } = {
    ...{ model, data: [rows], run: join(run, `${name}-${seed}`), seed, threads, lr: 3e-3, batchSize: 24 },
    ...{ heldOut: 0.1, keepCheckpoints: 1 },
    schedule: { kind: 'linear', warmup: 8, floor: 0.05 },
  };
  return training(context, `${name} model ${seed}`, 'training the reward model', options, async () => {
    writePreferences(rows, seed, pairs);
    const { checkpoint } = await rewardModel(options, { ...hooks, resume: true });
    return { adapter: checkpoint, accuracy: await heldOutAccuracy(context, model, checkpoint) };
  });
}

/** On pairs of combinations that no training has seen: of all of them, and of those whose rejected answer does not work. */
async function heldOutAccuracy(
  { profile, threads }: Context,
  folder: string,
  adapter: string,
): Promise<RewardModelResult> {
  const tokenizer = await Tokenizer.load(folder);
  using model = await Model.load(folder, threads > 0 ? { threads } : {});
  await model.adapters.load('reward', adapter);
  // Awaited here: `using` would dispose of the model at once otherwise.
  return await preferenceAccuracy({ model, tokenizer }, 'reward', profile.evaluation.prompts);
}

async function runArm(
  context: Context,
  arm: Arm,
  seed: number,
  { tuned, reward }: { tuned: string; reward: Reward },
): Promise<SeedResults['arms'][number]> {
  const { run, base } = context;
  const name = arm.name.replaceAll(/[^\w.]+/g, '-');
  const model = arm.withoutSft ? base : tuned;
  const { adapter } = arm.withoutSft ? await trainReward(context, base, 'reward of the base', seed) : reward;
  const folder = join(run, `${name}-${seed}`);
  const question = { run: folder, arm, model, adapter };
  const checkpoint = await training(context, `${arm.name} ${seed}`, `training ${arm.name}`, question, () =>
    arm.training === 'rejection'
      ? trainRejection(context, seed, { model, run: folder })
      : trainArm(context, arm, seed, { model, reward: adapter, folder }),
  );
  const evaluation = await phase(
    context,
    `${arm.name} ${seed} executed`,
    `executing what ${arm.name} writes`,
    checkpoint,
    () => evaluateAdapter(context, model, checkpoint, 'test'),
  );
  return { arm: arm.name, run: folder, evaluation };
}

/** One arm of PPO at the profile's budget. Returns the policy's folder. */
export async function trainArm(
  { profile, threads, task, hooks }: Context,
  arm: Arm,
  seed: number,
  { model, reward, folder }: { model: string; reward: string; folder: string },
): Promise<string> {
  // The budget is of answers, not of prompts, and those that warm up a critic count.
  const iterations = profile.ppo.iterations - (arm.options.criticWarmup ?? 0);
  const prompts = Math.max(1, Math.floor(profile.ppo.prompts / (arm.options.samples ?? 1)));
  const options: Options<PpoConfig> = {
    ...arm.options,
    ...{ model, rewardModel: reward, run: folder, seed, threads, iterations, prompts },
    ...{ keepCheckpoints: 1, shown: 6 },
  };
  return (await ppo(options, { ...hooks, task, resume: true })).checkpoint;
}

/** Whether teacher and execution agree on what the last arm writes, and whether what it is credited for keeps attacks away. */
export async function measureCredit(context: Context, seeds: readonly SeedResults[]): Promise<CreditResult> {
  const { task, profile, hooks } = context;
  const { rows, arm } = seeds.flatMap(({ arms }) =>
    arms.filter(({ arm }) => arm === 'TLR').map(({ arm, evaluation }) => ({ arm, rows: evaluation.rows })),
  )[0] as { arm: string; rows: EvaluationRow[] };
  const samples = rows.map(({ id, answer }) => ({
    prompt: task.promptOf(id),
    answer: new TextEncoder().encode(answer),
  }));
  return phase(
    context,
    'credit',
    `attacking ${arm}'s answers without the code it is credited for`,
    samples.length,
    async () => {
      const { agreement, precision, obligations } = await audit({
        ...{ task, samples, mutants: profile.evaluation.mutations, signal: hooks.signal },
      });
      return {
        causalPrecision: precision,
        agreement,
        byKind: Object.entries(obligations).map(([kind, { precision }]) => ({ kind, precision })),
      };
    },
  );
}

async function measure(context: Context, folder: string): Promise<Measured> {
  const { profile, threads, task, hooks } = context;
  const { prompts, detections, repairs } = profile.evaluation;
  const tokenizer = await Tokenizer.load(folder);
  using model = await Model.load(folder, threads > 0 ? { threads } : {});
  const signal = hooks.signal;
  return {
    lessons: await measureLessons({ model, tokenizer }, task, { seed: 0, detections, repairs, signal }),
    evaluation: await evaluate({ model, tokenizer, task, n: prompts, signal }),
  };
}

/** All arms and seeds answer the same prompts: they are compared prompt by prompt. */
export async function evaluateAdapter(
  { profile, threads, task, hooks }: Context,
  folder: string,
  adapter: string,
  split: Split,
): Promise<Evaluation> {
  const tokenizer = await Tokenizer.load(folder);
  using model = await Model.load(folder, threads > 0 ? { threads } : {});
  await model.adapters.load('policy', adapter);
  const { prompts: n } = profile.evaluation;
  return await evaluate({ model, tokenizer, adapter: 'policy', reference: null, task, split, n, signal: hooks.signal });
}

function phase<T>(context: Context, name: string, said: string, question: unknown, work: () => Promise<T>): Promise<T> {
  return context.results.get(name, question, announced(context, said, work));
}

/** A phase that trains in the folder `run` of its question. */
function training<T>(
  context: Context,
  name: string,
  said: string,
  question: { run: string },
  work: () => Promise<T>,
): Promise<T> {
  return context.results.train(name, question.run, question, announced(context, said, work));
}

function announced<T>({ hooks }: Context, said: string, work: () => Promise<T>): () => Promise<T> {
  return async () => {
    hooks.signal?.throwIfAborted();
    hooks.onPhase?.(said);
    return await work();
  };
}
