/** An integer type of C, on a 64-bit Linux. */
export interface IntType {
  readonly kind: 'int';
  readonly bits: 8 | 16 | 32 | 64;
  readonly signed: boolean;
  /** `bool`, which holds 0 or 1. */
  readonly truth?: true;
}

export interface PointerType {
  readonly kind: 'pointer';
  readonly to: CType;
}

/** Types of objects and expressions. A struct is known by its name. */
export type CType =
  | IntType
  | PointerType
  | { readonly kind: 'void' | 'file' }
  | { readonly kind: 'struct'; readonly name: string };

export const int: IntType = { kind: 'int', bits: 32, signed: true };
export const unsigned: IntType = { kind: 'int', bits: 32, signed: false };
export const long: IntType = { kind: 'int', bits: 64, signed: true };
export const size: IntType = { kind: 'int', bits: 64, signed: false };
export const char: IntType = { kind: 'int', bits: 8, signed: true };
export const bool: IntType = { kind: 'int', bits: 8, signed: false, truth: true };
export const nothing: CType = { kind: 'void' };
export const file: CType = { kind: 'file' };
export const node: CType = { kind: 'struct', name: 'node' };

export function pointerTo(to: CType): PointerType {
  return { kind: 'pointer', to };
}

export const text: PointerType = pointerTo(char);
export const anyPointer: PointerType = pointerTo(nothing);

/** A pointer; undefined memory is the null pointer's. */
export class Pointer {
  readonly memory: Memory | undefined;
  /** In cells of the memory. */
  readonly offset: number;

  constructor(memory: Memory | undefined, offset = 0) {
    this.memory = memory;
    this.offset = offset;
  }
}

export const nullPointer: Pointer = new Pointer(undefined);

/** What an object holds; undefined where nothing was written. */
export type Value = bigint | Pointer | undefined;

/** An object of C: cells of one type that a pointer walks over. */
export class Memory {
  cells: Value[];
  /** Of its cells; undefined for a heap block whose type nothing has said yet. */
  type: CType | undefined;
  /** A string literal, which is not written to. */
  readonly literal: boolean;
  /** What `free` takes. */
  readonly heap: boolean;
  /** A variable of the function. */
  readonly local: boolean;
  /** Members of a struct. */
  readonly members: ReadonlyMap<string, Memory> | undefined;
  /** Where this is a stream. */
  readonly stream: Stream | undefined;
  /** Freed, or its block was left. */
  ended: 'freed' | 'left' | undefined;
  /** Of a heap block without a type. */
  readonly bytes: number;

  constructor(
    cells: Value[],
    type: CType | undefined,
    about: Partial<Pick<Memory, 'literal' | 'heap' | 'local' | 'members' | 'stream' | 'bytes'>> = {},
  ) {
    this.cells = cells;
    this.type = type;
    this.literal = about.literal ?? false;
    this.heap = about.heap ?? false;
    this.local = about.local ?? false;
    this.members = about.members;
    this.stream = about.stream;
    this.bytes = about.bytes ?? 0;
  }

  end(how: 'freed' | 'left'): void {
    this.ended = how;
    this.members?.forEach((member) => {
      member.ended = how;
    });
  }
}

/** What a stream gives: character codes from a place on. */
export interface Stream {
  text: number[];
  at: number;
  /** A read met the end. */
  ended: boolean;
}

/** A `struct node` with a value. */
export function nodeMemory(value: number): Memory {
  const member = (held: Value, type: CType): Memory => new Memory([held], type);
  const members = new Map([
    ['next', member(nullPointer, pointerTo(node))],
    ['key', member(0n, long)],
    ['pad', member(0n, long)],
    ['value', member(BigInt(value), int)],
  ]);
  return new Memory([undefined], node, { members, heap: true });
}

export function streamMemory(content: string): Memory {
  const text = Array.from(content, (letter) => letter.charCodeAt(0) & 0xff);
  return new Memory([undefined], file, { stream: { text, at: 0, ended: false } });
}

/** The cells of a text of bytes and its NUL. */
export function textCells(content: string): Value[] {
  const cells = new Array<Value>(content.length + 1);
  for (let i = 0; i < content.length; i++) cells[i] = charOf(content.charCodeAt(i));
  cells[content.length] = 0n;
  return cells;
}

const chars: readonly bigint[] = Array.from({ length: 256 }, (_, code) => BigInt.asIntN(8, BigInt(code)));

/** What a `char` holds of a byte. */
export function charOf(code: number): bigint {
  return chars[code & 0xff] as bigint;
}

/** The text that a pointer points to, where all of it is known and it ends. */
export function known({ memory, offset }: Pointer): string | undefined {
  if (memory === undefined || memory.ended !== undefined) return undefined;
  const codes: number[] = [];
  for (let i = offset; ; i++) {
    const cell = memory.cells[i];
    if (typeof cell !== 'bigint') return undefined;
    if (cell === 0n) return letters(codes);
    codes.push(Number(cell) & 0xff);
  }
}

/** Text of character codes. */
export function letters(codes: readonly number[]): string {
  let out = '';
  for (let i = 0; i < codes.length; i += 4096) out += String.fromCharCode(...codes.slice(i, i + 4096));
  return out;
}

/** Wraps as a conversion does. */
export function wrapped(value: bigint, { bits, signed, truth }: IntType): bigint {
  if (truth) return value === 0n ? 0n : 1n;
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

export function fits(value: bigint, { bits, signed }: IntType): boolean {
  return (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) === value;
}

/** Whether a value counts as true; undefined where that is not known. */
export function truthOf(value: Value): boolean | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'bigint' ? value !== 0n : value.memory !== undefined;
}

/** The type in which two integers meet in an operation. */
export function common(a: IntType, b: IntType): IntType {
  const [x, y] = [promoted(a), promoted(b)];
  if (x.bits !== y.bits) return x.bits > y.bits ? x : y;
  return x.signed ? y : x;
}

export function promoted(type: IntType): IntType {
  return type.bits < 32 ? int : type;
}

/** Whether two types are one. */
export function same(a: CType, b: CType): boolean {
  if (a.kind === 'int') return b.kind === 'int' && a.bits === b.bits && a.signed === b.signed && a.truth === b.truth;
  if (a.kind === 'pointer') return b.kind === 'pointer' && same(a.to, b.to);
  if (a.kind === 'struct') return b.kind === 'struct' && a.name === b.name;
  return a.kind === b.kind;
}

/** In bytes; undefined for what has no size. */
export function sizeOf(type: CType): number | undefined {
  if (type.kind === 'int') return type.bits / 8;
  if (type.kind === 'pointer') return 8;
  return type.kind === 'struct' ? 32 : undefined;
}

/** The type that words such as `unsigned long` or `struct node` name; undefined for any other. */
export function typeNamed(words: string): CType | undefined {
  const name = words.trim().replace(/\s+/g, ' ');
  if (Object.hasOwn(named, name)) return named[name];
  const parts = name.split(' ');
  if (!parts.every((part) => /^(?:unsigned|signed|int|long|short|char)$/.test(part))) return undefined;
  const has = (part: string): number => parts.filter((one) => one === part).length;
  const [shorts, longs, chars, ints] = [has('short'), has('long'), has('char'), has('int')];
  if (has('unsigned') + has('signed') > 1 || shorts + chars > 1 || ints > 1 || longs > 2) return undefined;
  if ((longs > 0 && shorts + chars > 0) || (chars > 0 && ints > 0)) return undefined;
  const bits = chars > 0 ? 8 : shorts > 0 ? 16 : longs > 0 ? 64 : 32;
  return { kind: 'int', bits, signed: has('unsigned') === 0 };
}

const unsignedOf = (bits: IntType['bits']): IntType => ({ kind: 'int', bits, signed: false });

const named: Readonly<Record<string, CType>> = {
  void: nothing,
  FILE: file,
  'struct node': node,
  size_t: size,
  ssize_t: long,
  ptrdiff_t: long,
  int8_t: char,
  uint8_t: unsignedOf(8),
  int16_t: { kind: 'int', bits: 16, signed: true },
  uint16_t: unsignedOf(16),
  int32_t: int,
  uint32_t: unsigned,
  int64_t: long,
  uint64_t: size,
  intptr_t: long,
  uintptr_t: size,
  bool,
  _Bool: bool,
};
