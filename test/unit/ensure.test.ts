import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

interface Lock {
  packages: Record<string, { version?: string; integrity?: string; optional?: boolean; link?: boolean }>;
}
interface Ensure {
  packagesMatch(wanted: Lock, installed: Lock | undefined): boolean;
}
// The scripts are plain JavaScript, so that they run before anything is installed.
const root = fileURLToPath(new URL('../../', import.meta.url));
const { packagesMatch } = (await import(join(root, 'scripts/lib/ensure.mjs'))) as Ensure;

const wanted: Lock = {
  packages: {
    '': { version: '0.1.0' },
    'node_modules/zod': { version: '4.6.7', integrity: 'sha512-a' },
    'node_modules/biome-darwin': { version: '2.6.8', integrity: 'sha512-b', optional: true },
  },
};

test('node_modules match when all but packages of other platforms are there', () => {
  expect(packagesMatch(wanted, { packages: { 'node_modules/zod': { version: '4.6.7', integrity: 'sha512-a' } } })).toBe(
    true,
  );
});

test('node_modules are stale when a package is missing, of another version or of another content', () => {
  expect(packagesMatch(wanted, undefined)).toBe(false);
  expect(packagesMatch(wanted, { packages: {} })).toBe(false);
  expect(packagesMatch(wanted, { packages: { 'node_modules/zod': { version: '4.6.6', integrity: 'sha512-a' } } })).toBe(
    false,
  );
  expect(packagesMatch(wanted, { packages: { 'node_modules/zod': { version: '4.6.7', integrity: 'sha512-x' } } })).toBe(
    false,
  );
});

// A checkout of the scripts alone, in a path with a space, where each step's program is a stub.
let checkout: string;
let bin: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'srcode set up '));
  bin = join(checkout, 'bin');
  mkdirSync(bin);
  cpSync(join(root, 'scripts'), join(checkout, 'scripts'), { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, file), join(checkout, file));
  writeFileSync(join(checkout, 'scripts', 'setup'), 'exit 0\n');
  program('npm', 'exit 7');
});

afterEach(() => rmSync(checkout, { recursive: true }));

function program(name: string, body: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(bin, name), 0o755);
}

function npmTest(): { status: number | null; stdout: string; stderr: string } {
  const { npm_execpath, ...env } = process.env;
  const options = { cwd: checkout, env: { ...env, PATH: `${bin}:${process.env.PATH}` }, encoding: 'utf8' } as const;
  return spawnSync(process.execPath, [join(checkout, 'scripts', 'test.mjs')], options);
}

test('an old Node is told so in one line', () => {
  const manifest = readFileSync(join(checkout, 'package.json'), 'utf8').replace('>=20.19', '>=99.1');
  writeFileSync(join(checkout, 'package.json'), manifest);
  const { status, stderr } = npmTest();
  expect(status).toBe(1);
  expect(stderr).toContain(`srcode needs Node >=99.1; this is ${process.versions.node}`);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

test('missing system packages stop the set-up before anything else', () => {
  writeFileSync(join(checkout, 'scripts', 'setup'), 'echo "setup: missing: cmake" >&2; exit 1\n');
  const { status, stdout, stderr } = npmTest();
  expect(status).toBe(1);
  expect(stderr).toContain('set-up stopped: system packages are missing');
  expect(stdout).not.toContain('npm');
});

test('a failing npm ci stops the set-up with what to do', () => {
  const { status, stdout, stderr } = npmTest();
  expect(status).toBe(1);
  expect(stdout).toContain('npm packages: npm ci');
  expect(stderr).toContain('set-up stopped: npm ci failed');
  expect(stderr).not.toContain('    at ');
});
