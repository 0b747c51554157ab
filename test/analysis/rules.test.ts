import { beforeAll, describe, expect, test } from 'vitest';
import { analyze, loadEngine } from '../../src/analysis/analysis.js';
import { cases } from './cases.js';

beforeAll(loadEngine);

const text = (code: string, { start, end }: { start: number; end: number }): string =>
  Buffer.from(code).subarray(start, end).toString();

describe.each(cases)('$name', ({ code, findings = [], spans = [] }) => {
  test('is judged as it should be', () => {
    const analysis = analyze(Buffer.from(code), { language: 'c' });
    expect(analysis.findings.map(({ rule, span }) => [rule, text(code, span)])).toEqual(findings);
    expect(analysis.spans.map(({ kind, span }) => [kind, text(code, span)])).toEqual(spans);
  });
});
