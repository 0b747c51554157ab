import { lexemes } from '../analysis/lexemes.js';
import { replaceInvalid } from '../utf8.js';
import type { CodeLanguage, Span } from './teacher.js';

/** Why a quote marks nothing. */
export type Unlocated = 'missing' | 'ambiguous' | 'comment';

/** Finds quotes in a program. */
export class QuotedProgram {
  /** A character a byte, so that offsets are bytes. */
  readonly #text: string;
  /** Without white space, and where each character was. */
  readonly #dense: string;
  readonly #places: Int32Array;
  readonly #comments: readonly Span[];

  constructor(code: Uint8Array, language: CodeLanguage) {
    this.#text = Buffer.from(replaceInvalid(code)).toString('latin1');
    const inked = [...this.#text].flatMap((char, i) => (isBlank(char) ? [] : [i]));
    this.#places = Int32Array.from(inked);
    this.#dense = inked.map((i) => this.#text[i]).join('');
    this.#comments = lexemes(this.#text, language).filter(({ kind }) => kind === 'comment');
  }

  /** The program as a reader sees it. */
  get text(): string {
    return Buffer.from(this.#text, 'latin1').toString('utf8');
  }

  /**
   * The bytes that a quote means, comments left out: the only place where it stands as it is, or else the only one where it stands up to
   * white space.
   */
  locate(quote: string): Span[] | Unlocated {
    const wanted = Buffer.from(quote.trim()).toString('latin1');
    const exact = places(this.#text, wanted);
    if (exact.length > 1) return 'ambiguous';
    const [start] = exact;
    if (start !== undefined) return this.#withoutComments({ start, end: start + wanted.length });
    const dense = [...wanted].filter((char) => !isBlank(char)).join('');
    const [at, second] = places(this.#dense, dense);
    if (at === undefined) return 'missing';
    if (second !== undefined) return 'ambiguous';
    const last = this.#places[at + dense.length - 1] as number;
    return this.#withoutComments({ start: this.#places[at] as number, end: last + 1 });
  }

  #withoutComments({ start, end }: Span): Span[] | 'comment' {
    const spans: Span[] = [];
    let at = start;
    const keep = (to: number): void => {
      if (this.#text.slice(at, to).trim() !== '') spans.push({ start: at, end: to });
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

/** The first two places of `part`; an empty one has none. */
function places(text: string, part: string): number[] {
  if (part === '') return [];
  const first = text.indexOf(part);
  const second = first < 0 ? -1 : text.indexOf(part, first + 1);
  return [first, second].filter((at) => at >= 0);
}

// Blank, and \t \n \v \f \r: what no token is marked for.
function isBlank(char: string): boolean {
  return char === ' ' || (char >= '\t' && char <= '\r');
}
