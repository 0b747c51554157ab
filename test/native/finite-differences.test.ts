import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Model } from '../../src/native/model.js';
import { fixtures, readIndex } from '../support/fixtures.js';
import { readSafetensors, type Tensor, writeSafetensors } from '../support/tensors.js';

// The gradients against nothing but the forward pass: along a tensor's own gradient g the loss must climb by |g| a unit of length.

const NAME = 'llama';
const H = 0.02;
const record = readIndex().models[NAME];
if (!record?.lossWeights) throw new Error(`no weights for ${NAME} in index.json`);
const batch = {
  sequences: record.sequences.map((ids) => Int32Array.from(ids)),
  lossWeights: record.lossWeights.map((weights) => Float32Array.from(weights)),
};
const scratch = mkdtempSync(join(tmpdir(), 'srcode-differences-'));
afterAll(() => rmSync(scratch, { recursive: true }));

// Σ w·(-log p) / Σ w in double.
async function loss(model: Model, adapter?: string): Promise<number> {
  const logProbs = await model.logProbs(batch.sequences, adapter === undefined ? {} : { adapter });
  let sum = 0;
  let weight = 0;
  for (const [s, each] of logProbs.entries()) {
    for (const [i, logProb] of each.entries()) {
      const w = batch.lossWeights[s]?.[i + 1] ?? Number.NaN;
      sum -= w * logProb;
      weight += w;
    }
  }
  return sum / weight;
}

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

// The derivative along g/|g|, from four values of the loss: the error is of order h⁴.
async function climb(
  tensors: Record<string, Tensor>,
  name: string,
  gradient: Float32Array,
  lossOf: (tensors: Record<string, Tensor>) => Promise<number>,
): Promise<number> {
  const { shape, values } = tensors[name] as Tensor;
  const length = norm(gradient);
  const at = (step: number) =>
    lossOf({
      ...tensors,
      [name]: { shape, values: values.map((x, i) => x + (step * (gradient[i] as number)) / length) },
    });
  return (8 * ((await at(H)) - (await at(-H))) - ((await at(2 * H)) - (await at(-2 * H)))) / (12 * H);
}

describe('gradients are finite differences of the loss', () => {
  test('all parameters', async () => {
    const tensors = readSafetensors(join(fixtures, NAME, 'model.safetensors'));
    const home = join(scratch, 'model');
    mkdirSync(home);
    copyFileSync(join(fixtures, NAME, 'config.json'), join(home, 'config.json'));
    using model = await Model.load(join(fixtures, NAME), { dtype: 'f32' });
    using trainer = model.trainer({});
    const gradients = await trainer.gradients(batch);
    const total = norm(Float32Array.from(Object.values(gradients).map(norm)));
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, gradient] of Object.entries(gradients)) {
      const slope = await climb(tensors, name, gradient, async (changed) => {
        writeSafetensors(join(home, 'model.safetensors'), changed);
        using perturbed = await Model.load(home, { dtype: 'f32' });
        return loss(perturbed);
      });
      expect(Math.abs(slope - norm(gradient)), name).toBeLessThan(1e-4 * total);
    }
  });

  test('an adapter', async () => {
    const source = join(fixtures, NAME, 'adapters/some');
    const tensors = readSafetensors(join(source, 'adapter_model.safetensors'));
    const home = join(scratch, 'adapter');
    mkdirSync(home);
    copyFileSync(join(source, 'adapter_config.json'), join(home, 'adapter_config.json'));
    using model = await Model.load(join(fixtures, NAME), { dtype: 'f32' });
    await model.adapters.load('policy', source);
    using trainer = model.trainer({ adapter: 'policy' });
    const gradients = await trainer.gradients(batch);
    const total = norm(Float32Array.from(Object.values(gradients).map(norm)));
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, gradient] of Object.entries(gradients)) {
      const slope = await climb(tensors, name, gradient, async (changed) => {
        writeSafetensors(join(home, 'adapter_model.safetensors'), changed);
        await model.adapters.load('perturbed', home);
        const value = await loss(model, 'perturbed');
        await model.adapters.remove('perturbed');
        return value;
      });
      expect(Math.abs(slope - norm(gradient)), name).toBeLessThan(1e-4 * total);
    }
  });
});
