import { SrcodeError } from '../errors.js';
import type { Span } from '../teacher/teacher.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** The bytes of an answer beside the sampled ids that they came from. */
export interface AnswerBytes {
  /** The concatenated bytes of the ids; special tokens (EOS, a stray chat marker) have none. */
  bytes: Uint8Array;
  /** Byte prefix sums [L + 1]: token t covers bytes [offsets[t], offsets[t + 1]). */
  offsets: Int32Array;
}

/** Reads sampled ids as bytes, exactly: never decoded and encoded again, which could give other ids. */
export function answerBytes(tokenizer: Tokenizer, ids: ArrayLike<number>): AnswerBytes {
  const kept = Array.from(ids).filter((id) => !tokenizer.specialIds.has(id));
  const keptOffsets = tokenizer.offsets(kept);
  const offsets = new Int32Array(ids.length + 1);
  let next = 0;
  for (let t = 0; t < ids.length; t++) {
    if (!tokenizer.specialIds.has(ids[t] as number)) next++;
    offsets[t + 1] = keptOffsets[next] as number;
  }
  return { bytes: tokenizer.bytes(kept), offsets };
}

/** A program with an answer in it. */
export interface PlacedAnswer {
  /** The program: whatever the task puts round the answer, and the answer. */
  code: Uint8Array;
  /** Where in `code` the answer begins. */
  answerStart: number;
  /** {@link AnswerBytes.offsets} */
  offsets: Int32Array;
}

/**
 * The tokens [L], as a mask, of which at least one byte lies in a span and is not white space. What the task put into the program is
 * no token, and special tokens have no bytes: neither is ever marked.
 */
export function tokensOf(spans: readonly Span[], { code, answerStart, offsets }: PlacedAnswer): Uint8Array {
  const length = offsets.length - 1;
  const end = answerStart + (offsets[length] as number);
  if (answerStart < 0 || end > code.length) {
    throw new SrcodeError(
      'ERR_INVALID_ARG',
      `Expected the answer inside its program of ${code.length} bytes, received bytes [${answerStart}, ${end})`,
    );
  }
  const tokens = new Uint8Array(length);
  for (const span of spans) {
    if (!(span.start >= 0 && span.start <= span.end && span.end <= code.length)) {
      throw new SrcodeError(
        'ERR_INVALID_ARG',
        `Expected spans of UTF-8 bytes inside [0, ${code.length}), the program; received [${span.start}, ${span.end})`,
      );
    }
    for (let t = tokenAt(offsets, span.start - answerStart); t < length; t++) {
      const from = Math.max(span.start, answerStart + (offsets[t] as number));
      const to = Math.min(span.end, answerStart + (offsets[t + 1] as number));
      if (answerStart + (offsets[t] as number) >= span.end) break;
      if (hasInk(code, from, to)) tokens[t] = 1;
    }
  }
  return tokens;
}

/** The first token that ends behind `byte`. */
function tokenAt(offsets: Int32Array, byte: number): number {
  let low = 0;
  let high = offsets.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle + 1] as number) > byte) high = middle;
    else low = middle + 1;
  }
  return low;
}

function hasInk(code: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = code[i] as number;
    // Blank, and \t \n \v \f \r.
    if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return true;
  }
  return false;
}
