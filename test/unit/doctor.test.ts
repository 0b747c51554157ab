import { afterEach, expect, test } from 'vitest';
import { examine } from '../../src/doctor/doctor.js';
import { findHierarchy } from '../../src/sandbox/control-groups.js';
import { noIsolation } from '../support/sandbox.js';

const path = process.env.PATH;
afterEach(() => {
  process.env.PATH = path;
});

const names = ['machine', 'native addon', 'GPU', 'nvcc', 'sandbox', 'gcc', 'clang', 'cppcheck', 'codeql', 'bandit'];

test('every part is named, with what it adds; what is missing says how to have it', async () => {
  const parts = await examine();
  expect(parts.map(({ name }) => name)).toEqual(names);
  expect(parts[0]?.detail).toMatch(
    /^\d+ threads, (?:portable|avx|amx)\S* instructions, [\d.]+ of [\d.]+ GiB memory free, Node \d+/,
  );
  for (const { present, detail, adds, remedy } of parts) {
    expect([detail, adds]).not.toContain('');
    if (present) expect(remedy).toBeUndefined();
  }
});

test('of the sandbox it says whether a whole run is limited', async () => {
  const detail = (await examine()).find(({ name }) => name === 'sandbox')?.detail;
  const groups = findHierarchy();
  if (noIsolation === undefined) {
    expect(detail).toMatch(
      groups === undefined ? /; no control group can be made/ : new RegExp(`control groups, version ${groups.version}`),
    );
  } else expect(detail).toMatch(/\w/);
});

test('a machine that has nothing is no error', async () => {
  process.env.PATH = '/nowhere';
  const parts = new Map((await examine()).map((part) => [part.name, part]));
  expect([...parts.keys()]).toEqual(names);
  for (const name of ['GPU', 'nvcc', 'sandbox']) {
    expect(parts.get(name)).toMatchObject({ present: false, remedy: expect.stringMatching(/\w/) });
  }
  for (const name of ['gcc', 'codeql']) {
    expect(parts.get(name)).toMatchObject({ present: false, detail: 'not looked for: it runs in the sandbox' });
  }
});
