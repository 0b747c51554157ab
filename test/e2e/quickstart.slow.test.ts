import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { buildCli, finished, srcode, start } from '../support/cli.js';
import { noIsolation } from '../support/sandbox.js';
import { tempFolder } from '../support/training.js';

beforeAll(buildCli);

test.skipIf(noIsolation !== undefined)(
  'a quickstart that is killed again and again ends as one that was not',
  {
    timeout: 900_000,
  },
  async () => {
    const folder = tempFolder();
    const args = (run: string): string[] => ['quickstart', '--profile', 'smoke', '--threads', '1', '--run', run];
    const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
    const begun = performance.now();
    expect((await srcode(args(whole))).code).toBe(0);
    const seconds = (performance.now() - begun) / 1000;
    let hits = 0;
    for (const share of [0.15, 0.3, 0.25, 0.3]) {
      const child = start(args(killed));
      const outcome = finished(child);
      await Promise.race([outcome, sleep(1000 * seconds * share)]);
      child.kill('SIGKILL');
      hits += Number((await outcome).signal === 'SIGKILL');
    }
    expect(hits).toBeGreaterThan(0);
    const { code, stderr } = await srcode(args(killed));
    expect(code, stderr).toBe(0);
    for (const name of [
      'base',
      'after SFT 0',
      'outcome 0 executed',
      'same sum 0 executed',
      'TLR 0 executed',
      'credit',
    ]) {
      const of = (run: string) => JSON.parse(readFileSync(join(run, 'results', `${name}.json`), 'utf8')).value;
      expect(of(killed), name).toEqual(of(whole));
    }
  },
);
