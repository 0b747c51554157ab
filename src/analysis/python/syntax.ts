import { decodeBytes } from '../syntax/bytes.js';
import { Grammar, unread } from '../syntax/grammar.js';
import { Source } from '../syntax/source.js';

let shared: Promise<PythonParser> | undefined;

/** A parser of Python in this process. Code of any kind parses: what is broken is marked so. */
export class PythonParser {
  readonly #grammar: Grammar;

  private constructor(grammar: Grammar) {
    this.#grammar = grammar;
  }

  /** The process's parser; it has no state between two calls. @throws ERR_IO where the grammar is not to be found. */
  static load(): Promise<PythonParser> {
    shared ??= Grammar.load('tree-sitter-python').then((grammar) => new PythonParser(grammar));
    return shared;
  }

  /** Parses code as it comes from a model. Code that was cut off is read up to its last whole line; nothing, of code that takes too many steps. */
  parse(code: Uint8Array): Source {
    const decoded = decodeBytes(code);
    const text = withoutRemarks(decoded.text);
    const whole = this.#grammar.parse(text);
    if (whole === null) return new Source(decoded, unread(text), false);
    if (!whole.broken) return new Source(decoded, whole, true);
    const kept = wholeLines(text);
    return new Source(decoded, (kept === text ? null : this.#grammar.parse(kept)) ?? whole, false);
  }
}

const lexeme =
  /#[^\n]*|"""(?:\\[\s\S]|[^\\])*?(?:"""|$)|'''(?:\\[\s\S]|[^\\])*?(?:'''|$)|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?|[([{]|[)\]}]|\n/g;

/** With blanks for comments, where many lines have nothing else: at each of them the grammar would look through all that follow. */
function withoutRemarks(text: string): string {
  if (!/(?:^[ \t\r]*(?:#[^\n]*)?\n){100}/m.test(text)) return text;
  return text.replace(lexeme, (found) => (found.startsWith('#') ? ' '.repeat(found.length) : found));
}

/** Up to the last line that no bracket and no text is open at; a block that was to follow is empty. */
function wholeLines(text: string): string {
  let depth = 0;
  let end = 0;
  for (const { 0: found, index } of text.matchAll(lexeme)) {
    if (/^[([{]$/.test(found)) depth++;
    else if (/^[)\]}]$/.test(found)) depth = Math.max(0, depth - 1);
    else if (found === '\n' && depth === 0) end = index;
    else if (/^("""|''')/.test(found) && (found.length < 6 || !found.endsWith(found.slice(0, 3)))) break;
  }
  const kept = text.slice(0, end);
  return /:[ \t]*$/.test(kept) ? `${kept} pass` : kept;
}
