import { isUtf8 } from 'node:buffer';

const question = 0x3f;

/** Puts a `?` in the place of every byte that is part of no UTF-8 character: lengths and offsets stay what they were. */
export function replaceInvalid(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes);
  if (isUtf8(bytes)) return out;
  for (let at = 0; at < out.length; ) {
    const length = characterAt(bytes, at);
    if (length === 0) out[at] = question;
    at += Math.max(1, length);
  }
  return out;
}

/** Bytes of the character that begins at `at` (RFC 3629, table 3-7 of Unicode), or 0 where none does. */
function characterAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number;
  if (lead < 0x80) return 1;
  const length =
    lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i] ?? 0;
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    const least = i > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = i > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (byte < least || byte > most) return 0;
  }
  return length;
}
