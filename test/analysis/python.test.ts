import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Analysis, analyze, loadEngine } from '../../src/analysis/analysis.js';
import { pythonRules } from '../../src/analysis/python/rules.js';
import { severityOf } from '../../src/analysis/severity.js';
import { expectInside } from '../support/analysis.js';
import { pythonCases } from './python-cases.js';

beforeAll(() => loadEngine(['python']));

const judge = (code: string | Uint8Array): Analysis => analyze(Buffer.from(code), { language: 'python' });
const text = (code: string, { start, end }: { start: number; end: number }): string =>
  Buffer.from(code).subarray(start, end).toString();

describe.each(pythonCases)('$name', ({ code, findings = [], spans = [] }) => {
  test('is judged as it should be', () => {
    const analysis = judge(code);
    expect(analysis.parseOk).toBe(true);
    expect(analysis.findings.map(({ rule, span }) => [rule, text(code, span)])).toEqual(findings);
    expect(analysis.spans.map(({ kind, span }) => [kind, text(code, span)])).toEqual(spans);
  });
});

const guarded = pythonCases.filter(({ spans = [] }) => spans.some(([, span]) => span.startsWith('if ')));

test.each(guarded)(
  'a guard that is credited is missed: deleting it raises a finding: $name',
  ({ name, code, spans = [] }) => {
    // There the second guard takes over.
    if (name.startsWith('a guard twice')) return;
    const [, guard] = spans.find(([, span]) => span.startsWith('if ')) as [string, string];
    expect(judge(code.replace(guard, 'pass')).findings.length).toBeGreaterThan(judge(code).findings.length);
  },
);

const counts = ({ findings, spans }: Analysis): string[] => [
  ...findings.map(({ rule }) => rule),
  ...spans.map(({ kind }) => kind),
];

test.each(pythonCases)('names, comments and white space change nothing: $name', ({ code }) => {
  const other = code
    .replaceAll('\n', '  # a note\n')
    .replace(/^( +)/gm, '$1$1')
    .replace(/\bname\b(?=[^a-z_]*)/g, (word, at: number) => (code.includes('name=') ? word : at >= 0 ? 'such' : word));
  expect(counts(judge(other))).toEqual(counts(judge(code)));
});

test.each([
  ['^[a-z]+$', true],
  ['^[\\w.-]+$', true],
  ['^\\d{4}-\\d\\d\\Z', true],
  ['^(on|off)$', true],
  ['[a-z]+', false],
  ['^[a-z]+', false],
  ['^[a-z]+.*$', false],
  ['^[^;]+$', false],
  ['^[\\s\\S]*$', false],
  ['^[a-z;|]+$', false],
  ['^\\S+$', false],
])('%s lets harmless text through alone: %s', (pattern, harmless) => {
  const code = `import os, re\ndef f(name):\n    if not re.match(r'${pattern}', name):\n        return\n    os.system(name)\n`;
  expect(judge(code).findings.length === 0).toBe(harmless);
});

test.each([
  'name == name',
  'name in [name, "a"]',
  'name in "a" + name',
  'len(name) < 20',
  'isinstance(name, str)',
  'name is not None',
  'name.startswith("ls")',
  'True or name in ALLOWED',
  'name in ALLOWED or name',
])('what says nothing of a text earns nothing: %s', (test) => {
  const analysis = judge(`import os\ndef f(name):\n    if not (${test}):\n        return\n    os.system(name)\n`);
  expect(analysis).toMatchObject({ findings: [{ rule: 'command' }], spans: [] });
});

test('what is cut off is read up to its last whole line', () => {
  const code = 'import os\ndef f(name):\n    os.system("ls " + name)\n    if name:\n        os.system("cat " + nam';
  expect(judge(code)).toMatchObject({ parseOk: false, findings: [{ rule: 'command' }] });
  expect(judge(code.slice(0, code.indexOf('\n        os')))).toMatchObject({ findings: [{ rule: 'command' }] });
});

test('what is said of any bytes lies inside them', () => {
  const pieces = pythonCases.flatMap(({ code }) => code.split(/(?<=[\n:()=.,])/));
  expectInside(judge, pieces, { maxPieces: 40, numRuns: 400 });
});

test('the documentation has the table of rules for Python', () => {
  const documented = readFileSync(new URL('../../docs/analysis.md', import.meta.url), 'utf8');
  const rows = [...pythonRules.values()].map(
    ({ id, cwe, finds, discharge, kind }) =>
      `| ${id} | ${cwe} | ${severityOf(cwe)} | ${finds} | ${discharge} | ${kind} |`,
  );
  expect(documented).toContain(`|---|---|---|---|---|---|\n${rows.join('\n')}\n`);
});

test('every rule for Python has a case that it finds', () => {
  const found = new Set(pythonCases.flatMap(({ findings = [] }) => findings.map(([rule]) => rule)));
  expect([...pythonRules.keys()].filter((rule) => !found.has(rule))).toEqual([]);
});
