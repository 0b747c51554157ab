import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Results } from '../../src/quickstart/results.js';

const fresh = (): string => mkdtempSync(join(tmpdir(), 'srcode-results-'));

test('a result is measured once, and anew where the question is another', async () => {
  const folder = fresh();
  const work = vi.fn(async () => ({ share: 0.5 }));
  expect(await new Results(folder, 'base').get('SFT', { lr: 1 }, work)).toEqual({ share: 0.5 });
  expect(await new Results(folder, 'base').get('SFT', { lr: 1 }, work)).toEqual({ share: 0.5 });
  expect(work).toHaveBeenCalledTimes(1);
  await new Results(folder, 'base').get('SFT', { lr: 2 }, work);
  await new Results(folder, 'other base').get('SFT', { lr: 2 }, work);
  expect(work).toHaveBeenCalledTimes(3);
});

test('a file that was cut off is no result', async () => {
  const folder = fresh();
  await new Results(folder, null).get('SFT', 1, async () => 'first');
  writeFileSync(join(folder, 'SFT.json'), '{"key":"');
  expect(await new Results(folder, null).get('SFT', 1, async () => 'second')).toBe('second');
});

test('a training that was broken off is gone on with; what another question left makes room', async () => {
  const folder = fresh();
  const run = join(folder, 'sft-0');
  const brokenOff = async (about: string): Promise<boolean> => {
    let found = false;
    const training = new Results(join(folder, 'results'), about).train('SFT 0', run, { run }, async () => {
      found = existsSync(join(run, 'step-1'));
      mkdirSync(run, { recursive: true });
      writeFileSync(join(run, 'step-1'), '');
      throw new Error('killed');
    });
    await expect(training).rejects.toThrow('killed');
    return found;
  };
  expect(await brokenOff('default')).toBe(false);
  expect(await brokenOff('default')).toBe(true);
  expect(await brokenOff('smoke')).toBe(false);
  expect(await brokenOff('smoke')).toBe(true);
});
