import { join } from 'node:path';
import { objectLayer } from '../config/layers.js';
import { type PretrainConfig, pretrainSchema } from '../config/pretrain.js';
import { resolveConfig } from '../config/resolve.js';
import type { Options } from '../config/schema.js';
import { BatchPlan, holdBack, loadTexts, packWindows, toDocument } from '../dataset/index.js';
import { SrcodeError } from '../errors.js';
import { Model } from '../native/model.js';
import { Run, type RunResult } from '../run/run.js';
import { Tokenizer } from '../tokenizer/index.js';
import { textFiles } from './documents.js';
import { type Hooks, noticeOf } from './hooks.js';
import { trainLoop } from './loop.js';
import { type Held, heldOutLoss, writeSamples } from './measure.js';
import { checkVocabulary, fingerprint, machineOf, modelOptions, tokensIn, trainerOptions } from './setup.js';

/**
 * Trains all weights to predict the next token of text: random weights of the config's shape (`model: tiny`) or those of a folder. The
 * documents are packed into windows without padding and without seeing each other. Checkpoints are Hugging Face folders.
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
  using model = await startModel(config, tokenizer, from);
  checkVocabulary(model, tokenizer, vocabulary);

  const { windows, heldOut } = await readWindows(config, tokenizer, model, hooks);
  const plan = new BatchPlan(windows.map(tokensIn), { tokensPerBatch: config.batchTokens, seed: config.seed });
  const { steps } = config;
  run.begin(machineOf(model), fingerprint([...windows.flat(), ...heldOut.map(({ tokens }) => tokens)]), steps);

  using trainer = model.trainer(trainerOptions(config));
  if (from !== undefined) await trainer.load(join(from, 'trainer'));

  // Awaited here: `using` would close the run at once otherwise.
  return await trainLoop(run, steps, config, hooks, {
    learn: async (step, lr) => {
      const sequences = plan.at(step).indices.flatMap((row) => windows[row] as Int32Array[]);
      const learned = await trainer.step({ sequences, lossWeights: sequences.map(everyToken) }, { lr });
      return { ...learned, tokens: tokensIn(sequences) };
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

async function startModel(config: PretrainConfig, tokenizer: Tokenizer, from: string | undefined): Promise<Model> {
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
  const { device: _, ...options } = modelOptions(config);
  return Model.create(
    {
      ...shape,
      headDim,
      vocabSize: tokenizer.vocabSize,
      ropeScaling: null,
      eosTokenIds: tokenizer.eosId === null ? [] : [tokenizer.eosId],
      modelType: shape.qkvBias ? 'qwen2' : 'llama',
    },
    { ...options, seed: config.seed },
  );
}

async function readWindows(
  config: PretrainConfig,
  tokenizer: Tokenizer,
  model: Model,
  hooks: Hooks,
): Promise<{ windows: Int32Array[][]; heldOut: Held[] }> {
  const { sequenceLength, batchTokens } = config;
  const limit = Math.min(model.config.contextLength, batchTokens);
  if (sequenceLength > limit) {
    const which = limit === batchTokens ? 'batchTokens' : "the model's context";
    throw new SrcodeError(
      'ERR_CONFIG',
      `sequenceLength: expected at most ${limit} (${which}), received ${sequenceLength}`,
    );
  }
  const files = await textFiles(config.data);
  const { rows, report } = await loadTexts(files, { signal: hooks.signal });
  const documents = rows.map((row) => ({ group: row.where, ids: toDocument(tokenizer, row) }));
  // Whole documents are held back; where there are too few of them to make about the asked share, windows are.
  const byDocument = documents.length * config.heldOut >= 1;
  const packed = byDocument
    ? []
    : packWindows(
        documents.map(({ ids }) => ids),
        sequenceLength,
      );
  const units = byDocument
    ? documents.map(({ ids, group }) => ({ parts: [ids], group }))
    : packed.map((parts, i) => ({ parts, group: `${i}` }));
  const { train, heldBack } = holdBack(units, { fraction: config.heldOut });
  const pack = (side: typeof units): Int32Array[][] =>
    byDocument
      ? packWindows(
          side.flatMap(({ parts }) => parts),
          sequenceLength,
        )
      : side.map(({ parts }) => parts);
  const windows = pack(train);
  const heldOut = pack(heldBack)
    .flat()
    .map((tokens) => ({ tokens, lossWeights: everyToken(tokens), task: 'text' }));
  const total = tokensIn(windows.flat());
  const dropped = Object.entries(report.dropped).map(([reason, count]) => `; dropped: ${count} × ${reason}`);
  const message = `${documents.length} documents${dropped.join('')}; training on ${total} tokens, ${tokensIn(heldOut.map(({ tokens }) => tokens))} held back`;
  noticeOf(hooks)({ level: 'info', message });
  return { windows, heldOut };
}

function everyToken(tokens: Int32Array): Float32Array {
  return new Float32Array(tokens.length).fill(1, 1);
}

// A sample goes on from the first 32 tokens (or half) of a held-back sequence.
function opening({ tokens, task }: Held): Held {
  return { tokens, lossWeights: new Float32Array(tokens.length).fill(1, Math.min(32, tokens.length >> 1)), task };
}
