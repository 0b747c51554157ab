import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis.js';
import { buildCli, finished, root } from '../support/cli.js';
import { cases } from './cases.js';

const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
const seeds = join(folder, 'cases.jsonl');

beforeAll(() => {
  buildCli();
  writeFileSync(seeds, cases.map(({ code }) => `${JSON.stringify({ code })}\n`).join(''));
});
afterAll(() => rmSync(folder, { recursive: true }));

// In processes of its own: what hangs or crashes there is a failure here.
const fuzz = (...args: string[]) =>
  finished(spawn(process.execPath, [join(root, 'scripts', 'fuzz-analysis.mjs'), ...args, seeds], { cwd: root }));

test('inputs that once broke something are judged', { timeout: 300_000 }, async () => {
  const { code, stdout, stderr } = await fuzz('--corpus', join(import.meta.dirname, 'fuzz-corpus'), '--inputs', '0');
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toMatch(/^[1-9]\d inputs of the corpus, 0 failures$/m);
});

test.each(['c', 'cpp', 'python'])(
  'mutated code and random bytes break nothing: %s',
  { timeout: 300_000 },
  async (language) => {
    const args = ['--language', language, '--seed', '1', '--inputs', '150', '--seconds', '10'];
    const { code, stdout, stderr } = await fuzz(...args);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/^[1-9]\d* inputs .*; 0 distinct failures$/m);
  },
);

// The scripts are plain JavaScript.
type CheckVerdict = (code: Uint8Array, verdict: Analysis) => void;
type Minimise = (
  code: Buffer,
  fails: (code: Buffer) => Promise<boolean>,
  most: { probes: number; seconds: number },
) => Promise<Buffer>;

test('what must not be is noticed', async () => {
  const { checkVerdict } = (await import(join(root, 'scripts/fuzz/checks.mjs'))) as { checkVerdict: CheckVerdict };
  const code = Buffer.from('int é = 1;\n');
  const finding = (start: number, end: number, rule = 'overflow') =>
    ({ cwe: 'CWE-190', severity: 'medium', span: { start, end }, rule, message: 'too large' }) as const;
  const span = (obligation: string, kind: string) => ({ span: { start: 0, end: 3 }, kind, obligation });
  const verdict = (findings: Analysis['findings'], spans: Analysis['spans'] = []): Analysis => ({
    findings,
    spans,
    idle: [],
    parseOk: true,
  });
  expect(() => checkVerdict(code, verdict([finding(0, 12)], [span('overflow@4', 'overflow')]))).not.toThrow();
  for (const [wrong, why] of [
    [verdict([finding(0, 13)]), 'not inside the text'],
    [verdict([finding(3, 3)]), 'empty'],
    [verdict([finding(0, 5)]), 'cuts a character'],
    [verdict([finding(0, 3, 'no-rule')]), 'no rule'],
    [verdict([finding(6, 7), finding(0, 3)]), 'out of order'],
    [verdict([], [span('no-rule@4', 'overflow')]), 'no rule'],
    [verdict([], [span('overflow@4', 'bounds')]), 'kind'],
    [verdict([], [span('overflow@40', 'overflow')]), 'not inside the text'],
  ] as const) {
    expect(() => checkVerdict(code, wrong)).toThrow(why);
  }
});

test('what fails is made as small as it can be', async () => {
  const { minimise } = (await import(join(root, 'scripts/fuzz/minimise.mjs'))) as { minimise: Minimise };
  const code = Buffer.from(`${'int a;\n'.repeat(50)}free(p); \xff free(p);\n${'int b;\n'.repeat(50)}`, 'latin1');
  const twice = async (part: Buffer) => part.toString('latin1').split('free').length === 3;
  expect((await minimise(code, twice, { probes: 500, seconds: 60 })).toString('latin1')).toBe('freefree');
});
