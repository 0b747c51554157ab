/** An integer type of C, on a 64-bit Linux. */
export interface IntType {
  readonly bits: 8 | 16 | 32 | 64;
  readonly signed: boolean;
}

export const int: IntType = { bits: 32, signed: true };
export const unsigned: IntType = { bits: 32, signed: false };
export const long: IntType = { bits: 64, signed: true };
export const size: IntType = { bits: 64, signed: false };
export const char: IntType = { bits: 8, signed: true };

export interface CInt {
  readonly kind: 'int';
  readonly type: IntType;
  readonly value: bigint;
}

export interface CPointer {
  readonly kind: 'pointer';
  /** null: the null pointer. */
  readonly memory: Memory | null;
  /** In cells of the memory. */
  readonly offset: number;
}

/** undefined: nothing is known of it. */
export type Value = CInt | CPointer | undefined;

/** What cells hold: integers of a type, pointers, or whatever is stored. */
export type CellType = IntType | 'pointer' | 'any';

/** An object of C: cells that one pointer walks over. */
export class Memory {
  readonly cells: Value[];
  readonly type: CellType;
  /** The text of a string literal, which is not written to. */
  readonly literal: boolean;
  /** Members of a struct. */
  readonly members: Map<string, Memory> = new Map();
  /** What a stream still has to give, where this is one. */
  stream: number[] | undefined;
  freed = false;

  constructor(cells: Value[], type: CellType, literal = false) {
    this.cells = cells;
    this.type = type;
    this.literal = literal;
  }
}

export const nullPointer: CPointer = { kind: 'pointer', memory: null, offset: 0 };

export function pointer(memory: Memory, offset = 0): CPointer {
  return { kind: 'pointer', memory, offset };
}

/** Wraps as a conversion does. */
export function integer(value: bigint | number, type: IntType = int): CInt {
  const { bits, signed } = type;
  const whole = BigInt(value);
  return { kind: 'int', type, value: signed ? BigInt.asIntN(bits, whole) : BigInt.asUintN(bits, whole) };
}

export function fits(value: bigint, { bits, signed }: IntType): boolean {
  return (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) === value;
}

const chars: readonly CInt[] = Array.from({ length: 256 }, (_, code) => integer(code, char));

export function charOf(code: number): CInt {
  return chars[code & 0xff] as CInt;
}

/** The cells of a text and its NUL. */
export function textCells(text: string): Value[] {
  return [...Array.from(text, (letter) => charOf(letter.charCodeAt(0))), charOf(0)];
}

/** Whether a value counts as true; undefined where that is not known. */
export function truth(value: Value): boolean | undefined {
  if (value === undefined) return undefined;
  return value.kind === 'int' ? value.value !== 0n : value.memory !== null;
}

/** What a cell of a type holds after a value was stored. */
export function converted(value: Value, type: CellType): Value {
  if (value === undefined || type === 'any') return value;
  if (type === 'pointer') return value.kind === 'pointer' ? value : value.value === 0n ? nullPointer : undefined;
  return value.kind === 'int' ? (value.type === type ? value : integer(value.value, type)) : undefined;
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

/** The integer type that words such as `unsigned long` name; undefined for others. */
export function integerType(words: string): IntType | undefined {
  const name = words.replace(/\b(const|volatile|register|static|inline)\b/g, '').trim();
  if (Object.hasOwn(named, name)) return named[name];
  if (!/^(?:(?:unsigned|signed|int|long|short|char)\s*)+$/.test(name)) return undefined;
  const bits = /\bchar\b/.test(name) ? 8 : /\bshort\b/.test(name) ? 16 : /\blong\b/.test(name) ? 64 : 32;
  return { bits, signed: !/\bunsigned\b/.test(name) };
}

const named: Readonly<Record<string, IntType>> = {
  int,
  char,
  unsigned,
  long,
  size_t: size,
  ssize_t: long,
  ptrdiff_t: long,
  int8_t: char,
  uint8_t: { bits: 8, signed: false },
  int16_t: { bits: 16, signed: true },
  uint16_t: { bits: 16, signed: false },
  int32_t: int,
  uint32_t: unsigned,
  int64_t: long,
  uint64_t: size,
  uintptr_t: size,
  bool: { bits: 8, signed: false },
};
