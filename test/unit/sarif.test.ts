import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { findingsOf, readSarif, type SarifResult, toSarif } from '../../src/analysis/external/sarif.js';
import { SourceLines } from '../../src/analysis/external/source-lines.js';
import type { Finding } from '../../src/teacher/teacher.js';
import { analyserFixture } from '../support/analysers.js';

// The schema of the standard's committee (release candidate 5 of 2.1.0), as Microsoft's test package ships it.
const shipped = dirname(createRequire(import.meta.url).resolve('@microsoft/jest-sarif/package.json'));
// zod takes `uri-reference` for `uri` and so would refuse relative paths.
const rules = readFileSync(join(shipped, 'lib/schemas/sarif-2.1.0-rtm.5.json'), 'utf8');
const schema = z.fromJSONSchema(
  JSON.parse(rules, (key, value) => (key === 'format' && value === 'uri-reference' ? undefined : value)),
);

const code = Buffer.from('int é;\nint f(char *p) { return p[9]; } // 𝒙 end\n\n');
const finding = (over: Partial<Finding> = {}): Finding => ({
  cwe: 'CWE-125',
  severity: 'high',
  span: { start: 8, end: 11 },
  rule: 'index',
  message: 'p has no 9',
  ...over,
});

test('lines and columns of a place are those that a hand counts, whatever the unit', () => {
  const lines = new SourceLines(code);
  const word = code.indexOf('end');
  // 𝒙 is four bytes, two units of UTF-16, one code point.
  expect(lines.region({ start: word, end: word + 3 })).toEqual({
    startLine: 2,
    startColumn: 38,
    endLine: 2,
    endColumn: 41,
  });
  for (const [unit, column] of [
    ['codePoints', 38],
    ['utf16', 39],
    ['bytes', 41],
  ] as const) {
    const span = { start: word, end: word + 3 };
    expect(lines.span({ startLine: 2, startColumn: column }, unit)).toEqual(span);
    expect(lines.span({ startLine: 2, startColumn: column, endColumn: column + 3 }, unit)).toEqual(span);
  }
});

test('regions outside the text give spans inside it, and never an empty one', () => {
  const anyLine = fc.integer({ min: 1, max: 9 });
  const region = fc.record({
    startLine: anyLine,
    startColumn: fc.integer({ min: 1, max: 60 }),
    endLine: fc.option(anyLine, { nil: undefined }),
    endColumn: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
  });
  const bytes = fc.oneof(fc.constant(code), fc.uint8Array({ minLength: 1, maxLength: 40 }));
  fc.assert(
    fc.property(bytes, region, fc.constantFrom('bytes', 'codePoints', 'utf16'), (text, at, unit) => {
      const { start, end } = new SourceLines(text).span(at, unit as 'bytes');
      expect(start).toBeGreaterThanOrEqual(0);
      expect(end).toBeGreaterThan(start);
      expect(end).toBeLessThanOrEqual(text.length);
    }),
  );
});

test('what is written is valid by the schema of SARIF 2.1.0, and the schema would say if it were not', () => {
  const log = toSarif([
    { file: 'a dir/é.c', code, findings: [finding(), finding({ rule: 'null', cwe: 'CWE-476', severity: 'medium' })] },
    { file: 'clean.c', code, findings: [] },
  ]) as { runs: { results: object[] }[] };
  expect(schema.safeParse(log).error?.issues ?? []).toEqual([]);
  expect(schema.safeParse(toSarif([])).success).toBe(true);
  const result = log.runs[0]?.results[0];
  for (const wrong of [{ level: 'high' }, { message: {}, locations: 1 }, { span: 3 }]) {
    const bad = { ...log, runs: [{ ...log.runs[0], results: [{ ...result, ...wrong }] }] };
    expect(schema.safeParse(bad).success).toBe(false);
  }
});

test('what is written is read as what it was, spans of any text included', () => {
  const text = fc.array(fc.constantFrom('a', 'é', '𝒙', '\n', '\r\n', ' ', '('), { minLength: 1, maxLength: 30 });
  const ends = fc.tuple(fc.nat(30), fc.nat(30));
  const severity = fc.constantFrom('high', 'medium', 'low');
  const cwe = fc.constantFrom('CWE-20', 'CWE-787', 'CWE-1333');
  fc.assert(
    fc.property(text, ends, severity, cwe, severity, (parts, [x, y], first, weakness, second) => {
      const [from, to] = [x % parts.length, y % parts.length].sort((a, b) => a - b) as [number, number];
      const length = (count: number): number => Buffer.byteLength(parts.slice(0, count).join(''));
      const span = { start: length(from), end: length(to + 1) };
      const bytes = Buffer.from(parts.join(''));
      const found = [
        finding({ span, severity: first as 'low', cwe: weakness as 'CWE-20' }),
        finding({ span, severity: second as 'low' }),
      ];
      const { results } = readSarif(JSON.stringify(toSarif([{ file: 'x/ü%.c', code: bytes, findings: found }])), 'x');
      expect(results.map(({ file }) => file)).toEqual(['x/ü%.c', 'x/ü%.c']);
      const expected = found.map((one) => ({ ...one, rule: `srcode/${one.rule}` }));
      expect(findingsOf(results, bytes, 'srcode')).toEqual(expected);
    }),
  );
});

test('rules are found with the driver and with its extensions; left-out fields have their defaults', () => {
  const log = readSarif(analyserFixture('documented-form.codeql.sarif'), 'codeql');
  const source = Buffer.from('void f(char *s)\n{ b[0]; strcpy(b, s);\nprintf(s); }\n');
  expect(log.files).toEqual(['s000000.c', 'dir one/s000001.c']);
  expect(log.failures).toEqual(['s000002.c could not be processed']);
  expect(log.results.map(({ file, rule, severity, cwes }) => [file, rule, severity, cwes])).toEqual([
    ['s000000.c', 'cpp/unbounded-write', 'high', ['CWE-120', 'CWE-787', 'CWE-805']],
    ['dir one/s000001.c', 'cpp/tainted-format-string', 'medium', ['CWE-134']],
    ['s000000.c', 'cpp/no-score', 'low', ['CWE-22']],
  ]);
  const spans = findingsOf(log.results, source, 'codeql').map(({ span }) => `${source.subarray(span.start, span.end)}`);
  expect(spans).toEqual(['strcpy', 'printf', 'void f(char *s)\n{ b[0]; strcpy(b, s);\np']);
});

test('a line 0 is no line: an end that has one is left out, and so is a result that begins there', () => {
  const result = (startLine: number) => ({
    message: { text: 'x' },
    locations: [
      { physicalLocation: { artifactLocation: { uri: 'a.c' }, region: { startLine, startColumn: 5, endLine: 0 } } },
    ],
  });
  const log = { version: '2.1.0', runs: [{ tool: { driver: { name: 'x' } }, results: [result(2), result(0)] }] };
  const { results } = readSarif(JSON.stringify(log), 'x');
  expect(results).toHaveLength(1);
  expect(new SourceLines(code).span((results[0] as SarifResult).region, 'utf16')).toEqual({ start: 12, end: 13 });
});

test('what is no SARIF is refused with its place', () => {
  expect(() => readSarif('{', 'out.sarif')).toThrow(/out\.sarif is not JSON/);
  expect(() => readSarif('{"version": "2.0.0", "runs": []}', 'out.sarif')).toThrow(
    /out\.sarif is not a SARIF 2\.1\.0 log:\n {2}version/,
  );
  const bad =
    '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"message": {}, "locations": 3}]}]}';
  expect(() => readSarif(bad, 'out.sarif')).toThrow(/runs\.0\.results\.0\.locations/);
});
