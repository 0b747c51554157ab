// The native build: cmake-js into one CMake tree per configuration, .cmake-build/<config>. The addon goes to
// build/<config>/srcode_native.node. CMake decides what is stale. With tests, the same tree builds the native tests too, so that
// the core is compiled once.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What the build needs and this machine lacks, in words; empty when it can start. */
export function missingTools() {
  const missing = [];
  if (!onPath('cmake')) missing.push('cmake');
  if (!process.env.CXX && !['g++', 'clang++'].some(onPath)) missing.push('a C++ compiler');
  if (!['ninja', 'make'].some(onPath)) missing.push('ninja or make');
  try {
    createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
  } catch {
    missing.push('the npm package cmake-js (npm install)');
  }
  return missing;
}

/** How to get what missingTools() names. */
export function howToInstall() {
  const setup = relative(process.cwd(), join(root, 'scripts', 'setup'));
  return (
    `Install what is missing with \`bash "${setup}" --no-tests\` (Debian, Ubuntu: apt-get install g++ cmake ninja-build), ` +
    'then run `npm run build:native` in the folder of srcode. SRCODE_SKIP_NATIVE=1 skips this step.'
  );
}

// CMakeCache.txt as a Map, or undefined when the tree was never configured.
function readCache(tree) {
  const file = join(tree, 'CMakeCache.txt');
  if (!existsSync(file)) return undefined;
  const entries = readFileSync(file, 'utf8').matchAll(/^([\w-]+):\w+=(.*)$/gm);
  return new Map([...entries].map(([, name, value]) => [name, value]));
}

// A tree can be built on when its configuration was finished, here, with tools that still exist. CMake refuses some of the other
// cases (a moved checkout) and stumbles over the rest (an addon header gone with the old node_modules).
function isUsable(tree, cache) {
  const configured = existsSync(join(tree, 'build.ninja')) || existsSync(join(tree, 'Makefile'));
  const files = [cache.get('CMAKE_MAKE_PROGRAM'), cache.get('CMAKE_CXX_COMPILER')];
  files.push(...(cache.get('CMAKE_JS_INC') ?? '').split(';'));
  return (
    configured &&
    cache.get('CMAKE_HOME_DIRECTORY') === join(root, 'native') &&
    files.every((file) => file !== undefined && existsSync(file))
  );
}

// When something in the tree was last compiled or linked.
function lastChange(folder) {
  let newest = 0;
  for (const entry of existsSync(folder) ? readdirSync(folder, { recursive: true }) : []) {
    if (/\.(o|a|node)$/.test(entry)) newest = Math.max(newest, statSync(join(folder, entry)).mtimeMs);
  }
  return newest;
}

// One compiler takes up to about 1 GB on the vector kernels.
function jobs() {
  const memory = Math.min(totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY);
  return Math.max(1, Math.min(availableParallelism(), Math.floor(memory / 1e9)));
}

/**
 * Builds the addon, with `tests` the native tests as well, and says what it did.
 * @param {{ config?: 'Release' | 'Debug', tests?: boolean, defines?: Record<string, string> }} options `defines` go to CMake.
 * @returns {boolean} whether it worked; the compiler's messages are on the screen when it did not
 */
export function buildNative({ config = 'Release', tests = false, defines = {} } = {}) {
  const started = performance.now();
  const tree = join(root, '.cmake-build', config);
  let cache = readCache(tree);
  if (cache && !isUsable(tree, cache)) {
    console.log('native: the build folder is of another place or other tools; starting afresh');
    rmSync(tree, { recursive: true });
    cache = undefined;
  }

  const wanted = { ...(tests ? { SRCODE_TESTS: 'ON' } : {}), ...defines };
  const changed = Object.keys(wanted).some((name) => cache?.get(name) !== wanted[name]);
  const what = tests ? 'the addon and the native tests' : 'the addon';
  if (!cache) console.log(`native: building ${what} (${config}, ${jobs()} jobs); the first time takes a minute or two`);

  // A make that called us must not steer the nested one.
  const { MAKEFLAGS, MFLAGS, MAKELEVEL, BUILDTYPE, ...env } = process.env;
  const cmakeJs = (command, ...more) => {
    const script = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
    const where = ['--directory', join(root, 'native'), '--out', tree, '--config', config];
    const args = [script, command, ...where, '--log-level', 'warn', ...more];
    return spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], env }).status === 0;
  };
  const before = lastChange(tree);
  if (!cache || changed) {
    const generator = cache ? ['--generator', cache.get('CMAKE_GENERATOR')] : [];
    const variables = Object.entries(wanted).map(([name, value]) => `--CD${name}=${value}`);
    if (!cmakeJs('configure', ...generator, ...variables)) return false;
  }
  // cmake-js build, not compile: the latter answers a compile error with a second, full build.
  if (!cmakeJs('build', '--parallel', String(jobs()), ...(tests ? [] : ['--target', 'srcode_native']))) return false;

  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const did = lastChange(tree) === before ? 'up to date' : `built ${what}`;
  console.log(`native: ${did} (build/${config}/srcode_native.node, ${seconds} s)`);
  return true;
}
