import { anyPointer, char, charOf, int, Memory, nothing, Pointer, size, text, type Value, wrapped } from '../values.js';
import { ahead, type Call, type Entries, entry, nothingAt, number, range, signOnly, string } from './call.js';

function copy(call: Call, overlaps: boolean): Value {
  const { machine, node, args } = call;
  const bytes = number(call, 2);
  if (bytes === 0) return args[0];
  const from = range(call, 1, bytes, 'read');
  const to = range(call, 0, bytes, 'write');
  if (from.width !== to.width) return machine.unknown(node, 'a copy of numbers of another size');
  if (!overlaps && from.memory === to.memory && Math.abs(from.from - to.from) < from.count)
    return machine.unknown(node, 'a copy onto itself');
  const copied = from.cells.slice(from.from, from.from + from.count);
  const { type } = to.memory;
  for (let i = 0; i < copied.length; i++) {
    const cell = copied[i];
    to.cells[to.from + i] = typeof cell === 'bigint' && type?.kind === 'int' ? wrapped(cell, type) : cell;
  }
  return args[0];
}

function set(call: Call): Value {
  const { machine, node, args } = call;
  const bytes = number(call, 2);
  const code = number(call, 1) & 0xff;
  if (bytes === 0) return args[0];
  const { cells, from, count, width, memory } = range(call, 0, bytes, 'write');
  const { type } = memory;
  if (type?.kind === 'pointer' && code !== 0) return machine.unknown(node, 'bytes of a pointer');
  let whole = 0n;
  for (let i = 0; i < width; i++) whole = whole * 256n + BigInt(code);
  cells.fill(type?.kind === 'int' ? wrapped(whole, type) : nothingAt, from, from + count);
  return args[0];
}

/** The bytes of a range, of one cell each. */
function bytesOf(call: Call, at: number, count: number): number[] {
  const { machine, node } = call;
  if (count === 0) return [];
  const { cells, from, width } = range(call, at, count, 'read');
  if (width !== 1) return machine.unknown(node, 'bytes of numbers');
  return cells.slice(from, from + count).map((cell) => {
    if (typeof cell !== 'bigint') return machine.unknown(node, 'bytes that were never written');
    return Number(cell) & 0xff;
  });
}

function compare(call: Call): Value {
  const count = number(call, 2);
  const [a, b] = [bytesOf(call, 0, count), bytesOf(call, 1, count)];
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? 0n : (a[at] as number) < (b[at] as number) ? -1n : 1n;
}

function search(call: Call): Value {
  const at = bytesOf(call, 0, number(call, 2)).indexOf(number(call, 1) & 0xff);
  return at < 0 ? nothingAt : ahead(call, 0, at);
}

// Heap

/** Larger blocks than this are not to be had; what lies between is not known. */
const never = 2 ** 40;
const mostBytes = 1 << 20;

function allocate({ machine, node }: Call, bytes: number, content: Value): Pointer {
  if (machine.world.allocationFails?.(node) || bytes > never) return nothingAt;
  if (bytes > mostBytes) return machine.unknown(node, 'a large block');
  machine.make(bytes >> 3, node);
  const memory = new Memory([content], undefined, { heap: true, bytes });
  machine.note('write', memory);
  return new Pointer(memory);
}

/** Cells for `calloc` are zero, whatever type they get. */
function allocateZeroed(call: Call): Value {
  return allocate(call, number(call, 0) * number(call, 1), 0n);
}

function duplicate(call: Call, most?: number): Value {
  const { machine, node } = call;
  const copied = string(call, 0, most);
  const block = allocate(call, copied.length + 1, undefined);
  if (block.memory === undefined) return block;
  machine.adopt(block.memory, char, node);
  for (let i = 0; i < copied.length; i++) block.memory.cells[i] = charOf(copied.charCodeAt(i));
  block.memory.cells[copied.length] = 0n;
  return block;
}

/** The heap block that an argument points to. */
function block({ machine, node, args }: Call): Memory | undefined {
  const pointer = args[0];
  if (pointer === undefined) return machine.unknown(node, 'a pointer that was never set');
  const { memory, offset } = pointer as Pointer;
  if (memory === undefined) return undefined;
  if (memory.ended === 'freed') return machine.trap(node, 'double free', memory);
  if (!memory.heap || offset !== 0) return machine.trap(node, 'free of what was not allocated', memory);
  return memory;
}

function release(call: Call): Value {
  const memory = block(call);
  if (memory === undefined) return undefined;
  memory.end('freed');
  call.machine.note('free', memory);
  return undefined;
}

function reallocate(call: Call): Value {
  const { machine, node } = call;
  const old = block(call);
  const bytes = number(call, 1);
  if (old !== undefined && bytes === 0) return machine.unknown(node, 'realloc to nothing');
  const fresh = allocate(call, bytes, undefined);
  if (old === undefined || fresh.memory === undefined) return fresh;
  if (old.type !== undefined) {
    machine.adopt(fresh.memory, old.type, node);
    const { cells } = fresh.memory;
    for (let i = 0; i < cells.length && i < old.cells.length; i++) cells[i] = old.cells[i];
  } else if (old.cells[0] !== undefined) return machine.unknown(node, 'a block without a type');
  old.end('freed');
  machine.note('free', old);
  return fresh;
}

// Compiler

type Checked = (a: bigint, b: bigint) => bigint;

/** `__builtin_add_overflow` and its like, whose third argument says the type. */
function overflows({ machine, node, args }: Call, compute: Checked): Value {
  const [a, b, to] = args;
  const memory = machine.live(to, node);
  if (typeof a !== 'bigint' || typeof b !== 'bigint' || memory.type?.kind !== 'int')
    return machine.unknown(node, 'an argument that is not known');
  const { type } = memory;
  const exact = compute(a, b);
  const held = wrapped(exact, type);
  machine.store(machine.at(to, 0, type, node), held, node);
  return held === exact ? 0n : 1n;
}

const checked = (compute: Checked) => entry(int, [], (call) => overflows(call, compute), true);

export const memory: Entries = {
  memcpy: entry(anyPointer, [anyPointer, anyPointer, size], (call) => copy(call, false)),
  memmove: entry(anyPointer, [anyPointer, anyPointer, size], (call) => copy(call, true)),
  memset: entry(anyPointer, [anyPointer, int, size], set),
  memcmp: signOnly(entry(int, [anyPointer, anyPointer, size], compare)),
  memchr: entry(anyPointer, [anyPointer, int, size], search),
  malloc: entry(anyPointer, [size], (call) => allocate(call, number(call, 0), undefined)),
  calloc: entry(anyPointer, [size, size], allocateZeroed),
  realloc: entry(anyPointer, [anyPointer, size], reallocate),
  strdup: entry(text, [text], (call) => duplicate(call)),
  strndup: entry(text, [text, size], (call) => duplicate(call, number(call, 1))),
  free: entry(nothing, [anyPointer], release),
  __builtin_add_overflow: checked((a, b) => a + b),
  __builtin_sub_overflow: checked((a, b) => a - b),
  __builtin_mul_overflow: checked((a, b) => a * b),
};
