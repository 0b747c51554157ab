/** Code as text, with the way back to its bytes. */
export interface DecodedBytes {
  /** Valid UTF-8 as it is; every byte that is none is one '?'. */
  text: string;
  /** The byte at which UTF-16 unit `index` of the text begins. */
  byteAt(index: number): number;
}

/** Decodes UTF-8 so that positions stay: an invalid byte becomes a one-byte '?', never U+FFFD, which has three. */
export function decodeBytes(bytes: Uint8Array): DecodedBytes {
  if (bytes.every((byte) => byte < 0x80))
    return { text: latin.decode(bytes), byteAt: (index) => Math.min(index, bytes.length) };
  let text = '';
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    const char = length === 0 ? '?' : utf8.decode(bytes.subarray(at, at + length));
    for (let unit = 0; unit < char.length; unit++) starts.push(at);
    text += char;
    at += Math.max(length, 1);
  }
  return { text, byteAt: (index) => starts[index] ?? bytes.length };
}

const latin = new TextDecoder('latin1');
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes of the well-formed sequence that begins at `at` (Unicode 15, table 3-7); 0 where none does. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i] ?? 0;
    if (byte < (i === 1 ? low : 0x80) || byte > (i === 1 ? high : 0xbf)) return 0;
  }
  return length;
}
