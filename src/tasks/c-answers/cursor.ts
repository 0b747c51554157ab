import type { Token } from './lexer.js';
import { Refused, refuse } from './refused.js';

/** Deeper nesting is refused: compilers and readers of code keep a stack. */
const deepest = 256;

/** Reads tokens one after the other. */
export class Cursor {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get next(): Token {
    return this.#tokens[this.#at] as Token;
  }

  /** The text of the next token but some; empty behind the end, and for strings, which are never taken for marks. */
  ahead(count = 0): string {
    const token = this.#tokens[this.#at + count];
    return token === undefined || token.kind === 'string' || token.kind === 'char' ? '' : token.text;
  }

  kindAhead(count: number): Token['kind'] {
    return this.#tokens[this.#at + count]?.kind ?? 'end';
  }

  get atEnd(): boolean {
    return this.next.kind === 'end';
  }

  take(): Token {
    const token = this.next;
    if (token.kind === 'end') this.unexpected('more');
    this.#at++;
    return token;
  }

  accept(text: string): boolean {
    if (this.ahead() !== text) return false;
    this.#at++;
    return true;
  }

  expect(text: string): Token {
    if (this.ahead() !== text) this.unexpected(`\`${text}\``);
    return this.take();
  }

  unexpected(expected: string): never {
    const { text, line, kind } = this.next;
    throw new Refused(
      line,
      `expected ${expected}, received ${kind === 'end' ? 'the end' : `\`${text.slice(0, 60)}\``}`,
    );
  }

  /** Reads something that may hold more of its kind. */
  nested<T>(read: () => T): T {
    if (++this.#depth > deepest) refuse(this.next.line, `nesting of more than ${deepest} levels`);
    const result = read();
    this.#depth--;
    return result;
  }
}
