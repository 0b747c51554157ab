/** What an answer may use of a header. */
export interface Header {
  name: string;
  /** Why it is let in, and what of it is not. */
  why: string;
  functions: readonly string[];
  /** Macros that are called like functions. */
  macros?: readonly string[];
  /** Macros and objects that are values. */
  values?: readonly string[];
  /** Types, with an upper bound of their size in bytes. */
  types?: Readonly<Record<string, number>>;
}

const words = (text: string): string[] => text.trim().split(/\s+/);

const widths = ['8', '16', '32', '64', 'MAX', 'PTR', 'LEAST8', 'LEAST16', 'LEAST32', 'LEAST64'].concat([
  'FAST8',
  'FAST16',
  'FAST32',
  'FAST64',
]);
const exactTypes = (stems: readonly string[], size: (stem: string) => number): Record<string, number> =>
  Object.fromEntries(stems.map((stem) => [stem, size(stem)]));
const integerTypes = ['8', '16', '32', '64', '_least8', '_least16', '_least32', '_least64'].concat([
  '_fast8',
  '_fast16',
  '_fast32',
  '_fast64',
  'ptr',
  'max',
]);
const widthOf = (stem: string): number => (/fast(16|32)/.test(stem) ? 8 : Number(/\d+/.exec(stem)?.[0] ?? 64) / 8);

/**
 * The part of the C library that an answer may use. What reaches beyond the program's own memory is left out (descriptors, processes,
 * signals, threads, memory protection, loading of code), and so is what differs from run to run (time, randomness, environment, locale),
 * unless the tests interpose it or the sandbox makes it harmless.
 */
export const headers: readonly Header[] = [
  {
    name: 'assert.h',
    why: 'a failed assertion aborts, which the tests see; `NDEBUG` is not to be defined',
    functions: [],
    macros: ['assert', 'static_assert'],
  },
  {
    name: 'ctype.h',
    why: 'the classes of characters, of the C locale',
    functions: words(
      'isalnum isalpha isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit isascii toascii tolower toupper',
    ),
  },
  {
    name: 'errno.h',
    why: 'the error number and its common values',
    functions: [],
    values: words(
      'errno E2BIG EACCES EAGAIN EALREADY EBADF EBADMSG EBUSY ECANCELED ECHILD ECONNREFUSED ECONNRESET EDEADLK EDOM EEXIST EFAULT EFBIG EILSEQ EINPROGRESS EINTR EINVAL EIO EISDIR ELOOP EMFILE EMLINK EMSGSIZE ENAMETOOLONG ENFILE ENOBUFS ENODATA ENODEV ENOENT ENOEXEC ENOLCK ENOMEM ENOMSG ENOSPC ENOSYS ENOTDIR ENOTEMPTY ENOTSUP ENXIO EOPNOTSUPP EOVERFLOW EPERM EPIPE EPROTO ERANGE EROFS ESPIPE ESRCH ETIMEDOUT EWOULDBLOCK EXDEV',
    ),
  },
  {
    name: 'float.h',
    why: 'the limits of floating types',
    functions: [],
    values: words(
      'FLT_RADIX FLT_EVAL_METHOD DECIMAL_DIG FLT_DIG FLT_EPSILON FLT_MANT_DIG FLT_MAX FLT_MAX_EXP FLT_MAX_10_EXP FLT_MIN FLT_MIN_EXP FLT_MIN_10_EXP FLT_TRUE_MIN DBL_DIG DBL_EPSILON DBL_MANT_DIG DBL_MAX DBL_MAX_EXP DBL_MAX_10_EXP DBL_MIN DBL_MIN_EXP DBL_MIN_10_EXP DBL_TRUE_MIN LDBL_DIG LDBL_EPSILON LDBL_MANT_DIG LDBL_MAX LDBL_MIN',
    ),
  },
  {
    name: 'inttypes.h',
    why: 'formats and functions of the integer types of stdint.h',
    functions: words('imaxabs imaxdiv strtoimax strtoumax'),
    values: [
      ...['d', 'i', 'o', 'u', 'x', 'X'].flatMap((letter) => widths.map((width) => `PRI${letter}${width}`)),
      ...['d', 'i', 'o', 'u', 'x'].flatMap((letter) => widths.map((width) => `SCN${letter}${width}`)),
    ],
    types: { imaxdiv_t: 16 },
  },
  {
    name: 'limits.h',
    why: 'the limits of integer types and paths',
    functions: [],
    values: words(
      'CHAR_BIT CHAR_MAX CHAR_MIN SCHAR_MAX SCHAR_MIN UCHAR_MAX SHRT_MAX SHRT_MIN USHRT_MAX INT_MAX INT_MIN UINT_MAX LONG_MAX LONG_MIN ULONG_MAX LLONG_MAX LLONG_MIN ULLONG_MAX SSIZE_MAX PATH_MAX NAME_MAX LINE_MAX',
    ),
  },
  {
    name: 'math.h',
    why: 'the common functions of numbers, which have no effects but `errno`',
    functions: [
      ...words(
        'acos asin atan atan2 cbrt ceil copysign cos cosh erf exp exp2 expm1 fabs fdim floor fma fmax fmin fmod frexp hypot ldexp llround log log10 log1p log2 lrint lround modf nearbyint pow remainder rint round sin sinh sqrt tan tanh tgamma trunc',
      ),
      ...words(
        'atan2f ceilf cosf expf fabsf floorf fmaxf fminf fmodf log10f log2f logf powf roundf sinf sqrtf tanf truncf',
      ),
      ...words('ceill fabsl floorl fmodl powl roundl sqrtl truncl'),
    ],
    macros: words(
      'isnan isinf isfinite isnormal signbit fpclassify isgreater isgreaterequal isless islessequal isunordered',
    ),
    values: words(
      'NAN INFINITY HUGE_VAL HUGE_VALF HUGE_VALL FP_NAN FP_INFINITE FP_ZERO FP_SUBNORMAL FP_NORMAL M_E M_LOG2E M_LOG10E M_LN2 M_LN10 M_PI M_PI_2 M_PI_4 M_1_PI M_2_PI M_SQRT2 M_SQRT1_2',
    ),
    types: { float_t: 16, double_t: 16 },
  },
  {
    name: 'stdarg.h',
    why: 'variadic functions, for vsnprintf and its kin',
    functions: [],
    macros: words('va_start va_arg va_end va_copy'),
    types: { va_list: 24 },
  },
  {
    name: 'stdbool.h',
    why: 'a type and its two values',
    functions: [],
    values: words('true false'),
    types: { bool: 1 },
  },
  {
    name: 'stddef.h',
    why: 'common types',
    functions: [],
    macros: ['offsetof'],
    values: ['NULL'],
    types: { size_t: 8, ptrdiff_t: 8, wchar_t: 4, max_align_t: 32 },
  },
  {
    name: 'stdint.h',
    why: 'integer types by width, and their limits',
    functions: [],
    macros: words('INT8_C INT16_C INT32_C INT64_C INTMAX_C UINT8_C UINT16_C UINT32_C UINT64_C UINTMAX_C'),
    values: [
      ...['8', '16', '32', '64', '_LEAST8', '_LEAST16', '_LEAST32', '_LEAST64'].flatMap((width) => [
        `INT${width}_MAX`,
        `INT${width}_MIN`,
        `UINT${width}_MAX`,
      ]),
      ...words('INTPTR_MAX INTPTR_MIN UINTPTR_MAX INTMAX_MAX INTMAX_MIN UINTMAX_MAX PTRDIFF_MAX PTRDIFF_MIN SIZE_MAX'),
    ],
    types: {
      ...exactTypes(
        integerTypes.map((stem) => `int${stem}_t`),
        widthOf,
      ),
      ...exactTypes(
        integerTypes.map((stem) => `uint${stem}_t`),
        widthOf,
      ),
    },
  },
  {
    name: 'stdio.h',
    why: 'streams by name and in memory, formats, the standard streams; nothing that takes or gives a descriptor, makes temporary files or changes the buffers of streams; the tests interpose popen, fopen, remove and rename',
    functions: [
      ...words('printf fprintf sprintf snprintf asprintf vprintf vfprintf vsprintf vsnprintf vasprintf'),
      ...words('scanf fscanf sscanf vscanf vfscanf vsscanf'),
      ...words('puts fputs putc putchar fputc getc getchar fgetc fgets getline getdelim ungetc fread fwrite'),
      ...words('fopen fclose fflush feof ferror clearerr fseek ftell rewind fmemopen'),
      ...words('remove rename perror popen pclose'),
    ],
    values: words('stdin stdout stderr EOF BUFSIZ FILENAME_MAX FOPEN_MAX SEEK_SET SEEK_CUR SEEK_END'),
    types: { FILE: 256, fpos_t: 16, ssize_t: 8, off_t: 8 },
  },
  {
    name: 'stdlib.h',
    why: 'memory, numbers, sorting and searching, leaving; system and realpath, which the tests interpose; not rand, getenv, mkstemp, atexit',
    functions: [
      ...words('malloc calloc realloc reallocarray free abs labs llabs div ldiv lldiv'),
      ...words('atoi atol atoll atof strtol strtoll strtoul strtoull strtod strtof strtold'),
      ...words('qsort bsearch exit abort system realpath'),
    ],
    values: words('EXIT_SUCCESS EXIT_FAILURE RAND_MAX'),
    types: { div_t: 8, ldiv_t: 16, lldiv_t: 16 },
  },
  {
    name: 'string.h',
    why: 'bytes and strings; not what depends on the locale or draws at random (strcoll, strxfrm, strfry, memfrob)',
    functions: [
      ...words('memcpy memmove memset memcmp memchr memrchr rawmemchr memccpy mempcpy memmem'),
      ...words('strlen strnlen strcpy strncpy stpcpy stpncpy strcat strncat strcmp strncmp strdup strndup'),
      ...words('strchr strrchr strchrnul strspn strcspn strpbrk strstr strcasestr strtok strtok_r strsep strverscmp'),
      ...words('strerror explicit_bzero'),
    ],
  },
  {
    name: 'strings.h',
    why: 'the older functions of bytes and strings',
    functions: words('bcmp bcopy bzero index rindex strcasecmp strncasecmp ffs ffsl ffsll'),
  },
  {
    name: 'sys/types.h',
    why: 'names of types that prototypes use',
    functions: [],
    types: {
      ssize_t: 8,
      off_t: 8,
      size_t: 8,
      mode_t: 4,
      pid_t: 4,
      uid_t: 4,
      gid_t: 4,
      time_t: 8,
      uint: 4,
      ushort: 2,
      ulong: 8,
    },
  },
  {
    name: 'unistd.h',
    why: 'what deletes a file, which the tests interpose; nothing else of it',
    functions: words('unlink'),
    values: words('F_OK R_OK W_OK X_OK'),
  },
];

export const allowedHeaders: readonly string[] = headers.map(({ name }) => name);

/** The functions of the C library that an answer may call. */
export const libraryFunctions: readonly string[] = headers.flatMap(({ functions }) => functions);

/** What of the compiler's own functions an answer may call: arithmetic that says whether it overflowed, and hints. */
export const allowedBuiltins: readonly string[] = [
  ...['add', 'sub', 'mul'].flatMap((operation) => [
    `__builtin_${operation}_overflow`,
    `__builtin_${operation}_overflow_p`,
    ...['s', 'sl', 'sll', 'u', 'ul', 'ull'].map((type) => {
      const [sign = '', size = ''] = [type[0], type.slice(1)];
      return `__builtin_${sign}${operation}${size}_overflow`;
    }),
  ]),
  '__builtin_expect',
];

/**
 * Symbols beside {@link libraryFunctions} that their headers refer to, by macros, by redirected names or as objects, in any glibc from 2.31
 * on. With the sanitizers' own, a program that uses nothing else links against exactly these.
 */
export const linkSymbols: readonly string[] = [
  ...['stdin', 'stdout', 'stderr'],
  ...['__errno_location', '__assert_fail', '__ctype_b_loc', '__ctype_tolower_loc', '__ctype_toupper_loc'],
  // Standard scanf and, from glibc 2.38 on, the functions that read binary constants.
  ...['scanf', 'fscanf', 'sscanf', 'vscanf', 'vfscanf', 'vsscanf'].flatMap((name) => [
    `__isoc99_${name}`,
    `__isoc23_${name}`,
  ]),
  ...['strtol', 'strtoll', 'strtoul', 'strtoull', 'strtoimax', 'strtoumax'].map((name) => `__isoc23_${name}`),
  // The classification of floating numbers, where the compiler does not do it itself.
  ...['__fpclassify', '__isnan', '__isinf', '__finite', '__signbit'].flatMap((name) => [name, `${name}f`, `${name}l`]),
];
