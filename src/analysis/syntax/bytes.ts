import { replaceInvalid } from '../../utf8.js';

/** Code as text, with the way back to its bytes. */
export interface DecodedBytes {
  /** Valid UTF-8 with {@link lineFeeds}; every byte that is none is one '?'. */
  text: string;
  /** The byte at which UTF-16 unit `index` of the text begins. */
  byteAt(index: number): number;
}

/** Decodes UTF-8 so that positions stay: an invalid byte becomes a one-byte '?', never U+FFFD, which has three. */
export function decodeBytes(bytes: Uint8Array): DecodedBytes {
  const text = lineFeeds(utf8.decode(replaceInvalid(bytes)));
  if (text.length === bytes.length) return { text, byteAt: (index) => Math.min(index, bytes.length) };
  const starts = new Int32Array(text.length);
  let byte = 0;
  let unit = 0;
  for (const char of text) {
    // Both halves of a pair begin where the character does.
    starts.fill(byte, unit, unit + char.length);
    unit += char.length;
    byte += Buffer.byteLength(char);
  }
  return { text, byteAt: (index) => starts[index] ?? bytes.length };
}

/** The text with a line feed for every carriage return that stands alone: it ends a line, to compilers and to Python. */
export function lineFeeds(text: string): string {
  return text.replace(/\r(?!\n)/g, '\n');
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
