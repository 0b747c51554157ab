import { decodeBytes } from '../syntax/bytes.js';
import { Grammar } from '../syntax/grammar.js';
import type { SyntaxNode } from '../syntax/node.js';
import { Source } from '../syntax/source.js';
import { repair } from './repair.js';

export { child, descendants } from '../syntax/node.js';

/** A node of tree-sitter-c. */
export type CNode = SyntaxNode;

/** Parsed C. */
export type CSource = Source;

/** A C parser in this process. Code of any kind parses: what is broken is marked so. */
export class CParser {
  static #shared: Promise<CParser> | undefined;
  readonly #grammar: Grammar;

  private constructor(grammar: Grammar) {
    this.#grammar = grammar;
  }

  /** The process's parser; it has no state between two calls. @throws ERR_IO where the grammar is not to be found. */
  static load(): Promise<CParser> {
    CParser.#shared ??= Grammar.load('tree-sitter-c').then((grammar) => new CParser(grammar));
    return CParser.#shared;
  }

  /**
   * Parses code as it comes from a model. Code that was cut off inside a block is read up to its last whole statement, as if the open
   * blocks ended there.
   */
  parse(code: Uint8Array): CSource {
    const decoded = decodeBytes(code);
    const whole = this.#grammar.parse(decoded.text);
    if (!whole.broken) return new Source(decoded, whole, true);
    const { text, position } = repair(decoded.text, whole);
    if (text === decoded.text) return new Source(decoded, whole, false);
    const repaired = this.#grammar.parse(text, position);
    return new Source(decoded, brokenLength(repaired) <= brokenLength(whole) ? repaired : whole, false);
  }
}

function brokenLength({ type, start, end, children, broken }: CNode): number {
  if (!broken) return 0;
  return type === 'ERROR' ? end - start : children.reduce((sum, below) => sum + brokenLength(below), 0);
}
