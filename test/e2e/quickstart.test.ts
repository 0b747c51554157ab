import { join } from 'node:path';
import { expect, test } from 'vitest';
import { quickstart } from '../../src/index.js';
import { tempFolder } from '../support/training.js';

test('the quickstart learns its verdicts, and goes on with a finished run', { timeout: 300_000 }, async () => {
  const run = join(tempFolder(), 'run');
  const options = { run, threads: 2, epochs: 1 };
  const { before, after, tasks, samples, alreadyFinished } = await quickstart(options);
  expect(alreadyFinished).toBe(false);
  // A uniform guess over 2,048 tokens costs ln 2048 = 7.6 nats.
  expect(before['heldout/loss']).toBeGreaterThan(6);
  expect(after['heldout/loss']).toBeLessThan(1.5);
  expect(tasks.map(({ task }) => task)).toEqual(['completion', 'detection', 'repair']);
  expect(samples.map(({ task }) => task)).toEqual(['completion', 'detection', 'repair']);
  for (const { before, prompts } of tasks) {
    expect(before.exact).toBe(0);
    expect(prompts).toBeGreaterThan(10);
  }
  expect(tasks[1]?.after.exact).toBeGreaterThan((tasks[1]?.prompts ?? 0) / 2);

  const again = await quickstart(options);
  expect(again.alreadyFinished).toBe(true);
  expect(again.tasks).toEqual(tasks);
});
