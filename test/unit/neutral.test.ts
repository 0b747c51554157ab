import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Language, SourceCode } from '../../src/analysis/analyser.js';
import { openCppcheck } from '../../src/analysis/external/cppcheck.js';
import { openGcc } from '../../src/analysis/external/gcc.js';
import { neutral } from '../../src/analysis/external/neutral.js';
import { SourceLines } from '../../src/analysis/external/source-lines.js';
import { Sandbox } from '../../src/sandbox/index.js';
import { noIsolation } from '../support/sandbox.js';

const seen = (text: string, language: Language = 'c'): string =>
  Buffer.from(neutral(Buffer.from(text, 'latin1'), language)).toString('latin1');
const words = (text: string): string =>
  seen(text)
    .replace(/[ \t]+/g, ' ')
    .trim();

describe('what tools see of a source', () => {
  test.each([
    '#line 1 "x"',
    '# 1 "x" 3',
    '%:line 7',
    '\t# \f line 7 "x"',
    '/* a */ # /* b */ line /* c */ 7',
    '#li\\\nne 7 "x"',
    '#\\\r\nline \\\n 7',
    '%\\\n:line 7',
    '#pragma GCC system_header',
    '#pragma GCC diagnostic ignored "-Wall"',
    '#pragma clang diagnostic ignored "-Wall"',
    '#pragma GCC optimize("O0")',
    '#pragma GCC poison malloc',
    '#undef suppress',
    '#define _Pragma(x) x',
    '#undef __clang_analyzer__',
  ])('has no %j', (directive) => {
    expect(
      seen(`int a;\n${directive}\nint b;`)
        .replace(/\/\*.*?\*\/|\\(?=\r?\n)/g, '')
        .split(/\s+/),
    ).toEqual('int a; int b;'.split(' '));
  });

  test.each([
    ['"stdio.h"', '<stdio.h>'],
    ['<sys/stat.h>', '<sys/stat.h>'],
    ['"source1.c"', '<source1.c>'],
    ['"../a.h"', '<___a_h>'],
    ['<../../../w/a.c>', '<_________w_a_c>'],
    ['</proc/self/environ>', '<_proc_self_environ>'],
    ['"/dev/stdin"', '<_dev_stdin>'],
    ['</*>', '<__>'],
    ['THERE', ''],
    ['__BASE_FILE__', ''],
  ])('includes %s as %s', (header, is) => {
    expect(words(`#include ${header}\n`)).toBe(`#include ${is}`.trim());
    expect(words(`%: /**/ include_next/**/${header}\nx`).replace(/\/\*\*\//g, ' ')).toContain(is);
  });

  test('asks for no other file', () => {
    expect(words('#if __has_include("a.c") && __has_include_next </etc/passwd> || \'a\' == "x"')).toBe(
      '#if __has_include(<a.c>) && __has_include_next <_etc_passwd> || \'a\' == "x"',
    );
  });

  test.each([
    '"\n"; // #line 1\nint f(void) { return 1; } /* \n#line 2\n */',
    '#define S(x) #x\n#define P(line) # line\n#pragma pack(1)\n#pragma once\n',
    'char *s = "#line 3\\\n#line 4";\n#if 1\n#error don\'t /* \n#endif\n',
    '#define suppressed 1\n#undef NDEBUG\n',
  ])('keeps %j', (text) => {
    expect(seen(text)).toBe(text);
  });

  test('reads raw strings, and shows them as strings that every tool knows', () => {
    expect(seen('puts(R"("); g(); puts(")");\n')).toBe('puts("_); g(); puts(_"   );\n');
    expect(seen('puts(R"x(\n#line 5\n)x");\n#line 6\n', 'cpp')).toBe('puts(R"x(\n#line 5\n)x");\n       \n');
  });

  test('ends lines where compilers do', () => {
    expect(seen('// a\rb; // c \\ \t\nd\0e')).toBe('// a\nb; // c  \t\\\nd e');
    expect(seen('# a\rb\n', 'python')).toBe('# a\nb\n');
  });

  test('has no word that silences tools', () => {
    expect(seen('f(); // NOLINT cppcheck-suppress all')).toBe('f(); // _OLINT cppcheck-_uppress all');
    expect(seen('f() # nosec B101\nsection = 1  #NOQA', 'python')).toBe('f() # _osec B101\nsection = 1  #_OQA');
  });

  test('keeps every byte where it was, of whatever text', () => {
    const unit = fc.constantFrom(
      ...['#', 'line', ' ', '\n', '\\\n', '/*', '*/', '"', "'", 'R"(', ')"', '\r', 'include', '<'],
    );
    fc.assert(
      fc.property(fc.string({ unit }), fc.constantFrom('c' as const, 'cpp' as const), (text, language) => {
        const out = seen(text, language);
        expect(out).toHaveLength(text.length);
        for (const [i, char] of [...text].entries()) if (char === '\n') expect(out[i]).toBe('\n');
        expect(seen(out, language)).toBe(out);
      }),
    );
  });

  test('is read in time that grows with its length', () => {
    const began = performance.now();
    for (const part of ['/**/', '#/*\n', '/*\n', '\\\n', '"', 'R"(', "'", '#line 1\n', '\\ ', '# '])
      seen(part.repeat(2 ** 20 / part.length));
    expect(performance.now() - began).toBeLessThan(8000);
  });
});

const sandbox = noIsolation === undefined ? await Sandbox.open() : undefined;
const gcc = sandbox && (await openGcc(sandbox));
const cppcheck = sandbox && (await openCppcheck(sandbox));

/** What hides the flaw of a function, or gives one to a neighbour. */
const flaw = 'void go(void) {\n  char b[4];\n  strcpy(b, "0123456789");\n  puts(b);\n}\n';
const hostile = {
  line: `#line 1 "other.c"\n${flaw}`,
  marker: `# 1 "/usr/include/x.h" 1 3\n${flaw}`,
  digraph: `%: /* */ li\\\nne 1 "other.c"\n${flaw}`,
  header: `#pragma GCC system_header\n${flaw}`,
  pragma: `#pragma GCC diagnostic ignored "-Wall"\n#pragma GCC diagnostic ignored "-Wstringop-overflow"\n${flaw}`,
  operator: `_Pragma("GCC diagnostic ignored \\"-Wstringop-overflow\\"")\n${flaw}`,
  pasted: `#define P(a, b) a##b\n#undef _Pragma\nP(_Pra, gma)("GCC diagnostic ignored \\"-Wstringop-overflow\\"")\n${flaw}`,
  comment: `// cppcheck-suppress-file *\n/* NOLINT */ ${flaw}`,
  returns: `// \r#line 1 "other.c"\r${flaw}`,
};

describe.skipIf(gcc === undefined || cppcheck === undefined)('sources that would hide their flaws', () => {
  const sources = Object.values(hostile).map((text): SourceCode => ({ code: Buffer.from(text), language: 'c' }));
  const lineOf = ({ code }: SourceCode): number => new SourceLines(code).lineOf(Buffer.from(code).indexOf('strcpy'));

  test.each([
    ['gcc', () => gcc, 'CWE-119'],
    ['cppcheck', () => cppcheck, 'CWE-788'],
  ])('hide nothing from %s', async (_, tool, cwe) => {
    const analyses = await (tool() as NonNullable<typeof gcc>).analyze(sources);
    const found = analyses.map(({ findings, failure }, i) => {
      const code = (sources[i] as SourceCode).code;
      return failure ?? findings.map((one) => `${one.cwe} ${new SourceLines(code).lineOf(one.span.start)}`);
    });
    expect(found).toEqual(sources.map((source) => [`${cwe} ${lineOf(source)}`]));
  });

  test.each([
    ['gcc', () => gcc],
    ['cppcheck', () => cppcheck],
  ])('put nothing on a neighbour, to %s', async (_, tool) => {
    const macro =
      '#define total(p, n) total(int *p, int n) { *(volatile int *)0 = 1; char z[2]; z[5] = 1; return 0; } int u_##p(int *p, int n)\n';
    const evil = [0, 1, 2].flatMap((i) =>
      ['c', 'h'].map(
        (end) => `#include <stdlib.h>\n${macro}#include "source${i}.${end}"\n#include "unit${i}.${end}"\n`,
      ),
    );
    const named = [0, 1].map((i) => `#line 2 "source${i}"\n${flaw}`);
    const good = 'int total(int *p, int n) {\n  int s = 0;\n  for (int i = 0; i < n; i++) s += p[i];\n  return s;\n}\n';
    const texts = [good, ...evil, ...named, good];
    const analyses = await (tool() as NonNullable<typeof gcc>).analyze(
      texts.map((text) => ({ code: Buffer.from(text), language: 'c' })),
    );
    for (const i of [0, texts.length - 1]) expect(analyses[i]).toEqual({ findings: [], failure: undefined });
  });

  test('swallow no neighbour in a raw string', async () => {
    const texts = ['char *a = R"x(" ")y";\n', flaw, 'char *b = R"z(" )x" ")z";\n', flaw];
    const analyses = await (gcc as NonNullable<typeof gcc>).analyze(
      texts.map((text) => ({ code: Buffer.from(text), language: 'c' })),
    );
    expect([1, 3].map((i) => analyses[i]?.findings.map(({ cwe }) => cwe))).toEqual([['CWE-119'], ['CWE-119']]);
  });
});
