// node scripts/build-native.mjs [--config Release|Debug]
// Builds the addon into build/<config>/srcode_native.node. Incremental: CMake decides what is stale.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const flag = process.argv.indexOf('--config');
const config = flag > 0 && process.argv[flag + 1] === 'Debug' ? 'Debug' : 'Release';
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');

// A make that called us must not steer the nested one.
const { MAKEFLAGS, MFLAGS, MAKELEVEL, BUILDTYPE, ...env } = process.env;
const args = ['build', '--directory', join(root, 'native'), '--out', join(root, '.cmake-build', config)];
args.push('--config', config, '--parallel', String(availableParallelism()), '--log-level', 'warn');
const result = spawnSync(process.execPath, [cmakeJs, ...args], { stdio: 'inherit', env });
process.exit(result.status ?? 1);
