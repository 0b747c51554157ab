import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Batches, fingerprint, holdBack, shuffled } from '../../src/training/batches.js';
import { learningRate } from '../../src/training/schedule.js';

describe('the learning rate', () => {
  const cosine = { kind: 'cosine', warmup: 0, decay: 1, floor: 0 } as const;

  test('warms up in equal steps, worked by hand', () => {
    const schedule = { kind: 'constant', warmup: 3, decay: 1, floor: 0 } as const;
    expect([0, 1, 2, 3, 9].map((step) => learningRate(4, schedule, step, 10))).toEqual([1, 2, 3, 4, 4]);
  });

  test('falls along a line over the last share of the steps', () => {
    const schedule = { kind: 'linear', warmup: 0, decay: 0.5, floor: 0.2 } as const;
    // Steps 4..7 of 8 decay: 1 - 0.8 * 1/4, 2/4, 3/4, 4/4.
    const rates = [0, 3, 4, 5, 6, 7].map((step) => learningRate(1, schedule, step, 8));
    for (const [i, expected] of [1, 1, 0.8, 0.6, 0.4, 0.2].entries()) expect(rates[i]).toBeCloseTo(expected, 12);
  });

  test('is half of the peak in the middle of a cosine, and the floor at its end', () => {
    expect(learningRate(2, cosine, 4, 10)).toBeCloseTo(1, 12);
    expect(learningRate(2, { ...cosine, floor: 0.1 }, 9, 10)).toBeCloseTo(0.2, 12);
  });

  test('stays between floor and peak', () => {
    const kind = fc.constantFrom('constant' as const, 'linear' as const, 'cosine' as const);
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        kind,
        fc.nat(20),
        share,
        share,
        fc.integer({ min: 1, max: 50 }),
        (kind, warmup, decay, floor, steps) => {
          for (let step = 0; step < steps; step++) {
            const rate = learningRate(1, { kind, warmup, decay, floor }, step, steps);
            if (step >= warmup && rate < floor - 1e-12) return false;
            if (!(rate > -1e-12 && rate <= 1 + 1e-12)) return false;
          }
          return true;
        },
      ),
    );
  });
});

describe('batches', () => {
  test('every pass sees every row once, each pass in another order', () => {
    const batches = Batches.ofRows(10, 4, 7);
    expect(batches.stepsPerEpoch).toBe(3);
    const pass = (epoch: number): number[] => [0, 1, 2].flatMap((i) => [...batches.at(epoch * 3 + i)]);
    for (const epoch of [0, 1, 5]) expect(pass(epoch).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(pass(0)).not.toEqual(pass(1));
  });

  test('a step is the same whatever was asked before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 30 }),
        fc.nat(40),
        fc.nat(),
        (lengths, step, seed) => {
          const walked = Batches.ofTokens(lengths, 32, seed);
          for (let before = 0; before < step; before++) walked.at(before);
          expect(Batches.ofTokens(lengths, 32, seed).at(step)).toEqual(walked.at(step));
        },
      ),
    );
  });

  test('by tokens are never over the limit unless one row is, and never empty', () => {
    const lengths = [5, 3, 9, 50, 2, 8, 8];
    const batches = Batches.ofTokens(lengths, 16, 3);
    for (let step = 0; step < 40; step++) {
      const rows = batches.at(step);
      expect(rows.length).toBeGreaterThan(0);
      const tokens = rows.reduce((sum, row) => sum + (lengths[row] ?? 0), 0);
      if (rows.length > 1) expect(tokens).toBeLessThanOrEqual(16);
    }
  });

  test('an order is a permutation that the seed decides', () => {
    expect(shuffled(1000, 1, 0).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(shuffled(50, 1, 0)).toEqual(shuffled(50, 1, 0));
    expect(shuffled(50, 1, 0)).not.toEqual(shuffled(50, 2, 0));
  });

  test('an order is fair: places are uniform over seeds', () => {
    const counts = Array.from({ length: 5 }, () => new Array<number>(5).fill(0));
    for (let seed = 0; seed < 2000; seed++)
      shuffled(5, seed, 0).forEach((row, place) => {
        const at = counts[row];
        if (at !== undefined) at[place] = (at[place] ?? 0) + 1;
      });
    // 400 expected, standard deviation 18: six of them.
    for (const count of counts.flat()) expect(Math.abs(count - 400)).toBeLessThan(108);
  });

  test('a tenth is held back, the same one for every run', () => {
    const groups = Array.from({ length: 40 }, (_, i) => i);
    const { train, heldOut } = holdBack(groups, 0.1);
    expect([train.length, heldOut.length]).toEqual([36, 4]);
    expect([...train, ...heldOut].sort((a, b) => a - b)).toEqual(groups);
    expect(holdBack(groups, 0.1).heldOut).toEqual(heldOut);
    expect(holdBack(groups, 0).heldOut).toEqual([]);
    expect(holdBack([1, 2], 0.1).heldOut).toHaveLength(1);
    expect(holdBack([1], 0.1)).toEqual({ train: [1], heldOut: [] });
  });

  test('a fingerprint tells where one row ends and the next begins', () => {
    const a = [[Int32Array.of(1, 2), Int32Array.of(3)]];
    expect(fingerprint(a)).toBe(fingerprint([[Int32Array.of(1, 2), Int32Array.of(3)]]));
    expect(fingerprint(a)).not.toBe(fingerprint([[Int32Array.of(1), Int32Array.of(2, 3)]]));
  });
});
