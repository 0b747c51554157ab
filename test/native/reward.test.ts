import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type RewardOptions, rewardOptionsShape, rewardPresets } from '../../src/config/reward-options.js';
import { kernels } from '../../src/native/kernels.js';
import { answerReward, batchRewards, type JudgedAnswer } from '../../src/reward/index.js';
import { gaeAdvantages, whitened } from '../../src/training/ppo/advantages.js';

const schema = z.strictObject(rewardOptionsShape());
const paper = (tlr: object = {}): RewardOptions =>
  schema.parse({ ...rewardPresets.paper, tlr: { ...rewardPresets.paper.tlr, ...tlr } }) as RewardOptions;

/** An answer of one-byte tokens: `length` of them, with or without a flaw that costs 0.2 a token. */
function answer(length: number, flawed: boolean): JudgedAnswer {
  const high = { cwe: 'CWE-125', severity: 'high', span: { start: 0, end: 1 }, rule: 'r', message: '' } as const;
  return {
    ...{ code: new Uint8Array(length).fill(0x61), answerStart: 0, offsets: Int32Array.from(Array(length + 1).keys()) },
    verdict: { spans: [], findings: flawed ? [high, high] : [], idle: [], missing: [], parseOk: true },
    ...{ functional: null, score: null },
  };
}

test('the kernel adds up what answers earned, less KL', () => {
  const first = answer(4, true);
  first.verdict.spans = [
    { span: { start: 1, end: 3 }, kind: 'bounds', obligation: 'x' },
    { span: { start: 2, end: 4 }, kind: 'bounds', obligation: 'y' },
  ];
  const second = answer(3, false);
  second.verdict.idle = [{ span: { start: 0, end: 2 }, why: 'foreign' }];
  second.score = 1.5;
  const earned = [first, second].map((one) => answerReward(one, paper({ idlePenalty: 0.5 })));
  const kl = Float32Array.of(1, 0, -1, 0, 2, 0, 1);
  const rewards = batchRewards(earned, Int32Array.of(0, 4, 7), { kl, beta: 0.1 });
  const expected = [-0.3, 0, 0.1, 0, -0.45, -0.25, 1.4];
  for (const [t, reward] of rewards.entries()) expect(reward).toBeCloseTo(expected[t] as number, 6);
});

/*
 * A uniform penalty of 0.2 a token is to push every token of a flawed answer down. Behind GAE (γ 1, λ .95) and whitening it does not: the
 * last tokens have few penalties before them, so that they stand out as good. https://arxiv.org/abs/2602.23407 does whiten.
 */
describe('the sign of the penalty', () => {
  const length = 120;
  const gamma = 1;
  const lambda = 0.95;

  function advantages(
    flawed: boolean[],
    values: (t: number) => number,
    penaltyAt: 'reward' | 'advantage',
  ): Float32Array[] {
    const cuSeqlens = Int32Array.from(Array(flawed.length + 1).keys(), (b) => b * length);
    const earned = flawed.map((one) => answerReward(answer(length, one), paper({ penaltyAt })));
    const rewards = batchRewards(earned, cuSeqlens);
    const penalties = earned.map(({ advantagePenalty }) => advantagePenalty);
    const v = Float32Array.from({ length: flawed.length * length }, (_, i) => values(i % length));
    const input = { rewards, values: v, cuSeqlens, gamma, lambda, penalties, whiten: true };
    const { advantages: all } = gaeAdvantages(input);
    return flawed.map((_, b) => all.subarray(b * length, (b + 1) * length));
  }
  const zero = (): number => 0;

  test('V = 0: the raw advantage fades from -4 to -0.2', () => {
    const rewards = new Float32Array(length).fill(-0.2);
    const raw = kernels.gae({
      rewards,
      values: new Float32Array(length),
      cuSeqlens: Int32Array.of(0, length),
      gamma,
      lambda,
    });
    expect(raw.advantages[0]).toBeCloseTo(-4, 1);
    expect(raw.advantages.at(-1)).toBeCloseTo(-0.2, 6);
    const flat = whitened(raw.advantages);
    expect(flat.filter((advantage) => advantage > 0).length).toBeGreaterThan(25);
    expect(flat.at(-1)).toBeGreaterThan(2.5);
  });

  test('V = 0, half of the batch flawed: the end of a flawed answer is praised like a clean one', () => {
    const [flawed, clean] = advantages([true, false], zero, 'reward') as [Float32Array, Float32Array];
    expect(flawed[0]).toBeLessThan(-0.9);
    expect(flawed.filter((advantage) => advantage > 0).length).toBeGreaterThanOrEqual(10);
    expect(flawed.at(-1) as number).toBeGreaterThan(0.8 * (clean.at(-1) as number));
  });

  test('a V that knows the mean of both: no flip, but the last tokens feel a twentieth of it', () => {
    // Half of the answers lose 0.2 with every token still to come.
    const fitted = (t: number): number => -0.1 * (length - t);
    const [flawed, clean] = advantages([true, false], fitted, 'reward') as [Float32Array, Float32Array];
    expect(flawed.every((advantage) => advantage < 0)).toBe(true);
    expect(clean.every((advantage) => advantage > 0)).toBe(true);
    expect((flawed.at(-1) as number) / (flawed[0] as number)).toBeCloseTo(0.05, 2);
  });

  test('a V that knows it all: nothing is left of the penalty', () => {
    const rewards = new Float32Array(length).fill(-0.2);
    const values = rewards.map((_, t) => -0.2 * (length - t));
    const { advantages: left } = kernels.gae({ rewards, values, cuSeqlens: Int32Array.of(0, length), gamma, lambda });
    expect(Math.max(...left.map(Math.abs))).toBeLessThan(1e-4);
  });

  test('remedy: taken from the advantages it has one sign and size, whatever V is', () => {
    for (const values of [zero, (t: number): number => 0.3 * Math.sin(t)]) {
      const [flawed, clean] = advantages([true, false], values, 'advantage') as [Float32Array, Float32Array];
      // What V adds is the same in both.
      const gaps = clean.map((advantage, t) => advantage - (flawed[t] as number));
      for (const gap of gaps) expect(gap).toBeCloseTo(gaps[0] as number, 4);
      expect(gaps[0]).toBeGreaterThan(0);
    }
    const [flawed, clean] = advantages([true, false], zero, 'advantage') as [Float32Array, Float32Array];
    expect(flawed.every((advantage) => Math.abs(advantage + 1) < 0.01)).toBe(true);
    expect(clean.every((advantage) => Math.abs(advantage - 1) < 0.01)).toBe(true);
  });
});
