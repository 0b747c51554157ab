import { describe, expect, test, vi } from 'vitest';
import { WorkerPool } from '../../src/worker-pool.js';

const script = new URL('../fixtures/pool-worker.mjs', import.meta.url);
const options = { size: 2, seconds: 20 };

test('answers come in the order of the questions, from as many threads as there may be', async () => {
  const pool = new WorkerPool<number | string, number>(script, options);
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
  expect((await pool.ask(numbers)).map(({ answer }) => answer)).toEqual(numbers.map((number) => number ** 2));
  const who = await pool.ask(['who', 'who', 'who', 'who', 'who', 'who']);
  expect(new Set(who.map(({ answer }) => answer)).size).toBe(2);
});

describe('a thread that is lost fails its question alone, with the reason, and is replaced', () => {
  test.each([
    ['crash', 'its thread failed: as it was told'],
    ['exit', 'its thread ended with status 3'],
    ['hang', 'it took longer than 1 s'],
    ['memory', 'its thread failed: Worker terminated due to reaching memory limit: JS heap out of memory'],
  ])('%s', async (deed, reason) => {
    const pool = new WorkerPool<number | string, number>(script, {
      ...{ size: 2, seconds: deed === 'hang' ? 1 : 20 },
      resourceLimits: { maxOldGenerationSizeMb: 16 },
    });
    const answers = await pool.ask([4, deed, 5, deed, 6, 7]);
    const lost = { failure: reason };
    expect(answers).toEqual([{ answer: 16 }, lost, { answer: 25 }, lost, { answer: 36 }, { answer: 49 }]);
    expect(await pool.ask([8])).toEqual([{ answer: 64 }]);
  });
});

test('a thread that is spent gives its answer and is replaced', async () => {
  const isSpent = (answer: number): boolean => answer === 16;
  const pool = new WorkerPool<number | string, number>(script, { size: 1, seconds: 20, isSpent });
  const [first, second, square, third] = await pool.ask(['who', 'who', 4, 'who']);
  expect(second).toEqual(first);
  expect(square).toEqual({ answer: 16 });
  expect(third?.answer).toBeGreaterThan(first?.answer as number);
});

test('a thread that dies while it has nothing to do is missed by nobody', async () => {
  const pool = new WorkerPool<number | string, number>(script, { size: 1, seconds: 20 });
  const [first] = await pool.ask(['who']);
  await pool.ask(['die later']);
  const later = async (): Promise<void> => {
    const [second] = await pool.ask(['who']);
    expect(second?.answer).toBeGreaterThan(first?.answer as number);
  };
  await vi.waitFor(later, { timeout: 20_000 });
});

test('what is aborted ends with its reason, at once, and the pool goes on', async () => {
  const pool = new WorkerPool<number | string, number>(script, options);
  const stop = new AbortController();
  const asked = pool.ask(['hang', 'hang', 'hang', 4], { signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')), 300);
  await expect(asked).rejects.toThrow('enough');
  await expect(pool.ask([1], { signal: stop.signal })).rejects.toThrow('enough');
  expect(await pool.ask([9])).toEqual([{ answer: 81 }]);
});

test('a script that is none fails what is asked of it', async () => {
  const pool = new WorkerPool<number, number>(new URL('none.mjs', script), options);
  const [answer] = await pool.ask([1]);
  expect(answer?.failure).toMatch(/^its thread failed: Cannot find module/);
});
