import { type CNode, child } from '../c/syntax.js';
import { exactRange, fits, usual } from '../engine/arithmetic.js';
import { allocation } from '../engine/functions.js';
import type { RuleFamily } from '../engine/rule.js';
import { isPointer } from '../engine/symbols.js';
import { intType, rangeOf } from '../engine/types.js';
import { type Linear, Source, type State, type Value } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';

/** Arithmetic on numbers that come from outside, and on constants that do not fit. */
export const integers: RuleFamily = {
  rules: [
    {
      id: 'overflow',
      cwe: 'CWE-190',
      kind: 'overflow',
      finds: 'a sum, difference or product that its type need not hold: of numbers from outside, or of constants',
      discharge: 'a test of the operands’ range before; __builtin_*_overflow; a wider type from the start',
    },
    {
      id: 'size-overflow',
      cwe: 'CWE-190',
      kind: 'overflow',
      finds:
        'an allocation or a copy whose size is a product, sum or difference of numbers from outside that may wrap around',
      discharge: 'a test of the numbers against a limit, or against each other; calloc or reallocarray',
    },
    {
      id: 'negative-size',
      cwe: 'CWE-195',
      kind: 'sign',
      finds:
        'a number taken for a size that may be negative: tested against its upper end only, or the result of read or recv',
      discharge: 'a test against zero; an unsigned type from the start',
    },
    {
      id: 'division-by-zero',
      cwe: 'CWE-369',
      kind: 'divisor',
      finds: 'a division by a number that may be zero: from outside, counted down to it, or constant',
      discharge: 'a test of the divisor',
    },
    {
      id: 'allocation-unlimited',
      cwe: 'CWE-770',
      kind: 'limit',
      finds: 'an allocation as large as the input says',
      discharge: 'a test of the size against a limit',
    },
  ],

  arithmetic(walk, { node, operator, left, right, exact, type, state }) {
    if (type.kind === 'float') {
      const value = exact.lo;
      if (
        exact.lo === exact.hi &&
        Number.isFinite(value) &&
        value !== 0 &&
        (Math.abs(value) < 1.17e-38 || Math.abs(value) > 3.41e38)
      ) {
        walk.report('overflow', node, `the result, ${value}, does not fit a float`);
      }
      return;
    }
    if ((operator === '/' || operator === '%') && type.kind === 'int') {
      divide(walk, node, right, state);
      return;
    }
    if (!overflowing.has(operator) || type.kind !== 'int' || !type.signed || isPointer(left) || isPointer(right))
      return;
    const cast = type.bytes === 8 && !fits(exact, intType) ? castOf(walk, node, left, right, state) : undefined;
    if (cast === undefined && fits(exact, type)) return;
    const known = exact.lo === exact.hi;
    const input = [left, right].some(
      (value) => value.source === Source.input || walk.sourceOf(value.number) === Source.input,
    );
    const factors =
      operator === '*' &&
      [left, right].every((value) => value.source === Source.parameter && value.number.symbol !== 0);
    if (cast !== undefined) {
      // The safe form: without it the numbers would be as narrow as they came.
      if ((input || factors) && !walk.holds(cast))
        walk.report('overflow', node, `${walk.text(node).slice(0, 60)} need not fit its type`);
      return;
    }
    const narrow = [left, right].some((value) => bounded(walk, value, state));
    if (
      known ||
      (input && !unboundedOwn(walk, left, right, state)) ||
      (factors && type.bytes === 4) ||
      (narrow && known)
    ) {
      walk.report('overflow', node, `${walk.text(node).slice(0, 60)} need not fit its type`);
    }
  },

  call(walk, { node, name, arguments: args, state }) {
    const asked = /^(?:__builtin|ckd)_(add|sub|mul)(?:_overflow)?$/.exec(name)?.[1];
    if (asked !== undefined) {
      // The safe form: without it the sum would be one's own.
      const [a, b] = args.filter(({ value }) => !isPointer(value)).map(({ value }) => value);
      if (a === undefined || b === undefined || Math.max(a.source, b.source) < Source.input) return;
      const operator = { add: '+', sub: '-', mul: '*' }[asked] as string;
      const exact = exactRange(operator, walk.range(a.number, state.facts), walk.range(b.number, state.facts));
      if (!fits(exact, usual(a.type, b.type)) && !walk.holds(node))
        walk.report('overflow', node, 'the result need not fit its type');
      return;
    }
    const taken = Object.hasOwn(sizeTaken, name) ? args[sizeTaken[name] as number] : undefined;
    if (taken !== undefined && mayBeNegative(walk, taken.value, state))
      walk.report('negative-size', node, `${walk.text(taken.node)} may be negative, which is a size beyond all memory`);
    if (taken !== undefined && allocation(name) === undefined && isWrapped(taken.value, state))
      walk.report('size-overflow', node, `${walk.text(taken.node)} may have wrapped around`);
    const sizes = allocation(name);
    if (sizes === undefined) return;
    // The safe form: without it the product would be one's own.
    const [first, second] = sizes.map((i) => args[i]?.value);
    if (first !== undefined && second !== undefined && mayWrap(walk, first, second, state) && !walk.holds(node))
      walk.report('size-overflow', node, 'the product of its arguments may wrap around');
    for (const i of sizes) {
      const size = args[i];
      if (size === undefined || size.value.number.symbol === 0) continue;
      const source = walk.sourceOf(size.value.number);
      if (source === Source.own) continue;
      const { hi } = walk.range(size.value.number, state.facts);
      if (source === Source.input && hi > 2 ** 27)
        walk.report('allocation-unlimited', node, 'the input says how much is allocated, without a limit');
      const { scale, symbol } = size.value.number;
      const most = walk.symbolRange(symbol, state.facts).hi;
      const wide = size.value.type.kind === 'int' ? size.value.type.bytes : 8;
      const signed = size.value.type.kind === 'int' && size.value.type.signed;
      const limit = wide < 8 ? 2 ** 32 : signed ? 2 ** 63 : 2 ** 64;
      if (
        sizes.length === 1 &&
        (isWrapped(size.value, state) ||
          ((scale > 1 || size.value.number.offset > 0) &&
            most * scale + size.value.number.offset > limit &&
            !tested(size.value.number, state)))
      ) {
        walk.report('size-overflow', node, `${walk.text(size.node)} may wrap around`);
      }
    }
  },
};

/** Which argument is a size, of an unsigned type. */
const sizeTaken: Readonly<Record<string, number>> = {
  memcpy: 2,
  memmove: 2,
  memset: 2,
  memcmp: 2,
  strncpy: 2,
  strncat: 2,
  read: 2,
  write: 2,
  recv: 2,
  send: 2,
  malloc: 0,
  alloca: 0,
  kmalloc: 0,
  realloc: 1,
};

// What makes a sum or product of two narrow numbers a wide one.
function castOf(walk: Walk, node: CNode, left: Value, right: Value, { facts }: State): CNode | undefined {
  if (![left, right].every(({ number }) => number.symbol !== 0 && fits(walk.range(number, facts), intType)))
    return undefined;
  return [child(node, 'left'), child(node, 'right')].find((side) => side?.type === 'cast_expression');
}

function mayWrap(walk: Walk, a: Value, b: Value, state: State): boolean {
  if ([a, b].every(({ number }) => walk.sourceOf(number) === Source.own)) return false;
  return walk.range(a.number, state.facts).hi * walk.range(b.number, state.facts).hi > 2 ** 64;
}

// Its difference may have wrapped around, and nothing has said since how large it is.
function isWrapped({ wraps, number, type }: Value, { facts }: State): boolean {
  if (!wraps || number.symbol === 0 || facts.orders.some(({ a }) => a === number.symbol)) return false;
  return (facts.range(number.symbol)?.hi ?? Infinity) >= rangeOf(type).hi;
}

function mayBeNegative(walk: Walk, { number, origin }: Value, state: State): boolean {
  if (number.symbol === 0 || number.scale <= 0) return false;
  const { lo, hi } = walk.range(number, state.facts);
  if (lo >= 0 || !Number.isFinite(lo)) return false;
  if (origin !== undefined && /^(p?read|recv(from)?)$/.test(origin.callee) && number.offset === 0) return true;
  // Who tests one end of it believes that it may be anything.
  const above = hi < 2 ** 31 - 1 || state.facts.orders.some(({ a }) => a === number.symbol);
  return above && walk.sourceOf(number) !== Source.own;
}

function divide(walk: Walk, node: Parameters<Walk['report']>[1], right: Value, state: State): void {
  const { number } = right;
  const { lo, hi } = walk.range(number, state.facts);
  if (lo > 0 || hi < 0) return;
  if (number.symbol !== 0 && number.scale === 1 && state.facts.has(`ne:${number.symbol}:${-number.offset || 0}`))
    return;
  const outside = right.source !== Source.own || walk.sourceOf(number) !== Source.own;
  const full = rangeOf(right.type);
  const counted =
    number.symbol !== 0 &&
    (lo === 0 || hi === 0) &&
    lo > full.lo / 2 &&
    hi < 2 ** 31 - 1 &&
    right.type.kind === 'int' &&
    right.type.bytes >= 4;
  if ((lo === 0 && hi === 0) || outside || counted)
    walk.report('division-by-zero', node, `the divisor ${lo === hi ? 'is' : 'may be'} zero`);
}

function bounded(walk: Walk, { number }: Value, { facts }: State): boolean {
  const { lo, hi } = walk.range(number, facts);
  return Number.isFinite(lo) && Number.isFinite(hi);
}

// A counter of one's own beside the input, of which nothing is known.
function unboundedOwn(walk: Walk, left: Value, right: Value, { facts }: State): boolean {
  return [left, right].some((value) => {
    if (value.source !== Source.own || value.number.symbol === 0) return false;
    const full = rangeOf(value.type);
    const { lo, hi } = walk.range(value.number, facts);
    return lo <= full.lo && hi >= full.hi;
  });
}

function tested({ symbol }: Linear, { facts }: State): boolean {
  return facts.orders.some(({ a }) => a === symbol);
}

const overflowing: ReadonlySet<string> = new Set(['+', '-', '*', '<<']);
