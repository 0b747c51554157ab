import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Analysis, analyze, loadEngine } from '../../src/analysis/analysis.js';
import { type CNode, CParser } from '../../src/analysis/c/syntax.js';
import type { Span } from '../../src/teacher/teacher.js';
import { expectInside } from '../support/analysis.js';
import { cases } from './cases.js';

type Weaker = (root: CNode, text: string, span: Span) => { type: string; codes: string[] }[];
const { weaker } = (await import(join(import.meta.dirname, '../../scripts/analysis/weaker.mjs'))) as { weaker: Weaker };
const parser = await CParser.load();

beforeAll(() => loadEngine());

const findsMore = (mutant: Analysis, whole: Analysis): boolean =>
  mutant.findings.some(
    ({ rule }) =>
      mutant.findings.filter((finding) => finding.rule === rule).length >
      whole.findings.filter((finding) => finding.rule === rule).length,
  );

const judge = (code: string | Uint8Array): Analysis => analyze(Buffer.from(code), { language: 'c' });
const counts = ({ findings, spans }: Analysis): string[] => [
  ...findings.map(({ rule }) => rule).sort(),
  ...spans.map(({ kind }) => kind).sort(),
];

test.each(cases)('comments and white space change nothing: $name', ({ code }) => {
  const spread = code.replaceAll('; ', ';\n\t/* a note */  ').replaceAll('{ ', '{ // one\n');
  expect(counts(judge(spread))).toEqual(counts(judge(code)));
});

test.each(cases)('local names change nothing: $name', ({ code }) => {
  // Names of one letter; those of functions, types and what secrets are called stay.
  const renamed = code.replace(/(?<![\w"'%\\.>])([a-eg-z])(?=[^\w"'(%]|\s)(?!')/g, 'long_$1').replace(/%long_/g, '%');
  expect(counts(judge(renamed))).toEqual(counts(judge(code)));
});

test('what is said of any bytes lies inside them', () => {
  const pieces = cases.flatMap(({ code }) => code.split(/(?<=[;{}])/));
  expectInside(judge, pieces, { maxPieces: 30, numRuns: 400 });
});

test('a guard that is credited is missed: nearly every weaker form of it raises a finding', () => {
  let raised = 0;
  let weakened = 0;
  for (const { name, code } of cases) {
    // There a second guard takes over.
    if (/^(a guard twice|a double free, through)/.test(name)) continue;
    const whole = judge(code);
    const { root } = parser.parse(Buffer.from(code));
    for (const { span } of whole.spans) {
      for (const { codes } of weaker(root, code, span)) {
        weakened++;
        if (codes.some((mutant) => findsMore(judge(mutant), whole))) raised++;
      }
    }
  }
  expect(weakened).toBeGreaterThanOrEqual(60);
  expect(raised / weakened).toBeGreaterThanOrEqual(0.95);
});

test('code cut off at 95 % keeps three quarters of its credit', () => {
  const codes = cases.filter(({ spans = [] }) => spans.length > 0).map(({ code }) => code);
  // As one file, so that the cut takes the last functions alone.
  const file = codes
    .map((code, i) =>
      code.replace(/\b([a-z_]\w*)(?=\([^()]*\) \{)/g, (name) => (/^(if|for|while)$/.test(name) ? name : `${name}${i}`)),
    )
    .join('\n');
  const whole = judge(file).spans.length;
  expect(judge(file.slice(0, Math.floor(file.length * 0.95))).spans.length / whole).toBeGreaterThanOrEqual(0.75);
});
