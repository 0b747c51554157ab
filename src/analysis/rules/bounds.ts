import type { CNode } from '../c/syntax.js';
import { conversions, formatted } from '../engine/formats.js';
import type { CallEvent, RuleFamily } from '../engine/rule.js';
import { sizeType } from '../engine/types.js';
import { addLinear, constant, type Linear, Source, type State, type Target, type Value } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';

/** Accesses and copies against the size of the memory: declared, allocated, or what a bound was tested for. */
export const bounds: RuleFamily = {
  rules: [
    {
      id: 'write-outside',
      cwe: 'CWE-787',
      kind: 'bounds',
      finds: 'an element written outside its array or allocation, or at an untested index from outside',
      discharge: 'tests of the index against both ends',
    },
    {
      id: 'read-outside',
      cwe: 'CWE-125',
      kind: 'bounds',
      finds: 'an element read outside its array or allocation, or at an untested index from outside',
      discharge: 'tests of the index against both ends',
    },
    {
      id: 'copy-outside',
      cwe: 'CWE-787',
      kind: 'length',
      finds: 'a copy of more bytes than the destination has, or of an untested number of bytes from outside',
      discharge: 'a test of the length; the size of the destination as length',
    },
    {
      id: 'text-overflow',
      cwe: 'CWE-120',
      kind: 'bounded copy',
      finds: 'text written to a buffer that it need not fit: strcpy, strcat, sprintf, scanf("%s"), gets',
      discharge: 'a test of the text’s length; a buffer made for it; a call that takes the buffer’s size',
    },
  ],

  access(walk, { node, pointer, index, bytes, write, state }) {
    const rule = write ? 'write-outside' : 'read-outside';
    const sized = bytes === null ? [] : pointer.targets.filter(({ region }) => region.size !== null);
    for (const target of sized) check(walk, rule, node, target, bytes as Linear, state);
    if (sized.length === 0 && index !== null) untested(walk, rule, node, pointer, index.number, state);
  },

  call(walk, event) {
    const { node, name, arguments: args, state } = event;
    const [a, b, c] = args.map(({ value }) => value);
    switch (name) {
      case 'memcpy':
      case 'memmove':
        if (b !== undefined && c !== undefined) copy(walk, node, b, c, false, state);
        if (a !== undefined && c !== undefined) copy(walk, node, a, c, true, state);
        return;
      case 'memset':
      case 'read':
      case 'recv': {
        const to = name === 'memset' ? a : b;
        if (to !== undefined && c !== undefined) copy(walk, node, to, c, true, state);
        return;
      }
      case 'fgets':
        if (a !== undefined) copy(walk, node, a, b ?? walk.constant(0), true, state);
        // The safe form: without it the line would be as long as the input likes.
        if (args[2] !== undefined && walk.text(args[2].node) === 'stdin' && !walk.holds(node))
          walk.report('text-overflow', node, 'gets reads a line of any length');
        return;
      case 'strncpy':
      case 'strlcpy':
        if (a === undefined || c === undefined) return;
        copy(walk, node, a, c, true, state);
        if (b !== undefined && !walk.holds(node)) text(walk, node, a, b, walk.length(b, state), state);
        return;
      case 'fread':
        if (a !== undefined && b !== undefined && c !== undefined && b.number.symbol === 0) {
          copy(
            walk,
            node,
            a,
            {
              ...c,
              number: {
                ...c.number,
                scale: c.number.scale * b.number.offset,
                offset: c.number.offset * b.number.offset,
              },
            },
            true,
            state,
          );
        }
        return;
      case 'strncat':
        if (a !== undefined && c !== undefined) {
          const most = addLinear(walk.length(a, state), addLinear(c.number, constant(1)) ?? c.number);
          if (most !== null) copy(walk, node, a, { ...c, number: most }, true, state);
          if (b !== undefined && !walk.holds(node)) append(walk, node, a, b, state);
        }
        return;
      case 'strcpy':
      case 'stpcpy':
        if (a !== undefined && b !== undefined) text(walk, node, a, b, walk.length(b, state), state);
        return;
      case 'strcat':
        if (a !== undefined && b !== undefined) append(walk, node, a, b, state);
        return;
      case 'gets':
        walk.report('text-overflow', node, 'gets reads a line of any length');
        return;
      case 'sprintf':
        print(walk, event, args[1]?.node, 2);
        return;
      case 'snprintf':
        if (a !== undefined && b !== undefined) {
          copy(walk, node, a, b, true, state);
          if (!walk.holds(node)) print(walk, event, args[2]?.node, 3);
        }
        return;
      case 'scanf':
        scan(walk, event, 0);
        return;
      case 'fscanf':
      case 'sscanf':
        scan(walk, event, 1);
    }
  },
};

function untested(walk: Walk, rule: string, node: CNode, pointer: Value, index: Linear, state: State): void {
  if (index.symbol === 0) return;
  const { lo, hi } = walk.range(index, state.facts);
  if (lo < 0 && lo > -1024) {
    walk.report(rule, node, 'this may be before the start');
    return;
  }
  if (walk.sourceOf(index) === Source.own) return;
  const region = pointer.targets[0]?.region;
  if (region !== undefined && isInText(region, index, state)) return;
  const bounded = hi < 2 ** 31 - 1 + index.offset || state.facts.orders.some(({ a }) => a === index.symbol);
  if (!bounded) walk.report(rule, node, 'the index comes from outside, and nothing bounds it');
  // Of a type that is declared elsewhere nobody knows.
  else if (lo < 0 && Number.isFinite(lo)) walk.report(rule, node, 'the index comes from outside, and may be negative');
}

// A text's own length leads to its end.
function isInText({ id }: Target['region'], { symbol, scale, offset }: Linear, { store }: State): boolean {
  const length = store.get(`${id}#`)?.number;
  return length?.symbol === symbol && symbol !== 0 && scale === 1 && offset <= length.offset;
}

/** Whether `offset + bytes` stays inside, as far as one can know; reports where it need not. */
function check(walk: Walk, rule: string, node: CNode, { region, offset }: Target, bytes: Linear, state: State): void {
  const { size } = region;
  if (size === null) return;
  const end = addLinear(offset, bytes);
  const range = walk.range(offset, state.facts);
  if (range.lo < 0) {
    if (
      offset.symbol === 0 ||
      (range.lo > -(2 ** 30) && Number.isFinite(range.lo)) ||
      walk.sourceOf(offset) !== Source.own
    ) {
      walk.report(
        rule,
        node,
        `${offset.symbol === 0 ? 'this is' : 'this may be'} before the start of ${name(walk, region)}`,
      );
      return;
    }
  }
  if (end === null || walk.atMost(end, size, state.facts) || isInText(region, offset, state)) return;
  const [last, room] = [walk.range(end, state.facts), walk.range(size, state.facts)];
  const unlimited = walk.counts(offset) && walk.symbolRange(offset.symbol, state.facts).hi >= 2 ** 31 - 1;
  if (size.symbol !== 0 && region.kind === 'outside') {
    counted(walk, rule, node, region, offset, end, unlimited, state);
    return;
  }
  // Text is read up to its end.
  const text = region.type.kind === 'array' && region.type.of.kind === 'int' && region.type.of.char;
  const ends = state.facts.orders.some(({ a }) => a === offset.symbol);
  if (unlimited && size.symbol === 0 && (rule === 'write-outside' || (!text && !ends))) {
    walk.report(rule, node, `nothing keeps the counter inside ${name(walk, region)}`);
    return;
  }
  const certain =
    last.lo > room.hi || (end.symbol === size.symbol && end.scale === size.scale && end.offset > size.offset);
  if (certain) walk.report(rule, node, `this is behind the end of ${name(walk, region)}`);
  else if (
    size.symbol === 0 &&
    (bounded(walk, end, state) || walk.sourceOf(offset) !== Source.own) &&
    last.hi > room.hi
  ) {
    walk.report(rule, node, `this may be behind the end of ${name(walk, region)}, which has ${room.hi} bytes`);
  }
}

/** The same in memory of which the caller says how much it is. */
function counted(
  walk: Walk,
  rule: string,
  node: CNode,
  region: Target['region'],
  offset: Linear,
  end: Linear,
  unlimited: boolean,
  state: State,
): void {
  const size = region.size as Linear;
  const orders = state.facts.orders.filter(({ a }) => a === offset.symbol);
  const compared = orders.some(({ b }) => b === size.symbol);
  const behind = end.symbol === size.symbol && end.scale === size.scale && end.offset > size.offset;
  const untested = orders.length === 0 && (unlimited || walk.sourceOf(offset) !== Source.own);
  // What is tested against this very size, and yet gets behind it, is off by little.
  if (offset.symbol === 0 || compared || behind || untested)
    walk.report(rule, node, 'nothing says that there is so much');
}

// Something was tested or counted: the number's end is no mere end of its type.
function bounded(walk: Walk, { symbol, scale, offset }: Linear, state: State): boolean {
  const { hi } = walk.symbolRange(symbol, state.facts);
  return hi < 2 ** 31 - 1 && Number.isFinite(hi * scale + offset);
}

function name(walk: Walk, region: Target['region']): string {
  return region.kind === 'outside'
    ? 'what the caller gave'
    : region.kind === 'heap'
      ? 'the allocation'
      : region.kind === 'literal'
        ? 'the literal'
        : walk.text(region.node).split(/[\s[=]/)[0] || 'it';
}

function copy(walk: Walk, node: CNode, pointer: Value, count: Value, write: boolean, state: State): void {
  for (const { region, offset } of pointer.targets) {
    const { size } = region;
    if (size === null) continue;
    const end = addLinear(offset, count.number);
    if (end !== null && walk.atMost(end, size, state.facts)) continue;
    const [length, room] = [walk.range(count.number, state.facts), walk.range(size, state.facts)];
    const start = walk.range(offset, state.facts).lo;
    const certain = length.lo + Math.max(start, 0) > room.hi;
    const outside = walk.sourceOf(count.number) !== Source.own || count.source !== Source.own;
    const counted = count.number.symbol !== 0 && bounded(walk, count.number, state);
    const same = end !== null && end.symbol === size.symbol && end.scale === size.scale && end.offset > size.offset;
    if (certain || same || ((outside || counted) && length.hi > room.hi - Math.max(start, 0) && size.symbol === 0)) {
      walk.report(
        write ? 'copy-outside' : 'read-outside',
        node,
        `${write ? 'more may be written than' : 'more may be read than'} ${name(walk, region)} has`,
      );
      return;
    }
    const orders = state.facts.orders.filter(({ a }) => a === count.number.symbol);
    const little = region.kind === 'outside' && (orders.length === 0 || orders.some(({ b }) => b === size.symbol));
    if (outside && size.symbol !== 0 && (little || (length.hi >= 2 ** 31 - 1 && orders.length === 0))) {
      walk.report(
        write ? 'copy-outside' : 'read-outside',
        node,
        'the length comes from outside, and nothing bounds it',
      );
      return;
    }
  }
}

function text(walk: Walk, node: CNode, to: Value, from: Value, length: Linear, state: State): void {
  for (const { region, offset } of to.targets) {
    const { size } = region;
    if (size === null) continue;
    const end = addLinear(addLinear(length, offset) ?? length, constant(1)) ?? length;
    if (walk.atMost(end, size, state.facts)) continue;
    const [last, room] = [walk.range(end, state.facts), walk.range(size, state.facts)];
    const source = walk.content(from, state).source;
    const same = end.symbol === size.symbol && end.scale === size.scale;
    if (
      last.lo > room.hi ||
      same ||
      (last.hi > room.hi && size.symbol === 0 && (source !== Source.own || last.hi < 2 ** 31))
    ) {
      walk.report('text-overflow', node, `the text need not fit ${name(walk, region)}`);
      return;
    }
  }
}

function append(walk: Walk, node: CNode, to: Value, from: Value, state: State): void {
  const [before, added] = [walk.length(to, state), walk.length(from, state)];
  text(walk, node, to, from, walk.sum(before, added, sizeType, Source.own, state.facts), state);
}

function print(
  walk: Walk,
  { node, arguments: args, state }: CallEvent,
  formatNode: CNode | undefined,
  first: number,
): void {
  const to = args[0]?.value;
  if (to === undefined || formatNode === undefined) return;
  const given = args.find(({ node }) => node === formatNode)?.value;
  const format =
    walk.stringOf(formatNode) ?? (given === undefined ? undefined : walk.content(given, state).literalText);
  if (format === undefined) return;
  const { length, parts } = formatted(walk, format, args.slice(first), state);
  for (const { region, offset } of to.targets) {
    if (region.size === null) continue;
    const room = walk.range(region.size, state.facts).hi - Math.max(0, walk.range(offset, state.facts).lo);
    const strings = conversions(format).some(({ letter }) => letter === 's');
    const outside = parts.some(({ source }) => source !== Source.own);
    if (
      length.lo + 1 > room ||
      (length.hi + 1 > room && strings && region.size.symbol === 0 && (outside || Number.isFinite(length.hi)))
    ) {
      walk.report('text-overflow', node, `the text need not fit ${name(walk, region)}`);
    }
  }
}

function scan(walk: Walk, { node, arguments: args, state }: CallEvent, formatAt: number): void {
  const format = args[formatAt] === undefined ? undefined : walk.stringOf(args[formatAt].node);
  if (format === undefined) return;
  let at = formatAt + 1;
  for (const { letter, width, suppressed } of conversions(format, true)) {
    if (suppressed) continue;
    const target = args[at++];
    if (target === undefined) continue;
    if (!/[s[]/.test(letter)) {
      const { type, targets } = target.value;
      const bytes =
        type.kind === 'pointer' && /^(int|float)$/.test(type.to.kind) ? (type.to as { bytes: number }).bytes : 1;
      for (const to of targets) check(walk, 'write-outside', node, to, constant(bytes), state);
      continue;
    }
    const region = target.value.targets[0]?.region;
    const room =
      region?.size === undefined || region.size === null ? Infinity : walk.range(region.size, state.facts).hi;
    if (width === null) walk.report('text-overflow', node, `%${letter} without a width reads a word of any length`);
    else if (width + 1 > room)
      walk.report(
        'text-overflow',
        node,
        `%${width}${letter} needs ${width + 1} bytes, ${walk.text(target.node)} has ${room}`,
      );
    // The safe form: without its width it would read a word of any length.
    else if (!walk.holds(node)) walk.report('text-overflow', node, `%${letter} reads a word of any length`);
  }
}
