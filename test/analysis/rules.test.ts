import { beforeAll, describe, expect, test } from 'vitest';
import { analyze, loadEngine } from '../../src/analysis/analysis.js';
import { cases } from './cases.js';
import { cppCases } from './cpp-cases.js';

beforeAll(() => loadEngine(['c', 'cpp']));

const text = (code: string, { start, end }: { start: number; end: number }): string =>
  Buffer.from(code).subarray(start, end).toString();

const all = [
  ...cases.map((one) => ({ ...one, language: 'c' as const })),
  ...cppCases.map((one) => ({ ...one, language: 'cpp' as const })),
];

describe.each(all)('$language: $name', ({ code, language, findings = [], spans = [] }) => {
  test('is judged as it should be', () => {
    const analysis = analyze(Buffer.from(code), { language });
    expect(analysis.findings.map(({ rule, span }) => [rule, text(code, span)])).toEqual(findings);
    expect(analysis.spans.map(({ kind, span }) => [kind, text(code, span)])).toEqual(spans);
  });
});
