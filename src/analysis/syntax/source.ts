import type { Span } from '../../teacher/teacher.js';
import type { DecodedBytes } from './bytes.js';
import type { SyntaxNode } from './node.js';

/** Parsed code. */
export class Source {
  readonly root: SyntaxNode;
  /** Whether all of it parses, as it came. */
  readonly parseOk: boolean;
  /** Behind all positions of its nodes. */
  readonly end: number;
  readonly #decoded: DecodedBytes;
  readonly #words: string;

  /** @param words - What nodes say that is not in the code; it lies behind the code, from {@link Source.endOf} on. */
  constructor(decoded: DecodedBytes, root: SyntaxNode, parseOk: boolean, words = '') {
    this.#decoded = decoded;
    this.#words = words;
    this.root = root;
    this.parseOk = parseOk;
    this.end = Source.endOf(decoded, root) + words.length;
  }

  /** Behind the code and its tree. */
  static endOf({ text }: DecodedBytes, { end }: SyntaxNode): number {
    return Math.max(text.length, end) + 1;
  }

  text({ start, end }: Pick<SyntaxNode, 'start' | 'end'>): string {
    const words = this.end - this.#words.length;
    return start < words ? this.#decoded.text.slice(start, end) : this.#words.slice(start - words, end - words);
  }

  /** Whether a position is one of the code. */
  has({ start }: Pick<SyntaxNode, 'start'>): boolean {
    return start < this.end - this.#words.length;
  }

  /**
   * UTF-8 bytes of the code that was parsed, one character at least: what a repair put in has no text of its own, and is where the
   * character before it is.
   */
  span({ start, end }: Pick<SyntaxNode, 'start' | 'end'>): Span {
    const { byteAt, text } = this.#decoded;
    const span = { start: byteAt(start), end: byteAt(end) };
    if (span.start < span.end) return span;
    const before = Math.max(0, Math.min(start, text.length) - 1);
    const last = byteAt(before);
    return { start: last, end: byteAt(before + ((text.codePointAt(before) ?? 0) > 0xffff ? 2 : 1)) };
  }
}
