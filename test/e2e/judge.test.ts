import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildCli, finished, srcode, start } from '../support/cli.js';
import { noIsolation } from '../support/sandbox.js';

const folder = mkdtempSync(join(tmpdir(), 'srcode-judge-'));
const file = join(folder, 'samples.jsonl');
const judged = noIsolation === undefined ? test : test.skip;
if (noIsolation !== undefined) test.skip(`no isolation here: ${noIsolation}`, () => {});

beforeAll(buildCli);
afterAll(() => rmSync(folder, { recursive: true }));

interface PromptRow {
  id: string;
  prompt: string;
  secure: string;
  insecure: string;
}

judged('prompts that were listed are judged from their ids alone, in the order of the rows', async () => {
  const listed = await srcode(['tasks', 'family', '--n', '6', '--seed', '9', '--split', 'test', '--json']);
  const prompts = JSON.parse(listed.stdout) as PromptRow[];
  const rows = [
    ...prompts.map(({ id, secure }) => ({ id, answer: secure })),
    ...prompts.map(({ id, insecure }) => ({ id, answer: insecure })),
    { id: prompts[0]?.id, answer: 'exit(0);\n}\n' },
    { id: prompts[0]?.id, answer: '' },
  ];
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  const scratch = mkdtempSync(join(folder, 'tmp-'));
  const { code, stdout, stderr } = await srcode(['judge', '--task', 'family', file, '--json'], {
    shell: `TMPDIR='${scratch}' exec`,
  });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(readdirSync(scratch)).toEqual([]);
  const judgements = JSON.parse(stdout) as Record<string, unknown>[];
  expect(judgements.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  expect(Object.keys(judgements[0] ?? {})).toEqual([
    ...['id', 'compiled', 'functional', 'secure', 'missing', 'findings', 'harness'],
  ]);
  expect(judgements.map(({ harness }) => harness)).toEqual(rows.map(() => 'ok'));
  expect(judgements.map(({ functional, secure }) => [functional, secure])).toEqual([
    ...prompts.map(() => [true, true]),
    ...prompts.map(() => [true, false]),
    ...[0, 1].map(() => [false, false]),
  ]);
  expect(judgements.at(-1)?.missing).not.toEqual([]);
});

test('rows that cannot be judged are named by file and line', async () => {
  const id = 'family-1-test-9-0';
  const bad = ['not JSON', '{"id":"family-1-test-9-0"}', `{"id":7,"answer":""}`, '{"id":"other-3","answer":""}'];
  writeFileSync(file, [JSON.stringify({ id, answer: '' }), ...bad].join('\n'));
  const { code, stdout, stderr } = await srcode(['judge', file]);
  expect([code, stdout]).toEqual([1, '']);
  for (const text of [
    `${file}:2: is not JSON`,
    `${file}:3: answer: is missing`,
    `${file}:4: id: is no string`,
    `${file}:5: id: Expected the id of a family prompt, like family-1-test-9-17`,
  ]) {
    expect(stderr).toContain(text);
  }
  const json = await srcode(['judge', file, '--json']);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'ERR_DATA' } });
});

test('without isolation nothing runs, unless --unsafe insists', async () => {
  writeFileSync(file, JSON.stringify({ id: 'family-1-test-9-0', answer: 'x' }));
  const bin = mkdtempSync(join(folder, 'bin-'));
  const hidden = await srcode(['judge', file], { shell: `PATH='${bin}' exec` });
  expect(hidden.code).toBe(1);
  expect(hidden.stderr).toMatch(/run only in isolation[\s\S]*bubblewrap: [\s\S]*unshare: [\s\S]*--unsafe/);
});

judged('Ctrl-C ends it, and every program with it', async () => {
  const row = { id: 'family-1-test-9-0', answer: '#include <unistd.h>\nint f(void) { return 0; }' };
  writeFileSync(file, Array.from({ length: 200 }, () => JSON.stringify(row)).join('\n'));
  const child = start(['judge', file]);
  const children = `/proc/${child.pid}/task/${child.pid}/children`;
  // Its first sandbox is there.
  while (readFileSync(children, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGINT');
  expect(await finished(child)).toMatchObject({ code: 130, stdout: '' });
});
