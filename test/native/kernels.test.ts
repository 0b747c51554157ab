import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clip, kernels } from '../../src/native/kernels.js';
import { fixtures, readIndex } from '../support/fixtures.js';
import { readSafetensors } from '../support/tensors.js';

const f32 = (...values: number[]): Float32Array => Float32Array.from(values);
const i32 = (...values: number[]): Int32Array => Int32Array.from(values);
const near = (received: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6): void => {
  expect(received.length).toBe(expected.length);
  expected.forEach(
    (value, i) =>
      void expect(Math.abs((received[i] as number) - value), `[${i}]`).toBeLessThan(tolerance * (1 + Math.abs(value))),
  );
};
const code = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'no error';
};

describe('tokenRewards', () => {
  test('Eq. 1-3 worked by hand: spans, penalty from every token, terminal at the last, beta times kl', () => {
    // Sequence 0: spans [0, 2) 0.2 and [1, 3) 0.5, so 0.2, 0.5, 0.5; penalty 0.1; terminal 1; 2 kl = 0.5, 0, -1.
    //   0.2 - 0.1 - 0.5 = -0.4     0.5 - 0.1 - 0 = 0.4     0.5 - 0.1 + 1 + 1 = 2.4
    // Sequence 1 is empty. Sequence 2: no span, no penalty, terminal -3, 2 kl = 1: -4.
    const rewards = kernels.tokenRewards({
      cuSeqlens: i32(0, 3, 3, 4),
      spans: { sequence: i32(0, 0), start: i32(1, 0), end: i32(3, 2), reward: f32(0.5, 0.2) },
      penalty: f32(0.1, 0.2, 0),
      terminal: f32(1, 0, -3),
      kl: f32(0.25, 0, -0.5, 0.5),
      beta: 2,
    });
    near(rewards, [-0.4, 0.4, 2.4, -4]);
  });

  test('Eq. 2 lowers every token by the penalty, and only of its own sequence', () => {
    near(kernels.tokenRewards({ cuSeqlens: i32(0, 2, 4), penalty: f32(0.2, 0) }), [-0.2, -0.2, 0, 0]);
  });

  test('a penalty below 0, which would be a bonus, is refused', () => {
    expect(code(() => kernels.tokenRewards({ cuSeqlens: i32(0, 2), penalty: f32(-0.1) }))).toBe('ERR_INVALID_ARG');
  });

  test('any set of spans gives each token the largest reward that covers it', () => {
    const span = fc.record({ start: fc.nat(12), length: fc.nat(8), reward: fc.integer({ min: -4, max: 4 }) });
    fc.assert(
      fc.property(fc.array(span, { maxLength: 12 }), (spans) => {
        const n = 20;
        const rewards = kernels.tokenRewards({
          cuSeqlens: i32(0, 3, 3 + n),
          spans: {
            sequence: spans.map(() => 1),
            start: spans.map(({ start }) => start),
            end: spans.map(({ start, length }) => start + length),
            reward: spans.map(({ reward }) => reward / 4),
          },
        });
        const expected = Array.from({ length: n }, (_, t) => {
          const covering = spans.filter(({ start, length }) => start <= t && t < start + length);
          return covering.length === 0 ? 0 : Math.max(...covering.map(({ reward }) => reward)) / 4;
        });
        expect([...rewards]).toEqual([0, 0, 0, ...expected]);
      }),
    );
  });
});

describe('gae', () => {
  test('three tokens worked by hand', () => {
    // gamma = lambda = 0.5, r = (1, 2, 3), V = 1: delta = (1 + 0.5 - 1, 2 + 0.5 - 1, 3 + 0 - 1) = (0.5, 1.5, 2).
    // A_2 = 2, A_1 = 1.5 + 0.25 · 2 = 2, A_0 = 0.5 + 0.25 · 2 = 1; returns = A + 1.
    const { advantages, returns } = kernels.gae({
      rewards: f32(1, 2, 3),
      values: f32(1, 1, 1),
      cuSeqlens: i32(0, 3),
      gamma: 0.5,
      lambda: 0.5,
    });
    near(advantages, [1, 2, 2]);
    near(returns, [2, 3, 3]);
  });

  const batch = fc.array(fc.nat(70), { maxLength: 5 }).chain((lengths) => {
    const n = lengths.reduce((a, b) => a + b, 0);
    const floats = fc.float32Array({ minLength: n, maxLength: n, min: -4, max: 4, noNaN: true });
    return fc.tuple(
      fc.constant(lengths),
      floats,
      floats,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
    );
  });
  const starts = (lengths: readonly number[]): Int32Array => {
    let sum = 0;
    return Int32Array.from([0, ...lengths.map((length) => (sum += length))]);
  };

  test('follows Eq. 6 summed term by term', () => {
    fc.assert(
      fc.property(batch, ([lengths, rewards, values, gamma, lambda]) => {
        const cuSeqlens = starts(lengths);
        const { advantages, returns } = kernels.gae({ rewards, values, cuSeqlens, gamma, lambda });
        lengths.forEach((length, b) => {
          const begin = cuSeqlens[b] as number;
          for (let t = 0; t < length; t++) {
            let sum = 0;
            for (let l = 0; t + l < length; l++) {
              const i = begin + t + l;
              const behind = t + l + 1 < length ? (values[i + 1] as number) : 0;
              sum += (gamma * lambda) ** l * ((rewards[i] as number) + gamma * behind - (values[i] as number));
            }
            expect(Math.abs((advantages[begin + t] as number) - sum)).toBeLessThan(1e-4);
            expect(Math.abs((returns[begin + t] as number) - sum - (values[begin + t] as number))).toBeLessThan(1e-4);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  test('lambda 0 is the one-step error; gamma = lambda = 1 is the reward to go minus the value', () => {
    const rewards = f32(1, -2, 0.5, 4);
    const values = f32(0.5, 1, -1, 2);
    const cuSeqlens = i32(0, 4);
    // delta = (1 + 1 - 0.5, -2 - 1 - 1, 0.5 + 2 + 1, 4 + 0 - 2)
    near(kernels.gae({ rewards, values, cuSeqlens, gamma: 1, lambda: 0 }).advantages, [1.5, -4, 3.5, 2]);
    // Rewards to go 3.5, 2.5, 4.5, 4; minus V.
    near(kernels.gae({ rewards, values, cuSeqlens, gamma: 1, lambda: 1 }).advantages, [3, 1.5, 5.5, 2]);
  });

  test('a uniform penalty turns into a large fall at the start and a small one at the end', () => {
    // -0.2 a token, V = 0, gamma 1, lambda 0.95: A_0 is near -0.2 / 0.05 = -4, the last -0.2.
    const n = 400;
    const { advantages } = kernels.gae({
      rewards: new Float32Array(n).fill(-0.2),
      values: new Float32Array(n),
      cuSeqlens: i32(0, n),
      gamma: 1,
      lambda: 0.95,
    });
    near([advantages[0] as number, advantages[n - 1] as number], [-4, -0.2], 1e-5);
  });
});

describe('ppoLoss', () => {
  const ratio = (r: number, advantage: number, clip: Clip) =>
    kernels.ppoLoss({ logProbs: f32(-1 + Math.log(r)), oldLogProbs: f32(-1), advantages: f32(advantage), clip });

  test('two weighted tokens worked by hand, mean and sum, with the value loss', () => {
    // Ratios 2 and 0.5, A = (1, -2), w = (3, 1), epsilon 0.2: token 0 is clipped at 1.2: l = -1.2, slope 0. Token 1: min(0.5 · -2,
    // 0.8 · -2) = -1.6, clipped too: l = 1.6, slope 0. Σwl = -3.6 + 1.6 = -2, mean -0.5, sum -2.
    // V = (1, 0), V_old = (0.5, 0), R = (2, 1), value clip 0.2: clip(V) = (0.7, 0); max((-1)², (-1.3)²) = 1.69, slope 0 (the held one);
    // max(1, 1) = 1, slope -1. Value loss ½ (3 · 1.69 + 1) / 4 = 0.75875; gradient (0, 1 · -1 / 4).
    // k3: 2 - 1 - ln 2 = 0.306853, 0.5 - 1 + ln 2 = 0.193147: (3 · 0.306853 + 0.193147) / 4 = 0.278426.
    const input = {
      logProbs: f32(-1 + Math.log(2), -1 + Math.log(0.5)),
      oldLogProbs: f32(-1, -1),
      advantages: f32(1, -2),
      weights: f32(3, 1),
      values: f32(1, 0),
      oldValues: f32(0.5, 0),
      returns: f32(2, 1),
      clip: { kind: 'ppo', epsilon: 0.2 } as const,
    };
    const mean = kernels.ppoLoss(input);
    near([mean.loss, mean.valueLoss, mean.clipFraction, mean.approxKl], [-0.5, 0.75875, 1, 0.278426], 1e-5);
    near(mean.gradLogProbs, [0, 0]);
    near(mean.gradValues, [0, -0.25]);
    const sum = kernels.ppoLoss({ ...input, aggregation: 'sum' });
    near([sum.loss, sum.valueLoss, sum.approxKl], [-2, 0.75875, 0.278426], 1e-5);
  });

  test('the paper’s limit and its cure: past 1.2 the rewarded token has no gradient under PPO, but under SAPO and CISPO', () => {
    expect(ratio(1.5, 1, { kind: 'ppo', epsilon: 0.2 }).gradLogProbs[0]).toBe(0);
    near(ratio(1.5, 1, { kind: 'sapo', tauPos: 1, tauNeg: 1.05 }).gradLogProbs, [-1.41], 0.003);
    near(ratio(1.5, 1, { kind: 'cispo', cap: 1.28 }).gradLogProbs, [-1.28]);
  });

  test('CISPO’s cap is the ratio itself', () => {
    near(ratio(1.25, 1, { kind: 'cispo', cap: 1.28 }).gradLogProbs, [-1.25]);
    near(ratio(2.2, 1, { kind: 'cispo', cap: 1.28 }).gradLogProbs, [-1.28]); // as an offset it would be -2.2
    expect(() => ratio(1, 1, { kind: 'cispo', cap: 0.28 })).toThrow(/not an offset above 1\), received 0.28/);
  });

  const clips: Clip[] = [
    { kind: 'ppo', epsilon: 0.2 },
    { kind: 'dual', epsilon: 0.2, c: 3 },
    { kind: 'sapo', tauPos: 1, tauNeg: 1.05 },
    { kind: 'cispo', cap: 1.28 },
  ];
  const edges = [0.8, 1.2, 3, 1.28];

  test.each(clips)('$kind: gradients are finite differences of the loss', (clip) => {
    const token = fc.record({
      old: fc.double({ min: -5, max: -0.1, noNaN: true }),
      move: fc.double({ min: -1.2, max: 1.2, noNaN: true }),
      advantage: fc.double({ min: -2, max: 2, noNaN: true }),
      weight: fc.constantFrom(0, 0.5, 1, 2),
    });
    fc.assert(
      fc.property(
        fc.array(token, { minLength: 1, maxLength: 20 }),
        fc.constantFrom('mean', 'sum'),
        (tokens, aggregation) => {
          fc.pre(tokens.some(({ weight }) => weight > 0));
          const old = Float32Array.from(tokens, (t) => t.old);
          const logProbs = Float32Array.from(tokens, (t) => t.old + t.move);
          const advantages = Float32Array.from(tokens, (t) => t.advantage);
          const weights = Float32Array.from(tokens, (t) => t.weight);
          const at = (x: Float32Array) =>
            kernels.ppoLoss({
              logProbs: x,
              oldLogProbs: old,
              advantages,
              weights,
              clip,
              aggregation: aggregation as 'mean' | 'sum',
            });
          const { gradLogProbs } = at(logProbs);
          const scale = aggregation === 'sum' ? 1 : 1 / weights.reduce((a, b) => a + b, 0);
          for (let i = 0; i < tokens.length; i++) {
            const r = Math.exp((logProbs[i] as number) - (old[i] as number));
            if (edges.some((edge) => Math.abs(r - edge) < 0.02)) continue; // the loss has a corner there
            const up = Float32Array.from(logProbs);
            const down = Float32Array.from(logProbs);
            up[i] = (logProbs[i] as number) + 2 ** -9;
            down[i] = (logProbs[i] as number) - 2 ** -9;
            let slope = (at(up).loss - at(down).loss) / ((up[i] as number) - (down[i] as number));
            if (clip.kind === 'cispo') {
              // The coefficient min(r, cap) is held (stop gradient): what it contributes to the difference is taken out.
              const coefficient = (x: number): number => Math.min(Math.exp(x - (old[i] as number)), clip.cap);
              const w = scale * (weights[i] as number) * (advantages[i] as number);
              const held =
                (coefficient(up[i] as number) - coefficient(down[i] as number)) /
                ((up[i] as number) - (down[i] as number));
              slope += w * held * (logProbs[i] as number);
            }
            expect(Math.abs((gradLogProbs[i] as number) - slope)).toBeLessThan(2e-3 * scale * (1 + r));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each(clips)('$kind: at ratio 1 the gradient is -A w / Σw, nothing is clipped and the KL is 0', (clip) => {
    const logProbs = f32(-1, -2, -3);
    const result = kernels.ppoLoss({
      logProbs,
      oldLogProbs: logProbs,
      advantages: f32(1, -2, 3),
      weights: f32(1, 1, 2),
      clip,
    });
    near(result.gradLogProbs, [-1 / 4, 2 / 4, -6 / 4]);
    expect(result.clipFraction).toBe(0);
    expect(result.approxKl).toBe(0);
    expect(result.valueLoss).toBe(0);
    expect(result.gradValues.length).toBe(0);
  });
});

describe('loraUpdate', () => {
  test('two steps worked by hand', () => {
    // lr 0.1, betas 0.9 and 0.99, decay 0.5, no clip; p = 2, g = 3 in both steps: m / (1 - 0.9^t) = 3 and v / (1 - 0.99^t) = 9 each time,
    // so each step is p ← 0.95 p - 0.1: 2 → 1.8 → 1.61.
    const state = { params: f32(2), grads: f32(3), m: f32(0), v: f32(0) };
    const config = { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.5, clipNorm: 0 };
    expect(kernels.loraUpdate({ ...state, ...config, step: 1 }).gradNorm).toBeCloseTo(3, 6);
    near(state.params, [1.8]);
    kernels.loraUpdate({ ...state, ...config, step: 2 });
    near(state.params, [1.61]);
    near([...state.m, ...state.v], [0.3 + 0.9 * 0 + 0.27, 0.09 * 0.99 + 0.09]);
  });

  test('a gradient that is not finite is named, and nothing changes', () => {
    const state = {
      params: [f32(1), f32(2, 3)],
      grads: [f32(1), f32(1, Number.NaN)],
      m: [f32(0), f32(0, 0)],
      v: [f32(0), f32(0, 0)],
    };
    expect(() => kernels.loraUpdate({ ...state, step: 1, lr: 0.1 })).toThrow(
      /finite grads\[1\], received NaN at \[1\]/,
    );
    expect(state.params).toEqual([f32(1), f32(2, 3)]);
    expect(state.m).toEqual([f32(0), f32(0, 0)]);
  });
});

// Computed in double by torch's autograd and torch.optim, from the same f32 inputs (test/oracle/kernels.py).
describe('torch', () => {
  const recorded = readSafetensors(join(fixtures, 'kernels.safetensors'));
  const tensor = (name: string): Float32Array => (recorded[name] as { values: Float32Array }).values;
  const { gae, ppoLoss, loraUpdate } = readIndex().kernels;

  test('gae agrees', () => {
    const { advantages, returns } = kernels.gae({
      ...{ rewards: tensor('gae.rewards'), values: tensor('gae.values'), cuSeqlens: Int32Array.from(gae.cuSeqlens) },
      ...{ gamma: gae.gamma, lambda: gae.lambda },
    });
    near(advantages, [...tensor('gae.advantages')], 2e-6);
    near(returns, [...tensor('gae.returns')], 2e-6);
  });

  test.each(ppoLoss.cases)(
    'ppoLoss agrees: $clip.kind, $aggregation',
    ({ clip, aggregation, loss, valueLoss, approxKl }) => {
      const result = kernels.ppoLoss({
        ...{ logProbs: tensor('ppoLoss.logProbs'), oldLogProbs: tensor('ppoLoss.oldLogProbs') },
        ...{ advantages: tensor('ppoLoss.advantages'), weights: tensor('ppoLoss.weights') },
        ...{
          values: tensor('ppoLoss.values'),
          oldValues: tensor('ppoLoss.oldValues'),
          returns: tensor('ppoLoss.returns'),
        },
        ...{ valueClip: ppoLoss.valueClip, clip, aggregation },
      });
      near([result.loss, result.valueLoss, result.approxKl], [loss, valueLoss, approxKl], 2e-6);
      near(result.gradLogProbs, [...tensor(`ppoLoss.${clip.kind}.${aggregation}.gradLogProbs`)], 2e-6);
      near(result.gradValues, [...tensor('ppoLoss.gradValues')], 2e-6);
    },
  );

  test('loraUpdate follows AdamW behind clip_grad_norm_', () => {
    const params = Float32Array.from(tensor('loraUpdate.params'));
    const [m, v] = [new Float32Array(params.length), new Float32Array(params.length)];
    loraUpdate.gradNorms.forEach((norm, i) => {
      const grads = tensor(`loraUpdate.grads.${i}`);
      const { gradNorm } = kernels.loraUpdate({ params, grads, m, v, step: i + 1, ...loraUpdate.options });
      near([gradNorm], [norm], 1e-6);
    });
    near(params, [...tensor('loraUpdate.updated')], 1e-6);
    near(m, [...tensor('loraUpdate.m')], 1e-6);
    near(v, [...tensor('loraUpdate.v')], 1e-6);
  });
});

describe('arguments', () => {
  const gae = { rewards: f32(1, 2), values: f32(1, 2), cuSeqlens: i32(0, 2), gamma: 1, lambda: 0.95 };
  const ppo = {
    logProbs: f32(-1),
    oldLogProbs: f32(-1),
    advantages: f32(1),
    clip: { kind: 'ppo', epsilon: 0.2 } as const,
  };
  const spans = { sequence: i32(0), start: i32(0), end: i32(1), reward: f32(1) };
  const adamw = { params: f32(1), grads: f32(1), m: f32(0), v: f32(0), step: 1, lr: 0.1 };
  // biome-ignore lint/suspicious/noExplicitAny: wrong types are the point
  const any = (value: unknown): any => value;

  test.each<[string, () => unknown, string, RegExp]>([
    ['gae without an argument', () => kernels.gae(any(undefined)), 'ERR_INVALID_ARG', /argument of gae.*object/],
    [
      'a plain array',
      () => kernels.gae({ ...gae, rewards: any([1, 2]) }),
      'ERR_INVALID_ARG',
      /rewards to be a Float32Array, received an array/,
    ],
    [
      'another typed array',
      () => kernels.gae({ ...gae, values: any(new Float64Array(2)) }),
      'ERR_INVALID_ARG',
      /values.*Float64Array/,
    ],
    ['a short array', () => kernels.gae({ ...gae, values: f32(1) }), 'ERR_SHAPE', /values of length N = 2, received 1/],
    [
      'a NaN',
      () => kernels.gae({ ...gae, rewards: f32(1, Number.NaN) }),
      'ERR_NON_FINITE',
      /finite rewards, received NaN at \[1\]/,
    ],
    [
      'an infinity',
      () => kernels.gae({ ...gae, values: f32(-Infinity, 0) }),
      'ERR_NON_FINITE',
      /values, received -Infinity at \[0\]/,
    ],
    [
      'falling cuSeqlens',
      () => kernels.gae({ ...gae, cuSeqlens: i32(0, 3, 2) }),
      'ERR_SHAPE',
      /never to fall, received 3 before 2 at \[2\]/,
    ],
    ['cuSeqlens from 1', () => kernels.gae({ ...gae, cuSeqlens: i32(1, 2) }), 'ERR_SHAPE', /begin with 0, received 1/],
    ['empty cuSeqlens', () => kernels.gae({ ...gae, cuSeqlens: i32() }), 'ERR_SHAPE', /an empty array/],
    [
      'cuSeqlens of another N',
      () => kernels.gae({ ...gae, cuSeqlens: i32(0, 3) }),
      'ERR_SHAPE',
      /rewards of length N = 3, received 2/,
    ],
    ['gamma above 1', () => kernels.gae({ ...gae, gamma: 1.5 }), 'ERR_INVALID_ARG', /gamma.*\[0, 1\], received 1.5/],
    ['lambda NaN', () => kernels.gae({ ...gae, lambda: Number.NaN }), 'ERR_INVALID_ARG', /lambda.*received NaN/],
    [
      'a span past its sequence',
      () => kernels.tokenRewards({ cuSeqlens: i32(0, 2, 9), spans: { ...spans, end: i32(3) } }),
      'ERR_SHAPE',
      /span 0 is \[0, 3\) of sequence 0/,
    ],
    [
      'a span of no sequence',
      () => kernels.tokenRewards({ cuSeqlens: i32(0, 2), spans: { ...spans, sequence: i32(1) } }),
      'ERR_SHAPE',
      /names sequence 1/,
    ],
    [
      'spans of two lengths',
      () => kernels.tokenRewards({ cuSeqlens: i32(0, 2), spans: { ...spans, reward: f32(1, 2) } }),
      'ERR_SHAPE',
      /spans.reward as long as/,
    ],
    [
      'a terminal for no token',
      () => kernels.tokenRewards({ cuSeqlens: i32(0, 0, 2), terminal: f32(1, 1) }),
      'ERR_SHAPE',
      /terminal\[0\] is 1/,
    ],
    ['kl without beta', () => kernels.tokenRewards({ cuSeqlens: i32(0, 2), kl: f32(0, 0) }), 'ERR_INVALID_ARG', /beta/],
    [
      'no token',
      () => kernels.ppoLoss({ ...ppo, logProbs: f32(), oldLogProbs: f32(), advantages: f32() }),
      'ERR_SHAPE',
      /at least one token/,
    ],
    [
      'values without returns',
      () => kernels.ppoLoss({ ...ppo, values: f32(1) }),
      'ERR_INVALID_ARG',
      /values and returns together/,
    ],
    [
      'a negative weight',
      () => kernels.ppoLoss({ ...ppo, weights: f32(-1) }),
      'ERR_INVALID_ARG',
      /weights\[0\].*received -1/,
    ],
    ['no weight', () => kernels.ppoLoss({ ...ppo, weights: f32(0) }), 'ERR_INVALID_ARG', /at least one weight above 0/],
    [
      'an unknown clip',
      () => kernels.ppoLoss({ ...ppo, clip: any({ kind: 'grpo' }) }),
      'ERR_INVALID_ARG',
      /'cispo', received 'grpo'/,
    ],
    [
      'a clip without epsilon',
      () => kernels.ppoLoss({ ...ppo, clip: any({ kind: 'ppo' }) }),
      'ERR_INVALID_ARG',
      /clip.epsilon.*undefined/,
    ],
    [
      'an unknown aggregation',
      () => kernels.ppoLoss({ ...ppo, aggregation: any('max') }),
      'ERR_INVALID_ARG',
      /'mean' or 'sum'/,
    ],
    ['step 0', () => kernels.loraUpdate({ ...adamw, step: 0 }), 'ERR_INVALID_ARG', /step.*from 1 on, received 0/],
    ['beta1 = 1', () => kernels.loraUpdate({ ...adamw, beta1: 1 }), 'ERR_INVALID_ARG', /beta1.*\[0, 1\)/],
    [
      'lists of two lengths',
      () => kernels.loraUpdate({ ...adamw, grads: [] }),
      'ERR_SHAPE',
      /as many grads as params \(1\), received 0/,
    ],
    [
      'arrays in one place',
      () => kernels.loraUpdate({ ...adamw, m: adamw.params }),
      'ERR_INVALID_ARG',
      /params\[0\] and m\[0\] share memory/,
    ],
  ])('%s is refused', (_, call, wanted, message) => {
    expect(code(call)).toBe(wanted);
    expect(call).toThrow(message);
  });
});
