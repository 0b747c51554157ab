import type { Span } from '../../teacher/teacher.js';
import type { DecodedBytes } from './bytes.js';
import type { SyntaxNode } from './node.js';

/** Parsed code. */
export class Source {
  readonly root: SyntaxNode;
  /** Whether all of it parses, as it came. */
  readonly parseOk: boolean;
  readonly #decoded: DecodedBytes;

  constructor(decoded: DecodedBytes, root: SyntaxNode, parseOk: boolean) {
    this.#decoded = decoded;
    this.root = root;
    this.parseOk = parseOk;
  }

  text({ start, end }: Pick<SyntaxNode, 'start' | 'end'>): string {
    return this.#decoded.text.slice(start, end);
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
