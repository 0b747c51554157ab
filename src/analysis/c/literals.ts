import {
  fits,
  int,
  integer,
  long,
  Memory,
  nullPointer,
  pointer,
  size,
  textCells,
  unsigned,
  type Value,
} from './values.js';

/** Names that headers define. */
export const constants: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['NULL', nullPointer],
  ['INT_MAX', integer(2n ** 31n - 1n)],
  ['INT_MIN', integer(-(2n ** 31n))],
  ['UINT_MAX', integer(-1, unsigned)],
  ['LONG_MAX', integer(2n ** 63n - 1n, long)],
  ['LONG_MIN', integer(-(2n ** 63n), long)],
  ['SIZE_MAX', integer(-1, size)],
  ['EOF', integer(-1)],
  ['stdout', pointer(new Memory(textCells('stdout'), 'any'))],
  ['stderr', pointer(new Memory(textCells('stderr'), 'any'))],
]);

/** A number's value and type; undefined for one that is no integer. */
export function literal(text: string): Value {
  const match = /^(-?)(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, digits, suffix] = match as unknown as [string, string, string, string];
  const octal = /^0[0-7]+$/.test(digits);
  if (/^0\d+$/.test(digits) && !octal) return undefined;
  const magnitude = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  const value = sign === '-' ? -magnitude : magnitude;
  const wide = /l/i.test(suffix) || !fits(value, int);
  return integer(value, /u/i.test(suffix) ? (wide ? size : unsigned) : wide ? long : int);
}

const escapes: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, a: 7, b: 8, f: 12, v: 11, '0': 0 };

/** The character codes of the inside of a character's or string's literal. */
export function characters(inside: string): number[] {
  const codes: number[] = [];
  for (let i = 0; i < inside.length; i++) {
    if (inside[i] !== '\\') {
      codes.push(inside.charCodeAt(i));
      continue;
    }
    const sequence = /^\\(?:x([0-9a-fA-F]+)|([0-7]{1,3})|(.))/.exec(inside.slice(i)) ?? [inside[i] as string];
    const [all, hex, octal, letter] = sequence as [string, string?, string?, string?];
    i += all.length - 1;
    if (hex !== undefined) codes.push(Number.parseInt(hex, 16) & 0xff);
    else if (octal !== undefined) codes.push(Number.parseInt(octal, 8) & 0xff);
    else codes.push(escapes[letter ?? ''] ?? (letter ?? '\\').charCodeAt(0));
  }
  return codes;
}
