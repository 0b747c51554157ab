import { expect, test } from 'vitest';
import { gathered } from '../../src/gather.js';

const reason = (result: PromiseSettledResult<unknown> | undefined): unknown =>
  result?.status === 'rejected' ? (result.reason as Error).message : result?.value;

test('what is asked at once is answered at once, to each his own', async () => {
  const asked: (readonly number[])[] = [];
  const half = gathered(async (numbers: readonly number[]) => {
    asked.push(numbers);
    if (numbers.includes(13)) throw new Error('13');
    return numbers.map((number) => number / 2);
  });
  expect(await Promise.all([half(2), half(4, new AbortController().signal)])).toEqual([1, 2]);
  expect(await half(6)).toBe(3);
  expect((await Promise.allSettled([half(13), half(8)])).map(reason)).toEqual(['13', '13']);
  expect(asked).toEqual([[2, 4], [6], [13, 8]]);
});

test('who gives up hears nothing but that; the work ends when all have', async () => {
  let ended = false;
  const slow = gathered(
    (numbers: readonly number[], signal) =>
      new Promise<readonly number[]>((resolve, reject) => {
        const timer = setTimeout(resolve, 200, numbers);
        signal.addEventListener('abort', () => {
          ended = true;
          clearTimeout(timer);
          reject(signal.reason);
        });
      }),
  );
  const [one, other] = [new AbortController(), new AbortController()];
  const first = Promise.allSettled([slow(1, one.signal), slow(2, other.signal)]);
  setTimeout(() => one.abort(new Error('enough')), 50);
  expect((await first).map(reason)).toEqual(['enough', 2]);
  expect(ended).toBe(false);
  const second = Promise.allSettled([slow(1, one.signal), slow(2, other.signal)]);
  setTimeout(() => other.abort(new Error('me too')), 50);
  expect((await second).map(reason)).toEqual(['enough', 'me too']);
  expect(ended).toBe(true);
});
