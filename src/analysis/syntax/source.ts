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

  /** UTF-8 bytes of the code that was parsed. */
  span({ start, end }: Pick<SyntaxNode, 'start' | 'end'>): Span {
    return { start: this.#decoded.byteAt(start), end: this.#decoded.byteAt(end) };
  }
}
