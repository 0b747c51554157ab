import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { detectionPair, matureStage, pretrainDocument } from '../../src/tasks/family/index.js';

export function tempFolder(): string {
  return mkdtempSync(join(tmpdir(), 'srcode-e2e-'));
}

/** A file of `count` {prompt, response} rows. */
export function sftData(folder: string, count: number): string {
  const file = join(folder, 'rows.jsonl');
  const rows = Array.from({ length: count }, (_, i) => {
    const { secure, vulnerable } = detectionPair(0, i >> 1, 'train');
    return `${JSON.stringify(i % 2 === 0 ? secure : vulnerable)}\n`;
  });
  writeFileSync(file, rows.join(''));
  return file;
}

/** Small runs of each program: seconds on one thread. One thread, so that every machine can be compared with itself. */
export function tinyRun(program: 'sft' | 'pretrain' | 'reward', folder: string, run: string): string[] {
  const common = [
    '--run',
    run,
    '--threads',
    '1',
    '--set',
    'steps=12',
    '--set',
    'checkpointEvery=2',
    '--set',
    'evalEvery=5',
  ];
  const samples = ['--set', 'samples.count=1', '--set', 'samples.maxNewTokens=4'];
  if (program === 'sft')
    return ['train', 'sft', '--data', sftData(folder, 40), '--set', 'batchSize=4', ...common, ...samples];
  if (program === 'reward') {
    const file = join(folder, 'pairs.jsonl');
    const rows = Array.from({ length: 24 }, (_, i) => ({
      prompt: `f${i}: `,
      chosen: `ok(${i});`,
      rejected: `gets(${i});`,
    }));
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    return ['train', 'reward', '--data', file, '--set', 'batchSize=4', ...common];
  }
  const text = join(folder, 'text.txt');
  writeFileSync(
    text,
    Array.from({ length: 60 }, (_, i) => pretrainDocument(1, i, matureStage))
      .map(({ prompt, response }) => prompt + response)
      .join('\n'),
  );
  return [
    'train',
    'pretrain',
    '--data',
    text,
    '--set',
    'batchTokens=256',
    '--set',
    'sequenceLength=64',
    ...common,
    ...samples,
  ];
}

/** All that a run leaves behind but what a clock decides: files of checkpoints by path, metrics without `time`, samples. */
export function timeless(run: string): { [name: string]: unknown } {
  const checkpoints = join(run, 'checkpoints');
  const files = readdirSync(checkpoints, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(checkpoints, name)).isFile())
    .sort()
    .map((name) => [name, readFileSync(join(checkpoints, name)).toString('base64')]);
  return {
    ...Object.fromEntries(files),
    metrics: metrics(run),
    samples: readFileSync(join(run, 'samples.jsonl'), 'utf8'),
  };
}

export function metrics(run: string): { [path: string]: number }[] {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => {
    const { time: _, ...values } = JSON.parse(line);
    return values;
  });
}
