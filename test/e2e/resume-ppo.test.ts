import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { buildCli, finished, srcode, start } from '../support/cli.js';
import { copyModel, exampleTask } from '../support/tasks.js';
import { tempFolder, timeless } from '../support/training.js';

const kills = process.env.SRCODE_SLOW === '1' ? 20 : 3;
const folder = tempFolder();
const whole = join(folder, 'whole');
let seconds = 0;
let args: (run: string) => string[];

beforeAll(async () => {
  buildCli();
  const [model, task] = [await copyModel(folder), exampleTask(folder)];
  const options = ['iterations=20', 'prompts=16', 'minibatch=8', 'maxNewTokens=32', 'checkpointEvery=3', 'evalEvery=4'];
  const oracles = ['kl.adaptive.on=true', 'evalPrompts=8', 'seed=3'];
  const set = [...options, ...oracles].flatMap((option) => ['--set', option]);
  args = (run) => ['train', 'ppo', '--model', model, '--task', task, '--threads', '1', '--run', run, ...set];
  const before = performance.now();
  const { code, stderr } = await srcode(args(whole));
  expect(code, stderr).toBe(0);
  seconds = (performance.now() - before) / 1000;
});

test(`killed with -9 at ${kills} random instants and resumed ends as the run that was not`, {
  timeout: 900_000,
}, async () => {
  const killed = join(folder, 'killed');
  let hits = 0;
  for (let i = 1; i <= kills; i++) {
    const child = start([...args(killed), '--resume']);
    const outcome = finished(child);
    // Shares of a whole run, spread evenly by the golden ratio.
    await Promise.race([outcome, sleep(1000 * seconds * (0.2 + 0.7 * ((i * 0.618034) % 1)))]);
    child.kill('SIGKILL');
    const { code, signal, stderr } = await outcome;
    expect(signal === 'SIGKILL' || code === 0, stderr).toBe(true);
    hits += Number(signal === 'SIGKILL');
  }
  const { code, stderr } = await srcode([...args(killed), '--resume']);
  expect(code, stderr).toBe(0);
  expect(hits).toBeGreaterThan(0);
  expect(timeless(killed)).toEqual(timeless(whole));
  // Every verdict once: what was journalled before a kill is not asked for again.
  expect(journalled(killed).sort()).toEqual(journalled(whole).sort());
});

test('resumed when it is finished does nothing, says so and exits 0', async () => {
  const { code, stdout } = await srcode([...args(whole), '--resume']);
  expect([code, stdout]).toEqual([0, expect.stringContaining('is finished: 20 steps, nothing left to do')]);
});

test('evaluate runs what it wrote, as a table and as JSON', async () => {
  const model = args(whole)[3] ?? '';
  const given = ['evaluate', '--task', join(folder, 'copy-task.mjs'), '--model', model, '--n', '20', '--threads', '1'];
  const adapter = ['--adapter', join(whole, 'checkpoints', 'step-20'), '--reference', 'base', '--max-new-tokens', '32'];
  const table = await srcode([...given, ...adapter]);
  expect([table.code, table.stderr]).toEqual([0, '']);
  expect(table.stdout).toMatch(/functional +secure of valid +FS@1[\s\S]*\nall +20 [\s\S]*\nparity even +10 /);
  const { stdout } = await srcode([...given, ...adapter, '--json']);
  const { rows, summary } = JSON.parse(stdout);
  expect([rows.length, summary.all.n]).toEqual([20, 20]);
  expect(summary.all.kl).toBeTypeOf('number');
  const none = await srcode([...given, '--task', 'famly']);
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('task: expected')]);
});

function journalled(run: string): string[] {
  return readFileSync(join(run, 'journal.jsonl'), 'utf8').trim().split('\n');
}
