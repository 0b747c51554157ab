import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import yargs from 'yargs';
import { findGcc } from '../../src/analysis/external/gcc.js';
import { readSarif } from '../../src/analysis/external/sarif.js';
import { analyzeCommand } from '../../src/cli/analyze.js';
import { Sandbox } from '../../src/sandbox/index.js';
import { noIsolation } from '../support/sandbox.js';

const folder = mkdtempSync(join(tmpdir(), 'srcode-analyze-'));
mkdirSync(join(folder, 'code', 'sub dir'), { recursive: true });
writeFileSync(join(folder, 'code', 'sub dir', 'twice.c'), 'void twice(int *p) {\n  free(p);\n  free(p);\n}\n');
writeFileSync(join(folder, 'code', 'broken.c'), 'int broken( {\n');
writeFileSync(join(folder, 'code', 'snake.py'), 'import hashlib\ndef f(data):\n    return hashlib.md5(data)\n');
afterAll(() => rmSync(folder, { recursive: true }));

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

/** What `srcode analyze` prints, on both streams. */
async function analyze(...args: string[]): Promise<{ stdout: string; stderr: string; code: unknown }> {
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      printed[name] += text;
      return true;
    });
  }
  await yargs(['analyze', ...args])
    .command(analyzeCommand)
    .parseAsync();
  vi.restoreAllMocks();
  return { ...printed, code: process.exitCode };
}

const gcc = noIsolation === undefined ? await findGcc(await Sandbox.open()) : undefined;

describe.skipIf(gcc === undefined)(`with gcc ${gcc?.version ?? `(left out: ${noIsolation ?? 'not on PATH'})`}`, () => {
  test('its findings stand beside those of the engine, a weakness of a line once; what it cannot read is said', async () => {
    const cache = join(folder, 'cache');
    const run = () => analyze(join(folder, 'code'), '--with', 'gcc', '--cache', cache, '--json');
    const { stdout, code } = await run();
    const [broken, snake, twice, ...rest] = JSON.parse(stdout);
    expect(rest).toEqual([]);
    // Which gcc is not asked about.
    expect(snake).toEqual({
      file: join(folder, 'code', 'snake.py'),
      findings: expect.anything(),
      spans: [],
      parseOk: true,
    });
    expect(snake.findings).toMatchObject([{ cwe: 'CWE-327', line: 3 }]);
    expect(code).toBe(1);
    expect(broken).toMatchObject({
      findings: [],
      parseOk: false,
      failures: { gcc: expect.stringMatching(/^line 1: /) },
    });
    expect(Object.keys(twice)).toEqual(['file', 'findings', 'spans', 'parseOk']);
    const found = twice.findings.map(({ cwe, line }: { cwe: string; line: number }) => `${cwe} ${line}`);
    expect(found).toContain('CWE-415 3');
    expect(new Set(found).size).toBe(found.length);
    // From the folder, the second time: the engine on all, gcc on the one that compiles.
    expect(readdirSync(cache, { recursive: true }).filter((name) => `${name}`.endsWith('.json'))).toHaveLength(4);
    expect((await run()).stdout).toBe(stdout);
  });

  test('as SARIF: paths below the folder, and the same findings', async () => {
    const { stdout } = await analyze(join(folder, 'code'), '--with', 'gcc', '--sarif');
    const { results, files } = readSarif(stdout, 'stdout');
    expect(files).toEqual(['broken.c', 'snake.py', 'sub dir/twice.c']);
    const doubleFree = results.find(({ cwes }) => cwes.includes('CWE-415'));
    expect(doubleFree).toMatchObject({ file: 'sub dir/twice.c', region: { startLine: 3 }, severity: 'high' });
  });
});

test('--timings says on stderr what the time went into, and what the cache saved', async () => {
  const run = () => analyze(join(folder, 'code'), '--cache', join(folder, 'timed'), '--timings', '--json');
  const first = await run();
  expect(first.stderr).toMatch(/^[\d.]+ s: parse [\d.]+, walk [\d.]+, credit [\d.]+; cache: 0 known, 3 asked\n$/);
  const second = await run();
  expect(second.stderr).toMatch(/^[\d.]+ s; cache: 3 known, 0 asked\n$/);
  expect(second.stdout).toBe(first.stdout);
  expect((await analyze(join(folder, 'code'), '--json')).stderr).toBe('');
});

test('an analyser that there is not is bad usage', async () => {
  expect(await analyze(join(folder, 'code'), '--with', 'gcc,gdc')).toMatchObject({
    stderr: expect.stringContaining('no analyser is named gdc; there are gcc, clang, cppcheck, codeql, bandit'),
    code: 2,
  });
});
