import type { Machine } from './machine.js';
import type { CNode } from './syntax.js';
import {
  type CPointer,
  char,
  charOf,
  fits,
  integer,
  Memory,
  nullPointer,
  pointer,
  size,
  truth,
  type Value,
} from './values.js';

/** A call of a library function. */
interface Call {
  machine: Machine;
  node: CNode;
  args: readonly Value[];
}

/** The C library, as far as the machine knows it. A result of undefined is one that nothing is known of. */
export const library: ReadonlyMap<string, (call: Call) => Value> = new Map<string, (call: Call) => Value>([
  ['strlen', (call) => ofTexts(call, [0], (text) => integer(text.length, size))],
  ['strnlen', (call) => ofTexts(call, [0], (text) => integer(Math.min(text.length, count(call, 1) ?? Infinity), size))],
  ['strcmp', (call) => ofTexts(call, [0, 1], (a, b) => integer(a < b ? -1 : a > b ? 1 : 0))],
  ['strchr', (call) => found(call, [0], (text) => `${text}\0`.indexOf(letter(call)))],
  ['strrchr', (call) => found(call, [0], (text) => `${text}\0`.lastIndexOf(letter(call)))],
  ['strstr', (call) => found(call, [0, 1], (text, part) => text.indexOf(part))],
  ['strpbrk', (call) => found(call, [0, 1], (text, any) => [...text].findIndex((one) => any.includes(one)))],
  ['strspn', (call) => ofTexts(call, [0, 1], (text, any) => firstOf(text, (one) => !any.includes(one)))],
  ['strcspn', (call) => ofTexts(call, [0, 1], (text, any) => firstOf(text, (one) => any.includes(one)))],
  ['is_plain', (call) => ofTexts(call, [0], (text) => integer(/^[A-Za-z0-9.]*$/.test(text) ? 1 : 0))],
  ['strcpy', (call) => copyText(call, (text) => `${text}\0`)],
  ['strncpy', (call) => copyText(call, padded(call))],
  ['strcat', (call) => append(call, Infinity)],
  ['strncat', (call) => append(call, count(call, 2))],
  ['memcpy', (call) => move(call)],
  ['memmove', (call) => move(call)],
  ['memset', (call) => fill(call)],
  ['malloc', (call) => allocate(call, count(call, 0), undefined)],
  ['calloc', (call) => allocate(call, times(count(call, 0), count(call, 1)), 0)],
  ['strdup', (call) => duplicate(call, Infinity)],
  ['strndup', (call) => duplicate(call, count(call, 1))],
  ['free', (call) => release(call)],
  ['printf', (call) => print(call, formatted(call, 0))],
  ['fprintf', (call) => print(call, formatted(call, 1))],
  ['puts', (call) => print(call, plus(text(call, 0), '\n'))],
  ['fputs', (call) => print(call, text(call, 0))],
  ['sprintf', (call) => place(call, plus(formatted(call, 1), '\0'))],
  ['snprintf', (call) => bounded(call)],
  ['fopen', (call) => open(call)],
  ['fclose', (call) => close(call)],
  ['fgetc', (call) => getCharacter(call)],
  ['getc', (call) => getCharacter(call)],
  ['fgets', (call) => getLine(call)],
  ['fscanf', (call) => scan(call)],
  ['__builtin_add_overflow', (call) => addOverflows(call)],
  ['assert', (call) => (truth(call.args[0]) === false ? call.machine.stop() : undefined)],
  ...['exit', '_exit', '_Exit', 'abort', 'longjmp', 'quick_exit'].map((name): [string, (call: Call) => Value] => [
    name,
    (call) => call.machine.stop(),
  ]),
  // Effects that the caller of the machine looks at.
  ...['system', 'remove', 'unlink'].map((name): [string, (call: Call) => Value] => [name, () => integer(0)]),
]);

// Arguments

function count({ args }: Call, at: number): number | undefined {
  const value = args[at];
  return value?.kind === 'int' ? Number(BigInt.asUintN(64, value.value)) : undefined;
}

function letter({ args }: Call): string {
  const value = args[1];
  // What is not known is not found.
  return value?.kind === 'int' ? String.fromCharCode(Number(value.value & 0xffn)) : '\uffff';
}

/** The string that an argument points to, up to its NUL. */
function text({ machine, node, args }: Call, at: number): string | undefined {
  const value = args[at];
  if (value?.kind !== 'pointer') return undefined;
  const memory = machine.live(value, node);
  let out = '';
  for (let i = value.offset; ; i++) {
    if (i < 0 || i >= memory.cells.length) return machine.trap(node, 'read past the end');
    const cell = memory.cells[i];
    if (cell?.kind !== 'int') return undefined;
    if (cell.value === 0n) break;
    out += String.fromCharCode(Number(cell.value & 0xffn));
  }
  machine.note('read', { memory });
  return out;
}

function ofTexts(call: Call, at: readonly number[], compute: (...texts: string[]) => Value): Value {
  const texts = at.map((i) => text(call, i));
  return texts.includes(undefined) ? undefined : compute(...(texts as string[]));
}

function found(call: Call, at: readonly number[], find: (...texts: string[]) => number): Value {
  return ofTexts(call, at, (...texts) => {
    const { memory, offset } = call.args[0] as CPointer;
    const index = find(...texts);
    return index < 0 ? nullPointer : pointer(memory as Memory, offset + index);
  });
}

function firstOf(text: string, ends: (letter: string) => boolean): Value {
  const index = [...text].findIndex(ends);
  return integer(index < 0 ? text.length : index, size);
}

function plus(text: string | undefined, more: string): string | undefined {
  return text === undefined ? undefined : text + more;
}

function times(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a * b;
}

// Strings and memory

/** Writes text behind the first argument, `skip` cells on. */
function place(call: Call, written: string | undefined, skip = 0): Value {
  const { machine, node, args } = call;
  const to = args[0];
  if (to?.kind !== 'pointer') return undefined;
  const memory = machine.live(to, node);
  if (written === undefined) return to;
  for (let i = 0; i < written.length; i++) {
    const cell = machine.at(to, skip + i, node);
    if (cell !== undefined) cell.memory.cells[cell.index] = charOf(written.charCodeAt(i));
  }
  machine.note('write', { memory });
  return to;
}

function copyText(call: Call, form: (text: string) => string | undefined): Value {
  const source = text(call, 1);
  return place(call, source === undefined ? undefined : form(source));
}

/** What strncpy writes: never more than its size, and no NUL where the text fills it. */
function padded(call: Call): (text: string) => string | undefined {
  const most = count(call, 2);
  return (text) => {
    if (most === undefined) return undefined;
    // It fills the rest with NULs; far past any memory of ours that is out of bounds all the same.
    return text.slice(0, most).padEnd(Math.min(most, farAway), '\0');
  };
}

const farAway = 1 << 12;

function append(call: Call, most: number | undefined): Value {
  const [before, more] = [text(call, 0), text(call, 1)];
  if (before === undefined || more === undefined || most === undefined) return place(call, undefined);
  return place(call, `${more.slice(0, Math.min(most, farAway))}\0`, before.length);
}

function move(call: Call): Value {
  const { machine, node, args } = call;
  const [to, from] = args;
  const bytes = count(call, 2);
  if (bytes === undefined || bytes === 0) return to;
  for (const end of [to, from]) if (end?.kind === 'pointer') machine.at(end, bytes - 1, node);
  if (to?.kind !== 'pointer' || from?.kind !== 'pointer') return to;
  const cells = machine.live(from, node).cells.slice(from.offset, from.offset + bytes);
  const memory = machine.live(to, node);
  cells.forEach((cell, i) => {
    memory.cells[to.offset + i] = cell;
  });
  machine.note('write', { memory });
  return to;
}

function fill(call: Call): Value {
  const { machine, node, args } = call;
  const [to, value] = args;
  const bytes = count(call, 2);
  if (to?.kind !== 'pointer' || bytes === 0) return to;
  const memory = machine.live(to, node);
  if (bytes === undefined || value?.kind !== 'int') return to;
  machine.at(to, bytes - 1, node);
  memory.cells.fill(charOf(Number(value.value & 0xffn)), to.offset, to.offset + bytes);
  machine.note('write', { memory });
  return to;
}

// Heap

function allocate({ machine }: Call, bytes: number | undefined, content: number | undefined): Value {
  if (machine.world.allocationFails || (bytes ?? 0) > farAway) return nullPointer;
  if (bytes === undefined) return undefined;
  const memory = new Memory(new Array<Value>(bytes).fill(content === undefined ? undefined : charOf(content)), char);
  machine.note('write', { memory });
  return pointer(memory);
}

function duplicate(call: Call, most: number | undefined): Value {
  const source = text(call, 0);
  if (source === undefined || most === undefined) return undefined;
  const copy = `${source.slice(0, most)}\0`;
  const result = allocate(call, copy.length, 0);
  if (result?.kind === 'pointer' && result.memory !== null) place({ ...call, args: [result] }, copy);
  return result;
}

function release({ machine, node, args }: Call): Value {
  const target = args[0];
  if (target?.kind !== 'pointer' || target.memory === null) return undefined;
  if (target.memory.freed) return machine.trap(node, 'double free');
  target.memory.freed = true;
  machine.note('free', { memory: target.memory });
  return undefined;
}

// Formats

/** What a format with its arguments says; undefined where that is not known. Traps on directives that come from outside. */
function formatted(call: Call, at: number): string | undefined {
  const { machine, node, args } = call;
  const format = text(call, at);
  if (format === undefined) return undefined;
  const written = (args[at] as CPointer).memory?.literal === true;
  if (!written && format.includes('%')) return machine.trap(node, 'format from outside');
  let next = at + 1;
  let lost = false;
  const out = format.replace(
    /%([-+ 0#]*)(\d*)(?:\.(\*|\d*))?(hh|h|ll|l|z|j|t)?(.)/g,
    (_, _flags, _width, precision, _size, kind) => {
      if (kind === '%') return '%';
      const limit = precision === '*' ? count(call, next++) : precision === undefined ? Infinity : Number(precision);
      const value = args[next];
      const shown =
        kind === 's' ? text(call, next) : value?.kind === 'int' ? shownNumber(value.value, kind) : undefined;
      next++;
      if (shown === undefined || limit === undefined) lost = true;
      return kind === 's' ? (shown ?? '').slice(0, limit) : (shown ?? '');
    },
  );
  return lost ? undefined : out;
}

function shownNumber(value: bigint, kind: string): string | undefined {
  if (kind === 'c') return String.fromCharCode(Number(value & 0xffn));
  return 'diu'.includes(kind) ? String(value) : undefined;
}

function print({ machine }: Call, shown: string | undefined): Value {
  machine.printed += shown ?? '';
  return shown === undefined ? undefined : integer(shown.length);
}

function bounded(call: Call): Value {
  const most = count(call, 1);
  const whole = formatted(call, 2);
  if (most === undefined || most === 0) return undefined;
  place(call, whole === undefined ? undefined : `${whole.slice(0, most - 1)}\0`);
  return whole === undefined ? undefined : integer(whole.length);
}

// Streams

function stream({ machine, node, args }: Call, at: number): Memory | undefined {
  const value = args[at];
  if (value?.kind !== 'pointer') return undefined;
  const memory = machine.live(value, node);
  return memory.stream === undefined ? undefined : memory;
}

function open({ machine }: Call): Value {
  const { file } = machine.world;
  if (file === undefined) return undefined;
  if (file === null) return nullPointer;
  const memory = new Memory([], 'any');
  memory.stream = [...file].map((one) => one.charCodeAt(0));
  machine.note('write', { memory });
  return pointer(memory);
}

function close(call: Call): Value {
  const file = stream(call, 0);
  if (file === undefined) return undefined;
  file.freed = true;
  call.machine.note('free', { memory: file });
  return integer(0);
}

function getCharacter(call: Call): Value {
  const file = stream(call, 0);
  if (file === undefined) return undefined;
  call.machine.note('read', { memory: file });
  return integer(file.stream?.shift() ?? -1);
}

function getLine(call: Call): Value {
  const file = stream(call, 2);
  const value = call.args[1];
  if (file?.stream === undefined || value?.kind !== 'int') return undefined;
  if (value.value <= 0n) return nullPointer;
  let line = '';
  while (line.length < Number(value.value) - 1 && file.stream.length > 0 && !line.endsWith('\n')) {
    line += String.fromCharCode(file.stream.shift() as number);
  }
  return line === '' ? nullPointer : place(call, `${line}\0`);
}

/** fscanf, for the one directive that reads a word. */
function scan(call: Call): Value {
  const file = stream(call, 0);
  const directive = /^\s*%(\d*)s\s*$/.exec(text(call, 1) ?? '');
  if (file?.stream === undefined || directive === null) return undefined;
  const most = directive[1] === '' ? Infinity : Number(directive[1]);
  const blank = (code: number | undefined): boolean => code === 0x20 || (code !== undefined && code >= 9 && code <= 13);
  while (blank(file.stream[0])) file.stream.shift();
  let word = '';
  while (word.length < most && file.stream.length > 0 && !blank(file.stream[0])) {
    word += String.fromCharCode(file.stream.shift() as number);
  }
  if (word === '') return integer(-1);
  place({ ...call, args: [call.args[2]] }, `${word}\0`);
  return integer(1);
}

// Compiler

function addOverflows({ machine, node, args }: Call): Value {
  const [a, b, to] = args;
  const cell = machine.at(to, 0, node);
  if (a?.kind !== 'int' || b?.kind !== 'int' || cell === undefined || typeof cell.memory.type === 'string')
    return undefined;
  const sum = a.value + b.value;
  machine.store(cell, integer(sum, cell.memory.type), node);
  return integer(fits(sum, cell.memory.type) ? 0 : 1);
}
