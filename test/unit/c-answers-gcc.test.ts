import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { allowedHeaders, libraryFunctions, linkSymbols, refusalOf } from '../../src/tasks/c-answers/index.js';
import { tokensOf } from '../../src/tasks/c-answers/lexer.js';
import { librarySymbols } from '../../src/tasks/c-answers/library-symbols.js';
import { preprocessed } from '../../src/tasks/c-answers/macros.js';
import { calledMacros, libraryTypes, libraryValues } from '../../src/tasks/c-answers/names.js';

// What the compiler on this machine says of the same texts.
const compiled = spawnSync('gcc', ['--version']).status === 0 ? test : test.skip;
const slow = process.env.SRCODE_SLOW === '1';
const folder = mkdtempSync(join(tmpdir(), 'srcode-c-answers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const language = ['-std=c17', '-D_GNU_SOURCE', '-fno-builtin', '-w'];
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
const includes = allowedHeaders.map((header) => `#include <${header}>\n`).join('');

function gcc(
  args: readonly string[],
  files: Readonly<Record<string, string>>,
): { status: number | null; errors: string } {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, 'latin1');
  const { status, stderr } = spawnSync('gcc', args, { cwd: folder, encoding: 'utf8' });
  return { status, errors: stderr };
}

const output = (program: string, args: readonly string[], input = ''): string =>
  spawnSync(program, args, { cwd: folder, encoding: 'utf8', input, maxBuffer: 2 ** 28 }).stdout;

const reasonOf = async (code: string): Promise<string> =>
  (await refusalOf(Buffer.from(code, 'latin1'), {}))?.reason ?? '';

/** Names with what they stand for, of the headers' macros that are not reserved. */
function headerMacros(): { name: string; parameters: string; body: string }[] {
  const defined = output('gcc', [...language, ...sanitizers, '-E', '-dM', '-'], includes);
  return [...defined.matchAll(/^#define ([A-Za-z]\w*)(\(.*?\))? ?(.*)$/gm)].map(
    ([, name = '', parameters = '', body = '']) => ({ name, parameters, body }),
  );
}

/** A program that uses all that is allowed. */
const everything = `${includes}
static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
void *functions[] = { ${libraryFunctions.map((name) => `(void *)${name}`).join(', ')} };
int uses(double d, float x, long double l, int n, char *s, ...) {
  va_list list, copy;
  va_start(list, s); va_copy(copy, list); n += va_arg(list, int); va_end(copy); va_end(list);
  int a[2] = { 2, 1 };
  qsort(a, 2, sizeof *a, order);
  assert(n > 0);
  fputs(s, stdout); fputs(s, stderr); n += fgetc(stdin) + errno;
  ${['d', 'x', 'l'].map((v) => ['isnan', 'isinf', 'isfinite', 'isnormal', 'signbit', 'fpclassify'].map((name) => `n += ${name}(${v});`).join(' ')).join('\n')}
  ${libraryFunctions
    .filter((name) => /^(is|to)(?!ascii)[a-z]+$/.test(name))
    .map((name) => `n += ${name}(s[0]);`)
    .join(' ')}
  scanf("%d", &n); fscanf(stdin, "%d", &n); sscanf(s, "%d", &n);
  n += strtol(s, 0, 10) + strtoul(s, 0, 10) + strtoll(s, 0, 0) + strtoull(s, 0, 0) + strtoimax(s, 0, 0) + strtoumax(s, 0, 0);
  return n;
}
`;

compiled('a program that uses all that is allowed refers to the listed symbols and the sanitizers alone', () => {
  expect(
    gcc([...language, ...sanitizers, '-Werror=implicit', '-fPIC', '-c', 'all.c', '-o', 'all.o'], {
      'all.c': everything,
    }),
  ).toEqual({
    status: 0,
    errors: '',
  });
  const undefinedOnes = [...output('nm', ['-u', 'all.o']).matchAll(/U (\S+)/g)].map(([, name = '']) => name);
  const allowed = new Set([...libraryFunctions, ...linkSymbols]);
  expect(undefinedOnes.filter((name) => !allowed.has(name) && !/^__(?:asan|ubsan)_|^_GLOBAL_/.test(name))).toEqual([]);
  expect(
    libraryFunctions.filter((name) => !undefinedOnes.some((one) => one.replace(/^__isoc\d+_/, '') === name)),
  ).toEqual([]);
});

compiled(
  'against a library of exactly these symbols such a program links, and one that reaches beyond does not',
  () => {
    const stub = [...new Set([...libraryFunctions, ...linkSymbols])].map((name) => `void ${name}(void) {}\n`).join('');
    const beyond = 'int getpid(void);\nint f(void) { return getpid(); }\n';
    expect(
      gcc([...language, '-fPIC', '-shared', '-nostdlib', 'stub.c', '-o', 'libstub.so'], { 'stub.c': stub }).status,
    ).toBe(0);
    const link = (name: string, code: string) =>
      gcc([...language, '-fPIC', '-shared', '-nostdlib', '-Wl,-z,defs', name, 'libstub.so', '-o', 'row.so'], {
        [name]: code,
      });
    expect(link('all.c', everything)).toEqual({ status: 0, errors: '' });
    expect(link('beyond.c', beyond).errors).toMatch(/undefined reference to `getpid'/);
  },
);

compiled('no macro of the headers changes how an answer reads', async () => {
  const macros = headerMacros();
  const wrong: string[] = [];
  for (const type of ['int', 'size_t', 'long', 'char *', 'int *', 'double']) {
    const open: string[] = [];
    for (const { name } of macros) {
      const code = `void f_${name}(void) { ${type} ${name}; }\n`;
      if ((await reasonOf(code)) === '') open.push(code);
    }
    // What may be declared by its name is a constant to the compiler, and no declaration.
    const { errors } = gcc([...language, '-fsyntax-only', '-fmax-errors=0', 'open.c'], {
      'open.c': includes + open.join(''),
    });
    const failing = new Set([...errors.matchAll(/^open\.c:(\d+):\d+: error/gm)].map(([, line]) => Number(line)));
    wrong.push(...open.filter((_, i) => !failing.has(allowedHeaders.length + i + 1)));
  }
  // What a usable macro stands for are no names that an answer could define as macros.
  for (const { name, parameters, body } of macros) {
    if (!libraryValues.has(name) && !calledMacros.has(name) && !libraryFunctions.includes(name)) continue;
    for (const [word] of body.replace(/"[^"]*"/g, '').matchAll(/\b[A-Za-z]\w*/g)) {
      if (parameters.includes(word) || /^(?:void|int|unsigned|short|long|[uUlLfF]+)$/.test(word)) continue;
      if ((await reasonOf(`#define ${word} 1\n`)) === '')
        wrong.push(`${name} stands for ${word}, which may be defined`);
    }
  }
  expect(macros.length).toBeGreaterThan(500);
  expect(wrong).toEqual([]);
});

compiled('the listed values, types and called macros are there', () => {
  const values = [...libraryValues].filter((name) => !/^(?:PRI|SCN)/.test(name));
  const code = [
    includes,
    'void f(void) {',
    ...values.map((name) => `(void)(${name});`),
    ...[...libraryValues].filter((name) => /^(?:PRI|SCN)/.test(name)).map((name) => `(void)("" ${name});`),
    ...[...libraryTypes].map(([name, size]) => `_Static_assert(sizeof(${name}) <= ${size}, "${name}");`),
    '}\n',
    ...[...calledMacros].map((name) => `#ifndef ${name}\n#error ${name}\n#endif\n`),
  ].join('\n');
  expect(gcc([...language, '-fsyntax-only', 'values.c'], { 'values.c': code })).toEqual({ status: 0, errors: '' });
});

/** A sequence of numbers that is the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
}

compiled('macros are replaced as the compiler replaces them', () => {
  const random = numbers(7);
  const pick = (from: readonly string[]): string => from[random(from.length)] as string;
  const words = (count: number, from: readonly string[]): string =>
    Array.from({ length: count }, () => pick(from)).join(' ');
  const inBody = ['A', 'B', 'f(1)', 'f(a)', 'a', 'b', 'x', '+', 'g(a,b)', 'h()', '(a)', '1', 'g(1,2)'];
  const inText = [
    ...inBody,
    '(A,B)',
    'f(g(1,B))',
    '[x]',
    '"s"',
    ',',
    'f(f(x))',
    'g(f(1),(2,3))',
    '\n',
    'h(\n)',
    '/* c */',
    'f (3)',
    'g(,)',
    'v(1)',
    'v(1,2,A)',
    'f()',
  ];
  const programs: { code: string; tokens: string }[] = [];
  while (programs.length < (slow ? 5000 : 100)) {
    const code = ['A', 'B', 'f(a)', 'g(a,b)', 'h()', 'v(a, ...)']
      .filter(() => random(3) > 0)
      .map((head) => `#define ${head} ${words(random(5), [...inBody, ...(head[0] === 'v' ? ['__VA_ARGS__'] : [])])}\n`)
      .concat(words(random(14), inText), '\n')
      .join('');
    try {
      const tokens = preprocessed(tokensOf(code), {});
      programs.push({ code, tokens: tokens.map(({ text }) => text).join(' ') });
    } catch {
      // Refused.
    }
  }
  const differing = programs.filter(({ code, tokens }) => {
    const theirs = output('gcc', ['-std=c17', '-E', '-P', '-'], code);
    return (
      tokensOf(theirs)
        .map(({ text }) => text)
        .join(' ') !== tokens
    );
  });
  expect(differing).toEqual([]);
});

/** Parts that an answer must not get in anywhere, and parts that change what others mean. */
const hostile = [
  ...[
    'int kill(int,int);',
    'int x9, fork(void);',
    'typedef int F(int);',
    'F *q;',
    '(*q)(1)',
    'int (*fp)(int);',
    'fp(1);',
    'fork();',
  ],
  ...[
    '((void(*)(void))0x1000)();',
    '\nputs(R"(")");\n',
    '\\\n',
    '??/\n',
    '\n#define D fork\n',
    'D();',
    '\n#define M(x) x()\n',
    'M(fork);',
  ],
  ...[
    '__attribute__((constructor))',
    'asm("nop");',
    'write(1,"x",1);',
    'int write;',
    '(puts)("x");',
    'puts;',
    '&puts',
    'goto *q;',
    '&&lab',
  ],
  ...[
    '({1;})',
    '[[gnu::x]]',
    '/*',
    '*/',
    '//',
    '"',
    "'",
    '\n#define if(\n',
    'extern int environ;',
    'typedef int puts;',
    'qsort(0,0,0,fork);',
  ],
  ...[
    'qsort(0,0,0,(void*)1);',
    'struct s{int(*f)(void);}t;',
    't.f();',
    '{',
    '}',
    '(',
    ')',
    ';',
    ',',
    '*',
    'int',
    'typedef',
    'static',
    'return',
  ],
  ...[
    'long (*g(void))(int);',
    'auto int h(int);',
    'environ',
    'int errno;',
    '<%',
    'enum{fork};',
    'fork:',
    'void *v = fork;',
    'v();',
    '1?fork:0',
  ],
  ...[
    'sizeof(int(*)(void))',
    '_Generic(1,int:fork)()',
    'int f(int g(int)){return g(1);}',
    'int (fork)(void);',
    'alloca(4);',
    '\\u0041',
  ],
];

const honest = [
  'typedef struct list { struct list *next; char name[16]; } list;\nstatic int count(const list *l) { int n = 0; for (; l; l = l->next) n++; return n; }\nint order(const void *a, const void *b) { return strcmp(a, b); }\nint f(list *l, int n, const char *s) {\n  char rows[4][16] = { "b", "a" };\n  if (n < 0 || count(l) > n) goto bad;\n  qsort(rows, 4, 16, order);\n  switch (n) { case 1: puts(s); break; case 2 ... 4: printf("%s", rows[n - 1]); default: break; }\n  return (int)strlen(s) + isalpha(s[0]);\nbad:\n  return -1;\n}\n',
  '#define MAX(a, b) ((a) > (b) ? (a) : (b))\n#define CHECK(c) do { if (!(c)) return -1; } while (0)\nint f(int *a, int n, char **out) {\n  CHECK(n > 0 && n < 100);\n  int best = a[0];\n  for (int i = 1; i < n; i++) best = MAX(best, a[i]);\n  *out = malloc(n);\n  CHECK(*out != NULL);\n  memset(*out, 0, n);\n  FILE *file = fopen("x", "r");\n  if (file) { fclose(file); }\n  return best;\n}\n',
];

compiled(
  'mutated by hostile parts, what passes and compiles refers to nothing else and calls by name',
  async () => {
    const random = numbers(3);
    let compiledOnes = 0;
    const wrong: string[] = [];
    const allowed = new Set([...libraryFunctions, ...linkSymbols]);
    for (let i = 0; i < (slow ? 60_000 : 1000); i++) {
      const parts = (honest[random(honest.length)] as string).match(/\s+|\w+|[^\w\s]/g) as string[];
      for (let k = random(3); k >= 0; k--) {
        const at = random(parts.length);
        if (random(3) === 0) parts.splice(at, 1 + random(3));
        else parts.splice(at, 0, ` ${hostile[random(hostile.length)]} `);
      }
      const code = parts.join('');
      if ((await reasonOf(code)) !== '') continue;
      const flags = [...language, '-Werror=implicit-function-declaration', '-O0', '-c', 'one.c', '-o', 'one.o'];
      if (gcc(flags, { 'one.c': includes + code }).status !== 0) continue;
      compiledOnes++;
      const symbols = [...output('nm', ['one.o']).matchAll(/ ([A-Za-z]) (\S+)$/gm)].map(([, kind = '', name = '']) => ({
        kind,
        name,
      }));
      const foreign = symbols.filter(({ kind, name }) =>
        kind === 'U' ? !allowed.has(name) : librarySymbols.has(name),
      );
      const assembly = output('objdump', ['-d', '-h', 'one.o']);
      if (foreign.length > 0 || /call\s+\*|init_array|ctors/.test(assembly)) wrong.push(code);
    }
    expect(wrong).toEqual([]);
    expect(compiledOnes).toBeGreaterThan(20);
  },
  1_800_000,
);
