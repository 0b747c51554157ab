import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Comparison } from '../../src/report/data.js';
import { duration, interval, number, signed } from '../../src/report/format.js';
import { html } from '../../src/report/html.js';
import { ticks } from '../../src/report/line-chart.js';
import { renderReport, writeReport } from '../../src/report/report.js';
import { renderTable } from '../../src/report/terminal.js';
import { beside, headline, verdict } from '../../src/report/verdict.js';
import { printable } from '../../src/terminal.js';
import { reportData } from '../support/report-data.js';

function comparison(value: number, low: number, high: number, seeds = 1): Comparison {
  const covers = seeds > 1 ? 'prompts and seeds' : 'prompts';
  return { arm: 'TLR', control: 'same sum', metric: 'FS@1', difference: { value, low, high, n: 300, seeds, covers } };
}

test('the verdict says what the interval allows, and what it covers', () => {
  const ahead = comparison(0.08, 0.02, 0.14);
  expect(headline(ahead)).toBe('TLR is ahead of same sum by 8.0 points of FS@1.');
  expect(verdict(ahead)).toBe(
    'TLR minus same sum: +0.080 [0.020, 0.140], one seed: the interval covers prompts, not training randomness.',
  );
  expect(headline(comparison(-0.05, -0.09, -0.01))).toBe('TLR is behind same sum by 5.0 points of FS@1.');
  const open = comparison(0.03, -0.01, 0.07, 5);
  expect(headline(open)).toContain('do not tell TLR from same sum');
  expect(verdict(open)).toBe(
    'TLR minus same sum: +0.030 [−0.010, 0.070], 5 seeds: the interval covers prompts and training randomness.',
  );
  // An interval that ends at zero holds it.
  expect(headline(comparison(0, 0, 0))).toContain('holds zero');
});

test('no gain stands alone', () => {
  const arms = reportData.arms ?? [];
  expect(beside(comparison(0.08, 0.02, 0.14), arms)).toMatch(
    /^Beside it, with same sum in brackets: functional 0\.880 \(0\.900\), secure of valid .*, length 67 \(64\), KL 2\.7 \(1\.8\)\.$/,
  );
  expect(beside(comparison(0.08, 0.02, 0.14), [])).toBeUndefined();
});

test('numbers are written one way', () => {
  expect([number(0.4149), number(-0.0001), number(-1.25, 1), number(Number.NaN), number(null)]).toEqual([
    '0.415',
    '0.000',
    '−1.3',
    '–',
    '–',
  ]);
  expect([signed(0.08), signed(-0.08), signed(0.0001), signed(0)]).toEqual(['+0.080', '−0.080', '0.000', '0.000']);
  expect(interval({ value: 0.5, low: 0.4, high: 0.61, n: 9 })).toBe('[0.400, 0.610]');
  expect([duration(4.25), duration(48.4), duration(200)]).toEqual(['4.3 s', '48 s', '3 min 20 s']);
});

test('ticks are round and enclose the values', () => {
  expect(ticks(0, 1)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  expect(ticks(0, 67)).toEqual([0, 20, 40, 60, 80]);
  expect(ticks(0, 0)).toEqual([0, 0.25]);
  const [low, high] = [ticks(-0.13, 0.37)[0] as number, ticks(-0.13, 0.37).at(-1) as number];
  expect(low).toBeLessThanOrEqual(-0.13);
  expect(high).toBeGreaterThanOrEqual(0.37);
});

test('a template escapes what it is given, and shows what would deceive', () => {
  expect(html`<p title="${'"x" onload=y'}">${'<b>&'}${html`<i>${1}</i>`}${false}${['a', '<']}</p>`.markup).toBe(
    '<p title="&#34;x&#34; onload=y">&#60;b&#62;&#38;<i>1</i>a&#60;</p>',
  );
  expect(html`${'a\u202eb\0\x1b\r\n\t\u200b'}`.markup).toBe('a\\u{202e}b\\x00\\x1b\\x0d\n\t\\u{200b}');
});

test('the page is one small file that asks nobody for anything and runs one script', () => {
  const folder = mkdtempSync(join(tmpdir(), 'srcode-report-'));
  const file = writeReport(join(folder, 'run'), reportData);
  expect(file).toBe(join(folder, 'run', 'report.html'));
  expect(statSync(file).size).toBeLessThan(1_500_000);
  const page = readFileSync(file, 'utf8');
  expect(page.match(/<script/g)).toHaveLength(1);
  expect(page).not.toMatch(/(?:src|href)="(?!#)/);
  expect(page).not.toMatch(/@import|url\(|<img|<iframe|<object/);
  expect(page).toContain('default-src &#39;none&#39;;');
});

test('what was not measured is left out', () => {
  const page = renderReport({
    title: 'Nothing yet',
    gate: [],
    arms: [],
    curves: [],
    samples: [],
    limits: [],
    trials: [],
  });
  expect(page).toContain('<h1>Nothing yet</h1>');
  expect(page).not.toContain('<section');
  expect(renderReport({ ...reportData, samples: [] })).not.toContain('id="heat"');
  expect(renderReport(reportData).match(/<section/g)).toHaveLength(10);
});

test('a k below its gate is marked wherever it is shown', () => {
  const below = 'below its gate, not used as evidence';
  // In the table by k and in the gate's own one.
  expect(renderReport(reportData).split(below)).toHaveLength(3);
  const met = (reportData.gate ?? []).map((entry) => ({ ...entry, met: true }));
  expect(renderReport({ ...reportData, gate: met })).not.toContain(below);
});

test('an unequal tuning budget is called one', () => {
  expect(renderReport(reportData)).toContain('Each arm had 3 trials');
  const trials = reportData.trials?.slice(1) ?? [];
  expect(renderReport({ ...reportData, trials })).toContain('The arms had unequal numbers of trials');
});

test('samples beyond the size limit are left out and counted', () => {
  const many = Array.from({ length: 150 }, () => reportData.samples ?? []).flat();
  const page = renderReport({ ...reportData, samples: many });
  expect(Buffer.byteLength(page)).toBeLessThan(1_500_000);
  const [, shown] = /The first (\d+) of 1050 samples/.exec(page) ?? [];
  expect(page.match(/<figure class="sample"/g)).toHaveLength(Number(shown));
});

test('a sample whose numbers are not one a token is refused', () => {
  const [sample] = reportData.samples ?? [];
  if (sample === undefined) throw new Error('the fixture has samples');
  const samples = [{ ...sample, reward: sample.reward.slice(1) }];
  expect(() => renderReport({ title: 'x', samples })).toThrow(/expected (\d+) values of reward, one a token/);
});

test('the table for a terminal has intervals, gates and the verdict, and no colours without one', () => {
  const text = renderTable(reportData, false);
  const tlr = text.split('\n').find((line) => line.startsWith('TLR '));
  expect(tlr).toMatch(/^TLR +0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]/);
  expect(text).toContain('3 †');
  expect(text).toContain('† below its gate, not used as evidence');
  expect(text.trimEnd().endsWith('not training randomness.')).toBe(true);
  expect(text).not.toContain('\x1b');
  expect(printable(renderTable(reportData, true))).toContain('\x1b[1m');
  expect(renderTable({ title: 'Nothing yet' }, false)).toBe('');
});
