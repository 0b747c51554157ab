import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LibraryTokenizer } from '../../src/tokenizer/library.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';

const fixtures = fileURLToPath(new URL('../fixtures/tokenizer/', import.meta.url));
const utf8 = new TextEncoder();

interface Case {
  text: string;
  ids: number[];
  withSpecial: number[];
  decoded: string;
}
// Recorded from Hugging Face's tokenizers by test/fixtures/tokenizer/make.py.
const cases: Record<string, Case[]> = JSON.parse(readFileSync(join(fixtures, 'cases.json'), 'utf8'));

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'srcode-tokenizer-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe.each(['code', 'qwen', 'llama2'])("a %s tokenizer.json gives Hugging Face's results", (kind) => {
  const recorded = cases[kind] as Case[];
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await Tokenizer.load(join(fixtures, kind));
  });

  test('ids, with and without the template', () => {
    for (const { text, ids, withSpecial } of recorded) {
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
      expect([...tokenizer.encode(text, { addSpecialTokens: true })], JSON.stringify(text)).toEqual(withSpecial);
    }
    expect(recorded.length).toBeGreaterThan(20);
  });

  test('decoded text, but for the blank that the Llama-2 kind strips', () => {
    for (const { ids, decoded } of recorded)
      expect(tokenizer.decode(ids)).toBe(
        kind === 'llama2' && ids.length > 0 && !startsWithAdded(ids) ? ` ${decoded}` : decoded,
      );
  });
  const startsWithAdded = (ids: number[]) => tokenizer.specialIds.has(ids[0] as number);

  test('the bytes of the ids are the bytes of the (normalised) text', () => {
    for (const { text, ids } of recorded) {
      if (kind === 'llama2') continue; // decoding above covers it: U+2581 in the text is a space afterwards
      expect(tokenizer.bytes(ids)).toEqual(utf8.encode(kind === 'qwen' ? text.normalize('NFC') : text));
    }
  });
});

test('a code tokenizer trained here has the vocabulary and the merges of Hugging Face', async () => {
  const corpus: string[] = JSON.parse(await readFile(join(fixtures, 'corpus.json'), 'utf8'));
  await Tokenizer.train(corpus, { vocabSize: 700 }).save(scratch);
  const ours = JSON.parse(await readFile(join(scratch, 'tokenizer.json'), 'utf8'));
  const theirs = JSON.parse(await readFile(join(fixtures, 'code/tokenizer.json'), 'utf8'));
  expect(ours.model.vocab).toEqual(theirs.model.vocab);
  expect(ours.model.merges.map((merge: string) => merge.split(' '))).toEqual(theirs.model.merges);
  expect(ours.pre_tokenizer).toEqual(theirs.pre_tokenizer);
});

describe('a Llama-2 kind', () => {
  test('has a leading blank, bytes for what the vocabulary lacks, and BOS in its template', async () => {
    const tokenizer = await Tokenizer.load(join(fixtures, 'llama2'));
    expect([...tokenizer.prefixIds]).toEqual([1]);
    expect([tokenizer.bosId, tokenizer.eosId]).toEqual([1, 2]);
    expect(tokenizer.decode(tokenizer.encode('é€😀'))).toBe(' é€😀');
    const byte = tokenizer.tokenId('<0xE2>') as number;
    expect([...tokenizer.bytes([byte])]).toEqual([0xe2]);
    expect(tokenizer.decode([byte])).toBe('\ufffd');
  });

  test('reads the text of a special token as text when told so', async () => {
    const tokenizer = await Tokenizer.load(join(fixtures, 'llama2'));
    expect([...tokenizer.encode('a</s>')]).toContain(2);
    const ids = tokenizer.encode('a</s>', { parseSpecialTokens: false });
    expect([...ids]).not.toContain(2);
    expect(tokenizer.decode(ids)).toBe(' a</s>');
  });
});

test.each([
  ['qwen', true, [601]],
  ['llama2', false, []],
  ['llama2', true, [1]],
] as const)('add_bos_token of a %s configuration: %s', async (kind, addBos, prefix) => {
  const dir = join(scratch, `${kind}-${addBos}`);
  await mkdir(dir);
  await copyFile(join(fixtures, kind, 'tokenizer.json'), join(dir, 'tokenizer.json'));
  const bos = kind === 'qwen' ? '<|im_start|>' : '<s>';
  await writeFile(join(dir, 'tokenizer_config.json'), JSON.stringify({ bos_token: bos, add_bos_token: addBos }));
  const tokenizer = await Tokenizer.load(dir);
  expect([...tokenizer.prefixIds]).toEqual(prefix);
  expect([...tokenizer.encode('a', { addSpecialTokens: true })]).toEqual([...prefix, ...tokenizer.encode('a')]);
});

describe('tiny', () => {
  let tiny: Tokenizer;
  let library: LibraryTokenizer;
  beforeAll(async () => {
    tiny = await Tokenizer.load('tiny');
    const json = await readFile(new URL('../../assets/tiny/tokenizer.json', import.meta.url), 'utf8');
    library = new LibraryTokenizer(JSON.parse(json), {});
  });

  test('fits the configuration beside it', async () => {
    const read = async (name: string) =>
      JSON.parse(await readFile(new URL(`../../assets/tiny/${name}`, import.meta.url), 'utf8'));
    const config = await read('config.json');
    expect(config).toMatchObject({ model_type: 'qwen2', vocab_size: 2048, hidden_size: 192, num_hidden_layers: 4 });
    expect(tiny.vocabSize).toBe(config.vocab_size);
    expect(tiny.eosId).toBe((await read('generation_config.json')).eos_token_id);
    expect(tiny.padId).toBe(tiny.eosId);
    expect(tiny.bytes([tiny.eosId as number])).toEqual(utf8.encode('<|endoftext|>'));
  });

  test('keeps a name the same tokens wherever it stands', () => {
    const inside = (text: string, name: string) => {
      const ids = tiny.encode(text);
      const offsets = tiny.offsets(ids);
      const at = text.indexOf(name);
      return [...ids].filter((_, i) => (offsets[i] as number) >= at && (offsets[i + 1] as number) <= at + name.length);
    };
    const alone = [...tiny.encode('buffer_length')];
    for (const text of ['f(buffer_length)', 'x = buffer_length;', '*buffer_length++', '\tbuffer_length\n'])
      expect(inside(text, 'buffer_length')).toEqual(alone);
  });

  test('returns every text, byte for byte, and encodes like the library', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), codeLike()), (text) => {
        const ids = tiny.encode(text, { parseSpecialTokens: false });
        expect(tiny.bytes(ids)).toEqual(utf8.encode(text));
        expect(tiny.decode(ids)).toBe(text);
        expect([...tiny.encode(text)]).toEqual(
          text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids,
        );
      }),
      { numRuns: 500 },
    );
  });

  test('gives prefix sums of the bytes for any ids, and never fails on broken UTF-8', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2047 }), { maxLength: 50 }), (ids) => {
        const offsets = tiny.offsets(ids);
        expect(offsets.length).toBe(ids.length + 1);
        const bytes = tiny.bytes(ids);
        expect([offsets[0], offsets[ids.length]]).toEqual([0, bytes.length]);
        ids.forEach((id, i) => {
          expect(offsets[i + 1] as number).toBeGreaterThan(offsets[i] as number);
          expect(bytes.subarray(offsets[i], offsets[i + 1])).toEqual(tiny.bytes([id]));
        });
        expect(typeof tiny.decode(ids)).toBe('string');
      }),
    );
  });

  test('has every byte as a token, so any byte string is some ids', () => {
    const byteOf = new Map<number, number>();
    for (let id = 0; id < tiny.vocabSize; id++) {
      const bytes = tiny.bytes([id]);
      if (bytes.length === 1) byteOf.set(bytes[0] as number, id);
    }
    expect(byteOf.size).toBe(256);
    const broken = [0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x41];
    const ids = broken.map((byte) => byteOf.get(byte) as number);
    expect([...tiny.bytes(ids)]).toEqual(broken);
    expect(tiny.decode(ids)).toMatch(/^\ufffd+A$/);
  });

  test('turns lone surrogates into U+FFFD', () => {
    expect(tiny.decode(tiny.encode('a\ud800b'))).toBe('a\ufffdb');
  });

  test('parses special tokens, or takes them as text, and can leave them out of decoded text', () => {
    const text = 'a<|endoftext|>b';
    expect([...tiny.encode(text)].filter((id) => id === tiny.eosId)).toHaveLength(1);
    const literal = tiny.encode(text, { parseSpecialTokens: false });
    expect([...literal]).not.toContain(tiny.eosId);
    expect(tiny.decode(literal)).toBe(text);
    expect(tiny.decode(tiny.encode(text), { skipSpecialTokens: true })).toBe('ab');
  });

  // Quadratic merging would take hours.
  test('encodes long runs in n log n', () => {
    const text = `${' '.repeat(1_000_000)}${'='.repeat(1_000_000)}${'a'.repeat(500_000)}`;
    expect(tiny.decode(tiny.encode(text))).toBe(text);
  });

  test.each([[-1], [2048], [1.5], [Number.NaN]])('refuses id %s', (id) => {
    for (const call of [() => tiny.bytes([0, id]), () => tiny.offsets([0, id]), () => tiny.decode([0, id])])
      expect(call).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG', message: expect.stringContaining('position 1') }),
      );
  });
});

describe('a tokenizer file that is wrong', () => {
  const byteLevel = { type: 'ByteLevel' };
  const good = {
    model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] },
    pre_tokenizer: byteLevel,
    decoder: byteLevel,
  };
  const model = (change: object) => ({ ...good, model: { ...good.model, ...change } });

  test.each<[string, string, unknown, string]>([
    ['truncated JSON', 'ERR_FILE_FORMAT', '{"model": {', 'is not JSON'],
    ['an array', 'ERR_FILE_FORMAT', [], 'holds no JSON object'],
    ['no model', 'ERR_FILE_FORMAT', {}, 'no "model" object'],
    ['WordPiece', 'ERR_UNSUPPORTED', model({ type: 'WordPiece' }), '"WordPiece"; BPE is supported'],
    ['no vocabulary', 'ERR_FILE_FORMAT', model({ vocab: [] }), 'no "model.vocab" object'],
    ['an empty vocabulary', 'ERR_FILE_FORMAT', model({ vocab: {}, merges: [] }), 'empty vocabulary'],
    ['a negative id', 'ERR_FILE_FORMAT', model({ vocab: { a: -1 } }), '"a" the id -1'],
    ['a huge id', 'ERR_FILE_FORMAT', model({ vocab: { a: 1e12 } }), '"a" the id 1000000000000'],
    ['an id used twice', 'ERR_FILE_FORMAT', model({ vocab: { a: 0, b: 0 } }), 'two tokens the id 0'],
    ['no merges', 'ERR_FILE_FORMAT', model({ merges: undefined }), 'no "model.merges" array'],
    ['a merge of three', 'ERR_FILE_FORMAT', model({ merges: ['a b c'] }), 'model.merges[0]'],
    ['a merge of unknown tokens', 'ERR_FILE_FORMAT', model({ merges: ['a b', 'b a'] }), '"ba" at [1]'],
    ['a nameless added token', 'ERR_FILE_FORMAT', { ...good, added_tokens: [{ id: 3 }] }, 'added_tokens[0]'],
    [
      'neither bytes nor fallback',
      'ERR_UNSUPPORTED',
      { ...good, pre_tokenizer: null, decoder: null },
      'neither byte-level',
    ],
    [
      'a split that the library gets wrong',
      'ERR_UNSUPPORTED',
      { ...good, pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious' } },
      'MergedWithPrevious',
    ],
    [
      'a template with a token that nobody has',
      'ERR_FILE_FORMAT',
      {
        ...good,
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<x>' } }, { Sequence: { id: 'A' } }],
        },
      },
      'post_processor',
    ],
    [
      'an unknown step',
      'ERR_UNSUPPORTED',
      { ...good, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Thai' }, byteLevel] } },
      'Thai',
    ],
  ])('says so: %s', async (name, code, content, message) => {
    const dir = join(scratch, name.replaceAll(' ', '-'));
    await mkdir(dir);
    const path = join(dir, 'tokenizer.json');
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    await expect(Tokenizer.load(dir)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    await expect(Tokenizer.load(dir)).rejects.toThrow(path);
  });

  test('a missing file and a configuration that names an unknown token', async () => {
    await expect(Tokenizer.load(join(scratch, 'nowhere'))).rejects.toMatchObject({
      code: 'ERR_IO',
      message: /No tokenizer\.json in /,
    });
    const dir = join(scratch, 'unknown-eos');
    await mkdir(dir);
    await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(good));
    await writeFile(join(dir, 'tokenizer_config.json'), '{"eos_token": "</s>"}');
    await expect(Tokenizer.load(dir)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT', message: /eos_token "<\/s>"/ });
  });
});

// Text with the shape of code: words, numbers, operators, blanks and special tokens in any order.
function codeLike(): fc.Arbitrary<string> {
  const word = fc.constantFrom(
    'int',
    'buffer',
    'size_t',
    'x',
    '__proto__',
    '<|endoftext|>',
    '<|im_',
    'é',
    '中',
    '😀',
    '0',
    '42',
  );
  const glue = fc.constantFrom(
    ' ',
    '  ',
    '\n',
    '\n    ',
    '\t',
    '\r\n',
    '(',
    ')',
    ' = ',
    ' == ',
    ';\n',
    '->',
    '"',
    '\\',
    '\u00a0',
    '\ufeff',
    '\u0085',
  );
  return fc.array(fc.oneof(word, glue), { maxLength: 40 }).map((parts) => parts.join(''));
}
