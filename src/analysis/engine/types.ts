import { type CNode, child } from '../c/syntax.js';
import { once } from '../names.js';
import { deepest } from '../syntax/node.js';

/** A C type as far as the analysis cares, on a 64-bit Linux. */
export type CType =
  | { kind: 'int'; bytes: number; signed: boolean; char: boolean; bool?: boolean }
  | { kind: 'float'; bytes: number }
  | { kind: 'void' }
  | { kind: 'pointer'; to: CType; constant?: boolean }
  | { kind: 'array'; of: CType; length: CNode | number | null }
  | { kind: 'record'; name: string; union: boolean; fields: ReadonlyMap<string, CType> | null }
  | { kind: 'function' }
  | { kind: 'unknown'; name: string };

export const intType: CType = { kind: 'int', bytes: 4, signed: true, char: false };
export const longType: CType = { kind: 'int', bytes: 8, signed: true, char: false };
export const sizeType: CType = { kind: 'int', bytes: 8, signed: false, char: false };
export const charType: CType = { kind: 'int', bytes: 1, signed: true, char: true };
export const unknownType: CType = { kind: 'unknown', name: '' };

const named: Readonly<Record<string, [bytes: number, signed: boolean]>> = {
  size_t: [8, false],
  ssize_t: [8, true],
  ptrdiff_t: [8, true],
  off_t: [8, true],
  time_t: [8, true],
  intptr_t: [8, true],
  uintptr_t: [8, false],
  intmax_t: [8, true],
  uintmax_t: [8, false],
  socklen_t: [4, false],
  pid_t: [4, true],
  mode_t: [4, false],
  uid_t: [4, false],
  gid_t: [4, false],
  wchar_t: [4, true],
  sig_atomic_t: [4, true],
  uint: [4, false],
  ulong: [8, false],
  ushort: [2, false],
  uchar: [1, false],
  u_char: [1, false],
  u_int: [4, false],
  u8: [1, false],
  u16: [2, false],
  u32: [4, false],
  u64: [8, false],
  s8: [1, true],
  s16: [2, true],
  s32: [4, true],
  s64: [8, true],
  __u8: [1, false],
  __u16: [2, false],
  __u32: [4, false],
  __u64: [8, false],
  bool: [1, false],
  _Bool: [1, false],
};

/** The types that a translation unit names. */
export interface TypeNames {
  typedefs: Map<string, CType>;
  records: Map<string, CType>;
}

/** The type of a specifier node such as `unsigned long` or `struct s`. */
export function specifier(node: CNode | undefined, text: (node: CNode) => string, names: TypeNames): CType {
  if (node === undefined) return intType;
  switch (node.type) {
    case 'struct_specifier':
    case 'union_specifier': {
      const name = child(node, 'name');
      return (
        names.records.get(name === undefined ? `@${node.start}` : text(name)) ?? { kind: 'unknown', name: text(node) }
      );
    }
    case 'enum_specifier':
      return intType;
    default:
      return byName(text(node), names);
  }
}

export function byName(name: string, names: TypeNames): CType {
  const { plain, type } = spelled(name);
  const typedef = names.typedefs.get(plain);
  if (typedef !== undefined) return typedef;
  if (type !== undefined) return type;
  const record = /^(?:struct|union) (\w+)$/.exec(plain);
  return (record === null ? undefined : names.records.get(record[1] as string)) ?? { kind: 'unknown', name: plain };
}

interface Spelled {
  /** Without what does not change the type. */
  readonly plain: string;
  /** What it is wherever no typedef says otherwise. */
  readonly type: CType | undefined;
}

const spelled = once((name): Spelled => {
  const words = name
    .split(/\s+/)
    .filter((word) => !/^(const|volatile|static|register|extern|inline|restrict)$/.test(word));
  const plain = words.join(' ');
  return { plain, type: builtIn(plain, words) };
});

function builtIn(plain: string, words: readonly string[]): CType | undefined {
  if (plain === 'void') return { kind: 'void' };
  if (/^(long )?double$/.test(plain)) return { kind: 'float', bytes: words.length > 1 ? 16 : 8 };
  if (plain === 'float') return { kind: 'float', bytes: 4 };
  const fixed = /^(u?)int(?:_fast|_least)?(8|16|32|64)_t$/.exec(plain);
  if (fixed !== null) {
    const bytes = Number(fixed[2]) / 8;
    return { kind: 'int', bytes, signed: fixed[1] === '', char: bytes === 1 };
  }
  const known = named[plain];
  if (known !== undefined && Object.hasOwn(named, plain)) {
    return { kind: 'int', bytes: known[0], signed: known[1], char: known[0] === 1 && !/bool/i.test(plain) };
  }
  if (words.length > 0 && words.every((word) => /^(unsigned|signed|int|short|long|char)$/.test(word))) {
    const signed = !words.includes('unsigned');
    if (words.includes('char')) return { kind: 'int', bytes: 1, signed, char: true };
    const bytes = words.includes('long') ? 8 : words.includes('short') ? 2 : 4;
    return { kind: 'int', bytes, signed, char: false };
  }
  return undefined;
}

/** The declared name and its type, for a declarator around a type. Undefined where there is no name. */
export function declared(
  declarator: CNode,
  base: CType,
  text: (node: CNode) => string,
): { name: string; type: CType; node: CNode } | undefined {
  let type = base;
  let node: CNode | undefined = declarator;
  for (;;) {
    switch (node?.type) {
      case 'identifier':
      case 'field_identifier':
      case 'type_identifier':
        return { name: text(node), type, node };
      case 'pointer_declarator':
        type = { kind: 'pointer', to: type };
        break;
      case 'array_declarator': {
        const size = child(node, 'size');
        type = nestArray(type, size ?? null);
        break;
      }
      case 'function_declarator':
        type = { kind: 'function' };
        break;
      case 'init_declarator':
      case 'parenthesized_declarator':
      case 'attributed_declarator':
        break;
      default:
        return undefined;
    }
    node = child(node, 'declarator') ?? node.children.find(({ type }) => /declarator$|identifier$/.test(type));
  }
}

// `int a[2][3]` nests as ((a[2])[3]): the outermost declarator is the innermost dimension.
function nestArray(of: CType, length: CNode | null): CType {
  return { kind: 'array', of, length };
}

/** Bytes of a type; undefined where that cannot be known. */
export function sizeOf(type: CType, length: (node: CNode) => number | undefined): number | undefined {
  return layoutOf(type, length, new Map(), 0).bytes;
}

interface Layout {
  bytes: number | undefined;
  align: number;
}

const unknownLayout: Layout = { bytes: undefined, align: 8 };

/**
 * Each record is laid out once, however many of the others it is in; one that is in itself has no size, nor has one with too many in one
 * another.
 */
function layoutOf(
  type: CType,
  length: (node: CNode) => number | undefined,
  records: Map<CType, Layout>,
  level: number,
): Layout {
  switch (type.kind) {
    case 'int':
    case 'float':
      return { bytes: type.bytes, align: type.bytes };
    case 'pointer':
      return { bytes: 8, align: 8 };
    case 'array': {
      const count =
        type.length === null ? undefined : typeof type.length === 'number' ? type.length : length(type.length);
      const { bytes, align } = layoutOf(type.of, length, records, level);
      return { bytes: count === undefined || bytes === undefined ? undefined : count * bytes, align };
    }
    case 'record': {
      let layout = records.get(type);
      if (layout !== undefined) return layout;
      records.set(type, unknownLayout);
      layout =
        type.fields === null || level === deepest
          ? unknownLayout
          : recordLayout(type.fields.values(), type.union, length, records, level + 1);
      records.set(type, layout);
      return layout;
    }
    default:
      return unknownLayout;
  }
}

function recordLayout(
  fields: Iterable<CType>,
  union: boolean,
  length: (node: CNode) => number | undefined,
  records: Map<CType, Layout>,
  level: number,
): Layout {
  let end: number | undefined = 0;
  let widest = 1;
  for (const field of fields) {
    const { bytes, align } = layoutOf(field, length, records, level);
    widest = Math.max(widest, Math.min(align, 16));
    if (end === undefined || bytes === undefined) end = undefined;
    else if (union) end = Math.max(end, bytes);
    else end = Math.ceil(end / Math.min(align, 16)) * Math.min(align, 16) + bytes;
  }
  return { bytes: end === undefined ? undefined : Math.ceil(end / widest) * widest, align: widest };
}

/** The numbers that fit a type. */
export function rangeOf(type: CType): { lo: number; hi: number } {
  if (type.kind !== 'int') return { lo: -Infinity, hi: Infinity };
  const bits = type.bytes * 8;
  return type.signed ? { lo: -(2 ** (bits - 1)), hi: 2 ** (bits - 1) - 1 } : { lo: 0, hi: 2 ** bits - 1 };
}
