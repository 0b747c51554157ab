import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { analyze, loadEngine } from '../../src/analysis/analysis.js';
import { asCompiled } from '../../src/analysis/c/as-compiled.js';

beforeAll(() => loadEngine(['c', 'cpp', 'python']));

const guard = 'if (i < 0 || i >= 4) return -1;';
const body = (text: string): string => `int f(int i) {\n  int a[4] = {0};\n${text}\n  return a[i];\n}\n`;

describe('a guard that is not compiled', () => {
  test.each([
    ['in #if 0', `#if 0\n${guard}\n#endif`],
    ['in #if !1, a mark as digraph, broken over lines', `%:i\\\nf /* \n */ !(1UL)\n${guard}\n#endif`],
    ['behind #else of #if 1', `#if 1\n#else\n${guard}\n#endif`],
    ['in #elif 0x0', `#if 0\n#elif 0x0\n${guard}\n#else\n#endif`],
    ['in an #if that is in one', `#if 0\n#if 1\n${guard}\n#else\n#endif\n${guard}\n#endif`],
    ['in a configuration', `#ifdef CHECKED\n${guard}\n#endif`],
    ['in the other configuration', `#ifndef FAST\n#elif defined SLOW\n${guard}\n#else\n${guard}\n#endif`],
    ['in a raw string', `  puts(R"("); ${guard} puts(")");`],
    ['in a raw string of lines', `  puts(R"x(\n"); ${guard} puts(")x");`],
    ['in a comment that goes on behind blanks', `  // \\ \t\n${guard}`],
    ['before assembly that writes', `${guard}\n  __asm__("addl $100, %0" : "+r"(i));`],
    ['before assembly that is given the address', `${guard}\n  asm volatile("incl (%0)" : : "r"(&i) : "memory");`],
  ])('keeps nothing away: %s', (_, text) => {
    const { findings, spans } = analyze(Buffer.from(body(text)), { language: 'c' });
    expect(findings.map(({ cwe }) => cwe)).toEqual(['CWE-125']);
    expect(spans).toEqual([]);
  });

  test.each([
    ['#if 1', `#if 1\n${guard}\n#else\n#endif`],
    ['#else of #if 0', `#if 0\n#else\n${guard}\n#endif`],
    ['all configurations', `#ifdef A\n${guard}\n#else\n${guard}\n#endif`],
    ['a line that a carriage return ends', `  // not behind this\r${guard}`],
    ['what is behind assembly', `  __asm__("addl $100, %0" : "+r"(i));\n${guard}`],
  ])('counts where it is compiled: %s', (_, text) => {
    expect(analyze(Buffer.from(body(text)), { language: 'c' }).findings).toEqual([]);
  });
});

test('a flaw counts wherever a compiler sees it', () => {
  const flaw = 'char b[4]; strcpy(b, "0123456789");';
  for (const text of [`// \r${flaw}`, `#if 1\n${flaw}\n#endif`, `#ifdef A\n${flaw}\n#endif`])
    for (const language of ['c', 'cpp'] as const) {
      const code = `void f(void) {\n${text}\n}\n`;
      expect(
        analyze(Buffer.from(code), { language }).findings.map(({ cwe, span }) => [
          cwe,
          code.slice(span.start, span.end),
        ]),
      ).toEqual([['CWE-120', expect.stringContaining('strcpy')]]);
    }
  const python = '# \rimport os\ndef f(name):\n    os.system("ls " + name)\n';
  expect(analyze(Buffer.from(python), { language: 'python' }).findings.map(({ cwe }) => cwe)).toEqual(['CWE-78']);
});

test('what is not compiled has no flaws', () => {
  const code = '#if 0\nvoid f(void) { char b[4]; strcpy(b, "0123456789"); }\n#endif\nint g(void) { return 1; }\n';
  expect(analyze(Buffer.from(code), { language: 'c' })).toMatchObject({ findings: [], parseOk: true });
});

test('every character stays where it was', () => {
  const unit = fc.constantFrom(
    ...['#if 0\n', '#endif\n', '#else\n', '#', 'a', '\n', '\r', '\\ \n', '/*', '*/', 'R"(', ')"', '"', 'é', '𝒙'],
  );
  fc.assert(
    fc.property(fc.string({ unit }), fc.constantFrom('c' as const, 'cpp' as const), (text, language) => {
      const out = asCompiled(text, language);
      expect(out).toHaveLength(text.length);
      expect(asCompiled(out, language)).toBe(out);
    }),
  );
});

// In quadratic time these would not end before the test's time does.
test('long texts of one part are read', () => {
  for (const part of ['/**/', '#if 0\n', '#', '%:', '\\ ', 'R"(', '"', '/*', '#if 1\n#endif\n']) {
    const text = part.repeat(2 ** 19 / part.length);
    expect(asCompiled(text, 'c')).toHaveLength(text.length);
  }
});
