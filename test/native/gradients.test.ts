import { mkdtempSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type LmBatch, linearLayers, Model, type PairBatch } from '../../src/native/model.js';
import { direction, distance, dot, norm, slope } from '../support/gradients.js';
import { llamaConfig, oddConfig, sequences } from '../support/models.js';
import { nudge } from '../support/tensors.js';

const scratch = mkdtempSync(join(tmpdir(), 'srcode-gradients-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const config = { ...oddConfig, vocabSize: 61, hiddenSize: 24, intermediateSize: 40, heads: 2, kvHeads: 1 };
const batch: LmBatch = (() => {
  const all = sequences(8, 4, 5, 80, config.vocabSize);
  return {
    sequences: all,
    lossWeights: all.map((s) => Float32Array.from(s, (_, i) => (i % 4 === 3 ? 0 : 0.5 + (i % 2)))),
  };
})();
const pairs: PairBatch = {
  chosen: sequences(1, 3, 4, 70, config.vocabSize),
  rejected: sequences(2, 3, 4, 70, config.vocabSize),
};

async function lmLoss(model: Model, adapter?: string): Promise<number> {
  const scored = await model.logProbs(batch.sequences, adapter ? { adapter } : {});
  let loss = 0;
  let total = 0;
  batch.lossWeights.forEach((w, s) => {
    for (let i = 1; i < w.length; i++) {
      total += w[i] as number;
      loss -= (w[i] as number) * ((scored[s] as Float32Array)[i - 1] as number);
    }
  });
  return loss / total;
}

async function pairLoss(model: Model): Promise<number> {
  const scores = await model.rewards([...pairs.chosen, ...pairs.rejected], { adapter: 'a' });
  const n = pairs.chosen.length;
  return (
    pairs.chosen.reduce(
      (sum, _, i) => sum + Math.log1p(Math.exp((scores[n + i] as number) - (scores[i] as number))),
      0,
    ) / n
  );
}

describe('gradients are the slopes of the loss (f32, finite differences within 1e-3 of the gradient norm)', () => {
  test.each([
    ['Qwen2', config],
    ['Llama', { ...llamaConfig, vocabSize: 61, hiddenSize: 24 }],
  ])('all parameters of a %s', async (name, shape) => {
    const from = join(scratch, name);
    using model = await Model.create(shape, { seed: 1, dtype: 'f32' });
    await model.save(from);
    using trainer = model.trainer();
    const gradients = await trainer.gradients(batch);
    const d = direction(gradients, 3);
    const to = join(scratch, `${name}-moved`);
    await cp(from, to, { recursive: true });
    const at = async (scale: number): Promise<Model> => {
      nudge(join(from, 'model.safetensors'), join(to, 'model.safetensors'), d, scale);
      return Model.load(to, { dtype: 'f32' });
    };
    expect(Math.abs((await slope(at, lmLoss)) - dot(gradients, d)) / norm(gradients)).toBeLessThan(1e-3);
  });

  test.each([
    ['all linear layers', linearLayers],
    ['q, v and down', ['q_proj', 'v_proj', 'down_proj'] as const],
  ])('LoRA on %s, by the LM loss and by pairs', async (_name, targets) => {
    using model = await Model.create(config, { seed: 2, dtype: 'f32' });
    await model.adapters.create('a', { rank: 3, alpha: 6, targets, heads: ['reward'] });
    using trainer = model.trainer({ adapter: 'a', optimizer: { lr: 0.05 } });
    for (let i = 0; i < 2; i++) {
      await trainer.step(batch);
      await trainer.rewardStep(pairs);
    }
    const from = join(scratch, 'adapter');
    const to = join(scratch, 'adapter-moved');
    await model.adapters.save('a', from);
    await cp(from, to, { recursive: true });
    for (const [which, loss] of [
      [batch, (m: Model) => lmLoss(m, 'a')],
      [pairs, pairLoss],
    ] as const) {
      const gradients = await trainer.gradients(which);
      const d = direction(gradients, 4);
      const lora = Object.fromEntries(Object.entries(d).filter(([key]) => !key.endsWith('_head.weight')));
      const heads = Object.fromEntries(Object.entries(d).filter(([key]) => key.endsWith('_head.weight')));
      const at = async (scale: number): Promise<Model> => {
        nudge(join(from, 'adapter_model.safetensors'), join(to, 'adapter_model.safetensors'), lora, scale);
        nudge(join(from, 'heads.safetensors'), join(to, 'heads.safetensors'), heads, scale);
        const other = await Model.create(config, { seed: 2, dtype: 'f32' });
        await other.adapters.load('a', to);
        return other;
      };
      expect(Math.abs((await slope(at, loss)) - dot(gradients, d)) / norm(gradients)).toBeLessThan(1e-3);
    }
  });
});

describe('gradients add up', () => {
  async function gradients(
    dtype: 'f32' | 'bf16',
    which: LmBatch,
    microBatchTokens = 4096,
  ): Promise<Record<string, Float32Array>> {
    using model = await Model.create(config, { seed: 7, dtype });
    using trainer = model.trainer({ microBatchTokens });
    return trainer.gradients(which);
  }
  test.each([
    ['f32', 1e-6],
    ['bf16', 5e-3],
  ] as const)('over passes: many small ones give what one gives (%s, relative %d)', async (dtype, tolerance) => {
    expect(distance(await gradients(dtype, batch), await gradients(dtype, batch, 1))).toBeLessThan(tolerance);
  });

  test('over sequences: packed gives the weighted mean of each alone (f32, relative 1e-6)', async () => {
    const packed = await gradients('f32', batch);
    const weight = (w: Float32Array): number => w.slice(1).reduce((a, b) => a + b, 0);
    const total = batch.lossWeights.reduce((a, w) => a + weight(w), 0);
    const sum: Record<string, Float32Array> = {};
    for (let s = 0; s < batch.sequences.length; s++) {
      const one = {
        sequences: [batch.sequences[s] as Int32Array],
        lossWeights: [batch.lossWeights[s] as Float32Array],
      };
      for (const [name, g] of Object.entries(await gradients('f32', one))) {
        const share = weight(one.lossWeights[0] as Float32Array) / total;
        sum[name] ??= new Float32Array(g.length);
        g.forEach((v, i) => {
          (sum[name] as Float32Array)[i] = ((sum[name] as Float32Array)[i] as number) + share * v;
        });
      }
    }
    expect(distance(packed, sum)).toBeLessThan(1e-6);
  });
});
