import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PpoConfig } from '../../src/config/ppo.js';
import type { Options } from '../../src/config/schema.js';
import { evaluate } from '../../src/evaluation/evaluate.js';
import { Model } from '../../src/native/model.js';
import type { Notice } from '../../src/run/run.js';
import type { Task } from '../../src/tasks/task.js';
import { Tokenizer } from '../../src/tokenizer/index.js';
import { gaeAdvantages } from '../../src/training/ppo/advantages.js';
import { ppo } from '../../src/training/ppo.js';
import { rewardModel } from '../../src/training/reward-model.js';
import { sft } from '../../src/training/sft.js';
import { type Calls, copyModel, copyTask } from '../support/tasks.js';
import { metrics, tempFolder, timeless } from '../support/training.js';

const folder = tempFolder();
let model = '';
let scorer = '';

beforeAll(async () => {
  model = await copyModel(folder);
  const data = join(folder, 'pairs.jsonl');
  const pair = { chosen: 'snprintf(d, n, "%s", s);', rejected: 'strcpy(d, s);' };
  const rows = Array.from({ length: 10 }, (_, i) => ({ prompt: `<|im_start|>copy ${i}<|im_end|>`, ...pair }));
  writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const options = { lr: 5e-3, steps: 20, heldOut: 0, threads: 1 };
  scorer = (await rewardModel({ model, data: [data], run: join(folder, 'scorer'), ...options })).checkpoint;
});

const small = (run: string, options: Options<PpoConfig> = {}): Options<PpoConfig> => ({
  ...{ model, run, threads: 1, iterations: 6, prompts: 16, minibatch: 8, maxNewTokens: 32, lr: 1e-3 },
  ...{ schedule: { warmup: 0 }, checkpointEvery: 2, evalEvery: 2, shown: 2 },
  ...options,
});
const fresh = (): string => join(tempFolder(), 'run');
const column = (run: string, path: string): number[] =>
  metrics(run)
    .slice(1)
    .map((row) => row[path] ?? Number.NaN);
const samples = (run: string) =>
  readFileSync(join(run, 'samples.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

describe('a run', () => {
  const run = fresh();
  beforeAll(async () => {
    const options = { iterations: 24, prompts: 48, minibatch: 16, lr: 2e-4, seed: 1, evalEvery: 4, evalPrompts: 80 };
    await ppo(small(run, options), { task: copyTask() });
  });

  // Rounding differs by instruction set, and one other token makes another run. The least gains of ten seeds on each of portable, avx2, avx512
  // and avx512_bf16 were .187 (reward), .226 (fs), .312 (held out) and .317 (evaluated), the least KL .378: at most two thirds are asked for.
  test('earns more and more, and what it writes is safe', () => {
    for (const [path, least] of [
      ['rollout/reward', 0.1],
      ['rollout/fs', 0.15],
    ] as const) {
      const values = column(run, path);
      expect(mean(values.slice(-6)) - mean(values.slice(0, 3)), path).toBeGreaterThan(least);
    }
    const rows = metrics(run);
    expect(rows.at(-1)?.['heldout/fs']).toBeGreaterThan((rows[0]?.['heldout/fs'] ?? 1) + 0.2);
  });

  test('samples and trains on one and the same policy: the log-probs differ by exactly 0', () => {
    expect(column(run, 'policy/mismatch')).toEqual(Array(24).fill(0));
    expect(column(run, 'rollout/kl')[0]).toBe(0);
  });

  test('says what happened, with the seconds of its phases apart', () => {
    const last = metrics(run).at(-1) ?? {};
    for (const path of [
      ...['functional', 'secure', 'secure-of-valid', 'missing', 'repeated', 'foreign', 'length', 'entropy'],
    ]) {
      expect(last[`rollout/${path}`], path).toBeTypeOf('number');
    }
    const line = JSON.parse(readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n').at(-1) ?? '');
    expect(Object.keys(line.time.phases)).toEqual(['generate', 'score', 'teach', 'judge', 'update', 'audit', 'check']);
  });

  test('shows answers token by token', () => {
    const rows = samples(run);
    expect(rows.map(({ step }) => step)).toEqual([1, 4, 8, 12, 16, 20, 24].flatMap((step) => [step, step]));
    for (const row of rows) {
      expect(row.tokens.join('')).toBe(`${row.answer}${row.tokens.at(-1) === '<|endoftext|>' ? '<|endoftext|>' : ''}`);
      for (const name of ['reward', 'advantage', 'weight', 'secure']) expect(row[name]).toHaveLength(row.tokens.length);
      const { tokens, penalty, sequence, KL } = row.parts;
      row.reward.forEach((reward: number, t: number) => {
        expect(tokens[t] + penalty[t] + sequence[t] + KL[t]).toBeCloseTo(reward, 4);
      });
      const marked = row.tokens.filter((_: string, t: number) => row.secure[t]).join('');
      expect(marked).toBe(row.answer.includes('snprintf') ? 'snprintf' : '');
    }
  });

  test('ends in an adapter that evaluate runs, rows and rates the same each time', async () => {
    const tokenizer = await Tokenizer.load(model);
    using loaded = await Model.load(model, { threads: 1 });
    await loaded.adapters.load('trained', join(run, 'checkpoints', 'step-24'));
    const options = { model: loaded, tokenizer, task: copyTask(), n: 60, maxNewTokens: 32, reference: null };
    const before = await evaluate(options);
    const after = await evaluate({ ...options, adapter: 'trained' });
    expect(await evaluate({ ...options, adapter: 'trained' })).toEqual(after);
    expect(after.rows).toHaveLength(60);
    expect(after.rows.map(({ id }) => id)).toEqual(before.rows.map(({ id }) => id));
    expect(after.summary.all.fs).toBeGreaterThan(before.summary.all.fs + 0.2);
    const { parity } = after.summary.by;
    expect([parity?.even?.n, parity?.odd?.n]).toEqual([30, 30]);
    expect(before.summary.all.kl).toBe(0);
    expect(after.summary.all.kl).toBeGreaterThan(0.2);
    for (const { functional, secure, fs, answer, secureByTeacher } of after.rows) {
      expect([fs, secureByTeacher]).toEqual([functional && secure, !answer.includes('strcpy')]);
    }
  });
});

describe.each<{ name: string; options: Options<PpoConfig> }>([
  { name: 'a shared critic, adaptive β', options: { kl: { adaptive: { on: true, target: 0.01, horizon: 50 } } } },
  {
    name: 'a critic adapter from the reward model',
    options: { critic: 'adapter', criticWarmup: 2, iterations: 4, valueCoef: 0.5 },
  },
  {
    name: 'groups, KL in the loss, SAPO',
    options: { advantage: 'group', prompts: 6, samples: 3, kl: { estimator: 'k3' }, clip: { kind: 'sapo' } },
  },
])('$name', ({ options }) => {
  const calls: Calls = { teacher: 0, judge: 0 };
  const whole = fresh();
  let config: (run: string) => Options<PpoConfig>;
  beforeAll(async () => {
    config = (run) => small(run, { rewardModel: scorer, ...options });
    await ppo(config(whole), { task: copyTask(calls) });
  });

  test('crashed and stopped again and again, ends as the run that was not, and asks nothing twice', async () => {
    const again: Calls = { teacher: 0, judge: 0 };
    const run = fresh();
    // Dies after these steps, in order: the first before any checkpoint, the others between two.
    for (const [i, at] of [1, 3, 3, 5].entries()) {
      const resumed = ppo(config(run), {
        task: copyTask(again),
        resume: true,
        onStep: ({ step }) => {
          if (step === at) throw new Error(`crash ${i}`);
        },
      });
      await expect(resumed).rejects.toThrow(`crash ${i}`);
    }
    const { alreadyFinished, step } = await ppo(config(run), { task: copyTask(again), resume: true });
    expect([alreadyFinished, step]).toEqual([false, 6]);
    expect(timeless(run)).toEqual(timeless(whole));
    expect(again).toEqual(calls);
  });

  test('stopped by its signal saves a checkpoint and goes on from it', async () => {
    const run = fresh();
    const stop = new AbortController();
    const stopped = ppo(config(run), {
      task: copyTask(),
      signal: stop.signal,
      onStep: ({ step }) => step === 3 && stop.abort(new Error('enough')),
      onNotice: () => {},
    });
    await expect(stopped).rejects.toThrow('enough');
    await ppo(config(run), { task: copyTask(), resume: true });
    const [a, b] = [timeless(run), timeless(whole)];
    for (const name of Object.keys(b)) expect(a[name], name).toEqual(b[name]);
  });

  test('has numbers, exact agreement of sampler and trainer, and a state of its own in the checkpoint', () => {
    for (const row of metrics(whole)) {
      for (const [path, value] of Object.entries(row)) expect(value, path).toBeTypeOf('number');
    }
    const moving = column(whole, 'policy/steps').map((steps) => steps > 0);
    expect(column(whole, 'policy/mismatch').filter((_, i) => moving[i])).toEqual(moving.filter(Boolean).map(() => 0));
    const state = JSON.parse(readFileSync(join(whole, 'checkpoints', 'step-6', 'ppo.json'), 'utf8'));
    expect(state.normalizer.sd).toBeGreaterThan(0.05);
    expect(state.beta).toBeGreaterThan(0);
  });
});

test('adaptive β follows the KL of each iteration, and the rewards use it', async () => {
  const run = fresh();
  const kl = { adaptive: { on: true, target: 1e-3, horizon: 20 } } as const;
  await ppo(small(run, { kl, shown: 16, evalEvery: 1 }), { task: copyTask() });
  const [beta, seen] = [column(run, 'policy/beta'), column(run, 'rollout/kl')];
  // KL is 0 at first: e = -0.2, with 16 answers of a horizon of 20. What follows is above or below the target, as answers have it.
  expect(beta[1]).toBeCloseTo(0.1 * (1 - 0.16), 10);
  for (const [i, after] of beta.slice(1).entries()) {
    const error = Math.max(-0.2, Math.min(0.2, (seen[i] as number) / 1e-3 - 1));
    expect(after).toBeCloseTo((beta[i] as number) * (1 + (error * 16) / 20), 9);
  }
  const rows = samples(run);
  for (const [i, value] of beta.entries()) {
    const paid = rows.filter(({ step }) => step === i + 1).map((row) => sum(row.parts.KL));
    expect(paid).toHaveLength(16);
    expect(mean(paid)).toBeCloseTo(-value * (seen[i] as number), 3);
  }
});

test('while a critic warms up the policy rests, and the critic gets better', async () => {
  const run = fresh();
  const options = { critic: 'adapter', criticWarmup: 5, iterations: 2, criticLr: 3e-3, rewardModel: scorer } as const;
  await ppo(small(run, options), { task: copyTask() });
  expect(column(run, 'policy/steps')).toEqual([0, 0, 0, 0, 0, 4, 4]);
  expect(column(run, 'rollout/kl').slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(column(run, 'train/lr').slice(4)).toEqual([0, 1e-3, 1e-3]);
  expect(column(run, 'rollout/kl')[6]).not.toBe(0);
  const loss = column(run, 'critic/loss');
  expect(loss[4]).toBeLessThan((loss[0] ?? 0) / 2);
});

test('the same rewards at the last token, and as tokens, have equal sums; off has the outcome alone', async () => {
  const arm = async (delivery: 'tokens' | 'last' | 'off'): Promise<{ run: string; rewards: number[][] }> => {
    const run = fresh();
    const options = { iterations: 1, shown: 16, rewardModel: scorer, reward: { tlr: { delivery } } };
    await ppo(small(run, options), { task: copyTask() });
    const rows = samples(run);
    // All answers of the iteration are shown: the metric is about them.
    const weights: number[] = rows.flatMap(({ weight }) => weight);
    const secure: boolean[] = rows.flatMap((row) => row.secure);
    const onSecure = weights.filter((_, t) => secure[t]);
    expect(column(run, 'gradient/secure-share')[0]).toBeCloseTo(
      (mean(onSecure) * onSecure.length) / weights.reduce((a, b) => a + b),
      4,
    );
    return { run, rewards: rows.map(({ reward }) => reward) };
  };
  const [tokens, last, off] = [await arm('tokens'), await arm('last'), await arm('off')];
  const sums = ({ rewards }: { rewards: number[][] }): number[] =>
    rewards.map((row) => row.reduce((sum, reward) => sum + reward, 0));
  for (const [b, sum] of sums(tokens).entries()) expect(sums(last)[b]).toBeCloseTo(sum, 4);
  for (const row of last.rewards) expect(row.slice(0, -1).every((reward) => reward === 0)).toBe(true);
  expect(tokens.rewards.flatMap((row) => row.slice(0, -1)).some((reward) => reward > 0)).toBe(true);
  expect(sums(off)).not.toEqual(sums(last));
  // The rollouts are the same ones, and so is what the reward model said of them.
  for (const path of ['rollout/score', 'rollout/length', 'reward/model', 'rollout/functional']) {
    expect([column(last.run, path), column(off.run, path)]).toEqual([
      column(tokens.run, path),
      column(tokens.run, path),
    ]);
  }
});

test('credit is audited where a task can take away what its teacher credits', async () => {
  const run = fresh();
  const task: Task = {
    ...copyTask(),
    mutants: async ({ prompt, answer }) =>
      new TextDecoder().decode(answer).startsWith('snprintf')
        ? [
            {
              ...{ kind: 'removed', obligation: 'copy', change: 'snprintf to strcpy' },
              sample: { prompt, answer: Buffer.from('strcpy(d, s);') },
            },
          ]
        : [],
  };
  await ppo(small(run, { iterations: 2, evalEvery: null, auditMutants: 3 }), { task });
  for (const row of metrics(run).slice(1)) {
    expect(row).toMatchObject({ 'credit/mutants': 3, 'credit/precision': 1, 'credit/agreement': 1 });
  }
});

test('a target KL ends the updates of an iteration', async () => {
  const run = fresh();
  await ppo(small(run, { lr: 5e-3, targetKl: 1e-4, iterations: 2 }), { task: copyTask() });
  // The first minibatch sees the old policy still.
  expect(column(run, 'policy/steps')).toEqual([2, 2]);
});

test('a KL estimate below 0 under top-p is warned about, once', async () => {
  const data = join(tempFolder(), 'safe.jsonl');
  const response = 'snprintf(d, n, "%s", s);';
  const rows = Array.from({ length: 10 }, (_, i) => ({ prompt: `<|im_start|>copy ${i}<|im_end|>`, response }));
  writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const run = fresh();
  const options = { lr: 1e-3, steps: 20, batchSize: 8, checkpointEvery: 5, heldOut: 0, samples: { count: 0 } };
  const schedule = { kind: 'constant', warmup: 0 } as const;
  await sft({ model, data: [data], run, threads: 1, schedule, ...options });
  const notices: Notice[] = [];
  // The reference is surer of the likeliest tokens, and only they are sampled: -0.31 nats or less for four seeds on portable and on avx2.
  const [init, reference] = [join(run, 'checkpoints', 'step-5'), join(run, 'checkpoints', 'step-20')];
  await ppo(small(fresh(), { init, reference, topP: 0.5, lr: 1e-6, iterations: 2 }), {
    task: copyTask(),
    onNotice: (notice) => notices.push(notice),
  });
  const warnings = notices.filter(({ level }) => level === 'warn');
  expect(warnings).toHaveLength(1);
  expect(warnings[0]?.message).toMatch(/KL from the reference is -\d.*use topP 1 or kl.estimator k3/);
});

test('a policy starts from the adapter that init names, and is refused without what its rewards need', async () => {
  const first = fresh();
  await ppo(small(first, { iterations: 3 }), { task: copyTask() });
  const init = join(first, 'checkpoints', 'step-3');
  const second = fresh();
  await ppo(small(second, { init, reference: init, iterations: 1 }), { task: copyTask() });
  // As the reference, but not as the base model.
  expect(column(second, 'rollout/kl')).toEqual([0]);
  const { judge: _, ...silent } = copyTask();
  const unguarded = small(fresh(), { reward: { guards: { when: 'never' } } });
  await expect(ppo(unguarded, { task: silent })).rejects.toThrow(/Give the task a judge/);
});

test('a resumed run is refused when the task has changed', async () => {
  const run = fresh();
  await ppo(small(run, { iterations: 2, checkpointEvery: 1 }), {
    task: copyTask(),
    onStep: ({ step }) => {
      if (step === 2) throw new Error('crash');
    },
  }).catch(() => {});
  const changed = { ...copyTask(), version: '2' };
  await expect(ppo(small(run, { iterations: 2 }), { task: changed, resume: true })).rejects.toThrow(
    /has changed since/,
  );
});

describe('advantages', () => {
  const cuSeqlens = Int32Array.of(0, 2, 3);
  const input = {
    cuSeqlens,
    rewards: Float32Array.of(1, 2, 4),
    values: Float32Array.of(0.5, 1, 3),
    gamma: 1,
    lambda: 0.5,
  };

  test('by hand: GAE, then the penalties; returns know nothing of them', () => {
    // δ = 1 + 1 - 0.5, 2 - 1 | 4 - 3; A = 1.5 + 0.5 · 1, 1 | 1.
    const { advantages, returns } = gaeAdvantages({ ...input, penalties: [0.25, 0], whiten: false });
    expect([...advantages]).toEqual([1.75, 0.75, 1]);
    expect([...returns]).toEqual([2.5, 2, 4]);
  });

  test('are whitened behind the penalties', () => {
    const { advantages } = gaeAdvantages({ ...input, penalties: [0.25, 0], whiten: true });
    const [mean, sd] = [3.5 / 3, Math.sqrt(((1.75 - 3.5 / 3) ** 2 + (0.75 - 3.5 / 3) ** 2 + (1 - 3.5 / 3) ** 2) / 2)];
    [1.75, 0.75, 1].forEach((value, t) => {
      expect(advantages[t]).toBeCloseTo((value - mean) / sd, 5);
    });
  });

  test('a penalty behind GAE tells the end of an answer what it tells its start; one in the rewards encourages the end', () => {
    // Two answers of 100 tokens, the second one penalised as in Eq. 2, no critic, λ .95.
    const rest = {
      cuSeqlens: Int32Array.of(0, 100, 200),
      values: new Float32Array(200),
      gamma: 1,
      lambda: 0.95,
      whiten: true,
    };
    const rewards = new Float32Array(200).fill(-0.2, 100);
    const inRewards = gaeAdvantages({ rewards, penalties: [0, 0], ...rest }).advantages;
    expect(inRewards[100]).toBeLessThan(-1);
    expect(inRewards[199]).toBeGreaterThan(0.5);
    const behind = gaeAdvantages({ rewards: new Float32Array(200), penalties: [0, 0.2], ...rest }).advantages;
    for (const [t, advantage] of behind.entries()) expect(advantage).toBeCloseTo(t < 100 ? 1 : -1, 2);
  });
});
