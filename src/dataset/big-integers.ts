/**
 * Puts quotes round the integers of a JSON text that have 16 digits or more, so that JSON.parse keeps all of them. PrimeVul's hashes
 * are 128-bit integers, and numbers above 2^53 would be rounded without a word. Strings, fractions and exponents are left alone.
 */
export function quoteBigIntegers(json: string): string {
  if (!/\d{16}/.test(json)) return json;
  let out = '';
  let copied = 0;
  for (let i = 0; i < json.length; ) {
    const code = json.charCodeAt(i);
    if (code === QUOTE) i = endOfString(json, i);
    else if (code === MINUS || isDigit(code)) {
      const start = i;
      if (code === MINUS) i++;
      const digits = i;
      while (isDigit(json.charCodeAt(i))) i++;
      const length = i - digits;
      while (/[\d.eE+-]/.test(json.charAt(i))) i++; // a fraction or an exponent makes it a float
      if (length < 16 || i > digits + length) continue;
      out += `${json.slice(copied, start)}"${json.slice(start, i)}"`;
      copied = i;
    } else i++;
  }
  return out + json.slice(copied);
}

const QUOTE = 0x22;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (i < json.length && json.charCodeAt(i) !== QUOTE) i += json.charCodeAt(i) === BACKSLASH ? 2 : 1;
  return i + 1;
}
