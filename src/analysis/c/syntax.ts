import { lower } from '../cpp/lower.js';
import { type DecodedBytes, decodeBytes } from '../syntax/bytes.js';
import { Grammar, unread } from '../syntax/grammar.js';
import type { SyntaxNode } from '../syntax/node.js';
import { Source } from '../syntax/source.js';
import { asCompiled } from './as-compiled.js';
import { closeBlocks, repair } from './repair.js';

export { child, descendants } from '../syntax/node.js';

/** A node of tree-sitter-c. */
export type CNode = SyntaxNode;

/** Parsed C. */
export type CSource = Source;

/** A parser of C, or of C++ in the words of C, in this process. Code of any kind parses: what is broken is marked so. */
export class CParser {
  static readonly #shared = new Map<string, Promise<CParser>>();
  readonly #grammar: Grammar;
  readonly #language: 'c' | 'cpp';

  private constructor(grammar: Grammar, language: 'c' | 'cpp') {
    this.#grammar = grammar;
    this.#language = language;
  }

  /** The process's parser; it has no state between two calls. @throws ERR_IO where the grammar is not to be found. */
  static load(language: 'c' | 'cpp' = 'c'): Promise<CParser> {
    const shared =
      CParser.#shared.get(language) ??
      Grammar.load(`tree-sitter-${language}`).then((grammar) => new CParser(grammar, language));
    CParser.#shared.set(language, shared);
    return shared;
  }

  /**
   * Parses code as it comes from a model. Code that was cut off inside a block is read up to its last whole statement, as if the open
   * blocks ended there. Of code that takes the parser too many steps nothing is read.
   */
  parse(code: Uint8Array): CSource {
    const came = decodeBytes(code);
    const decoded = { ...came, text: asCompiled(came.text, this.#language) };
    const said = withoutOpenComment(decoded.text);
    let cut = false;
    const whole = this.#grammar.parse(said, {
      instead: () => {
        const closed = closeBlocks(said);
        const tree = closed === said || conditional.test(said) ? null : this.#grammar.parseWhole(closed);
        cut = tree !== null;
        return tree ?? undefined;
      },
    });
    if (whole === null) return this.#source(decoded, unread(decoded.text), false);
    if (!whole.broken) return this.#source(decoded, whole, !cut && said === decoded.text);
    const { text, position } = repair(said, whole);
    if (text === said) return this.#source(decoded, whole, false);
    const repaired = this.#grammar.parse(text, { position });
    const better = repaired !== null && brokenLength(repaired) <= brokenLength(whole);
    return this.#source(decoded, better ? repaired : whole, false);
  }

  /**
   * Parses code that parses whole, in steps that its length bounds; of any other nothing is read. A text to which `isPlain` does not hold is
   * not given to the parser at all.
   */
  parseWhole(code: Uint8Array, isPlain: (text: string) => boolean): CSource {
    const decoded = decodeBytes(code);
    // Code that people write takes one step a byte.
    const steps = 10 + Math.ceil(decoded.text.length / 20);
    const tree = isPlain(decoded.text) ? this.#grammar.parseWhole(decoded.text, steps) : null;
    return this.#source(decoded, tree ?? unread(decoded.text), tree !== null && !tree.broken);
  }

  #source(decoded: DecodedBytes, tree: CNode, parseOk: boolean): CSource {
    if (this.#language === 'c') return new Source(decoded, tree, parseOk);
    const { root, words } = lower(tree, decoded.text, Source.endOf(decoded, tree));
    return new Source(decoded, root, parseOk, words);
  }
}

/**
 * Up to a comment that does not end. The grammar would look for its end again for every such mark in it, on every way that it tries: 9 kB
 * of them took five seconds.
 */
function withoutOpenComment(text: string): string {
  const opened = text.lastIndexOf('/*');
  const last = text.lastIndexOf('*/');
  if (opened < 0 || last > opened + 1) return text;
  for (const { 0: quiet, 1: comment, 2: string, 3: character, index } of text.matchAll(quietParts)) {
    // In a literal that does not end, too, as the grammar takes none for a literal.
    const mark = [comment, string, character].includes('') ? quiet.indexOf('/*') : -1;
    if (mark >= 0 && last < index + mark + 2) return text.slice(0, index + mark);
  }
  return text;
}

/** Of two branches each may open a block that only one of them closes. */
const conditional = /^[ \t]*#[ \t]*if/m;

// Line comments; comments and literals, which have an empty group where they do not end.
const quietParts =
  /\/\/(?:\\\r?\n|[^\n])*|\/\*[\s\S]*?(\*\/|$)|"(?:\\[\s\S]|[^"\\\n])*("|)|'(?:\\[\s\S]|[^'\\\n])*('|)/g;

function brokenLength({ type, start, end, children, broken }: CNode): number {
  if (!broken) return 0;
  return type === 'ERROR' ? end - start : children.reduce((sum, below) => sum + brokenLength(below), 0);
}
