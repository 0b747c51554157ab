import { type CType, intType, rangeOf, unknownType } from './types.js';
import type { Range } from './values.js';

export const negated: Readonly<Record<string, string>> = {
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
  '==': '!=',
  '!=': '==',
};

export function isUnsigned(type: CType): boolean {
  return type.kind === 'int' && !type.signed && type.bytes >= 4;
}

/** The type of an arithmetic result: the usual arithmetic conversions of C. */
export function usual(a: CType, b: CType): CType {
  if (a.kind === 'float' || b.kind === 'float')
    return a.kind === 'float' && b.kind === 'float' ? (a.bytes >= b.bytes ? a : b) : a.kind === 'float' ? a : b;
  if (a.kind !== 'int') return b.kind === 'int' ? promote(b) : unknownType;
  if (b.kind !== 'int') return promote(a);
  const [p, q] = [promote(a), promote(b)];
  if (p.kind !== 'int' || q.kind !== 'int') return intType;
  if (p.bytes !== q.bytes) return p.bytes > q.bytes ? p : q;
  return p.signed ? q : p;
}

function promote(type: CType): CType {
  return type.kind === 'int' && type.bytes < 4 ? intType : type;
}

/** Whether all of the numbers fit the type. */
export function fits({ lo, hi }: Range, type: CType): boolean {
  const full = rangeOf(type);
  return lo >= full.lo && hi <= full.hi;
}

/** The result on two constants; undefined where there is none. */
export function fold(operator: string, a: number, b: number): number | undefined {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b === 0 ? undefined : a / b;
    case '%':
      return b === 0 ? undefined : a % b;
    case '<<':
      return b >= 0 && b < 64 ? a * 2 ** b : undefined;
    case '>>':
      return b >= 0 && b < 64 ? Math.floor(a / 2 ** b) : undefined;
    case '&':
      return a >= 0 && b >= 0 && a < 2 ** 31 && b < 2 ** 31 ? a & b : undefined;
    case '|':
      return a >= 0 && b >= 0 && a < 2 ** 31 && b < 2 ** 31 ? a | b : undefined;
    case '^':
      return a >= 0 && b >= 0 && a < 2 ** 31 && b < 2 ** 31 ? a ^ b : undefined;
    default:
      return undefined;
  }
}

/** The range of a result, before it is fitted into its type. */
export function exactRange(operator: string, x: Range, y: Range): Range {
  const product = (p: number, q: number): number => (p === 0 || q === 0 ? 0 : p * q);
  switch (operator) {
    case '+':
      return { lo: x.lo + y.lo, hi: x.hi + y.hi };
    case '-':
      return { lo: x.lo - y.hi, hi: x.hi - y.lo };
    case '*': {
      const all = [product(x.lo, y.lo), product(x.lo, y.hi), product(x.hi, y.lo), product(x.hi, y.hi)];
      return { lo: Math.min(...all), hi: Math.max(...all) };
    }
    case '/':
      if (y.lo > 0)
        return {
          lo: Math.trunc(Math.min(x.lo / y.lo, x.lo / y.hi)),
          hi: Math.trunc(Math.max(x.hi / y.lo, x.hi / y.hi)),
        };
      return { lo: -Math.max(Math.abs(x.lo), Math.abs(x.hi)), hi: Math.max(Math.abs(x.lo), Math.abs(x.hi)) };
    case '%': {
      const most = Math.max(Math.abs(y.lo), Math.abs(y.hi)) - 1;
      // Of a number that is only as low as its type, nobody said that it is below zero.
      return {
        lo: x.lo >= 0 || x.lo <= -(2 ** 31) + 8 ? 0 : Math.max(-most, x.lo),
        hi: x.hi <= 0 ? 0 : Math.min(most, x.hi),
      };
    }
    case '&':
      if (x.lo >= 0 || y.lo >= 0)
        return { lo: 0, hi: Math.min(x.lo >= 0 ? x.hi : Infinity, y.lo >= 0 ? y.hi : Infinity) };
      return { lo: -Infinity, hi: Infinity };
    case '>>':
      return x.lo >= 0 && y.lo >= 0 ? { lo: 0, hi: Math.floor(x.hi / 2 ** Math.min(y.lo, 63)) } : x;
    case '<<':
      return y.lo >= 0 && y.hi < 64
        ? { lo: Math.min(x.lo, x.lo * 2 ** y.hi), hi: Math.max(x.hi, x.hi * 2 ** y.hi) }
        : { lo: -Infinity, hi: Infinity };
    default:
      return { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
  }
}
