/**
 * The value of a constant expression, where all its parts lie between 0 and the largest `int`, so that no rule of C's conversions matters;
 * -1 and the like may only stand alone. Undefined for any other.
 */
export type Constant = number | undefined;

const most = 2 ** 31 - 1;

function small(value: number): Constant {
  return value >= 0 && value <= most ? value : undefined;
}

export function numberOf(text: string): Constant {
  const [, digits] = /^(0[xX][\da-fA-F]+|0[0-7]*|[1-9]\d*)[uUlL]{0,3}$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return small(/^0[0-7]/.test(digits) ? Number.parseInt(digits, 8) : Number(digits));
}

/** Of a character constant such as `'a'` or `'\n'`. */
export function characterOf(text: string): Constant {
  const [, plain, simple, octal, hex] =
    /^'(?:([^\\\x80-\xff])|\\([abfnrtv'"?\\])|\\([0-7]{1,3})|\\x([\da-fA-F]{1,2}))'$/.exec(text) ?? [];
  if (plain !== undefined) return plain.charCodeAt(0);
  if (simple !== undefined) return escapes[simple] ?? simple.charCodeAt(0);
  const value = octal !== undefined ? Number.parseInt(octal, 8) : hex !== undefined ? Number.parseInt(hex, 16) : 128;
  return value < 128 ? value : undefined;
}

const escapes: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };

export function unary(operator: string, value: Constant): Constant {
  if (value === undefined) return undefined;
  if (operator === '+') return value;
  if (operator === '!') return value === 0 ? 1 : 0;
  return operator === '-' ? -value : undefined;
}

export function binary(operator: string, left: Constant, right: Constant): Constant {
  if (left === undefined || right === undefined || left < 0 || right < 0) return undefined;
  const value = operations.get(operator)?.(left, right);
  return value === undefined || !Number.isInteger(value) ? undefined : small(value);
}

const operations: ReadonlyMap<string, (a: number, b: number) => number> = new Map([
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['/', (a, b) => Math.floor(a / b)],
  ['%', (a, b) => a % b],
  ['<<', (a, b) => (b < 32 ? a * 2 ** b : Number.NaN)],
  ['>>', (a, b) => (b < 32 ? Math.floor(a / 2 ** b) : Number.NaN)],
  ['&', (a, b) => a & b],
  ['|', (a, b) => a | b],
  ['^', (a, b) => a ^ b],
  ['<', (a, b) => Number(a < b)],
  ['>', (a, b) => Number(a > b)],
  ['<=', (a, b) => Number(a <= b)],
  ['>=', (a, b) => Number(a >= b)],
  ['==', (a, b) => Number(a === b)],
  ['!=', (a, b) => Number(a !== b)],
  ['&&', (a, b) => Number(a !== 0 && b !== 0)],
  ['||', (a, b) => Number(a !== 0 || b !== 0)],
]);

/** How strongly each operator with two sides binds. */
export const strength: ReadonlyMap<string, number> = new Map([
  ['||', 1],
  ['&&', 2],
  ['|', 3],
  ['^', 4],
  ['&', 5],
  ['==', 6],
  ['!=', 6],
  ['<', 7],
  ['>', 7],
  ['<=', 7],
  ['>=', 7],
  ['<<', 8],
  ['>>', 8],
  ['+', 9],
  ['-', 9],
  ['*', 10],
  ['/', 10],
  ['%', 10],
]);
