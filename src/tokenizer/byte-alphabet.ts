/**
 * GPT-2's byte alphabet: every byte as one printable character, so that byte-level tokens can be written in JSON.
 * Printable Latin-1 bytes stand for themselves, the others for U+0100, U+0101, … in order of the byte.
 */
export const BYTE_TO_CHAR: readonly string[] = byteToChar();

/** The inverse: UTF-16 code unit → byte, or -1. The alphabet ends below U+0144. */
export const CHAR_TO_BYTE: Int16Array = charToByte();

const utf8 = new TextEncoder();

/** Writes the UTF-8 bytes of a text in the alphabet: `' int'` → `'Ġint'`. */
export function toByteLevel(text: string): string {
  let out = '';
  for (const byte of utf8.encode(text)) out += BYTE_TO_CHAR[byte];
  return out;
}

/** The bytes that a byte-level token stands for, or null when one of its characters is not in the alphabet. */
export function fromByteLevel(token: string): Uint8Array | null {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = CHAR_TO_BYTE[token.charCodeAt(i)] ?? -1;
    if (byte < 0) return null;
    bytes[i] = byte;
  }
  return bytes;
}

function byteToChar(): string[] {
  const printable = (b: number) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
  const chars: string[] = [];
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) chars.push(String.fromCharCode(printable(byte) ? byte : next++));
  return chars;
}

function charToByte(): Int16Array {
  const table = new Int16Array(0x144).fill(-1);
  BYTE_TO_CHAR.forEach((char, byte) => {
    table[char.charCodeAt(0)] = byte;
  });
  return table;
}
