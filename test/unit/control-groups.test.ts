import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findHierarchy } from '../../src/sandbox/control-groups.js';

// Folders that look like the kernel's: what is found in them, not what the kernel does, is at stake here; test/unit/sandbox.test.ts has that.
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'srcode-groups-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function group(path: string, given?: string): string {
  const folder = join(root, path);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cgroup.procs'), '');
  if (given !== undefined) writeFileSync(join(folder, 'cgroup.subtree_control'), `${given}\n`);
  return folder;
}
const mount = (type: string, options: string, path = '', top = '/'): string =>
  `30 20 0:26 ${top} ${join(root, path)} rw,nosuid shared:4 - ${type} none rw,${options}`;

test('version 2: the nearest group above that hands on memory and processes', () => {
  group('', 'cpu memory pids');
  group('user.slice', 'memory');
  const slice = group('user.slice/user-0.slice', 'memory pids');
  group('user.slice/user-0.slice/session-1.scope', '');
  const own = '0::/user.slice/user-0.slice/session-1.scope\n';
  expect(findHierarchy(mount('cgroup2', 'nsdelegate'), own)).toEqual({ version: 2, folders: [slice] });
  expect(readdirSync(slice)).not.toContainEqual(expect.stringMatching(/^srcode-/));
  expect(findHierarchy(mount('cgroup2', 'nsdelegate'), '0::/user.slice\n')?.folders).toEqual([root]);
});

test('version 2: nothing is switched on that is not', () => {
  group('', 'cpu');
  expect(findHierarchy(mount('cgroup2', 'nsdelegate'), '0::/\n')).toBeUndefined();
  expect(readFileSync(join(root, 'cgroup.subtree_control'), 'utf8')).toBe('cpu\n');
});

test('version 1: below the own group of each controller, also where only a part of it is mounted', () => {
  const memory = group('memory/box');
  const processes = group('pids');
  const own = '8:pids:/docker/1\n4:cpu,memory:/docker/1/box\n0::/\n';
  const mounts = (...options: string[]): string =>
    [
      mount('cgroup2', 'rw', 'unified'),
      ...options.map((option) => mount('cgroup', option, option.split(',').at(-1), '/docker/1')),
    ].join('\n');
  expect(findHierarchy(mounts('cpu,memory', 'pids'), own)).toEqual({ version: 1, folders: [memory, processes] });
  expect(findHierarchy(mounts('cpu,memory'), own)).toBeUndefined();
});

test('no control groups at all', () => {
  expect(findHierarchy('', '')).toBeUndefined();
});
