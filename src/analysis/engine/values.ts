import type { CNode } from '../c/syntax.js';
import type { Grounds } from './grounds.js';
import type { CType } from './types.js';

/** Where a value comes from, in order of distrust. */
export const Source = { own: 0, parameter: 1, input: 2 } as const;
export type Source = (typeof Source)[keyof typeof Source];

export interface Range {
  lo: number;
  hi: number;
}

/** `scale × symbol + offset`. Symbol 0 stands for nothing: the number is `offset`. */
export interface Linear {
  readonly symbol: number;
  readonly scale: number;
  readonly offset: number;
}

/** Memory that a pointer leads to: a variable, an allocation, a literal, or what a parameter points to. */
export interface Region {
  readonly id: string;
  readonly kind: 'variable' | 'heap' | 'literal' | 'outside' | 'global';
  /** In bytes; null where unknown. */
  readonly size: Linear | null;
  readonly type: CType;
  /** Where it is declared or allocated. */
  readonly node: CNode;
  /** The text of a string literal. */
  readonly text?: string;
  /** How far what it holds is to be trusted, where nothing else says so. */
  readonly source?: Source;
  /** The function's activation that it belongs to. */
  readonly frame: number;
}

export interface Target {
  readonly region: Region;
  /** In bytes from its start. */
  readonly offset: Linear;
}

/** How an unknown value came to be: may it be null, may it be an error? */
export interface Origin {
  /** The call that gave it. */
  readonly node: CNode;
  readonly callee: string;
}

/**
 * The result of an expression. Values are immutable and numbered: an unknown one has a symbol of its own, and what is learnt of a symbol
 * stays true however variables are assigned.
 */
export interface Value {
  readonly number: Linear;
  readonly type: CType;
  readonly source: Source;
  readonly targets: readonly Target[];
  readonly uninitialised: boolean;
  /** What the declaration of a variable gave it, and nothing else has since. */
  readonly initial: Initial | undefined;
  /** A variable has it from other memory, which may be freed while the variable keeps it. */
  readonly saved: Saved | undefined;
  /** Behind a branch that assigns to a variable on one way: on the other one nothing does. */
  readonly gap: Gap | undefined;
  readonly origin: Origin | undefined;
  /** It is the element of this content: what is learnt of it holds for the content's characters. */
  readonly elementOf: number | undefined;
  /** Contents that this content was put together from. */
  readonly parts: readonly number[] | undefined;
  /** What the caller learns from the result of a function: by outcome, the facts that hold with it. */
  readonly outcomes: readonly Outcome[] | undefined;
  /** The content of a text that is known word for word. */
  readonly literalText: string | undefined;
  /** It is there only if a call succeeded that nothing has tested as long as the path has this {@link Duty}. */
  readonly awaits: string | undefined;
  /** Text that need not be whole: it is if what the call says it would have written fits the room. */
  readonly cut: Cut | undefined;
  /** Text that the call which wrote it may have left without its zero. */
  readonly unterminated: Origin | undefined;
  /** A product or sum that its type need not hold. */
  readonly wraps: boolean;
  /** Symbols that this one stands for behind a join, where they came from calls. */
  readonly covers: readonly number[] | undefined;
}

/** A value of which nothing more is known. All values have the same fields, whether they mean something or not: what looks at them is faster. */
export function plain(
  number: Linear,
  type: CType,
  source: Source,
  targets: readonly Target[] = nowhere,
  origin?: Origin,
): Value {
  return {
    number,
    type,
    source,
    targets,
    uninitialised: false,
    initial: undefined,
    saved: undefined,
    gap: undefined,
    origin,
    elementOf: undefined,
    parts: undefined,
    outcomes: undefined,
    literalText: undefined,
    awaits: undefined,
    cut: undefined,
    unterminated: undefined,
    wraps: false,
    covers: undefined,
  };
}

const nowhere: readonly Target[] = [];

/** What a text was cut to. */
export interface Cut {
  readonly written: Linear;
  readonly room: Linear;
  readonly origin: Origin;
}

/** What a path still owes for a call: a test of what it gave, or its release. */
export interface Duty {
  readonly rule: string;
  readonly origin: Origin;
  /** What has to be tested or released. */
  readonly symbol: number;
  /** The function's activation that owes it. */
  readonly frame: number;
}

export interface Initial {
  /** The variable's key. */
  readonly key: string;
  readonly node: CNode;
}

export interface Saved {
  /** The declaration or assignment that saved it. */
  readonly node: CNode;
  /** The memory's key among {@link State.lives}. */
  readonly from: string;
}

export interface Gap {
  /** The variable's key. */
  readonly key: string;
  readonly branch: CNode;
  /** What it was declared with; null where it is without a value then. */
  readonly initial: CNode | null;
}

export interface Outcome {
  readonly value: Value;
  readonly facts: Facts;
}

export function constant(offset: number): Linear {
  return { symbol: 0, scale: 0, offset };
}

/** Whether two are the same number, for certain. */
export function isSameNumber(a: Linear, b: Linear): boolean {
  return a.symbol === b.symbol && a.scale === b.scale && a.offset === b.offset;
}

export function addLinear(a: Linear, b: Linear): Linear | null {
  if (a.symbol === 0) return { ...b, offset: a.offset + b.offset };
  if (b.symbol === 0) return { ...a, offset: a.offset + b.offset };
  if (a.symbol !== b.symbol) return null;
  return normal({ symbol: a.symbol, scale: a.scale + b.scale, offset: a.offset + b.offset });
}

export function scaleLinear(a: Linear, by: number): Linear {
  return normal({ symbol: a.symbol, scale: a.scale * by, offset: a.offset * by });
}

function normal(a: Linear): Linear {
  return a.scale === 0 ? constant(a.offset) : a;
}

/** Every character: what is known of a content whose characters are not known. */
export const anyCharacter: bigint = (1n << 256n) - 1n;

export function characterSet(test: (code: number) => boolean): bigint {
  // Digit by digit: two hundred sums of large numbers would take a hundred times as long.
  let digits = '0x';
  for (let from = 252; from >= 0; from -= 4) {
    let digit = 0;
    for (let bit = 0; bit < 4; bit++) if (from + bit > 0 && test(from + bit)) digit |= 1 << bit;
    digits += digit.toString(16);
  }
  return BigInt(digits);
}

/** A map that is copied when one of its copies is first written to. */
export class Shelf<K, V> {
  #map: Map<K, V>;
  #own = false;

  constructor(from?: Shelf<K, V>) {
    if (from === undefined) this.#map = nothing;
    else {
      this.#map = from.#map;
      from.#own = false;
    }
  }

  /** They hold the same, for certain. */
  same(other: Shelf<K, V>): boolean {
    return this.#map === other.#map;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    if (!this.#own) this.#take();
    this.#map.set(key, value);
  }

  delete(key: K): void {
    if (!this.#map.has(key)) return;
    if (!this.#own) this.#take();
    this.#map.delete(key);
  }

  get size(): number {
    return this.#map.size;
  }

  keys(): IterableIterator<K> {
    return this.#map.keys();
  }

  values(): IterableIterator<V> {
    return this.#map.values();
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#map[Symbol.iterator]();
  }

  #take(): void {
    this.#map = new Map(this.#map);
    this.#own = true;
  }
}

/** What is written to is never this one. */
// biome-ignore lint/suspicious/noExplicitAny: it has neither keys nor values
const nothing = new Map<any, any>();

/** `a ≤ b + offset` between symbols. */
interface Order {
  readonly a: number;
  readonly b: number;
  readonly offset: number;
  /** A guard said so. */
  readonly told: boolean;
}

/** Orders that a path keeps, the last ones: every question about a number goes through them. Real functions have 21 at most. */
const mostOrders = 32;

/** What is known of symbols on a path. */
export class Facts {
  readonly #ranges: Shelf<number, Range>;
  readonly #nulls: Shelf<number, boolean>;
  readonly #characters: Shelf<number, bigint>;
  readonly #marks: Shelf<string, true>;
  #orders: readonly Order[];
  readonly #grounds: Grounds | null;

  constructor(from: Facts | null = null, grounds: Grounds | null = from === null ? null : from.#grounds) {
    this.#grounds = grounds;
    this.#ranges = new Shelf(from === null ? undefined : from.#ranges);
    this.#nulls = new Shelf(from === null ? undefined : from.#nulls);
    this.#characters = new Shelf(from === null ? undefined : from.#characters);
    this.#marks = new Shelf(from === null ? undefined : from.#marks);
    this.#orders = from === null ? [] : from.#orders;
  }

  range(symbol: number): Range | undefined {
    return this.#grounds?.hides(symbol) ? undefined : this.#ranges.get(symbol);
  }

  narrow(symbol: number, { lo, hi }: Range): void {
    this.#grounds?.tell(symbol);
    const old = this.#ranges.get(symbol);
    this.#ranges.set(symbol, { lo: Math.max(lo, old?.lo ?? -Infinity), hi: Math.min(hi, old?.hi ?? Infinity) });
  }

  isNull(symbol: number): boolean | undefined {
    return this.#grounds?.hides(symbol) ? undefined : this.#nulls.get(symbol);
  }

  setNull(symbol: number, isNull: boolean): void {
    this.#grounds?.tell(symbol);
    this.#nulls.set(symbol, isNull);
  }

  characters(symbol: number): bigint {
    return this.#grounds?.hides(Math.abs(symbol)) ? anyCharacter : (this.#characters.get(symbol) ?? anyCharacter);
  }

  allow(symbol: number, set: bigint): void {
    this.#grounds?.tell(Math.abs(symbol));
    this.#characters.set(symbol, this.characters(symbol) & set);
  }

  /** One character of a content is among these: the others need not be, until a loop has gone through all. */
  allowElement(content: number, set: bigint): void {
    this.allow(-content, set);
  }

  /** What {@link allowElement} said of it. */
  elementCharacters(content: number): bigint {
    return this.characters(-content);
  }

  /** Another turn looks at another element. */
  forgetElements(): void {
    for (const symbol of [...this.#characters.keys()]) if (symbol < 0) this.#characters.delete(symbol);
  }

  has(mark: string): boolean {
    return !this.#grounds?.hides(mark) && this.#marks.has(mark);
  }

  mark(mark: string): void {
    this.#grounds?.tell(mark);
    this.#marks.set(mark, true);
  }

  order(a: number, b: number, offset: number): void {
    this.#grounds?.tell(a);
    this.#grounds?.tell(b);
    if (this.#orders.some((order) => order.a === a && order.b === b && order.offset <= offset)) return;
    const told = this.#grounds !== null && this.#grounds.under !== null;
    this.#orders = [...this.#orders.slice(1 - mostOrders), { a, b, offset, told }];
  }

  get orders(): readonly Order[] {
    return this.#grounds?.blind ? this.#orders.filter(({ told }) => !told) : this.#orders;
  }

  /** What a guard told without a fact that says so matters. */
  matter(): void {
    const under = this.#grounds?.under;
    if (under) this.#grounds?.asked.add(under.key);
  }

  /** Everything that the other path knows too. */
  join(other: Facts): Facts {
    if (this.#same(other)) return new Facts(this);
    const joined = new Facts(null, this.#grounds);
    for (const [symbol, range] of this.#ranges) {
      const second = other.#ranges.get(symbol);
      if (second === undefined) continue;
      const both = { lo: Math.min(range.lo, second.lo), hi: Math.max(range.hi, second.hi) };
      if (both.lo > -Infinity || both.hi < Infinity) joined.#ranges.set(symbol, both);
    }
    for (const [symbol, isNull] of this.#nulls)
      if (other.#nulls.get(symbol) === isNull) joined.#nulls.set(symbol, isNull);
    for (const [symbol, set] of this.#characters) {
      const second = other.#characters.get(symbol);
      if (second !== undefined) joined.#characters.set(symbol, set | second);
    }
    for (const mark of this.#marks.keys()) if (other.#marks.has(mark)) joined.#marks.set(mark, true);
    joined.#orders =
      this.#orders === other.#orders
        ? this.#orders
        : this.#orders.filter((one) =>
            other.#orders.some(({ a, b, offset }) => a === one.a && b === one.b && offset <= one.offset),
          );
    return joined;
  }

  #same(other: Facts): boolean {
    return (
      this.#orders === other.#orders &&
      this.#ranges.same(other.#ranges) &&
      this.#nulls.same(other.#nulls) &&
      this.#characters.same(other.#characters) &&
      this.#marks.same(other.#marks)
    );
  }

  /** Takes over what another place knows of the same symbols. */
  learn(other: Facts): void {
    for (const [symbol, range] of other.#ranges) this.narrow(symbol, range);
    for (const [symbol, isNull] of other.#nulls) this.#nulls.set(symbol, isNull);
    for (const [symbol, set] of other.#characters) this.allow(symbol, set);
    for (const mark of other.#marks.keys()) this.#marks.set(mark, true);
    if (other.#orders === this.#orders) return;
    const known = new Set(this.#orders);
    const news = other.#orders.filter((order) => !known.has(order));
    if (news.length > 0) this.#orders = [...this.#orders, ...news].slice(-mostOrders);
  }

  /** Takes over what is known of characters and marks, as a loop over all elements proves it for the whole. */
  learnContents(other: Facts): void {
    for (const [symbol, set] of other.#characters) this.allow(Math.abs(symbol), set);
    for (const mark of other.#marks.keys()) this.#marks.set(mark, true);
  }
}

export type Life = 'live' | 'freed' | 'maybe freed' | 'given away';

/** The analysis' state at a place of the program. */
export class State {
  store: Shelf<string, Value>;
  lives: Shelf<string, Life>;
  /** What either path owes, both owe behind their join. */
  duties: Shelf<string, Duty>;
  facts: Facts;
  /** Nothing gets here. */
  dead: boolean;

  constructor(from?: State) {
    this.store = new Shelf(from?.store);
    this.lives = new Shelf(from?.lives);
    this.duties = new Shelf(from?.duties);
    this.facts = new Facts(from?.facts);
    this.dead = from?.dead ?? false;
  }

  become(other: State): void {
    if (other === this) return;
    this.store = new Shelf(other.store);
    this.lives = new Shelf(other.lives);
    this.duties = new Shelf(other.duties);
    this.facts = new Facts(other.facts);
    this.dead = other.dead;
  }
}
