import { expect, test } from 'vitest';
import { loadAddon } from '../../src/native/addon.js';
import { selftest } from '../../src/native/selftest.js';

test('every kernel of the CPU agrees with its definition in double', async () => {
  const rows = await selftest();
  expect(rows.filter(({ ok }) => !ok)).toEqual([]);
  const kernels = new Set(rows.map(({ name }) => name.split(' ')[0]));
  expect([...kernels].sort()).toEqual(['adamw', 'gae', 'ppo']);
  // The comparison is of something: f32 against double differs somewhere.
  expect(Math.max(...rows.map(({ maxError }) => maxError))).toBeGreaterThan(0);
});

test('a device that is not there is one clear error', async () => {
  if (loadAddon().cudaDevices() > 0) {
    expect((await selftest({ device: 'cuda:0' })).filter(({ ok }) => !ok)).toEqual([]);
    return;
  }
  await expect(selftest({ device: 'cuda:0' })).rejects.toMatchObject({
    code: 'ERR_CUDA',
    message: expect.stringMatching(/driver|nvcc/),
  });
  await expect(selftest({ device: 'gpu' })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG' });
});
