import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { installPacked, Offline, type Packed, root } from './packed.js';

let packed: Packed | undefined;
let offline: string | undefined;
try {
  packed = installPacked();
} catch (error) {
  if (!(error instanceof Offline)) throw error;
  offline = error.message;
}
afterAll(() => packed?.[Symbol.dispose]());
beforeEach((context) => {
  if (offline) context.skip(`npm reaches no registry: ${offline}`);
});

function inProject(): Packed {
  if (!packed) throw new Error('the package was not installed');
  return packed;
}

function node(code: string): string {
  return inProject().run(process.execPath, ['--input-type=module', '--eval', code]);
}

test('the tarball holds both halves, no tests and no large file', () => {
  const paths = inProject().files.map((file) => file.path);
  expect(paths).toEqual(
    expect.arrayContaining([
      ...[
        'dist/index.js',
        'dist/index.d.ts',
        'dist/cli/main.js',
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'binding.gyp',
      ],
      ...[
        'native/CMakeLists.txt',
        'native/package.json',
        'cmake/SrcodeIsa.cmake',
        'scripts/setup',
        'scripts/build-native.mjs',
      ],
    ]),
  );
  expect(
    paths.filter((path) => /(^|\/)(test|runs|build|\.cmake-build|node_modules)\/|\.(node|o|log)$/.test(path)),
  ).toEqual([]);
  expect(inProject().files.filter((file) => file.size > 8_000_000)).toEqual([]);
});

test('publint finds nothing to say', async () => {
  const { messages, pkg } = await publint({ pkgDir: inProject().home, pack: false, level: 'suggestion' });
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
});

test('the install ran no build', () => {
  expect(existsSync(join(inProject().home, 'build'))).toBe(false);
});

test('the TypeScript half works: the embedded tokenizer gives a text back', () => {
  const output = node(`
    import { Tokenizer } from 'srcode';
    const tokenizer = await Tokenizer.load('tiny');
    const text = 'int main(void) { return 0; } // grüße';
    console.log(tokenizer.decode(tokenizer.encode(text)) === text);`);
  expect(output).toBe('true\n');
});

test('the native half says how to build itself', () => {
  const output = node(`
    import { kernels, Model } from 'srcode';
    const gae = { rewards: new Float32Array(1), values: new Float32Array(1), cuSeqlens: Int32Array.of(0, 1), gamma: 1, lambda: 1 };
    for (const call of [() => Model.load('tiny'), async () => kernels.gae(gae)]) {
      await call().then(() => console.log('loaded'), (error) => console.log(error.name, error.code, error.message));
    }`);
  expect(output.match(/^SrcodeError ERR_NATIVE_MISSING /gm)).toHaveLength(2);
  expect(output.match(/`npm run build:native`/g)).toHaveLength(2);
});

test('require() gives the same names as import', () => {
  const code =
    "const names = Object.keys(require('srcode')).sort(); import('srcode').then((m) => console.log(names.join() === Object.keys(m).sort().join()))";
  const output = inProject().run(process.execPath, ['--no-warnings', '--input-type=commonjs', '--eval', code]);
  expect(output).toBe('true\n');
});

test('only the public entries can be imported', () => {
  const output = node(`
    await import('srcode/dist/errors.js').catch((error) => console.log(error.code));
    console.log((await import('srcode/package.json', { with: { type: 'json' } })).default.name);`);
  expect(output).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\nsrcode\n');
});

test('a strict TypeScript program compiles against the declarations', () => {
  writeFileSync(
    join(inProject().project, 'program.ts'),
    `import { kernels, Model, pretrain, rewardModel, sft, SrcodeError, Tokenizer } from 'srcode';
    export async function main(): Promise<Float32Array[]> {
      const tokenizer = await Tokenizer.load('tiny');
      using model = await Model.load('tiny', { dtype: 'bf16' });
      return model.logProbs([tokenizer.encode('int x;')]);
    }
    export const programs = [kernels.gae, pretrain, sft, rewardModel, SrcodeError];`,
  );
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = [
    '--strict',
    '--noEmit',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--lib',
    'es2023,esnext.disposable',
  ];
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
  const { stdout, status } = spawnSync(process.execPath, [tsc, ...options, ...types, 'program.ts'], {
    cwd: inProject().project,
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

test('the command srcode is there', () => {
  const command = join(inProject().project, 'node_modules', '.bin', 'srcode');
  expect(statSync(command).mode & 0o111).not.toBe(0);
  const output = inProject().run(command, ['--help']);
  expect(output).toContain('srcode train');
});

test('node-gyp comes to the same build script', (context) => {
  const nodeDir = join(process.execPath, '..', '..');
  if (!existsSync(join(nodeDir, 'include', 'node', 'node_api.h'))) context.skip('the Node headers are not beside node');
  if (spawnSync('python3', ['--version']).error || spawnSync('make', ['--version']).error) {
    context.skip('node-gyp needs python3 and make');
  }
  const nodeGyp = join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  const args = [nodeGyp, 'rebuild', '--directory', inProject().home, '--nodedir', nodeDir];
  expect(inProject().run(process.execPath, args, { SRCODE_SKIP_NATIVE: '1' })).toContain(
    'native: skipped (SRCODE_SKIP_NATIVE=1)',
  );
});
