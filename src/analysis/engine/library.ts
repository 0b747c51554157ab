import { names } from '../names.js';
import { settle, unclosed } from './duties.js';
import { print, scan } from './formats.js';
import { allocation, freed, isExit, keepsNothing, makes, nullable } from './functions.js';
import { isFallible, leaveDuties, opens, unfilled } from './results.js';
import type { Argument, CallEvent } from './rule.js';
import { partsOf } from './symbols.js';
import {
  appendText,
  charPointer,
  contentSource,
  copyText,
  fill,
  isZero,
  leaveOpen,
  lengthUpTo,
  readInto,
  sum,
  textFrom,
  within,
} from './texts.js';
import { type CType, charType, intType, longType, sizeType, unknownType } from './types.js';
import {
  addLinear,
  constant,
  type Linear,
  type Origin,
  type Region,
  Source,
  type State,
  scaleLinear,
  type Value,
} from './values.js';
import type { Walk } from './walk.js';

const voidPointer: CType = { kind: 'pointer', to: { kind: 'void' } };

/** What a library function does, gives and leaves to do; undefined for one that is not known. */
export function applyLibrary(walk: Walk, event: CallEvent): Value | undefined {
  const filled = unfilled(event);
  let result = model(walk, event);
  if (result === undefined && isFallible(event.name)) {
    walk.escape(event.arguments, event.state);
    result = walk.fresh(intType, Source.own, { origin: { node: event.node, callee: event.name } });
  }
  // Who keeps a handle may close it.
  if (!keepsNothing(event.name)) for (const { value } of event.arguments) settle(unclosed, value, event.state);
  if (result !== undefined) leaveDuties(walk, event, result, filled);
  return result;
}

function model(walk: Walk, event: CallEvent): Value | undefined {
  const { node, name, arguments: args, state } = event;
  const value = (i: number): Value | undefined => args[i]?.value;
  const origin: Origin = { node, callee: name };
  if (isExit(name)) {
    state.dead = true;
    return walk.constant(0);
  }
  const sizes = allocation(name);
  if (sizes !== undefined) return allocate(walk, event, sizes);
  if (makes(name)) return heap(walk, event, null, true);
  const released = freed(name);
  if (released !== undefined) {
    const pointer = value(released);
    // A defence only where something would be lost.
    const kept = pointer?.targets.some(({ region }) => state.lives.get(region.id) === 'live') ?? false;
    if (kept) walk.matters(node);
    if (pointer !== undefined && (!kept || walk.holds(node))) release(walk, pointer, state);
    return walk.constant(0);
  }
  switch (name) {
    case 'strlen':
    case 'wcslen': {
      const text = value(0);
      if (text === undefined) return undefined;
      return {
        ...walk.constant(0, sizeType),
        number: walk.length(text, state),
        source: walk.content(text, state).source,
        origin,
      };
    }
    case 'operator>>': {
      const target = value(0);
      if (target !== undefined) readInto(walk, target, origin, state);
      return walk.fresh(unknownType, Source.own, { origin });
    }
    case 'unique_ptr': {
      // It frees what it is given, wherever its block is left.
      const given = value(0);
      if (given === undefined || !walk.holds(node)) return given;
      for (const { region } of given.targets) state.lives.set(region.id, 'given away');
      return given;
    }
    case 'strdup':
    case 'strndup':
    case 'xstrdup': {
      const text = value(0);
      if (text === undefined) return undefined;
      const length = walk.length(text, state);
      const copy = heap(walk, event, addLinear(length, constant(1)), name !== 'xstrdup');
      copyText(walk, copy, text, length, state);
      return copy;
    }
    case 'getenv':
      return textFrom(walk, event, Source.parameter, { nullable: 'maybe' });
    case 'fgets':
    case 'gets': {
      const [buffer, size] = [value(0), value(1)];
      const most = size === undefined ? Infinity : walk.range(size.number, state.facts).hi - 1;
      if (buffer !== undefined) fill(walk, buffer, state, { lo: 0, hi: name === 'gets' ? Infinity : most });
      return {
        ...walk.fresh(charPointer, Source.input, { nullable: 'maybe', origin, targets: buffer?.targets ?? [] }),
      };
    }
    case 'scanf':
    case 'fscanf':
    case 'sscanf':
    case '__isoc99_scanf':
      return scan(walk, event, /^(fscanf|sscanf)$/.test(name) ? 1 : 0);
    case 'read':
    case 'recv':
    case 'recvfrom':
    case 'fread':
    case 'readlink':
    case 'pread': {
      const buffer = name === 'fread' ? value(0) : value(1);
      const most = value(2);
      if (buffer !== undefined) {
        const zeroed = isZero(walk, buffer, most, state);
        fill(walk, buffer, state, null);
        if (!zeroed && buffer.targets[0]?.region.kind !== 'global') leaveOpen(buffer, origin, state);
      }
      const count = walk.fresh(name === 'fread' ? sizeType : longType, Source.input, {
        range: {
          lo: name === 'fread' ? 0 : -1,
          hi: most === undefined ? Infinity : walk.range(most.number, state.facts).hi,
        },
        origin,
      });
      if (most !== undefined && most.number.symbol !== 0 && most.number.scale === 1)
        state.facts.order(count.number.symbol, most.number.symbol, most.number.offset);
      return count;
    }
    case 'fgetc':
    case 'getc':
    case 'getchar':
      return walk.fresh(intType, Source.input, { range: { lo: -1, hi: 255 }, origin });
    case 'atoi':
      return walk.fresh(intType, contentSource(walk, value(0), state), { origin });
    case 'atol':
    case 'atoll':
    case 'strtol':
    case 'strtoll':
    case 'strtoul':
    case 'strtoull': {
      const end = value(1)?.targets[0]?.region;
      const text = value(0);
      if (end !== undefined && text !== undefined)
        state.store.set(end.id, walk.fresh(charPointer, Source.own, { nullable: 'no', targets: text.targets }));
      return walk.fresh(
        name.includes('u') && name !== 'atoll' && /strtoul/.test(name) ? sizeType : longType,
        contentSource(walk, text, state) === Source.own ? Source.own : Source.input,
        { origin },
      );
    }
    case 'rand':
    case 'random':
      return walk.fresh(intType, Source.own, { range: { lo: 0, hi: 2 ** 31 - 1 }, origin });
    case 'abs':
      return walk.fresh(intType, value(0)?.source ?? Source.own, { range: { lo: 0, hi: 2 ** 31 - 1 }, origin });
    case 'strcpy':
    case 'stpcpy':
    case 'strncpy':
    case 'strlcpy': {
      const [to, from, limit] = [value(0), value(1), value(2)];
      if (to === undefined || from === undefined) return undefined;
      const length = walk.length(from, state);
      const most = limit === undefined ? undefined : walk.range(limit.number, state.facts).hi;
      const known = most === undefined || walk.range(length, state.facts).hi <= most;
      const zeroed = isZero(walk, to, limit, state);
      copyText(walk, to, from, known ? length : lengthUpTo(walk, most as number), state);
      if (name === 'strncpy' && walk.range(length, state.facts).hi >= (most ?? Infinity) && !zeroed)
        leaveOpen(to, origin, state);
      return { ...to, number: to.number };
    }
    case 'strcat':
    case 'strncat':
    case 'strlcat': {
      const [to, from, limit] = [value(0), value(1), value(2)];
      if (to === undefined || from === undefined) return undefined;
      const before = walk.length(to, state);
      const added =
        limit === undefined
          ? walk.length(from, state)
          : lengthUpTo(
              walk,
              Math.min(walk.range(limit.number, state.facts).hi, walk.range(walk.length(from, state), state.facts).hi),
            );
      appendText(
        walk,
        to,
        [walk.content(to, state), walk.content(from, state)],
        sum(walk, before, added, state),
        state,
      );
      return to;
    }
    case 'sprintf':
    case 'snprintf':
    case 'vsnprintf':
    case 'vsprintf':
      return print(walk, event, /snprintf$/.test(name));
    case 'memcpy':
    case 'memmove':
    case 'mempcpy': {
      const [to, from] = [value(0), value(1)];
      if (to === undefined || from === undefined) return undefined;
      const target = to.targets[0];
      if (target !== undefined) {
        const content = walk.content(from, state);
        walk.setText(
          target.region,
          {
            source: Math.max(content.source, from.source === Source.input ? Source.input : 0) as Source,
            parts: partsOf(content),
          },
          state,
        );
      }
      return to;
    }
    case 'memset':
    case 'bzero':
    case 'explicit_bzero': {
      const to = value(0);
      const target = to?.targets[0];
      const byte = name === 'memset' ? value(1) : walk.constant(0);
      const offset = target?.offset;
      if (
        target !== undefined &&
        byte?.number.symbol === 0 &&
        byte.number.offset === 0 &&
        offset?.symbol === 0 &&
        offset.offset === 0
      ) {
        // A defence only where nothing was in it.
        if (state.store.get(target.region.id)?.uninitialised && !walk.holds(node)) return to;
        walk.setText(target.region, { source: Source.own, length: constant(0) }, state);
        state.store.set(target.region.id, { ...walk.fresh(target.region.type, Source.own) });
      } else if (target !== undefined) walk.setText(target.region, { source: Source.own }, state);
      return to;
    }
    case 'strchr':
    case 'strrchr':
    case 'strstr':
    case 'strpbrk':
    case 'memchr':
    case 'strcasestr': {
      const text = value(0);
      if (text === undefined) return undefined;
      return within(walk, text, 'maybe', origin, state);
    }
    case 'strtok':
    case 'strtok_r':
    case 'strsep': {
      const text = value(0);
      return textFrom(walk, event, text === undefined ? Source.parameter : contentSource(walk, text, state), {
        nullable: 'maybe',
      });
    }
    case 'strspn':
    case 'strcspn': {
      const text = value(0);
      if (text === undefined) return undefined;
      const length = walk.length(text, state);
      const result = walk.fresh(sizeType, Source.own, {
        range: { lo: 0, hi: walk.range(length, state.facts).hi },
        origin,
      });
      if (length.symbol !== 0 && length.scale === 1)
        state.facts.order(result.number.symbol, length.symbol, length.offset);
      return result;
    }
    case 'fopen':
    case 'fdopen':
    case 'popen':
    case 'freopen':
    case 'tmpfile':
    case 'opendir':
    case 'realpath':
    case 'localtime':
    case 'gmtime':
    case 'getpwnam':
    case 'readdir': {
      const result = walk.fresh({ kind: 'pointer', to: { kind: 'unknown', name: 'FILE' } }, Source.own, {
        nullable: 'maybe',
        origin,
      });
      return name === 'realpath' ? { ...result, ...resolvePath(walk, event) } : result;
    }
    case 'htons':
    case 'htonl':
      return walk.fresh(intType, Source.own, { origin });
    case 'ntohs':
    case 'be16toh':
      return walk.fresh({ kind: 'int', bytes: 2, signed: false, char: false }, Source.input, { origin });
    case 'ntohl':
    case 'be32toh':
      return walk.fresh({ kind: 'int', bytes: 4, signed: false, char: false }, Source.input, { origin });
    case 'sizeof':
      return undefined;
  }
  if (opens.test(name)) return walk.fresh(intType, Source.own, { range: { lo: -1, hi: 2 ** 31 - 1 }, origin });
  if (checked.test(name)) {
    const out = args.find(({ value }) => value.targets.length > 0)?.value.targets[0];
    if (out !== undefined) state.store.set(out.region.id, walk.fresh(out.region.type, Source.own, { origin }));
    return walk.fresh(intType, Source.own, { range: { lo: 0, hi: 1 }, origin });
  }
  if (!keepsNothing(name) && !ofCharacters.test(name)) return undefined;
  // What is given by address is what the function writes its results to.
  if (!ofText.test(name)) {
    for (const { value } of args) {
      const region = value.targets[0]?.region;
      if (region?.kind !== 'variable' || region.type.kind === 'array') continue;
      walk.forget(region.id, state);
      state.store.set(region.id, walk.fresh(region.type, Source.own, { origin }));
    }
  }
  const returnsPointer = nullable.has(name);
  return walk.fresh(unknownType, Source.own, { origin, nullable: returnsPointer ? 'maybe' : undefined });
}

function allocate(walk: Walk, event: CallEvent, sizes: readonly number[]): Value {
  const { name, arguments: all, state } = event;
  const args = all.map((argument) => withoutEnd(walk, argument));
  let bytes: Linear | null = constant(1);
  for (const i of sizes) {
    const size = args[i]?.value;
    if (size === undefined) bytes = null;
    else if (bytes !== null) {
      const whole: Linear = bytes;
      bytes =
        whole.symbol === 0
          ? scaleLinear(size.number, whole.offset)
          : size.number.symbol === 0
            ? scaleLinear(whole, size.number.offset)
            : null;
    }
  }
  const old = /^realloc/.test(name) ? args[0]?.value : undefined;
  const result = heap(walk, event, bytes, !/^(xmalloc|g_malloc|alloca|operator new(\[\])?( 0)?)$/.test(name));
  if (name === 'alloca') for (const { region } of result.targets) state.lives.set(region.id, 'given away');
  const region = result.targets[0]?.region as Region;
  if (old === undefined) {
    state.store.set(`${region.id}[]`, {
      ...walk.fresh(charType, Source.own),
      uninitialised: !/calloc|zalloc|mallocz| 0$/.test(name),
    });
    if (/calloc|zalloc|mallocz/.test(name)) state.store.set(`${region.id}#`, walk.constant(0, sizeType));
  } else {
    const content = walk.content(old, state);
    state.store.set(`${region.id}[]`, content);
    const moved = old.targets.map((target) => target.region.id).filter((id) => state.lives.get(id) === 'live');
    for (const id of moved) state.lives.set(id, 'maybe freed');
    walk.moved.set(result.number.symbol, moved);
  }
  return result;
}

// `malloc(length + 1)`: the room for the zero.
function withoutEnd(walk: Walk, { node, value }: Argument): Argument {
  const { number } = value;
  const added =
    node.type === 'binary_expression' && node.operator === '+' && number.symbol !== 0 && number.offset === 1;
  if (!added) return { node, value };
  walk.matters(node);
  if (walk.holds(node)) return { node, value };
  return { node, value: { ...value, number: { ...number, offset: 0 } } };
}

function heap(walk: Walk, event: CallEvent, size: Linear | null, mayFail: boolean): Value {
  const { node, name, state } = event;
  const id = `heap${node.start}~${walk.frame.id}`;
  const region: Region = { id, kind: 'heap', size, type: unknownType, node, frame: walk.frame.id };
  walk.forget(id, state);
  state.lives.set(id, 'live');
  return walk.fresh(voidPointer, Source.own, {
    nullable: mayFail ? 'maybe' : 'no',
    origin: { node, callee: name },
    targets: [{ region, offset: constant(0) }],
  });
}

function release(walk: Walk, pointer: Value, state: State): void {
  if (walk.isNull(pointer, state.facts) === 'yes') return;
  for (const { region } of pointer.targets) {
    if (region.kind === 'variable') continue;
    state.lives.set(region.id, pointer.targets.length > 1 ? 'maybe freed' : 'freed');
  }
  if (pointer.targets.length === 0 && pointer.number.symbol !== 0)
    state.lives.set(`*${pointer.number.symbol}`, 'freed');
}

// Into the memory that it is given, or into some of its own.
function resolvePath(walk: Walk, event: CallEvent): Partial<Value> {
  const { arguments: args, state } = event;
  const [from, to] = [args[0]?.value, args[1]?.value];
  if (from === undefined || to === undefined) return {};
  const own = walk.isNull(to, state.facts) === 'yes' ? heap(walk, event, null, true) : undefined;
  const target = (own ?? to).targets[0];
  if (target === undefined) return {};
  const content = walk.content(from, state);
  walk.setText(target.region, { source: content.source, parts: partsOf(content) }, state);
  const resolved = state.store.get(`${target.region.id}[]`);
  if (resolved !== undefined) state.facts.mark(`resolved:${resolved.number.symbol}`);
  return own === undefined ? {} : { number: own.number, targets: own.targets };
}

const checked = names(/^__builtin_(add|sub|mul)_overflow$|^ckd_(add|sub|mul)$/);
const ofCharacters = names(/^(is|to)[a-z]+$/);
const ofText = names(/^(str|mem|v?f?printf|f?puts|is|to|ato)/);
