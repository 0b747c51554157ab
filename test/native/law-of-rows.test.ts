import { describe, expect, test } from 'vitest';
import { linearLayers, Model } from '../../src/native/model.js';
import { isas, llamaConfig, oddConfig, random, sequences, withIsa } from '../support/models.js';

// The law of rows: a token's log-prob is bitwise the same in whatever company, order, packing, thread count and route it is computed.

const bits = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex');

/** A model with an adapter whose B is no longer zero. */
async function withAdapter(config = oddConfig, dtype: 'f32' | 'bf16' = 'bf16', threads = 2): Promise<Model> {
  const model = await Model.create(config, { seed: 5, dtype, threads });
  await model.adapters.create('policy', {
    rank: 5,
    alpha: 10,
    seed: 3,
    targets: linearLayers,
    heads: ['value', 'reward'],
  });
  using trainer = model.trainer({ adapter: 'policy', optimizer: { lr: 0.02 } });
  const batch = sequences(9, 4, 20, 40, config.vocabSize);
  for (let i = 0; i < 3; i++) {
    await trainer.step({ sequences: batch, lossWeights: batch.map((s) => new Float32Array(s.length).fill(1)) });
    await trainer.rewardStep({ chosen: batch.slice(0, 2), rejected: batch.slice(2) });
  }
  return model;
}

describe.each(isas())('on %s', (isa) => {
  describe.each(['f32', 'bf16'] as const)('in %s', (dtype) => {
    test.each([
      ['Qwen2 (tied, biases, grouped queries)', oddConfig],
      ['Llama (untied, scaled RoPE)', llamaConfig],
    ])('%s: log-probs do not depend on batch, order or threads', async (_name, config) => {
      await withIsa(isa, async () => {
        using model = await withAdapter(config, dtype, 2);
        expect(model.isa).toBe(isa);
        const all = sequences(1, 64, 1, 150, config.vocabSize);
        const reference = (await model.logProbs(all, { adapter: 'policy' })).map(bits);
        const values = (await model.values(all, { adapter: 'policy' })).map(bits);
        const next = random(2);
        for (const size of [1, 2, 7, 64]) {
          const order = all.map((_, i) => i).sort(() => next() - 0.5);
          for (let i = 0; i < Math.min(order.length, 4 * size); i += size) {
            const chosen = order.slice(i, i + size);
            const got = await model.logProbs(
              chosen.map((s) => all[s] as Int32Array),
              { adapter: 'policy' },
            );
            expect(got.map(bits)).toEqual(chosen.map((s) => reference[s]));
          }
        }
        for (const threads of [1, 3]) {
          using other = await withAdapter(config, dtype, threads);
          expect((await other.logProbs(all, { adapter: 'policy' })).map(bits)).toEqual(reference);
          expect((await other.values(all, { adapter: 'policy' })).map(bits)).toEqual(values);
        }
      });
    });

    test('a generation with the cache has the log-probs that scoring gives', async () => {
      await withIsa(isa, async () => {
        using model = await withAdapter(oddConfig, dtype);
        // Lengths on both sides of a page of 64 keys; the second group crosses it while generating.
        const prompts = [1, 7, 50, 63, 64, 65, 100, 128].flatMap((n, i) =>
          sequences(20 + i, 2, n, n, oddConfig.vocabSize),
        );
        const options = {
          adapter: 'policy',
          maxNewTokens: 24,
          temperature: 0.9,
          topP: 0.95,
          n: 2,
          seed: 4,
          stop: [17],
        };
        const reference = await model.generate(prompts, { ...options, maxRows: 64 });
        const whole = reference.map((sample, i) =>
          Int32Array.from([...(prompts[i >> 1] as Int32Array), ...sample.tokens]),
        );
        const scored = await model.logProbs(whole, { adapter: 'policy' });
        reference.forEach((sample, i) => {
          expect(bits(sample.logProbs)).toBe(bits((scored[i] as Float32Array).slice(-sample.tokens.length)));
        });
        for (const maxRows of [1, 3, 16]) {
          const again = await model.generate(prompts, { ...options, maxRows });
          expect(again.map((s) => bits(s.logProbs))).toEqual(reference.map((s) => bits(s.logProbs)));
          expect(again.map((s) => [...s.tokens])).toEqual(reference.map((s) => [...s.tokens]));
        }
        // `ids` name the sequences: alone, under its id, a prompt draws what it drew in the batch.
        const alone = await model.generate([prompts[5] as Int32Array], { ...options, ids: [5] });
        expect(alone.map((s) => [...s.tokens])).toEqual(reference.slice(10, 12).map((s) => [...s.tokens]));
      });
    });

    test('the training step sees the log-probs that scoring gives', async () => {
      await withIsa(isa, async () => {
        using model = await withAdapter(oddConfig, dtype);
        const batch = sequences(6, 5, 2, 90, oddConfig.vocabSize);
        const lossWeights = batch.map((s) => Float32Array.from(s, (_, i) => (i % 3 === 0 ? 0 : 1 + (i % 2))));
        const scored = await model.logProbs(batch, { adapter: 'policy' });
        let total = 0;
        for (const w of lossWeights) for (let i = 1; i < w.length; i++) total += w[i] as number;
        let loss = 0;
        lossWeights.forEach((w, s) => {
          for (let i = 1; i < w.length; i++)
            loss -= ((w[i] as number) * ((scored[s] as Float32Array)[i - 1] as number)) / total;
        });
        using trainer = model.trainer({ adapter: 'policy', microBatchTokens: 64 });
        const step = await trainer.step({ sequences: batch, lossWeights }, { lr: 0 });
        expect(Math.abs(step.loss - loss)).toBeLessThan(1e-12);
      });
    });
  });
});
