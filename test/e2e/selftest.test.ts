import { beforeAll, expect, test } from 'vitest';
import { buildCli, srcode } from '../support/cli.js';

beforeAll(buildCli);

test('selftest compares every kernel of the CPU and says so as a table and as JSON', async () => {
  const table = await srcode(['selftest']);
  expect([table.code, table.stderr]).toEqual([0, '']);
  const lines = table.stdout.trim().split('\n');
  expect(lines.pop()).toBe(`${lines.length} comparisons agree, 0 do not`);
  expect(lines.filter((line) => !line.startsWith('ok '))).toEqual([]);
  const json = await srcode(['selftest', '--json']);
  const rows = JSON.parse(json.stdout) as { ok: boolean }[];
  expect([json.code, rows.length, rows.every(({ ok }) => ok)]).toEqual([0, lines.length, true]);
});

test('selftest of a GPU that is not there is one message and exit code 1', async (context) => {
  const { code, stdout, stderr } = await srcode(['selftest', '--device', 'cuda:0']);
  context.skip(code === 0, 'there is a GPU');
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^error: .+/);
  expect(stderr).not.toMatch(/\n {4}at |unexpected error/);
});

test('selftest of an unknown device is bad usage', async () => {
  const { code, stderr } = await srcode(['selftest', '--device', 'tpu']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('"cuda:0"')]);
});
