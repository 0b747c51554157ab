import type { Token } from './lexer.js';
import { allowedBuiltins, headers, libraryFunctions } from './library.js';
import { librarySymbols } from './library-symbols.js';
import { refuse } from './refused.js';

/** What the task gives a program beside the library. */
export interface Given {
  /** Functions that it declares. */
  helpers?: readonly string[];
  /** Tags of structures that it defines. */
  types?: readonly string[];
}

export const keywords: ReadonlySet<string> = new Set(
  (
    'auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return ' +
    'short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Static_assert _Alignof'
  ).split(' '),
);

const reserved: ReadonlySet<string> = new Set([
  ...allowedBuiltins,
  '_Bool',
  '_Static_assert',
  '_Alignof',
  '__VA_ARGS__',
]);

// Keywords of other dialects, which a reader of code may take for such, and what turns assertions off.
const refusedWords: ReadonlySet<string> = new Set(
  (
    'asm typeof fortran defined NDEBUG nullptr nullptr_t constexpr noreturn alignas alignof thread_local _alignof _unaligned ' +
    'char8_t char16_t char32_t char64_t charptr_t'
  ).split(' '),
);

/** Names that readers of code take for these values, so that they stand for nothing else. */
export const truths: ReadonlyMap<string, string> = new Map([
  ['TRUE', '1'],
  ['FALSE', '0'],
]);

/** Macros by which programs ask for parts of the library. All parts are there anyway. */
export const featureMacros: ReadonlySet<string> = new Set(
  '_GNU_SOURCE _DEFAULT_SOURCE _BSD_SOURCE _SVID_SOURCE _POSIX_SOURCE _POSIX_C_SOURCE _XOPEN_SOURCE _XOPEN_SOURCE_EXTENDED _ISOC99_SOURCE _ISOC11_SOURCE'.split(
    ' ',
  ),
);

/** Macros of the allowed headers that an answer may use, by calling them or as values. */
export const calledMacros: ReadonlySet<string> = new Set(headers.flatMap(({ macros = [] }) => macros));
export const libraryValues: ReadonlySet<string> = new Set(headers.flatMap(({ values = [] }) => values));
export const libraryTypes: ReadonlyMap<string, number> = new Map(
  headers.flatMap(({ types = {} }) => Object.entries(types)),
);
export const functionsOfLibrary: ReadonlySet<string> = new Set(libraryFunctions);
const builtins: ReadonlySet<string> = new Set(allowedBuiltins);

/**
 * Words that the headers' own macros replace: where an answer declares one, the compiler reads something else. Values of the library are
 * macros too, as are the classes of characters.
 */
const replaced: ReadonlySet<string> = new Set([
  ...calledMacros,
  ...libraryValues,
  'bool',
  ...(headers.find(({ name }) => name === 'ctype.h')?.functions ?? []),
  // Those that no answer may use. Names in capitals are constants, but for these.
  ...(
    'alloca assert_perror be16toh be32toh be64toh htobe16 htobe32 htobe64 htole16 htole32 htole64 le16toh le32toh le64toh iscanonical iseqsig ' +
    'islessgreater issignaling issubnormal iszero math_errhandling strdupa strndupa isalnum_l isalpha_l isascii_l isblank_l iscntrl_l isdigit_l ' +
    'isgraph_l islower_l isprint_l ispunct_l isspace_l isupper_l isxdigit_l toascii_l tolower_l toupper_l ' +
    'FD_CLR FD_ISSET FD_SET FD_ZERO TEMP_FAILURE_RETRY WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG ' +
    'MB_CUR_MAX HUGE_VAL_F16 HUGE_VAL_F32 HUGE_VAL_F64 HUGE_VAL_F128 HUGE_VAL_F32X HUGE_VAL_F64X unix linux i386'
  ).split(' '),
]);

/** Refuses a word that no answer may hold, wherever it stands. */
export function refuseWord({ text, line }: Token): void {
  if (refusedWords.has(text)) refuse(line, `\`${text}\``);
  if (/^_(?:_|[A-Z])/.test(text) && !reserved.has(text))
    refuse(
      line,
      text === '__attribute__' || text === '__attribute'
        ? `an attribute: \`${text}\``
        : `the reserved name \`${text}\``,
    );
}

/** Refuses a name for anything that an answer declares: a variable, a member, a label, … */
export function refuseName({ text, line }: Token): void {
  if (keywords.has(text)) refuse(line, `the keyword \`${text}\` in place of a name`);
  if (builtins.has(text)) refuse(line, `a declaration of the compiler's \`${text}\``);
  if (truths.has(text)) refuse(line, `\`${text}\` as anything but ${truths.get(text)}`);
  if (replaced.has(text)) refuse(line, `a declaration of \`${text}\`, which is a macro of the library`);
}

/** Refuses a name for what an answer declares outside of functions, or defines as a function. */
export function refuseOuterName(token: Token, { helpers = [] }: Given): void {
  const { text, line } = token;
  refuseName(token);
  if (functionsOfLibrary.has(text) || librarySymbols.has(text))
    refuse(line, `a definition of \`${text}\`, which is a name of the C library`);
  if (helpers.includes(text)) refuse(line, `a definition of \`${text}\`, which the task defines`);
  if (text.startsWith('_')) refuse(line, `the reserved name \`${text}\` outside of functions`);
}

/** Refuses a name for a macro. */
export function refuseMacroName(token: Token, given: Given): void {
  const { text, line } = token;
  if (keywords.has(text)) refuse(line, `a macro with the name of the keyword \`${text}\``);
  if (
    replaced.has(text) ||
    builtins.has(text) ||
    libraryTypes.has(text) ||
    functionsOfLibrary.has(text) ||
    librarySymbols.has(text) ||
    text === '__VA_ARGS__'
  )
    refuse(line, `a macro with the name \`${text}\`, which is one of the library`);
  if ([...(given.helpers ?? []), ...(given.types ?? [])].includes(text))
    refuse(line, `a macro with the name \`${text}\`, which is one of the task`);
}
