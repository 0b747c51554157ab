/** What a text's tokens say of it before it is parsed. */
export interface Reading {
  /** Why a compiler may read something else in it than the parser does; undefined where both read the same. */
  doubt: string | undefined;
  /** Macros for a literal: its text by the macro's name. */
  macros: ReadonlyMap<string, { value: string; start: number }>;
}

/** Longer programs are not read. */
export const longestProgram = 65536;

/**
 * Whether parser and compiler are sure to read the same program. The parser knows no preprocessor, no raw strings and no trigraphs, so
 * what needs them is doubtful: of directives, only includes of the given headers and macros that stand for one literal are not.
 */
export function readText(code: string, headers: ReadonlySet<string>): Reading {
  const macros = new Map<string, { value: string; start: number }>();
  const doubtful = (doubt: string): Reading => ({ doubt, macros });
  if (code.length > longestProgram) return doubtful('it is too long');
  for (const [pattern, what] of anywhere) if (pattern.test(code)) return doubtful(what);
  let lineStart = true;
  let before = '';
  lexeme.lastIndex = 0;
  while (lexeme.lastIndex < code.length) {
    const at = lexeme.lastIndex;
    const token = (lexeme.exec(code) as RegExpExecArray)[0];
    if (/^(?:\s|\/\/|\/\*)/.test(token) && token !== '/*') {
      if (token.includes('\n')) lineStart = true;
      before = '';
      continue;
    }
    if (token === '#' && lineStart) {
      const line = code.slice(at, lineEnd(code, at));
      const [, header] = include.exec(line) ?? [];
      const [, name, value] = define.exec(line) ?? [];
      if (name !== undefined && value !== undefined && !macros.has(name)) macros.set(name, { value, start: at });
      else if (header === undefined || !headers.has(header)) return doubtful('a directive');
      lexeme.lastIndex = at + line.length;
      continue;
    }
    if (/^["']/.test(token)) {
      if (token.length < 2) return doubtful('a literal without an end');
      if (/\w/.test(before)) return doubtful('a literal with a prefix');
      if (/[^\x20-\x7e\t]/.test(token)) return doubtful('a letter beyond ASCII in a literal');
    } else if (digraphs.has(token)) return doubtful('a digraph');
    else if (/^(?:[#\\$@`]|\/\*|[^\x20-\x7e])$/.test(token)) return doubtful(`a stray ${JSON.stringify(token)}`);
    else if (/^_[_A-Z]/.test(token) && !understood.has(token)) return doubtful(`the reserved name ${token}`);
    else if (/^(?:asm|typeof|auto)$/.test(token)) return doubtful(token);
    lineStart = false;
    before = token;
  }
  return { doubt: undefined, macros };
}

const anywhere: readonly (readonly [RegExp, string])[] = [
  [/\\[ \t\f\v]*\r?\n/, 'a spliced line'],
  [/\?\?[=/'()!<>-]/, 'a trigraph'],
  [/\r(?!\n)|\0/, 'a control character'],
];

const lexeme =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|\/\*|"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|<%|%>|<:|:>|%:|[\s\S]/y;

const digraphs: ReadonlySet<string> = new Set(['<%', '%>', '<:', ':>', '%:']);

// Of the names that belong to compiler and library.
const understood: ReadonlySet<string> = new Set([
  ...['_Bool', '_Exit'],
  ...['__builtin_add_overflow', '__builtin_sub_overflow', '__builtin_mul_overflow'],
]);

const include = /^#[ \t]*include[ \t]*<([\w./]+)>[ \t]*(?:\/\/.*)?$/;
const define =
  /^#[ \t]*define[ \t]+([A-Za-z]\w*)[ \t]+(-?\d\w*|\([ \t]*-?\d\w*[ \t]*\)|'(?:[^'\\]|\\.)')[ \t]*(?:\/\/.*)?$/;

function lineEnd(code: string, from: number): number {
  const end = code.indexOf('\n', from);
  const line = end < 0 ? code.length : end;
  return code[line - 1] === '\r' ? line - 1 : line;
}
