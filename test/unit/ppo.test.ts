import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { objectLayer } from '../../src/config/layers.js';
import { ppoPresets, ppoSchema } from '../../src/config/ppo.js';
import { resolveConfig } from '../../src/config/resolve.js';
import type { SrcodeError } from '../../src/errors.js';
import { Phases } from '../../src/phases.js';
import { Journal } from '../../src/run/journal.js';
import { loadTask } from '../../src/tasks/load.js';
import { Verdicts } from '../../src/tasks/verdicts.js';
import { explainedVariance, groupAdvantages, moments, whitened } from '../../src/training/ppo/advantages.js';
import { nextBeta } from '../../src/training/ppo/kl.js';
import { replaceInvalid } from '../../src/utf8.js';
import { copyTask } from '../support/tasks.js';

const fresh = (): string => mkdtempSync(join(tmpdir(), 'srcode-ppo-'));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('config', () => {
  const resolve = (options: object) => resolveConfig(ppoSchema, [objectLayer(options)]);
  const message = (options: object): string => {
    try {
      resolve(options);
    } catch (error) {
      expect((error as SrcodeError).code).toBe('ERR_CONFIG');
      return (error as SrcodeError).message;
    }
    throw new Error('expected ERR_CONFIG');
  };

  test('the preset srcode differs from the defaults in what trials chose', () => {
    const { lr, schedule, ...chosen } = resolve(ppoPresets.srcode);
    expect(resolve({})).toMatchObject({ ...chosen });
    expect([lr, schedule.kind]).toEqual([1e-3, 'linear']);
    expect(resolve({})).toMatchObject({ task: 'family', prompts: 64, samples: 1, epochs: 2, minibatch: 16, lr: 5e-4 });
  });

  test('the preset paper is the formulas to the letter', () => {
    expect(resolve(ppoPresets.paper)).toMatchObject({
      ...{ topP: 0.9, lambda: 0.95, critic: 'shared', epochs: 4, valueClip: 0.2, normalizeScores: false },
      kl: { estimator: 'k1', coefficient: 0.2, adaptive: { on: true, target: 6, horizon: 10_000 } },
      reward: {
        tlr: { normalize: 'none', rewardPerToken: 0.2, penalty: 'per-token', penaltyMax: 0.2, functionalGate: false },
        functional: { weight: 0 },
      },
    });
  });

  test('a resolved config resolves to itself', () => {
    for (const preset of Object.values(ppoPresets)) expect(resolve(resolve(preset))).toEqual(resolve(preset));
  });

  test('what does not go together is an error that names the option', () => {
    expect(message({ advantage: 'group' })).toContain('samples: expected 2 or more with advantage group, received 1');
    for (const options of [{}, { critic: 'adapter', advantage: 'group', samples: 4 }]) {
      expect(message({ criticWarmup: 2, ...options })).toContain('criticWarmup: expected 0 without a critic adapter');
    }
    expect(message({ template: 'no place' })).toContain('template');
    expect(resolve({ criticWarmup: 2, critic: 'adapter' }).criticWarmup).toBe(2);
  });
});

describe('group advantages', () => {
  const zero = (length: number): Float32Array => new Float32Array(length);

  test('by hand: an outcome counts against those of the same prompt, in deviations', () => {
    // Outcomes 3 and 1: mean 2, unbiased deviation √2. Outcomes 5 and 5 teach nothing.
    const advantages = groupAdvantages({
      ...{ outcomes: [3, 1, 5, 5], tokens: [zero(2), zero(1), zero(1), zero(3)], penalties: [0, 0, 0, 0], samples: 2 },
    });
    expect(advantages.map(({ length }) => length)).toEqual([2, 1, 1, 3]);
    for (const value of advantages[0] ?? []) expect(value).toBeCloseTo(Math.SQRT1_2, 5);
    expect(advantages[1]?.[0]).toBeCloseTo(-Math.SQRT1_2, 5);
    expect([...(advantages[2] ?? []), ...(advantages[3] ?? [])]).toEqual([0, 0, 0, 0]);
  });

  test("by hand: a token's own reward counts against those of all tokens of the prompt", () => {
    // Token rewards 1, 0 | 0, 0: mean 1/4, unbiased variance (9 + 3)/16/3 = 1/4, so 1.5 and -0.5.
    const advantages = groupAdvantages({
      ...{ outcomes: [2, 2], tokens: [Float32Array.of(1, 0), zero(2)], penalties: [0, 0], samples: 2 },
    });
    const flat = advantages.flatMap((values) => [...values]);
    [1.5, -0.5, -0.5, -0.5].forEach((value, t) => {
      expect(flat[t]).toBeCloseTo(value, 4);
    });
  });

  test('a penalty on advantages is taken from every token of its answer', () => {
    const advantages = groupAdvantages({
      ...{ outcomes: [2, 2], tokens: [zero(2), zero(2)], penalties: [0.25, 0], samples: 2 },
    });
    expect(advantages.map((values) => [...values])).toEqual([
      [-0.25, -0.25],
      [0, 0],
    ]);
  });

  test('without token rewards, the advantages of a group of equally long answers sum to 0', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -9, max: 9, noNaN: true }), { minLength: 2, maxLength: 8 }), (outcomes) => {
        const n = outcomes.length;
        const tokens = outcomes.map(() => zero(3));
        const advantages = groupAdvantages({ outcomes, tokens, penalties: outcomes.map(() => 0), samples: n });
        expect(advantages.reduce((sum, [first = 0]) => sum + first, 0)).toBeCloseTo(0, 4);
      }),
    );
  });
});

test('whitening gives mean 0 and variance 1, and leaves one value and equal values at 0', () => {
  const { mean, variance } = moments(whitened(Float32Array.of(1, 2, 4, 9)));
  expect(mean).toBeCloseTo(0, 6);
  expect(variance).toBeCloseTo(1, 5);
  expect([...whitened(Float32Array.of(7))]).toEqual([0]);
  expect([...whitened(Float32Array.of(7, 7))]).toEqual([0, 0]);
});

test('explained variance: 1 for the returns themselves, 0 for a constant, below 0 for worse than that', () => {
  const returns = Float32Array.of(1, 2, 3);
  expect(explainedVariance(returns, returns)).toBe(1);
  expect(explainedVariance(returns, Float32Array.of(5, 5, 5))).toBe(0);
  // Residuals 2, 0, -2 … of values -1, 2, 5: variance 4 against 1.
  expect(explainedVariance(returns, Float32Array.of(-1, 2, 5))).toBe(-3);
  expect(explainedVariance(Float32Array.of(1, 1), Float32Array.of(0, 3))).toBe(0);
});

describe('adaptive β', () => {
  const adaptive = { on: true, target: 6, horizon: 1000, least: 0.01, most: 1 };

  test('by hand: moves by e · answers / horizon, e held within a fifth', () => {
    expect(nextBeta(0.1, 6, 64, adaptive)).toBeCloseTo(0.1, 12);
    expect(nextBeta(0.1, 6.6, 100, adaptive)).toBeCloseTo(0.1 * 1.01, 12);
    expect(nextBeta(0.1, 60, 100, adaptive)).toBeCloseTo(0.1 * 1.02, 12);
    expect(nextBeta(0.1, -5, 100, adaptive)).toBeCloseTo(0.1 * 0.98, 12);
  });

  test('stays in its range, and where it is when it is off', () => {
    expect(nextBeta(0.0101, 0, 1000, adaptive)).toBe(0.01);
    expect(nextBeta(0.99, 99, 1000, adaptive)).toBe(1);
    expect(nextBeta(5, 99, 64, { ...adaptive, on: false })).toBe(5);
  });
});

describe('verdicts', () => {
  const asked = (task: ReturnType<typeof copyTask>, answers: readonly string[]) =>
    answers.map((answer, i) => ({ prompt: task.prompt('train', 0, i % 2), answer: bytes(answer) }));

  test('each question is asked once: equal answers to a prompt share theirs', async () => {
    const calls = { teacher: 0, judge: 0 };
    const task = copyTask(calls);
    const verdicts = new Verdicts(task);
    // Prompts alternate: the first and third rows are one question, the second is another prompt's.
    const samples = asked(task, ['strcpy(d, s);', 'strcpy(d, s);', 'strcpy(d, s);', 'snprintf']);
    const judged = await verdicts.judge(samples, { attack: false });
    expect(judged?.map(({ functional }) => functional)).toEqual([true, true, true, false]);
    expect(calls.judge).toBe(3);
    expect((await verdicts.teach(samples)).map(({ spans }) => spans.length)).toEqual([0, 0, 0, 1]);
    expect(calls.teacher).toBe(3);
    // With attacks it is another question.
    await verdicts.judge(samples, { attack: true });
    expect(calls.judge).toBe(6);
  });

  test('a journal answers in their place, unless task or version differ', async () => {
    const file = join(fresh(), 'journal.jsonl');
    const calls = { teacher: 0, judge: 0 };
    const task = copyTask(calls);
    const samples = asked(
      task,
      Array.from({ length: 130 }, (_, i) => `${i};`),
    );
    const first = new Journal(file);
    const before = [
      await new Verdicts(task, first).teach(samples),
      await new Verdicts(task, first).judge(samples, { attack: false }),
    ];
    first.close();
    expect(calls).toEqual({ teacher: 130, judge: 130 });
    const again = new Journal(file);
    expect(again.size).toBe(260);
    const replayed = new Verdicts(task, again);
    expect([await replayed.teach(samples), await replayed.judge(samples, { attack: false })]).toEqual(before);
    expect(calls).toEqual({ teacher: 130, judge: 130 });
    await new Verdicts({ ...task, version: '2' }, again).judge(samples.slice(0, 5), { attack: false });
    expect(calls.judge).toBe(135);
    again.close();
  });

  test('a teacher who looks at the code alone is asked once about a program, whatever prompt it answers', async () => {
    const calls = { teacher: 0, judge: 0 };
    const task = copyTask(calls);
    const teacher = { ...task.teacher, byContent: true };
    // Programs are their answers here, so that two prompts' are equal.
    const plain = { ...task, program: ({ answer }: { answer: Uint8Array }) => ({ code: answer, answerStart: 0 }) };
    const file = join(fresh(), 'journal.jsonl');
    const first = new Journal(file);
    const samples = asked(plain, ['strcpy(d, s);', 'strcpy(d, s);', 'snprintf']);
    const phases = new Phases();
    const said = await new Verdicts(plain, first, teacher).teach(samples, { phases });
    expect(said[0]).toEqual(said[1]);
    expect([calls.teacher, phases.counts]).toEqual([2, { asked: 2, known: 1 }]);
    first.close();
    // Whatever the task: its version says nothing of the teacher.
    const again = new Verdicts({ ...plain, version: '2' }, new Journal(file), teacher);
    expect(await again.teach(samples, { phases })).toEqual(said);
    expect([calls.teacher, phases.counts]).toEqual([2, { asked: 2, known: 4 }]);
    await new Verdicts(plain, new Journal(file), { ...teacher, id: 'another' }).teach(samples);
    expect(calls.teacher).toBe(4);
  });

  test('what was answered before a failure is kept', async () => {
    const file = join(fresh(), 'journal.jsonl');
    const task = copyTask();
    let left = 2;
    const failing = {
      ...task,
      judge: async (...args: Parameters<NonNullable<typeof task.judge>>) => {
        if (left-- === 0) throw new Error('the harness is broken');
        return task.judge?.(...args) ?? [];
      },
    };
    const journal = new Journal(file);
    const samples = asked(
      task,
      Array.from({ length: 200 }, (_, i) => `${i}`),
    );
    await expect(new Verdicts(failing, journal).judge(samples, { attack: true })).rejects.toThrow('harness');
    journal.close();
    expect(new Journal(file).size).toBe(128);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(129);
  });

  test('a task without a judge has no judgements', async () => {
    const { judge: _, ...task } = copyTask();
    expect(await new Verdicts(task).judge(asked(copyTask(), ['x']), { attack: false })).toBeUndefined();
  });
});

describe('invalid UTF-8', () => {
  test('becomes ? byte by byte; characters stay', () => {
    const cases: [number[], string][] = [
      [[0x61, 0xff, 0x62], 'a?b'],
      [[0xc3, 0xa9, 0xc3], 'é?'],
      [[0xe2, 0x82, 0x41], '??A'],
      [[0xc0, 0x80], '??'],
      [[0xed, 0xa0, 0x80], '???'],
      [[0xf4, 0x90, 0x80, 0x80], '????'],
      [[0xf0, 0x9f, 0x98, 0x80], '😀'],
    ];
    for (const [raw, text] of cases) expect(new TextDecoder().decode(replaceInvalid(Uint8Array.from(raw)))).toBe(text);
  });

  test('any bytes come out as UTF-8 of the same length, and UTF-8 comes out as it went in', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 20 }), (raw, text) => {
        const out = replaceInvalid(raw);
        expect(out).toHaveLength(raw.length);
        strict.decode(out);
        expect(replaceInvalid(bytes(text))).toEqual(bytes(text));
      }),
    );
  });
});

describe("a user's own task", () => {
  test('is a module; what is none is told so', async () => {
    const file = join(fresh(), 'task.mjs');
    writeFileSync(file, 'export default { name: "x" };');
    await expect(loadTask(file)).rejects.toThrow(
      /is no Task, it lacks version, language, prompt, promptOf, program, teacher/,
    );
    await expect(loadTask(join(fresh(), 'none.mjs'))).rejects.toThrow(/cannot import/);
    await expect(loadTask('famly')).rejects.toThrow(/task: expected/);
  });
});
