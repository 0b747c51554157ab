import { distances, partsOfAll, type Symbols, someOf, within } from './symbols.js';
import { longType, unknownType } from './types.js';
import {
  type Facts,
  isSameNumber,
  type Linear,
  type Region,
  Shelf,
  Source,
  State,
  type Target,
  type Value,
} from './values.js';

/** What holds on both ways to a place. */
export function join(symbols: Symbols, a: State, b: State): State {
  if (a.dead) return new State(b);
  if (b.dead) return new State(a);
  if (a === b) return new State(a);
  const joined = new State(a.store.same(b.store) && a.lives.same(b.lives) ? a : undefined);
  symbols.settlePairs(a.facts, b.facts);
  joined.facts = a.facts.join(b.facts);
  joined.duties = new Shelf(a.duties);
  if (!a.duties.same(b.duties)) for (const [key, duty] of b.duties) joined.duties.set(key, duty);
  if (a.store.same(b.store) && a.lives.same(b.lives)) return joined;
  joined.store = new Shelf(a.store);
  for (const [key, one] of a.store) {
    const two = b.store.get(key);
    if (two === undefined) {
      if (written(symbols, key, one)) joined.store.set(key, mergeValues(symbols, one, a, unknown(symbols, one), b));
    } else if (two !== one) joined.store.set(key, mergeValues(symbols, one, a, two, b, joined.facts));
  }
  for (const [key, two] of b.store) {
    if (a.store.has(key)) continue;
    joined.store.set(key, written(symbols, key, two) ? mergeValues(symbols, two, b, unknown(symbols, two), a) : two);
  }
  for (const id of new Set([...a.lives.keys(), ...b.lives.keys()])) {
    const [one, two] = [a.lives.get(id), b.lives.get(id)];
    if (one === two) joined.lives.set(id, one as 'live');
    else if (one === undefined || two === undefined) joined.lives.set(id, (one ?? two) as 'live');
    else if (one.endsWith('freed') || two.endsWith('freed')) {
      const [freed, kept] = one.endsWith('freed') ? [a, b] : [b, a];
      // What is freed on one path, and led to by nothing there, is what it is on the other one. And a region that was never allocated
      // on the other path, as its pointer is null there, is freed on all that matter.
      if (one !== 'maybe freed' && two !== 'maybe freed' && !leads(symbols, freed, id)) {
        joined.lives.set(id, one.endsWith('freed') ? two : one);
        continue;
      }
      const gone = [...kept.store.values()].some(
        (value) => value.targets.some(({ region }) => region.id === id) && symbols.isNull(value, kept.facts) === 'yes',
      );
      joined.lives.set(id, gone ? 'freed' : 'maybe freed');
    } else joined.lives.set(id, 'given away');
  }
  return joined;
}

// Whether memory that was there before was written to: on a path that never came to it, it holds what it held.
function written({ unwritten }: Symbols, key: string, { number }: Value): boolean {
  return (
    (key[0] === '*' || key[0] === '@') &&
    outlives.test(key) &&
    (number.offset !== 0 || unwritten.get(number.symbol) !== key)
  );
}

const outlives = /^[*@].*[^\]#]$/;

function unknown(symbols: Symbols, { type, source }: Value): Value {
  return symbols.fresh(type, Math.max(source, Source.parameter) as Source);
}

// Whether anything that need not be null leads to the memory.
function leads(symbols: Symbols, { store, facts }: State, id: string): boolean {
  for (const value of store.values()) {
    const there =
      value.targets.length === 0
        ? `*${value.number.symbol}` === id
        : value.targets.some(({ region }) => region.id === id);
    if (there && symbols.isNull(value, facts) !== 'yes') return true;
  }
  return false;
}

/** The value of a variable behind two ways on which it had one and two. */
export function mergeValues(symbols: Symbols, one: Value, a: State, two: Value, b: State, facts?: Facts): Value {
  if (one === two) return one;
  if (
    isSameNumber(one.number, two.number) &&
    one.targets.length === two.targets.length &&
    one.targets.every(({ region }, i) => isSame(region, two.targets[i]?.region))
  ) {
    return one.uninitialised ? two : one;
  }
  const [r1, r2] = [symbols.range(one.number, a.facts), symbols.range(two.number, b.facts)];
  const [n1, n2] = [symbols.isNull(one, a.facts), symbols.isNull(two, b.facts)];
  const targets = n1 === 'yes' ? [] : [...one.targets];
  for (const target of n2 === 'yes' ? [] : two.targets) {
    const at = targets.findIndex(({ region }) => region.id === target.region.id);
    if (at < 0) targets.push(target);
    else targets[at] = between(symbols, targets[at] as Target, a, target, b);
  }
  const pointer = one.type.kind === 'pointer' || two.type.kind === 'pointer' || targets.length > 0;
  const nullable =
    [n1, n2].includes('maybe') || (n1 === 'yes') !== (n2 === 'yes')
      ? 'maybe'
      : n1 === 'no' && n2 === 'no'
        ? 'no'
        : 'unknown';
  const origin = one.origin ?? two.origin;
  const parts = partsOfAll([one, two]);
  const merged: Value = {
    ...symbols.fresh(pointer ? unknownType : one.type, Math.max(one.source, two.source) as Source, {
      range: { lo: Math.min(r1.lo, r2.lo), hi: Math.max(r1.hi, r2.hi) },
      nullable: pointer ? nullable : 'unknown',
      targets: targets.slice(0, 4),
      origin,
    }),
    type: one.type,
    parts: someOf(parts),
    uninitialised: one.uninitialised && two.uninitialised,
    covers: origin && [...new Set([...coveredBy(one), ...coveredBy(two)])],
  };
  if (pointer && n1 === 'yes' && n2 === 'yes') facts?.setNull(merged.number.symbol, true);
  if (facts !== undefined && !pointer) relate(symbols, merged.number.symbol, one.number, a, two.number, b, facts);
  return merged;
}

// What a walk took over has regions of the other walk, the same in everything.
function isSame(one: Region, two: Region | undefined): boolean {
  if (one === two) return true;
  if (two === undefined || one.id !== two.id || one.node !== two.node) return false;
  const [a, b] = [one.size, two.size];
  const sized = a === b || (a !== null && b !== null && isSameNumber(a, b));
  return sized && one.frame === two.frame && one.source === two.source && one.text === two.text;
}

// One place of a memory or the other.
function between(symbols: Symbols, one: Target, a: State, two: Target, b: State): Target {
  const [p, q] = [one.offset, two.offset];
  if (isSameNumber(p, q)) return one;
  const [x, y] = [symbols.range(p, a.facts), symbols.range(q, b.facts)];
  const range = { lo: Math.min(x.lo, y.lo), hi: Math.max(x.hi, y.hi) };
  return { region: one.region, offset: symbols.fresh(longType, Source.own, { range }).number };
}

/** The symbols that a test of this value is a test of. */
export function coveredBy({ number, covers }: Value): readonly number[] {
  return covers ?? [number.symbol];
}

// `if (n > most) n = most;` leaves a number that is at most `most` on both paths.
function relate(symbols: Symbols, merged: number, one: Linear, a: State, two: Linear, b: State, facts: Facts): void {
  const bounds = (of: Linear, state: State): Linear[] => [
    ...(of.symbol === 0 ? [] : [of]),
    ...state.facts.orders
      .filter((order) => order.a === of.symbol)
      .map((order) => ({ symbol: order.b, scale: 1, offset: order.offset + of.offset })),
  ];
  for (const [mine, other, otherState] of [
    [bounds(one, a), two, b],
    [bounds(two, b), one, a],
  ] as const) {
    const near = distances(other.symbol, otherState.facts);
    for (const bound of mine) {
      const less =
        other.symbol === 0 ? symbols.atMost(other, bound, otherState.facts) : within(other, bound, () => near);
      if (bound.scale === 1 && less) facts.order(merged, bound.symbol, bound.offset);
    }
  }
}
