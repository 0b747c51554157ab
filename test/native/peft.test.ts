import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Model } from '../../src/native/model.js';
import { Tokenizer } from '../../src/tokenizer/index.js';
import { concat, expectClose } from '../support/close.js';
import { fixtures, readIndex } from '../support/fixtures.js';
import { ask, missingPackages } from '../support/python.js';

// What srcode writes, read by the libraries that others use.

const missing = missingPackages();
if (missing) console.warn(`The tests against peft and tokenizers are skipped: ${missing}.`);
const scratch = mkdtempSync(join(tmpdir(), 'srcode-peft-'));
afterAll(() => rmSync(scratch, { recursive: true }));

interface ModelAnswer {
  logProbs: number[];
  missing: string[];
  unexpected: string[];
}

// Python takes long to start on a busy machine.
describe.skipIf(missing)('transformers and peft', { timeout: 300_000 }, () => {
  test.each(['qwen2', 'llama'])(
    'a trained adapter over %s loads in peft and gives the same log-probs',
    async (name) => {
      const folder = join(fixtures, name);
      const sequences = readIndex().models[name]?.sequences ?? [];
      const batch = {
        sequences: sequences.map((ids) => Int32Array.from(ids)),
        lossWeights: sequences.map((ids) => new Float32Array(ids.length).fill(1)),
      };
      using model = await Model.load(folder, { dtype: 'f32' });
      await model.adapters.create('policy', {
        rank: 3,
        alpha: 6,
        targets: ['q_proj', 'v_proj', 'o_proj', 'gate_proj'],
        seed: 5,
      });
      using trainer = model.trainer({ adapter: 'policy', optimizer: { lr: 1e-2 } });
      for (let step = 0; step < 5; step++) await trainer.step(batch); // B starts at zero
      const home = join(scratch, name);
      await model.adapters.save('policy', home);

      const answer = ask<ModelAnswer>({ model: folder, adapter: home, sequences });
      expect([answer.missing, answer.unexpected]).toEqual([[], []]);
      expectClose(
        'log-probs',
        concat(await model.logProbs(batch.sequences, { adapter: 'policy' })),
        answer.logProbs,
        1e-4,
      );
      const base = concat(await model.logProbs(batch.sequences));
      expect(() => expectClose('the base model', base, answer.logProbs, 1e-2)).toThrow();
    },
  );

  test.each(['qwen2', 'llama'])('a trained %s loads in transformers and gives the same log-probs', async (name) => {
    const sequences = readIndex().models[name]?.sequences ?? [];
    const batch = {
      sequences: sequences.map((ids) => Int32Array.from(ids)),
      lossWeights: sequences.map((ids) => new Float32Array(ids.length).fill(1)),
    };
    using model = await Model.load(join(fixtures, name), { dtype: 'f32' });
    using trainer = model.trainer({ optimizer: { lr: 1e-2 } });
    await trainer.step(batch);
    const home = join(scratch, `${name}-trained`);
    await model.save(home);
    const answer = ask<ModelAnswer>({ model: home, adapter: null, sequences });
    expectClose('log-probs', concat(await model.logProbs(batch.sequences)), answer.logProbs, 1e-4);
  });

  test('a trained tokenizer loads in transformers and gives the same ids', async () => {
    const texts = [
      'int main(void) {\n\tchar buffer[16];\n\treturn strlen(buffer) > 0 ? 1 : 0;\n}\n',
      'def f(x):\n    return x  # naïve, 漢字, 🦀 and a <|endoftext|> inside\n',
      '',
      '   \r\n\n  1234567 __init__ "\\x00"',
    ];
    const tokenizer = Tokenizer.train([...texts, ...texts], { vocabSize: 320 });
    const home = join(scratch, 'tokenizer');
    await tokenizer.save(home);
    const answer = ask<{ ids: number[][]; texts: string[] }>({ tokenizer: home, texts });
    expect(texts.map((text) => [...tokenizer.encode(text)])).toEqual(answer.ids);
    expect(answer.ids.map((ids) => tokenizer.decode(ids))).toEqual(answer.texts);
  });
});
