import { allowedHeaders } from './harness.js';

/**
 * How a program is to be handled. `plain`: one function of the asked-for name and nothing that reaches beyond it, safe to compile with
 * others and sure to behave the same in every run. `odd`: anything else; it is compiled and run alone, and twice. `hopeless`: no C.
 */
export type Kind = { kind: 'plain' | 'odd'; code: string } | { kind: 'hopeless'; why: string };

/** Longer programs are not looked at. */
const maxBytes = 65536;

/** Sorts a program by its tokens. Includes of headers that every program has anyway are blanked out of the code. */
export function inspect(program: Uint8Array, functionName: string): Kind {
  if (program.length > maxBytes) return { kind: 'hopeless', why: `longer than ${maxBytes} bytes` };
  // One character a byte: comments and strings may hold anything.
  const source = Buffer.from(program).toString('latin1');
  const { code, tokens, odd } = tokenise(source.replace(allowedInclude, (line) => ' '.repeat(line.length)));
  if (odd) return { kind: 'odd', code };
  const wrong = firstMismatch(tokens);
  if (wrong !== undefined) return { kind: 'hopeless', why: wrong };
  return { kind: isOneFunction(tokens, functionName) && !tokens.some(reachesOut) ? 'plain' : 'odd', code };
}

const allowedInclude = new RegExp(
  `^[ \\t]*#[ \\t]*include[ \\t]*<(?:${allowedHeaders.join('|').replaceAll('.', '\\.')})>[ \\t]*$`,
  'gm',
);

/**
 * The tokens of C, without comments. `odd`: the text has something that makes this reading unsure (directives, spliced lines, digraphs,
 * letters beyond ASCII, strings or comments without an end), so that the compiler alone can tell what it means.
 */
function tokenise(code: string): { code: string; tokens: string[]; odd: boolean } {
  const tokens: string[] = [];
  let odd = /\\\r?\n|\\[ \t\f\v]+\r?\n|\0/.test(code);
  for (const [token] of code.matchAll(lexeme)) {
    if (/^(?:\s|\/\/|\/\*)/.test(token) && token !== '/*') continue;
    if (/^(?:["'#\\$@`]|<%|%>|<:|:>|%:|\/\*|[^\x20-\x7e])$/.test(token)) odd = true;
    tokens.push(token);
  }
  return { code, tokens, odd };
}

const lexeme =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|\/\*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|<%|%>|<:|:>|%:|[\s\S]/g;

function firstMismatch(tokens: readonly string[]): string | undefined {
  const open: string[] = [];
  for (const token of tokens) {
    const closer = closers.get(token);
    if (closer !== undefined) open.push(closer);
    else if (')]}'.includes(token) && open.pop() !== token) return `a ${token} that closes nothing`;
  }
  const last = open.pop();
  return last === undefined ? undefined : `the end comes before a ${last}`;
}

const closers = new Map([
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
]);

// Words, the name, (…), {…}, and that is all.
function isOneFunction(tokens: readonly string[], name: string): boolean {
  const at = tokens.indexOf('(');
  if (at < 2 || tokens[at - 1] !== name || tokens.slice(0, at).some((token) => !isWord(token) && token !== '*'))
    return false;
  const body = closing(tokens, at) + 1;
  return tokens[body] === '{' && closing(tokens, body) === tokens.length - 1;
}

// Of brackets that match.
function closing(tokens: readonly string[], from: number): number {
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    if (closers.has(tokens[i] as string)) depth++;
    else if (')]}'.includes(tokens[i] as string) && --depth === 0) return i;
  }
  return tokens.length;
}

// Words that concern more than the function itself, what the compiler does, or what differs from run to run; and functions that are
// declared inside of the function, since the compiler remembers those.
function reachesOut(token: string, i: number, tokens: readonly string[]): boolean {
  if (!isWord(token)) return false;
  if (/^_[_A-Z]/.test(token) && token !== '_Bool') return true;
  if (/^(?:extern|typedef|asm|struct|union|enum)$/.test(token) && i < tokens.indexOf('(')) return true;
  if (/^(?:extern|typedef|asm)$/.test(token) || nondeterministic.test(token)) return true;
  return tokens[i + 1] === '(' && i > tokens.indexOf('(') && isDeclared(tokens, i);
}

// `int f(…)`, `char *f(…)`: a word or stars before a name that brackets follow, where no expression has them.
function isDeclared(tokens: readonly string[], i: number): boolean {
  let before = i - 1;
  while (tokens[before] === '*') before--;
  const word = tokens[before] as string;
  if (!isWord(word) || control.test(tokens[i] as string)) return false;
  if (before === i - 1) return !/^(?:return|else|do|case|sizeof|goto)$/.test(word);
  return typeWord.test(word) || /^(?:struct|union|enum)$/.test(tokens[before - 1] ?? '');
}

const control = /^(?:if|while|for|switch|return|sizeof)$/;
const typeWord =
  /^(?:void|char|short|int|long|float|double|signed|unsigned|_Bool|bool|const|volatile|restrict|FILE|\w+_t)$/;

// Of what the allowed headers declare.
const nondeterministic =
  /^(?:arc4random\w*|s?rand(?:om)?(?:_r)?|[dejlmn]rand48(?:_r)?|tmp(?:nam|file)\w*|tempnam|mk(?:o?s?temps?|dtemp)\w*|getloadavg|(?:secure_)?getenv|ctermid|cuserid|popen|fdopen|freopen\w*|getpt|ptsname\w*|posix_openpt)$/;

function isWord(token: string): boolean {
  return /^[A-Za-z_]/.test(token);
}
