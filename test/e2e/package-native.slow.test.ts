import { expect, test } from 'vitest';
import { installPacked, Offline, type Packed } from './packed.js';

test('`npm run build:native` in the installed package builds the native half', (context) => {
  let packed: Packed;
  try {
    packed = installPacked();
  } catch (error) {
    if (!(error instanceof Offline)) throw error;
    return context.skip(`npm reaches no registry: ${error.message}`);
  }
  using installed = packed;
  expect(installed.run('npm', ['run', 'build:native', '--prefix', installed.home])).toContain(
    'native: built the addon',
  );
  const code = `
    import { Model } from 'srcode';
    const model = await Model.load('tiny');
    console.log((await model.logProbs([Int32Array.of(1, 2, 3)]))[0].length);
    model.dispose();`;
  expect(installed.run(process.execPath, ['--input-type=module', '--eval', code])).toBe('2\n');
});
