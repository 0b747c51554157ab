/** What every C source may use without including it: code of models comes in fragments, and a compiler that stops at one sees nothing. */
export const preludeHeaders: readonly string[] = (
  'assert ctype errno fcntl inttypes limits math pthread signal stdarg stdbool stddef stdint stdio stdlib string strings ' +
  'sys/stat sys/types sys/wait time unistd'
)
  .split(' ')
  .map((name) => `${name}.h`);

/** The text before a unit of one source of C. */
export const wholePrelude: string = [
  '#define _GNU_SOURCE 1',
  ...preludeHeaders.map((name) => `#include <${name}>`),
  '',
].join('\n');

/**
 * What the preprocessor makes of the prelude. Reading all of it takes a compiler longer than some dozens of sources do, which use little of
 * it: for them there is a prelude of what they name, and what that names in turn.
 */
export class Prelude {
  /** All identifiers that occur in it, and C's keywords. */
  readonly reserved: ReadonlySet<string>;
  readonly #preprocessed: string;
  #pieces: Pieces | undefined;

  /** @param preprocessed the output of `-E -dD` on {@link wholePrelude}, with the options that units are compiled with. */
  constructor(preprocessed: string) {
    this.#preprocessed = preprocessed;
    this.reserved = new Set([...identifiers(preprocessed), ...keywords]);
  }

  /** The part of the prelude that says what these names mean, as a system header that ends where a file of one's own begins. */
  of(names: Iterable<string>): string {
    this.#pieces ??= piecesOf(this.#preprocessed);
    const { texts, meaning } = this.#pieces;
    const wanted = new Set<number>();
    const open = [...lookedUp, ...names];
    const seen = new Set(open);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      for (const piece of meaning.get(name) ?? []) {
        if (wanted.has(piece)) continue;
        wanted.add(piece);
        for (const mentioned of identifiers(texts[piece] as string)) {
          if (!seen.has(mentioned)) open.push(mentioned);
          seen.add(mentioned);
        }
      }
    }
    const pieces = [...wanted].sort((a, b) => a - b).map((piece) => texts[piece] as string);
    const isMacro = (text: string): boolean => text.startsWith('#');
    // Declarations have their macros expanded already.
    const ordered = [...pieces.filter((text) => !isMacro(text)), ...pieces.filter(isMacro)];
    return ['# 1 "unit"', '# 1 "prelude.h" 1 3', ...ordered, '# 1 "unit" 2', ''].join('\n');
  }
}

/** Declarations, and definitions of macros, in their order. */
interface Pieces {
  texts: string[];
  /** The pieces that give a name its meaning. */
  meaning: Map<string, number[]>;
}

function piecesOf(preprocessed: string): Pieces {
  const pieces: Pieces = { texts: [], meaning: new Map() };
  const add = (text: string, names: readonly string[]): void => {
    for (const name of names) {
      const known = pieces.meaning.get(name);
      if (known === undefined) pieces.meaning.set(name, [pieces.texts.length]);
      else known.push(pieces.texts.length);
    }
    pieces.texts.push(text);
  };
  let code = '';
  let builtIn = false;
  for (const line of preprocessed.split('\n')) {
    const file = /^# \d+ "([^"]*)"/.exec(line)?.[1];
    if (file !== undefined) builtIn = /^<(?!stdin)/.test(file);
    // The compiler defines its own macros again.
    else if (builtIn || line === '') continue;
    else if (line.startsWith('#')) add(line, /^#(?:define|undef) (\w+)/.exec(line)?.slice(1) ?? []);
    else {
      code += `${line}\n`;
      if (!line.endsWith(';') && !line.endsWith('}')) continue;
      const { whole, rest } = declarations(code);
      for (const declaration of whole) add(declaration, declared(declaration));
      code = rest;
    }
  }
  return pieces;
}

/** Splits code into the declarations that end in it, and what is left. */
function declarations(code: string): { whole: string[]; rest: string } {
  // Nearly all are one, of a function.
  if (!code.includes('{') && code.indexOf(';') === code.length - 2) return { whole: [code.trim()], rest: '' };
  const whole: string[] = [];
  let start = 0;
  let [braces, parentheses] = [0, 0];
  let body = false;
  let last = '';
  for (const { 0: token, index } of code.matchAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\w+|[^\s\w]/g)) {
    if (token === '(') parentheses++;
    else if (token === ')') parentheses--;
    else if (token === '{') {
      if (braces === 0) body = last === ')';
      braces++;
    } else if (token === '}') braces--;
    if (braces === 0 && parentheses === 0 && (token === ';' || (token === '}' && body))) {
      whole.push(code.slice(start, index + 1).trim());
      start = index + 1;
      body = false;
    }
    last = token;
  }
  return { whole, rest: code.slice(start) };
}

/** What analysers look up themselves: gcc's of file descriptors (`ana::on_finish_translation_unit`), clang's of streams and errno. */
const lookedUp = 'O_ACCMODE O_RDONLY O_WRONLY O_CREAT AT_FDCWD EOF SEEK_SET SEEK_CUR SEEK_END errno'.split(' ');

const identifiers = (text: string): readonly string[] => text.match(/\b[A-Za-z_]\w*/g) ?? [];

const keywords = (
  'auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return ' +
  'short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof'
).split(' ');

/** The functions, variables, types, tags and enumerators that a declaration of a header names; more do no harm. */
function declared(declaration: string): string[] {
  const names = [...declaration.matchAll(/\b(?:struct|union|enum)\s+(\w+)\s*[{;]/g)].map(([, name = '']) => name);
  for (const [, list = ''] of declaration.matchAll(/\benum\b[^{;]*\{([^}]*)\}/g))
    names.push(...[...list.matchAll(/(\w+)\s*(?:=[^,]*)?(?:,|$)/g)].map(([, name = '']) => name));
  // What is in braces and parentheses names members and parameters; `(*name)(…)` is a pointer to a function.
  let outer = declaration.replace(/\(\s*\*+\s*(\w+)\s*\)/g, ' $1 ');
  for (let before = ''; before !== outer; ) {
    before = outer;
    outer = outer.replace(/\{[^{}]*\}/g, ' ').replace(/\([^()]*\)/g, ' ; ');
  }
  for (const [, name = ''] of outer.matchAll(/\b([A-Za-z_]\w*)\s*(?=[;,[=]|__attribute|__asm)/g)) names.push(name);
  return names.filter(
    (name) => !keywords.includes(name) && !/^__(?:attribute|asm|extension|typeof)(?:__)?$/.test(name),
  );
}
