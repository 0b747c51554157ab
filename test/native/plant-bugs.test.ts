import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tree } from './programs.js';

const slow = process.env.SRCODE_SLOW === '1';
const script = join(import.meta.dirname, '../../scripts/plant-bugs.mjs');

test('bugs planted in the CUDA kernels are caught by the emulator', { timeout: 1_800_000 }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--tree', tree, ...(slow ? ['--all'] : [])], {
    encoding: 'utf8',
  });
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toMatch(slow ? /^3\d bugs planted, 0 missed$/m : /^4 bugs planted, 0 missed$/m);
});
