import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { names } from '../../src/analysis/names.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

test('a name that is remembered does not keep the text that it is from', () => {
  const known = names(/^(read|write)_/);
  const used = (): number => {
    gc();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let i = 0; i < 200; i++) {
    const code = `${'x'.repeat(2 ** 20)} write_to_the_file_number_${i};`;
    expect(known.test(code.slice(code.indexOf('write'), -1))).toBe(true);
  }
  expect(used() - before).toBeLessThan(20 * 2 ** 20);
});
