import { mkdtempSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Clip, kernels } from '../../src/native/kernels.js';
import { Model, type PpoBatch, type PpoOptions, type Trainer, type ValueBatch } from '../../src/native/model.js';
import { direction, distance, dot, norm, slope } from '../support/gradients.js';
import { oddConfig, random, sequences } from '../support/models.js';
import { nudge, readSafetensors } from '../support/tensors.js';

const scratch = mkdtempSync(join(tmpdir(), 'srcode-ppo-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const config = { ...oddConfig, vocabSize: 61, hiddenSize: 24, intermediateSize: 40, heads: 2, kvHeads: 1 };
const clips: [string, Clip][] = [
  ['ppo', { kind: 'ppo', epsilon: 0.2 }],
  ['dual', { kind: 'dual', epsilon: 0.2, c: 3 }],
  ['sapo', { kind: 'sapo', tauPos: 1, tauNeg: 1.05 }],
  ['cispo', { kind: 'cispo', cap: 1.28 }],
];
const flat = (lists: readonly Float32Array[]): Float32Array => Float32Array.from(lists.flatMap((list) => [...list]));
const map = (lists: readonly Float32Array[], f: (x: number, i: number, s: number) => number): Float32Array[] =>
  lists.map((list, s) => list.map((x, i) => f(x, i, s)));

/** A policy whose LoRA and heads are no longer where they start. */
async function policy(
  dtype: 'f32' | 'bf16' = 'f32',
  heads: ('value' | 'reward')[] = ['value', 'reward'],
): Promise<Model> {
  const model = await Model.create(config, { seed: 2, dtype });
  await model.adapters.create('policy', { rank: 3, alpha: 6, heads });
  using trainer = model.trainer({ adapter: 'policy', optimizer: { lr: 0.05 } });
  const all = sequences(1, 4, 6, 30, config.vocabSize);
  const half = { chosen: all.slice(0, 2), rejected: all.slice(2) };
  for (let i = 0; i < 2; i++) {
    await trainer.step({ sequences: all, lossWeights: all.map((s) => new Float32Array(s.length).fill(1)) });
    if (heads.includes('reward')) await trainer.rewardStep(half);
    if (heads.includes('value')) {
      const returns = all.map((s) => new Float32Array(s.length - 1).fill(1));
      await trainer.valueStep({ sequences: all, responseStart: all.map(() => 1), returns });
    }
  }
  return model;
}

/** What scoring says of the batch's response tokens. */
async function scored(model: Model, batch: Pick<PpoBatch, 'sequences' | 'responseStart'>, adapter = 'policy') {
  const cut = (list: Float32Array, s: number, end: number): Float32Array =>
    list.slice((batch.responseStart[s] as number) - 1, end);
  const logProbs = (await model.logProbs(batch.sequences, { adapter })).map((l, s) => cut(l, s, l.length));
  const values = (await model.values(batch.sequences, { adapter })).map((l, s) => cut(l, s, l.length - 1));
  return { logProbs, values };
}

/** Responses whose ratios, values and advantages lie on all sides of the clips, and not near an edge. */
async function batchOf(model: Model): Promise<{ [K in keyof PpoBatch]-?: NonNullable<PpoBatch[K]> }> {
  const all = sequences(8, 5, 9, 70, config.vocabSize);
  const responseStart = all.map((s, i) => (i === 0 ? 1 : Math.ceil(s.length / 2)));
  const { logProbs, values } = await scored(model, { sequences: all, responseStart });
  const ratios = [0.6, 0.92, 1, 1.1, 1.5, 4];
  const next = random(3);
  const noise = (size: number) => (): number => size * (2 * next() - 1);
  const advantage = noise(2);
  return {
    sequences: all,
    responseStart,
    oldLogProbs: map(logProbs, (p, i, s) => p - Math.log(ratios[(i + s) % ratios.length] as number)),
    advantages: map(logProbs, advantage),
    returns: map(values, (v, i) => v + ([-1, -0.4, 0.3, 0.9][i % 4] as number)),
    oldValues: map(values, (v, i) => v + ([0, -0.5, 0.05, 0.5, -0.05][i % 5] as number)),
    refLogProbs: map(logProbs, (p) => p + 0.3 * advantage()),
  };
}

const whole = { valueCoef: 0.3, entropyCoef: 0.05, klCoef: 0.2, maxRatio: 0 };

/** The adapter's tensors, as they are saved. */
async function tensors(model: Model, adapter = 'policy') {
  const folder = mkdtempSync(join(scratch, 'adapter-'));
  await model.adapters.save(adapter, folder);
  return {
    ...readSafetensors(join(folder, 'adapter_model.safetensors')),
    ...readSafetensors(join(folder, 'heads.safetensors')),
  };
}

describe('gradients are the slopes of the loss (f32, finite differences within 1e-3 of the gradient norm)', () => {
  /** |slope along a direction - gradient along it| / |gradient|, where the model is moved by its adapter's files. */
  async function error(
    model: Model,
    gradients: Record<string, Float32Array>,
    loss: (trainer: Trainer) => Promise<number>,
  ): Promise<number> {
    const from = mkdtempSync(join(scratch, 'from-'));
    const to = mkdtempSync(join(scratch, 'to-'));
    await model.adapters.save('policy', from);
    await cp(from, to, { recursive: true });
    const d = direction(gradients, 4);
    const share = (file: string): Record<string, Float32Array> =>
      Object.fromEntries(Object.entries(d).filter(([name]) => name in readSafetensors(join(from, file))));
    const at = async (scale: number): Promise<Model> => {
      for (const file of ['adapter_model.safetensors', 'heads.safetensors'])
        nudge(join(from, file), join(to, file), share(file), scale);
      const other = await Model.create(config, { seed: 2, dtype: 'f32' });
      await other.adapters.load('policy', to);
      return other;
    };
    const at0 = async (moved: Model): Promise<number> => {
      using trainer = moved.trainer({ adapter: 'policy' });
      return loss(trainer);
    };
    return Math.abs((await slope(at, at0, 0.003)) - dot(gradients, d)) / norm(gradients);
  }

  test.each(
    clips.flatMap(([name, clip]) => (['mean', 'sum'] as const).map((aggregation) => ({ name, clip, aggregation }))),
  )('policy ($name, $aggregation), value, entropy and KL together', async ({ clip, aggregation }) => {
    using model = await policy('f32', ['value']);
    const batch = await batchOf(model);
    const options = { ...whole, clip, aggregation };
    using trainer = model.trainer({ adapter: 'policy' });
    const gradients = await trainer.gradients(batch, options);
    // CISPO's multiplier is held while log π moves: its slope is that of the linearised loss.
    const { gradLogProbs } = kernels.ppoLoss({
      logProbs: flat((await scored(model, batch)).logProbs),
      oldLogProbs: flat(batch.oldLogProbs),
      advantages: flat(batch.advantages),
      clip,
      aggregation,
    });
    const loss = async (moved: Trainer): Promise<number> => {
      const step = await moved.ppoStep(batch, { ...options, lr: 0 });
      if (clip.kind !== 'cispo') return step.loss;
      const linear = flat(step.logProbs).reduce((sum, p, i) => sum + p * (gradLogProbs[i] as number), 0);
      return step.loss - step.policyLoss + linear;
    };
    expect(await error(model, gradients, loss)).toBeLessThan(1e-3);
  });

  test('the value loss alone', async () => {
    using model = await policy('f32', ['value']);
    const batch = await batchOf(model);
    const values: ValueBatch = (({ sequences, responseStart, returns, oldValues }) => ({
      ...{ sequences, responseStart, returns, oldValues },
    }))(batch);
    using trainer = model.trainer({ adapter: 'policy' });
    const gradients = await trainer.gradients(values);
    const loss = async (moved: Trainer): Promise<number> => (await moved.valueStep(values, { lr: 0 })).loss;
    expect(await error(model, gradients, loss)).toBeLessThan(1e-3);
  });
});

describe('the loss', () => {
  test('is, by hand, what two tokens make it', async () => {
    using model = await Model.create(config, { seed: 2, dtype: 'f32' });
    await model.adapters.create('policy', { heads: ['value'] }); // V = 0 everywhere
    const batch = { sequences: [Int32Array.of(3, 1, 4, 15)], responseStart: [2] };
    const [p, q] = (await scored(model, batch)).logProbs[0] as Float32Array as unknown as [number, number];
    using trainer = model.trainer({ adapter: 'policy' });
    const step = await trainer.ppoStep(
      {
        ...batch,
        oldLogProbs: [Float32Array.of(p - Math.log(1.5), q - Math.log(0.9))],
        advantages: [Float32Array.of(1, -2)],
        returns: [Float32Array.of(1, -1)],
        oldValues: [Float32Array.of(0.5, 0)],
        refLogProbs: [Float32Array.of(p - Math.LN2, q)],
      },
      { clip: { kind: 'ppo', epsilon: 0.2 }, klCoef: 0.2 },
    );
    // -min(1.5, 1.2) and -0.9 · -2; V is held at 0.3, nearer to 1 than V itself; k3 of ln 2 is ln 2 - 1/2.
    expect(step.policyLoss).toBeCloseTo((-1.2 + 1.8) / 2, 5);
    expect(step.valueLoss).toBeCloseTo((1 + 1) / 4, 6);
    expect(step.kl3).toBeCloseTo((Math.LN2 - 0.5) / 2, 5);
    expect(step.loss).toBeCloseTo(0.3 + 0.1 * 0.5 + 0.2 * ((Math.LN2 - 0.5) / 2), 5);
    expect(step.clipFraction).toBe(0.5);
    expect(step.meanRatio).toBeCloseTo((1.5 + 0.9) / 2, 5);
    expect(step.approxKl).toBeCloseTo((0.5 - Math.log(1.5) - 0.1 - Math.log(0.9)) / 2, 5);
    expect(step).toMatchObject({ tokens: 2, skipped: false });
    expect(step.values).toEqual([Float32Array.of(0, 0)]);
    expect(step).not.toHaveProperty('entropy');
  });

  test.each(clips.flatMap(([name, clip]) => (['f32', 'bf16'] as const).map((dtype) => ({ name, clip, dtype }))))(
    'is what the kernel makes of scored log-probs and values ($name, $dtype)',
    async ({ clip, dtype }) => {
      using model = await policy(dtype);
      const batch = await batchOf(model);
      const { logProbs, values } = await scored(model, batch);
      using trainer = model.trainer({ adapter: 'policy', microBatchTokens: 64 });
      const step = await trainer.ppoStep(batch, { ...whole, clip, lr: 0 });
      expect(step.logProbs).toEqual(logProbs);
      expect(step.values).toEqual(values);
      const kernel = kernels.ppoLoss({
        logProbs: flat(logProbs),
        oldLogProbs: flat(batch.oldLogProbs),
        advantages: flat(batch.advantages),
        values: flat(values),
        oldValues: flat(batch.oldValues),
        returns: flat(batch.returns),
        clip,
      });
      const [n, ref, old] = [step.tokens, flat(batch.refLogProbs), flat(batch.oldLogProbs)];
      const mean = (f: (p: number, i: number) => number): number =>
        flat(logProbs).reduce((sum, p, i) => sum + f(p, i) / n, 0);
      const kl3 = mean((p, i) => Math.exp((ref[i] as number) - p) - 1 + p - (ref[i] as number));
      const ratio = mean((p, i) => Math.exp(p - (old[i] as number)));
      for (const [got, wanted, tolerance] of [
        [step.policyLoss, kernel.loss, 1e-12],
        [step.valueLoss, kernel.valueLoss, 1e-12],
        [step.clipFraction, kernel.clipFraction, 1e-12],
        [step.approxKl, kernel.approxKl, 1e-12],
        [step.kl3, kl3, 1e-12],
        [step.meanRatio, ratio, 1e-6],
        [step.loss, kernel.loss + 0.3 * kernel.valueLoss - 0.05 * (step.entropy as number) + 0.2 * kl3, 1e-12],
      ] as const) {
        expect(Math.abs((got as number) - wanted)).toBeLessThan(tolerance);
      }
    },
  );

  test('has the entropy of the distribution of every next token', async () => {
    using model = await policy();
    const [prefix, rest] = [Int32Array.of(5, 6, 7), Int32Array.of(8, 9)];
    let entropy = 0;
    for (const before of [prefix, Int32Array.of(...prefix, rest[0] as number)]) {
      const nexts = Array.from({ length: config.vocabSize }, (_, token) => Int32Array.of(...before, token));
      const all = await model.logProbs(nexts, { adapter: 'policy' });
      for (const list of all) entropy -= Math.exp(list.at(-1) as number) * (list.at(-1) as number);
    }
    const batch = { sequences: [Int32Array.of(...prefix, ...rest)], responseStart: [3] };
    const two = [new Float32Array(2)];
    using trainer = model.trainer({ adapter: 'policy' });
    const step = await trainer.ppoStep({ ...batch, oldLogProbs: two, advantages: two }, { entropy: true, maxRatio: 0 });
    expect(step.entropy).toBeCloseTo(entropy / 2, 5);
  });
});

describe('batches are cut where memory asks for it', () => {
  test.each([
    ['f32', 1e-6],
    ['bf16', 5e-3],
  ] as const)('and the passes add up to the whole (%s, relative %d)', async (dtype, tolerance) => {
    using model = await policy(dtype);
    const batch = await batchOf(model);
    const results = [];
    for (const microBatchTokens of [4096, 64, 1]) {
      using trainer = model.trainer({ adapter: 'policy', microBatchTokens });
      const gradients = await trainer.gradients(batch, { ...whole, entropy: true });
      results.push({ gradients, step: await trainer.ppoStep(batch, { ...whole, lr: 0 }) });
    }
    const [one, ...others] = results as [(typeof results)[0], ...typeof results];
    for (const { gradients, step } of others) {
      expect(distance(one.gradients, gradients)).toBeLessThan(tolerance);
      expect(step.logProbs).toEqual(one.step.logProbs);
      expect(Math.abs(step.loss - one.step.loss)).toBeLessThan(1e-12);
    }
  });
});

describe('sampling and training agree', () => {
  test.each(['f32', 'bf16'] as const)('the ratio of a fresh sample is 1, exactly (%s)', async (dtype) => {
    using model = await policy(dtype);
    const prompts = sequences(5, 3, 3, 20, config.vocabSize);
    const samples = await model.generate(prompts, { adapter: 'policy', maxNewTokens: 12, n: 2, temperature: 0.8 });
    const batch = {
      sequences: samples.map((s, i) => Int32Array.of(...(prompts[i >> 1] as Int32Array), ...s.tokens)),
      responseStart: samples.map((_, i) => (prompts[i >> 1] as Int32Array).length),
      oldLogProbs: samples.map((s) => s.logProbs),
      advantages: samples.map((s, i) => s.logProbs.map(() => (i % 2 ? 1 : -1))),
    };
    using trainer = model.trainer({ adapter: 'policy', microBatchTokens: 40 });
    const step = await trainer.ppoStep(batch, { entropyCoef: 0.01 });
    expect(step.logProbs).toEqual(batch.oldLogProbs);
    expect(step).toMatchObject({ meanRatio: 1, approxKl: 0, clipFraction: 0, skipped: false });
    // After the update it no longer is.
    expect((await trainer.ppoStep(batch)).approxKl).toBeGreaterThan(0);
  });

  test('improves what it is rewarded for', async () => {
    using model = await policy();
    const [batch, responseStart] = [sequences(6, 2, 20, 20, config.vocabSize), [10, 10]];
    const first = await scored(model, { sequences: batch, responseStart });
    using trainer = model.trainer({ adapter: 'policy', optimizer: { lr: 0.01 } });
    const advantages = map(first.logProbs, (_, _i, s) => (s === 0 ? 1 : -1));
    for (let i = 0; i < 4; i++)
      await trainer.ppoStep({ sequences: batch, responseStart, oldLogProbs: first.logProbs, advantages });
    const { logProbs } = await scored(model, { sequences: batch, responseStart });
    const sum = (list: Float32Array | undefined): number => (list as Float32Array).reduce((a, b) => a + b, 0);
    expect(sum(logProbs[0])).toBeGreaterThan(sum(first.logProbs[0]));
    expect(sum(logProbs[1])).toBeLessThan(sum(first.logProbs[1]));
  });
});

describe('what is clipped has no gradient', () => {
  test.each([
    ['ppo', true],
    ['dual', true],
    ['sapo', false],
    ['cispo', false],
  ] as const)('a rewarded token at ratio 1.5 under %s: %s', async (kind, dead) => {
    using model = await policy();
    const batch = { sequences: [Int32Array.of(1, 2, 3, 4)], responseStart: [3] };
    const { logProbs } = await scored(model, batch);
    using trainer = model.trainer({ adapter: 'policy' });
    const clip = clips.find(([name]) => name === kind)?.[1];
    const gradients = await trainer.gradients(
      { ...batch, oldLogProbs: map(logProbs, (p) => p - Math.log(1.5)), advantages: [Float32Array.of(1)] },
      { clip },
    );
    expect(norm(gradients) === 0).toBe(dead);
  });

  test('a value that has moved too far from the old one, and whose held loss is the larger', async () => {
    using model = await policy();
    const batch = { sequences: [Int32Array.of(1, 2, 3, 4)], responseStart: [3] };
    const { logProbs, values } = await scored(model, batch);
    const v = values[0]?.[0] as number;
    using trainer = model.trainer({ adapter: 'policy' });
    // V = V_old + 1 is held at V_old + 0.2, whose error against R = V + 1 is 1.8.
    const rest = { ...batch, oldLogProbs: logProbs, advantages: [Float32Array.of(0)] };
    const far = { ...rest, oldValues: [Float32Array.of(v - 1)], returns: [Float32Array.of(v + 1)] };
    expect(norm(await trainer.gradients(far))).toBe(0);
    expect(norm(await trainer.gradients(far, { valueClip: 0 }))).toBeGreaterThan(0);
    expect((await trainer.ppoStep(far, { lr: 0 })).valueLoss).toBeCloseTo(0.5 * 1.8 ** 2, 5);
    expect((await trainer.ppoStep(far, { lr: 0, valueClip: 0 })).valueLoss).toBeCloseTo(0.5, 5);
    // With R on the other side the plain loss is the larger, and V is drawn back.
    const back = { ...far, returns: [Float32Array.of(v - 1)] };
    expect(norm(await trainer.gradients(back))).toBeGreaterThan(0);
  });

  test('and a batch with no gradient at all is no error', async () => {
    using model = await policy();
    const batch = await batchOf(model);
    using trainer = model.trainer({ adapter: 'policy' });
    const { returns: _returns, oldValues: _oldValues, ...bare } = batch;
    const advantages = map(batch.advantages, () => 0);
    expect(await trainer.ppoStep({ ...bare, advantages })).toMatchObject({
      gradNorm: 0,
      skipped: false,
      policyLoss: 0,
    });
  });
});

describe('a step that must not be made changes nothing', () => {
  test('because the mean ratio is above the limit', async () => {
    using model = await policy();
    const batch = await batchOf(model);
    const far = { ...batch, oldLogProbs: map(batch.oldLogProbs, (p) => p - Math.log(20)) };
    const before = await tensors(model);
    using trainer = model.trainer({ adapter: 'policy' });
    const step = await trainer.ppoStep(far);
    expect(step).toMatchObject({ skipped: true, reason: 'ratio', gradNorm: 0 });
    expect(step.meanRatio).toBeGreaterThan(10);
    expect(await tensors(model)).toEqual(before);
    const made = await trainer.ppoStep(far, { maxRatio: 0 });
    expect(made.skipped).toBe(false);
    expect(made).not.toHaveProperty('reason');
    expect(await tensors(model)).not.toEqual(before);
  });

  test('because a gradient is not finite, and gives up naming a tensor', async () => {
    using model = await policy();
    const batch = await batchOf(model);
    const folder = join(scratch, 'infinite');
    await model.adapters.save('policy', folder);
    const file = join(folder, 'adapter_model.safetensors');
    const name = 'base_model.model.model.layers.1.mlp.down_proj.lora_B.weight';
    nudge(file, file, { [name]: Float32Array.of(Number.POSITIVE_INFINITY) }, 1);
    await model.adapters.load('broken', folder);
    const before = await tensors(model, 'broken');
    using trainer = model.trainer({ adapter: 'broken', maxNonFinite: 2 });
    expect(await trainer.ppoStep(batch)).toMatchObject({ skipped: true, reason: 'gradient' });
    expect(await tensors(model, 'broken')).toEqual(before);
    await expect(trainer.valueStep(batch)).rejects.toMatchObject({ code: 'ERR_NON_FINITE' });
  });

  test('because it is cancelled', async () => {
    using model = await policy();
    const batch = await batchOf(model);
    const before = await tensors(model);
    using trainer = model.trainer({ adapter: 'policy', microBatchTokens: 1 });
    const control = new AbortController();
    const step = trainer.ppoStep(batch, { signal: control.signal });
    control.abort(new Error('enough'));
    await expect(step).rejects.toThrow('enough');
    await expect(trainer.valueStep(batch, { signal: control.signal })).rejects.toThrow('enough');
    expect(await tensors(model)).toEqual(before);
  });
});

test('a head that has no part in the loss stays as it is', async () => {
  using model = await policy();
  const { returns: _returns, oldValues: _oldValues, ...bare } = await batchOf(model);
  const before = await tensors(model);
  using trainer = model.trainer({ adapter: 'policy' });
  expect(await trainer.ppoStep(bare)).not.toHaveProperty('values');
  const after = await tensors(model);
  for (const head of ['value_head.weight', 'reward_head.weight']) expect(after[head]).toEqual(before[head]);
  const lora = Object.keys(before).filter((name) => name.includes('lora_'));
  for (const name of lora) expect(after[name]).not.toEqual(before[name]);
});

test('PPO trains the whole base model as well', async () => {
  using model = await Model.create(config, { seed: 2, dtype: 'f32' });
  const batch = { sequences: sequences(8, 2, 9, 20, config.vocabSize), responseStart: [4, 5] };
  const old = (await model.logProbs(batch.sequences)).map((l, s) => l.slice((batch.responseStart[s] as number) - 1));
  using trainer = model.trainer();
  const advantages = map(old, (_, i) => (i % 2 ? 1 : -0.5));
  expect(await trainer.ppoStep({ ...batch, oldLogProbs: old, advantages })).toMatchObject({
    meanRatio: 1,
    skipped: false,
  });
  expect((await trainer.ppoStep({ ...batch, oldLogProbs: old, advantages })).approxKl).toBeGreaterThan(0);
});

test('resumes to the same bytes', async () => {
  const batch = await (async () => {
    using model = await policy('bf16');
    return await batchOf(model);
  })();
  const steps = async (trainer: Trainer, n: number) => {
    const results = [];
    for (let i = 0; i < n; i++) {
      results.push(await trainer.ppoStep(batch, whole), await trainer.valueStep(batch));
    }
    return results;
  };
  using straight = await policy('bf16');
  using trainer = straight.trainer({ adapter: 'policy' });
  const all = await steps(trainer, 4);

  using first = await policy('bf16');
  using before = first.trainer({ adapter: 'policy' });
  await steps(before, 2);
  const folder = join(scratch, 'resume');
  await before.save(folder);
  await first.adapters.save('policy', folder);

  using second = await Model.create(config, { seed: 2, dtype: 'bf16' });
  await second.adapters.load('policy', folder);
  using after = second.trainer({ adapter: 'policy' });
  await after.load(folder);
  expect(await steps(after, 2)).toEqual(all.slice(4));
  expect(await tensors(second)).toEqual(await tensors(straight));
});

test('a critic of its own fits a constant', async () => {
  using model = await Model.create(config, { seed: 2, dtype: 'f32' });
  await model.adapters.create('critic', { rank: 3, heads: ['value'] });
  const batch = { sequences: sequences(8, 3, 9, 30, config.vocabSize), responseStart: [4, 5, 6] };
  const returns = batch.sequences.map((s, i) =>
    new Float32Array(s.length - (batch.responseStart[i] as number)).fill(0.7),
  );
  using trainer = model.trainer({ adapter: 'critic', optimizer: { lr: 0.02, weightDecay: 0 } });
  const first = await trainer.valueStep({ ...batch, returns });
  expect(first.loss).toBeCloseTo(0.5 * 0.7 ** 2, 6);
  expect(first.tokens).toBe(returns.reduce((n, r) => n + r.length, 0));
  let loss = first.loss;
  for (let i = 0; i < 100; i++) ({ loss } = await trainer.valueStep({ ...batch, returns }));
  expect(loss).toBeLessThan(1e-3);
  expect((await trainer.valueStep({ ...batch, returns })).values).not.toEqual(first.values);
});

describe('a copy of an adapter', () => {
  test('has its LoRA weights, and a value head from its reward head or from zero', async () => {
    using model = await policy();
    const all = sequences(3, 3, 2, 30, config.vocabSize);
    await model.adapters.copy('critic', 'policy', { heads: { value: 'reward' } });
    await model.adapters.copy('fresh', 'policy', { heads: { value: 'zero', reward: 'reward' } });
    await model.adapters.copy('reference', 'policy');
    expect(model.adapters.names()).toEqual(['policy', 'critic', 'fresh', 'reference']);
    const wanted = await model.logProbs(all, { adapter: 'policy' });
    for (const adapter of ['critic', 'fresh', 'reference']) {
      expect(await model.logProbs(all, { adapter })).toEqual(wanted);
    }
    const rewards = await model.rewards(all, { adapter: 'policy' });
    const values = await model.values(all, { adapter: 'critic' });
    expect(Float32Array.from(values, (v) => v.at(-1) as number)).toEqual(rewards);
    expect(await model.rewards(all, { adapter: 'fresh' })).toEqual(rewards);
    expect((await model.values(all, { adapter: 'fresh' })).every((v) => v.every((x) => x === 0))).toBe(true);
    await expect(model.values(all, { adapter: 'reference' })).rejects.toThrow(/value head/);
    // It is a copy: training it leaves the source alone.
    using trainer = model.trainer({ adapter: 'critic' });
    await trainer.valueStep(await batchOf(model));
    expect(await model.logProbs(all, { adapter: 'policy' })).toEqual(wanted);
    await model.adapters.save('critic', join(scratch, 'critic'));
    await model.adapters.load('again', join(scratch, 'critic'));
    expect(await model.values(all, { adapter: 'again' })).toEqual(await model.values(all, { adapter: 'critic' }));
  });

  test('needs a source, a head to copy, and a free name', async () => {
    using model = await policy('f32', ['reward']);
    for (const [call, pattern] of [
      [() => model.adapters.copy('b', 'nobody'), /No adapter named 'nobody'/],
      [() => model.adapters.copy('b', 'policy', { heads: { reward: 'value' } }), /'policy' has no value head/],
      [() => model.adapters.copy('policy', 'policy'), /exists already/],
    ] as const) {
      await expect(call()).rejects.toMatchObject({ code: 'ERR_INVALID_ARG', message: expect.stringMatching(pattern) });
    }
    expect(model.adapters.names()).toEqual(['policy']);
  });
});

test('what is wrong with a batch is said by name', async () => {
  using model = await policy('f32', ['reward']);
  const [sequence, three] = [Int32Array.of(1, 2, 3, 4), new Float32Array(3)];
  const good: PpoBatch = { sequences: [sequence], responseStart: [1], oldLogProbs: [three], advantages: [three] };
  using trainer = model.trainer({ adapter: 'policy' });
  const cases: [Partial<PpoBatch>, PpoOptions, string, RegExp][] = [
    [
      { responseStart: [0] },
      {},
      'ERR_SHAPE',
      /sequence 0 has 4 tokens: expected its responseStart in \[1, 3\], received 0/,
    ],
    [{ responseStart: [4] }, {}, 'ERR_SHAPE', /received 4/],
    [{ responseStart: [1.5] }, {}, 'ERR_INVALID_ARG', /an integer for responseStart\[0\], received 1.5/],
    [{ responseStart: [] }, {}, 'ERR_SHAPE', /responseStart for each of the 1 sequences, received 0/],
    [{ sequences: [Int32Array.of(1)] }, {}, 'ERR_SHAPE', /sequence 0: expected at least 2/],
    [{ sequences: [], responseStart: [] }, {}, 'ERR_SHAPE', /at least one sequence/],
    [{ advantages: [new Float32Array(2)] }, {}, 'ERR_SHAPE', /sequence 0: expected 3 advantages.*received 2/],
    [{ oldLogProbs: [] }, {}, 'ERR_SHAPE', /oldLogProbs for each of the 1 sequences, received 0/],
    [
      { advantages: [Float32Array.of(0, Number.NaN, 0)] },
      {},
      'ERR_NON_FINITE',
      /sequence 0.*advantages, received nan at \[1\]/,
    ],
    [{ returns: [three] }, {}, 'ERR_INVALID_ARG', /returns and oldValues together/],
    [{ returns: [three], oldValues: [three] }, {}, 'ERR_INVALID_ARG', /an adapter with a value head/],
    [{}, { klCoef: 0.1 }, 'ERR_INVALID_ARG', /no refLogProbs/],
    [{}, { clip: { kind: 'ppo', epsilon: 0 } }, 'ERR_INVALID_ARG', /clip.epsilon/],
    [{}, { maxRatio: -1 }, 'ERR_INVALID_ARG', /maxRatio/],
    [{}, { aggregation: 'median' as 'mean' }, 'ERR_INVALID_ARG', /'median'/],
  ];
  for (const [part, options, code, pattern] of cases) {
    await expect(trainer.ppoStep({ ...good, ...part }, options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(pattern),
    });
  }
  await model.adapters.create('critic', { heads: ['value'] });
  using critic = model.trainer({ adapter: 'critic' });
  await expect(critic.valueStep(good as unknown as ValueBatch)).rejects.toThrow(/needs returns/);
});
