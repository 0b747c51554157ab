import fc from 'fast-check';
import { expect, test } from 'vitest';
import { learningRate } from '../../src/training/schedule.js';

const cosine = { kind: 'cosine', warmup: 0, decay: 1, floor: 0 } as const;

test('the learning rate warms up in equal steps, worked by hand', () => {
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
          if (!(rate > 0 && rate <= 1 + 1e-12) && !(floor === 0 && step === steps - 1)) return false;
        }
        return true;
      },
    ),
  );
});
