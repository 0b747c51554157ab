import {
  anyPointer,
  type CType,
  fits,
  type IntType,
  int,
  long,
  nullPointer,
  size,
  unsigned,
  type Value,
  wrapped,
} from './values.js';

export interface Typed {
  readonly type: CType;
  readonly value: Value;
}

const number = (value: bigint, type: CType = int): Typed => ({ type, value });
const two = (power: bigint): bigint => 2n ** power;

/** Names that the headers define as constants. */
export const constants: ReadonlyMap<string, Typed> = new Map<string, Typed>([
  ['NULL', { type: anyPointer, value: nullPointer }],
  ['true', number(1n)],
  ['false', number(0n)],
  ['CHAR_BIT', number(8n)],
  ...limits('SCHAR', 7n),
  ...limits('CHAR', 7n),
  ...limits('SHRT', 15n),
  ...limits('INT', 31n),
  ...limits('LONG', 63n, long),
  ...limits('LLONG', 63n, long),
  ...limits('INT8', 7n),
  ...limits('INT16', 15n),
  ...limits('INT32', 31n),
  ...limits('INT64', 63n, long),
  ...limits('PTRDIFF', 63n, long),
  ['SSIZE_MAX', number(two(63n) - 1n, long)],
  ['UCHAR_MAX', number(255n)],
  ['UINT8_MAX', number(255n)],
  ['USHRT_MAX', number(65535n)],
  ['UINT16_MAX', number(65535n)],
  ['UINT_MAX', number(two(32n) - 1n, unsigned)],
  ['UINT32_MAX', number(two(32n) - 1n, unsigned)],
  ...['ULONG_MAX', 'ULLONG_MAX', 'UINT64_MAX', 'SIZE_MAX'].map((name): [string, Typed] => [
    name,
    number(two(64n) - 1n, size),
  ]),
  ['EOF', number(-1n)],
  ['BUFSIZ', number(8192n)],
  ['PATH_MAX', number(4096n)],
  ['EXIT_SUCCESS', number(0n)],
  ['EXIT_FAILURE', number(1n)],
  ['ENOENT', number(2n)],
  ['EIO', number(5n)],
  ['ENOMEM', number(12n)],
  ['EACCES', number(13n)],
  ['EFAULT', number(14n)],
  ['EINVAL', number(22n)],
  ['ENOSPC', number(28n)],
  ['EDOM', number(33n)],
  ['ERANGE', number(34n)],
  ['ENAMETOOLONG', number(36n)],
  ['EOVERFLOW', number(75n)],
]);

function limits(name: string, bits: bigint, type: IntType = int): [string, Typed][] {
  return [
    [`${name}_MAX`, number(two(bits) - 1n, type)],
    [`${name}_MIN`, number(-two(bits), type)],
  ];
}

/** A number's value and type; undefined for one that is no integer. */
export function literal(text: string): (Typed & { type: IntType; value: bigint }) | undefined {
  const match = /^(-?)(0[xX][0-9a-fA-F]+|\d+)(?:([uU])?([lL]|ll|LL)?|([lL]|ll|LL)[uU])$/.exec(text);
  if (match === null) return undefined;
  const [, sign, digits, marked, long1, long2] = match as unknown as [
    string,
    string,
    string,
    string?,
    string?,
    string?,
  ];
  const octal = /^0\d+$/.test(digits);
  if (octal && !/^0[0-7]+$/.test(digits)) return undefined;
  const value = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  const mayBeUnsigned = digits.startsWith('0');
  const mustBeUnsigned = marked !== undefined || long2 !== undefined;
  const wide = long1 !== undefined || long2 !== undefined;
  const type = [int, unsigned, long, size].find(
    (one) =>
      fits(value, one) &&
      (!wide || one.bits === 64) &&
      (!mustBeUnsigned || !one.signed) &&
      (mayBeUnsigned || mustBeUnsigned || one.signed),
  );
  return type && { type, value: sign === '-' ? wrapped(-value, type) : value };
}

const escapes: Readonly<Record<string, number>> = {
  ...{ n: 10, t: 9, r: 13, a: 7, b: 8, f: 12, v: 11 },
  ...{ '"': 34, "'": 39, '\\': 92, '?': 63 },
};

/** The bytes of the inside of a character's or string's literal. An escape that C does not have is its letter. */
export function characters(inside: string): number[] {
  const codes: number[] = [];
  for (const [all, hex, octal, letter] of inside.matchAll(piece)) {
    if (hex !== undefined) codes.push(Number.parseInt(hex, 16) & 0xff);
    else if (octal !== undefined) codes.push(Number.parseInt(octal, 8) & 0xff);
    else codes.push(letter === undefined ? all.charCodeAt(0) : (escapes[letter] ?? letter.charCodeAt(0)));
  }
  return codes;
}

/** The same; undefined where it has an escape that C does not, or one of more than a byte. */
export function exactCharacters(inside: string): number[] | undefined {
  for (const [, hex, octal, letter] of inside.matchAll(piece)) {
    if (hex !== undefined && hex.length > 2) return undefined;
    if (octal !== undefined && Number.parseInt(octal, 8) > 0xff) return undefined;
    if (letter !== undefined && escapes[letter] === undefined) return undefined;
  }
  return characters(inside);
}

const piece = /\\(?:x([0-9a-fA-F]+)|([0-7]{1,3})|([\s\S]))|[\s\S]/g;
