import { DirectiveReader, evenLines, ordinary } from './preprocessor.js';

/**
 * C or C++ as its compiler reads it, with every character where it was: lines end where they end for gcc, branches that are not taken of an
 * `#if` that asks for a number are blank, and raw strings of C, which the grammar does not know, are ordinary ones.
 */
export function asCompiled(text: string, language: 'c' | 'cpp'): string {
  const even = evenLines(text);
  const directs = (even.includes('#') || even.includes('%:')) && even.includes('if');
  if (!directs && !even.includes('R"')) return even;
  const reader = new DirectiveReader(even, language);
  const spans = untaken(reader);
  const raws = language === 'c' ? reader.raws : [];
  if (spans.length + raws.length === 0) return even;
  const out = Buffer.from(even, 'utf16le');
  const { at } = reader;
  for (const { start, end } of raws) {
    const said = ordinary(reader.text.slice(start, end).replace(/[\r\n]/g, ' '));
    for (let i = 0; i < said.length; i++) out.writeUInt16LE(said.charCodeAt(i), 2 * (at[start + i] as number));
  }
  // They lie in each other, as branches do.
  let done = 0;
  for (const [start, end] of spans.toSorted(([a], [b]) => a - b)) {
    const last = at[end] as number;
    for (let i = Math.max(done, at[start] as number); i < last; i++)
      if (!/[\r\n]/.test(even[i] as string)) out.writeUInt16LE(0x20, 2 * i);
    done = Math.max(done, last);
  }
  return out.toString('utf16le');
}

/** An `#if` that is open. */
interface Conditional {
  /** Which of its branches are taken is known of all so far, and that one of them is. */
  known: boolean;
  taken: boolean;
  /** Where a branch begins that is not taken. */
  from: number | undefined;
  /** Its directives. */
  lines: (readonly [start: number, end: number])[];
}

/** What is not compiled, and the directives that say so. */
function untaken(reader: DirectiveReader): (readonly [start: number, end: number])[] {
  const spans: (readonly [number, number])[] = [];
  const open: Conditional[] = [];
  const close = ({ from }: Conditional, end: number): void => {
    if (from !== undefined) spans.push([from, end]);
  };
  for (let directive = reader.next(); directive !== undefined; directive = reader.next()) {
    const [name = '', ...condition] = directive.slice(1).map(({ start, end }) => reader.text.slice(start, end));
    const line = [directive[0]?.start ?? 0, directive.at(-1)?.end ?? 0] as const;
    const asked = /^(?:el)?if$/.test(name) ? numberOf(condition.join('')) : undefined;
    const current = open.at(-1);
    if (/^if(?:n?def)?$/.test(name)) {
      const from = asked === false ? line[1] : undefined;
      open.push({ known: asked !== undefined, taken: asked === true, from, lines: [line] });
    } else if (current !== undefined && /^(?:else|elif(?:n?def)?)$/.test(name)) {
      close(current, line[0]);
      const taken = current.taken ? false : name === 'else' && current.known ? true : asked;
      current.known &&= taken !== undefined;
      current.taken ||= taken === true;
      current.from = taken === false ? line[1] : undefined;
      current.lines.push(line);
    } else if (current !== undefined && name === 'endif') {
      open.pop();
      close(current, line[0]);
      if (current.known) spans.push(...current.lines, line);
    }
  }
  for (const left of open) close(left, reader.text.length);
  return spans;
}

/** Whether a condition that is a number is true; undefined for another one. */
function numberOf(condition: string): boolean | undefined {
  const [, marks = '', digits, after = ''] =
    /^([!(]*)(0[xX][\da-fA-F]+|0[bB][01]+|\d+)[uUlL]*(\)*)$/.exec(condition) ?? [];
  const inside = marks.replaceAll('!', '');
  if (digits === undefined || inside.length !== after.length) return undefined;
  return (Number(digits) !== 0) !== ((marks.length - inside.length) % 2 === 1);
}
