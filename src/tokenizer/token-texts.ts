const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The text of each token of an answer. Bytes that are not UTF-8 by themselves, such as a part of a character that several
 * tokens share, are shown as `\xNN`.
 */
export function tokenTexts(tokens: readonly Uint8Array[]): string[] {
  return tokens.map((bytes) => {
    try {
      return utf8.decode(bytes);
    } catch {
      return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join(
        '',
      );
    }
  });
}
