import { type CNode, child } from '../c/syntax.js';
import { settle, unclosed } from './duties.js';
import { isFallible, leaveDuties, opens, unfilled } from './results.js';
import type { Argument, CallEvent } from './rule.js';
import { partsOf, partsOfAll } from './symbols.js';
import { type CType, charType, intType, longType, sizeType, unknownType } from './types.js';
import {
  addLinear,
  characterSet,
  constant,
  type Linear,
  type Origin,
  type Range,
  type Region,
  Source,
  type State,
  scaleLinear,
  type Value,
} from './values.js';
import type { Walk } from './walk.js';

export function isExit(name: string): boolean {
  return /^(exit|_exit|_Exit|quick_exit|abort|longjmp|err|errx|verr|verrx|pthread_exit|__builtin_unreachable)$/.test(
    name,
  );
}

const charPointer: CType = { kind: 'pointer', to: charType };
const voidPointer: CType = { kind: 'pointer', to: { kind: 'void' } };

/** Which arguments a function reads or writes through. */
export function dereferencedBy(name: string): readonly number[] {
  return Object.hasOwn(dereferenced, name) ? (dereferenced[name] as readonly number[]) : [];
}

const dereferenced: Readonly<Record<string, readonly number[]>> = {
  strlen: [0],
  strcpy: [0, 1],
  strcat: [0, 1],
  strcmp: [0, 1],
  strncmp: [0, 1],
  strcasecmp: [0, 1],
  strncasecmp: [0, 1],
  memcpy: [0, 1],
  memmove: [0, 1],
  memset: [0],
  memcmp: [0, 1],
  strncpy: [0, 1],
  strncat: [0, 1],
  strchr: [0],
  strrchr: [0],
  strstr: [0, 1],
  strspn: [0, 1],
  strcspn: [0, 1],
  strpbrk: [0, 1],
  strdup: [0],
  strndup: [0],
  strtok: [1],
  sprintf: [0],
  snprintf: [],
  fread: [0, 3],
  fwrite: [0, 3],
  fgets: [0, 2],
  fputs: [0, 1],
  puts: [0],
  fclose: [0],
  fscanf: [0],
  fprintf: [0],
  fgetc: [0],
  getc: [0],
  fputc: [1],
  putc: [1],
  fseek: [0],
  ftell: [0],
  rewind: [0],
  feof: [0],
  ferror: [0],
  pclose: [0],
  atoi: [0],
  atol: [0],
  atoll: [0],
  atof: [0],
  strtol: [0],
  strtoul: [0],
  strtoll: [0],
  strtoull: [0],
  strtod: [0],
  sscanf: [0],
  readdir: [0],
  closedir: [0],
  gets: [0],
  getline: [2],
  strlcpy: [0, 1],
  strlcat: [0, 1],
  stpcpy: [0, 1],
  opendir: [0],
};

/** Functions that give null where they fail. */
export const nullable: ReadonlySet<string> = new Set(
  (
    'malloc calloc realloc reallocarray strdup strndup aligned_alloc fopen fdopen popen freopen tmpfile opendir getenv strchr strrchr ' +
    'strstr strpbrk strtok strtok_r memchr localtime gmtime getpwnam getpwuid gethostbyname bsearch fgets realpath dlopen dlsym readdir ' +
    'kmalloc kzalloc kcalloc vmalloc g_try_malloc av_malloc av_mallocz mmap_or_null setlocale'
  ).split(' '),
);

/** Whether the name of a function of which nothing else is known says that it gives null where it fails. */
export function mayGiveNull(name: string): boolean {
  return (
    /(^|_)([kvz]?[mc]?alloc(ate)?|[km]?zalloc|new|create|dup|clone|find|lookup|search)(_\w+)?$|(Alloc|New|Create|Dup|Clone|Find|Lookup)$/.test(
      name,
    ) && !/^x[a-z]|^g_|nofail|safe|must|check/i.test(name)
  );
}

const allocators: Readonly<Record<string, readonly number[]>> = {
  malloc: [0],
  calloc: [0, 1],
  kmalloc_array: [0, 1],
  aligned_alloc: [1],
  kmalloc: [0],
  kzalloc: [0],
  kcalloc: [0, 1],
  vmalloc: [0],
  xmalloc: [0],
  av_malloc: [0],
  av_mallocz: [0],
  g_malloc: [0],
  alloca: [0],
};

/** The sizes that an allocation is made of; undefined for a function that is none. */
export function allocation(name: string): readonly number[] | undefined {
  if (name.startsWith('operator new')) return name.startsWith('operator new[]') ? [0, 1] : [0];
  return Object.hasOwn(allocators, name)
    ? allocators[name]
    : name === 'realloc'
      ? [1]
      : name === 'reallocarray'
        ? [1, 2]
        : undefined;
}

/** Functions that make an object which a function of the same name with `_free` takes apart. */
function makes(name: string): boolean {
  return /^[A-Za-z]\w*_new$/.test(name);
}

/** Functions that free what their own kind made, whatever else it holds. */
export function freesObject(name: string): boolean {
  return /^[A-Za-z]\w*_free$/.test(name) && !/^(OPENSSL|av|g|sqlite3|cfg_buf)_free$/.test(name);
}

/** The argument that a function frees. */
export function freed(name: string): number | undefined {
  if (freesObject(name)) return 0;
  return /^(free|kfree|vfree|kvfree|av_free|g_free|OPENSSL_free|xmlFree|sqlite3_free|cfree|operator delete(\[\])?)$/.test(
    name,
  )
    ? 0
    : undefined;
}

/** Functions that write what they read to memory that they are given. */
export function isFiller(name: string): boolean {
  return /^(fgets|gets|read|pread|recv|recvfrom|fread|[fs]?scanf)$/.test(name);
}

/** Whether a call reads the text that its argument leads to. */
export function readsText(name: string, i: number): boolean {
  if (isFiller(name) || /^(memset|bzero|sprintf|snprintf|str[nl]?cpy|stpcpy|memcpy|memmove)$/.test(name)) return i > 0;
  return /^v?(f|s|sn|d)?printf$/.test(name) || dereferencedBy(name).includes(i);
}

/** Functions that keep nothing of what they are given. */
function keepsNothing(name: string): boolean {
  return keeping.test(name);
}

const keeping =
  /^(str|mem|v?f?printf$|v?sn?printf$|vf?printf|f(read|write|gets|puts|seek|tell|scanf|getc|putc|flush|eof|error|close|ileno)|v?s?scanf$|puts|putchar|perror|ato|is[a-z]+$|to(upper|lower)$|read$|write$|recv|send|close$|sqlite3_|mysql_|qsort$|access$|l?stat$|fstat$|open|unlink$|remove$|rename$|system$|popen$|pclose|time$|getpass|assert|usleep|sleep|abs$|bind$|listen$|accept$|connect$|explicit_bzero|bzero|EVP_|RAND_|MD5|SHA|DES_|AES_|inet_|hton|ntoh|waitpid|wait$|exec|curl_|setvbuf|syslog|gets|pthread_mutex|poll|select|dprintf|lseek|fsync|ftruncate|fchmod|fchown|flock|ioctl|fcntl|[gs]etsockopt|shutdown)/;

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
    case 'getline':
    case 'pread': {
      const buffer = name === 'fread' ? value(0) : value(1);
      const most = value(2);
      if (buffer !== undefined) fill(walk, buffer, state, null);
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
      if (name === 'realpath') resolvePath(walk, event);
      return result;
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
  if (/^__builtin_(add|sub|mul)_overflow$|^ckd_(add|sub|mul)$/.test(name)) {
    const out = args.find(({ value }) => value.targets.length > 0)?.value.targets[0];
    if (out !== undefined) state.store.set(out.region.id, walk.fresh(out.region.type, Source.own, { origin }));
    return walk.fresh(intType, Source.own, { range: { lo: 0, hi: 1 }, origin });
  }
  if (!keeping.test(name) && !/^(is|to)[a-z]+$/.test(name)) return undefined;
  // What is given by address is what the function writes its results to.
  if (!/^(str|mem|v?f?printf|f?puts|is|to|ato)/.test(name)) {
    for (const { value } of args) {
      const region = value.targets[0]?.region;
      if (region?.kind !== 'variable' || region.type.kind === 'array') continue;
      walk.forget(region.id, state);
      state.store.set(region.id, walk.fresh(region.type, Source.own, { origin }));
    }
  }
  const returnsPointer = nullable.has(name);
  return walk.fresh(unknownType, Source.own, { origin, ...(returnsPointer && { nullable: 'maybe' }) });
}

function contentSource(walk: Walk, text: Value | undefined, state: State): Source {
  return text === undefined ? Source.own : walk.content(text, state).source;
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
      ...(!/calloc|zalloc|mallocz| 0$/.test(name) && { uninitialised: true }),
    });
    if (/calloc|zalloc|mallocz/.test(name)) state.store.set(`${region.id}#`, walk.constant(0, sizeType));
  } else {
    const content = walk.content(old, state);
    state.store.set(`${region.id}[]`, content);
    for (const target of old.targets)
      if (state.lives.get(target.region.id) === 'live') state.lives.set(target.region.id, 'maybe freed');
  }
  return result;
}

// `malloc(length + 1)`: the room for the zero.
function withoutEnd(walk: Walk, { node, value }: Argument): Argument {
  const { number } = value;
  const added =
    node.type === 'binary_expression' && node.operator === '+' && number.symbol !== 0 && number.offset === 1;
  if (!added || walk.holds(node)) return { node, value };
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

function textFrom(
  walk: Walk,
  event: CallEvent,
  source: Source,
  { nullable: mayFail }: { nullable: 'maybe' | 'no' },
): Value {
  const { node, name, state } = event;
  const region: Region = {
    id: `text${node.start}~${walk.frame.id}`,
    kind: 'outside',
    size: null,
    type: { kind: 'array', of: charType, length: null },
    node,
    frame: 0,
  };
  state.store.set(`${region.id}[]`, walk.fresh(charType, source));
  return walk.fresh(charPointer, source, {
    nullable: mayFail,
    origin: { node, callee: name },
    targets: [{ region, offset: constant(0) }],
  });
}

function fill(walk: Walk, buffer: Value, state: State, length: Range | null): void {
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

// `in >> x`: into text that makes room for it, or into a number.
function readInto(walk: Walk, target: Value, origin: Origin, state: State): void {
  const region = target.targets[0]?.region;
  if (region === undefined) return;
  const { type } = region;
  if (type.kind !== 'pointer') state.store.set(region.id, walk.fresh(type, Source.input, { origin }));
  else state.store.set(region.id, textOf(walk, origin, [walk.fresh(charType, Source.input)], null, state));
}

/** Text of its own, that a call or an operator gives. */
function textOf(
  walk: Walk,
  { node, callee }: Origin,
  contents: readonly Value[],
  length: Linear | null,
  state: State,
): Value {
  const id = `text${node.start}~${walk.frame.id}`;
  const type: CType = { kind: 'array', of: charType, length: null };
  const region: Region = { id, kind: 'outside', size: null, type, node, frame: 0 };
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

function lengthUpTo(walk: Walk, most: number): Linear {
  return walk.fresh(sizeType, Source.own, { range: { lo: 0, hi: most } }).number;
}

function sum(walk: Walk, a: Linear, b: Linear, { facts }: State): Linear {
  return walk.sum(a, b, sizeType, Source.own, facts);
}

function copyText(walk: Walk, to: Value, from: Value, length: Linear, state: State): void {
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

// Whether the memory behind the copy is zero as it stands.
function isZero(walk: Walk, to: Value, limit: Value | undefined, state: State): boolean {
  const [target] = to.targets;
  if (target === undefined || limit === undefined) return false;
  const length = state.store.get(`${target.region.id}#`)?.number;
  const shorter = target.region.size !== null && !walk.atMost(target.region.size, limit.number, state.facts);
  return length !== undefined && length.symbol === 0 && length.offset === 0 && shorter;
}

/** Text that the copy may have left without its zero. */
function leaveOpen(to: Value, origin: Origin, state: State): void {
  const key = `${to.targets[0]?.region.id ?? `*${to.number.symbol}`}[]`;
  const content = state.store.get(key);
  if (content !== undefined) state.store.set(key, { ...content, unterminated: origin });
}

function appendText(walk: Walk, to: Value, contents: readonly Value[], length: Linear, state: State): void {
  const [target] = to.targets;
  if (target === undefined) return;
  const source = Math.max(...contents.map((content) => content.source)) as Source;
  walk.setText(target.region, { source, parts: partsOfAll(contents), length }, state);
}

/** A pointer somewhere into the same text. */
function within(walk: Walk, text: Value, mayFail: 'maybe' | 'no', origin: Origin, state: State): Value {
  const targets = text.targets.map(({ region, offset }) => {
    const { lo } = walk.range(offset, state.facts);
    const hi = walk.range(walk.length(text, state), state.facts).hi;
    const at = walk.fresh(longType, Source.own, { range: { lo, hi: Number.isFinite(hi) ? lo + hi : Infinity } }).number;
    // Nothing is said of how far: its place is inside the text.
    return { region, offset: at };
  });
  return walk.fresh(charPointer, text.source, { nullable: mayFail, origin, targets });
}

// ---- formats

export interface Conversion {
  readonly letter: string;
  readonly width: number | null;
  readonly precision: number | null;
  /** `*` takes an argument. */
  readonly stars: number;
  readonly suppressed: boolean;
  readonly modifier: string;
}

export function conversions(format: string, scanning = false): Conversion[] {
  const found: Conversion[] = [];
  const pattern =
    /%(%|([-+ #0']*)(\*|[1-9]\d*)?(?:\.(\*|\d+)?)?(hh|h|ll|l|q|j|z|t|L)?(\[\^?\]?[^\]]{0,300}\]|[a-zA-Z]))/g;
  for (const match of format.matchAll(pattern)) {
    if (match[1] === '%') continue;
    const [, , , width, precision, modifier = '', letter = ''] = match as unknown as (string | undefined)[];
    found.push({
      letter: letter[0] as string,
      width: width === undefined || width === '*' ? null : Number(width),
      precision: precision === undefined || precision === '*' ? null : Number(precision),
      stars: scanning ? 0 : (width === '*' ? 1 : 0) + (precision === '*' ? 1 : 0),
      suppressed: scanning && width === '*',
      modifier,
    });
  }
  return found;
}

function scan(walk: Walk, { node, name, arguments: args, state }: CallEvent, formatAt: number): Value {
  const format = args[formatAt] === undefined ? undefined : walk.stringOf((args[formatAt] as { node: CNode }).node);
  let at = formatAt + 1;
  for (const { letter, width, suppressed } of format === undefined ? [] : conversions(format, true)) {
    if (suppressed) continue;
    const target = args[at++]?.value;
    if (target === undefined) continue;
    const region = target.targets[0]?.region;
    if (/[s[]/.test(letter)) fill(walk, target, state, { lo: 0, hi: width ?? Infinity });
    else if (region !== undefined) {
      const digits = width === null ? null : 10 ** Math.min(width, 18);
      const type = region.type.kind === 'array' ? region.type.of : region.type;
      const range =
        digits === null || !/[diu]/.test(letter)
          ? undefined
          : { lo: letter === 'u' ? 0 : -(digits / 10) + 1, hi: digits - 1 };
      const value = walk.fresh(type, Source.input, { ...(range && { range }), origin: { node, callee: name } });
      if (region.kind === 'heap' || region.type.kind === 'array') {
        state.store.set(`${region.id}[]`, value);
        for (const key of [...state.store.keys()])
          if (key.startsWith(`${region.id}[`) && key !== `${region.id}[]`) state.store.delete(key);
      } else state.store.set(region.id, value);
    }
  }
  if (format === undefined) walk.escape(args.slice(at), state);
  return walk.fresh(intType, Source.own, { range: { lo: -1, hi: 64 }, origin: { node, callee: name } });
}

/** The longest text that a format gives, and what goes into it. */
export function formatted(
  walk: Walk,
  format: string,
  args: readonly { value: Value }[],
  state: State,
): { length: Range; parts: Value[] } {
  let { lo, hi } = { lo: 0, hi: 0 };
  const parts: Value[] = [];
  const literalLength = format.replace(
    /%(%|[-+ #0']*(?:\*|[1-9]\d*)?(?:\.(?:\*|\d+)?)?(?:hh|h|ll|l|q|j|z|t|L)?[a-zA-Z])/g,
    (all) => (all === '%%' ? '%' : ''),
  ).length;
  lo += literalLength;
  hi += literalLength;
  let at = 0;
  for (const { letter, width, precision, stars } of conversions(format)) {
    at += stars;
    const value = args[at++]?.value;
    if (letter === 's') {
      const length = value === undefined ? { lo: 0, hi: Infinity } : walk.range(walk.length(value, state), state.facts);
      const most = Math.min(length.hi, precision ?? Infinity);
      lo += Math.max(width ?? 0, Math.min(length.lo, most));
      hi += Math.max(width ?? 0, most);
      if (value !== undefined) parts.push(walk.content(value, state));
    } else {
      const digits = value === undefined ? { lo: -(2 ** 63), hi: 2 ** 63 } : walk.range(value.number, state.facts);
      const bytes = value?.type.kind === 'int' ? value.type.bytes : 8;
      const most =
        letter === 'c'
          ? 1
          : /[xX]/.test(letter)
            ? hexadecimal(digits, bytes)
            : /[fFgGeE]/.test(letter)
              ? 330
              : letter === 'p'
                ? 18
                : decimal(digits);
      lo += Math.max(width ?? 0, 1);
      hi += Math.max(width ?? 0, most);
      if (value === undefined) continue;
      if (letter === 'c') parts.push(value);
      else if (value.source !== Source.own) {
        const digits = walk.fresh(charType, value.source);
        state.facts.allow(digits.number.symbol, numerals);
        parts.push(digits);
      }
    }
  }
  return { length: { lo, hi }, parts };
}

const numerals: bigint = characterSet((code) => /[0-9a-fA-FxX.+]/.test(String.fromCharCode(code)));

function decimal({ lo, hi }: Range): number {
  const digits = (value: number): number => (Number.isFinite(value) ? String(Math.trunc(value)).length : 20);
  return Math.max(digits(lo), digits(hi));
}

function hexadecimal({ lo, hi }: Range, bytes: number): number {
  return lo >= 0 && Number.isFinite(hi) ? Math.max(1, Math.trunc(hi).toString(16).length) : bytes * 2;
}

function print(walk: Walk, { node, name, arguments: args, state }: CallEvent, bounded: boolean): Value {
  const [buffer, size] = [args[0]?.value, bounded ? args[1]?.value : undefined];
  const formatNode = args[bounded ? 2 : 1];
  const format =
    formatNode === undefined
      ? undefined
      : (walk.stringOf(formatNode.node) ?? walk.content(formatNode.value, state).literalText);
  const rest = args.slice(bounded ? 3 : 2);
  const { length, parts } =
    format === undefined || name.startsWith('v')
      ? {
          length: { lo: 0, hi: Infinity },
          parts: [
            ...(formatNode === undefined ? [] : [walk.content(formatNode.value, state)]),
            ...rest.map(({ value }) => value),
          ],
        }
      : formatted(walk, format, rest, state);
  const most = size === undefined ? Infinity : walk.range(size.number, state.facts).hi - 1;
  const origin = { node, callee: name };
  const result = walk.fresh(intType, Source.own, { range: { lo: -1, hi: length.hi }, origin });
  const [target] = buffer?.targets ?? [];
  if (target !== undefined) {
    const source = Math.max(0, ...parts.map((part) => part.source)) as Source;
    const written = walk.fresh(sizeType, Source.own, {
      range: { lo: Math.min(length.lo, most), hi: Math.min(length.hi, most) },
    });
    walk.setText(
      target.region,
      {
        source,
        parts: partsOfAll(parts),
        length: sum(walk, written.number, target.offset, state),
        ...(format !== undefined && !format.includes('%') && { text: format }),
      },
      state,
    );
    const kept = state.store.get(`${target.region.id}[]`);
    if (size !== undefined && length.hi > most && kept !== undefined)
      state.store.set(`${target.region.id}[]`, { ...kept, cut: { written: result.number, room: size.number, origin } });
  }
  return result;
}

function resolvePath(walk: Walk, { arguments: args, state }: CallEvent): void {
  const [from, to] = [args[0]?.value, args[1]?.value];
  const target = to?.targets[0];
  if (from === undefined || target === undefined) return;
  const content = walk.content(from, state);
  walk.setText(target.region, { source: content.source, parts: partsOf(content) }, state);
  const resolved = state.store.get(`${target.region.id}[]`);
  if (resolved !== undefined) state.facts.mark(`resolved:${resolved.number.symbol}`);
}

// ---- what tests of strings say

const classes: Readonly<Record<string, (code: number) => boolean>> = {
  isalpha: (code) => (code >= 65 && code <= 90) || (code >= 97 && code <= 122),
  isdigit: (code) => code >= 48 && code <= 57,
  isalnum: (code) => (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122),
  isxdigit: (code) => (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102),
  isupper: (code) => code >= 65 && code <= 90,
  islower: (code) => code >= 97 && code <= 122,
};

/** Learns from `call operator other`, where the call is one of those that look at text. */
export function learnString(
  walk: Walk,
  operator: string,
  call: CNode,
  state: State,
  _value: Value,
  other?: Value,
): void {
  const name = walk.calleeOf(call);
  const nodes = child(call, 'arguments')?.children ?? [];
  const against = other === undefined ? { lo: 0, hi: 0 } : walk.range(other.number, state.facts);
  const zero = against.lo === 0 && against.hi === 0;
  const quiet = (): State => state;
  const [first, second] = nodes as [CNode | undefined, CNode | undefined];
  if (first === undefined) return;
  const test = classes[name];
  if (test !== undefined && Object.hasOwn(classes, name)) {
    const character = walk.evaluate(first, quiet());
    const holds = operator === '!=' && zero;
    if (character.elementOf !== undefined && (holds || (operator === '==' && zero))) {
      state.facts.allowElement(
        character.elementOf,
        characterSet((code) => test(code) === holds),
      );
    }
    if (holds && character.number.symbol !== 0) state.facts.narrow(character.number.symbol, { lo: 48, hi: 122 });
    return;
  }
  const absent = operator === '==' && zero;
  const text = second === undefined ? undefined : walk.stringOf(second);
  switch (name) {
    case 'strchr':
    case 'strrchr':
    case 'memchr': {
      const content = walk.content(walk.evaluate(first, quiet()), state);
      const code = second === undefined ? null : walk.evaluate(second, quiet());
      if (absent && code !== null && code.number.symbol === 0) remove(content, [code.number.offset], state);
      // strchr("allowed", c): c is one of them.
      const allowed = walk.stringOf(first);
      if (!absent && operator === '!=' && allowed !== undefined && code?.elementOf !== undefined) {
        state.facts.allowElement(
          code.elementOf,
          characterSet((at) => allowed.includes(String.fromCharCode(at))),
        );
      }
      return;
    }
    case 'strpbrk':
      if (absent && text !== undefined) {
        const content = walk.content(walk.evaluate(first, quiet()), state);
        remove(
          content,
          [...text].map((char) => char.charCodeAt(0)),
          state,
        );
      }
      return;
    case 'strstr':
      if (absent && text?.startsWith('..')) {
        const content = walk.content(walk.evaluate(first, quiet()), state);
        for (const part of [content.number.symbol, ...partsOf(content)]) state.facts.mark(`no dots:${part}`);
      }
      return;
    case 'strcmp':
    case 'strcasecmp':
      if (absent) {
        for (const [node, counterpart] of [
          [first, second],
          [second, first],
        ]) {
          if (node === undefined || counterpart === undefined || walk.stringOf(counterpart) === undefined) continue;
          const content = walk.content(walk.evaluate(node, quiet()), state);
          for (const part of [content.number.symbol, ...partsOf(content)])
            state.facts.allow(
              part,
              characterSet((code) => classes.isalnum?.(code) ?? false),
            );
        }
      }
      return;
    case 'strncmp':
    case 'memcmp':
      if (absent) {
        for (const node of [first, second]) {
          if (node === undefined) continue;
          const content = walk.content(walk.evaluate(node, quiet()), state);
          if (state.facts.has(`resolved:${content.number.symbol}`)) state.facts.mark(`inside:${content.number.symbol}`);
        }
      }
      return;
    case 'strspn':
      if (text !== undefined && other !== undefined) {
        const content = walk.content(walk.evaluate(first, quiet()), state);
        const length = walk.length(walk.evaluate(first, quiet()), state);
        const all = operator === '==' && other.number.symbol === length.symbol && other.number.offset === length.offset;
        if (all)
          for (const part of [content.number.symbol, ...partsOf(content)])
            state.facts.allow(
              part,
              characterSet((code) => text.includes(String.fromCharCode(code))),
            );
      }
      return;
    case 'strcspn':
      return;
  }
}

function remove(content: Value, codes: readonly number[], { facts }: State): void {
  for (const part of [content.number.symbol, ...partsOf(content)])
    facts.allow(
      part,
      characterSet((code) => !codes.includes(code)),
    );
}
