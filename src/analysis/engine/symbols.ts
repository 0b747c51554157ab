import { exactRange } from './arithmetic.js';
import { type CType, intType, rangeOf, unknownType } from './types.js';
import {
  addLinear,
  constant,
  type Facts,
  type Linear,
  type Origin,
  plain,
  type Range,
  type Region,
  Source,
  type Target,
  type Value,
} from './values.js';

/** What holds of a symbol wherever it is looked at. */
interface Birth {
  readonly range: Range;
  readonly source: Source;
  readonly nullable: 'no' | 'maybe' | 'unknown';
  readonly counts: boolean;
}

/** The symbols of a walk: unknown values by number, and what is known of each at a place. */
export class Symbols {
  /** Sums and products of two symbols, by `+a:b` and `*a:b`: symbols of their own, whose ranges conditions narrow. */
  readonly #pairs = new Map<string, number>();
  /** Symbols that are at most a number divided by another symbol. */
  readonly quotients: Map<number, { of: number; by: number }> = new Map();
  /** Symbols of values that memory held before anybody wrote to it, with its key. */
  readonly unwritten: Map<number, string> = new Map();
  /** Memory that is freed if the symbol, what realloc gave, is not null. */
  readonly moved: Map<number, readonly string[]> = new Map();
  readonly #births: Birth[] = [{ range: { lo: 0, hi: 0 }, source: Source.own, nullable: 'no', counts: false }];

  /** Symbols so far. */
  get born(): number {
    return this.#births.length;
  }

  /** Takes over the first symbols of another walk. */
  inherit(other: Symbols, born: number): void {
    for (let i = this.#births.length; i < born; i++) this.#births.push(other.#births[i] as Birth);
    for (const [key, symbol] of other.#pairs) if (symbol < born) this.#pairs.set(key, symbol);
    for (const [symbol, quotient] of other.quotients) if (symbol < born) this.quotients.set(symbol, quotient);
    for (const [symbol, key] of other.unwritten) if (symbol < born) this.unwritten.set(symbol, key);
    for (const [symbol, ids] of other.moved) if (symbol < born) this.moved.set(symbol, ids);
  }

  /** Takes back all symbols but the first ones. */
  bury(born: number): void {
    this.#births.length = born;
    for (const [key, symbol] of this.#pairs) if (symbol >= born) this.#pairs.delete(key);
    for (const map of [this.quotients, this.unwritten, this.moved])
      for (const symbol of map.keys()) if (symbol >= born) map.delete(symbol);
  }

  fresh(
    type: CType,
    source: Source,
    extra: {
      /** A loop counts it up, as far as its end lets it. */
      counts?: boolean;
      range?: Range;
      nullable?: 'no' | 'maybe' | 'unknown' | undefined;
      origin?: Origin | undefined;
      targets?: readonly Target[];
    } = {},
  ): Value {
    const full = rangeOf(type);
    const range =
      extra.range === undefined
        ? full
        : { lo: Math.max(full.lo, extra.range.lo), hi: Math.min(full.hi, extra.range.hi) };
    this.#births.push({ range, source, nullable: extra.nullable ?? 'unknown', counts: extra.counts ?? false });
    const symbol = this.#births.length - 1;
    return plain({ symbol, scale: 1, offset: 0 }, type, source, extra.targets, extra.origin);
  }

  constant(value: number, type: CType = intType): Value {
    return plain(constant(value), type, Source.own);
  }

  symbolRange(symbol: number, facts: Facts): Range {
    const { range } = this.#births[symbol] as Birth;
    const known = facts.range(symbol);
    let lo = Math.max(range.lo, known?.lo ?? -Infinity);
    let hi = Math.min(range.hi, known?.hi ?? Infinity);
    for (const { a, b, offset } of facts.orders) {
      if (a === symbol) hi = Math.min(hi, this.#plainRange(b, facts).hi + offset);
      if (b === symbol) lo = Math.max(lo, this.#plainRange(a, facts).lo - offset);
    }
    return { lo, hi };
  }

  #plainRange(symbol: number, facts: Facts): Range {
    const { range } = this.#births[symbol] as Birth;
    const known = facts.range(symbol);
    return { lo: Math.max(range.lo, known?.lo ?? -Infinity), hi: Math.min(range.hi, known?.hi ?? Infinity) };
  }

  range({ symbol, scale, offset }: Linear, facts: Facts): Range {
    if (symbol === 0) return { lo: offset, hi: offset };
    const { lo, hi } = this.symbolRange(symbol, facts);
    return scale >= 0
      ? { lo: lo * scale + offset, hi: hi * scale + offset }
      : { lo: hi * scale + offset, hi: lo * scale + offset };
  }

  /** The symbol of the sum or product of two others. */
  pair(operator: '+' | '*', a: number, b: number): number {
    const key = `${operator}${Math.min(a, b)}:${Math.max(a, b)}`;
    let symbol = this.#pairs.get(key);
    if (symbol === undefined) {
      symbol = this.fresh(unknownType, Source.own).number.symbol;
      this.#pairs.set(key, symbol);
    }
    return symbol;
  }

  /** What one of two paths was told of sums and products, the other one may know of their operands: `a > 0 && b > most - a`. */
  settlePairs(one: Facts, two: Facts): void {
    for (const [key, symbol] of this.#pairs) {
      const [known, other] = [one.range(symbol), two.range(symbol)];
      if (known === undefined && other === undefined) continue;
      const [a, b] = key.slice(1).split(':').map(Number) as [number, number];
      for (const facts of [one, two])
        facts.narrow(symbol, exactRange(key[0] as string, this.symbolRange(a, facts), this.symbolRange(b, facts)));
    }
  }

  /** The sum of two numbers; a symbol of its own where no other one tells it. */
  sum(a: Linear, b: Linear, type: CType, source: Source, facts: Facts): Linear {
    const known = addLinear(a, b);
    if (known !== null) return known;
    const [x, y] = [this.range(a, facts), this.range(b, facts)];
    return this.fresh(type, source, { range: { lo: x.lo + y.lo, hi: x.hi + y.hi } }).number;
  }

  /** Whether `a ≤ b` on this path, for certain. */
  atMost(a: Linear, b: Linear, facts: Facts): boolean {
    if (this.range(a, facts).hi <= this.range(b, facts).lo) return true;
    return within(a, b, () => distances(a.symbol, facts));
  }

  /** Whether a loop counts the number up. */
  counts({ symbol }: Linear): boolean {
    return (this.#births[symbol] as Birth).counts;
  }

  /** How far the number itself is to be trusted. */
  sourceOf({ symbol }: Linear): Source {
    return (this.#births[symbol] as Birth).source;
  }

  /** Whether a value that is taken for a pointer came as a number. */
  cameAsNumber({ number, targets, origin }: Value): boolean {
    return (
      targets.length === 0 &&
      number.symbol !== 0 &&
      (this.#births[number.symbol] as Birth).range.hi < Infinity &&
      origin?.callee !== 'getenv'
    );
  }

  isNull(value: Value, facts: Facts): 'no' | 'maybe' | 'yes' | 'unknown' {
    const { symbol, offset } = value.number;
    if (symbol === 0) return value.targets.length === 0 && offset === 0 ? 'yes' : 'no';
    const known = facts.isNull(symbol);
    if (known !== undefined) return known ? 'yes' : 'no';
    return (this.#births[symbol] as Birth).nullable;
  }
}

/** Whether `a ≤ b` by the orders of their symbols, whatever their ranges are. */
export function within(a: Linear, b: Linear, near: () => ReadonlyMap<number, number>): boolean {
  if (a.symbol === b.symbol && a.scale === b.scale) return a.offset <= b.offset;
  if (a.scale !== b.scale || a.scale <= 0) return false;
  return (near().get(b.symbol) ?? Infinity) <= (b.offset - a.offset) / a.scale;
}

/** How far a symbol is from others at most, over up to three orders: `from ≤ other + distance`. */
export function distances(from: number, { orders }: Facts): ReadonlyMap<number, number> {
  const found = new Map([[from, 0]]);
  for (let round = 0; round < 3; round++) {
    let closer = false;
    for (const { a, b, offset } of orders) {
      const distance = (found.get(a) ?? Infinity) + offset;
      if (distance >= (found.get(b) ?? Infinity)) continue;
      found.set(b, distance);
      closer = true;
    }
    if (!closer) break;
  }
  return found;
}

export function pointerTo(region: Region): Value {
  const to = region.type.kind === 'array' ? region.type.of : region.type;
  return plain(constant(1), { kind: 'pointer', to }, Source.own, [{ region, offset: constant(0) }]);
}

export function isPointer(value: Value): boolean {
  return value.type.kind === 'pointer' || value.type.kind === 'array' || value.targets.length > 0;
}

export function partsOf(value: Value): readonly number[] {
  if (value.parts !== undefined) return value.parts;
  return value.source === Source.own || value.number.symbol === 0 ? [] : [value.number.symbol];
}

/** The parts, where there are some. */
export function someOf(parts: readonly number[]): readonly number[] | undefined {
  return parts.length > 0 ? parts : undefined;
}

/** The parts of several, each once: text that is added to itself would have twice as many each time. */
export function partsOfAll(values: readonly Value[]): number[] {
  return [...new Set(values.flatMap(partsOf))];
}
