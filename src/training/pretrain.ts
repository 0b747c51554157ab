import { join } from 'node:path';
import { objectLayer } from '../config/layers.js';
import { type PretrainConfig, pretrainSchema } from '../config/pretrain.js';
import { resolveConfig } from '../config/resolve.js';
import type { Options } from '../config/schema.js';
import { RandomStream } from '../dataset/index.js';
import { SrcodeError } from '../errors.js';
import { Model, type ModelConfig } from '../native/model.js';
import { Run, type RunResult } from '../run/run.js';
import { Tokenizer } from '../tokenizer/index.js';
import { type Hooks, noticeOf } from './hooks.js';
import { fitsInduction, inductionWeights, writeModel } from './initial-weights.js';
import { trainLoop } from './loop.js';
import { type Held, heldOutLoss, writeSamples } from './measure.js';
import { taskData, textData } from './pretrain-data.js';
import { checkVocabulary, machineOf, modelOptions, tokensIn, trainerOptions } from './setup.js';

/**
 * Trains all weights to predict the next token, of text or of an embedded task's documents: fresh weights of the config's shape
 * (`model: tiny`) or those of a folder. Documents are packed without padding and without seeing each other. Checkpoints are Hugging Face
 * folders.
 */
export async function pretrain(options: Options<PretrainConfig>, hooks: Hooks = {}): Promise<RunResult> {
  const config = resolveConfig(pretrainSchema, [objectLayer(options)]);
  const onNotice = noticeOf(hooks);
  hooks.signal?.throwIfAborted();
  using run = Run.open(config.run, {
    program: 'pretrain',
    schema: pretrainSchema,
    config,
    resume: hooks.resume ?? false,
    onNotice,
  });
  if (run.finished) return run.result(true);

  const from = run.checkpoint?.path;
  const vocabulary = config.tokenizer ?? config.model;
  const tokenizer = await Tokenizer.load(vocabulary);
  using model = await startModel(config, tokenizer, from, run.folder);
  checkVocabulary(model, tokenizer, vocabulary);

  const data =
    config.task === null ? await textData(config, tokenizer, model, hooks) : await taskData(config, tokenizer);
  const { heldOut } = data;
  const { steps } = config;
  run.begin(machineOf(model), data.fingerprint, steps);

  using trainer = model.trainer(trainerOptions(config));
  if (from !== undefined) await trainer.load(join(from, 'trainer'));

  // Awaited here: `using` would close the run at once otherwise.
  return await trainLoop(run, steps, config, hooks, {
    learn: async (step, lr) => {
      const batch = data.batch(step);
      const learned = await trainer.step(batch, { lr });
      return { ...learned, tokens: tokensIn(batch.sequences) };
    },
    measure: async (step) => {
      await writeSamples(run, step, { model, tokenizer }, heldOut.map(opening), {
        adapter: undefined,
        ...config.samples,
      });
      return heldOutLoss(model, heldOut, config.microBatchTokens, { adapter: undefined });
    },
    memory: () => model.memoryPlan(),
    save: async (dir) => {
      await Promise.all([model.save(dir), tokenizer.save(dir)]);
      await trainer.save(join(dir, 'trainer'));
    },
  });
}

async function startModel(
  config: PretrainConfig,
  tokenizer: Tokenizer,
  from: string | undefined,
  runFolder: string,
): Promise<Model> {
  const folder = from ?? (config.model === 'tiny' ? undefined : config.model);
  if (folder !== undefined) return Model.load(folder, modelOptions(config));
  const { shape } = config;
  const headDim = shape.hiddenSize / shape.heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0 || shape.heads % shape.kvHeads !== 0) {
    const received = `${shape.hiddenSize}, ${shape.heads}, ${shape.kvHeads}`;
    const expected = 'hiddenSize / heads to be an even integer and heads to be a multiple of kvHeads';
    throw new SrcodeError(
      'ERR_CONFIG',
      `shape: expected ${expected}, received hiddenSize, heads, kvHeads = ${received}`,
    );
  }
  const full: ModelConfig = {
    ...shape,
    headDim,
    vocabSize: tokenizer.vocabSize,
    ropeScaling: null,
    eosTokenIds: tokenizer.eosId === null ? [] : [tokenizer.eosId],
    modelType: shape.qkvBias ? 'qwen2' : 'llama',
  };
  const { device: _, ...options } = modelOptions(config);
  if (config.initialWeights === 'random') return Model.create(full, { ...options, seed: config.seed });
  if (!fitsInduction(full)) {
    throw new SrcodeError(
      'ERR_CONFIG',
      'initialWeights: induction needs QKV biases, tied embeddings, kvHeads = heads ≥ 6 and two layers; choose random',
    );
  }
  const initial = join(runFolder, 'initial');
  writeModel(initial, full, inductionWeights(full, new RandomStream(config.seed, 0)));
  return Model.load(initial, modelOptions(config));
}

// A sample answers a document's prompt; of plain text it goes on from the first 32 tokens (or half).
function opening(held: Held): Held {
  const { tokens, task } = held;
  if (task !== 'text') return held;
  return { tokens, lossWeights: new Float32Array(tokens.length).fill(1, Math.min(32, tokens.length >> 1)), task };
}
