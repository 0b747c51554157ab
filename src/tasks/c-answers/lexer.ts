import { refuse } from './refused.js';

/** A token of C17, as the compiler reads it after its translation phase 3. */
export interface Token {
  /** `include`: the directive up to its `>`; the text is the header's name. */
  readonly kind: 'word' | 'number' | 'string' | 'char' | 'mark' | 'include' | 'end';
  readonly text: string;
  /** The first line is 1. */
  readonly line: number;
  /** White space or a comment stands before it. */
  readonly spaced: boolean;
  /** Nothing but white space and comments stands before it on its line. */
  readonly first: boolean;
}

/** Longer names serve nobody, and compilers copy them into every message and symbol. */
const longestName = 256;

/**
 * Reads the tokens of a text of one character a byte, up to and with one of the kind `end`. What another reader of C could take for
 * something else is refused: trigraphs, digraphs, raw strings, lines joined by a backslash outside of `#define`, characters beyond ASCII.
 */
export function tokensOf(text: string): Token[] {
  refuseAnywhere(text);
  const tokens: Token[] = [];
  let line = 1;
  let spaced = false;
  let first = true;
  // The words of the directive that is being read.
  let directive: string | undefined;
  lexeme.lastIndex = 0;
  while (lexeme.lastIndex < text.length) {
    const start = lexeme.lastIndex;
    const match = lexeme.exec(text);
    if (match === null) throw unreadable(text, start, line);
    const [whole, space, newline, comment, joined, include, string, char, word, number, mark] = match;
    if (space !== undefined) {
      spaced = true;
    } else if (newline !== undefined) {
      line++;
      first = true;
      spaced = true;
      directive = undefined;
    } else if (comment !== undefined) {
      if (comment.startsWith('/*') && (comment.length < 4 || !comment.endsWith('*/')))
        refuse(line, 'a comment without an end');
      const lines = countLines(comment);
      if (/\\[ \t\f\v]*\r?\n/.test(comment) || /\\\s*$/.test(comment))
        refuse(line, 'a backslash at the end of a line of a comment');
      if (lines > 0 && directive !== undefined) refuse(line, 'a comment of several lines in a directive');
      line += lines;
      spaced = true;
    } else if (joined !== undefined) {
      if (directive !== '#define' || !spaced) refuse(line, 'a backslash at the end of a line, outside of `#define`');
      line++;
    } else {
      const token = (kind: Token['kind'], content: string): void => {
        tokens.push({ kind, text: content, line, spaced, first });
      };
      if (include !== undefined) {
        if (first) {
          token('include', /<(.*)>/.exec(include)?.[1] ?? '');
          directive = '#include';
        } else {
          refuse(line, '`#` inside a line');
        }
      } else if (string !== undefined) token('string', string);
      else if (char !== undefined) token('char', char);
      else if (word !== undefined) {
        if (word.length > longestName) refuse(line, `a name of more than ${longestName} characters`);
        if (/^(?:u8|[uUL])?R$/.test(word) && text[lexeme.lastIndex] === '"') refuse(line, 'a raw string');
        token('word', word);
        if (directive === '#') directive = `#${word}`;
      } else if (number !== undefined) token('number', number);
      else if (mark !== undefined) {
        if (digraphs.has(mark)) refuse(line, `the digraph \`${mark}\``);
        token('mark', mark);
        if (mark === '#' && first) directive = '#';
      } else throw new Error(`a lexeme of no kind: ${whole}`);
      spaced = false;
      first = false;
    }
  }
  tokens.push({ kind: 'end', text: '', line, spaced: true, first: true });
  return tokens;
}

const lexeme = new RegExp(
  [
    String.raw`([ \t\f\v]+)`,
    String.raw`(\r?\n)`,
    String.raw`(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))`,
    String.raw`(\\\r?\n)`,
    String.raw`(#[ \t]*include[ \t]*<[\w./]+>)`,
    String.raw`((?:u8|[uUL])?"(?:[^"\\\n]|\\[^\n])*")`,
    String.raw`([uUL]?'(?:[^'\\\n]|\\[^\n])+')`,
    String.raw`([A-Za-z_]\w*)`,
    String.raw`(\.?\d(?:[eEpP][+-]|[\w.])*)`,
    String.raw`(<<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<%|%>|<:|:>|%:|[-+*\/%&|^<>=!]=|&&|\|\||##|[-+*\/%&|^<>=!~?:;,.(){}[\]#])`,
  ].join('|'),
  'y',
);

const digraphs = new Set(['<%', '%>', '<:', ':>', '%:']);

// Not even in comments and strings: the compiler sees these before it sees those.
function refuseAnywhere(text: string): void {
  const found = /\0|\r(?!\n)|\?\?[=/'()!<>-]/.exec(text);
  if (found === null) return;
  const line = 1 + countLines(text.slice(0, found.index));
  if (found[0] === '\0') refuse(line, 'a NUL byte');
  refuse(line, found[0] === '\r' ? 'a carriage return without a line feed' : `the trigraph \`${found[0]}\``);
}

function unreadable(text: string, at: number, line: number): never {
  const rest = text.slice(at, at + 2);
  if (/^(?:u8|[uUL])?["']/.test(text.slice(at, at + 3))) refuse(line, 'a literal without an end');
  if (/^\\[uU]/.test(rest)) refuse(line, 'a universal character name');
  const code = text.charCodeAt(at);
  const shown = code > 0x20 && code < 0x7f ? `\`${text[at]}\`` : `byte 0x${code.toString(16).padStart(2, '0')}`;
  return refuse(line, `${shown} outside of strings and comments`);
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}
