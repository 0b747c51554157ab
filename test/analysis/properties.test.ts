import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type Analysis, analyze, loadEngine } from '../../src/analysis/analysis.js';
import { cases } from './cases.js';

beforeAll(loadEngine);

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
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 8 })), { maxLength: 30 });
  fc.assert(
    fc.property(
      fc.oneof(
        text.map((parts) => Buffer.from(parts.join(''))),
        fc.uint8Array({ maxLength: 300 }),
      ),
      (code) => {
        const { findings, spans } = analyze(code, { language: 'c' });
        for (const { span } of [...findings, ...spans]) {
          expect(span.start).toBeGreaterThanOrEqual(0);
          expect(span.end).toBeGreaterThan(span.start);
          expect(span.end).toBeLessThanOrEqual(code.length);
        }
      },
    ),
    { seed: 1, numRuns: 400 },
  );
});

test('a guard that is credited is missed: deleting it raises a finding', () => {
  let raised = 0;
  let deleted = 0;
  for (const { name, code } of cases) {
    // There the second guard takes over.
    if (name.startsWith('a guard twice')) continue;
    const whole = judge(code);
    for (const { span, obligation } of whole.spans) {
      const bytes = Buffer.from(code);
      const text = bytes.subarray(span.start, span.end).toString();
      if (!text.startsWith('if ')) continue;
      deleted++;
      const rest = Buffer.concat([
        bytes.subarray(0, span.start),
        Buffer.from(' '.repeat(text.length)),
        bytes.subarray(span.end),
      ]);
      const rule = obligation.split('@')[0];
      if (judge(rest).findings.some((finding) => finding.rule === rule)) raised++;
    }
  }
  expect(deleted).toBeGreaterThanOrEqual(10);
  expect(raised / deleted).toBeGreaterThanOrEqual(0.95);
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
