import { SrcodeError } from '../errors.js';
import { permutation } from './random.js';

/** How an epoch is cut into batches: so many sequences, or as many as fit a budget of tokens. Exactly one is given. */
export interface BatchOptions {
  batchSize?: number | undefined;
  tokensPerBatch?: number | undefined;
  seed: number;
}

/**
 * The batches of one epoch, as indices of sequences: the seeded order of (seed, epoch), cut from the front. The engine computes ragged
 * batches, so packing is choosing which sequences share a step: nothing is padded, and no sequence sees another.
 * Every sequence occurs once; the last batch may be smaller.
 */
export function batches(lengths: readonly number[], options: BatchOptions & { epoch: number }): number[][] {
  const fits = fitter(lengths, options);
  const out: number[][] = [];
  let batch: number[] = [];
  let tokens = 0;
  for (const i of permutation(lengths.length, options.seed, options.epoch)) {
    const length = lengths[i] as number;
    if (batch.length > 0 && !fits(batch.length + 1, tokens + length)) {
      out.push(batch);
      batch = [];
      tokens = 0;
    }
    batch.push(i);
    tokens += length;
  }
  out.push(batch);
  return out;
}

/** Step → batch over endless epochs: a function of (lengths, options, step) alone, so that a resumed run needs only its step. */
export class BatchPlan {
  readonly #lengths: readonly number[];
  readonly #options: BatchOptions;
  readonly #starts: number[] = [0]; // first step of each epoch known so far
  #current: { epoch: number; batches: number[][] } | undefined;

  constructor(lengths: readonly number[], options: BatchOptions) {
    this.#lengths = lengths;
    this.#options = options;
    this.#epoch(0);
  }

  /** The batch of a step (from 0). */
  at(step: number): { epoch: number; indices: number[] } {
    let epoch = this.#starts.findLastIndex((start) => start <= step);
    let list = this.#epoch(epoch);
    while (step >= (this.#starts[epoch] as number) + list.length) list = this.#epoch(++epoch);
    return { epoch, indices: list[step - (this.#starts[epoch] as number)] as number[] };
  }

  /** The number of steps in so many whole epochs. */
  stepsOf(epochs: number): number {
    for (let epoch = this.#starts.length - 1; epoch < epochs; epoch++) this.#epoch(epoch);
    return this.#starts[epochs] as number;
  }

  #epoch(epoch: number): number[][] {
    if (this.#current?.epoch !== epoch)
      this.#current = { epoch, batches: batches(this.#lengths, { ...this.#options, epoch }) };
    this.#starts[epoch + 1] = (this.#starts[epoch] as number) + this.#current.batches.length;
    return this.#current.batches;
  }
}

function fitter(
  lengths: readonly number[],
  { batchSize, tokensPerBatch }: BatchOptions,
): (count: number, tokens: number) => boolean {
  if ((batchSize === undefined) === (tokensPerBatch === undefined))
    throw new SrcodeError('ERR_CONFIG', 'Expected exactly one of batchSize and tokensPerBatch');
  const limit = (batchSize ?? tokensPerBatch) as number;
  if (!Number.isInteger(limit) || limit < 1)
    throw new SrcodeError(
      'ERR_CONFIG',
      `Expected ${batchSize === undefined ? 'tokensPerBatch' : 'batchSize'} of at least 1, received ${limit}`,
    );
  if (lengths.length === 0) throw new SrcodeError('ERR_DATA', 'No sequences to make batches of');
  if (batchSize !== undefined) return (count) => count <= batchSize;
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
  if (longest > limit)
    throw new SrcodeError(
      'ERR_CONFIG',
      `tokensPerBatch is ${limit}, but the longest sequence has ${longest} tokens; raise it or filter by length`,
    );
  return (_, tokens) => tokens <= limit;
}
