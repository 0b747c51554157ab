import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { buildCli, srcode } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srcode-cli-'));

beforeAll(buildCli);

test('help and version go to stdout with exit code 0', async () => {
  const help = await srcode(['--help']);
  expect([help.code, help.stderr]).toEqual([0, '']);
  expect(help.stdout).toContain('srcode train');
  const version = await srcode(['--version']);
  expect(version.stdout.trim()).toMatch(/^\d+\.\d+\.\d+/);
});

test('the help of a program lists every option of its schema with type and default', async () => {
  const { stdout } = await srcode(['train', 'pretrain', '--help']);
  for (const text of ['--preset', '--resume', 'schedule.warmup', 'shape.layers', '[integer]', '["tiny"]']) {
    expect(stdout).toContain(text);
  }
});

test.each([
  { what: 'no command', args: [], says: /Expected a command/ },
  { what: 'a mistyped command', args: ['trian'], says: /Did you mean train\?/ },
  { what: 'no program', args: ['train'], says: /pretrain, sft, reward or ppo/ },
  {
    what: 'a mistyped option',
    args: ['train', 'sft', '--dta', 'x'],
    says: /Unknown argument: dta; did you mean --data\?/,
  },
  {
    what: 'an option without its value',
    args: ['train', 'sft', '--data'],
    says: /Not enough arguments following: data/,
  },
  { what: 'an unknown preset', args: ['train', 'pretrain', '--preset', 'huge'], says: /"tiny", "tiny-quick"/ },
  { what: 'no data', args: ['train', 'sft'], says: /data: expected at least one file \(--data FILE\)/ },
  {
    what: 'a thread count that is none',
    args: ['train', 'sft', '--data', 'x', '--threads', 'all'],
    says: /--threads: threads: expected number/,
  },
  {
    what: 'a device that is none',
    args: ['train', 'sft', '--data', 'x', '--device', 'tpu'],
    says: /--device: device: expected "cpu", received "tpu"/,
  },
  {
    what: 'an unknown key',
    args: ['train', 'sft', '--data', 'x', '--set', 'stpes=3'],
    says: /--set stpes: unknown key "stpes"; did you mean "steps"\?/,
  },
])('$what is bad usage: one message, exit code 2', async ({ args, says }) => {
  const { code, stdout, stderr } = await srcode(args);
  expect(stderr).toMatch(says);
  expect(stderr).not.toMatch(/\n {4}at /);
  expect([code, stdout]).toEqual([2, '']);
});

test('all problems of a config file and of flags are said at once, with file and line', async () => {
  const file = join(folder, 'sft.yaml');
  writeFileSync(file, 'lr: fast\nlora:\n  rnk: 3\n');
  const { code, stderr } = await srcode(['train', 'sft', file, '--set', 'steps=0']);
  expect(code).toBe(2);
  for (const text of [
    `${file}:1: lr: expected number, received "fast"`,
    `${file}:3: unknown key "lora.rnk"; did you mean "lora.rank"?`,
    '--set steps: ',
    'data: expected at least one file',
  ]) {
    expect(stderr).toContain(text);
  }
});

test('with --json an error is JSON on stdout', async () => {
  for (const args of [
    ['train', 'sft', '--json'],
    ['train', 'sft', '--json', '--dta', 'x'],
  ]) {
    const { code, stdout, stderr } = await srcode(args);
    expect([code, stderr]).toEqual([2, '']);
    expect(JSON.parse(stdout)).toEqual({
      error: { code: expect.stringMatching(/^ERR_(CONFIG|USAGE)$/), message: expect.any(String) },
    });
  }
});
