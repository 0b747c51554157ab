import type { Machine } from '../machine.js';
import type { CNode } from '../syntax.js';
import { anyPointer, type CType, type IntType, Pointer, sizeOf, type Value } from '../values.js';

/** A call of a library function, its arguments converted as the function's declaration says. */
export interface Call {
  readonly machine: Machine;
  readonly node: CNode;
  readonly name: string;
  readonly args: readonly Value[];
  readonly types: readonly CType[];
}

/** A function of the library. */
export interface Entry {
  readonly returns: CType;
  readonly parameters: readonly CType[];
  /** It takes more arguments than these. */
  readonly more: boolean;
  /** Of its result only the sign, or that it is 0, is the same everywhere. */
  readonly signOnly?: boolean;
  run(call: Call): Value;
}

export type Entries = Readonly<Record<string, Entry>>;

export function entry(returns: CType, parameters: readonly CType[], run: Entry['run'], more = false): Entry {
  return { returns, parameters, run, more };
}

export function signOnly(of: Entry): Entry {
  return { ...of, signOnly: true };
}

/** The same function under several names. */
export function entriesOf(names: readonly string[], make: (name: string) => Entry): Entries {
  return Object.fromEntries(names.map((name) => [name, make(name)]));
}

/** An argument that is a number. Those of 64 bits may lose digits: none of them is a size of anything here. */
export function number({ machine, node, args }: Call, at: number): number {
  const value = args[at];
  return typeof value === 'bigint' ? Number(value) : machine.unknown(node, 'an argument that is not known');
}

/** The string that an argument points to. */
export function string({ machine, node, args }: Call, at: number, most?: number): string {
  return machine.textAt(args[at], node, most);
}

/** Where an argument points, `by` cells on. */
export function ahead({ args }: Call, at: number, by: number): Pointer {
  const { memory, offset } = args[at] as Pointer;
  return new Pointer(memory, offset + by);
}

/** The cells that a range of bytes covers, for a pointer without a type. */
export interface Range {
  readonly cells: Value[];
  readonly from: number;
  readonly count: number;
  readonly width: number;
  readonly memory: NonNullable<Pointer['memory']>;
}

/** The bytes that an argument points to; the run traps unless all of them exist. */
export function range({ machine, node, args }: Call, at: number, bytes: number, kind: 'read' | 'write'): Range {
  const pointer = args[at];
  const memory = machine.live(pointer, node);
  machine.adopt(memory, byte, node);
  const width = sizeOf(memory.type as CType);
  if (width === undefined || memory.members !== undefined) return machine.unknown(node, 'bytes of no array');
  const { offset } = pointer as Pointer;
  if (offset < 0 || bytes > (memory.cells.length - offset) * width) return machine.trap(node, 'out of bounds', memory);
  if (bytes % width !== 0) return machine.unknown(node, 'a part of a number');
  if (kind === 'write' && memory.literal) return machine.trap(node, 'write to a literal', memory);
  machine.touch(bytes / width);
  machine.note(kind, memory);
  return { memory, cells: memory.cells, from: offset, count: bytes / width, width };
}

const byte: IntType = { kind: 'int', bits: 8, signed: true };
export const nothingAt: Pointer = new Pointer(undefined);
export { anyPointer };
