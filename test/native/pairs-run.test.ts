import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ppo } from '../../src/training/ppo.js';
import { metrics, tempFolder } from '../support/training.js';

const sven = fileURLToPath(new URL('../../../shared/data/sven/pairs.jsonl', import.meta.url));

// What docs/tasks.md shows, small.
test.skipIf(!existsSync(sven))(
  'the tiny model trains on prompts from real pairs, judged by the embedded engine (skipped without ../shared/data/sven)',
  async () => {
    const run = join(tempFolder(), 'run');
    const size = { iterations: 2, prompts: 6, minibatch: 3, maxNewTokens: 48, threads: 1 };
    await ppo({ task: `pairs:${sven}`, teacher: ['embedded'], model: 'tiny', run, ...size });
    const rows = metrics(run).slice(1);
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(row['policy/mismatch']).toBe(0);
      expect(row['guards/similarity']).toBeGreaterThan(0);
      expect(row['rollout/guarded']).toBeTypeOf('number');
      expect(row['reward/functional']).toBeLessThan(0);
      for (const [path, value] of Object.entries(row)) expect(value, path).toBeTypeOf('number');
    }
    const line = JSON.parse(readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n').at(-1) ?? '');
    const engine = ['teach/parse', 'teach/walk', 'teach/credit'];
    expect(Object.keys(line.time.phases)).toEqual(
      expect.arrayContaining(['generate', 'teach', ...engine, 'guard', 'update']),
    );
    expect(line.time.counts['teach/asked'] + line.time.counts['teach/known']).toBe(size.prompts);
  },
);
