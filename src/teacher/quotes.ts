import { lexemes } from '../analysis/lexemes.js';
import { lineFeeds } from '../analysis/syntax/bytes.js';
import { replaceInvalid } from '../utf8.js';
import type { CodeLanguage, Span } from './teacher.js';
import { type Shown, shownCode } from './visible.js';

/** Why a quote marks nothing. */
export type Unlocated = 'missing' | 'ambiguous' | 'comment';

/** A program as a model is shown it, in which it is quoted. */
export class QuotedProgram {
  /** A character a byte, so that offsets are bytes. */
  readonly #bytes: string;
  readonly #shown: Shown;
  /** The line, from 1, of each character that is shown. */
  readonly #lines: Int32Array;
  /** What is shown without white space, and where each character was. */
  readonly #dense: string;
  readonly #places: Int32Array;
  readonly #comments: readonly Span[];

  constructor(code: Uint8Array, language: CodeLanguage) {
    this.#bytes = lineFeeds(Buffer.from(replaceInvalid(code)).toString('latin1'));
    this.#shown = shownCode(code, language);
    const { text } = this.#shown;
    this.#lines = new Int32Array(text.length);
    const inked: number[] = [];
    for (let i = 0, line = 1; i < text.length; i++) {
      this.#lines[i] = line;
      if (text[i] === '\n') line++;
      if (!isBlank(text[i] as string)) inked.push(i);
    }
    this.#places = Int32Array.from(inked);
    this.#dense = dense(text);
    this.#comments = lexemes(this.#bytes, language).filter(({ kind }) => kind === 'comment');
  }

  /** The program as it is shown: every line behind its number, as `12| return 0;`. */
  get text(): string {
    return this.#shown.text
      .split('\n')
      .map((line, i) => `${i + 1}| ${line}`)
      .join('\n');
  }

  /**
   * The bytes that a quote means, comments left out: the only place where it stands as it is, or else the only one where it stands up to
   * white space. Of several places it is the only one that begins on `line` (from 1). Numbers of lines that were copied with the code are
   * left out, and the first of them says the line where `line` does not.
   */
  locate(quote: string, line?: number | null): Span[] | Unlocated {
    const copied = withoutNumbers(quote);
    const told = line ?? copied?.line;
    let why: Unlocated = 'missing';
    for (const text of copied === undefined ? [quote] : [copied.text, quote]) {
      const found = this.#find(text.trim(), told);
      if (typeof found !== 'string') return this.#withoutComments(found);
      if (found === 'ambiguous') why = found;
    }
    return why;
  }

  /** Whether a value stands in the program, as JSON that a string or a comment may hold. */
  contains(value: unknown): boolean {
    return bare(this.#bytes).includes(bare(Buffer.from(JSON.stringify(value)).toString('latin1')));
  }

  #find(quote: string, line: number | undefined): Span | 'missing' | 'ambiguous' {
    const { text, starts, ends } = this.#shown;
    const span = (first: number, last: number): Span => ({
      start: starts[first] as number,
      end: ends[last] as number,
    });
    const exact = occurrences(text, quote);
    if (exact.length > 0) {
      const at = theOne(exact, (place) => this.#lines[place] === line);
      return at === undefined ? 'ambiguous' : span(at, at + quote.length - 1);
    }
    const wanted = dense(quote);
    const loose = occurrences(this.#dense, wanted);
    if (loose.length === 0) return 'missing';
    const at = theOne(loose, (place) => this.#lines[this.#places[place] as number] === line);
    if (at === undefined) return 'ambiguous';
    return span(this.#places[at] as number, this.#places[at + wanted.length - 1] as number);
  }

  #withoutComments({ start, end }: Span): Span[] | 'comment' {
    const spans: Span[] = [];
    let at = start;
    const keep = (to: number): void => {
      if (this.#bytes.slice(at, to).trim() !== '') spans.push({ start: at, end: to });
    };
    for (const comment of this.#comments) {
      if (comment.end <= at || comment.start >= end) continue;
      keep(Math.max(at, comment.start));
      at = comment.end;
    }
    keep(Math.max(at, end));
    return spans.length === 0 ? 'comment' : spans;
  }
}

/** A quote that was copied with the numbers of its lines: without them, and the first one. */
function withoutNumbers(quote: string): { text: string; line: number | undefined } | undefined {
  const number = /^[ \t]*(\d{1,9})\|(?: |$)/;
  const lines = quote.trim().split('\n');
  if (!lines.some((line) => number.test(line))) return undefined;
  const first = number.exec(lines[0] as string)?.[1];
  return {
    text: lines.map((line) => line.replace(number, '')).join('\n'),
    line: first === undefined ? undefined : Number(first),
  };
}

/** Places past this many are one question too many: code that repeats itself without end is not looked through to its end. */
const mostPlaces = 1000;

/** Where `part` stands; an empty one stands nowhere. */
function occurrences(text: string, part: string): number[] {
  const found: number[] = [];
  if (part === '') return found;
  for (let at = text.indexOf(part); at >= 0 && found.length < mostPlaces; at = text.indexOf(part, at + 1))
    found.push(at);
  return found;
}

/** The only item, or else the only one of which something holds. */
function theOne<T>(items: readonly T[], holds: (item: T) => boolean): T | undefined {
  if (items.length === 1) return items[0];
  const those = items.filter(holds);
  return those.length === 1 ? those[0] : undefined;
}

/** Without white space, quotes, and the marks of strings and comments. */
function bare(text: string): string {
  return text.replace(/[^\w\x80-\xff{}[\]:,]+/g, '');
}

function dense(text: string): string {
  return text.replace(/[ \t\n\v\f\r]+/g, '');
}

// Blank, and \t \n \v \f \r: what no token is marked for.
function isBlank(char: string): boolean {
  return char === ' ' || (char >= '\t' && char <= '\r');
}
