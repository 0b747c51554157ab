import { char, charOf, fits, int, long, type Pointer, pointerTo, size, text, type Value, wrapped } from '../values.js';
import { ahead, type Call, type Entries, entriesOf, entry, nothingAt, number, signOnly, string } from './call.js';

const letter = (call: Call): string => String.fromCharCode(number(call, 1) & 0xff);

/** What a search found in the first argument's string. */
function found(call: Call, index: number): Value {
  return index < 0 ? nothingAt : ahead(call, 0, index);
}

function order(a: string, b: string): bigint {
  return a < b ? -1n : a > b ? 1n : 0n;
}

/** The first place of one of these letters in a string, or of any other one. */
function spanOf(call: Call, stops: boolean): number {
  const [within, of] = [string(call, 0), new Set(string(call, 1))];
  for (let i = 0; i < within.length; i++) if (of.has(within[i] as string) === stops) return i;
  return within.length;
}

/** Writes text behind the first argument, `skip` cells on. */
export function place(call: Call, written: string, skip = 0): Value {
  const { machine, node, args } = call;
  const memory = machine.seen(args[0], char, node);
  const first = (args[0] as Pointer).offset + skip;
  if (memory.literal) return machine.trap(node, 'write to a literal', memory);
  if (first < 0 || first + written.length > memory.cells.length) return machine.trap(node, 'out of bounds', memory);
  machine.touch(written.length);
  for (let i = 0; i < written.length; i++) memory.cells[first + i] = charOf(written.charCodeAt(i));
  // Bytes that are seen as unsigned are kept so.
  if (memory.type?.kind === 'int' && !memory.type.signed)
    for (let i = 0; i < written.length; i++) memory.cells[first + i] = BigInt(written.charCodeAt(i) & 0xff);
  machine.note('write', memory);
  return args[0];
}

/** The string of the second argument, as one that the first one's memory must not be. */
function source(call: Call, most?: number): string {
  const { machine, node, args } = call;
  const copied = string(call, 1, most);
  const [to, from] = [args[0] as Pointer | undefined, args[1] as Pointer];
  if (to?.memory === from.memory) return machine.unknown(node, 'a copy within one object');
  return copied;
}

function copyAtMost(call: Call): Value {
  const most = number(call, 2);
  const copied = source(call, most);
  const padding = most - copied.length;
  // It fills the rest with NULs: far past any memory of ours that is out of bounds all the same.
  return place(call, copied + '\0'.repeat(Math.min(padding, farAway)));
}

const farAway = 1 << 16;

function append(call: Call, most?: number): Value {
  const more = source(call, most);
  return place(call, `${more}\0`, string(call, 0).length);
}

/** strtol and its like: white space, a sign, digits; the number and where it ends. */
function parsed(call: Call, base: number): { value: bigint; length: number } {
  const given = string(call, 0);
  const [, blank, sign, prefix] = /^([ \t-\r]*)([-+]?)(0[xX](?=[0-9a-fA-F]))?/.exec(given) as unknown as string[];
  const hex = prefix !== undefined && (base === 0 || base === 16);
  const start = (blank as string).length + (sign as string).length;
  const radix = base !== 0 ? base : hex ? 16 : given[start] === '0' ? 8 : 10;
  let at = start + (hex ? 2 : 0);
  const first = at;
  let value = 0n;
  for (; at < given.length; at++) {
    const digit = Number.parseInt(given[at] as string, 36);
    if (Number.isNaN(digit) || digit >= radix) break;
    if (at - first < 80) value = value * BigInt(radix) + BigInt(digit);
  }
  return { value: sign === '-' ? -value : value, length: at === first ? 0 : at };
}

function toNumber(call: Call, signed: boolean): Value {
  const { machine, node, args } = call;
  const base = number(call, 2);
  if (base !== 0 && (base < 2 || base > 36)) return machine.unknown(node, 'a base');
  const { value, length } = parsed(call, base);
  if (args[1] === undefined || (args[1] as Pointer).memory !== undefined)
    machine.store(machine.at(args[1], 0, text, node), ahead(call, 0, length), node);
  if (signed) return value > longMax ? longMax : value < -longMax - 1n ? -longMax - 1n : value;
  return value > 2n * longMax + 1n || value < -(2n * longMax + 1n) ? 2n * longMax + 1n : wrapped(value, size);
}

const longMax = 2n ** 63n - 1n;

function atoi(call: Call, type: typeof int): Value {
  const { value } = parsed(call, 10);
  return fits(value, type) ? value : call.machine.unknown(call.node, 'a number that is too large');
}

/** Classes of letters. */
const classes: Readonly<Record<string, RegExp>> = {
  isupper: /[A-Z]/,
  islower: /[a-z]/,
  isalpha: /[A-Za-z]/,
  isdigit: /\d/,
  isxdigit: /[\dA-Fa-f]/,
  isspace: /[ \t-\r]/,
  isprint: /[ -~]/,
  isgraph: /[!-~]/,
  isblank: /[ \t]/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the class
  iscntrl: /[\0-\x1f\x7f]/,
  ispunct: /[!-/:-@[-`{-~]/,
  isalnum: /[A-Za-z\d]/,
};

/** A character as the functions of ctype.h take it. */
function character(call: Call): number {
  const code = number(call, 0);
  return code >= -1 && code < 256 ? code : call.machine.unknown(call.node, 'no character');
}

const ends = pointerTo(text);

export const strings: Entries = {
  strlen: entry(size, [text], (call) => BigInt(string(call, 0).length)),
  strnlen: entry(size, [text, size], (call) => BigInt(string(call, 0, number(call, 1)).length)),
  strcmp: signOnly(entry(int, [text, text], (call) => order(string(call, 0), string(call, 1)))),
  strncmp: signOnly(
    entry(int, [text, text, size], (call) => {
      const most = number(call, 2);
      return order(string(call, 0, most), string(call, 1, most));
    }),
  ),
  strchr: entry(text, [text, int], (call) => found(call, `${string(call, 0)}\0`.indexOf(letter(call)))),
  strrchr: entry(text, [text, int], (call) => found(call, `${string(call, 0)}\0`.lastIndexOf(letter(call)))),
  strstr: entry(text, [text, text], (call) => found(call, string(call, 0).indexOf(string(call, 1)))),
  strpbrk: entry(text, [text, text], (call) => {
    const at = spanOf(call, true);
    return found(call, at === string(call, 0).length ? -1 : at);
  }),
  strspn: entry(size, [text, text], (call) => BigInt(spanOf(call, false))),
  strcspn: entry(size, [text, text], (call) => BigInt(spanOf(call, true))),
  is_plain: entry(int, [text], (call) => (/^[A-Za-z0-9.]*$/.test(string(call, 0)) ? 1n : 0n)),
  strcpy: entry(text, [text, text], (call) => place(call, `${source(call)}\0`)),
  stpcpy: entry(text, [text, text], (call) => {
    const copied = source(call);
    place(call, `${copied}\0`);
    return ahead(call, 0, copied.length);
  }),
  strncpy: entry(text, [text, text, size], copyAtMost),
  strcat: entry(text, [text, text], (call) => append(call)),
  strncat: entry(text, [text, text, size], (call) => append(call, number(call, 2))),
  strtol: entry(long, [text, ends, int], (call) => toNumber(call, true)),
  strtoll: entry(long, [text, ends, int], (call) => toNumber(call, true)),
  strtoul: entry(size, [text, ends, int], (call) => toNumber(call, false)),
  strtoull: entry(size, [text, ends, int], (call) => toNumber(call, false)),
  atoi: entry(int, [text], (call) => atoi(call, int)),
  atol: entry(long, [text], (call) => atoi(call, long)),
  // Compilers that know the functions answer with other flags.
  ...entriesOf(Object.keys(classes), (name) =>
    signOnly(
      entry(int, [int], (call) => {
        const code = character(call);
        return code >= 0 && code < 128 && classes[name]?.test(String.fromCharCode(code)) ? 1n : 0n;
      }),
    ),
  ),
  tolower: entry(int, [int], (call) => {
    const code = character(call);
    return BigInt(code >= 65 && code <= 90 ? code + 32 : code);
  }),
  toupper: entry(int, [int], (call) => {
    const code = character(call);
    return BigInt(code >= 97 && code <= 122 ? code - 32 : code);
  }),
  abs: entry(int, [int], (call) => {
    const value = number(call, 0);
    return value === -(2 ** 31) ? call.machine.trap(call.node, 'signed overflow') : BigInt(Math.abs(value));
  }),
};
