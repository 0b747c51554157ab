import {
  anyPointer,
  type CType,
  char,
  charOf,
  file,
  type IntType,
  int,
  Memory,
  nothing,
  Pointer,
  pointerTo,
  type Stream,
  size,
  streamMemory,
  text,
  type Value,
} from '../values.js';
import { type Call, type Entries, entriesOf, entry, nothingAt, number, string } from './call.js';
import { formatted } from './formats.js';
import { place } from './strings.js';

const stream = pointerTo(file);

/** The standard streams; what is written to the first one is what the program prints. */
export const stdout: Memory = new Memory([undefined], file);
export const stderr: Memory = new Memory([undefined], file);

/** A stream that is read. */
function input({ machine, node, args }: Call, at: number): Stream {
  const memory = machine.live(args[at], node);
  machine.note('read', memory);
  return memory.stream ?? machine.unknown(node, 'reading from this stream');
}

function print(call: Call, to: Memory, said: string): void {
  if (to !== stdout && to !== stderr) call.machine.unknown(call.node, 'writing to this stream');
  call.machine.reachOut(call.name, said);
  if (to === stdout) call.machine.print(said);
}

function printTo(call: Call, at: number, said: string): void {
  print(call, call.machine.live(call.args[at], call.node), said);
}

function open(call: Call): Value {
  const { machine, node } = call;
  string(call, 0);
  if (!/^rb?$/.test(string(call, 1))) return machine.unknown(node, 'a file that is written');
  const { file: content } = machine.world;
  if (content === undefined) return machine.unknown(node, 'fopen');
  if (content === null) return nothingAt;
  const memory = streamMemory(content);
  machine.note('write', memory);
  return new Pointer(memory);
}

function close(call: Call): Value {
  const { machine, node, args } = call;
  const memory = machine.live(args[0], node);
  if (memory.stream === undefined) return machine.unknown(node, 'closing this stream');
  memory.end('freed');
  machine.note('free', memory);
  return 0n;
}

function next(from: Stream): number {
  if (from.at < from.text.length) return from.text[from.at++] as number;
  from.ended = true;
  return -1;
}

function back(call: Call): Value {
  const [code, from] = [number(call, 0), input(call, 1)];
  if (code === -1) return -1n;
  if (from.at === 0) return call.machine.unknown(call.node, 'more than was read');
  from.at--;
  from.ended = false;
  // The stream's text is its own.
  from.text[from.at] = code & 0xff;
  return BigInt(code & 0xff);
}

/** What is read up to the end of the line, of `most` letters at most. */
function lineOf(from: Stream, most: number): string {
  let line = '';
  while (line.length < most && !line.endsWith('\n')) {
    const code = next(from);
    if (code < 0) break;
    line += String.fromCharCode(code);
  }
  return line;
}

function getLine(call: Call): Value {
  const most = number(call, 1);
  const from = input(call, 2);
  if (most <= 0) return nothingAt;
  const line = lineOf(from, most - 1);
  call.machine.touch(line.length);
  return line === '' && most > 1 ? nothingAt : place(call, `${line}\0`);
}

function readItems(call: Call): Value {
  const { machine, node, args } = call;
  const [width, count] = [number(call, 1), number(call, 2)];
  const from = input(call, 3);
  if (width === 0 || count === 0) return 0n;
  const left = from.text.length - from.at;
  const bytes = Math.min(width * count, left);
  if (bytes < width * count) from.ended = true;
  const memory = machine.seen(args[0], char, node);
  const { offset } = args[0] as Pointer;
  if (offset < 0 || offset + bytes > memory.cells.length) return machine.trap(node, 'out of bounds', memory);
  machine.touch(bytes);
  for (let i = 0; i < bytes; i++)
    machine.store({ memory, index: offset + i }, charOf(from.text[from.at++] as number), node);
  return BigInt(Math.floor(bytes / width));
}

/** fscanf, for the one directive that reads a word, and the one that reads a character. */
function scan(call: Call): Value {
  const { machine, node, args } = call;
  const from = input(call, 0);
  const directive = /^\s*%(\d*)s\s*$/.exec(string(call, 1));
  if (directive === null || args.length !== 3) return machine.unknown(node, 'this format');
  const most = directive[1] === '' ? Infinity : Number(directive[1]);
  const blank = (code: number | undefined): boolean => code === 0x20 || (code !== undefined && code >= 9 && code <= 13);
  while (blank(from.text[from.at])) from.at++;
  let word = '';
  while (word.length < most && from.at < from.text.length && !blank(from.text[from.at]))
    word += String.fromCharCode(from.text[from.at++] as number);
  if (from.at === from.text.length) from.ended = true;
  machine.touch(word.length);
  if (word === '') return -1n;
  place({ ...call, args: [args[2]] }, `${word}\0`);
  return 1n;
}

/** snprintf: never more than its size, with the NUL; gives the length of the whole. */
function bounded(call: Call): Value {
  const { machine, node, args } = call;
  const most = number(call, 1);
  const whole = formatted(call, 2);
  for (const at of args.slice(3))
    if (at instanceof Pointer && at.memory === (args[0] as Pointer | undefined)?.memory && at.memory !== undefined)
      return machine.unknown(node, 'a copy within one object');
  if (most > 0) place(call, `${whole.slice(0, most - 1)}\0`);
  return BigInt(whole.length);
}

function unbounded(call: Call): Value {
  const { machine, node, args } = call;
  const whole = formatted(call, 1);
  for (const at of args.slice(2))
    if (at instanceof Pointer && at.memory === (args[0] as Pointer | undefined)?.memory)
      return machine.unknown(node, 'a copy within one object');
  place(call, `${whole}\0`);
  return BigInt(whole.length);
}

const printed = (call: Call, said: string): Value => {
  print(call, stdout, said);
  return BigInt(said.length);
};

const put = (call: Call, to: Memory): Value => {
  const code = number(call, 0) & 0xff;
  print(call, to, String.fromCharCode(code));
  return BigInt(code);
};

/** A call whose caller looks at what it was asked. */
const reaching =
  (then: (call: Call) => Value) =>
  (call: Call): Value => {
    call.machine.reachOut(call.name, string(call, 0));
    return then(call);
  };

const known: CType = text;
const status: IntType = int;

export const streams: Entries = {
  printf: entry(int, [text], (call) => printed(call, formatted(call, 0)), true),
  fprintf: entry(
    int,
    [stream, text],
    (call) => {
      const said = formatted(call, 1);
      printTo(call, 0, said);
      return BigInt(said.length);
    },
    true,
  ),
  sprintf: entry(int, [text, text], unbounded, true),
  snprintf: entry(int, [text, size, text], bounded, true),
  puts: entry(int, [text], (call) => printed(call, `${string(call, 0)}\n`)),
  fputs: entry(int, [text, stream], (call) => {
    printTo(call, 1, string(call, 0));
    return 1n;
  }),
  putchar: entry(int, [int], (call) => put(call, stdout)),
  ...entriesOf(['fputc', 'putc'], () =>
    entry(int, [int, stream], (call) => put(call, call.machine.live(call.args[1], call.node))),
  ),
  fwrite: entry(size, [anyPointer, size, size, stream], (call) => {
    const [width, count] = [number(call, 1), number(call, 2)];
    const said = string(call, 0, width * count);
    if (said.length < width * count) return call.machine.unknown(call.node, 'a NUL that is written');
    printTo(call, 3, said);
    return BigInt(count);
  }),
  fflush: entry(int, [stream], () => 0n),
  fopen: entry(stream, [text, text], open),
  fclose: entry(int, [stream], close),
  ...entriesOf(['fgetc', 'getc'], () => entry(int, [stream], (call) => BigInt(next(input(call, 0))))),
  ungetc: entry(int, [int, stream], back),
  fgets: entry(text, [text, int, stream], getLine),
  fread: entry(size, [anyPointer, size, size, stream], readItems),
  feof: entry(int, [stream], (call) => (input(call, 0).ended ? 1n : 0n)),
  ferror: entry(int, [stream], (call) => {
    input(call, 0);
    return 0n;
  }),
  fscanf: entry(int, [stream, text], scan, true),
  perror: entry(nothing, [text], () => undefined),
  ...entriesOf(['system', 'remove', 'unlink'], () =>
    entry(
      status,
      [known],
      reaching(() => 0n),
    ),
  ),
  // The process is another one then.
  ...entriesOf(['execl', 'execlp', 'execv', 'execvp'], (name) =>
    entry(
      int,
      name.startsWith('execv') ? [text, pointerTo(text)] : [text, text],
      reaching((call) => call.machine.leave()),
      true,
    ),
  ),
  ...entriesOf(['exit', '_exit', '_Exit', 'quick_exit'], () => entry(nothing, [int], (call) => call.machine.leave())),
  abort: entry(nothing, [], (call) => call.machine.leave()),
};
