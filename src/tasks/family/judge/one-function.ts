/**
 * Whether a program is one function of the name and nothing else, that can be compiled together with others: no directive, no declaration of
 * a function or type, no variable that outlives a call, and no string but those that calls read up to their end. It is decided on tokens,
 * and anything unusual is a no.
 */
export function isOneFunction(program: Uint8Array, name: string): boolean {
  // One character a byte: comments and strings may hold anything.
  const tokens = tokensOf(Buffer.from(program).toString('latin1').replace(includes, ''));
  if (tokens === undefined || !isWhole(tokens, name)) return false;
  return !tokens.some((token, i) => reachesOut(token, i, tokens));
}

const includes =
  /^[ \t]*#[ \t]*include[ \t]*<(?:stdio|stdlib|string|limits|stdint|stddef|ctype|stdbool|errno|unistd)\.h>[ \t]*$/gm;

const lexeme =
  /\s+|\/\/[^\n\\]*(?=\n|$)|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|[\s\S]/g;

/** The tokens, without comments; undefined where the compiler alone can tell what the text means. */
function tokensOf(code: string): string[] | undefined {
  if (/\\\r?\n|\\[ \t\f\v]+\r?\n|\0|\?\?/.test(code)) return undefined;
  const tokens: string[] = [];
  for (const [token] of code.matchAll(lexeme)) {
    if (/^\s|^\/[/*]/.test(token)) continue;
    if (/^["'#\\$@`%<:]?$/.test(token) && !/^[%<:]$/.test(token)) return undefined;
    if (token.length === 1 && /[^ -~]/.test(token)) return undefined;
    tokens.push(token);
  }
  // Digraphs.
  return tokens.some((token, i) => /^(?:<%|%>|<:|:>|%:)$/.test(token + (tokens[i + 1] ?? ''))) ? undefined : tokens;
}

const closers = new Map([
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
]);

/** Words, the name, (…), {…}, and that is all. */
function isWhole(tokens: readonly string[], name: string): boolean {
  const open: string[] = [];
  for (const token of tokens) {
    const closer = closers.get(token);
    if (closer !== undefined) open.push(closer);
    else if (')]}'.includes(token) && open.pop() !== token) return false;
  }
  const at = tokens.indexOf('(');
  if (open.length > 0 || at < 2 || tokens[at - 1] !== name) return false;
  if (tokens.slice(0, at).some((token) => !isWord(token) && token !== '*')) return false;
  const body = closing(tokens, at) + 1;
  return tokens[body] === '{' && closing(tokens, body) === tokens.length - 1;
}

/** Of brackets that match. */
function closing(tokens: readonly string[], from: number): number {
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    if (closers.has(tokens[i] as string)) depth++;
    else if (')]}'.includes(tokens[i] as string) && --depth === 0) return i;
  }
  return tokens.length;
}

const outliving = /^(?:_[_A-Z]\w*|extern|static|typedef|asm|struct|union|enum|typeof)$/;
/** They read a string up to its NUL, and write to none. */
const readers =
  /^(?:v?f?printf|v?sn?printf|f?puts|strlen|strcmp|strncmp|strcasecmp|strchr|strrchr|strstr|strpbrk|strspn|strcspn|strcpy|strcat|strdup|fopen|system|remove|unlink|f?scanf|sscanf|perror|atoi|is_plain)$/;

function reachesOut(token: string, i: number, tokens: readonly string[]): boolean {
  // A static function is one that no other sees.
  if (token === 'static' && i < tokens.indexOf('(')) return false;
  // `struct node` alone is there for all.
  if (outliving.test(token))
    return token !== '_Bool' && !(token === 'struct' && tokens[i + 1] === 'node' && tokens[i + 2] !== '{');
  if (token.startsWith('"')) return !readByCall(i, tokens);
  // `int f(…)`, `char *f(…)`: a function that is declared within the function.
  return isWord(token) && tokens[i + 1] === '(' && i > tokens.indexOf('(') && isDeclared(tokens, i);
}

/** A string that is an argument of a call of one of the readers, as it is. */
function readByCall(i: number, tokens: readonly string[]): boolean {
  if (!/^[,(]$/.test(tokens[i - 1] ?? '') || !/^[,)]$/.test(tokens[i + 1] ?? '')) return false;
  let depth = 0;
  for (let at = i - 1; at > 0; at--) {
    if (tokens[at] === ')' || tokens[at] === ']') depth++;
    else if (tokens[at] === '[') depth--;
    else if (tokens[at] === '(' && depth-- === 0) return readers.test(tokens[at - 1] ?? '');
    else if (/^[;{}?]$/.test(tokens[at] ?? '')) return false;
  }
  return false;
}

function isDeclared(tokens: readonly string[], i: number): boolean {
  let before = i - 1;
  while (tokens[before] === '*') before--;
  const word = tokens[before] as string;
  if (!isWord(word) || /^(?:if|while|for|switch|return|sizeof)$/.test(tokens[i] as string)) return false;
  if (before === i - 1) return !/^(?:return|else|do|case|sizeof|goto)$/.test(word);
  return typeWord.test(word) || tokens[before - 1] === 'struct';
}

const typeWord =
  /^(?:void|char|short|int|long|float|double|signed|unsigned|_Bool|bool|const|volatile|restrict|FILE|\w+_t)$/;

function isWord(token: string): boolean {
  return /^[A-Za-z_]/.test(token);
}
