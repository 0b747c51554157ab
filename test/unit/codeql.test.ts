import { chmodSync, constants, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { Analyser, Analysis, SourceCode } from '../../src/analysis/analyser.js';
import { findCodeql, openCodeql } from '../../src/analysis/external/codeql.js';
import { Sandbox } from '../../src/sandbox/index.js';

const sandbox = await Sandbox.open().catch((error: Error) => error.message);
const box = sandbox as Sandbox;
const folder = mkdtempSync(join(tmpdir(), 'srcode-test-codeql-'));
chmodSync(folder, 0o755);
afterAll(() => rmSync(folder, { recursive: true }));
// Beside the stand-in, as all of a distribution is: the sandbox has no other folder of ours.
const node = join(folder, 'node');
copyFileSync(process.execPath, node, constants.COPYFILE_FICLONE);

/**
 * A program that keeps to the documented command line of CodeQL: it refuses other arguments, "extracts" what has no `@`, and reports one
 * result where a source calls strcpy. It proves what is sent to the program and made of its answers, not what CodeQL would find.
 */
function standIn({
  version,
  fails = '',
  builds = '',
}: Record<'version', string> & Partial<Record<'fails' | 'builds', string>>): string {
  const path = join(folder, `codeql-${version}-${fails || 'works'}`);
  const script = `#!${node}
const fs = require('node:fs'), path = require('node:path');
const [verb, action, ...rest] = process.argv.slice(2);
if (action !== ${JSON.stringify(fails)}) console.error('asked ' + process.argv.slice(2).join(' '));
const option = (name) => rest.find((word) => word.startsWith('--' + name + '='))?.slice(name.length + 3);
const stop = (status, words) => { console.error(words); process.exit(status); };
if (verb === 'version') { console.log(JSON.stringify({ productName: 'CodeQL', version: ${JSON.stringify(version)} })); process.exit(0); }
if (verb !== 'database') stop(2, 'no such command');
if (action === ${JSON.stringify(fails)}) stop(2, 'A fatal error occurred: Out of memory');
const [db] = rest;
if (action === 'create') {
  if (!['c-cpp', 'python'].includes(option('language'))) stop(2, 'no such language');
  const root = option('source-root');
  if (option('command') !== undefined && !fs.existsSync(path.join(root, 'Makefile'))) stop(1, 'make: no makefile');
  if (${JSON.stringify(builds)} !== '') {
    const made = require('node:child_process').spawnSync('sh', ['-c', option('command')], { cwd: root, encoding: 'utf8' });
    let seen = 'read';
    try { fs.readFileSync(${JSON.stringify(builds)}); } catch (error) { seen = error.code; }
    const compiled = made.stdout.match(/(?<=gcc -w -c )\\S+/g) ?? [];
    const broken = made.stderr.match(/(?<=^make: \\[Makefile:\\d+: )\\S+(?=\\.o\\] Error)/gm) ?? [];
    console.error('asked built: gcc ' + compiled.filter((f) => !broken.includes(f)) + ', failed ' + broken + '; ' + ${JSON.stringify(builds)} + ' ' + seen);
  }
  const files = fs.readdirSync(root).filter((f) => f !== 'Makefile' && !fs.readFileSync(path.join(root, f), 'latin1').includes('@'));
  if (files.length === 0) stop(32, 'CodeQL detected code written in C/C++ but could not process any of it');
  fs.mkdirSync(db);
  fs.writeFileSync(path.join(db, 'files.json'), JSON.stringify(files.map((f) => [f, fs.readFileSync(path.join(root, f), 'latin1')])));
  // The archive of the sources: its central directory alone.
  const entries = files.map((f) => { const head = Buffer.alloc(46); head.write('PK\\x01\\x02', 'latin1'); const name = Buffer.from('tmp/src/' + f); head.writeUInt16LE(name.length, 28); return Buffer.concat([head, name]); });
  const end = Buffer.alloc(22); end.write('PK\\x05\\x06', 'latin1'); end.writeUInt16LE(entries.length, 10);
  fs.writeFileSync(path.join(db, 'src.zip'), Buffer.concat([...entries, end]));
} else if (action === 'analyze') {
  if (!rest.includes('--format=sarif-latest')) stop(2, 'which format?');
  const results = JSON.parse(fs.readFileSync(path.join(db, 'files.json'), 'utf8')).flatMap(([uri, text]) => {
    const line = text.split('\\n').findIndex((l) => l.includes('strcpy'));
    const region = { startLine: line + 1, startColumn: text.split('\\n')[line]?.indexOf('strcpy') + 1 };
    return line < 0 ? [] : [{ rule: { id: 'cpp/unbounded-write', index: 0, toolComponent: { index: 0 } }, ruleId: 'cpp/unbounded-write', message: { text: 'may overflow' },
      locations: [{ physicalLocation: { artifactLocation: { uri, uriBaseId: '%SRCROOT%' }, region } }] }];
  });
  const rule = { id: 'cpp/unbounded-write', properties: { tags: ['security', 'external/cwe/cwe-120'], 'security-severity': '9.3' } };
  fs.writeFileSync(option('output'), JSON.stringify({ version: '2.1.0', runs: [{ tool: { driver: { name: 'CodeQL' }, extensions: [{ name: 'codeql/cpp-queries', rules: [rule] }] }, results }] }));
} else stop(2, 'no such action');
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return path;
}

const c = (text: string): SourceCode => ({ code: Buffer.from(text), language: 'c' });
const sources: SourceCode[] = [
  c('int helper(int a) { return a; }\nvoid copy(char *to, char *from) {\n    strcpy(to, from);\n}\n'),
  c('int broken( @\n'),
  c('int fine(void) { return 1; }\n'),
  { code: Buffer.from('print(1)\n'), language: 'python' },
];

/** What a stand-in was asked while `work` ran: it says so itself, inside. */
async function asked(work: () => Promise<unknown>): Promise<string[]> {
  const run = vi.spyOn(box, 'run');
  await work();
  const results = await Promise.all(run.mock.results.map(({ value }) => value as ReturnType<Sandbox['run']>));
  run.mockRestore();
  return results.flatMap(({ channel }) => [...`${channel}`.matchAll(/^asked (.*)$/gm)].map(([, line = '']) => line));
}

describe.skipIf(typeof sandbox === 'string')('the command line', () => {
  test('many sources go into one database a language; results are led back to them, and what was not extracted is said', async () => {
    const command = standIn({ version: '2.23.3' });
    let analyses: Analysis[] = [];
    const lines = await asked(async () => {
      analyses = await ((await openCodeql(box, { command })) as Analyser).analyze(sources);
    });
    const { code } = sources[0] as SourceCode;
    const found = analyses[0]?.findings.map(({ span, ...rest }) => ({
      ...rest,
      text: `${code.subarray(span.start, span.end)}`,
    }));
    expect(found).toEqual([
      { cwe: 'CWE-120', severity: 'high', rule: 'codeql/cpp/unbounded-write', message: 'may overflow', text: 'strcpy' },
    ]);
    expect(analyses.map(({ failure }) => failure)).toEqual([
      undefined,
      'CodeQL could not extract it',
      undefined,
      undefined,
    ]);
    expect(analyses.slice(1).flatMap(({ findings }) => findings)).toEqual([]);
    const [create, analyze, createPython, analyzePython, ...more] = lines;
    expect(create).toMatch(
      /^database create \S+ --language=c-cpp --source-root=\S+ --build-mode=none --threads=0 --ram=4096 --overwrite$/,
    );
    expect(analyze).toMatch(
      /^database analyze \S+ codeql\/cpp-queries:codeql-suites\/cpp-security-extended\.qls --format=sarif-latest --output=\S+/,
    );
    expect(createPython).toMatch(/--language=python --source-root=\S+ --threads/);
    expect(analyzePython).toContain('python-security-extended.qls');
    expect(more).toEqual([]);
  });

  test('a version from before the build mode compiles; any list of queries may be asked for', async () => {
    const command = standIn({ version: '2.20.1' });
    const analyser = (await openCodeql(box, { command, queries: ['my.ql', 'codeql/cpp-queries'] })) as Analyser;
    const [create, analyze] = await asked(() => analyser.analyze(sources.slice(0, 1)));
    expect(create).toContain('--command=make --ignore-errors --jobs');
    expect(analyze).toMatch(/analyze \S+ my\.ql codeql\/cpp-queries --format/);
    expect(analyser.id).not.toBe(((await openCodeql(box, { command })) as Analyser).id);
  });

  test('sources of which none can be extracted have failed, the tool has not', async () => {
    const analyser = (await openCodeql(box, { command: standIn({ version: '2.23.4' }) })) as Analyser;
    expect(await analyser.analyze([c('@'), c('@@')])).toEqual(
      Array(2).fill({ findings: [], failure: 'CodeQL could not extract it' }),
    );
  });

  test('a tool that fails is an error in its own words', async () => {
    for (const fails of ['create', 'analyze']) {
      const analyser = (await openCodeql(box, { command: standIn({ version: '2.24.0', fails }) })) as Analyser;
      await expect(analyser.analyze(sources)).rejects.toThrow(
        `codeql database ${fails} failed (status 2): A fatal error occurred: Out of memory`,
      );
    }
  });

  test('its build compiles inside, where nothing else of ours can be read', async () => {
    // It runs the command of the build, as CodeQL does under its tracer, and says what could be seen of a file beside none of its own.
    const secret = join(mkdtempSync(join(tmpdir(), 'srcode-secret-')), 'key');
    writeFileSync(secret, 'a secret');
    const command = standIn({ version: '2.20.2', builds: secret });
    const compiled = c('int main(void) { return 0; }\n');
    const lines = await asked(async () =>
      ((await openCodeql(box, { command })) as Analyser).analyze([compiled, c('int f( @\n')]),
    );
    expect(lines[1]?.replace(/(?<=s00000\d)[0-9a-f]{16}/g, '')).toBe(
      `built: gcc s000000.c, failed s000001.c; ${secret} ENOENT`,
    );
    rmSync(dirname(secret), { recursive: true });
  });

  test('where it is not, there is no analyser', async () => {
    expect(await openCodeql(box, { command: join(folder, 'nothing') })).toBeUndefined();
  });
});

// The contract with the real tool: only here is it seen what CodeQL says.
const real = typeof sandbox === 'string' ? undefined : await findCodeql(sandbox);
describe.skipIf(real === undefined)(`codeql ${real?.version ?? '(not on PATH, so left out)'}`, () => {
  const flawed: Record<string, string> = {
    'CWE-120':
      'void f(char *s) { char b[8]; strcpy(b, s); puts(b); }\nint main(int n, char **v) { if (n > 1) f(v[1]); return 0; }',
    'CWE-134': 'int main(int n, char **v) { if (n > 1) printf(v[1]); return 0; }',
    'CWE-415': 'void f(int *p) { free(p); free(p); }',
    'CWE-416': 'int f(int *p) { free(p); return *p; }',
    'CWE-78': 'int main(int n, char **v) { char b[99]; snprintf(b, sizeof b, "ls %s", v[1]); return system(b); }',
  };
  test('flaws of five kinds are found, and a clean source is clean', { timeout: 1_200_000 }, async () => {
    const include = '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n';
    const all = [...Object.values(flawed), 'int f(int a) { return a; }'].map((text) => c(`${include}${text}\n`));
    const analyses = await ((await openCodeql(box)) as Analyser).analyze(all);
    const table = analyses.map(
      ({ findings, failure }) => failure ?? findings.map(({ cwe, rule }) => `${cwe} ${rule}`).join(', '),
    );
    console.log(table.join('\n'));
    expect(analyses.map(({ failure }) => failure)).toEqual(all.map(() => undefined));
    expect(analyses.map(({ findings }) => findings.length > 0)).toEqual([
      ...Object.keys(flawed).map(() => true),
      false,
    ]);
  });
});
