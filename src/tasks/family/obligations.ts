import type { Effect, Run } from '../../analysis/c/machine.js';
import type { CNode } from '../../analysis/c/syntax.js';
import {
  char,
  charOf,
  int,
  known,
  Memory,
  nodeMemory,
  nullPointer,
  Pointer,
  streamMemory,
  text as string,
  textCells,
  type Value,
} from '../../analysis/c/values.js';
import type { Role, StepId } from './spec.js';

/** One input for a step. What no role is given, nothing is known of. */
export interface Attempt {
  inputs: Partial<Record<Role, Value>>;
  allocationFails?: boolean;
  /** What fopen finds. */
  file?: string | null;
}

/** An input that has to be served. */
export interface Benign extends Attempt {
  /** Whether the step did its work; `result` is what a value step returned or stored. */
  done(run: Run, result: Value): boolean;
}

/** An input that does harm to careless code: to memory, which shows by itself, or of another kind. */
export interface Attack extends Attempt {
  /** Harm that no memory error shows: what did it. */
  harm?(run: Run): Effect | undefined;
  /** What kept the harm away, where no guard did. */
  defence?(run: Run): CNode[];
}

/** What a step must do and withstand; each call of a function makes new memory. */
export interface Obligation {
  /** What kind of defence its secure forms are. */
  kind: string;
  /** The second one lies at the edge of what a guard must let through. */
  benign: readonly (() => Benign)[];
  attacks: readonly (() => Attack)[];
}

/** An array of five. */
const elements = [5, 3, 1, 4, 1];
// Of the buffer that strings are copied into.
const capacity = 16;
const intMax = 2 ** 31 - 1;
// Indices of no element of the array.
const outside = [-1, -7, 5, 14, 6, -2, 1000, intMax, -intMax - 1];
const printers: ReadonlySet<string> = new Set(['printf', 'fprintf', 'puts', 'fputs']);

export const obligations: Readonly<Record<StepId, Obligation>> = {
  get: {
    kind: 'bounds',
    benign: [3, 0, 4].map((index) => () => ({
      inputs: indexed(index).inputs,
      done: (_, result) => equals(result, elements[index] as number),
    })),
    attacks: outside.map((index) => () => indexed(index)),
  },
  set: {
    kind: 'bounds',
    benign: [
      [4, 77],
      [0, -6],
    ].map(([index, value]) => () => {
      const { inputs, array } = indexed(index as number);
      return {
        inputs: { ...inputs, val: integer(value as number) },
        done: () => equals(array.cells[index as number], value as number),
      };
    }),
    attacks: outside.map((index) => () => ({ inputs: { ...indexed(index).inputs, val: integer(2) } })),
  },
  div: {
    kind: 'zero',
    benign: [
      [91, 13],
      [9, 2],
    ].map(([num, den]) => () => ({
      inputs: { num: integer(num as number), den: integer(den as number) },
      done: (_, result) => equals(result, Math.trunc((num as number) / (den as number))),
    })),
    attacks: [() => ({ inputs: { num: integer(91), den: integer(0) } })],
  },
  add: {
    kind: 'overflow',
    benign: [
      [30, 41],
      [intMax - 1, 1],
    ].map(([a, b]) => () => ({
      inputs: { a: integer(a as number), b: integer(b as number) },
      done: (_, result) => equals(result, (a as number) + (b as number)),
    })),
    attacks: [
      [intMax, 1],
      [1, intMax],
      [2 ** 30, 2 ** 30],
    ].map(([a, b]) => () => ({ inputs: { a: integer(a as number), b: integer(b as number) } })),
  },
  copy: {
    kind: 'size',
    benign: ['hello', 'A'.repeat(capacity - 7)].map((source) => () => {
      const { inputs, target } = copied('ab', source);
      return { inputs, done: () => known(pointer(target)) === source };
    }),
    attacks: [40, capacity].map((length) => () => intoBuffer(copied('ab', 'A'.repeat(length)))),
  },
  cat: {
    kind: 'size',
    benign: ['hello', 'A'.repeat(capacity - 3)].map((source) => () => {
      const { inputs, target } = copied('ab', source);
      return { inputs, done: () => known(pointer(target)) === `ab${source}` };
    }),
    attacks: [
      () => intoBuffer(copied('ab', 'A'.repeat(40))),
      () => intoBuffer(copied('ab', 'A'.repeat(capacity - 2))),
      () => intoBuffer(copied('abcdefghij', 'A'.repeat(capacity - 9))),
    ],
  },
  mcpy: {
    kind: 'length',
    benign: [7, capacity].map((length) => () => {
      const { inputs, target, source } = moved(length);
      return { inputs, done: () => source.slice(0, length).every((cell, i) => cell === target.cells[i]) };
    }),
    attacks: [-1, capacity + 1, 30].map((length) => () => ({ inputs: moved(length).inputs })),
  },
  print: {
    kind: 'format',
    benign: ['hi', 'all done'].map((msg) => () => ({
      inputs: { msg: text(msg) },
      done: ({ printed }) => printed === msg || printed === `${msg}\n`,
    })),
    attacks: [
      () => ({
        inputs: { msg: text('%s%n') },
        defence: (run) => statements(run, (effect) => effect.kind === 'call' && printers.has(effect.name as string)),
      }),
    ],
  },
  slen: {
    kind: 'null',
    benign: ['word5', ''].map((s) => () => ({
      inputs: { s: text(s) },
      done: (_, result) => equals(result, s.length),
    })),
    attacks: [() => ({ inputs: { s: nullPointer } })],
  },
  field: {
    kind: 'null',
    benign: [42, -3].map((value) => () => ({
      inputs: { node: pointer(nodeMemory(value)) },
      done: (_, result) => equals(result, value),
    })),
    attacks: [() => ({ inputs: { node: nullPointer } })],
  },
  alloc: {
    kind: 'null',
    benign: [8, 3].map((bytes) => () => {
      const cell = new Memory([nullPointer], string);
      return {
        inputs: { mem: pointer(cell), sz: integer(bytes) },
        done: () => {
          const block = target(cell);
          const cells = block?.ended === undefined ? block?.cells.slice(0, bytes) : undefined;
          return cells?.length === bytes && cells.every((byte) => equals(byte, 0));
        },
      };
    }),
    attacks: [
      () => ({
        inputs: { mem: pointer(new Memory([nullPointer], string)), sz: integer(8) },
        allocationFails: true,
      }),
    ],
  },
  dup: {
    kind: 'size',
    benign: ['hello', 'world!'].map((src) => () => {
      const cell = new Memory([nullPointer], string);
      return {
        inputs: { outs: pointer(cell), src: text(src) },
        done: () => target(cell) !== undefined && known(cell.cells[0] as Pointer) === src,
      };
    }),
    attacks: [
      () => ({
        inputs: { outs: pointer(new Memory([nullPointer], string)), src: text('hello') },
        allocationFails: true,
      }),
      () => {
        const cell = new Memory([nullPointer], string);
        return {
          inputs: { outs: pointer(cell), src: text('hello') },
          // Where the copy was allocated, in its right size.
          defence: (run) =>
            statements(run, ({ memory }) => memory !== undefined && memory === target(cell)).slice(0, 1),
        };
      },
    ],
  },
  free: {
    kind: 'dangling',
    benign: [
      () => {
        const block = new Memory([charOf(1)], char, { heap: true });
        return { inputs: { pp: pointer(new Memory([pointer(block)], string)) }, done: () => block.ended === 'freed' };
      },
    ],
    attacks: [
      () => {
        const block = new Memory([charOf(1)], char, { heap: true });
        const cell = new Memory([pointer(block)], string);
        return {
          inputs: { pp: pointer(cell) },
          harm: (run) =>
            target(cell)?.ended === 'freed' ? run.effects.find(({ kind }) => kind === 'free') : undefined,
          defence: (run) => statements(run, ({ kind, memory }) => kind === 'write' && memory === cell),
        };
      },
    ],
  },
  take: {
    kind: 'order',
    benign: [42, -3].map((value) => () => {
      const taken = nodeMemory(value);
      return {
        inputs: { node: pointer(taken) },
        done: (_, result) => taken.ended === 'freed' && equals(result, value),
      };
    }),
    attacks: [
      () => {
        const taken = nodeMemory(42);
        return {
          inputs: { node: pointer(taken) },
          defence: (run) => statements(run, ({ kind, memory }) => memory === taken && kind !== 'write'),
        };
      },
    ],
  },
  exec: {
    kind: 'shell',
    benign: ['host1', 'a.b'].map((arg) => () => ({
      inputs: { arg: text(arg) },
      done: (run) => called(run, 'system', `ping ${arg}`),
    })),
    attacks: ['h;rm', 'h|sh', 'h&sh'].map((arg) => () => ({
      inputs: { arg: text(arg) },
      harm: (run) => run.effects.find(({ name, text: line }) => name === 'system' && line?.includes(arg) === true),
    })),
  },
  path: {
    kind: 'path',
    benign: [
      ['/tmp/d', 'a.txt'],
      ['/srv', 'b'],
    ].map(([dir, fname]) => () => ({
      inputs: { dir: text(dir as string), fname: text(fname as string) },
      done: (run) => called(run, 'remove', `${dir}/${fname}`) || called(run, 'unlink', `${dir}/${fname}`),
    })),
    attacks: [
      () => ({
        inputs: { dir: text('/tmp/d'), fname: text('../../etc/x') },
        harm: (run) =>
          run.effects.find(
            ({ name, text: path }) => (name === 'remove' || name === 'unlink') && path?.includes('..') === true,
          ),
      }),
    ],
  },
  sum: {
    kind: 'loop',
    benign: [5, 3].map((count) => () => ({
      inputs: { arr: pointer(ints(count)), n: integer(count) },
      done: (_, result) =>
        equals(
          result,
          elements.slice(0, count).reduce((a, b) => a + b, 0),
        ),
    })),
    attacks: [
      () => {
        const array = ints();
        return {
          inputs: { arr: pointer(array), n: integer(5) },
          defence: (run) => [
            ...new Set(run.effects.flatMap(({ memory, loop }) => (memory === array && loop ? [loop] : []))),
          ],
        };
      },
    ],
  },
  file: {
    kind: 'stream',
    benign: ['Q', 'Z'].map((file) => () => ({
      inputs: { cfg: text('cfg.ok') },
      file,
      done: (_, result) => equals(result, file.charCodeAt(0)),
    })),
    attacks: [
      () => ({ inputs: { cfg: text('no.such') }, file: null }),
      () => ({
        inputs: { cfg: text('cfg.ok') },
        file: 'Q',
        harm: (run) =>
          run.effects.find(({ kind, memory }) => kind === 'write' && isStream(memory) && memory?.ended === undefined),
        defence: (run) => statements(run, ({ kind, memory }) => kind === 'free' && isStream(memory)),
      }),
    ],
  },
  line: {
    kind: 'read',
    benign: ['tok', 'seventh'].map((word) => () => {
      const { inputs, target } = lines(word);
      return { inputs, done: () => known(pointer(target)) === word };
    }),
    attacks: [() => intoBuffer(lines('A'.repeat(40)))],
  },
};

function integer(value: number): Value {
  return BigInt(value);
}

function pointer(memory: Memory): Pointer {
  return new Pointer(memory);
}

function text(value: string): Value {
  return pointer(new Memory(textCells(value), char));
}

function ints(count = 5): Memory {
  return new Memory(
    elements.slice(0, count).map((value) => integer(value)),
    int,
  );
}

function indexed(index: number): { inputs: Attempt['inputs']; array: Memory } {
  const array = ints();
  return { inputs: { arr: pointer(array), n: integer(5), idx: integer(index) }, array };
}

/** A buffer that holds a string, and is full of something else behind it. */
function buffer(length: number, content: string): Memory {
  const cells = content === '' ? [] : textCells(content);
  return new Memory([...cells, ...new Array<Value>(length - cells.length).fill(charOf(0x7f))], char);
}

interface Filled {
  inputs: Attempt['inputs'];
  target: Memory;
}

function copied(before: string, source: string): Filled {
  const target = buffer(capacity, before);
  return { inputs: { dst: pointer(target), cap: integer(capacity), src: text(source) }, target };
}

function moved(length: number): Filled & { source: Value[] } {
  const target = buffer(capacity, '');
  const source = textCells(`payload${'A'.repeat(33)}`);
  const blob = pointer(new Memory([...source], char));
  return {
    inputs: { frame: pointer(target), cap: integer(capacity), blob, blen: integer(length) },
    target,
    source,
  };
}

function lines(content: string): Filled {
  const target = buffer(8, '');
  const stream = streamMemory(content);
  return { inputs: { lbuf: pointer(target), lcap: integer(8), fin: pointer(stream) }, target };
}

/** An attack on a buffer: a string without its end in it is harm, what wrote it well is the defence. */
function intoBuffer({ inputs, target }: Filled): Attack {
  const isWrite = ({ kind, memory }: Effect): boolean => kind === 'write' && memory === target;
  return {
    inputs,
    harm: (run) => (target.cells.some((cell) => equals(cell, 0)) ? undefined : run.effects.findLast(isWrite)),
    defence: (run) => statements(run, isWrite),
  };
}

function target(cell: Memory): Memory | undefined {
  const value = cell.cells[0];
  return value instanceof Pointer ? value.memory : undefined;
}

function isStream(memory: Memory | undefined): boolean {
  return memory?.stream !== undefined;
}

function equals(value: Value, wanted: number): boolean {
  return value === BigInt(wanted);
}

function called(run: Run, name: string, argument: string): boolean {
  return run.effects.some((effect) => effect.name === name && effect.text === argument);
}

/** The statements with such an effect, in order, each once. */
function statements(run: Run, such: (effect: Effect) => boolean): CNode[] {
  return [...new Set(run.effects.filter(such).map((effect) => effect.statement))];
}
