import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type RewardOptions, rewardOptionsShape, rewardPresets } from '../../src/config/reward-options.js';
import type { Options } from '../../src/config/schema.js';
import { answerBytes, answerReward, creditShare, type JudgedAnswer, tokensOf } from '../../src/reward/index.js';
import type { Span, Verdict } from '../../src/teacher/teacher.js';
import { Tokenizer } from '../../src/tokenizer/index.js';
import { replaceInvalid } from '../../src/utf8.js';

const schema = z.strictObject(rewardOptionsShape());
const options = (given: Options<RewardOptions> = {}): RewardOptions => schema.parse(given) as RewardOptions;
const preset = (name: keyof typeof rewardPresets, tlr: Options<RewardOptions['tlr']> = {}): RewardOptions =>
  options({ ...rewardPresets[name], tlr: { ...rewardPresets[name].tlr, ...tlr } });

const span = (start: number, end: number): Span => ({ start, end });
const secure = (start: number, end: number, obligation: string): Verdict['spans'][number] => ({
  ...{ span: span(start, end), kind: 'bounds', obligation },
});
const finding = (severity: 'high' | 'medium' | 'low'): Verdict['findings'][number] => ({
  ...{ cwe: 'CWE-125', severity, span: span(0, 1), rule: 'r', message: '' },
});

/** An answer of one-byte tokens behind a prefix of `answerStart` bytes, and EOS, which has no bytes. */
function answer(verdict: Partial<Verdict>, given: Partial<JudgedAnswer> = {}): JudgedAnswer {
  const text = 'ab cd ef gh ij';
  const length = text.length;
  return {
    code: Buffer.from(text),
    answerStart: 0,
    offsets: Int32Array.from([...Array(length + 1).keys(), length]),
    verdict: { spans: [], findings: [], idle: [], missing: [], parseOk: true, ...verdict },
    functional: true,
    score: null,
    ...given,
  };
}
const rounded = (values: ArrayLike<number>): number[] => Array.from(values, (value) => Number(value.toFixed(6)));

describe('options', () => {
  test('the defaults are the preset srcode; paper is Eq. 1-3 to the letter', () => {
    expect(options(rewardPresets.srcode)).toEqual(options());
    expect(options(rewardPresets.paper).tlr).toMatchObject({
      ...{ normalize: 'none', rewardPerToken: 0.2, penalty: 'per-token', penaltyAt: 'reward', penaltyMax: 0.2 },
      ...{ severity: { high: 0.1, medium: 0.05, low: 0.02 }, cap: null, idlePenalty: 0, functionalGate: false },
    });
  });
});

describe('spans to tokens', () => {
  // bytes:  0123456789
  const code = Buffer.from('if (x)\n  y');
  const place = (offsets: number[]): { code: Buffer; answerStart: number; offsets: Int32Array } => ({
    ...{ code, answerStart: 0, offsets: Int32Array.from(offsets) },
  });

  test('a token is in T when one of its bytes that is not white space lies in a span', () => {
    const tokens = [0, 2, 3, 6, 9, 10]; // 'if' ' ' '(x)' '\n  ' 'y'
    expect([...tokensOf([span(0, 6)], place(tokens))]).toEqual([1, 0, 1, 0, 0]);
    expect([...tokensOf([span(5, 10)], place(tokens))]).toEqual([0, 0, 1, 0, 1]);
    expect([...tokensOf([span(6, 9)], place(tokens))]).toEqual([0, 0, 0, 0, 0]);
    expect([...tokensOf([span(4, 4)], place(tokens))]).toEqual([0, 0, 0, 0, 0]);
  });

  test('a token that is only partly inside counts by the bytes that are inside', () => {
    const tokens = [0, 7, 10]; // 'if (x)\n' '  y'
    expect([...tokensOf([span(6, 9)], place(tokens))]).toEqual([0, 0]);
    expect([...tokensOf([span(9, 10)], place(tokens))]).toEqual([0, 1]);
    expect([...tokensOf([span(5, 6)], place(tokens))]).toEqual([1, 0]);
  });

  test('what the task put before the answer, and tokens without bytes, are never in T', () => {
    const inAnswer = { code, answerStart: 4, offsets: Int32Array.from([0, 1, 1, 6, 6]) }; // 'x' '' ')\n  y' EOS
    expect([...tokensOf([span(0, 10)], inAnswer)]).toEqual([1, 0, 1, 0]);
    expect([...tokensOf([span(0, 4)], inAnswer)]).toEqual([0, 0, 0, 0]);
  });

  test('spans outside of the program and answers outside of it are errors', () => {
    expect(() => tokensOf([span(0, 11)], place([0, 10]))).toThrow(/inside \[0, 10\).*\[0, 11\)/);
    expect(() => tokensOf([], { code, answerStart: 4, offsets: Int32Array.from([0, 7]) })).toThrow(/\[4, 11\)/);
  });

  test('agrees with looking at each byte, for any tokens and spans', () => {
    const sorted = fc.uniqueArray(fc.nat(10), { maxLength: 8 }).map((cuts) => [0, ...cuts.sort((a, b) => a - b), 10]);
    const pair = fc.tuple(fc.nat(10), fc.nat(10)).map(([a, b]) => span(Math.min(a, b), Math.max(a, b)));
    fc.assert(
      fc.property(sorted, fc.array(pair, { maxLength: 3 }), (offsets, spans) => {
        const inside = (byte: number): boolean =>
          !/\s/.test(String.fromCharCode(code[byte] as number)) && spans.some((s) => s.start <= byte && byte < s.end);
        const expected = offsets.slice(1).map((end, t) => {
          const bytes = Array.from({ length: end - (offsets[t] as number) }, (_, i) => (offsets[t] as number) + i);
          return Number(bytes.some(inside));
        });
        expect([...tokensOf(spans, place(offsets))]).toEqual(expected);
      }),
    );
  });

  test('sampled ids keep their bytes: characters split over tokens, invalid bytes, special tokens', async () => {
    const tokenizer = await Tokenizer.load('tiny');
    const byteIds = (bytes: Uint8Array): number[] => {
      const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id);
      return Array.from(
        bytes,
        (byte) =>
          ids.find(
            (id) =>
              !tokenizer.specialIds.has(id) && tokenizer.bytes([id]).length === 1 && tokenizer.bytes([id])[0] === byte,
          ) as number,
      );
    };
    const eos = tokenizer.eosId as number;
    const ids = [
      ...byteIds(Buffer.from('/*é*/')),
      ...byteIds(Uint8Array.of(0xff)),
      eos,
      ...byteIds(Buffer.from('x;')),
      eos,
    ];
    const { bytes, offsets } = answerBytes(tokenizer, ids);
    expect(Buffer.from(bytes).toString('latin1')).toBe('/*Ã©*/ÿx;');
    expect([...offsets]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 9]);
    const seen = replaceInvalid(bytes);
    expect(Buffer.from(seen).toString()).toBe('/*é*/?x;');
    expect([...tokensOf([span(7, 9)], { code: seen, answerStart: 0, offsets })]).toEqual([
      0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0,
    ]);
    // One byte of a character is enough.
    expect([...tokensOf([span(2, 4)], { code: seen, answerStart: 0, offsets })].slice(0, 5)).toEqual([0, 0, 1, 1, 0]);
  });
});

describe('Eq. 1: secure tokens', () => {
  // 'ab cd ef gh ij': 'ab' and 'gh' are obligation x, 'cd ef' is y.
  const spans = [secure(0, 2, 'x'), secure(3, 8, 'y'), secure(9, 11, 'x')];

  test('none: r_s for each', () => {
    const { token, secureTokens, breakdown } = answerReward(answer({ spans }), preset('paper'));
    expect(rounded(token)).toEqual([0.2, 0.2, 0, 0.2, 0.2, 0, 0.2, 0.2, 0, 0.2, 0.2, 0, 0, 0, 0]);
    expect([...secureTokens]).toEqual([1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0]);
    expect(breakdown.secure).toBeCloseTo(1.6, 6);
  });

  test('span: a whole reward for each; obligation: a whole one for all spans of each', () => {
    const bySpan = answerReward(answer({ spans }), preset('srcode', { normalize: 'span' }));
    expect(rounded(bySpan.token)).toEqual([0.5, 0.5, 0, 0.25, 0.25, 0, 0.25, 0.25, 0, 0.5, 0.5, 0, 0, 0, 0]);
    const byObligation = answerReward(answer({ spans }), preset('srcode'));
    expect(rounded(byObligation.token)).toEqual([0.25, 0.25, 0, 0.25, 0.25, 0, 0.25, 0.25, 0, 0.25, 0.25, 0, 0, 0, 0]);
    expect(byObligation.breakdown.secure).toBeCloseTo(2, 6);
  });

  test('a guard that serves two obligations earns both, and r_s once', () => {
    const shared = [secure(0, 2, 'x'), secure(0, 2, 'y')];
    expect(rounded(answerReward(answer({ spans: shared }), preset('srcode')).token).slice(0, 3)).toEqual([1, 1, 0]);
    expect(rounded(answerReward(answer({ spans: shared }), preset('paper')).token).slice(0, 3)).toEqual([0.2, 0.2, 0]);
  });

  test('cap: the answer earns that much at most, in the same shares', () => {
    const { token, breakdown } = answerReward(answer({ spans }), preset('srcode', { cap: 1 }));
    expect(rounded(token).slice(0, 5)).toEqual([0.125, 0.125, 0, 0.125, 0.125]);
    expect(breakdown).toMatchObject({ secure: 1, withheld: 1 });
    expect(answerReward(answer({ spans }), preset('srcode', { cap: 5 })).breakdown.secure).toBeCloseTo(2, 6);
  });

  test('the gate: nothing where the functional tests fail, but T stays T', () => {
    const failed = answerReward(answer({ spans }, { functional: false }), preset('srcode'));
    expect(failed.token.every((reward) => reward === 0)).toBe(true);
    expect(failed.breakdown).toMatchObject({ secure: 0, withheld: 2, functional: -2 });
    expect(failed.secureTokens.filter((inside) => inside === 1)).toHaveLength(8);
    const ungated = answerReward(answer({ spans }, { functional: false }), preset('srcode', { functionalGate: false }));
    expect(ungated.breakdown.secure).toBeCloseTo(2, 6);
    expect(() => answerReward(answer({ spans }, { functional: null }), preset('srcode'))).toThrow(/functionalGate/);
    expect(answerReward(answer({ spans }, { functional: null }), preset('paper')).terminal).toBe(0);
  });

  test('idle guards lose their penalty in all, gate or not', () => {
    const idle = [
      { span: span(3, 8), why: 'repeated' as const },
      { span: span(12, 14), why: 'foreign' as const },
    ];
    for (const functional of [true, false]) {
      const { token, breakdown } = answerReward(answer({ idle }, { functional }), preset('srcode'));
      expect(rounded(token)).toEqual([0, 0, 0, -0.125, -0.125, 0, -0.125, -0.125, 0, 0, 0, 0, -0.25, -0.25, 0]);
      expect(breakdown.idle).toBeCloseTo(1, 6);
    }
  });
});

describe('Eq. 2: the penalty', () => {
  const found = (...severities: ('high' | 'medium' | 'low')[]): Partial<Verdict> => ({
    findings: severities.map(finding),
  });

  test.each([
    [['low'], 0.02],
    [['medium'], 0.05],
    [['high'], 0.1],
    [['high', 'medium', 'low'], 0.17],
    [['high', 'high', 'high'], 0.2],
  ] as const)('%j costs every token %f', (severities, rho) => {
    expect(answerReward(answer(found(...severities)), preset('paper')).penalty).toBeCloseTo(rho, 9);
  });

  test('per token, spread over the answer, or taken from the advantages', () => {
    const flawed = answer(found('high'));
    const L = 15;
    expect(answerReward(flawed, preset('paper')).breakdown.penalty).toBeCloseTo(0.1 * L, 6);
    expect(answerReward(flawed, preset('srcode')).penalty).toBeCloseTo(0.1 / L, 9);
    const later = answerReward(flawed, preset('paper', { penaltyAt: 'advantage' }));
    expect([later.penalty, later.advantagePenalty]).toEqual([0, 0.1]);
    expect(answerReward(answer({}), preset('paper'))).toMatchObject({ penalty: 0, advantagePenalty: 0 });
  });

  test('a missing step weighs like a finding, except in the paper', () => {
    const lacking = answer({ missing: ['get', 'set'], ...found('low') });
    expect(answerReward(lacking, preset('srcode', { penaltyMax: 1 })).breakdown.penalty).toBeCloseTo(0.22, 9);
    expect(answerReward(lacking, preset('paper')).penalty).toBeCloseTo(0.02, 9);
  });
});

describe('Eq. 3: the terminal reward', () => {
  test('the reward model, weighed and clipped, and the functional term', () => {
    expect(answerReward(answer({}, { score: 5 }), options()).terminal).toBeCloseTo(0.5 * 3 + 2, 9);
    expect(answerReward(answer({}, { score: -5, functional: false }), options()).terminal).toBeCloseTo(-1.5 - 2, 9);
    expect(answerReward(answer({}, { score: 5 }), preset('paper')).terminal).toBe(5);
  });

  test('delivery off leaves the terminal reward alone', () => {
    const judged = answer({ spans: [secure(0, 2, 'x')], findings: [finding('high')] }, { score: 1 });
    const off = answerReward(judged, preset('srcode', { delivery: 'off' }));
    expect(off).toMatchObject({ penalty: 0, advantagePenalty: 0, terminal: 2.5 });
    expect(off.token.every((reward) => reward === 0)).toBe(true);
  });
});

describe('same sum', () => {
  const words = [span(0, 2), span(3, 5), span(6, 8), span(9, 11), span(12, 14)];
  const verdicts: fc.Arbitrary<Partial<Verdict>> = fc.record({
    spans: fc.array(
      fc
        .tuple(fc.constantFrom(...words), fc.constantFrom('x', 'y'))
        .map(([at, name]) => secure(at.start, at.end, name)),
      { maxLength: 5 },
    ),
    idle: fc.array(
      fc.constantFrom(...words).map((at) => ({ span: at, why: 'repeated' as const })),
      { maxLength: 2 },
    ),
    findings: fc.array(
      fc.constantFrom('high', 'medium', 'low').map((severity) => finding(severity as 'high')),
      { maxLength: 3 },
    ),
    missing: fc.subarray(['get', 'set']),
  });
  const settings = fc.record({
    normalize: fc.constantFrom('none', 'span', 'obligation'),
    penalty: fc.constantFrom('per-token', 'spread'),
    penaltyAt: fc.constantFrom('reward', 'advantage'),
    cap: fc.constantFrom(null, 0.7),
    functionalGate: fc.boolean(),
  }) as fc.Arbitrary<Options<RewardOptions['tlr']>>;

  test('the last token gets exactly what the tokens would have got', () => {
    fc.assert(
      fc.property(verdicts, settings, fc.boolean(), (verdict, tlr, functional) => {
        const judged = answer(verdict, { functional, score: 0.5 });
        const [tokens, last, off] = (['tokens', 'last', 'off'] as const).map((delivery) =>
          answerReward(judged, preset('srcode', { ...tlr, delivery })),
        ) as [ReturnType<typeof answerReward>, ReturnType<typeof answerReward>, ReturnType<typeof answerReward>];
        const each = tokens.penalty + tokens.advantagePenalty;
        const delivered = tokens.token.reduce((sum, reward) => sum + reward, 0) - each * tokens.token.length;
        expect(last.terminal - off.terminal).toBeCloseTo(delivered, 12);
        expect(last.token.every((reward) => reward === 0)).toBe(true);
        expect([last.penalty, last.advantagePenalty]).toEqual([0, 0]);
        expect(last.breakdown).toEqual(tokens.breakdown);
        const { secure, idle, penalty } = tokens.breakdown;
        expect(delivered).toBeCloseTo(secure - idle - penalty, 5);
      }),
    );
  });
});

test('the share of the gradient on secure tokens, beside their share of the tokens', () => {
  const gradient = Float32Array.of(-1, 0.5, 0, 2.5, 0, 0);
  const masks = [Uint8Array.of(0, 1, 0), Uint8Array.of(1, 0, 0)];
  expect(creditShare(gradient, masks)).toEqual({ gradient: 0.75, tokens: 2 / 6 });
  expect(creditShare(new Float32Array(6), masks).gradient).toBe(0);
});
