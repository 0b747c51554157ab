import { BYTE_TO_CHAR, toByteLevel } from './byte-alphabet.js';
import { Heap } from './heap.js';
import type { TokenizerFile } from './tokenizer-file.js';

const utf8 = new TextEncoder();
// A text has few distinct words; past this many the cache starts afresh, which costs less than tracking their age.
const CACHED_PIECES = 1 << 16;
const LONGEST_CACHED_PIECE = 128;

/** Byte-level BPE of one pre-token: start from bytes, and apply the merge of the lowest rank, the leftmost first, until none applies. */
export class ByteLevelBpe {
  readonly #byteIds: Int32Array; // [256]
  readonly #pairRank = new Map<number, number>(); // left · size + right → rank
  readonly #mergedId: Int32Array; // rank → id
  readonly #whole: ReadonlyMap<string, number> | null; // ignore_merges: a pre-token that is a token needs no merges
  readonly #size: number;
  readonly #cache = new Map<string, Int32Array>();

  private constructor(file: TokenizerFile, byteIds: Int32Array) {
    this.#byteIds = byteIds;
    this.#size = file.vocabSize;
    this.#mergedId = new Int32Array(file.merges.length);
    file.merges.forEach(([left, right], rank) => {
      const key = this.#key(file.vocab.get(left) as number, file.vocab.get(right) as number);
      this.#pairRank.set(key, rank); // as in the reference, a repeated merge takes its last rank
      this.#mergedId[rank] = file.vocab.get(left + right) as number;
    });
    this.#whole = (file.json.model as { ignore_merges?: boolean }).ignore_merges === true ? file.vocab : null;
  }

  /** Null when the vocabulary lacks a byte: such a model needs its unknown token, which is left to the library. */
  static create(file: TokenizerFile): ByteLevelBpe | null {
    const byteIds = Int32Array.from(BYTE_TO_CHAR, (char) => file.vocab.get(char) ?? -1);
    return byteIds.includes(-1) ? null : new ByteLevelBpe(file, byteIds);
  }

  /** The ids of one pre-token. The array may be shared: do not write to it. */
  encode(piece: string): Int32Array {
    const cached = this.#cache.get(piece);
    if (cached) return cached;
    const ids = this.#encodeUncached(piece);
    if (piece.length <= LONGEST_CACHED_PIECE) {
      if (this.#cache.size >= CACHED_PIECES) this.#cache.clear();
      this.#cache.set(piece, ids);
    }
    return ids;
  }

  #encodeUncached(piece: string): Int32Array {
    const whole = this.#whole?.get(toByteLevel(piece));
    if (whole !== undefined) return Int32Array.of(whole);
    const ids = Int32Array.from(utf8.encode(piece), (byte) => this.#byteIds[byte] as number);
    return ids.subarray(0, this.#merge(ids));
  }

  // Merges in place and returns the new length. Symbols form a linked list; the queue holds rank · n + position, so its order is
  // (rank, position), in O(n log n): a run of 100,000 blanks is one pre-token. Entries that a merge has outdated are skipped.
  #merge(ids: Int32Array): number {
    const n = ids.length;
    const next = Int32Array.from({ length: n }, (_, i) => i + 1);
    const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
    const queue = new Heap<number>((a, b) => a < b);
    const rankAt = (i: number): number => {
      const j = next[i] as number;
      return j < n ? (this.#pairRank.get(this.#key(ids[i] as number, ids[j] as number)) ?? -1) : -1;
    };
    const push = (i: number): void => {
      const rank = rankAt(i);
      if (rank >= 0) queue.push(rank * n + i);
    };
    for (let i = 0; i + 1 < n; i++) push(i);
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
      const rank = Math.floor(entry / n);
      const left = entry - rank * n;
      if (ids[left] === GONE || rankAt(left) !== rank) continue;
      const right = next[left] as number;
      const after = next[right] as number;
      ids[left] = this.#mergedId[rank] as number;
      ids[right] = GONE;
      next[left] = after;
      if (after < n) previous[after] = left;
      push(left);
      const before = previous[left] as number;
      if (before >= 0) push(before);
    }
    let length = 0;
    for (let i = 0; i < n; i = next[i] as number) ids[length++] = ids[i] as number;
    return length;
  }

  #key(left: number, right: number): number {
    return left * this.#size + right;
  }
}

const GONE = -1;
