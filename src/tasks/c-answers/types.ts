/** As much of a type as its size takes. */
export interface Type {
  /** Bytes, at least those that the compiler needs; NaN where it is known only when the program runs, or not yet. */
  readonly size: number;
  readonly align: number;
  /** Whether the size is the compiler's, to a byte. */
  readonly exact: boolean;
}

export const unknownType: Type = { size: Number.NaN, align: 1, exact: false };
export const pointer: Type = { size: 8, align: 8, exact: true };

export function scalar(size: number): Type {
  return { size, align: size, exact: true };
}

/** @param count - NaN where it is not known. */
export function arrayOf({ size, align, exact }: Type, count: number): Type {
  return { size: size * count, align, exact };
}

/** What keywords like `unsigned long` make. */
export function basicType(words: readonly string[]): Type {
  const has = (word: string): boolean => words.includes(word);
  if (has('void')) return { size: 1, align: 1, exact: true };
  if (has('char') || has('_Bool') || has('bool')) return scalar(1);
  if (has('short')) return scalar(2);
  if (has('float')) return scalar(4);
  if (has('double')) return has('long') ? scalar(16) : scalar(8);
  return has('long') ? scalar(8) : scalar(4);
}

/** A structure or union with these members; a bit-field counts as one of its type. */
export function recordOf(members: readonly Type[], union: boolean, bits: boolean): Type {
  let size = 0;
  let align = 1;
  let exact = !bits;
  for (const member of members) {
    align = Math.max(align, member.align);
    exact &&= member.exact;
    size = union ? Math.max(size, member.size) : roundUp(size, member.align) + member.size;
  }
  return { size: roundUp(size, align), align, exact };
}

function roundUp(size: number, align: number): number {
  return Math.ceil(size / align) * align;
}
