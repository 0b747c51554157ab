import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { quickstart } from '../../src/index.js';
import { noIsolation } from '../support/sandbox.js';
import { tempFolder } from '../support/training.js';

test.skipIf(noIsolation !== undefined)(
  'the smallest quickstart does everything once, and nothing twice',
  { timeout: 600_000 },
  async () => {
    const run = join(tempFolder(), 'run');
    const phases: string[] = [];
    const options = { run, profile: 'smoke' as const, threads: 2 };
    const { report, data } = await quickstart(options, { onPhase: (phase) => phases.push(phase) });

    expect(data.arms?.map(({ name }) => name)).toEqual(['base', 'SFT', 'outcome', 'same sum', 'TLR']);
    expect(data.comparisons?.map(({ arm, control }) => [arm, control])).toEqual([
      ['TLR', 'same sum'],
      ['TLR', 'outcome'],
    ]);
    expect(data.comparisons?.[0]?.difference).toMatchObject({ seeds: 1, covers: 'prompts' });
    // The shipped base writes code that works.
    expect(data.arms?.[0]?.overall.functional.value).toBeGreaterThan(0.7);
    for (const { rows } of data.curves ?? []) {
      expect(rows).toHaveLength(4);
      for (const row of rows.slice(1)) expect(row['policy/mismatch']).toBe(0);
    }
    const heat = data.samples?.find(({ arm }) => arm === 'TLR');
    expect(heat?.tokens.length).toBe(heat?.reward.length);
    expect(data.credit?.agreement?.n).toBeGreaterThan(0);
    expect(data.limits?.[0]).toMatch('One training seed');

    const page = readFileSync(report, 'utf8');
    expect(page).toContain('same sum');
    expect(statSync(report).size).toBeLessThan(3_000_000);

    const said = phases.length;
    const again = await quickstart(options, { onPhase: (phase) => phases.push(phase) });
    expect(phases).toHaveLength(said);
    expect(again.data.arms).toEqual(data.arms);
  },
);
