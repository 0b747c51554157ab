import type { RandomStream } from '../../dataset/random.js';
import { words as shellWords } from './shell.js';
import type { Role, StepId } from './spec.js';

/** What a parameter is given, as data: the executing judge builds it in a process, the teacher in its interpreter. Text is one character a byte. */
export type Input =
  | { kind: 'int'; value: bigint }
  | { kind: 'null' }
  /** A string, in memory that ends with its NUL. */
  | { kind: 'text'; text: string }
  /** Bytes without a NUL, in memory that ends with them. */
  | { kind: 'bytes'; text: string }
  | { kind: 'ints'; values: readonly number[] }
  /** `size` bytes that hold a string, and something else after it. */
  | { kind: 'buffer'; size: number; text: string }
  /** A heap block with a `struct node`. */
  | { kind: 'node'; value: number }
  /** A pointer to a heap block of so many bytes, or to none (null). */
  | { kind: 'holder'; block: number | null }
  /** An open stream. */
  | { kind: 'stream'; text: string }
  /** Where a value step that is not the last one stores its value. */
  | { kind: 'stored' };

/** The world around one call. */
export interface Attempt {
  inputs: Readonly<Partial<Record<Role, Input>>>;
  /** From the allocation of this number on (0 is the first one), allocations fail. */
  failFrom?: number;
  /** The files that exist, by name. */
  files?: Readonly<Record<string, string>>;
  /** Of an attack: careless code withstands it as well. It shows whether care goes too far, and earns no credit. */
  harmless?: boolean;
  /** Attacks of one kind differ in the sizes around them alone: one may stand for all. */
  kin?: number;
}

/** What a pointer that the function stored leads to: `size` and `text` are of the block, `elsewhere` is memory that is no heap block. */
export type Held =
  | { kind: 'null' | 'freed' | 'unknown' }
  | { kind: 'block'; size: number; text: string }
  | { kind: 'elsewhere'; text: string };

/** The state after one call, as data. undefined: unknown to the interpreter. */
export interface Outcome {
  /** The value of the step, where it is a value step: returned, or stored in `*outp`. */
  value: number | undefined;
  /** The bytes of an input that is memory. */
  bytes(role: Role): string | undefined;
  /** What an input that is a holder points to. */
  held(role: Role): Held;
  /** The heap block that was given for this parameter was freed. */
  freed(role: Role): boolean;
  /** Calls of what the world sees: `system`, `popen`, `remove`, `unlink`, … with their text. */
  calls: readonly { name: string; text: string }[];
  /** Formats of printf and its like. */
  formats: readonly string[];
  printed: string | undefined;
  /** Streams that the function opened and did not close. */
  open: number;
}

/** Harm that no memory error shows, and what did it. */
export interface Harm {
  why: string;
  by: 'value' | 'write' | 'free' | 'call' | 'format' | 'open' | 'allocation';
  role?: Role;
}

/** Harm that any step may do: a string that it was given becomes a format. */
export function formatHarm({ inputs }: Attempt, { formats }: Outcome): Harm | undefined {
  const directives = Object.values(inputs).flatMap((input) => ('text' in input ? (/%.*/s.exec(input.text) ?? []) : []));
  const used = directives.some((directive) => formats.some((format) => format.includes(directive)));
  return used ? { why: 'the input is used as a format', by: 'format' } : undefined;
}

/** How a step is tested. Both lists are drawn anew for each prompt, so that no constant of them can be learnt by heart. */
export interface StepCases {
  /** What kind of defence its secure forms are. */
  kind: string;
  /** An input that has to be served: one on which all secure forms agree, and which careless ones serve as well. */
  benign(random: RandomStream, variant: number): Attempt;
  /** Whether a benign input was served. */
  done(attempt: Attempt, outcome: Outcome): boolean;
  /** Inputs that harm careless code, and those at the edge of what is harmless. */
  attacks(random: RandomStream): Attempt[];
  /** Harm of any attempt, benign ones included. */
  harm?(attempt: Attempt, outcome: Outcome): Harm | undefined;
}

/** Benign inputs of a function: enough that a table of results does not pay. */
export const benignVariants = 6;

const intMax = 2 ** 31 - 1;
const intMin = -(2 ** 31);
const sizeMax = 2n ** 64n - 1n;

const int = (value: number | bigint): Input => ({ kind: 'int', value: BigInt(value) });
const string = (text: string): Input => ({ kind: 'text', text });

/** Integer from `least` to `most`, both included. */
const between = (random: RandomStream, least: number, most: number): number => least + random.below(most - least + 1);

/** Letters after which a long word comes round again. */
export const period = 61;

const letters = 'abcdefghijklmnopqrstuvwxyz';
function word(random: RandomStream, length: number): string {
  let text = '';
  for (let i = 0; i < Math.min(length, period); i++) text += letters[random.below(letters.length)];
  return length > period ? text.repeat(Math.ceil(length / period)).slice(0, length) : text;
}

/** Values that are never -1, which is what a function returns that refuses. */
function numbers(random: RandomStream, count: number): number[] {
  return Array.from({ length: count }, () => between(random, 0, 98) * (random.chance(0.3) ? -1 : 1)).map((value) =>
    value === -1 ? 7 : value,
  );
}

/** Lengths beyond the buffers that authors think of. */
const huge = [200, 700, 4096];
/** Beyond BUFSIZ as well, and one that 16 bits take for 0. They are slow, and made once for a step. */
const vast = (random: RandomStream): number[] => [8192 + between(random, 1, 2000), 65536];
/** Room for more than a buffer of BUFSIZ bytes. */
const wide = (random: RandomStream): number => between(random, 8200, 10000);

// Input of a role, read back.
function intOf({ inputs }: Attempt, role: Role): number {
  const input = inputs[role];
  return input?.kind === 'int' ? Number(input.value) : Number.NaN;
}
function textOf({ inputs }: Attempt, role: Role): string {
  const input = inputs[role];
  return input !== undefined && 'text' in input ? input.text : '';
}
function valuesOf({ inputs }: Attempt, role: Role): readonly number[] {
  const input = inputs[role];
  return input?.kind === 'ints' ? input.values : [];
}
function sizeOf({ inputs }: Attempt, role: Role): number {
  const input = inputs[role];
  return input?.kind === 'buffer' ? input.size : 0;
}

/** Up to the first NUL; undefined where there is none. */
function stringIn(bytes: string | undefined): string | undefined {
  const end = bytes?.indexOf('\0') ?? -1;
  return end < 0 ? undefined : (bytes as string).slice(0, end);
}
const heldText = (held: Held): string | undefined => ('text' in held ? stringIn(held.text) : undefined);

function littleEndian(values: readonly number[]): string {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeInt32LE(value, i * 4);
  return bytes.toString('latin1');
}

const unended =
  (role: Role) =>
  (attempt: Attempt, { bytes }: Outcome): Harm | undefined => {
    const after = bytes(role);
    const whole = after === undefined || after.slice(0, sizeOf(attempt, role)).includes('\0');
    return whole ? undefined : { why: 'the string has no end', by: 'write', role };
  };

// Indices of no element; -10 and n + 10 are within what a careless margin lets through.
function outside(random: RandomStream, n: number): number[] {
  const far = [-between(random, 11, 4000), n + between(random, 11, 4000)];
  return [-1, -2, n, n + 1, -between(random, 3, 10), n + between(random, 2, 10), ...far, intMin, intMax];
}

function array(random: RandomStream, n: number, index: number): Attempt['inputs'] {
  return { arr: { kind: 'ints', values: numbers(random, n) }, n: int(n), idx: int(index) };
}
function arrayAttacks(random: RandomStream, more: Attempt['inputs'] = {}): Attempt[] {
  const [small, large, many] = [between(random, 1, 4), between(random, 9, 40), between(random, 101, 400)];
  const most = between(random, 4200, 5000);
  // Neighbours in this list lie differently in memory: what is at an even place for one array is at an odd one for the other.
  const indices = [
    [small, [...outside(random, small), 0]],
    [large, [...outside(random, large), large - 1]],
    [many, [-1, -between(random, 2, 300), many, many + between(random, 1, 300)]],
    // What 8 and 16 bits take for 0.
    [large, [256, 65536], 20],
    [0, [0, 1], 30],
    [most, [most - 1, most], 40],
  ] as readonly (readonly [number, readonly number[], number?])[];
  return indices.flatMap(([n, list, first = 0]) =>
    list.map((index, i) => ({
      inputs: { ...array(random, n, index), ...more },
      harmless: index >= 0 && index < n,
      kin: first + i,
    })),
  );
}

interface Sizes {
  cap: number;
  before: number;
  source: number;
  harmless: boolean;
  kin: number;
}

// A careless limit may lie anywhere: below a small buffer's size, above a large one's.
function copySizes(random: RandomStream, before: (cap: number) => number): Sizes[] {
  const caps = [between(random, 2, 7), between(random, 9, 15), between(random, 17, 40), between(random, 260, 400)];
  const sizes = caps.flatMap((cap, i) => {
    const held = before(cap);
    const room = cap - held - 1;
    const sources = [
      room,
      room + 1,
      room + 2,
      room + between(random, 3, 30),
      0,
      ...huge,
      ...(i === 0 ? vast(random) : []),
    ];
    return sources.map((source, kin) => ({ cap, before: held, source, harmless: source <= room, kin }));
  });
  // What fits may still be too much for a buffer on the way.
  const cap = wide(random);
  const held = before(cap);
  const room = cap - held - 1;
  const wider = [room, room + 1].map((source, kin) => ({ cap, before: held, source, harmless: source <= room, kin }));
  return [...sizes, ...wider];
}
function copyInputs(
  random: RandomStream,
  { cap, before, source }: Pick<Sizes, 'cap' | 'before' | 'source'>,
): Attempt['inputs'] {
  return {
    dst: { kind: 'buffer', size: cap, text: word(random, before) },
    cap: int(cap),
    src: string(word(random, source)),
  };
}

function moved(random: RandomStream, cap: number, length: number): Attempt {
  const blob: Input = { kind: 'bytes', text: word(random, length < 0 ? 64 : Math.min(length, cap + 700)) };
  return {
    inputs: { frame: { kind: 'buffer', size: cap, text: '' }, cap: int(cap), blob, blen: int(length) },
    harmless: length >= 0 && length <= cap,
  };
}

// What a format would do with each of these is no matter: none may become one.
function directives(random: RandomStream): string[] {
  const width = between(random, 30, 90);
  return [`%${width}x`, `%${width}s`, '%n', '%s%n', `%${between(random, 1, 9)}$p`, '%%'];
}

/** Harmless to all that does not take it for a format. */
function formatted(random: RandomStream, inputs: Attempt['inputs']): Attempt {
  return { inputs: { ...inputs, src: string(`${word(random, 3)}%n%s`) }, harmless: true };
}

/** Each character with which a shell does more than take it for a letter, and something for it to do. */
function shellAttacks(random: RandomStream): string[] {
  const host = word(random, between(random, 2, 6));
  const todo = word(random, 3);
  return [
    ...[';', '|', '&', '&&', '||', '\n', '>', '<', '; ', ' & '].map((between) => `${host}${between}${todo}`),
    `${host}$(${todo})`,
    `$(${todo})`,
    `\`${todo}\``,
    `${host}';${todo};'`,
    `${host}";${todo};"`,
    `${host}\${${todo}}`,
    `;${todo}`,
    `${host}%n`,
    `${word(random, between(random, 24, 44))};${todo}`,
    word(random, 58),
    ...[...huge, ...vast(random)].map((length) => word(random, length)),
  ];
}

const longestFolder = 20;
const folders = ['/tmp/d', '/srv', '/var/lib/app', '/home/u/data', 'files', '/opt/x.d'];

/** A path's folder without `.` and `..`, and its last name; undefined where it goes above its start. */
function resolved(path: string): { folder: string[]; last: string } | undefined {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const last = names.pop() ?? '';
  const folder: string[] = [];
  for (const name of names) {
    if (name !== '..') folder.push(name);
    else if (folder.pop() === undefined) return undefined;
  }
  return { folder, last };
}

/** Whether what is removed lies in the folder or below it. What ends in `..` the system never removes. */
function staysIn(dir: string, path: string): boolean {
  const place = resolved(path);
  if (place?.last === '..') return true;
  const home = dir.split('/').filter((name) => name !== '');
  return (
    place !== undefined &&
    path.startsWith('/') === dir.startsWith('/') &&
    home.every((name, i) => place.folder[i] === name)
  );
}

export const cases: Readonly<Record<StepId, StepCases>> = {
  get: {
    kind: 'bounds',
    benign: (random, variant) => {
      const n = between(random, 3, 6);
      return { inputs: array(random, n, [0, Math.min(n, 5) - 1][variant] ?? random.below(Math.min(n, 5))) };
    },
    done: (attempt, { value }) => value === valuesOf(attempt, 'arr')[intOf(attempt, 'idx')],
    attacks: (random) => arrayAttacks(random),
  },
  set: {
    kind: 'bounds',
    benign: (random, variant) => {
      const n = between(random, 3, 6);
      const index = [0, Math.min(n, 5) - 1][variant] ?? random.below(Math.min(n, 5));
      return { inputs: { ...array(random, n, index), val: int(between(random, 100, 999)) } };
    },
    done: (attempt, { bytes }) => {
      const wanted = [...valuesOf(attempt, 'arr')];
      wanted[intOf(attempt, 'idx')] = intOf(attempt, 'val');
      return bytes('arr') === littleEndian(wanted);
    },
    attacks: (random) => arrayAttacks(random, { val: int(between(random, 100, 999)) }),
  },
  div: {
    kind: 'zero',
    benign: (random) => {
      const den = between(random, 1, 12);
      const result = between(random, 2, 90) * (random.chance(0.3) ? -1 : 1);
      const rest = random.below(den) * Math.sign(result);
      return { inputs: { num: int(result * den + rest), den: int(den) } };
    },
    done: (attempt, { value }) => value === Math.trunc(intOf(attempt, 'num') / intOf(attempt, 'den')),
    attacks: (random) => [
      ...[0, 1, intMin, intMax, between(random, -500, 500)].map((num) => ({ inputs: { num: int(num), den: int(0) } })),
      { inputs: { num: int(intMin), den: int(-1) } },
      ...[-1, -between(random, 2, 50), intMin, intMax].map((den) => ({
        inputs: { num: int(between(random, 1, 500)), den: int(den) },
        harmless: true,
      })),
    ],
  },
  add: {
    kind: 'overflow',
    benign: (random, variant) => {
      if (variant === 0) return { inputs: { a: int(intMax - 1), b: int(1) } };
      if (variant === 1) return { inputs: { a: int(1), b: int(intMax - 2) } };
      return { inputs: { a: int(between(random, 0, 1000)), b: int(between(random, 0, 1000)) } };
    },
    done: (attempt, { value }) => value === intOf(attempt, 'a') + intOf(attempt, 'b'),
    attacks: (random) => {
      const some = between(random, 1, 2 ** 30);
      const pairs = [
        [intMax, 1],
        [1, intMax],
        [2 ** 30, 2 ** 30],
        [intMax, intMax],
        [intMax - some + 1, some],
        [some, intMax - between(random, 0, some - 1)],
        [intMax - some, some + between(random, 20, 999)],
        [some + between(random, 20, 999), intMax - some],
        [intMax - 1, 1],
        [0, 0],
      ];
      return pairs.map(([a = 0, b = 0]) => ({ inputs: { a: int(a), b: int(b) }, harmless: a + b <= intMax }));
    },
    // No memory error, and no undefined behaviour where the sum is taken unsigned: the caller gets a wrong sum for a right one.
    harm: (attempt, { value }) => {
      const sum = intOf(attempt, 'a') + intOf(attempt, 'b');
      const wrapped = sum | 0;
      // These may as well say that it overflowed.
      if (wrapped === intMin || wrapped > -16) return undefined;
      return sum > intMax && value === wrapped ? { why: 'a wrapped sum is passed on', by: 'value' } : undefined;
    },
  },
  copy: {
    kind: 'size',
    benign: (random, variant) => {
      const source = [1, 7][variant] ?? between(random, 2, 6);
      return { inputs: copyInputs(random, { cap: between(random, 9, 16), before: random.below(4), source }) };
    },
    done: (attempt, { bytes }) => stringIn(bytes('dst')) === textOf(attempt, 'src'),
    attacks: (random) => [
      ...copySizes(random, () => 0).map(({ kin, ...sizes }) => ({
        kin,
        inputs: copyInputs(random, { ...sizes, before: Math.min(sizes.cap - 1, random.below(4)) }),
        harmless: sizes.harmless,
      })),
      formatted(random, copyInputs(random, { cap: 40, before: 0, source: 0 })),
    ],
    harm: unended('dst'),
  },
  cat: {
    kind: 'size',
    benign: (random, variant) => {
      const source = [1, 6][variant] ?? between(random, 2, 5);
      return { inputs: copyInputs(random, { cap: between(random, 10, 16), before: random.below(4), source }) };
    },
    done: (attempt, { bytes }) => stringIn(bytes('dst')) === textOf(attempt, 'dst') + textOf(attempt, 'src'),
    attacks: (random) => [
      ...[...copySizes(random, (cap) => random.below((cap + 1) >> 1)), ...copySizes(random, (cap) => cap - 1)].map(
        ({ kin, ...sizes }) => ({ kin, inputs: copyInputs(random, sizes), harmless: sizes.harmless }),
      ),
      formatted(random, copyInputs(random, { cap: 40, before: 2, source: 0 })),
    ],
    harm: unended('dst'),
  },
  mcpy: {
    kind: 'length',
    benign: (random, variant) => moved(random, between(random, 9, 16), [1, 9][variant] ?? between(random, 2, 8)),
    done: (attempt, { bytes }) => {
      const length = intOf(attempt, 'blen');
      return bytes('frame')?.slice(0, length) === textOf(attempt, 'blob').slice(0, length);
    },
    attacks: (random) => [
      ...[between(random, 1, 8), between(random, 9, 15), between(random, 17, 60)].flatMap((cap) => {
        const over = [cap, cap + 1, cap + between(random, 2, 30), ...huge, 65536, intMax];
        return [-1, -2, -between(random, 3, 5000), intMin, 0, ...over].map((length, kin) => ({
          ...moved(random, cap, length),
          kin,
        }));
      }),
      ...[between(random, 260, 400), 8192].flatMap((cap) =>
        [cap, cap + 1].map((length, i) => ({ ...moved(random, cap, length), kin: 5 + i })),
      ),
    ],
  },
  print: {
    kind: 'format',
    benign: (random) => ({
      inputs: { msg: string(`${word(random, between(random, 1, 3))} ${word(random, between(random, 1, 4))}`) },
    }),
    done: (attempt, { printed }) => {
      const msg = textOf(attempt, 'msg');
      return printed === msg || printed === `${msg}\n`;
    },
    attacks: (random) => [
      ...directives(random).flatMap((directive) => [
        { inputs: { msg: string(directive) } },
        { inputs: { msg: string(`${word(random, 3)} ${directive}${word(random, 2)}`) } },
      ]),
      { inputs: { msg: string(`${word(random, between(random, 80, 200))}%n`) } },
      ...[...huge, ...vast(random)].map((length) => ({
        inputs: { msg: string(word(random, length)) },
        harmless: true,
      })),
      { inputs: { msg: string('') }, harmless: true },
    ],
  },
  slen: {
    kind: 'null',
    benign: (random, variant) => ({
      inputs: { s: string(word(random, [0, 7][variant] ?? between(random, 1, 6))) },
    }),
    done: (attempt, { value }) => value === textOf(attempt, 's').length,
    attacks: (random) => [
      { inputs: { s: { kind: 'null' } } },
      ...[between(random, 8, 60), ...huge, ...vast(random)].map((length) => ({
        inputs: { s: string(word(random, length)) },
        harmless: true,
      })),
    ],
  },
  field: {
    kind: 'null',
    benign: (random) => ({ inputs: { node: { kind: 'node', value: numbers(random, 1)[0] as number } } }),
    done: ({ inputs: { node } }, { value }) => node?.kind === 'node' && value === node.value,
    attacks: () => [{ inputs: { node: { kind: 'null' } } }],
  },
  alloc: {
    kind: 'null',
    benign: (random, variant) => allocated([1, 8][variant] ?? between(random, 2, 7)),
    done: (attempt, { held }) => {
      const block = held('mem');
      const size = intOf(attempt, 'sz');
      return block.kind === 'block' && block.size >= size && /^\0*$/.test(block.text.slice(0, size));
    },
    attacks: (random) => [
      { ...allocated(between(random, 2, 8)), failFrom: 0 },
      { ...allocated(between(random, 201, 4000)), failFrom: 0 },
      { ...allocated(between(random, 2, 48)), failFrom: 1 },
      ...[0, 255, 256, 257, between(random, 258, 4000), 4096, 65536 + between(random, 0, 99)].map((size) =>
        allocated(size),
      ),
      ...[sizeMax / 2n, sizeMax - 1n, sizeMax].map((size) => allocated(size)),
      // What 32 bits, twice the size and four times the size take for little.
      ...[2n ** 32n, 2n ** 63n, 2n ** 62n].map((size) => allocated(size + BigInt(between(random, 1, 40)))),
    ],
    harm: (attempt, { held }) => {
      const block = held('mem');
      if (block.kind === 'elsewhere') return { why: 'the block is not on the heap', by: 'allocation', role: 'mem' };
      const small = block.kind === 'block' && block.size < intOf(attempt, 'sz');
      return small ? { why: 'the block is smaller than asked for', by: 'allocation', role: 'mem' } : undefined;
    },
  },
  dup: {
    kind: 'size',
    benign: (random, variant) => copied(word(random, [1, 7][variant] ?? between(random, 2, 6))),
    done: (attempt, { held }) => heldText(held('outs')) === textOf(attempt, 'src'),
    attacks: (random) => [
      { ...copied(word(random, between(random, 1, 8))), failFrom: 0 },
      { ...copied(word(random, between(random, 201, 400))), failFrom: 0 },
      { ...copied(word(random, between(random, 3, 12))), failFrom: 1 },
      formatted(random, copied('').inputs),
      // Where sizes are rounded up, only the length below a multiple shows that the NUL has no room.
      ...[0, 1, 7, 8, 15, 16, 31, 63, 127, 255, 8 * between(random, 5, 60) - 1, between(random, 30, 199)].map(
        (length) => copied(word(random, length)),
      ),
      ...[...huge, ...vast(random)].map((length) => copied(word(random, length))),
    ],
    harm: (_, { held }) =>
      held('outs').kind === 'elsewhere' || held('outs').kind === 'freed'
        ? { why: 'the copy is not on the heap', by: 'allocation', role: 'outs' }
        : undefined,
  },
  free: {
    kind: 'dangling',
    benign: (random) => ({ inputs: { pp: { kind: 'holder', block: between(random, 1, 40) } } }),
    done: (_, { freed }) => freed('pp'),
    attacks: (random) => [
      { inputs: { pp: { kind: 'holder', block: null } }, harmless: true },
      { inputs: { pp: { kind: 'holder', block: between(random, 100, 5000) } } },
    ],
    // Into a block that was freed, too.
    harm: (_, { held }) =>
      held('pp').kind === 'freed' || held('pp').kind === 'elsewhere'
        ? { why: 'the pointer dangles', by: 'free', role: 'pp' }
        : undefined,
  },
  take: {
    kind: 'order',
    benign: (random) => ({ inputs: { node: { kind: 'node', value: numbers(random, 1)[0] as number } } }),
    done: ({ inputs: { node } }, { value, freed }) => node?.kind === 'node' && freed('node') && value === node.value,
    attacks: (random) => [{ inputs: { node: { kind: 'node', value: between(random, 1000, intMax) } } }],
  },
  exec: {
    kind: 'shell',
    benign: (random, variant) => ({
      inputs: {
        arg: string([`${word(random, 1)}.${word(random, 1)}`][variant] ?? `host${between(random, 0, 99)}`),
      },
    }),
    done: (attempt, { calls }) => {
      const [arg, lines] = [textOf(attempt, 'arg'), calls.filter(runsShell)];
      return lines.length === 1 && shellWords(lines[0]?.text ?? '')?.join('\0') === `ping\0${arg}`;
    },
    attacks: (random) =>
      shellAttacks(random).map((arg) => ({ inputs: { arg: string(arg) }, harmless: /^[a-z]*$/.test(arg) })),
    harm: (_, { calls }) => {
      const bad = calls.some((call) => runsShell(call) && shellWords(call.text) === undefined);
      return bad ? { why: 'the input is a command of the shell', by: 'call' } : undefined;
    },
  },
  path: {
    kind: 'path',
    benign: (random, variant) => ({
      inputs: {
        dir: string(random.pick(folders)),
        fname: string([word(random, 1)][variant] ?? `${word(random, between(random, 1, 5))}.txt`),
      },
    }),
    done: (attempt, { calls }) => {
      const wanted = resolved(`${textOf(attempt, 'dir')}/${textOf(attempt, 'fname')}`);
      const gone = calls.filter(removes);
      return gone.length === 1 && JSON.stringify(resolved(gone[0]?.text ?? '')) === JSON.stringify(wanted);
    },
    attacks: (random) => {
      const [name, other] = [word(random, between(random, 1, 6)), word(random, between(random, 1, 6))];
      const names = [
        `../${name}`,
        `../../etc/${name}`,
        `${other}/../../${name}`,
        `./../${name}`,
        `${other}/../../../../${name}`,
        `..//${name}`,
        `/etc/${name}`,
        `/${name}`,
        `%2e%2e/${name}`,
        `${other}/${name}`,
        '..',
        `.${name}`,
        `..${name}`,
        `${name}%n`,
        // Where `../` is taken out once, another is left.
        `....//${name}`,
        `${word(random, 20)}/../../${name}`,
        ...[...huge, ...vast(random)].map((length) => word(random, length)),
      ];
      const inside = names.map((fname) => ({
        inputs: { dir: string(random.pick(folders)), fname: string(fname) },
        harmless: resolved(`d/${fname}`)?.folder[0] === 'd' || fname === '..',
      }));
      const deep = [...huge, ...vast(random)].map((length) => ({
        inputs: { dir: string(`/${word(random, length)}`), fname: string(name) },
      }));
      return [...inside, ...deep];
    },
    harm: (attempt, { calls }) => {
      const dir = textOf(attempt, 'dir');
      // What is cut off of such a name is no attack.
      if (dir.length > longestFolder) return undefined;
      const gone = calls.find((call) => removes(call) && !staysIn(dir, call.text));
      return gone === undefined ? undefined : { why: 'the path leaves its folder', by: 'call' };
    },
  },
  sum: {
    kind: 'loop',
    benign: (random, variant) => summed(random, [1, 6][variant] ?? between(random, 2, 5)),
    done: (attempt, { value }) => value === valuesOf(attempt, 'arr').reduce((a, b) => a + b, 0),
    attacks: (random) =>
      [1, 2, between(random, 7, 60), 500, between(random, 4200, 5000), 0].map((n) => summed(random, n)),
  },
  file: {
    kind: 'stream',
    benign: (random, variant) => opened(random, word(random, [1, 5][variant] ?? between(random, 1, 9))),
    done: ({ files = {} }, { value }) => value === Object.values(files)[0]?.charCodeAt(0),
    attacks: (random) => [
      { ...opened(random, 'x'), files: {} },
      opened(random, ''),
      opened(random, '\0'),
      opened(random, '\xff'),
      opened(random, '\n'),
      opened(random, word(random, 4096)),
      opened(random, word(random, wide(random))),
      ...[...huge, wide(random)].map((length) => opened(random, word(random, 1), word(random, length))),
    ],
    harm: (_, { open }) => (open > 0 ? { why: 'a stream is left open', by: 'open' } : undefined),
  },
  line: {
    kind: 'read',
    benign: (random, variant) => lines(between(random, 8, 16), word(random, [1, 7][variant] ?? between(random, 2, 6))),
    done: (attempt, { bytes }) => stringIn(bytes('lbuf')) === textOf(attempt, 'fin'),
    attacks: (random) =>
      [
        ...[between(random, 1, 4), between(random, 5, 7), between(random, 9, 40), between(random, 257, 400)].map(
          (cap, i) => {
            const far = i === 0 ? [...huge, ...vast(random)] : huge;
            return { cap, lengths: [cap - 1, cap, cap + 1, cap + between(random, 2, 40), 0, ...far] };
          },
        ),
        ...[wide(random)].map((cap) => ({ cap, lengths: [cap - 1, cap] })),
      ]
        .flatMap(({ cap, lengths }): Attempt[] => [
          ...lengths.map((length, kin) => ({ ...lines(cap, word(random, length)), harmless: length < cap, kin })),
          // The end of a string within what is read ends no read.
          { ...lines(cap, `${word(random, 2)}\0${word(random, 700)}`), kin: 20 },
        ])
        .concat({ ...lines(40, `${word(random, 3)}%n`), harmless: true }),
    harm: unended('lbuf'),
  },
};

const runsShell = ({ name }: { name: string }): boolean => name === 'system' || name === 'popen';
const removes = ({ name }: { name: string }): boolean => name === 'remove' || name === 'unlink';

function allocated(size: number | bigint): Attempt {
  return { inputs: { mem: { kind: 'holder', block: null }, sz: int(size) } };
}
function copied(text: string): Attempt {
  return { inputs: { outs: { kind: 'holder', block: null }, src: string(text) } };
}
function summed(random: RandomStream, n: number): Attempt {
  const values = numbers(random, n);
  // -1 is what a function returns that refuses.
  if (values.reduce((a, b) => a + b, 0) === -1) values[0] = (values[0] as number) + 5;
  return { inputs: { arr: { kind: 'ints', values }, n: int(n) } };
}
function opened(random: RandomStream, content: string, stem = word(random, between(random, 1, 6))): Attempt {
  const name = `${stem}.cfg`;
  return { inputs: { cfg: string(name) }, files: { [name]: content } };
}
function lines(cap: number, content: string): Attempt {
  return {
    inputs: {
      lbuf: { kind: 'buffer', size: cap, text: '' },
      lcap: int(cap),
      fin: { kind: 'stream', text: content },
    },
  };
}
