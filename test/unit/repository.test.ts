import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');

interface Manifest {
  dependencies: Record<string, string>;
  engines: { node: string };
  scripts: Record<string, string>;
  files: string[];
}
interface Lock {
  packages: Record<string, LockEntry>;
}
interface LockEntry {
  resolved?: string;
  integrity?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

test('the lock file pins content and names no registry', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as Lock;
  const entries = Object.entries(packages).filter(([path]) => path !== '');
  expect(entries.length).toBeGreaterThan(50);
  expect(entries.filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
  expect(entries.filter(([, entry]) => !entry.integrity)).toEqual([]);
});

test('the lock file is whole: `npm ci` refuses one that lacks a package, be it of another platform', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as Lock;
  // As Node resolves: the package's own node_modules, then those above it.
  const resolves = (from: string, name: string): boolean => {
    const there = `${from === '' ? '' : `${from}/`}node_modules/${name}` in packages;
    return there || (from !== '' && resolves(from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/'))), name));
  };
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys({ ...entry.dependencies, ...entry.devDependencies, ...entry.optionalDependencies })
      .filter((name) => !resolves(path, name))
      .map((name) => `${path} needs ${name}`),
  );
  expect(missing).toEqual([]);
});

test('the library has under ten runtime dependencies and no install script', () => {
  const { dependencies, scripts } = JSON.parse(read('package.json')) as Manifest;
  expect(Object.keys(dependencies).length).toBeLessThan(10);
  expect(Object.keys(scripts).filter((name) => ['preinstall', 'install', 'postinstall'].includes(name))).toEqual([]);
});

test('the Node-API version is the same for CMake and for cmake-js, and every supported Node has it', () => {
  const { binary } = JSON.parse(read('native', 'package.json')) as { binary: { napi_versions: number[] } };
  const defined = /NAPI_VERSION=(\d+)/.exec(read('native', 'CMakeLists.txt'))?.[1];
  expect(binary.napi_versions).toEqual([Number(defined)]);
  // Node 20.19 has 9.
  expect(Number(defined)).toBeLessThanOrEqual(9);
});

const isCheckout = existsSync(join(root, '.git'));

function committed(...patterns: string[]): string[] {
  const files = execFileSync('git', ['ls-files', '-z', ...patterns], { cwd: root, encoding: 'utf8' }).split('\0');
  return files.filter((file) => file !== '' && existsSync(join(root, file)));
}

test.runIf(isCheckout)('no committed file is over 8 MB', () => {
  expect(committed().filter((file) => statSync(join(root, file)).size > 8_000_000)).toEqual([]);
});

test.runIf(isCheckout)('links in the documents lead to files that exist', () => {
  const broken = committed('*.md').flatMap((document) =>
    [...read(document).matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !existsSync(join(root, document, '..', target)))
      .map((target) => `${document}: ${target}`),
  );
  expect(broken).toEqual([]);
});
