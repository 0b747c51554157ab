import { expect, test } from 'vitest';
import { chunks } from '../../src/dataset/index.js';
import type { Model } from '../../src/native/model.js';
import { type Held, heldOutLoss } from '../../src/training/measure.js';

// A model that gives token t the log-prob -t, whatever stands before it.
const model = {
  logProbs: async (sequences: readonly Int32Array[]) =>
    sequences.map((ids) => Float32Array.from(ids.subarray(1), (t) => -t)),
} as unknown as Model;

const held = (task: string, tokens: number[], weights: number[]): Held => ({
  task,
  tokens: Int32Array.from(tokens),
  lossWeights: Float32Array.from(weights),
});

test('the held-back loss is a mean over supervised tokens, not over examples, and is split by task', async () => {
  const examples = [
    held('repair', [9, 9, 4, 2], [0, 0, 1, 1]), // 4 + 2 over 2 tokens
    held('detection', [9, 9, 1], [0, 0, 1]), // 1 over 1
    held('repair', [9, 6, 0], [0, 1, 1]), // 6 + 0 over 2
  ];
  for (const tokens of [1, 7, 100]) {
    expect(await heldOutLoss(model, examples, tokens, { adapter: undefined })).toEqual({
      'heldout/loss': 13 / 5,
      'heldout/loss/detection': 1,
      'heldout/loss/repair': 12 / 4,
    });
  }
});

test('one task alone is not split, and nothing held back is not measured', async () => {
  const one = [held('own', [9, 3], [0, 1])];
  expect(await heldOutLoss(model, one, 10, { adapter: undefined })).toEqual({ 'heldout/loss': 3 });
  expect(await heldOutLoss(model, [], 10, { adapter: undefined })).toEqual({});
});

test('chunks keep the order and the limit, and hold one row at least', () => {
  expect(chunks([3, 3, 9, 1, 1], 6, (n) => n)).toEqual([[3, 3], [9], [1, 1]]);
});
