import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { BatchPlan, batches } from '../../src/dataset/batches.js';
import {
  toDocument,
  toExample,
  toExamples,
  toPreferenceExample,
  toPreferenceExamples,
} from '../../src/dataset/examples.js';
import { permutation } from '../../src/dataset/random.js';
import type { SftRow } from '../../src/dataset/rows.js';
import { packWindows } from '../../src/dataset/windows.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';

let tiny: Tokenizer;
let eos: number;
beforeAll(async () => {
  tiny = await Tokenizer.load('tiny');
  eos = tiny.eosId as number;
});

const row = (prompt: string, response: string, more: Partial<SftRow> = {}): SftRow => ({
  prompt,
  response,
  task: 'own',
  group: 'g',
  literal: false,
  where: 'rows.jsonl:7',
  ...more,
});

describe('toExample', () => {
  test('masks the prompt and trains the response and EOS', () => {
    const { tokens, lossWeights } = toExample(tiny, row('int x', ' = 1;'));
    const prompt = tiny.encode('int x');
    const response = tiny.encode(' = 1;');
    expect([...tokens]).toEqual([...prompt, ...response, eos]);
    expect([...lossWeights]).toEqual([...Array(prompt.length).fill(0), ...Array(response.length + 1).fill(1)]);
  });

  test('with an empty prompt the first token is predicted by nothing', () => {
    const { tokens, lossWeights } = toExample(tiny, row('', 'ab 12'));
    expect(lossWeights[0]).toBe(0);
    expect(lossWeights.slice(1).every((weight) => weight === 1)).toBe(true);
    expect(tokens.length).toBe(lossWeights.length);
  });

  test('one EOS at the end, also when the response brings it', () => {
    expect([...toExample(tiny, row('a', 'b<|endoftext|>')).tokens]).toEqual([...toExample(tiny, row('a', 'b')).tokens]);
  });

  test("others' code cannot end a sequence", () => {
    const { tokens } = toExample(tiny, row('a<|endoftext|>', 'b<|endoftext|>c', { literal: true }));
    expect([...tokens].filter((id) => id === eos)).toHaveLength(1);
    expect(tiny.decode(tokens)).toBe('a<|endoftext|>b<|endoftext|>c<|endoftext|>');
  });

  test('a row without a response, and a tokenizer without EOS, are errors that name the row', () => {
    expect(() => toExample(tiny, row('a', ''))).toThrow(
      expect.objectContaining({ code: 'ERR_DATA', message: expect.stringContaining('rows.jsonl:7') }),
    );
    const mute = Object.create(tiny, {
      eosId: { value: null },
      prefixIds: { value: tiny.prefixIds },
      encode: { value: tiny.encode.bind(tiny) },
    });
    expect(() => toExample(mute, row('a', 'b'))).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringContaining('eos_token') }),
    );
  });

  test("Llama's BOS comes first and is not learned", async () => {
    const llama = await Tokenizer.load(fileURLToPath(new URL('../fixtures/tokenizer/llama2', import.meta.url)));
    const { tokens, lossWeights } = toExample(llama, row('int x', 'y'));
    expect([tokens[0], tokens.at(-1), lossWeights[0]]).toEqual([1, 2, 0]);
    expect([...tokens].filter((id) => id === 1)).toHaveLength(1);
  });
});

describe('toExamples', () => {
  test('leaves out what is too long, whole, and counts', () => {
    const rows = [row('a', 'b'), row('a', 'b '.repeat(50)), row('a', 'c')];
    const { examples, rows: kept, report } = toExamples(tiny, rows, { maxTokens: 10 });
    expect(kept).toEqual([rows[0], rows[2]]);
    expect(report).toEqual({
      kept: 2,
      tooLong: 1,
      longest: toExample(tiny, rows[1] as SftRow).tokens.length,
      tokens: 6,
      supervisedTokens: 4,
    });
    expect(examples.map(({ tokens }) => tokens.length)).toEqual([3, 3]);
  });

  test('nothing left is an error', () => {
    expect(() => toExamples(tiny, [row('a', 'b')], { maxTokens: 2 })).toThrow(
      /All 1 rows are longer than 2 tokens \(the shortest has 3\)/,
    );
    expect(() => toExamples(tiny, [], { maxTokens: 2 })).toThrow(expect.objectContaining({ code: 'ERR_DATA' }));
  });

  test('preference pairs share their prompt and count by the longer answer', () => {
    const about = { group: 'g', literal: true, where: 'w' };
    const pair = { prompt: 'p', chosen: 'a', rejected: 'b', ...about };
    const { chosen, rejected } = toPreferenceExample(tiny, pair);
    expect([chosen[0], chosen.at(-1)]).toEqual([rejected[0], rejected.at(-1)]);
    const { examples, report } = toPreferenceExamples(tiny, [pair, { ...pair, rejected: 'x '.repeat(99) }], {
      maxTokens: 8,
    });
    expect(examples).toHaveLength(1);
    expect(report).toMatchObject({ kept: 1, tooLong: 1, tokens: 6, supervisedTokens: 2 });
  });
});

describe('permutation', () => {
  test('is a function of its arguments, and a permutation', () => {
    fc.assert(
      fc.property(fc.nat({ max: 300 }), fc.maxSafeNat(), fc.nat(), (n, seed, stream) => {
        const order = permutation(n, seed, stream);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
        expect(permutation(n, seed, stream)).toEqual(order);
      }),
    );
  });

  test('differs by seed (all of its 53 bits) and by stream, and is even', () => {
    const key = (seed: number, stream: number) => permutation(50, seed, stream).join();
    expect(new Set([key(0, 0), key(1, 0), key(0, 1), key(2 ** 32, 0), key(1, 1)]).size).toBe(5);
    // 6 permutations of 3 over 6,000 seeds: 1,000 each, s.d. 29.
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const order = permutation(3, seed, 0).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe('batches', () => {
  const lengths = [5, 3, 8, 2, 9, 4, 4, 7];

  test('by size: each sequence once, the last batch smaller', () => {
    const list = batches(lengths, { batchSize: 3, seed: 1, epoch: 0 });
    expect(list.map((batch) => batch.length)).toEqual([3, 3, 2]);
    expect(list.flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(list).not.toEqual(batches(lengths, { batchSize: 3, seed: 1, epoch: 1 }));
  });

  test('by tokens: as many as fit, in order, each once (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 20, max: 60 }),
        fc.nat(),
        (sizes, budget, seed) => {
          const list = batches(sizes, { tokensPerBatch: budget, seed, epoch: 3 });
          const tokens = (batch: readonly number[]) => batch.reduce((sum, i) => sum + (sizes[i] as number), 0);
          expect(list.flat()).toEqual([...permutation(sizes.length, seed, 3)]);
          for (const batch of list) expect(tokens(batch)).toBeLessThanOrEqual(budget);
          list.slice(1).forEach((batch, k) => {
            expect(tokens(list[k] as number[]) + (sizes[batch[0] as number] as number)).toBeGreaterThan(budget); // the next one did not fit
          });
        },
      ),
    );
  });

  test('a plan gives the same batch for a step however it is reached (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 10 }), fc.nat(), (steps, seed) => {
        const options = { tokensPerBatch: 10, seed };
        const epochs = Array.from({ length: 31 }, (_, epoch) =>
          batches(lengths, { ...options, epoch }).map((indices) => ({ epoch, indices })),
        );
        const plan = new BatchPlan(lengths, options);
        for (const step of steps) expect(plan.at(step)).toEqual(epochs.flat()[step]);
        expect(plan.stepsOf(2)).toBe((epochs[0]?.length ?? 0) + (epochs[1]?.length ?? 0));
      }),
    );
  });

  test.each([
    [{ seed: 0 }, /exactly one/],
    [{ seed: 0, batchSize: 1, tokensPerBatch: 9 }, /exactly one/],
    [{ seed: 0, batchSize: 0 }, /batchSize of at least 1/],
    [{ seed: 0, tokensPerBatch: 8 }, /longest sequence has 9 tokens/],
  ])('refuses %o', (options, message) => {
    expect(() => batches(lengths, { ...options, epoch: 0 })).toThrow(message);
    expect(() => new BatchPlan([], { seed: 0, batchSize: 1 })).toThrow(expect.objectContaining({ code: 'ERR_DATA' }));
  });
});

describe('packWindows', () => {
  const document = (...ids: number[]) => Int32Array.from(ids);

  test('worked by hand: documents apart, cut where the window is full, the border token again', () => {
    const windows = packWindows([document(1, 2, 0), document(3, 4, 5, 0), document(0), document(6, 0)], 5);
    expect(windows.map((window) => window.map((piece) => [...piece]))).toEqual([
      [
        [1, 2, 0],
        [3, 4],
      ],
      [
        [4, 5, 0],
        [6, 0],
      ],
    ]);
  });

  test('every token but a first one is predicted once, in order; windows are full but for one token (property)', () => {
    const documents = fc.array(fc.array(fc.nat({ max: 9 }), { maxLength: 30 }), { maxLength: 15 });
    fc.assert(
      fc.property(documents, fc.integer({ min: 2, max: 12 }), (list, size) => {
        const windows = packWindows(
          list.map((ids) => Int32Array.from(ids)),
          size,
        );
        const predicted = windows.flatMap((window) => window.flatMap((piece) => [...piece.subarray(1)]));
        expect(predicted).toEqual(list.flatMap((ids) => ids.slice(1)));
        windows.forEach((window, i) => {
          const tokens = window.reduce((sum, piece) => sum + piece.length, 0);
          expect(tokens).toBeLessThanOrEqual(size);
          if (i + 1 < windows.length) expect(tokens).toBeGreaterThanOrEqual(size - 1);
          for (const piece of window) expect(piece.length).toBeGreaterThanOrEqual(2);
        });
      }),
    );
  });

  test('documents end with EOS, and their own special tokens are text', () => {
    const ids = toDocument(tiny, { text: 'int x;<|endoftext|>' });
    expect([...ids].filter((id) => id === eos)).toHaveLength(1);
    expect(ids.at(-1)).toBe(eos);
    expect(() => packWindows([ids], 1)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });
});
