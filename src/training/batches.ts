import { createHash } from 'node:crypto';

/** The numbers 0 … n-1 in an order that is a function of (seed, stream) alone: each one's place is decided by a hash of its own. */
export function shuffled(n: number, seed: number, stream: number): number[] {
  const keys = Array.from({ length: n }, (_, index) => hash53(seed, stream, index));
  return keys.map((_, index) => index).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b);
}

/**
 * Which rows each step sees: passes over the data, each in an order of its own. Any step can be asked for at any time, so that a resumed
 * run needs nothing but its step.
 */
export class Batches {
  /** Steps in one pass. */
  readonly stepsPerEpoch: number;
  readonly #cut: (order: readonly number[]) => number[][];
  readonly #rows: number;
  readonly #seed: number;
  #starts: number[] = [0];
  #cached: { epoch: number; batches: number[][] };

  private constructor(rows: number, seed: number, cut: (order: readonly number[]) => number[][]) {
    this.#rows = rows;
    this.#seed = seed;
    this.#cut = cut;
    this.#cached = { epoch: 0, batches: cut(shuffled(rows, seed, 0)) };
    this.stepsPerEpoch = this.#cached.batches.length;
  }

  /** Batches of `size` rows; the last of a pass may be smaller. */
  static ofRows(rows: number, size: number, seed: number): Batches {
    return new Batches(rows, seed, (order) => {
      const batches: number[][] = [];
      for (let at = 0; at < order.length; at += size) batches.push(order.slice(at, at + size));
      return batches;
    });
  }

  /** Batches of at most `tokens` tokens (one row at least), filled in order. */
  static ofTokens(lengths: readonly number[], tokens: number, seed: number): Batches {
    return new Batches(lengths.length, seed, (order) => {
      const batches: number[][] = [];
      let room = 0;
      for (const row of order) {
        const length = lengths[row] ?? 0;
        if (length > room || batches.length === 0) {
          batches.push([]);
          room = tokens;
        }
        batches.at(-1)?.push(row);
        room -= length;
      }
      return batches;
    });
  }

  /** The rows of a step, counted from 0. */
  at(step: number): readonly number[] {
    // The number of batches may differ between passes, so the start of a pass is known once those before it were cut.
    let epoch = this.#starts.findLastIndex((start) => start <= step);
    for (;;) {
      const batches = this.#epoch(epoch);
      const start = this.#starts[epoch] ?? 0;
      if (step < start + batches.length) return batches[step - start] ?? [];
      this.#starts[epoch + 1] = start + batches.length;
      epoch++;
    }
  }

  #epoch(epoch: number): number[][] {
    if (this.#cached.epoch !== epoch) {
      this.#cached = { epoch, batches: this.#cut(shuffled(this.#rows, this.#seed, epoch)) };
    }
    return this.#cached.batches;
  }
}

/** Splits groups of rows into those to train on and a share held back (one group at least when the share is not 0). */
export function holdBack<T>(groups: readonly T[], share: number): { train: T[]; heldOut: T[] } {
  const count = share === 0 || groups.length < 2 ? 0 : Math.max(1, Math.round(groups.length * share));
  // A stream that no pass over the data reaches, and not the run's seed: runs with different seeds are measured on the same rows.
  const order = shuffled(groups.length, 0, 0xffffffff);
  const back = new Set(order.slice(0, count));
  return { train: groups.filter((_, i) => !back.has(i)), heldOut: groups.filter((_, i) => back.has(i)) };
}

/** Hash of all training rows in order, to tell a run's data from other data. */
export function fingerprint(rows: readonly (readonly Int32Array[])[]): string {
  const hash = createHash('sha256');
  for (const row of rows) {
    for (const ids of row) {
      hash.update(`${ids.length}:`);
      hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
    }
  }
  return hash.digest('hex');
}

// A 53-bit hash of three 32-bit numbers: murmur3's 32-bit mix, twice with different starts.
function hash53(a: number, b: number, c: number): number {
  return mix3(0x9e3779b9, a, b, c) * 2 ** 21 + (mix3(0x85ebca6b, a, b, c) >>> 11);
}

function mix3(start: number, ...words: number[]): number {
  let h = start;
  for (const word of words) {
    let k = Math.imul(word, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
