import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Model, Tokenizer } from '../../src/index.js';
import { damage, listCheckpoints } from '../../src/run/checkpoint.js';
import { buildCli, finished, srcode, start } from '../support/cli.js';
import { sftData, tempFolder, tinyRun } from '../support/training.js';

const folder = tempFolder();
const data = sftData(folder, 20);

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** A small model with room for `vocabSize` ids, beside the embedded tokenizer (2,048 ids). */
async function smallModel(name: string, { vocabSize = 2048, contextLength = 128 } = {}): Promise<string> {
  const dir = join(folder, name);
  const shape = { hiddenSize: 32, intermediateSize: 64, layers: 1, heads: 2, kvHeads: 2, headDim: 16 };
  using model = await Model.create(
    {
      ...shape,
      vocabSize,
      contextLength,
      ropeTheta: 10_000,
      ropeScaling: null,
      rmsNormEps: 1e-6,
      tiedEmbeddings: true,
      qkvBias: true,
      eosTokenIds: [0],
      modelType: 'qwen2',
    },
    { threads: 1 },
  );
  await model.save(dir);
  await (await Tokenizer.load('tiny')).save(dir);
  return dir;
}

let runs = 0;
const sft = (...more: string[]): string[] => [
  'train',
  'sft',
  '--run',
  join(folder, `run-${runs++}`),
  '--threads',
  '1',
  ...more,
];

beforeAll(async () => {
  buildCli();
  await smallModel('short');
  await smallModel('few-ids', { vocabSize: 300 });
  const torn = await smallModel('torn');
  truncateSync(join(torn, 'model.safetensors'), 5000);
});

describe('bad input is one clear message and exit code 1', () => {
  test.each([
    { what: 'a missing data file', args: () => sft('--data', '/nowhere/rows.jsonl'), says: /\/nowhere\/rows\.jsonl/ },
    { what: 'an empty data file', args: () => sft('--data', file('empty.jsonl', '')), says: /empty\.jsonl is empty/ },
    {
      what: 'a data file of another kind',
      args: () => sft('--data', file('kind.jsonl', '{"text": "x"}\n')),
      says: /kind\.jsonl.*text/,
    },
    {
      what: 'a row that is not JSON',
      args: () => sft('--data', file('torn.jsonl', '{"prompt": "a", "response": "b"}\n{"prom\n')),
      says: /torn\.jsonl:2/,
    },
    {
      what: 'a row without a response',
      args: () => sft('--data', file('none.jsonl', '{"prompt": "a", "response": ""}\n')),
      says: /none\.jsonl:1/,
    },
    {
      what: 'a missing model folder',
      args: () => sft('--data', data, '--model', '/nowhere/model'),
      says: /\/nowhere\/model/,
    },
    {
      what: 'weights that are cut off',
      args: () => sft('--data', data, '--model', join(folder, 'torn')),
      says: /torn\/model\.safetensors/,
    },
    {
      what: 'rows that are all longer than the context',
      args: () =>
        sft(
          '--data',
          file('long.jsonl', `{"prompt": "${'x = 1; '.repeat(200)}", "response": "y"}\n`),
          '--model',
          join(folder, 'short'),
        ),
      says: /longer than 128 tokens/,
    },
    {
      what: 'a prompt longer than the context',
      args: () => ['generate', 'x = 1; '.repeat(200), '--model', join(folder, 'short')],
      says: /The prompt has \d+ tokens: expected fewer than 128/,
    },
    {
      what: 'a run folder under a file',
      args: () => ['train', 'sft', '--data', data, '--run', join(data, 'run')],
      says: /Cannot create the run folder .*a part of the path is a file/,
    },
    {
      what: 'a run folder where nothing can be made',
      args: () => ['train', 'sft', '--data', data, '--run', '/proc/run'],
      says: /Cannot create the run folder \/proc\/run/,
    },
    {
      what: 'an adapter folder without an adapter',
      args: () => ['generate', 'x', '--adapter', folder],
      says: /adapter_config\.json/,
    },
  ])('$what', async ({ args, says }) => {
    const { code, stdout, stderr } = await srcode(args());
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/\n {4}at |unexpected error/);
    expect([code, stdout]).toEqual([1, '']);
  });

  test.each([
    {
      what: 'a vocabulary that does not fit the model',
      args: () => sft('--data', data, '--model', join(folder, 'few-ids')),
      says: /expected at most 300 token ids .*received 2048/,
    },
    {
      what: 'a length beyond the context',
      args: () => sft('--data', data, '--model', join(folder, 'short'), '--set', 'maxLength=500'),
      says: /maxLength: expected at most 128/,
    },
    {
      what: 'a shape that is none',
      args: () => ['train', 'pretrain', '--run', join(folder, `run-${runs++}`), '--set', 'shape.heads=5'],
      says: /shape: expected hiddenSize \/ heads/,
    },
    {
      what: 'a missing config file',
      args: () => ['train', 'sft', '/nowhere/sft.yaml'],
      says: /Cannot read the config file \/nowhere\/sft\.yaml/,
    },
  ])('$what is bad usage: exit code 2', async ({ args, says }) => {
    const { code, stdout, stderr } = await srcode(args());
    expect(stderr).toMatch(says);
    expect([code, stdout]).toEqual([2, '']);
  });
});

describe('a disk that fills up', () => {
  const whole = (run: string): number[] => {
    const all = listCheckpoints(join(run, 'checkpoints'));
    for (const checkpoint of all) expect(damage(checkpoint)).toBeUndefined();
    return all.map(({ step }) => step);
  };

  test('ends the run with one message and leaves the finished checkpoints intact; the run can be resumed', async (context) => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]);
    context.skip(status !== 0, 'mounting a tmpfs needs root');
    try {
      const run = join(disk, 'run');
      const { code, stdout, stderr } = await srcode(tinyRun('sft', folder, run));
      expect(stderr).toMatch(/error: .*disk is full|error: .*[Nn]o space left/);
      expect([code, stdout]).toEqual([1, '']);
      expect(whole(run)).toContain(2);
      spawnSync('mount', ['-o', 'remount,size=100m', disk]);
      const resumed = await srcode([...tinyRun('sft', folder, run), '--resume']);
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(whole(run)).toEqual([2, 4, 6, 8, 10, 12]);
    } finally {
      spawnSync('umount', ['-l', disk]);
    }
  });

  test('in the shape of a file size limit is told as such', async () => {
    const run = join(folder, 'limited');
    // 300 KiB: the logs fit, an adapter's weights do not.
    const outcome = await finished(start(tinyRun('sft', folder, run), { shell: 'ulimit -f 300; exec' }));
    expect(outcome.stderr).toMatch(/error: .*(size limit|too large)/);
    expect(outcome.code).toBe(1);
    expect(whole(run)).toEqual([]);
  });
});

test('a run in use is refused, naming the process that holds it', async () => {
  const run = join(folder, 'used');
  const child = start([...tinyRun('sft', folder, run), '--set', 'steps=100000']);
  const outcome = finished(child);
  try {
    while (!existsSync(join(run, 'lock')) && child.exitCode === null) await new Promise((wake) => setTimeout(wake, 5));
    const second = await srcode([...tinyRun('sft', folder, run), '--set', 'steps=100000', '--resume']);
    expect([second.code, second.stderr]).toEqual([1, expect.stringContaining(`in use by process ${child.pid}`)]);
  } finally {
    child.kill('SIGKILL');
    await outcome;
  }
});

test('a run with another config is refused with the differing keys and stays as it is', async () => {
  const run = join(folder, 'other');
  const args = [...tinyRun('sft', folder, run), '--set', 'steps=2'];
  await srcode(args);
  const before = readFileSync(join(run, 'metrics.jsonl'), 'utf8');
  const { code, stderr } = await srcode([...args, '--set', 'lr=0.5', '--set', 'optimizer.beta1=0.8', '--resume']);
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(/lr: the run has 0.001, received 0.5\n {2}optimizer.beta1: the run has 0.9, received 0.8/),
  ]);
  expect(readFileSync(join(run, 'metrics.jsonl'), 'utf8')).toBe(before);
});

test('a run whose gradients stay non-finite warns, ends and names the first bad tensor', async () => {
  const run = join(folder, 'diverged');
  const args = [...tinyRun('sft', folder, run), '--set', 'mode=full', '--set', 'lr=1e30', '--set', 'schedule.warmup=0'];
  const { code, stderr } = await srcode(args);
  expect(code).toBe(1);
  expect(stderr).toMatch(/warning: Step \d+ changed nothing/);
  expect(stderr).toMatch(/error: .*not finite 3 time.*model\.\S+weight/);
});
