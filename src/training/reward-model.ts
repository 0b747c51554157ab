import { join } from 'node:path';
import { objectLayer } from '../config/layers.js';
import { resolveConfig } from '../config/resolve.js';
import { type RewardConfig, rewardSchema } from '../config/reward.js';
import type { Options } from '../config/schema.js';
import {
  BatchPlan,
  chunks,
  describeReport,
  holdBack,
  loadPreferenceRows,
  type PreferenceExample,
  toPreferenceExamples,
} from '../dataset/index.js';
import { Model } from '../native/model.js';
import { type Metrics, Run, type RunResult } from '../run/run.js';
import { Tokenizer } from '../tokenizer/index.js';
import { type Hooks, noticeOf } from './hooks.js';
import { trainLoop } from './loop.js';
import { checkVocabulary, fingerprint, longestRow, machineOf, modelOptions, trainerOptions } from './setup.js';

const adapter = 'reward';

/**
 * Trains a reward model, an adapter with a scalar head that reads the last token, on pairs: -log σ(r(chosen) - r(rejected))
 * (Bradley–Terry; arXiv 1706.03741, eq. 1). A share of the pairs is held back; the accuracy on it counts the pairs whose chosen answer
 * scores higher.
 */
export async function rewardModel(options: Options<RewardConfig>, hooks: Hooks = {}): Promise<RunResult> {
  const config = resolveConfig(rewardSchema, [objectLayer(options)]);
  const onNotice = noticeOf(hooks);
  hooks.signal?.throwIfAborted();
  using run = Run.open(config.run, {
    program: 'reward',
    schema: rewardSchema,
    config,
    resume: hooks.resume ?? false,
    onNotice,
  });
  if (run.finished) return run.result(true);

  const from = run.checkpoint?.path;
  const tokenizer = await Tokenizer.load(config.model);
  using model = await Model.load(config.model, modelOptions(config));
  checkVocabulary(model, tokenizer, config.model);

  const { train, heldOut } = await readPairs(config, tokenizer, model, hooks);
  const plan = new BatchPlan(train.map(pairTokens), { batchSize: config.batchSize, seed: config.seed });
  const steps = config.steps ?? Math.max(1, Math.round(plan.stepsOf(1) * config.epochs));
  run.begin(
    machineOf(model),
    fingerprint([...train, ...heldOut].flatMap(({ chosen, rejected }) => [chosen, rejected])),
    steps,
  );

  if (from !== undefined) await model.adapters.load(adapter, from);
  else await model.adapters.create(adapter, { ...config.lora, seed: config.seed, heads: ['reward'] });
  using trainer = model.trainer({ ...trainerOptions(config), adapter });
  if (from !== undefined) await trainer.load(join(from, 'trainer'));

  // Awaited here: `using` would close the run at once otherwise.
  return await trainLoop(run, steps, config, hooks, {
    learn: (step, lr) => {
      const rows = plan.at(step).indices.map((row) => train[row] as PreferenceExample);
      return trainer.rewardStep(
        { chosen: rows.map((row) => row.chosen), rejected: rows.map((row) => row.rejected) },
        { lr },
      );
    },
    measure: () => pairAccuracy(model, heldOut, config.microBatchTokens),
    memory: () => model.memoryPlan(),
    save: async (dir) => {
      await model.adapters.save(adapter, dir);
      await trainer.save(join(dir, 'trainer'));
    },
  });
}

/** `heldout/loss`, `heldout/accuracy` and `heldout/margin` (mean difference of the scores); a tie counts half. */
async function pairAccuracy(model: Model, pairs: readonly PreferenceExample[], tokens: number): Promise<Metrics> {
  if (pairs.length === 0) return {};
  let [loss, right, margin] = [0, 0, 0];
  for (const chunk of chunks(pairs, tokens, pairTokens)) {
    const scores = await model.rewards(
      chunk.flatMap(({ chosen, rejected }) => [chosen, rejected]),
      { adapter },
    );
    for (let i = 0; i < scores.length; i += 2) {
      const difference = (scores[i] ?? 0) - (scores[i + 1] ?? 0);
      // log(1 + e^-d), without overflow at either end.
      loss += Math.max(-difference, 0) + Math.log1p(Math.exp(-Math.abs(difference)));
      right += difference > 0 ? 1 : difference === 0 ? 0.5 : 0;
      margin += difference;
    }
  }
  const n = pairs.length;
  return { 'heldout/loss': loss / n, 'heldout/accuracy': right / n, 'heldout/margin': margin / n };
}

async function readPairs(
  config: RewardConfig,
  tokenizer: Tokenizer,
  model: Model,
  hooks: Hooks,
): Promise<{ train: PreferenceExample[]; heldOut: PreferenceExample[] }> {
  const loaded = await loadPreferenceRows(config.data, { signal: hooks.signal });
  const maxTokens = longestRow(config, model);
  const { examples, rows, report } = toPreferenceExamples(tokenizer, loaded.rows, { maxTokens });
  const all = examples.map((example, i) => ({ ...example, group: rows[i]?.group ?? '' }));
  const { train, heldBack } = holdBack(all, { fraction: config.heldOut });
  const lines = [
    ...describeReport(loaded.report),
    `dropped: ${report.tooLong} × longer than ${maxTokens} tokens (the longest has ${report.longest})`,
    `training on ${train.length} pairs, ${heldBack.length} held back`,
  ];
  for (const message of lines) noticeOf(hooks)({ level: 'info', message });
  return { train, heldOut: heldBack };
}

function pairTokens({ chosen, rejected }: PreferenceExample): number {
  return chosen.length + rejected.length;
}
