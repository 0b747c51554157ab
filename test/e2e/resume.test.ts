import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildCli, finished, srcode, start } from '../support/cli.js';
import { metrics, tempFolder, timeless, tinyRun } from '../support/training.js';

const kills = process.env.SRCODE_SLOW === '1' ? 20 : 3;

beforeAll(buildCli);

describe.each(['sft', 'pretrain', 'reward'] as const)('%s', (program) => {
  const folder = tempFolder();
  const run = join(folder, 'whole');
  let seconds = 0;

  beforeAll(async () => {
    const before = performance.now();
    const { code, stderr } = await srcode(tinyRun(program, folder, run));
    expect(stderr).not.toContain('error');
    expect(code).toBe(0);
    seconds = (performance.now() - before) / 1000;
  });

  test('runs to its end, saves its last step, and learns', () => {
    expect(readdirSync(join(run, 'checkpoints')).sort()).toEqual(
      [2, 4, 6, 8, 10, 12].map((step) => `step-${step}`).sort(),
    );
    const all = metrics(run);
    expect(all.map(({ step }) => step)).toEqual(Array.from({ length: 13 }, (_, step) => step));
    expect(all.at(-1)?.['heldout/loss']).toBeLessThan(all[0]?.['heldout/loss'] ?? 0);
  });

  test(`killed with -9 at ${kills} random instants and resumed ends as the one that was not`, {
    timeout: 900_000,
  }, async () => {
    // The instants, as shares of a whole run: an additive sequence by the golden ratio covers them evenly.
    const killed = join(folder, 'killed');
    let hits = 0;
    for (let i = 1; i <= kills; i++) {
      const child = start([...tinyRun(program, folder, killed), '--resume']);
      const outcome = finished(child);
      await Promise.race([outcome, sleep(1000 * seconds * (0.15 + 0.85 * ((i * 0.618034) % 1)))]);
      child.kill('SIGKILL');
      const { code, signal, stderr } = await outcome;
      expect(signal === 'SIGKILL' || code === 0, stderr).toBe(true);
      hits += Number(signal === 'SIGKILL');
    }
    const { code, stderr } = await srcode([...tinyRun(program, folder, killed), '--resume']);
    expect(code, stderr).toBe(0);
    expect(hits).toBeGreaterThan(0);
    expect(timeless(killed)).toEqual(timeless(run));
  });

  test('resumed when it is finished does nothing, says so and exits 0', async () => {
    const before = timeless(run);
    for (let twice = 0; twice < 2; twice++) {
      const { code, stdout } = await srcode([...tinyRun(program, folder, run), '--resume']);
      expect([code, stdout]).toEqual([0, expect.stringContaining('is finished: 12 steps, nothing left to do')]);
    }
    expect(timeless(run)).toEqual(before);
  });

  test('begun anew in its folder is refused', async () => {
    const { code, stderr } = await srcode(tinyRun(program, folder, run));
    expect([code, stderr]).toEqual([2, expect.stringContaining('already holds a run. Go on with --resume')]);
  });

  test('stopped with Ctrl-C saves a checkpoint, exits 130, and goes on from it', async () => {
    const stopped = join(folder, 'stopped');
    const child = start([...tinyRun(program, folder, stopped), '--set', 'checkpointEvery=1000']);
    const outcome = finished(child);
    const steps = (): number => readLines(join(stopped, 'metrics.jsonl'));
    while (steps() < 3 && child.exitCode === null) await sleep(5);
    child.kill('SIGINT');
    const { code, stderr } = await outcome;
    expect([code, stderr]).toEqual([130, expect.stringMatching(/Saved .*step-\d+; --resume goes on from it/)]);
    const saved = readdirSync(join(stopped, 'checkpoints'));
    expect(saved).toHaveLength(1);
    expect(saved[0]).not.toBe('step-12');

    await srcode([...tinyRun(program, folder, stopped), '--set', 'checkpointEvery=1000', '--resume']);
    const last = Object.keys(timeless(run)).filter((name) => name.startsWith('step-12/'));
    const [a, b] = [timeless(stopped), timeless(run)];
    for (const name of [...last, 'metrics', 'samples']) expect(a[name], name).toEqual(b[name]);
  });
});

test('a run on another number of threads is resumed with a warning that is said once', async () => {
  const folder = tempFolder();
  const run = join(folder, 'run');
  const args = tinyRun('sft', folder, run);
  const child = start([...args, '--set', 'checkpointEvery=1']);
  const outcome = finished(child);
  while (readLines(join(run, 'metrics.jsonl')) < 3 && child.exitCode === null) await sleep(5);
  child.kill('SIGINT');
  await outcome;
  const { code, stderr } = await srcode([...args, '--threads', '2', '--resume']);
  expect(code).toBe(0);
  expect(stderr.match(/threads was 1, is 2/g)).toHaveLength(1);
  expect(JSON.parse(readFileSync(join(run, 'machine.json'), 'utf8'))).toMatchObject([{ threads: 1 }, { threads: 2 }]);
});

function readLines(file: string): number {
  try {
    return readFileSync(file, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}
