import { expect, test } from 'vitest';
import { objectLayer } from '../../src/config/layers.js';
import { type PretrainConfig, pretrainPresets, pretrainSchema } from '../../src/config/pretrain.js';
import { resolveConfig } from '../../src/config/resolve.js';
import type { Options } from '../../src/config/schema.js';
import { Tokenizer } from '../../src/tokenizer/index.js';
import { taskData } from '../../src/training/pretrain-data.js';

const tokenizer = await Tokenizer.load('tiny');

async function data(options: Options<PretrainConfig> = {}) {
  return taskData(resolveConfig(pretrainSchema, [objectLayer({ ...pretrainPresets.tiny, ...options })]), tokenizer);
}

const tokensOf = (sequences: readonly Int32Array[]): number => sequences.reduce((sum, { length }) => sum + length, 0);

test('a step is a function of the config and its number', async () => {
  const [one, two] = [await data(), await data()];
  expect(two.fingerprint).toBe(one.fingerprint);
  expect(two.batch(1234)).toEqual(one.batch(1234));
  expect(one.batch(1235)).not.toEqual(one.batch(1234));
  expect((await data({ seed: 1 })).fingerprint).not.toBe(one.fingerprint);
});

test('steps fill their budget, and the first ones have half of it', async () => {
  const { batch } = await data();
  for (const [step, budget] of [
    [0, 2500],
    [999, 2500],
    [1000, 5000],
    [5599, 5000],
  ] as const) {
    const tokens = tokensOf(batch(step).sequences);
    expect(tokens).toBeLessThanOrEqual(budget);
    expect(tokens).toBeGreaterThan(budget - 500);
  }
});

test('answers count fully, prompts in part, and the first token of a document not at all', async () => {
  const { batch } = await data({ textShare: 0 });
  const end = tokenizer.tokenId('<|im_end|>') as number;
  const { sequences, lossWeights } = batch(3000);
  for (const [i, tokens] of sequences.entries()) {
    const answer = tokens.indexOf(end) + 1;
    const weights = lossWeights[i] as Float32Array;
    expect(tokens.at(-1)).toBe(tokenizer.eosId);
    expect(weights[0]).toBe(0);
    expect(new Set(weights.subarray(1, answer))).toEqual(new Set([Math.fround(0.2)]));
    expect(new Set(weights.subarray(answer))).toEqual(new Set([1]));
  }
});

test('the curriculum begins with single steps and copies', async () => {
  const { batch } = await data({ textShare: 0 });
  const share = (step: number): number => {
    const texts = batch(step).sequences.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true }));
    return texts.filter((text) => /^(Repeat|List|Write a call|Declare|Rename)/.test(text)).length / texts.length;
  };
  const early = [0, 20, 40, 60].reduce((sum, step) => sum + share(step) / 4, 0);
  const late = [3000, 3020, 3040, 3060].reduce((sum, step) => sum + share(step) / 4, 0);
  expect(early).toBeGreaterThan(0.3);
  expect(late).toBeLessThan(0.25);
  expect(late).toBeGreaterThan(0);
});
