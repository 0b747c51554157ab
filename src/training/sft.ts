import { join } from 'node:path';
import { objectLayer } from '../config/layers.js';
import { resolveConfig } from '../config/resolve.js';
import type { Options } from '../config/schema.js';
import { type SftConfig, sftSchema } from '../config/sft.js';
import { BatchPlan, describeReport, holdBack, loadSftRows, toExamples } from '../dataset/index.js';
import { Model } from '../native/model.js';
import { Run, type RunResult } from '../run/run.js';
import { Tokenizer } from '../tokenizer/index.js';
import { type Hooks, noticeOf } from './hooks.js';
import { trainLoop } from './loop.js';
import { type Held, heldOutLoss, writeSamples } from './measure.js';
import {
  checkVocabulary,
  fingerprint,
  longestRow,
  machineOf,
  modelOptions,
  tokensIn,
  trainerOptions,
} from './setup.js';

/**
 * Supervised fine-tuning: the prompt is masked, the answer and its EOS are learned, sequences are packed without seeing each other.
 * Trains a LoRA adapter (checkpoints are PEFT folders) or, with `mode: full`, all weights (Hugging Face folders). A share of the data is
 * held back and measured before and after.
 */
export async function sft(options: Options<SftConfig>, hooks: Hooks = {}): Promise<RunResult> {
  const config = resolveConfig(sftSchema, [objectLayer(options)]);
  const onNotice = noticeOf(hooks);
  hooks.signal?.throwIfAborted();
  using run = Run.open(config.run, {
    program: 'sft',
    schema: sftSchema,
    config,
    resume: hooks.resume ?? false,
    onNotice,
  });
  if (run.finished) return run.result(true);

  const from = run.checkpoint?.path;
  const adapter = config.mode === 'lora' ? 'sft' : undefined;
  const tokenizer = await Tokenizer.load(config.model);
  using model = await Model.load(
    adapter === undefined && from !== undefined ? from : config.model,
    modelOptions(config),
  );
  checkVocabulary(model, tokenizer, config.model);

  const { train, heldOut } = await readExamples(config, tokenizer, model, hooks);
  const plan = new BatchPlan(
    train.map(({ tokens }) => tokens.length),
    { batchSize: config.batchSize, seed: config.seed },
  );
  const steps = config.steps ?? Math.max(1, Math.round(plan.stepsOf(1) * config.epochs));
  run.begin(machineOf(model), fingerprint([...train, ...heldOut].map(({ tokens }) => tokens)), steps);

  if (adapter !== undefined && from !== undefined) await model.adapters.load(adapter, from);
  else if (adapter !== undefined) await model.adapters.create(adapter, { ...config.lora, seed: config.seed });
  using trainer = model.trainer({ ...trainerOptions(config), ...(adapter === undefined ? {} : { adapter }) });
  if (from !== undefined) await trainer.load(join(from, 'trainer'));

  // Awaited here: `using` would close the run at once otherwise.
  return await trainLoop(run, steps, config, hooks, {
    learn: async (step, lr) => {
      const rows = plan.at(step).indices.map((row) => train[row] as Held);
      const sequences = rows.map(({ tokens }) => tokens);
      const learned = await trainer.step(
        { sequences, lossWeights: rows.map(({ lossWeights }) => lossWeights) },
        { lr },
      );
      return { ...learned, tokens: tokensIn(sequences) };
    },
    measure: async (step) => {
      await writeSamples(run, step, { model, tokenizer }, heldOut, { adapter, ...config.samples });
      return heldOutLoss(model, heldOut, config.microBatchTokens, { adapter });
    },
    memory: () => model.memoryPlan(),
    save: async (dir) => {
      if (adapter !== undefined) await model.adapters.save(adapter, dir);
      else await Promise.all([model.save(dir), tokenizer.save(dir)]);
      await trainer.save(join(dir, 'trainer'));
    },
  });
}

async function readExamples(
  config: SftConfig,
  tokenizer: Tokenizer,
  model: Model,
  hooks: Hooks,
): Promise<{ train: Held[]; heldOut: Held[] }> {
  const { signal } = hooks;
  const loaded = await loadSftRows(config.data, { signal });
  const maxTokens = longestRow(config, model);
  const { examples, rows, report } = toExamples(tokenizer, loaded.rows, { maxTokens });
  const all = examples.map((example, i) => ({ ...example, task: rows[i]?.task ?? '', group: rows[i]?.group ?? '' }));
  const { train, heldBack } = holdBack(all, { fraction: config.heldOut });
  for (const { task, lossWeights } of train) {
    if (task === 'detection') lossWeights[lossWeights.findIndex((weight) => weight > 0)] = config.verdictWeight;
  }
  const lines = [
    ...describeReport(loaded.report),
    `dropped: ${report.tooLong} × longer than ${maxTokens} tokens (the longest has ${report.longest})`,
    `training on ${train.length} examples, ${heldBack.length} held back; ${report.supervisedTokens} supervised tokens in all`,
  ];
  for (const message of lines) noticeOf(hooks)({ level: 'info', message });
  return { train, heldOut: heldBack };
}
