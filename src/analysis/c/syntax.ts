import { decodeBytes } from '../syntax/bytes.js';
import { Grammar } from '../syntax/grammar.js';
import type { SyntaxNode } from '../syntax/node.js';
import { Source } from '../syntax/source.js';

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
    const closed = closeBlocks(decoded.text);
    return new Source(decoded, closed === decoded.text ? whole : this.#grammar.parse(closed), false);
  }
}

/** Cuts back to the last whole statement and closes the open blocks; what is balanced stays as it is. */
function closeBlocks(text: string): string {
  const open: string[] = [];
  // Those of them that are no blocks.
  let inner = 0;
  let cut = 0;
  let blocks = 0;
  let i = 0;
  while (i < text.length) {
    const after = skipQuiet(text, i);
    if (after === null) break; // a comment or a literal without an end
    if (after > i) {
      i = after;
      continue;
    }
    const char = text[i++] as string;
    if (char === '(' || char === '[' || char === '{') {
      open.push(char);
      if (char !== '{') inner++;
    } else if (char === ')' || char === ']' || char === '}') {
      const closed = open.pop();
      if (closed === '(' || closed === '[') inner--;
    }
    if ((char === ';' || char === '{' || char === '}') && inner === 0) {
      cut = i;
      blocks = open.length;
    }
  }
  if (i >= text.length && open.length === 0) return text;
  return `${text.slice(0, cut)}${'}'.repeat(blocks)}`;
}

/** Behind a comment or literal that begins at `i`, `i` where none does, null where it has no end. */
function skipQuiet(text: string, i: number): number | null {
  const ending = (mark: string, from: number): number | null => {
    const at = text.indexOf(mark, from);
    return at < 0 ? null : at + mark.length;
  };
  if (text.startsWith('//', i)) return ending('\n', i);
  if (text.startsWith('/*', i)) return ending('*/', i + 2);
  const quote = text[i];
  if (quote !== '"' && quote !== "'") return i;
  for (let j = i + 1; j < text.length && text[j] !== '\n'; j++) {
    if (text[j] === '\\') j++;
    else if (text[j] === quote) return j + 1;
  }
  return null;
}
