import type { CNode } from '../c/syntax.js';
import type { CallEvent } from './rule.js';
import { partsOf, partsOfAll } from './symbols.js';
import { type CType, charType, longType, sizeType } from './types.js';
import {
  constant,
  type Linear,
  type Origin,
  type Range,
  type Region,
  Source,
  type State,
  type Value,
} from './values.js';
import type { Walk } from './walk.js';

export const charPointer: CType = { kind: 'pointer', to: charType };

/** How far what a text holds is to be trusted. */
export function contentSource(walk: Walk, text: Value | undefined, state: State): Source {
  return text === undefined ? Source.own : walk.content(text, state).source;
}

/** Text of a source that a call gives, of unknown size. */
export function textFrom(
  walk: Walk,
  event: CallEvent,
  source: Source,
  { nullable: mayFail }: { nullable: 'maybe' | 'no' },
): Value {
  const { node, name, state } = event;
  const region = ofText(walk, node);
  state.store.set(`${region.id}[]`, walk.fresh(charType, source));
  return walk.fresh(charPointer, source, {
    nullable: mayFail,
    origin: { node, callee: name },
    targets: [{ region, offset: constant(0) }],
  });
}

/** Input is read to a buffer; `length` where text of so many characters comes of it. */
export function fill(walk: Walk, buffer: Value, state: State, length: Range | null): void {
  const [target] = buffer.targets;
  if (target === undefined) {
    if (buffer.number.symbol !== 0) state.store.set(`*${buffer.number.symbol}[]`, walk.fresh(charType, Source.input));
    return;
  }
  const { region } = target;
  if (region.kind === 'variable' && region.type.kind !== 'array') {
    state.store.set(region.id, walk.fresh(region.type, Source.input));
    return;
  }
  walk.setText(
    region,
    { source: Source.input, ...(length !== null && { length: lengthUpTo(walk, length.hi) }) },
    state,
  );
}

/** `in >> x`: into text that makes room for it, or into a number. */
export function readInto(walk: Walk, target: Value, origin: Origin, state: State): void {
  const region = target.targets[0]?.region;
  if (region === undefined) return;
  const { type } = region;
  if (type.kind !== 'pointer') state.store.set(region.id, walk.fresh(type, Source.input, { origin }));
  else state.store.set(region.id, textOf(walk, origin, [walk.fresh(charType, Source.input)], null, state));
}

// The memory of a text that a call gives.
function ofText(walk: Walk, node: CNode): Region {
  const type: CType = { kind: 'array', of: charType, length: null };
  return { id: `text${node.start}~${walk.frame.id}`, kind: 'outside', size: null, type, node, frame: 0 };
}

/** Text of its own, that a call or an operator gives. */
function textOf(
  walk: Walk,
  { node, callee }: Origin,
  contents: readonly Value[],
  length: Linear | null,
  state: State,
): Value {
  const region = ofText(walk, node);
  const source = Math.max(...contents.map((content) => content.source)) as Source;
  walk.setText(region, { source, parts: partsOfAll(contents), ...(length !== null && { length }) }, state);
  const origin = { node, callee };
  return walk.fresh(charPointer, source, { nullable: 'no', origin, targets: [{ region, offset: constant(0) }] });
}

/** `a + b` of two texts that make room for themselves. */
export function concatenated(walk: Walk, node: CNode, a: Value, b: Value, state: State): Value {
  const contents = [walk.content(a, state), walk.content(b, state)];
  const length = sum(walk, walk.length(a, state), walk.length(b, state), state);
  return textOf(walk, { node, callee: '' }, contents, length, state);
}

/** A length that is not known, but for its limit. */
export function lengthUpTo(walk: Walk, most: number): Linear {
  return walk.fresh(sizeType, Source.own, { range: { lo: 0, hi: most } }).number;
}

/** The sum of two lengths. */
export function sum(walk: Walk, a: Linear, b: Linear, { facts }: State): Linear {
  return walk.sum(a, b, sizeType, Source.own, facts);
}

/** A text is copied to a buffer, `length` characters of it as far as is known. */
export function copyText(walk: Walk, to: Value, from: Value, length: Linear, state: State): void {
  const [target] = to.targets;
  const content = walk.content(from, state);
  if (target === undefined) {
    if (to.number.symbol !== 0) state.store.set(`*${to.number.symbol}[]`, content);
    return;
  }
  walk.setText(
    target.region,
    {
      source: content.source,
      parts: partsOf(content),
      length,
      ...(content.literalText !== undefined && { text: content.literalText }),
    },
    state,
  );
  if (content.literalText === undefined) state.store.set(`${target.region.id}[]`, content);
}

/** Whether the memory behind the copy is zero as it stands. */
export function isZero(walk: Walk, to: Value, limit: Value | undefined, state: State): boolean {
  const [target] = to.targets;
  if (target === undefined || limit === undefined) return false;
  const length = state.store.get(`${target.region.id}#`)?.number;
  const shorter = target.region.size !== null && !walk.atMost(target.region.size, limit.number, state.facts);
  return length !== undefined && length.symbol === 0 && length.offset === 0 && shorter;
}

/** Text that the copy may have left without its zero. */
export function leaveOpen(to: Value, origin: Origin, state: State): void {
  const key = `${to.targets[0]?.region.id ?? `*${to.number.symbol}`}[]`;
  const content = state.store.get(key);
  if (content !== undefined) state.store.set(key, { ...content, unterminated: origin });
}

/** A buffer holds `length` characters now, put together from these contents. */
export function appendText(walk: Walk, to: Value, contents: readonly Value[], length: Linear, state: State): void {
  const [target] = to.targets;
  if (target === undefined) return;
  const source = Math.max(...contents.map((content) => content.source)) as Source;
  walk.setText(target.region, { source, parts: partsOfAll(contents), length }, state);
}

/** A pointer somewhere into the same text. */
export function within(walk: Walk, text: Value, mayFail: 'maybe' | 'no', origin: Origin, state: State): Value {
  const targets = text.targets.map(({ region, offset }) => {
    const { lo } = walk.range(offset, state.facts);
    const hi = walk.range(walk.length(text, state), state.facts).hi;
    const at = walk.fresh(longType, Source.own, { range: { lo, hi: Number.isFinite(hi) ? lo + hi : Infinity } }).number;
    // Nothing is said of how far: its place is inside the text.
    return { region, offset: at };
  });
  return walk.fresh(charPointer, text.source, { nullable: mayFail, origin, targets });
}
