import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { Analyser, Analysis } from '../../src/analysis/analyser.js';
import { probe } from '../../src/analysis/external/probe.js';
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

test('a level of instructions that this machine lacks is told', async () => {
  const detail = async (isa: string) => {
    vi.stubEnv('SRCODE_ISA', isa);
    const [machine] = await examine();
    vi.unstubAllEnvs();
    return machine?.detail;
  };
  expect(await detail('portable')).toMatch(/ threads, portable \(SRCODE_ISA\) instructions/);
  expect(await detail('avx9')).toMatch(/ threads, no avx9 \(SRCODE_ISA\), but (?:\w+, )*portable instructions/);
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

test('a program that may not be run is not here', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'srcode-doctor-'));
  for (const name of ['nvidia-smi', 'nvcc', 'codeql'])
    writeFileSync(join(folder, name), '#!/bin/sh\n', { mode: 0o644 });
  process.env.PATH = folder;
  const parts = new Map((await examine()).map((part) => [part.name, part]));
  rmSync(folder, { recursive: true });
  for (const name of ['GPU', 'nvcc', 'codeql']) expect(parts.get(name)).toMatchObject({ present: false });
});

test.skipIf(noIsolation !== undefined)('an analyser that is said to be here finds what it is shown', async () => {
  const parts = (await examine()).filter(({ name }) => ['gcc', 'clang', 'cppcheck', 'bandit'].includes(name));
  // Whichever are installed: one that answers and does not work would be told apart here.
  expect(parts.filter(({ detail }) => detail.includes('does not work'))).toEqual([]);
  for (const { present, lacks } of parts) if (!present) expect(lacks).toBeUndefined();
});

test('an analyser that cannot analyse, or finds nothing, is told apart', async () => {
  const that = (answer: Analysis): Analyser => ({
    ...{ name: 'tool', id: 'tool 1', languages: ['c', 'python'] },
    analyze: async (sources) => sources.map(() => answer),
  });
  const span = { start: 0, end: 1 };
  const found: Analysis = {
    findings: [{ cwe: 'CWE-476', severity: 'high', span, rule: 'tool/null', message: 'null' }],
    failure: undefined,
  };
  expect(await probe(that(found))).toBeUndefined();
  expect(await probe(that({ findings: [], failure: 'no such checker' }))).toBe(
    'tool does not analyse c: no such checker',
  );
  expect(await probe(that({ findings: [], failure: undefined }))).toMatch(/^tool finds nothing in int probe/);
  const blind: Analyser = {
    ...that(found),
    analyze: async (sources) =>
      sources.map(({ language }) => (language === 'c' ? found : { findings: [], failure: undefined })),
  };
  expect(await probe(blind)).toBe('tool finds nothing in exec(input())');
});
