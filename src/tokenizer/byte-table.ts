import { SrcodeError } from '../errors.js';
import { fromByteLevel } from './byte-alphabet.js';
import type { TokenizerFile } from './tokenizer-file.js';

/**
 * id → bytes. Spans and token-level rewards rest on it: the bytes of sampled ids are concatenated and prefix-summed, never
 * decoded and encoded again, which could give other ids.
 *
 * Byte-level tokens are read through GPT-2's alphabet; tokens of the Llama-2 kind have `<0xNN>` for a byte and U+2581 for a
 * space; added tokens stand for their own text. An id that no token has is empty.
 */
export class ByteTable {
  readonly size: number;
  readonly #blob: Uint8Array;
  readonly #offsets: Int32Array; // [size + 1]

  constructor(file: TokenizerFile) {
    const parts = new Array<Uint8Array | undefined>(file.vocabSize);
    for (const [token, id] of file.vocab) parts[id] = tokenBytes(token, file.kind);
    for (const added of file.addedTokens) parts[added.id] = utf8.encode(added.content);

    this.size = file.vocabSize;
    this.#offsets = new Int32Array(this.size + 1);
    for (let id = 0; id < this.size; id++) this.#offsets[id + 1] = (this.#offsets[id] ?? 0) + (parts[id]?.length ?? 0);
    this.#blob = new Uint8Array(this.#offsets[this.size] ?? 0);
    for (let id = 0; id < this.size; id++) this.#blob.set(parts[id] ?? [], this.#offsets[id]);
  }

  /** The bytes of one id, as a view. */
  of(id: number): Uint8Array {
    this.#check(id, 0);
    return this.#blob.subarray(this.#offsets[id], this.#offsets[id + 1]);
  }

  /** Byte prefix sums over ids: [n + 1], token i covers bytes [offsets[i], offsets[i + 1]). */
  offsets(ids: ArrayLike<number>): Int32Array {
    const out = new Int32Array(ids.length + 1);
    let total = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      this.#check(id, i);
      total += (this.#offsets[id + 1] as number) - (this.#offsets[id] as number);
      out[i + 1] = total;
    }
    return out;
  }

  /** The concatenated bytes of ids. */
  bytes(ids: ArrayLike<number>): Uint8Array {
    const offsets = this.offsets(ids);
    const out = new Uint8Array(offsets[ids.length] as number);
    for (let i = 0; i < ids.length; i++) out.set(this.of(ids[i] as number), offsets[i]);
    return out;
  }

  #check(id: number, at: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.size) return;
    throw new SrcodeError(
      'ERR_INVALID_ARG',
      `Expected token ids in [0, ${this.size}), received ${id} at position ${at}; do the model and the tokenizer belong together?`,
    );
  }
}

const utf8 = new TextEncoder();

function tokenBytes(token: string, kind: TokenizerFile['kind']): Uint8Array {
  if (kind === 'byte-level') return fromByteLevel(token) ?? utf8.encode(token);
  const byte = /^<0x([0-9A-F]{2})>$/.exec(token);
  return byte ? Uint8Array.of(Number.parseInt(byte[1] as string, 16)) : utf8.encode(token.replaceAll('\u2581', ' '));
}
