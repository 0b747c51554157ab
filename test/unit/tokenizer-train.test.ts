import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trainBpe } from '../../src/tokenizer/bpe-trainer.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';

const options = { vocabSize: 10_000, specialTokens: ['<|endoftext|>'], minFrequency: 2 };
const merges = (counts: Record<string, number>, change = {}) =>
  trainBpe(new Map(Object.entries(counts)), { ...options, ...change }).merges.map((pair) => pair.join('+'));

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'srcode-train-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('joins the most frequent pair first (worked by hand)', () => {
  // low ×5, lower ×2, newest ×6, widest ×3, as in Sennrich et al.: es 9, st 9, we 8, lo 7, ow 7, … The tie of es and st goes to the
  // smaller left id: e < s. Then es+t 9; lo and ow tie at 7, l < o; lo+w 7; ne, ew and w+est tie at 6: e+w, n+ew, new+est.
  expect(merges({ low: 5, lower: 2, newest: 6, widest: 3 }, { vocabSize: 257 + 7 })).toEqual([
    'e+s',
    'es+t',
    'l+o',
    'lo+w',
    'e+w',
    'n+ew',
    'new+est',
  ]);
});

test('counts overlapping runs as they are merged', () => {
  // aaaa has the pair aa 3 times, and one round leaves (aa)(aa); then the pair (aa)(aa) occurs once per word.
  expect(merges({ aaaa: 2 })).toEqual(['a+a', 'aa+aa']);
  // aaaaa → (aa)(aa)a: (aa)(aa) and (aa)a tie at 2; the left ids are equal and a is the smaller right id.
  expect(merges({ aaaaa: 2 })).toEqual(['a+a', 'aa+a', 'aa+aaa']);
});

test('stops at the vocabulary size or when no pair is frequent enough', () => {
  expect(merges({ ab: 1, cd: 2 })).toEqual(['c+d']);
  expect(merges({ ab: 1, cd: 2 }, { minFrequency: 1 })).toEqual(['c+d', 'a+b']);
  expect(merges({ ab: 1, cd: 2 }, { minFrequency: 1, vocabSize: 258 })).toEqual(['c+d']);
});

test('agrees with counting afresh in every round', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.dictionary(word, fc.integer({ min: 1, max: 5 }), { maxKeys: 8 }), (counts) => {
      expect(merges(counts)).toEqual(slowMerges(counts));
    }),
    { numRuns: 300 },
  );
});

test('does not depend on the order of texts', () => {
  const texts = ['int a = b;', 'int b = a;', 'for (int i = 0; i < n; i++) sum += a[i];', 'return sum;'];
  const ids = (order: string[]) => {
    const tokenizer = Tokenizer.train(order, { vocabSize: 300 });
    return texts.map((text) => [...tokenizer.encode(text)]);
  };
  expect(ids([...texts].reverse())).toEqual(ids(texts));
});

test('a saved tokenizer loads as the same one, and saving is deterministic', async () => {
  const texts = ['__proto__ __proto__ constructor constructor 1 2 22 22', 'été été 中文中文'];
  const trained = Tokenizer.train(texts, { vocabSize: 320, specialTokens: ['<end>', '<a|b>'] });
  expect(trained.tokenId('__proto__')).toBeDefined();
  await trained.save(join(scratch, 'one'));
  const loaded = await Tokenizer.load(join(scratch, 'one'));
  await loaded.save(join(scratch, 'two'));
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    expect(await readFile(join(scratch, 'two', name))).toEqual(await readFile(join(scratch, 'one', name)));
  expect([loaded.vocabSize, loaded.eosId, loaded.padId]).toEqual([trained.vocabSize, 0, 0]);
  for (const text of [...texts, 'x<a|b>y<end>']) expect(loaded.encode(text)).toEqual(trained.encode(text));
});

test('of special tokens that begin alike the longest is taken', () => {
  const tokenizer = Tokenizer.train([], { vocabSize: 300, specialTokens: ['<a>', '<a><b>', '<a><'] });
  expect([...tokenizer.encode('<a><b><a>')]).toEqual([1, 0]);
  expect([...tokenizer.encode('<a><')]).toEqual([2]);
});

test.each([
  [{ vocabSize: 258 }, /between 259/],
  [{ vocabSize: 300.5 }, /received 300.5/],
  [{ vocabSize: 300, specialTokens: [] }, /at least one for EOS/],
  [{ vocabSize: 300, specialTokens: ['a', 'a'] }, /distinct special tokens/],
  [{ vocabSize: 300, minFrequency: 0 }, /minFrequency/],
])('refuses %o', (bad, message) => {
  expect(() => Tokenizer.train(['text'], bad)).toThrow(message);
});

// The definition: count all adjacent pairs, join the first by (count, left id, right id), and begin again.
function slowMerges(counts: Record<string, number>): string[] {
  const ids = new Map([...'abc'].map((char, i) => [char, i]));
  const words = Object.entries(counts).map(([word, count]) => ({ symbols: [...word], count }));
  const out: string[] = [];
  for (;;) {
    const totals = new Map<string, number>();
    for (const { symbols, count } of words)
      for (let i = 0; i + 1 < symbols.length; i++) {
        const key = `${symbols[i]}+${symbols[i + 1]}`;
        totals.set(key, (totals.get(key) ?? 0) + count);
      }
    const order = ([key]: [string, number]) => key.split('+').map((symbol) => ids.get(symbol) as number);
    const ranked = [...totals].sort((x, y) => {
      const [a = [], b = []] = [order(x), order(y)];
      return y[1] - x[1] || (a[0] as number) - (b[0] as number) || (a[1] as number) - (b[1] as number);
    });
    const best = ranked[0];
    if (!best || best[1] < options.minFrequency) return out;
    const [left = '', right = ''] = best[0].split('+');
    if (!ids.has(left + right)) ids.set(left + right, ids.size);
    out.push(best[0]);
    for (const word of words) {
      const joined: string[] = [];
      for (let i = 0; i < word.symbols.length; i++) {
        const hit = word.symbols[i] === left && word.symbols[i + 1] === right;
        joined.push(hit ? left + right : (word.symbols[i] as string));
        if (hit) i++;
      }
      word.symbols = joined;
    }
  }
}
