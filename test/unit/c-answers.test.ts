import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { refusalOf } from '../../src/tasks/c-answers/index.js';
import { headers } from '../../src/tasks/c-answers/library.js';
import { familyProgram, familyPrompt, referenceAnswers } from '../../src/tasks/family/prompts.js';

const about = { helpers: ['is_plain'], types: ['node'] };
const reasonOf = async (code: string): Promise<string> =>
  (await refusalOf(Buffer.from(code, 'latin1'), about))?.reason ?? 'passes';

/** A function whose body begins in line 2. */
const inside = (body: string): string => `int f(int n, const char *s, struct node *p) {\n${body}\nreturn 0; }\n`;

/** What is refused, with its reason; and what is close to it and passes. */
const rules: Record<string, { refused: readonly [code: string, reason: string][]; passes: readonly string[] }> = {
  'text that readers of C take for different things': {
    refused: [
      [inside('puts(R"(")");'), 'line 2: not allowed: a raw string'],
      [inside('puts(LR"x()x");'), 'line 2: not allowed: a raw string'],
      [inside('puts(u8R"()");'), 'line 2: not allowed: a raw string'],
      [inside('// ??/\nn++;'), 'line 2: not allowed: the trigraph `??/`'],
      [inside('puts("??)");'), 'line 2: not allowed: the trigraph `??)`'],
      [inside('puts("a\0b");'), 'line 2: not allowed: a NUL byte'],
      [inside('n = 1;\r n = 2;'), 'line 2: not allowed: a carriage return without a line feed'],
      [inside('int \xe9 = 1;'), 'line 2: not allowed: byte 0xe9 outside of strings and comments'],
      [inside('int a\x01;'), 'line 2: not allowed: byte 0x01 outside of strings and comments'],
      [inside('int $a;'), 'line 2: not allowed: `$` outside of strings and comments'],
      [inside('int \\u0041;'), 'line 2: not allowed: a universal character name'],
      [
        inside('// guard \\\nif (n < 0) return -1;'),
        'line 2: not allowed: a backslash at the end of a line of a comment',
      ],
      [
        inside('// guard \\ \nif (n < 0) return -1;'),
        'line 2: not allowed: a backslash at the end of a line of a comment',
      ],
      [inside('/* *\\\n/ n++; /* */'), 'line 2: not allowed: a backslash at the end of a line of a comment'],
      [inside('n \\\n= 1;'), 'line 2: not allowed: a backslash at the end of a line, outside of `#define`'],
      ['#define LON\\\nG 1\n', 'line 1: not allowed: a backslash at the end of a line, outside of `#define`'],
      [inside('if (n) <% n++; %>'), 'line 2: not allowed: the digraph `<%`'],
      [inside('int a<:3:>;'), 'line 2: not allowed: the digraph `<:`'],
      ['%:define X 1\n', 'line 1: not allowed: the digraph `%:`'],
      [inside('n++; /* no end'), 'line 2: not allowed: a comment without an end'],
      [inside('n++; /*/'), 'line 2: not allowed: a comment without an end'],
      [inside('puts("no end);'), 'line 2: not allowed: a literal without an end'],
      ['#define A /* one\ntwo */ 1\n', 'line 1: not allowed: a comment of several lines in a directive'],
      [inside(`int ${'a'.repeat(257)};`), 'line 2: not allowed: a name of more than 256 characters'],
    ],
    passes: [
      inside('char R = \'"\'; puts("R\\"("); n = R;'),
      inside('puts(L"x" == 0 ? "a" : u8"b");'),
      inside('puts("what??"); n = n ? n > 2 ? 1 : 2 : 3;'),
      inside('puts("caf\xe9"); /* \xe9 */ // \xe9'),
      inside('n = n < 2 && n % 2 == 1 ? n : -n; // C:\\dir'),
      inside('puts("\\u00e9");').replaceAll('\n', '\r\n'),
      '#define SWAP(a, b) do { \\\n  int t = (a); \\\n  (a) = (b); \\\n  (b) = t; \\\n} while (0)\nvoid f(void) { int x = 1, y = 2; SWAP(x, y); }\n',
      inside(`int ${'a'.repeat(256)} = 1;`),
    ],
  },
  'directives but for headers and macros': {
    refused: [
      ['#include <signal.h>\n', 'line 1: not allowed: `#include <signal.h>`, which is none of the allowed headers'],
      ['#include <sys/mman.h>\n', 'line 1: not allowed: `#include <sys/mman.h>`, which is none of the allowed headers'],
      ['#include <../asm/unistd.h>\n', 'line 1: not allowed: `#include <../asm/unistd.h>`, which'],
      ['#include "stdio.h"\n', 'line 1: not allowed: the directive `#include`: only'],
      ['#define H <signal.h>\n#include H\n', 'line 2: not allowed: the directive `#include`: only'],
      ['#include <stdio.h> int x;\n', 'line 1: not allowed: more than a header in `#include`'],
      ['#include <stdio.h> // \\\nint x;\n', 'line 1: not allowed: a backslash at the end of a line of a comment'],
      ['#define quot x; int kill(int, int\n#include <stdlib.h>\n', 'line 1: not allowed: no `)` in the macro `quot`'],
      ['#define rem other\n#include <stdlib.h>\n', 'line 2: not allowed: `#include` behind a macro'],
      [inside('#ifdef __SANITIZE_ADDRESS__\nreturn 1;\n#endif'), 'line 2: not allowed: the directive `#ifdef`'],
      [inside('#ifdef f\nreturn 1;\n#endif'), 'line 2: not allowed: the directive `#ifdef`'],
      [inside('#if 0\nif (n < 0) return -1;\n#endif'), 'line 2: not allowed: the directive `#if`'],
      ['#line 1 "row7"\n', 'line 1: not allowed: the directive `#line`'],
      ['# 1 "row7"\n', 'line 1: not allowed: the directive `#1`'],
      ['#pragma GCC optimize("no-sanitize")\n', 'line 1: not allowed: the directive `#pragma`'],
      [inside('_Pragma("GCC poison x")'), 'line 2: not allowed: the reserved name `_Pragma`'],
      ['#error Killed signal\n', 'line 1: not allowed: the directive `#error`'],
      ['#undef stdin\n', 'line 1: not allowed: the directive `#undef`'],
      ['#include_next <stdio.h>\n', 'line 1: not allowed: the directive `#include_next`'],
      ['#embed "/etc/passwd"\n', 'line 1: not allowed: the directive `#embed`'],
      ['#\n', 'line 1: not allowed: `#` without a directive'],
      [inside('n = 1; # define A 1'), 'line 2: not allowed: `#` inside a line'],
    ],
    passes: [
      ' # include <stdio.h> // for puts\n#include <sys/types.h>/* */\n#include <unistd.h>\n',
      '#define _GNU_SOURCE\n#define _POSIX_C_SOURCE 200809L\n#include <stdio.h>\n#define LIMIT 10\nint a[LIMIT];\n',
      inside('puts("#include <signal.h>"); // #pragma\n/*\n#if 0\n*/'),
    ],
  },
  'macros with more than one meaning, or that hide what is there': {
    refused: [
      ['#define if while (0) if\n', 'line 1: not allowed: a macro with the name of the keyword `if`'],
      ['#define free(p) (void)(p)\n', 'line 1: not allowed: a macro with the name `free`'],
      ['#define kill exit\n', 'line 1: not allowed: a macro with the name `kill`'],
      ['#define NULL 0\n', 'line 1: not allowed: a macro with the name `NULL`'],
      ['#define size_t int\n', 'line 1: not allowed: a macro with the name `size_t`'],
      ['#define is_plain(s) 1\n', 'line 1: not allowed: a macro with the name `is_plain`, which is one of the task'],
      ['#define node other\n', 'line 1: not allowed: a macro with the name `node`, which is one of the task'],
      ['#define __x 1\n', 'line 1: not allowed: the reserved name `__x`'],
      ['#define NDEBUG\n', 'line 1: not allowed: `NDEBUG`'],
      ['#define _GNU_SOURCE int kill(int, int);\n', 'line 1: not allowed: `_GNU_SOURCE` as anything but a number'],
      [inside('#define n 1000\nif (n < 0) return -1;'), 'line 2: not allowed: the macro `n` behind a use of its name'],
      ['#define A B\nint B = A;\n#define B 1\n', 'line 3: not allowed: the macro `B` behind a use of its name'],
      ['#define A C\nint x = A;\n#define C 1\n', 'line 3: not allowed: the macro `C` behind a use of its name'],
      ['#define A 1\n#define A 2\n', 'line 2: not allowed: a second macro `A`'],
      ['#define S(x) #x\n', 'line 1: not allowed: `#` in the macro `S`'],
      ['#define J(x, y) x ## y\n', 'line 1: not allowed: `#` in the macro `J`'],
      ['#define OPEN (\n', 'line 1: not allowed: no `)` in the macro `OPEN`'],
      ['#define END }\n', 'line 1: not allowed: a `}` in the macro `END` that closes nothing there'],
      ['#define A A\nint x = A;\n', 'line 2: not allowed: the macro `A` leads to itself'],
      ['#define A(x) x B\n#define B A\nint x = A(1)(2);\n', 'line 3: not allowed: the macro `A` leads to itself'],
      ['#define F(x) x\n#define G F\nint x = G(1);\n', 'line 3: not allowed: the macro `F` without its arguments'],
      ['#define F(x) x\nint y = F;\n', 'line 2: not allowed: the macro `F` without its arguments'],
      ['#define F(x) x\nint y = F(1, 2);\n', 'line 2: not allowed: 2 arguments of the macro `F`'],
      ['#define F(x) x\nint y = F(1;\n', 'line 2: not allowed: the call of the macro `F` without an end'],
      ['#define V(x...) x\n', 'line 1: not allowed: the parameters of the macro `V`'],
      [inside('puts(\n#define A 1\n"a");'), 'line 3: not allowed: a directive between parentheses'],
      [
        `#define A0 1\n${Array.from({ length: 40 }, (_, i) => `#define A${i + 1} A${i} + A${i}\n`).join('')}int x = A40;\n`,
        'line 42: not allowed: more than 16384 tokens or 1048576 bytes',
      ],
      [
        `#define A "${'a'.repeat(60000)}"\nconst char *s = ${'A '.repeat(200)};\n`,
        'line 2: not allowed: more than 16384 tokens or 1048576 bytes',
      ],
      [
        `#define M(x) x\nint x = ${'M('.repeat(5000)}1${')'.repeat(5000)};\n`,
        'line 2: not allowed: macros in more than 64 macros',
      ],
      [
        `${Array.from({ length: 70 }, (_, i) => `#define A${i + 1} A${i}\n`).join('')}int x = A70;\n`,
        'line 71: not allowed: macros in more than 64 macros',
      ],
    ],
    passes: [
      '#define LIMIT 10\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\nint f(int n) { return MAX(MAX(n, LIMIT), 3); }\n',
      '#define LOG(...) fprintf(stderr, __VA_ARGS__)\nvoid f(int n) { LOG("%d", n); LOG("a"); }\n',
      '#define EMPTY\n#define CALL() 1\nEMPTY int f(void) { return CALL(); }\n',
      '#define A B\n#define B 1\nint x = A;\n',
      '#define FAIL { puts("fail"); return -1; }\nint f(int n) { if (n < 0) FAIL return n; }\n',
      `#define A0 1\n${Array.from({ length: 8 }, (_, i) => `#define A${i + 1} A${i} + A${i}\n`).join('')}int x = A8;\n`,
    ],
  },
  'names and words that are not C, or are reserved': {
    refused: [
      [
        '__attribute__((no_sanitize_address)) int f(void) { return 0; }\n',
        'line 1: not allowed: an attribute: `__attribute__`',
      ],
      ['[[gnu::constructor]] int f(void) { return 0; }\n', 'line 1: expected a type, received `[`'],
      ['int x [[gnu::weak]];\n', 'line 1: not allowed: an attribute: `[[`'],
      [inside('__asm__("nop");'), 'line 2: not allowed: the reserved name `__asm__`'],
      [inside('asm("nop");'), 'line 2: not allowed: `asm`'],
      [inside('typeof(n) m = n;'), 'line 2: not allowed: `typeof`'],
      [inside('__typeof__(n) m = n;'), 'line 2: not allowed: the reserved name `__typeof__`'],
      [inside('n = sizeof __func__;'), 'line 2: not allowed: the reserved name `__func__`'],
      [inside('n = __LINE__;'), 'line 2: not allowed: the reserved name `__LINE__`'],
      ['void __asan_report_load4(void *p) { }\n', 'line 1: not allowed: the reserved name `__asan_report_load4`'],
      ['int __wrap_printf(const char *f) { return 0; }\n', 'line 1: not allowed: the reserved name `__wrap_printf`'],
      ['#define OFF __attribute__((no_sanitize("address")))\n', 'line 1: not allowed: an attribute'],
      [inside('n = __builtin_ia32_rdtsc();'), 'line 2: not allowed: the reserved name `__builtin_ia32_rdtsc`'],
      [inside('__builtin_trap();'), 'line 2: not allowed: the reserved name `__builtin_trap`'],
      ['_Noreturn void g(void) { }\n', 'line 1: not allowed: the reserved name `_Noreturn`'],
      ['_Thread_local int x;\n', 'line 1: not allowed: the reserved name `_Thread_local`'],
      ['_Atomic int x;\n', 'line 1: not allowed: the reserved name `_Atomic`'],
      ['_Alignas(1 << 28) char c;\n', 'line 1: not allowed: the reserved name `_Alignas`'],
      [inside('n = _Generic(n, int: 1);'), 'line 2: not allowed: the reserved name `_Generic`'],
      [inside('int errno = 0;'), 'line 2: not allowed: a declaration of `errno`, which is a macro of the library'],
      [inside('struct { int bool; } x;'), 'line 2: not allowed: a declaration of `bool`'],
      ['int strdupa(const char *s) { return 0; }\n', 'line 1: not allowed: a declaration of `strdupa`'],
      ['int _start;\n', 'line 1: not allowed: the reserved name `_start` outside of functions'],
    ],
    passes: [
      inside('int _x = 1; _Bool b = n > 0; n = b + _x;'),
      '_Static_assert(sizeof(int) == 4, "int");\nstatic_assert(_Alignof(long) == 8, "long");\n',
      inside('int r; if (__builtin_add_overflow(n, 1, &r) || __builtin_smul_overflow(n, 2, &r)) return -1;'),
      inside('if (__builtin_expect(n < 0, 0)) return -1;'),
    ],
  },
  'functions and objects from elsewhere': {
    refused: [
      [
        'int kill(int, int);\n',
        'line 1: not allowed: a declaration of `kill`, which is neither defined here nor allowed',
      ],
      [inside('int x, fork(void), waitpid(int, int *, int);'), 'line 2: not allowed: a declaration of `fork`'],
      [inside('extern long write(int, const void *, unsigned long);'), 'line 2: not allowed: a declaration of `write`'],
      ['struct s { int a; } x, fork(void);\n', 'line 1: not allowed: a declaration of `fork`'],
      [inside('auto int inner(int);'), 'line 2: not allowed: a declaration of `inner`'],
      ['#define DECLARE int fork(void);\nDECLARE\n', 'line 2: not allowed: a declaration of `fork`'],
      ['#define ID(x) x\nint ID(fork)(void);\n', 'line 2: not allowed: a declaration of `fork`'],
      [inside('fork();'), 'line 2: not allowed: a call of `fork`, which is neither defined here nor allowed'],
      [inside('undefined_one(n);'), 'line 2: not allowed: a call of `undefined_one`'],
      [inside('char **e = environ;'), 'line 2: not allowed: `environ`, which is neither declared nor allowed'],
      [inside('signal(8, (void *)1);'), 'line 2: not allowed: a call of `signal`'],
      ['extern char **environ;\n', 'line 1: not allowed: `environ`, an object from elsewhere'],
      [inside('extern int given;'), 'line 2: not allowed: `given`, an object from elsewhere'],
      ['const unsigned char main[] = { 0xc3 };\n', 'line 1: not allowed: an object `main`'],
      [inside('for (int i = 0, fork(void); i < 1; i++) ;'), 'line 2: not allowed: a declaration of `fork`'],
      ['int kill();\n', 'line 1: not allowed: a declaration of `kill`'],
      ['int malloc;\n', 'line 1: not allowed: a definition of `malloc`, which is a name of the C library'],
      ['void free(void *p) { }\n', 'line 1: not allowed: a definition of `free`, which is a name of the C library'],
      ['static long write(int fd) { return 0; }\n', 'line 1: not allowed: a definition of `write`'],
      [
        'int is_plain(const char *s) { return 1; }\n',
        'line 1: not allowed: a definition of `is_plain`, which the task',
      ],
      [inside('n = getenv("HOME") != 0;'), 'line 2: not allowed: a call of `getenv`'],
      [inside('char *q = alloca(n);'), 'line 2: not allowed: a call of `alloca`'],
    ],
    passes: [
      'static int twice(int);\nint f(int n) { return twice(n); }\nstatic int twice(int n) { return 2 * n; }\n',
      'int f(int n) { return g(n); }\nint g(int n) { return n; }\n',
      'int is_plain(const char *);\nint printf(const char *, ...);\nint f(const char *s) { return is_plain(s) ? printf("%s", s) : -1; }\n',
      inside('int index = n, time = 2, link = 3, read = 4; return index + time + link + read;'),
      'struct list { struct list *link; int open; };\nint f(struct list *l) { return l->link ? l->open : 0; }\n',
      inside('printf("%d", errno); fputs(s, stderr); assert(n > 0); return system("ls") + isalpha(n);'),
    ],
  },
  'functions that are reached by an address': {
    refused: [
      [inside('int (*g)(int) = 0;'), "line 2: not allowed: a pointer to a function, or a function's type: `g`"],
      [inside('((void (*)(void))0x1000)();'), 'line 2: not allowed: a pointer to a function'],
      ['typedef int fn(int);\n', "line 1: not allowed: a pointer to a function, or a function's type: `fn`"],
      ['typedef int (*fn)(int);\n', "line 1: not allowed: a pointer to a function, or a function's type: `fn`"],
      ['struct ops { int (*run)(int); };\n', 'line 1: not allowed: a pointer to a function'],
      ['int f(int g(int)) { return g(1); }\n', 'line 1: not allowed: a pointer to a function'],
      ['int f(int (int)) { return 0; }\n', 'line 1: not allowed: a pointer to a function'],
      ['int (*f(void))(int) { return 0; }\n', 'line 1: not allowed: a pointer to a function'],
      ['int (*table[3])(int);\n', 'line 1: not allowed: a pointer to a function'],
      [inside('n = sizeof(int (*)(void));'), 'line 2: not allowed: a pointer to a function'],
      [inside('(*(long *)s)();'), 'line 2: not allowed: a call of anything but a function by its name'],
      [inside('(n ? puts : perror)(s);'), 'line 2: not allowed: the function `puts` as a value'],
      [inside('(puts)(s);'), 'line 2: not allowed: the function `puts` as a value'],
      [inside('long a = (long)&printf;'), 'line 2: not allowed: the function `printf` as a value'],
      [inside('long a = (long)f;'), 'line 2: not allowed: the function `f` as a value'],
      [inside('p->run(1);'), 'line 2: not allowed: a call of anything but a function by its name'],
      [inside('n(1);'), 'line 2: not allowed: a call through the pointer `n`'],
      [inside('int puts = 1; puts(s);'), 'line 2: not allowed: a call through the pointer `puts`'],
      [
        inside('qsort(p, 1, 8, (void *)0x1000);'),
        'line 2: not allowed: `(` as what `qsort` calls: only the name of a function',
      ],
      [inside('qsort(p, 1, 8, n);'), 'line 2: not allowed: `n` as what `qsort` calls'],
      [inside('bsearch(s, p, 1, 8, fork);'), 'line 2: not allowed: `fork` as what `bsearch` calls'],
      [inside('int inner(void) { return 1; }'), 'line 2: not allowed: the function `inner` inside a function'],
      [inside('n = ({ int k = 1; k; });'), 'line 2: not allowed: a statement in an expression'],
      [inside('x: n = (long)&&x;'), 'line 2: not allowed: the address of a label'],
      [inside('goto *s;'), 'line 2: expected a name, received `*`'],
      [inside('va_arg(n, int (*)(void));'), 'line 2: not allowed: a pointer to a function'],
    ],
    passes: [
      'int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }\nvoid f(int *a, int n) { qsort(a, n, sizeof *a, order); bsearch(a, a, n, 4, &order); }\n',
      inside('qsort((void *)s, n, sizeof(char *), strcmp);'),
      inside('int (*rows)[3] = 0, *(*grid)[2] = 0; n = (*rows)[1] + (n) * (3);'),
      'int (*f(int (*a)[3]))[3] { return a; }\nchar *g(void), *name;\nchar *g(void) { return name; }\n',
      inside('x: if (n++ < 3) goto x;'),
    ],
  },
  'declarations that read as calls, and calls that read as declarations': {
    refused: [
      [inside('typedef int exit; exit (n);'), 'line 2: not allowed: the type `exit` inside a function'],
      ['typedef int exit;\n', "line 1: not allowed: the type `exit`, which is a function's name"],
      ['typedef int T;\nvoid f(int n) { T (n); }\n', 'line 2: not allowed: a declared name between parentheses'],
      ['typedef int T;\nvoid f(int T) { }\n', "line 2: not allowed: `T`, which is a type, as another thing's name"],
      [inside('int m = 2; n * m;'), 'line 2: not allowed: `n * …` as a statement'],
      [inside('int nullptr = 5; if (p == nullptr) return -1;'), 'line 2: not allowed: `nullptr`'],
      [inside('int TRUE = 0; if (TRUE) return -1;'), 'line 2: not allowed: `TRUE` as anything but 1'],
      ['#define TRUE 0\n', 'line 1: not allowed: `TRUE` as anything but 1'],
      ['enum { TRUE, FALSE };\n', 'line 1: not allowed: `TRUE` as anything but 1'],
      ['typedef char size_t;\n', "line 1: not allowed: the type `size_t`, which is the library's"],
      [inside('enum { free };'), "line 2: not allowed: the constant `free`, which is a function's name"],
      ['typedef int T;\nvoid f(int n) { T(n) + 1; }\n', 'line 2: not allowed: a declared name between parentheses'],
      ['f(void) { return 0; }\n', 'line 1: expected a type, received `f`'],
      ['int f(a) int a; { return a; }\n', 'line 1: expected a type, received `a`'],
      [inside('if (n) {'), 'line 4: expected an expression, received the end'],
    ],
    passes: [
      'typedef unsigned long T;\ntypedef struct pair { T a, b; } pair;\nT f(T n, pair *p) { T *q = &p->a; return (T)(n) + *q; }\n',
      inside('int m = 2; m = n * m; *(&m) = 3;'),
      '#define TRUE 1\n#define FALSE 0\nint f(void) { return TRUE || FALSE; }\n',
      'typedef enum { FALSE, TRUE } boolean;\ntypedef unsigned int uint;\nuint f(boolean b) { return b == TRUE; }\n',
      'typedef enum { RED, GREEN = 5, BLUE, } color;\nint f(color c) { switch (c) { case RED: case BLUE: return 1; default: ; } return c; }\n',
    ],
  },
  'what grows out of proportion': {
    refused: [
      ['static char big[17 << 20];\n', 'line 1: not allowed: `big`: objects of more than 16777216 bytes'],
      ['char a[9 << 20];\nstatic char b[9 << 20];\n', 'line 2: not allowed: `b`: objects of more than'],
      [inside('static char a[9 << 20]; { static char b[9 << 20]; }'), 'line 2: not allowed: `b`: objects of more than'],
      [
        'struct s { char a[1 << 20]; struct { int b[1 << 20]; } c[5]; };\nstruct s x;\n',
        'line 2: not allowed: `x`: objects',
      ],
      ['typedef char row[1 << 20];\nrow rows[17];\n', 'line 2: not allowed: `rows`: objects of more than'],
      ['enum { MB = 1 << 20 };\nchar a[17 * MB];\n', 'line 2: not allowed: `a`: objects of more than'],
      ['int a[] = { [1 << 23] = 1 };\n', 'line 1: not allowed: `a`: objects of more than'],
      ['int *a = (int[1 << 23]){ 0 };\n', 'line 1: not allowed: `(type){…}`: objects of more than'],
      ['static char a[-1u];\n', 'line 1: not allowed: `a`, whose size cannot be told here'],
      ['static char a[1ul << 40];\n', 'line 1: not allowed: `a`, whose size cannot be told here'],
      ['static char a[(unsigned char)-1 << 24];\n', 'line 1: not allowed: `a`, whose size cannot be told here'],
      [inside('char a[300 << 20];'), 'line 2: not allowed: `a`: objects of more than 16777216 bytes'],
      [
        inside('int a[1 << 20] = { [0 ... (1 << 20) - 1] = 1 };'),
        'line 2: not allowed: ranges of initialisers for more than',
      ],
      [
        inside('struct { int b[1000]; } a[1000] = { [0 ... 999] = { { [0 ... 999] = 1 } } };'),
        'line 2: not allowed: ranges of initialisers for more than',
      ],
      [
        inside('int a[5] = { [n] = 1 };'),
        'line 2: not allowed: an index of an initialiser that is not a small constant',
      ],
      [inside('switch (n) { case 0 ... 1000000000: return 1; }'), 'line 2: not allowed: a range of cases'],
      [inside(`n = ${'('.repeat(300)}n${')'.repeat(300)};`), 'line 2: not allowed: nesting of more than 256 levels'],
      [
        inside(`n = ${'-'.repeat(1).concat(' ').repeat(300)}n;`),
        'line 2: not allowed: nesting of more than 256 levels',
      ],
      [inside(`${'{'.repeat(300)}${'}'.repeat(300)}`), 'line 2: not allowed: nesting of more than 256 levels'],
      [inside(`n = ${'n ? 1 : '.repeat(300)}0;`), 'line 2: not allowed: nesting of more than 256 levels'],
      [`int ${'*'.repeat(300)}p;\n`, 'line 1: not allowed: a type of too many parts'],
      [`int a${'[1]'.repeat(300)};\n`, 'line 1: not allowed: a type of too many parts'],
      [`int x = ${'{'.repeat(300)}1${'}'.repeat(300)};\n`, 'line 1: not allowed: nesting of more than 256 levels'],
      [inside('n++;'.repeat(6000)), 'line 2: not allowed: more than 16384 tokens'],
      [`// ${'x'.repeat(65536)}\n`, 'line 1: not allowed: more than 65536 bytes'],
    ],
    passes: [
      inside('static char big[5 << 20]; big[0] = 1;'),
      'char a[8 << 20];\nstatic char b[8 << 20];\n',
      'static struct node pool[1000];\nstatic char path[PATH_MAX + 1], line[BUFSIZ];\nstatic const char *const names[] = { "a", "b" };\n',
      'struct s { int n; char data[]; };\nenum { N = sizeof(struct s) * 4 };\nstatic long table[N][N] = { [0 ... 3] = { 1 }, [5][2] = 3 };\n',
      inside('char room[n + 1], (*rows)[n]; rows = 0; room[0] = n;'),
      inside(`switch (n) { case 'a' ... 'z': case -1: return 1; }`),
      inside(`${'if (n == 1) n = 2; else '.repeat(1000)}n = 3;`),
      inside(`n = ${'('.repeat(200)}n${')'.repeat(200)};`),
      inside(`n = ${Array.from({ length: 5000 }, () => 'n').join(' + ')};`),
      `// ${'x'.repeat(65000)}\n`,
    ],
  },
};

for (const [name, { refused, passes }] of Object.entries(rules)) {
  test(`refused: ${name}`, async () => {
    const found: [string, string][] = [];
    for (const [code, reason] of refused) {
      const received = await reasonOf(code);
      found.push([code.slice(0, 400), received.startsWith(reason) ? reason : received]);
    }
    expect(found).toEqual(refused.map(([code, reason]) => [code.slice(0, 400), reason]));
  });
  test(`a near miss passes: ${name}`, async () => {
    const found: [string, string][] = [];
    for (const code of passes) found.push([code.slice(0, 400), await reasonOf(code)]);
    expect(found).toEqual(passes.map((code) => [code.slice(0, 400), 'passes']));
  });
}

test('every reference answer of the family passes, secure or not', async () => {
  const refused: string[] = [];
  for (let i = 0; i < 2000; i++) {
    const prompt = familyPrompt((['train', 'validation', 'test'] as const)[i % 3] ?? 'test', 5, i);
    for (const answer of Object.values(referenceAnswers(prompt))) {
      const { code } = familyProgram({ prompt, answer: Buffer.from(answer) });
      const refusal = await refusalOf(code, about);
      if (refusal !== undefined) refused.push(`${refusal.reason}\n${answer}`);
    }
  }
  expect(refused).toEqual([]);
});

test('any text is answered, and a refusal names a line of it', async () => {
  const pieces = fc.constantFrom(
    ...'int char * ( ) [ ] { } ; , = "a" \'b\' 12 f g x # define A ( A \n \\\n /* */ // " \' struct enum typedef ... : ? case'.split(
      ' ',
    ),
    ...[
      'constructor',
      'toString',
      '__proto__',
      'hasOwnProperty',
      'valueOf',
      '\n#define ',
      '\n#include <stdio.h>\n',
      '\xff',
      '\0',
    ],
  );
  const text = fc.oneof(
    fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(' ')),
    fc.string({ unit: 'binary', maxLength: 200 }),
  );
  await fc.assert(
    fc.asyncProperty(text, async (code) => {
      const bytes = Buffer.from(code, 'latin1');
      const refusal = await refusalOf(bytes, about);
      if (refusal === undefined) return;
      expect(refusal.line).toBeGreaterThan(0);
      expect(refusal.line).toBeLessThanOrEqual(bytes.toString('latin1').split('\n').length);
      expect(refusal.reason).toMatch(new RegExp(`^line ${refusal.line}: [^\\n]+$`));
    }),
    { numRuns: 3000 },
  );
});

test('the document lists what may be used, name by name', () => {
  const document = readFileSync(new URL('../../docs/c-answers.md', import.meta.url), 'utf8');
  const rows = [...document.matchAll(/^\| `<(.*?)>` \| (.*?) \| (.*?) \|$/gm)].map(([, name, why, functions = '']) => ({
    name,
    why,
    functions: functions === '' ? [] : functions.split(' '),
  }));
  expect(rows).toEqual(
    headers.map(({ name, why, functions, macros = [] }) => ({ name, why, functions: [...functions, ...macros] })),
  );
});
