import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RandomStream } from '../../src/dataset/index.js';
import { Model, type ModelConfig } from '../../src/native/model.js';
import { fitsInduction, inductionWeights, writeModel } from '../../src/training/initial-weights.js';

const config: ModelConfig = {
  vocabSize: 2048,
  hiddenSize: 192,
  intermediateSize: 512,
  layers: 4,
  heads: 6,
  kvHeads: 6,
  headDim: 32,
  contextLength: 512,
  ropeTheta: 10_000,
  ropeScaling: null,
  rmsNormEps: 1e-6,
  tiedEmbeddings: true,
  qkvBias: true,
  eosTokenIds: [0],
  modelType: 'qwen2',
};

test('untrained, the weights repeat what they have seen once', async () => {
  const random = new RandomStream(7, 1);
  const dir = mkdtempSync(join(tmpdir(), 'srcode-initial-'));
  try {
    writeModel(dir, config, inductionWeights(config, new RandomStream(0, 0)));
    using model = await Model.load(dir, { dtype: 'f32', threads: 1 });
    const prompts = Array.from({ length: 100 }, () => {
      const once = random.sample(
        Array.from({ length: 2048 }, (_, i) => i),
        20,
      );
      const seen = 1 + random.below(19);
      return { ids: Int32Array.of(...once, ...once.slice(0, seen)), next: once[seen] };
    });
    const answers = await model.generate(
      prompts.map(({ ids }) => ids),
      { maxNewTokens: 1, temperature: 0, stop: [] },
    );
    const right = answers.filter(({ tokens }, i) => tokens[0] === prompts[i]?.next).length;
    // One in 2048 by chance; plain random weights get none.
    expect(right).toBeGreaterThan(35);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the same stream gives the same weights, and shapes without room are told', () => {
  const bytes = (seed: number) =>
    Buffer.concat(
      [...inductionWeights(config, new RandomStream(seed, 0)).values()].map(({ data }) => Buffer.from(data.buffer)),
    );
  expect(bytes(3).equals(bytes(3))).toBe(true);
  expect(bytes(3).equals(bytes(4))).toBe(false);
  expect(fitsInduction(config)).toBe(true);
  expect(fitsInduction({ ...config, qkvBias: false })).toBe(false);
  expect(fitsInduction({ ...config, kvHeads: 2 })).toBe(false);
  expect(fitsInduction({ ...config, layers: 1 })).toBe(false);
});
