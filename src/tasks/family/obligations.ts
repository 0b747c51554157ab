import { type Effect, known, type Run } from '../../analysis/c/machine.js';
import type { CNode } from '../../analysis/c/syntax.js';
import {
  type CellType,
  char,
  charOf,
  int,
  integer,
  Memory,
  nullPointer,
  pointer,
  size,
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

/** An input that does harm to careless code. */
export interface Attack extends Attempt {
  /** Harm that no memory error shows: what did it. */
  harm?(run: Run): Effect | undefined;
  /** What kept the harm away, where no guard did. */
  defence?(run: Run): CNode[];
}

/** What a step must do and withstand. */
export interface Obligation {
  /** What kind of defence its secure forms are. */
  kind: string;
  benign(): Benign;
  attacks: readonly (() => Attack)[];
}

// Of the buffer that strings are copied into.
const capacity = 16;
// Indices of no element of the array.
const outside = [-1, -7, 5, 14];
const printers: ReadonlySet<string> = new Set(['printf', 'fprintf', 'puts', 'fputs']);

/** By step; each call of a function makes new memory. */
export const obligations: Readonly<Record<StepId, Obligation>> = {
  get: {
    kind: 'bounds',
    benign: () => ({ inputs: indexed(2).inputs, done: (_, result) => equals(result, 4) }),
    attacks: outside.map((index) => () => indexed(index)),
  },
  set: {
    kind: 'bounds',
    benign: () => {
      const { inputs, array } = indexed(2);
      return { inputs: { ...inputs, val: integer(77) }, done: () => equals(array.cells[2], 77) };
    },
    attacks: outside.map((index) => () => ({ inputs: { ...indexed(index).inputs, val: integer(2) } })),
  },
  div: {
    kind: 'zero',
    benign: () => ({ inputs: { num: integer(91), den: integer(13) }, done: (_, result) => equals(result, 7) }),
    attacks: [() => ({ inputs: { num: integer(91), den: integer(0) } })],
  },
  add: {
    kind: 'overflow',
    benign: () => ({ inputs: { a: integer(30), b: integer(41) }, done: (_, result) => equals(result, 71) }),
    attacks: [
      [2 ** 31 - 1, 1],
      [1, 2 ** 31 - 1],
      [2 ** 30, 2 ** 30],
    ].map(([a, b]) => () => ({ inputs: { a: integer(a as number), b: integer(b as number) } })),
  },
  copy: {
    kind: 'size',
    benign: () => {
      const { inputs, target } = copied('', 'hello');
      return { inputs, done: () => known(pointer(target)) === 'hello' };
    },
    attacks: [() => intoBuffer(copied('', 'A'.repeat(40))), () => intoBuffer(copied('', 'A'.repeat(capacity)))],
  },
  cat: {
    kind: 'size',
    benign: () => {
      const { inputs, target } = copied('ab', 'hello');
      return { inputs, done: () => known(pointer(target)) === 'abhello' };
    },
    attacks: [
      () => intoBuffer(copied('ab', 'A'.repeat(40))),
      () => intoBuffer(copied('ab', 'A'.repeat(capacity - 2))),
      () => intoBuffer(copied('abcdefghij', 'A'.repeat(capacity - 9))),
    ],
  },
  mcpy: {
    kind: 'length',
    benign: () => {
      const { inputs, target } = moved(7);
      return { inputs, done: () => target.cells.slice(0, 7).every((cell, i) => equals(cell, 'payload'.charCodeAt(i))) };
    },
    attacks: [-1, capacity + 1, 30].map((length) => () => ({ inputs: moved(length).inputs })),
  },
  print: {
    kind: 'format',
    benign: () => ({ inputs: { msg: text('hi') }, done: (run) => run.printed.includes('hi') }),
    attacks: [
      () => ({
        inputs: { msg: text('%s%n') },
        defence: (run) => statements(run, (effect) => effect.kind === 'call' && printers.has(effect.name as string)),
      }),
    ],
  },
  slen: {
    kind: 'null',
    benign: () => ({ inputs: { s: text('word5') }, done: (_, result) => equals(result, 5) }),
    attacks: [() => ({ inputs: { s: nullPointer } })],
  },
  field: {
    kind: 'null',
    benign: () => ({ inputs: { node: pointer(node()) }, done: (_, result) => equals(result, 42) }),
    attacks: [() => ({ inputs: { node: nullPointer } })],
  },
  alloc: {
    kind: 'null',
    benign: () => {
      const cell = new Memory([nullPointer], 'pointer');
      return {
        inputs: { mem: pointer(cell), sz: integer(8, size) },
        done: () =>
          (target(cell)?.cells.length ?? 0) >= 8 &&
          target(cell)
            ?.cells.slice(0, 8)
            .every((c) => equals(c, 0)) === true,
      };
    },
    attacks: [
      () => ({
        inputs: { mem: pointer(new Memory([nullPointer], 'pointer')), sz: integer(8, size) },
        allocationFails: true,
      }),
    ],
  },
  dup: {
    kind: 'size',
    benign: () => {
      const cell = new Memory([nullPointer], 'pointer');
      return {
        inputs: { outs: pointer(cell), src: text('hello') },
        done: () => target(cell) !== undefined && known(cell.cells[0] as never) === 'hello',
      };
    },
    attacks: [
      () => ({
        inputs: { outs: pointer(new Memory([nullPointer], 'pointer')), src: text('hello') },
        allocationFails: true,
      }),
      () => {
        const cell = new Memory([nullPointer], 'pointer');
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
    benign: () => {
      const block = new Memory([charOf(1)], char);
      return { inputs: { pp: pointer(new Memory([pointer(block)], 'pointer')) }, done: () => block.freed };
    },
    attacks: [
      () => {
        const block = new Memory([charOf(1)], char);
        const cell = new Memory([pointer(block)], 'pointer');
        return {
          inputs: { pp: pointer(cell) },
          harm: (run) => (target(cell)?.freed ? run.effects.find(({ kind }) => kind === 'free') : undefined),
          defence: (run) => statements(run, ({ kind, memory }) => kind === 'write' && memory === cell),
        };
      },
    ],
  },
  take: {
    kind: 'order',
    benign: () => {
      const taken = node();
      return { inputs: { node: pointer(taken) }, done: (_, result) => taken.freed && equals(result, 42) };
    },
    attacks: [
      () => {
        const taken = node();
        return {
          inputs: { node: pointer(taken) },
          defence: (run) => statements(run, ({ kind, memory }) => memory === taken && kind !== 'write'),
        };
      },
    ],
  },
  exec: {
    kind: 'shell',
    benign: () => ({
      inputs: { arg: text('host1') },
      done: (run) => called(run, 'system', (line) => line === 'ping host1'),
    }),
    attacks: ['h;rm', 'h|sh', 'h&sh'].map((arg) => () => ({
      inputs: { arg: text(arg) },
      harm: (run) => run.effects.find(({ name, text: line }) => name === 'system' && line?.includes(arg) === true),
    })),
  },
  path: {
    kind: 'path',
    benign: () => ({
      inputs: { dir: text('/tmp/d'), fname: text('a.txt') },
      done: (run) => called(run, 'remove', (path) => path === '/tmp/d/a.txt'),
    }),
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
    benign: () => ({ inputs: { arr: pointer(ints()), n: integer(5) }, done: (_, result) => equals(result, 14) }),
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
    benign: () => ({ inputs: { cfg: text('cfg.ok') }, file: 'Q', done: (_, result) => equals(result, 81) }),
    attacks: [
      () => ({ inputs: { cfg: text('no.such') }, file: null }),
      () => ({
        inputs: { cfg: text('cfg.ok') },
        file: 'Q',
        harm: (run) => run.effects.find(({ kind, memory }) => kind === 'write' && isStream(memory) && !memory?.freed),
        defence: (run) => statements(run, ({ kind, memory }) => kind === 'free' && isStream(memory)),
      }),
    ],
  },
  line: {
    kind: 'read',
    benign: () => {
      const { inputs, target } = lines('tok');
      return { inputs, done: () => known(pointer(target)) === 'tok' };
    },
    attacks: [() => intoBuffer(lines('A'.repeat(40)))],
  },
};

function text(value: string): Value {
  return pointer(new Memory(textCells(value), char));
}

function ints(): Memory {
  return new Memory(
    [3, 1, 4, 1, 5].map((value) => integer(value)),
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
  return { inputs: { dst: pointer(target), cap: integer(capacity, size), src: text(source) }, target };
}

function moved(length: number): Filled {
  const target = buffer(capacity, '');
  const blob = text(`payload${'A'.repeat(33)}`);
  return { inputs: { frame: pointer(target), cap: integer(capacity, size), blob, blen: integer(length) }, target };
}

function lines(content: string): Filled {
  const target = buffer(8, '');
  const stream = new Memory([], 'any');
  stream.stream = [...content].map((letter) => letter.charCodeAt(0));
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

function node(): Memory {
  const memory = new Memory([], 'any');
  memory.members.set('value', new Memory([integer(42)], int));
  return memory;
}

function target(cell: Memory): Memory | undefined {
  const value = cell.cells[0];
  return value?.kind === 'pointer' && value.memory !== null ? value.memory : undefined;
}

function isStream(memory: Memory | undefined): boolean {
  return memory?.stream !== undefined;
}

function equals(value: Value, wanted: number): boolean {
  return value?.kind === 'int' && value.value === BigInt(wanted);
}

function called(run: Run, name: string, argument: (text: string | undefined) => boolean): boolean {
  return run.effects.some((effect) => effect.name === name && argument(effect.text));
}

/** The statements with such an effect, in order, each once. */
function statements(run: Run, such: (effect: Effect) => boolean): CNode[] {
  return [...new Set(run.effects.filter(such).map((effect) => effect.statement))];
}

/** The types that parameters have, as cells. */
export function cellType(declared: string): CellType {
  return declared.includes('*') ? 'pointer' : declared.startsWith('size_t') ? size : int;
}
