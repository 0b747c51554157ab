import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { addonPaths } from '../../src/native/addon.js';
import { linearLayers, Model } from '../../src/native/model.js';
import { oddConfig, sequences } from '../support/models.js';
import { nudge, readSafetensors } from '../support/tensors.js';

const scratch = mkdtempSync(join(tmpdir(), 'srcode-model-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const ones = (batch: readonly Int32Array[]): Float32Array[] => batch.map((s) => new Float32Array(s.length).fill(1));

describe('a model', () => {
  test('is the same bytes after saving and loading', async () => {
    using model = await Model.create(oddConfig, { seed: 1, dtype: 'bf16' });
    await model.save(join(scratch, 'saved'));
    using again = await Model.load(join(scratch, 'saved'), { dtype: 'bf16' });
    expect(again.config).toEqual(model.config);
    const batch = sequences(1, 3, 5, 60, oddConfig.vocabSize);
    expect(await again.logProbs(batch)).toEqual(await model.logProbs(batch));
    await again.save(join(scratch, 'saved-again'));
    for (const file of ['model.safetensors', 'config.json', 'generation_config.json']) {
      expect(readFileSync(join(scratch, 'saved-again', file))).toEqual(readFileSync(join(scratch, 'saved', file)));
    }
  });

  test('tiny loads without weights and speaks', async () => {
    using model = await Model.load('tiny');
    expect(model.config.vocabSize).toBe(2048);
    const [sample] = await model.generate([Int32Array.of(1, 2, 3)], { maxNewTokens: 4, temperature: 0, stop: [] });
    expect(sample?.tokens).toHaveLength(4);
    expect(sample?.finish).toBe('length');
  });

  test('is the same numbers for the same seed, and others for another', async () => {
    const batch = sequences(1, 2, 5, 60, oddConfig.vocabSize);
    const of = async (seed: number): Promise<Float32Array[]> => {
      using model = await Model.create(oddConfig, { seed });
      return model.logProbs(batch);
    };
    expect(await of(3)).toEqual(await of(3));
    expect(await of(3)).not.toEqual(await of(4));
  });

  test('keeps adapters apart, and its base as it was', async () => {
    using model = await Model.create(oddConfig, { seed: 1, dtype: 'f32' });
    const batch = sequences(1, 3, 5, 60, oddConfig.vocabSize);
    const base = await model.logProbs(batch);
    await model.adapters.create('a', { rank: 4, targets: ['q_proj', 'up_proj'] });
    await model.adapters.create('b', { rank: 2, targets: linearLayers });
    expect(await model.logProbs(batch, { adapter: 'a' })).toEqual(base); // B is zero
    using trainer = model.trainer({ adapter: 'a', optimizer: { lr: 0.05 } });
    await trainer.step({ sequences: batch, lossWeights: ones(batch) });
    const trained = await model.logProbs(batch, { adapter: 'a' });
    expect(trained).not.toEqual(base);
    expect(await model.logProbs(batch, { adapter: 'b' })).toEqual(base);
    expect(await model.logProbs(batch)).toEqual(base);
    await model.adapters.save('a', join(scratch, 'a'));
    await model.adapters.remove('a');
    await expect(model.logProbs(batch, { adapter: 'a' })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG' });
    await model.adapters.load('c', join(scratch, 'a'));
    expect(await model.logProbs(batch, { adapter: 'c' })).toEqual(trained);
    expect(model.adapters.names()).toEqual(['b', 'c']);
  });

  test('greedy generation takes the first of the most probable tokens and stops at a stop token', async () => {
    using model = await Model.create(oddConfig, { seed: 2, dtype: 'f32' });
    const prompt = Int32Array.of(5, 9, 11);
    const [greedy] = await model.generate([prompt], { maxNewTokens: 8, temperature: 0 });
    for (let i = 0; i < 8; i++) {
      const before = Int32Array.from([...prompt, ...(greedy as { tokens: Int32Array }).tokens.slice(0, i)]);
      const candidates = Array.from({ length: oddConfig.vocabSize }, (_, t) => Int32Array.from([...before, t]));
      const last = (await model.logProbs(candidates)).map((p) => p.at(-1) as number);
      expect(greedy?.tokens[i]).toBe(last.indexOf(Math.max(...last)));
    }
    const stop = greedy?.tokens[3] as number;
    const [stopped] = await model.generate([prompt], { maxNewTokens: 8, temperature: 0, stop: [stop] });
    expect(stopped?.finish).toBe('stop');
    expect(stopped?.tokens.at(-1)).toBe(stop);
    expect(stopped?.tokens).toEqual(greedy?.tokens.slice(0, (greedy?.tokens.indexOf(stop) as number) + 1));
  });

  test('ends a generation at the end of its context', async () => {
    using model = await Model.create({ ...oddConfig, contextLength: 20 }, { seed: 2 });
    const [sample] = await model.generate([new Int32Array(15)], { maxNewTokens: 50 });
    expect(sample?.tokens).toHaveLength(5);
    expect(sample?.finish).toBe('length');
  });
});

describe('a trainer', () => {
  test('lowers the loss, of an adapter and of the whole model, and names what it trained on', async () => {
    const batch = sequences(4, 4, 20, 40, oddConfig.vocabSize);
    for (const adapter of ['a', undefined]) {
      for (const dtype of ['f32', 'bf16'] as const) {
        using model = await Model.create(oddConfig, { seed: 1, dtype });
        if (adapter) await model.adapters.create(adapter, { rank: 8 });
        using trainer = model.trainer({ ...(adapter ? { adapter } : {}), optimizer: { lr: 0.01 } });
        const losses: number[] = [];
        for (let i = 0; i < 20; i++) {
          const step = await trainer.step({ sequences: batch, lossWeights: ones(batch) });
          expect(step.tokens).toBe(batch.reduce((n, s) => n + s.length - 1, 0));
          losses.push(step.loss);
        }
        expect(losses.at(-1)).toBeLessThan((losses[0] as number) - 0.5);
      }
    }
  });

  test.each(['a', undefined])('resumes to the same bytes (adapter: %s)', async (adapter) => {
    const batch = sequences(4, 3, 20, 40, oddConfig.vocabSize);
    const which = adapter ? { adapter } : {};
    const start = async (): Promise<Model> => {
      const model = await Model.create(oddConfig, { seed: 1, dtype: 'bf16' });
      if (adapter) await model.adapters.create(adapter, { rank: 4 });
      return model;
    };
    const step = { sequences: batch, lossWeights: ones(batch) };
    using straight = await start();
    using trainer = straight.trainer(which);
    const losses: number[] = [];
    for (let i = 0; i < 6; i++) losses.push((await trainer.step(step)).loss);

    using first = await start();
    using before = first.trainer(which);
    for (let i = 0; i < 3; i++) await before.step(step);
    const folder = join(scratch, `resume-${adapter}`);
    await before.save(folder);
    if (adapter) await first.adapters.save(adapter, folder);
    else await first.save(folder);

    using second = adapter ? await start() : await Model.load(folder, { dtype: 'bf16' });
    if (adapter) {
      await second.adapters.remove(adapter);
      await second.adapters.load(adapter, folder);
    }
    using after = second.trainer(which);
    await after.load(folder);
    for (let i = 3; i < 6; i++) expect((await after.step(step)).loss).toBe(losses[i]);
    expect(await second.logProbs(batch, which)).toEqual(await straight.logProbs(batch, which));
  });

  test('skips a step whose gradient is not finite, and gives up naming a tensor', async () => {
    using model = await Model.create(oddConfig, { seed: 1, dtype: 'f32' });
    await model.adapters.create('a', { rank: 2 });
    const folder = join(scratch, 'infinite');
    await model.adapters.save('a', folder);
    const file = join(folder, 'adapter_model.safetensors');
    const name = 'base_model.model.model.layers.1.mlp.down_proj.lora_B.weight';
    nudge(file, file, { [name]: Float32Array.of(Number.POSITIVE_INFINITY) }, 1);
    await model.adapters.load('b', folder);
    const batch = sequences(4, 2, 20, 40, oddConfig.vocabSize);
    using trainer = model.trainer({ adapter: 'b', maxNonFinite: 2 });
    expect((await trainer.step({ sequences: batch, lossWeights: ones(batch) })).skipped).toBe(true);
    await model.adapters.save('b', join(scratch, 'infinite-after'));
    expect(readSafetensors(join(scratch, 'infinite-after', 'adapter_model.safetensors'))).toEqual(
      readSafetensors(file),
    );
    await expect(trainer.step({ sequences: batch, lossWeights: ones(batch) })).rejects.toMatchObject({
      code: 'ERR_NON_FINITE',
      message: expect.stringContaining('lora_'),
    });
  });
});

describe('bad input is refused by name', () => {
  test('what is wrong with a batch, a prompt, an option', async () => {
    using model = await Model.create(oddConfig, { seed: 1 });
    await model.adapters.create('a', {});
    using trainer = model.trainer({ adapter: 'a' });
    const good = Int32Array.of(1, 2, 3);
    const cases: [() => Promise<unknown>, string, RegExp][] = [
      [
        () => model.logProbs([good, Int32Array.of(1, 211)]),
        'ERR_INVALID_ARG',
        /sequence 1: token 211 at position 1.*\[0, 211\)/,
      ],
      [() => model.logProbs([new Int32Array(0)]), 'ERR_SHAPE', /sequence 0: expected at least 1/],
      [() => model.logProbs([new Int32Array(257)]), 'ERR_SHAPE', /257 tokens, the model's context is 256/],
      [() => model.generate([new Int32Array(256)]), 'ERR_SHAPE', /prompt 0 fills the context of 256/],
      [() => model.generate([good], { temperature: -1 }), 'ERR_INVALID_ARG', /temperature/],
      [() => model.generate([good], { ids: [1, 2] }), 'ERR_SHAPE', /an id for each of the 1 prompts, received 2/],
      [() => model.logProbs([good], { adapter: 'b' }), 'ERR_INVALID_ARG', /no adapter named 'b'; there is a/],
      [() => model.values([good], { adapter: 'a' }), 'ERR_INVALID_ARG', /value head/],
      [
        () => trainer.step({ sequences: [good], lossWeights: [new Float32Array(2)] }),
        'ERR_SHAPE',
        /expected 3 loss weights, received 2/,
      ],
      [
        () => trainer.step({ sequences: [good], lossWeights: [new Float32Array(3)] }),
        'ERR_INVALID_ARG',
        /no supervised token/,
      ],
      [() => trainer.rewardStep({ chosen: [good], rejected: [good] }), 'ERR_INVALID_ARG', /reward head/],
      [() => model.adapters.create('a', {}), 'ERR_INVALID_ARG', /exists already/],
      [() => model.adapters.create('b', { targets: ['q_prj'] }), 'ERR_INVALID_ARG', /q_prj/],
      [() => Model.load('/nowhere/model'), 'ERR_FILE_FORMAT', /no such folder/],
      [() => Model.create({ ...oddConfig, kvHeads: 4 }), 'ERR_SHAPE', /multiple of num_key_value_heads/],
    ];
    for (const [call, code, message] of cases) {
      await expect(call()).rejects.toMatchObject({
        name: 'SrcodeError',
        code,
        message: expect.stringMatching(message),
      });
    }
  });

  test('a truncated file and one of another shape', async () => {
    using model = await Model.create(oddConfig, { seed: 1 });
    const folder = join(scratch, 'broken');
    await model.save(folder);
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, hidden_size: 80 }));
    await expect(Model.load(folder)).rejects.toMatchObject({
      code: 'ERR_SHAPE',
      message: expect.stringMatching(/model\.safetensors.*model\.embed_tokens\.weight/s),
    });
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    truncateSync(join(folder, 'model.safetensors'), 5000);
    await expect(Model.load(folder)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' });
    writeFileSync(join(folder, 'config.json'), '{');
    await expect(Model.load(folder)).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringContaining('config.json'),
    });
  });

  test('a call on a model that was disposed of', async () => {
    const model = await Model.create(oddConfig, { seed: 1 });
    const late = model.logProbs([Int32Array.of(1, 2)]);
    model.dispose();
    model.dispose();
    expect(await late).toHaveLength(1); // it was under way
    await expect(model.logProbs([Int32Array.of(1, 2)])).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });
});

describe('work in flight', () => {
  const long = { maxNewTokens: 200, stop: [] };

  test('stops at an abort with its reason, and the model lives on', async () => {
    using model = await Model.create(oddConfig, { seed: 1 });
    const prompts = sequences(1, 64, 40, 50, oddConfig.vocabSize);
    const reason = new Error('enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 20);
    await expect(model.generate(prompts, { ...long, n: 8, signal: controller.signal })).rejects.toBe(reason);
    await expect(model.generate(prompts, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(model.generate(prompts, { ...long, n: 8, signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    expect(await model.logProbs([Int32Array.of(1, 2)])).toHaveLength(1);
  });

  // The addon itself, in a process of its own: what ends here must not end this one.
  const script = (body: string): string => `
    const addon = require(${JSON.stringify(addonPaths().find((path) => path.includes('Release')))});
    const { Worker, isMainThread, parentPort } = require('node:worker_threads');
    const config = ${JSON.stringify({ ...oddConfig, ropeFactor: 1, dtype: 'bf16' })};
    const start = () => addon.createModel(config, 1, { device: 'cpu', threads: 2 });
    const options = { maxNewTokens: 200, temperature: 1, topP: 1, topK: 0, n: 16, seed: 0, ids: [], stop: [], maxRows: 64, behaviorLogProbs: false };
    const generate = (model) => model.generate(Array.from({ length: 16 }, () => new Int32Array(40)), options, '');
    ${body}`;
  const run = (body: string) =>
    spawnSync(process.execPath, ['-e', script(body)], { encoding: 'utf8', timeout: 60_000 });

  test('survives process.exit in the middle of a step', () => {
    const { status, signal, stderr } = run(
      'start().then((model) => { generate(model); setTimeout(() => process.exit(7), 30); });',
    );
    expect({ status, signal, stderr }).toEqual({ status: 7, signal: null, stderr: '' });
  });

  test('survives workers that are terminated in the middle of a step', () => {
    const worker = script(
      "start().then((model) => { for (let i = 0; i < 4; i++) generate(model); parentPort.postMessage('busy'); });",
    );
    const { status, signal, stdout, stderr } = run(`
      (async () => {
        for (let i = 0; i < 12; i++) {
          const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
          await new Promise((resolve) => worker.once('message', resolve));
          await new Promise((resolve) => setTimeout(resolve, i));
          await worker.terminate();
        }
        const model = await start();
        console.log((await model.logProbs([new Int32Array(4)], ''))[0].length);
      })();`);
    expect({ status, signal, stdout, stderr }).toEqual({ status: 0, signal: null, stdout: '3\n', stderr: '' });
  });
});
