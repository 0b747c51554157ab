import { lineFeeds } from '../syntax/bytes.js';

/** The directives that name a header. */
export const including: RegExp = /^(?:include|include_next|import|embed)$/;

/**
 * The text with the ends of lines, and breaks in lines, that gcc sees, written as all tools know them: a carriage return ends a line, and a
 * backslash with blanks behind it breaks one. Lengths and offsets stay.
 */
export function evenLines(text: string): string {
  return lineFeeds(text).replace(/\\([ \t\f\v]+)(?=\r?\n)/g, '$1\\');
}

/** A raw string of one line as an ordinary one of the same length, for those who do not know raw ones in C. */
export function ordinary(raw: string): string {
  const [, prefix = '', delimiter = '', content] = /^(\w*)R"([^(]*)\(([^\n]*)\)\2"$/.exec(raw) ?? [];
  if (content === undefined) return raw;
  return `${prefix}"${content.replace(/["\\]/g, '_')}"`.padEnd(
    prefix.length + content.length + 2 * delimiter.length + 5,
  );
}

/** A part of a text, in its logical lines. */
export interface Part {
  kind: 'string' | 'word' | 'header' | 'mark' | 'comment' | 'blank' | 'line';
  start: number;
  end: number;
}

/** Reads C and C++ as gcc's preprocessor does, as far as needed to know what is a directive. */
export class DirectiveReader {
  /** The text without breaks of lines behind backslashes, to which parts refer. */
  readonly text: string;
  /** Where each of its characters, and its end, is in the text that was given. */
  readonly at: Int32Array;
  /** Raw strings that were met. */
  readonly raws: Part[] = [];
  readonly #physical: string;
  readonly #token: RegExp;
  #next = 0;
  #lineStart = true;

  /** @param physical with {@link evenLines}. */
  constructor(physical: string, language: 'c' | 'cpp') {
    const { text, at } = logical(physical);
    this.text = text;
    this.at = at;
    this.#physical = physical;
    // A quote in a number is C++'s.
    const number = String.raw`\.?\d(?:[eEpP][-+]|[\w.]${language === 'cpp' ? "|'(?=\\w)" : ''})*`;
    this.#token = new RegExp(
      [
        String.raw`(?<blank>[^\S\n]+)`,
        String.raw`(?<comment>\/\/[^\n]*|\/\*)`,
        String.raw`(?<raw>(?:u8|[uUL])?R"[^()\\\s"]{0,16}\()`,
        String.raw`(?<string>"(?:\\[^\n]|[^"\\\n])*"?|'(?:\\[^\n]|[^'\\\n])*'?)`,
        String.raw`(?<word>${number}|[A-Za-z_$\x80-\uffff][\w$\x80-\uffff]*)`,
        String.raw`(?<line>\n)`,
        String.raw`(?<mark>%:|[\s\S])`,
      ].join('|'),
      'gy',
    );
  }

  /** The mark and the words of the next directive. */
  next(): Part[] | undefined {
    for (let part = this.#part(); part !== undefined; part = this.#part()) {
      const { start, end, kind } = part;
      const starts = kind === 'mark' && this.#lineStart && /^(?:#|%:)$/.test(this.text.slice(start, end));
      if (kind !== 'blank' && kind !== 'comment') this.#lineStart = kind === 'line';
      if (starts) return [part, ...this.#words()];
    }
    return undefined;
  }

  /** The rest of a directive. */
  #words(): Part[] {
    const words: Part[] = [];
    for (;;) {
      const [last, before] = words
        .slice(-2)
        .reverse()
        .map(({ start, end }) => this.text.slice(start, end));
      const header =
        (words.length === 1 && including.test(last ?? '')) || asking.test((last === '(' ? before : last) ?? '');
      const part = (header ? this.#header() : undefined) ?? this.#part();
      if (part === undefined || part.kind === 'line') {
        this.#lineStart = true;
        return words;
      }
      if (part.kind !== 'blank' && part.kind !== 'comment') words.push(part);
    }
  }

  #header(): Part | undefined {
    const pattern = /<[^>\n]*>|"[^"\n]*"/y;
    pattern.lastIndex = this.#next;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) return undefined;
    this.#next += found.length;
    return { kind: 'header', start: this.#next - found.length, end: this.#next };
  }

  #part(): Part | undefined {
    const start = this.#next;
    this.#token.lastIndex = start;
    const { 0: token = '', groups } = this.#token.exec(this.text) ?? {};
    if (groups === undefined) return undefined;
    const kind = Object.keys(groups).find((name) => groups[name] !== undefined) as Part['kind'] | 'raw';
    this.#next = start + token.length;
    if (token === '/*') this.#next = behind(this.text.indexOf('*/', start + 2), 2, this.text);
    if (kind !== 'raw') return { kind, start, end: this.#next };
    this.#next = this.#rawEnd(token, this.#next);
    const raw: Part = { kind: 'string', start, end: this.#next };
    this.raws.push(raw);
    return raw;
  }

  // In a raw string a backslash breaks no line: its end is sought in the text as it is.
  #rawEnd(opening: string, from: number): number {
    const close = `)${opening.slice(opening.indexOf('"') + 1, -1)}"`;
    const end = behind(this.#physical.indexOf(close, (this.at[from - 1] as number) + 1), close.length, this.#physical);
    return lowerBound(this.at, end, this.text.length);
  }
}

const asking = /^__has_(?:include|include_next|embed)$/;

const behind = (found: number, length: number, text: string): number => (found < 0 ? text.length : found + length);

/** The first of `length` ascending numbers that is not below `value`. */
function lowerBound(sorted: Int32Array, value: number, length: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Logical {
  /** The text without breaks of lines behind backslashes. */
  text: string;
  /** Where each of its characters was. */
  at: Int32Array;
}

function logical(physical: string): Logical {
  const at = new Int32Array(physical.length + 1);
  const kept: string[] = [];
  let length = 0;
  let from = 0;
  const keep = (end: number): void => {
    kept.push(physical.slice(from, end));
    for (let i = from; i < end; i++) at[length++] = i;
  };
  for (const { 0: spliced, index } of physical.matchAll(/\\\r?\n/g)) {
    keep(index);
    from = index + spliced.length;
  }
  keep(physical.length);
  at[length] = physical.length;
  return { text: kept.join(''), at };
}
