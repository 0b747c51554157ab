import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { together } from '../../src/concurrent.js';

test('gives what each task gives, in order', async () => {
  const slowest = 3;
  expect(await together([1, 2, 3], undefined, async (n) => sleep(2 * (slowest - n), 10 * n))).toEqual([10, 20, 30]);
});

test('when one task fails the others are stopped, and have ended when its error comes', async () => {
  const ended: number[] = [];
  const asked = together([1, 2, 3], undefined, async (n, signal) => {
    if (n === 2) throw new Error('two');
    try {
      await sleep(60_000, undefined, { signal });
    } finally {
      ended.push(n);
    }
  });
  await expect(asked).rejects.toThrow('two');
  expect(ended.sort()).toEqual([1, 3]);
});

test('a signal stops all', async () => {
  const abort = new AbortController();
  const asked = together([1, 2], abort.signal, async (_, signal) => {
    await sleep(60_000, undefined, { signal }).catch(() => signal.throwIfAborted());
  });
  abort.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
});
