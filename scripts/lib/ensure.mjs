// Everything a fresh checkout needs before it runs: system packages, npm packages, both builds. Each step says what it does, is quick
// when there is nothing to do, and ends the process with one message and a remedy when it fails. Built-in modules only.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { buildNative, root } from './native.mjs';

class StepError extends Error {}

// Runs a program in the checkout with its output on the screen; returns its exit status.
function run(program, args) {
  const result = spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.error) throw new StepError(`cannot start ${program}: ${result.error.message}`);
  return result.status ?? 1;
}

/**
 * Whether node_modules holds what package-lock.json names. npm keeps a lock file of what it installed inside node_modules; comparing
 * the two needs no mark of ours and accepts an `npm ci` typed by hand.
 * @param {{ packages: Record<string, object> }} wanted package-lock.json
 * @param {{ packages: Record<string, object> } | undefined} installed node_modules/.package-lock.json
 */
export function packagesMatch(wanted, installed) {
  if (!installed) return false;
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (path === '' || entry.link) return true;
    const there = installed.packages[path];
    // Optional packages are those of other platforms, too.
    if (!there) return entry.optional === true;
    return there.version === entry.version && there.integrity === entry.integrity;
  });
}

function readJson(...path) {
  const file = join(root, ...path);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function systemPackages({ tests }) {
  if (run('bash', [join('scripts', 'setup'), ...(tests ? [] : ['--no-tests'])]) === 0) return;
  throw new StepError('system packages are missing; the lines above say which and what to type.');
}

function npmPackages() {
  if (packagesMatch(readJson('package-lock.json'), readJson('node_modules', '.package-lock.json'))) {
    console.log('npm packages: up to date');
    return;
  }
  console.log('npm packages: npm ci');
  // No scripts: nothing here needs one, and the builds that our own `prepare` would start are the next steps.
  const args = ['ci', '--ignore-scripts', '--include=dev', '--prefer-offline', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath ?? '';
  const status = /npm-cli\.js$/.test(npm) ? run(process.execPath, [npm, ...args]) : run('npm', args);
  if (status === 0) return;
  throw new StepError(
    'npm ci failed; its message is above. Without a network it needs a filled npm cache; behind a proxy or with a mirror of the ' +
      'registry, set `npm config set proxy …` or `npm config set registry …` first.',
  );
}

function native({ tests }) {
  if (buildNative({ tests })) return;
  throw new StepError(
    'the native build failed; the first error above says where. After a change of compiler, remove .cmake-build and try again.',
  );
}

function typescript() {
  const started = performance.now();
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  if (run(process.execPath, [tsc, '-p', 'tsconfig.build.json']) !== 0) {
    throw new StepError('the TypeScript build failed; the errors above say where.');
  }
  console.log(`typescript: built dist (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

/** Does the whole set-up, `tests` included when asked for; does not return when a step fails. */
export function ensure({ tests = false } = {}) {
  try {
    systemPackages({ tests });
    npmPackages();
    native({ tests });
    typescript();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(`\nset-up stopped: ${error.message}`);
    process.exit(1);
  }
}

/**
 * Runs what the set-up was for, in the checkout, and resolves to its exit status. Ctrl-C reaches the program by itself; we stay until
 * it has put its things in order.
 */
export function runToEnd(program, args, env = {}) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve(status ?? 128 + constants.signals[signal]));
  });
}
