import { expect, test, vi } from 'vitest';
import { benchGenerate, benchKernels, benchSft } from '../../src/bench/index.js';
import { measureMachine } from '../../src/bench/machine.js';

// Not how fast: that what is reported is of one piece.

test('a machine computes and reads', async () => {
  const { flops, readBytesPerSecond } = await measureMachine({ dtype: 'f32', threads: 1 });
  expect(flops).toBeGreaterThan(1e8);
  expect(readBytesPerSecond).toBeGreaterThan(1e8);
});

test('a fine-tuning step', async () => {
  const result = await benchSft({ batch: 2, length: 16, steps: 1, threads: 1 });
  expect(result).toMatchObject({ bench: 'sft', size: 'small', batch: 2, length: 16, threads: 1, dtype: 'bf16' });
  expect(result.tokensPerSecond).toBeCloseTo(32 / result.secondsPerStep, 6);
  expect(result.loss).toBeCloseTo(Math.log(4096), 0); // random weights know nothing
  expect(result.flopsShare).toBeGreaterThan(0);
  expect(result.peakRssMiB).toBeGreaterThan(10);
});

test('a decode step', async () => {
  const result = await benchGenerate({ batch: 2, prompt: 8, tokens: 17, repeats: 1, threads: 1 });
  expect(result).toMatchObject({ bench: 'generate', batch: 2, prompt: 8, tokens: 17, threads: 1 });
  expect(result.tokensPerSecond).toBeCloseTo(2 / result.secondsPerStep, 6);
  expect(result.bandwidthShare).toBeGreaterThan(0);
});

test('a prefill that was held up is measured again', async () => {
  // Start and end of each generation: a first one to warm up, a prefill of 5 s before all tokens in 1 s, then 1 s and 17 s.
  const times = [0, 1, 0, 5, 0, 1, 0, 1, 0, 17];
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
    const time = times.shift();
    return time === undefined ? now() : 1000 * time;
  });
  const result = await benchGenerate({ batch: 2, prompt: 8, tokens: 17, repeats: 1, threads: 1 });
  clock.mockRestore();
  expect(times).toEqual([]);
  expect([result.secondsPerStep, result.prefillTokensPerSecond]).toEqual([1, 16]);
});

test('the reinforcement-learning kernels', async () => {
  const { kernels, tokens, threads } = await benchKernels({ tokens: 1 << 16, threads: 1 });
  expect([tokens, threads]).toEqual([1 << 16, 1]);
  expect(kernels.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['gae', 'ppo loss ppo', 'adamw', 'read', 'triad']),
  );
  for (const { milliseconds, tokensPerSecond } of kernels)
    expect(milliseconds * tokensPerSecond).toBeCloseTo(1000 * tokens, 3);
});

test.each([{ batch: 0 }, { batch: 1.5 }, { tokens: 1 }, { repeats: -1 }])('%o is refused', async (options) => {
  await expect(benchGenerate(options)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG' });
});
