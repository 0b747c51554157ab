// node scripts/format-native.mjs [--write]
// clang-format over the native sources: checks, or with --write rewrites.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { root } from './lib/native.mjs';

const files = ['native', join('test', 'native')].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => /\.(cc|h|cu|cuh)$/.test(name))
    .map((name) => join(folder, name)),
);

const home = dirname(createRequire(import.meta.url).resolve('clang-format-node/package.json'));
const clangFormat = join(home, 'bin', `cfn-${process.platform}-${process.arch}`, 'clang-format');

const write = process.argv.includes('--write');
const { status } = spawnSync(clangFormat, [...(write ? ['-i'] : ['--dry-run', '--Werror']), ...files], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) console.error('clang-format: run `npm run format`');
process.exitCode = status ?? 1;
