import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { CommonConfig, LengthConfig } from '../config/common.js';
import { SrcodeError } from '../errors.js';
import { addonPaths } from '../native/addon.js';
import type { Model } from '../native/model.js';
import type { Machine } from '../run/machine.js';
import type { Tokenizer } from '../tokenizer/index.js';
import { version } from '../version.js';

/** The optimiser's share of a config, as `model.trainer` takes it. */
export function trainerOptions({
  lr,
  optimizer,
  microBatchTokens,
}: Pick<CommonConfig, 'lr' | 'optimizer' | 'microBatchTokens'>): {
  optimizer: { lr: number; beta1: number; beta2: number; eps: number; weightDecay: number; clipNorm: number };
  microBatchTokens: number;
  maxNonFinite: number;
} {
  const { maxNonFinite, ...rest } = optimizer;
  return { optimizer: { lr, ...rest }, microBatchTokens, maxNonFinite };
}

export function modelOptions({ device, dtype, threads }: Pick<CommonConfig, 'device' | 'dtype' | 'threads'>): {
  device: 'cpu';
  dtype: 'bf16' | 'f32';
  threads?: number;
} {
  return { device, dtype, ...(threads > 0 ? { threads } : {}) };
}

/** @throws ERR_CONFIG when the tokenizer has ids that the model has no row for. */
export function checkVocabulary(model: Model, tokenizer: Tokenizer, where: string): void {
  const { vocabSize } = model.config;
  if (tokenizer.vocabSize <= vocabSize) return;
  throw new SrcodeError(
    'ERR_CONFIG',
    `The tokenizer of ${where} does not fit the model: expected at most ${vocabSize} token ids (vocab_size of its config.json), received ${tokenizer.vocabSize}. Use the tokenizer that the model was trained with.`,
  );
}

/** The longest row that is trained on. @throws ERR_CONFIG when `maxLength` is beyond the model's context. */
export function longestRow({ maxLength }: LengthConfig, { config: { contextLength } }: Model): number {
  if (maxLength !== null && maxLength > contextLength) {
    throw new SrcodeError(
      'ERR_CONFIG',
      `maxLength: expected at most ${contextLength}, the model's context, received ${maxLength}`,
    );
  }
  return maxLength ?? contextLength;
}

/** Hash of sequences in order, to tell a run's data from other data. */
export function fingerprint(sequences: readonly Int32Array[]): string {
  const hash = createHash('sha256');
  for (const ids of sequences) {
    hash.update(`${ids.length}:`);
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  }
  return hash.digest('hex');
}

/** What decides the last bits of what a model computes. */
export function machineOf({ isa, threads }: Model): Machine {
  return { build: `${version}+${addonHash()}`, isa, threads };
}

// The version alone does not tell one build from another.
function addonHash(): string {
  const file = addonPaths().find((path) => existsSync(path));
  return file === undefined ? 'none' : createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);
}

/** The number of tokens in a batch. */
export function tokensIn(sequences: readonly Int32Array[]): number {
  return sequences.reduce((sum, { length }) => sum + length, 0);
}
