import { type CNode, child } from '../c/syntax.js';
import { coveredBy } from './joins.js';
import type { Argument } from './rule.js';
import { partsOf, pointerTo, someOf } from './symbols.js';
import { type CType, charType, intType, longType, rangeOf, sizeType, unknownType } from './types.js';
import {
  addLinear,
  constant,
  type Linear,
  type Region,
  type Saved,
  Source,
  State,
  scaleLinear,
  type Value,
} from './values.js';
import { bytesOf, lookupLevels, regionOf } from './variables.js';
import type { Place, Walk } from './walk.js';

/** Copies what is known of a record's members. */
export function copyRecord(from: string, to: string, state: State): void {
  for (const [key, value] of [...state.store])
    if (key.startsWith(`${from}.`)) state.store.set(to + key.slice(from.length), value);
}

/** The value that memory has that nobody wrote to: the same on every path, until an unknown function gets hold of it. */
function untouched(walk: Walk, key: string, id: string, state: State, make: () => Value): Value {
  const name = `${key}^${state.store.get(`^${id}`)?.number.symbol ?? 0}`;
  let value = walk.untouched.get(name);
  if (value === undefined) {
    value = make();
    walk.untouched.set(name, value);
    walk.unwritten.set(value.number.symbol, key);
  }
  state.store.set(key, value);
  return value;
}

function renew(walk: Walk, id: string, state: State): void {
  state.store.set(`^${id}`, walk.fresh(intType, Source.own));
}

/** Forgets a variable and its parts. */
export function forget(walk: Walk, key: string, state: State): void {
  for (const other of [...state.store.keys()]) {
    if (other === key || (other.startsWith(key) && /[.[#]/.test(other[key.length] as string)))
      state.store.delete(other);
  }
  renew(walk, key, state);
}

/** The value in a place; an unknown one gets its symbol here. */
export function read(walk: Walk, place: Place, state: State): Value {
  const { type, key, variable } = place;
  if (type.kind === 'array') {
    const region =
      variable?.region ??
      regionOf(
        walk,
        key,
        type,
        place.regions[0]?.node ?? walk.frame.function.node,
        place.regions[0]?.kind ?? 'outside',
        place.regions[0]?.frame ?? 0,
      );
    return pointerTo(region);
  }
  const kept = state.store.get(key);
  if (kept !== undefined) return kept;
  const region = place.regions[0];
  const content = region === undefined ? undefined : state.store.get(`${region.id}[]`);
  const global = key.startsWith('@') && region === undefined ? walk.program.globals.get(key.slice(1)) : undefined;
  if (
    global?.value !== undefined &&
    (global.constant || (walk.frame.function.name === 'main' && walk.frame.caller === null))
  ) {
    const { value: initial } = global;
    const value = walk.elsewhere(lookupLevels, () => walk.quietly(() => walk.evaluate(initial, new State(state))));
    if (value !== undefined) {
      const given = { ...value, type };
      state.store.set(key, given);
      return given;
    }
  }
  const outside =
    region === undefined ? Source.own : (region.source ?? (region.kind === 'outside' ? Source.parameter : Source.own));
  const source = Math.max(outside, content?.source ?? 0) as Source;
  const element = content !== undefined && type.kind === 'int' && type.char;
  return untouched(walk, key, region?.id ?? key.split('.')[0] ?? key, state, () => ({
    ...walk.fresh(type, source),
    elementOf: element ? content.number.symbol : undefined,
    uninitialised: content?.uninitialised ?? false,
  }));
}

/** Where an expression's value is kept. Going through a pointer, the rules hear of it. */
export function locate(walk: Walk, node: CNode, state: State, write = false): Place | undefined {
  switch (node.type) {
    case 'parenthesized_expression':
      return node.children[0] === undefined ? undefined : locate(walk, node.children[0], state, write);
    case 'identifier': {
      const variable = walk.lookup(walk.text(node));
      return variable === undefined ? undefined : { key: variable.key, type: variable.type, regions: [], variable };
    }
    case 'field_expression': {
      const base = child(node, 'argument');
      const field = child(node, 'field');
      if (base === undefined || field === undefined) return undefined;
      const name = walk.text(field);
      if (node.operator === '->') {
        const pointer = walk.evaluate(base, state);
        access(walk, node, base, pointer, null, null, write, state);
        const record = pointer.type.kind === 'pointer' ? pointer.type.to : unknownType;
        const { key, regions } = pointee(walk, pointer, constant(0));
        return { key: `${key}.${name}`, type: fieldOf(record, name), regions };
      }
      const place = locate(walk, base, state, write);
      if (place === undefined) {
        walk.evaluate(base, state);
        return undefined;
      }
      return { key: `${place.key}.${name}`, type: fieldOf(place.type, name), regions: place.regions };
    }
    case 'subscript_expression': {
      const base = child(node, 'argument');
      const index = child(node, 'index') ?? node.children[1];
      if (base === undefined || index === undefined) return undefined;
      const pointer = walk.evaluate(base, state);
      const at = walk.evaluate(index, state);
      return elementAt(walk, node, base, pointer, at, write, state);
    }
    case 'pointer_expression': {
      const base = child(node, 'argument');
      if (node.operator !== '*' || base === undefined) return undefined;
      return elementAt(walk, node, base, walk.evaluate(base, state), walk.constant(0), write, state);
    }
    default:
      return undefined;
  }
}

function elementAt(
  walk: Walk,
  node: CNode,
  base: CNode,
  pointer: Value,
  index: Value,
  write: boolean,
  state: State,
): Place {
  const to =
    pointer.type.kind === 'pointer' ? pointer.type.to : pointer.type.kind === 'array' ? pointer.type.of : unknownType;
  const bytes = bytesOf(walk, to);
  const offset = bytes === undefined ? null : scaleLinear(index.number, bytes);
  const moved = offset === null ? pointer : move(walk, pointer, offset, index.source, state);
  access(walk, node, base, moved, index, bytes === undefined ? null : constant(bytes), write, state);
  if (to.kind === 'int' && to.char) content(walk, pointer, state);
  const { key, regions } = pointee(walk, pointer, offset ?? index.number);
  return { key, type: to, regions };
}

function access(
  walk: Walk,
  node: CNode,
  base: CNode,
  pointer: Value,
  index: Value | null,
  bytes: Linear | null,
  write: boolean,
  state: State,
): void {
  walk.tell('access', { node, base, pointer, index, bytes, write, state });
}

/** A pointer some bytes further on. */
export function move(walk: Walk, pointer: Value, by: Linear, source: Source, state: State): Value {
  const unknown = pointer.targets.length === 0 && pointer.number.symbol !== 0;
  const from = unknown ? [{ region: outside(walk, pointer), offset: constant(0) }] : pointer.targets;
  const targets = from.map(({ region, offset }) => ({
    region,
    offset: walk.sum(offset, by, longType, source, state.facts),
  }));
  return { ...pointer, targets };
}

/** The memory that a pointer of unknown origin leads to. */
function outside(walk: Walk, pointer: Value): Region {
  const id = `*${pointer.number.symbol}`;
  let region = walk.outsides.get(id);
  if (region === undefined) {
    const { source } = pointer;
    const { node } = walk.frame.function;
    region = { id, kind: 'outside', source, size: null, type: unknownType, node, frame: 0 };
    walk.outsides.set(id, region);
  }
  return region;
}

function pointee(walk: Walk, pointer: Value, offset: Linear): { key: string; regions: Region[] } {
  const target = pointer.targets[0] ?? { region: outside(walk, pointer), offset: constant(0) };
  const { region } = target;
  const regions = pointer.targets.length === 0 ? [region] : pointer.targets.map(({ region: other }) => other);
  const total = addLinear(target.offset, offset);
  const whole = total !== null && total.symbol === 0 && total.offset === 0;
  const known = region.kind !== 'outside' || region.type.kind !== 'unknown';
  const scalar = region.kind !== 'heap' && region.kind !== 'literal' && region.type.kind !== 'array' && known;
  if (scalar && whole) return { key: region.id, regions };
  const at = total === null ? '?' : whole ? '0' : `${total.symbol}*${total.scale}+${total.offset}`;
  return { key: `${region.id}[${at}]`, regions };
}

/** A value as one of another type: in C, by assignment or cast. */
export function convert(walk: Walk, value: Value, type: CType, state: State): Value {
  if (type.kind === 'unknown' || type.kind === 'record')
    return value.type.kind === 'unknown' ? { ...value, type } : value;
  if (type.kind !== 'int' || value.type.kind === 'float') {
    if (type.kind === 'int') return walk.fresh(type, value.source);
    return { ...value, type };
  }
  const range = walk.range(value.number, state.facts);
  const full = rangeOf(type);
  if (range.lo >= full.lo && range.hi <= full.hi) return { ...value, type };
  const from = value.type.kind === 'int' ? value.type.bytes : 8;
  if (value.number.symbol !== 0 && from <= type.bytes) return { ...value, type };
  if (value.number.symbol === 0 && !type.signed && range.lo === range.hi)
    return walk.constant(range.lo < 0 ? full.hi + 1 + range.lo : range.lo % (full.hi + 1), type);
  // Another number, but the test of one is a test of the other, and what is cut off makes none greater that is not negative.
  const { origin, number } = value;
  const cut = walk.fresh(type, value.source, { origin });
  if (number.symbol !== 0 && number.scale === 1 && range.lo >= 0)
    state.facts.order(cut.number.symbol, number.symbol, number.offset);
  return origin === undefined ? cut : { ...cut, covers: coveredBy(value) };
}

export function assign(walk: Walk, place: Place, value: Value, node: CNode, target: CNode, state: State): Value {
  const converted = convert(walk, value, place.type, state);
  const old = state.store.get(place.key);
  // `p = NULL` behind `free(p)`.
  if (old !== undefined && walk.isNull(converted, state.facts) === 'yes' && isFreed(old, state)) {
    walk.matters(node);
    if (!walk.holds(node)) return converted;
  }
  if (old?.uninitialised && isDefault(node, converted)) {
    walk.matters(node);
    if (!walk.holds(node)) return converted;
  }
  walk.tell('assign', { node, target, key: place.key, value: converted, state });
  const [region] = place.regions;
  if (place.type.kind === 'record') forget(walk, place.key, state);
  if (region !== undefined && place.key.startsWith(`${region.id}[`))
    overwrite(walk, region, place.key, converted, state);
  const saved = place.variable?.region.kind === 'variable' ? savedBy(walk, node, state) : undefined;
  const kept = saved === undefined ? converted : { ...converted, saved };
  state.store.set(place.key, kept);
  const alias = walk.aliases.get(place.key);
  if (alias !== undefined) state.store.set(alias, converted);
  return converted;
}

// `else x = 0;` or `default: x = 0;`: what is left where nothing else gave a value.
function isDefault({ type, parent }: CNode, { number, targets }: Value): boolean {
  if (type !== 'assignment_expression' || parent?.type !== 'expression_statement') return false;
  if (number.symbol !== 0 || targets.length > 0) return false;
  const block = parent.parent?.type === 'compound_statement' ? parent.parent : parent;
  const around = block.parent;
  return around?.type === 'else_clause' || isDefaultCase(around) || isDefaultCase(parent.parent);
}

function isDefaultCase(node: CNode | null | undefined): boolean {
  return node?.type === 'case_statement' && child(node, 'value') === undefined;
}

// `next = p->next;`: once `p` is freed, nobody else has it.
function savedBy(walk: Walk, node: CNode, state: State): Saved | undefined {
  const from = child(node, 'right') ?? child(node, 'value');
  const base = from?.type === 'field_expression' && from.operator === '->' ? child(from, 'argument') : undefined;
  const variable = base?.type === 'identifier' ? walk.lookup(walk.text(base)) : undefined;
  const pointer = variable === undefined ? undefined : state.store.get(variable.key);
  if (pointer === undefined) return undefined;
  const id = pointer.targets[0]?.region.id ?? `*${pointer.number.symbol}`;
  return state.lives.get(id)?.endsWith('freed') ? undefined : { node, from: id };
}

function isFreed({ number, targets }: Value, { lives }: State): boolean {
  const ids = targets.length === 0 ? [`*${number.symbol}`] : targets.map(({ region }) => region.id);
  return ids.some((id) => lives.get(id)?.endsWith('freed'));
}

// Another element may be the one that is kept under another name.
function overwrite(walk: Walk, region: Region, key: string, value: Value, state: State): void {
  const [element, field] = parted(key, region.id);
  for (const other of [...state.store.keys()]) {
    if (!other.startsWith(`${region.id}[`) || other === `${region.id}[]`) continue;
    const [otherElement, otherField] = parted(other, region.id);
    // Another field is other memory, in whichever element.
    if (otherElement === element ? other === key : otherField === '' || field === '' || otherField === field)
      state.store.delete(other);
  }
  if (field !== '') return;
  renew(walk, region.id, state);
  const content = state.store.get(`${region.id}[]`);
  const source = Math.max(content?.source ?? 0, value.source) as Source;
  const lengthKey = `${region.id}#`;
  const length = state.store.get(lengthKey);
  const zero = value.number.symbol === 0 && value.number.offset === 0;
  if (zero && length === undefined) {
    state.store.set(
      lengthKey,
      walk.fresh(
        sizeType,
        Source.own,
        region.size === null ? {} : { range: { lo: 0, hi: walk.range(region.size, state.facts).hi - 1 } },
      ),
    );
  } else if (!zero && length !== undefined) state.store.delete(lengthKey);
  if (content === undefined || (content.uninitialised && !zero) || source !== content.source) {
    const parts = content === undefined ? [] : partsOf(content);
    state.store.set(`${region.id}[]`, { ...walk.fresh(value.type, source), parts: someOf(parts) });
  }
}

// `*7[0].name` is the element `*7[0]` and its field.
function parted(key: string, region: string): [element: string, field: string] {
  const at = key.indexOf(']', region.length) + 1;
  return [key.slice(0, at), key.slice(at)];
}

/** What a memory is said to hold: its text where that is known, else where it comes from. */
export interface Text {
  text?: string;
  source: Source;
  parts?: readonly number[];
  length?: Linear;
  characters?: bigint;
}

/** Sets what a memory's text is. */
export function setText(
  walk: Walk,
  region: Region,
  { text, source, parts = [], length, characters }: Text,
  state: State,
): void {
  forget(walk, `${region.id}`, state);
  const content: Value = {
    ...walk.fresh(charType, source),
    parts: someOf(parts),
    literalText: text,
  };
  if (characters !== undefined) state.facts.allow(content.number.symbol, characters);
  state.store.set(`${region.id}[]`, content);
  const size = length ?? (text === undefined ? undefined : constant(text.length));
  if (size !== undefined) state.store.set(`${region.id}#`, { ...walk.constant(0, sizeType), number: size });
}

/** What a pointer's memory holds, as text. */
export function content(walk: Walk, pointer: Value, state: State): Value {
  const [target] = pointer.targets;
  const id = target?.region.id ?? `*${pointer.number.symbol}`;
  const kept = state.store.get(`${id}[]`);
  if (kept !== undefined) return kept;
  const region = target?.region;
  if (region?.text !== undefined) return { ...walk.fresh(charType, Source.own), literalText: region.text };
  const source =
    region === undefined
      ? pointer.source
      : (region.source ?? (region.kind === 'outside' ? Source.parameter : Source.own));
  return untouched(walk, `${id}[]`, id, state, () => walk.fresh(charType, source));
}

/** The length of the text that a pointer leads to. */
export function length(walk: Walk, pointer: Value, state: State): Linear {
  const [target] = pointer.targets;
  const id = target?.region.id ?? `*${pointer.number.symbol}`;
  if (target?.region.text !== undefined) {
    return (
      addLinear(constant(target.region.text.length), scaleLinear(target.offset, -1)) ??
      constant(target.region.text.length)
    );
  }
  // What is in memory already is no number that somebody chose.
  const source = Math.min(content(walk, pointer, state).source, Source.parameter) as Source;
  const kept =
    state.store.get(`${id}#`) ??
    untouched(walk, `${id}#`, id, state, () => walk.fresh(sizeType, source, { range: { lo: 0, hi: 2 ** 62 } }));
  if (target === undefined) return kept.number;
  return addLinear(kept.number, scaleLinear(target.offset, -1)) ?? kept.number;
}

/** An unknown function may keep what it is given, and write to it. */
export function giveAway(walk: Walk, args: readonly Argument[], state: State): void {
  for (const { value } of args) {
    for (const { region } of value.targets) {
      if (state.lives.get(region.id) === 'live') state.lives.set(region.id, 'given away');
      if (region.kind !== 'literal') forget(walk, region.id, state);
    }
  }
}

function fieldOf(type: CType, name: string): CType {
  return type.kind === 'record' ? (type.fields?.get(name) ?? unknownType) : unknownType;
}
