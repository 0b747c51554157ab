import { expect, test } from 'vitest';
import { linearParameters, stepBytes, stepFlops } from '../../src/bench/cost.js';
import { benchModels } from '../../src/bench/sizes.js';

// One block, 2 heads of 2 over 1 key/value head, width 4, inner width 3, 5 tokens in the vocabulary.
const config = {
  ...benchModels.small,
  ...{ hiddenSize: 4, intermediateSize: 3, layers: 1, heads: 2, kvHeads: 1, headDim: 2, vocabSize: 5 },
};

test("the weights of a block's linear layers", () => {
  // q 4·4, k and v 4·2 each, o 4·4, gate, up and down 4·3 each
  expect(linearParameters(config)).toBe(16 + 8 + 8 + 16 + 36);
});

test('the operations of a LoRA step, worked by hand', () => {
  // 2 sequences of 3, 2 supervised tokens each, rank 1
  const frozen = 2 * 2 * 6 * 84;
  const head = 2 * 2 * 4 * 4 * 5;
  const attention = 7 * 2 * (2 * (1 + 2 + 3)) * 4; // a token sees itself and those before it
  const lora = 3 * 2 * 6 * (8 + 6 + 6 + 8 + 7 + 7 + 7);
  expect(stepFlops(config, { batch: 2, length: 3, supervised: 2, rank: 1 })).toBe(frozen + head + attention + lora);
});

test('the bytes of a decode step: weights once, keys and values of each sequence', () => {
  expect(stepBytes(config, { batch: 3, length: 10, elementBytes: 2 })).toBe(2 * (84 + 20 + 2 * 3 * 10 * 2));
});

test('Qwen2.5-0.5B has its known size', () => {
  const large = benchModels['0.5b'];
  expect(linearParameters(large) + large.hiddenSize * large.vocabSize).toBe(493_961_216);
});
