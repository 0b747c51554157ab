// npm's `prepare`: both halves after `npm ci` or `npm install` in a checkout, the TypeScript half alone before `npm pack`.
// Never runs for those who install the package. Missing tools are no failure here, so that `npm ci` works before scripts/setup ran
// (`npm run build` fails on them); code that does not compile is.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative, howToInstall, missingTools, root } from './lib/native.mjs';

function native() {
  if (process.env.SRCODE_SKIP_NATIVE === '1') {
    console.log('native: skipped (SRCODE_SKIP_NATIVE=1)');
    return true;
  }
  const missing = missingTools();
  if (missing.length > 0) {
    console.warn(`native: not built, without ${missing.join(', ')}. ${howToInstall()}`);
    return true;
  }
  return buildNative();
}

function typescript() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(tsc)) {
    console.warn('typescript: not built, the development packages are not installed (npm ci --include=dev)');
    return true;
  }
  return spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' }).status === 0;
}

const packing = ['pack', 'publish'].includes(process.env.npm_command ?? '');
// What a package holds is what the sources say now: no file of a source that is gone.
if (packing) rmSync(join(root, 'dist'), { recursive: true, force: true });
process.exitCode = (packing || native()) && typescript() ? 0 : 1;
