import fc from 'fast-check';
import { expect, test } from 'vitest';
import { permutation, RandomStream } from '../../src/dataset/random.js';
import { bootstrapMean, pairedDifference, passAtK, type Row, rate, wilson } from '../../src/evaluation/statistics.js';

/** values[seed][prompt] */
function rows(...values: number[][]): Row[] {
  return values.flatMap((line, seed) => line.map((value, p) => ({ prompt: `p${p}`, seed, value })));
}

test("Wilson's interval is the published one, and holds at the ends", () => {
  const half = wilson(5, 10);
  expect([half.value, half.n]).toEqual([0.5, 10]);
  expect([half.low, half.high].map((bound) => bound.toFixed(4))).toEqual(['0.2366', '0.7634']);
  // At 0 of n the upper bound is z² / (n + z²).
  expect(wilson(0, 10).low).toBe(0);
  expect(wilson(0, 10).high).toBeCloseTo(3.8414588 / 13.8414588, 6);
  expect(wilson(10, 10).high).toBe(1);
  expect(wilson(10, 10).low).toBeCloseTo(10 / 13.8414588, 6);
  expect(wilson(0, 0)).toEqual({ value: Number.NaN, low: 0, high: 1, n: 0 });
  expect(() => wilson(3, 2)).toThrow('3 of 2');
});

test('pass@k, by counting the subsets', () => {
  expect(passAtK(5, 2, 1)).toBeCloseTo(2 / 5, 12);
  // One of the ten triples of five samples avoids both good ones.
  expect(passAtK(5, 2, 3)).toBeCloseTo(9 / 10, 12);
  expect(passAtK(5, 2, 4)).toBe(1);
  expect(passAtK(5, 0, 5)).toBe(0);
  expect(passAtK(1000, 3, 100)).toBeGreaterThan(passAtK(1000, 3, 99));
  expect(() => passAtK(5, 2, 6)).toThrow('k 6');
});

test('a bootstrap of two prompts is worked by hand', () => {
  // A mean of two draws from {0, 1} is 0, 1/2 or 1 with chances 1/4, 1/2 and 1/4.
  expect(bootstrapMean(rows([0, 1]), 7)).toEqual({ value: 0.5, low: 0, high: 1, n: 2 });
  expect(bootstrapMean(rows([3, 3, 3]), 7)).toEqual({ value: 3, low: 3, high: 3, n: 3 });
});

test("a bootstrap's interval is the normal one where there is much to draw from", () => {
  const random = new RandomStream(3, 1);
  const values = Array.from({ length: 400 }, () => random.uniform());
  const mean = values.reduce((sum, value) => sum + value) / 400;
  const error = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / 400;
  const { value, low, high } = bootstrapMean(rows(values), 1);
  expect(value).toBeCloseTo(mean, 12);
  expect((high - low) / (2 * 1.96 * error)).toBeCloseTo(1, 1);
});

test('pairing takes out what both arms share', () => {
  const control = [0.1, 0.9, 0.4, 0.7];
  const gain = pairedDifference(rows(control.map((value) => value + 0.25)), rows(control), 5);
  for (const bound of [gain.value, gain.low, gain.high]) expect(bound).toBeCloseTo(0.25, 12);
  expect(gain).toMatchObject({ n: 4, seeds: 1, covers: 'prompts' });
});

test('seeds are drawn where there are several, and the result says so', () => {
  // No gain with seed 0, a gain of 1 with seed 1, whatever the prompt.
  const gain = pairedDifference(rows([0, 0, 0], [1, 1, 1]), rows([0, 0, 0], [0, 0, 0]), 5);
  expect(gain).toEqual({ value: 0.5, low: 0, high: 1, n: 3, seeds: 2, covers: 'prompts and seeds' });
});

test('a prompt that comes with every seed stays one prompt', () => {
  // The gain is the prompt's alone: ten seeds know no more of it than one.
  const gains = [0, 0, 0, 1, 1, 1, 0, 1, 0, 1];
  const zero = gains.map(() => 0);
  const one = pairedDifference(rows(gains), rows(zero), 2);
  const ten = pairedDifference(rows(...zero.map(() => gains)), rows(...zero.map(() => zero)), 2);
  expect(ten.high - ten.low).toBeGreaterThanOrEqual(0.95 * (one.high - one.low));
});

test('more answers of the same kind to a prompt are no more prompts', () => {
  const once = rows([0, 1, 1, 0, 1]);
  expect(bootstrapMean([...once, ...once, ...once], 4)).toEqual(bootstrapMean(once, 4));
});

test('a rate of independent answers has the interval of Wilson, any other one a bootstrap', () => {
  const once = rows([0, 1, 1, 0]);
  expect(rate(once, 1)).toEqual(wilson(2, 4));
  expect(rate([...once, ...once], 1)).toEqual(bootstrapMean(once, 1));
});

test('the order of rows decides nothing, swapped arms give the opposite, a seed repeats itself', () => {
  const value = fc.constantFrom(0, 1);
  const line = fc.array(value, { minLength: 4, maxLength: 4 });
  const cube = fc.array(line, { minLength: 2, maxLength: 2 });
  fc.assert(
    fc.property(cube, cube, fc.nat(), (a, b, seed) => {
      const [arm, control] = [rows(...a), rows(...b)];
      const result = pairedDifference(arm, control, seed);
      const shuffled = [...permutation(arm.length, seed, 3)].map((i) => arm[i] as Row);
      expect(pairedDifference(shuffled, control, seed)).toEqual(result);
      const opposite = pairedDifference(control, arm, seed);
      expect(opposite.value).toBeCloseTo(-result.value, 12);
      expect(opposite.low).toBeCloseTo(-result.high, 12);
      expect(result.low).toBeLessThanOrEqual(result.value);
      expect(result.high).toBeGreaterThanOrEqual(result.value);
    }),
    { numRuns: 10 },
  );
});

test('nineteen of twenty intervals hold the truth: prompts alone', () => {
  const random = new RandomStream(11, 1);
  let held = 0;
  const trials = 120;
  for (let trial = 0; trial < trials; trial++) {
    const arm = Array.from({ length: 80 }, () => Number(random.chance(0.5)));
    const control = arm.map((value) => (random.chance(0.3) ? Number(random.chance(0.2)) : value));
    // E[control] = .7 · .5 + .3 · .2 = .41
    const { low, high } = pairedDifference(rows(arm), rows(control), trial);
    if (low <= 0.09 && 0.09 <= high) held++;
  }
  // .95 but for four standard errors.
  expect(held / trials).toBeGreaterThan(0.95 - 4 * Math.sqrt((0.95 * 0.05) / trials));
  expect(held).toBeLessThan(trials);
});

test('and at least nineteen of twenty where prompts and seeds both differ', () => {
  const random = new RandomStream(12, 1);
  let held = 0;
  const trials = 60;
  for (let trial = 0; trial < trials; trial++) {
    const prompts = Array.from({ length: 40 }, () => 0.3 * random.normal());
    const arm = Array.from({ length: 5 }, () => {
      const seed = 0.1 * random.normal();
      return prompts.map((prompt) => 0.2 + prompt + seed + 0.3 * random.normal());
    });
    const { low, high } = pairedDifference(rows(...arm), rows(...arm.map((line) => line.map(() => 0))), trial);
    if (low <= 0.2 && 0.2 <= high) held++;
  }
  expect(held / trials).toBeGreaterThan(0.95 - 4 * Math.sqrt((0.95 * 0.05) / trials));
});

test('says what is wrong with its rows', () => {
  expect(() => bootstrapMean([], 1)).toThrow('no rows');
  expect(() => bootstrapMean(rows([0, Number.NaN]), 1)).toThrow('prompt p1 with seed 0 has the value NaN');
  const more = [...rows([1, 1]), { prompt: 'other', seed: 0, value: 1 }];
  expect(() => pairedDifference(rows([1, 1]), more, 1)).toThrow('only the control has prompt other with seed 0');
});
