import type { PretrainConfig } from '../config/pretrain.js';
import { BatchPlan, holdBack, loadTexts, packWindows, RandomStream, toDocument } from '../dataset/index.js';
import { SrcodeError } from '../errors.js';
import type { Model } from '../native/model.js';
import type { LmBatch } from '../native/trainer.js';
import { pretrainDocument, type Stage } from '../tasks/family/index.js';
import { applyTemplate, tinyTemplate } from '../tasks/template.js';
import type { Tokenizer } from '../tokenizer/index.js';
import { textFiles } from './documents.js';
import { type Hooks, noticeOf } from './hooks.js';
import type { Held } from './measure.js';
import { fingerprint, tokensIn } from './setup.js';

/** What pretraining reads. */
export interface PretrainData {
  /** The batch of a step (from 0): a function of the config and the step. */
  batch(step: number): LmBatch;
  heldOut: Held[];
  /** Changes whenever the data does. */
  fingerprint: string;
}

/** Text documents, packed into windows without padding and without seeing each other; a share of them is held back. */
export async function textData(
  config: PretrainConfig,
  tokenizer: Tokenizer,
  model: Model,
  hooks: Hooks,
): Promise<PretrainData> {
  const { windows, heldOut } = await readWindows(config, tokenizer, model, hooks);
  const plan = new BatchPlan(windows.map(tokensIn), { tokensPerBatch: config.batchTokens, seed: config.seed });
  return {
    batch: (step) => {
      const sequences = plan.at(step).indices.flatMap((row) => windows[row] as Int32Array[]);
      return { sequences, lossWeights: sequences.map(everyToken) };
    },
    heldOut,
    fingerprint: fingerprint([...windows.flat(), ...heldOut.map(({ tokens }) => tokens)]),
  };
}

/**
 * The embedded task's documents, drawn afresh for each step, with a share of plain text among them. Nothing is read twice, so what is
 * held back is another stream.
 */
export async function taskData(config: PretrainConfig, tokenizer: Tokenizer): Promise<PretrainData> {
  const texts = await chunksOfText(config, tokenizer);
  const document = (seed: number, step: number, i: number): Held => {
    const index = step * maxDocuments + i;
    const random = new RandomStream(seed, index);
    if (texts.length > 0 && random.chance(config.textShare)) return plain(random.pick(texts));
    const stage = stageAt(tokensBefore(config, step), tokensBefore(config, config.steps));
    return answer(tokenizer, pretrainDocument(seed, index, stage), config.promptWeight);
  };
  const batch = (step: number): LmBatch => {
    const budget = tokensBefore(config, step + 1) - tokensBefore(config, step);
    const documents: Held[] = [];
    for (let tokens = 0, i = 0; i < maxDocuments; i++) {
      const next = document(config.seed, step, i);
      tokens += next.tokens.length;
      if (tokens > budget && documents.length > 0) break;
      documents.push(next);
    }
    return {
      sequences: documents.map(({ tokens }) => tokens),
      lossWeights: documents.map(({ lossWeights }) => lossWeights),
    };
  };
  const heldOut = Array.from({ length: heldOutDocuments }, (_, i) => document(config.seed + 1, config.steps - 1, i));
  const probe = [0, config.steps >> 1, config.steps - 1].flatMap((step) => batch(step).sequences);
  return { batch, heldOut, fingerprint: fingerprint([...probe, ...heldOut.map(({ tokens }) => tokens)]) };
}

const maxDocuments = 1 << 12;

/**
 * The curriculum, by tokens: single steps and copy tasks first, then more steps and names that no vocabulary holds. The authors of the
 * last quarter are more careful: how often the model writes secure code is set there.
 */
function stageAt(tokens: number, total: number): Stage {
  const phase = phases.find(({ until }) => tokens < until * 1e6) as (typeof phases)[number];
  const [secureLow, secureHigh] = tokens < 0.75 * total ? [0.2, 0.6] : [0.3, 0.7];
  return { ...phase.stage, secureLow, secureHigh, instructionShare: 0.5 };
}

const phases = [
  { until: 0.6, stage: { ks: [1], copyShare: 0.5, randomNames: 0.25 } },
  { until: 1.4, stage: { ks: [0.5, 0.5], copyShare: 0.15, randomNames: 0.25 } },
  { until: 2.5, stage: { ks: [0.2, 0.3, 0.35, 0.15], copyShare: 0.15, randomNames: 0.25 } },
  { until: Number.POSITIVE_INFINITY, stage: { ks: [0.2, 0.3, 0.35, 0.15], copyShare: 0.1, randomNames: 0.35 } },
];

const heldOutDocuments = 256;

/** Tokens budgeted before a step: the first steps take half a batch each, so that there are more of them while most is learned. */
function tokensBefore({ batchTokens, halfSteps }: PretrainConfig, step: number): number {
  return step * batchTokens - Math.min(step, halfSteps) * (batchTokens >> 1);
}

/** Documents as prompt and answer: every token of the answer counts 1, of the prompt `promptWeight`. */
function answer(tokenizer: Tokenizer, row: { prompt: string; response: string }, promptWeight: number): Held {
  if (tokenizer.eosId === null) throw new SrcodeError('ERR_CONFIG', 'The tokenizer names no EOS to end answers with');
  const prompt = tokenizer.encode(applyTemplate(tinyTemplate, row.prompt));
  const response = tokenizer.encode(row.response);
  const tokens = Int32Array.of(...prompt, ...response, tokenizer.eosId);
  const lossWeights = new Float32Array(tokens.length).fill(promptWeight, 1).fill(1, prompt.length);
  return { tokens, lossWeights, task: 'family' };
}

function plain(tokens: Int32Array): Held {
  return { tokens, lossWeights: everyToken(tokens), task: 'text' };
}

async function chunksOfText(config: PretrainConfig, tokenizer: Tokenizer): Promise<Int32Array[]> {
  if (config.textShare === 0) return [];
  const { rows } = await loadTexts(await textFiles(config.data), {});
  return packWindows(
    rows.map((row) => toDocument(tokenizer, row)),
    textTokens,
  ).flat();
}

const textTokens = 192;

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
