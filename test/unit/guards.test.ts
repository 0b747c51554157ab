import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type RewardOptions, rewardOptionsShape } from '../../src/config/reward-options.js';
import type { Options } from '../../src/config/schema.js';
import { similarity } from '../../src/reward/guards.js';
import {
  answerReward,
  type Expectation,
  type GuardedAnswer,
  type GuardReport,
  guardAnswers,
  guardGrade,
} from '../../src/reward/index.js';
import type { Verdict } from '../../src/teacher/teacher.js';

const options = (given: Options<RewardOptions> = {}): RewardOptions =>
  z.strictObject(rewardOptionsShape()).parse(given) as RewardOptions;

const signature = 'int copy_name(char *dst, size_t cap, const char *src)';
const reference = `${signature}
{
    size_t len = strlen(src);
    if (len >= cap)
        return -1;
    memcpy(dst, src, len + 1);
    return (int)len;
}
`;
const expects: Expectation = { reference, signature, calls: ['strlen'] };

async function guard(text: string, given: Partial<GuardedAnswer> = {}): Promise<GuardReport> {
  const code = Buffer.from(text);
  const answer = { code, answerStart: 0, answerEnd: code.length, language: 'c' as const, finished: true, expects };
  const [report] = await guardAnswers([{ ...answer, ...given }], options().guards);
  return report ?? expect.fail();
}
const failed = async (text: string, given: Partial<GuardedAnswer> = {}): Promise<string[]> =>
  (await guard(text, given)).failed;

/** What an answer earns in all, one token a byte. */
async function earns(
  text: string,
  verdict: Partial<Verdict> = {},
  given: Partial<GuardedAnswer> = {},
): Promise<number> {
  const code = Buffer.from(text);
  const offsets = Int32Array.from({ length: code.length + 1 }, (_, i) => i);
  const full = { spans: [], findings: [], idle: [], missing: [], parseOk: true, ...verdict };
  const known = { functional: null, guards: await guard(text, given), score: null };
  const { breakdown } = answerReward({ code, answerStart: 0, offsets, verdict: full, ...known }, options());
  return breakdown.secure - breakdown.idle - breakdown.penalty + breakdown.functional;
}

// Honest, whatever they are worth otherwise.
const honest = {
  reference,
  'another way': `${signature} {
    size_t n = strlen(src); /* without the terminator */
    if (n + 1 > cap) { return -1; }
    for (size_t i = 0; i <= n; i++) dst[i] = src[i];
    return (int)n;
}`,
  'an insecure one': `${signature}\n{\n    size_t len = strlen(src);\n    (void)cap;\n    strcpy(dst, src);\n    return (int)len;\n}\n`,
};
// Safe, because there is nothing in them.
const empty: { [name: string]: string } = {
  'a trivial one': `${signature}\n{\n    return 0;\n}\n`,
  'one that pads with comments': `${signature}\n{\n    /* strlen(src); if (len >= cap) return -1; memcpy(dst, src, len + 1); */\n    return 0;\n}\n`,
  'a refusal': "I'm sorry, but I can't help with writing code that may be insecure.",
  'a refusal in a comment': '// I cannot write this function, since copying strings is dangerous.\n',
  'a cut-off one': reference.slice(0, reference.indexOf('return (int)')),
  'a prototype': `${signature};\n`,
  'another function':
    'static int add(int a, int b)\n{\n    int sum = a + b;\n    while (sum > 100)\n        sum -= 7;\n    return strlen("") + sum;\n}\n',
  'the reference three times': reference.repeat(3),
  'an empty one': '\n',
};
const flaw: Verdict['findings'][number] = {
  ...{ cwe: 'CWE-787', severity: 'high', span: { start: 0, end: 1 }, rule: 'r', message: '' },
};

describe('guards', () => {
  test.each(Object.entries(honest))('%s passes', async (_, text) => {
    expect(await failed(text)).toEqual([]);
  });

  test.each([
    ['a trivial one', ['length', 'calls', 'similarity']],
    ['one that pads with comments', ['length', 'calls', 'similarity']],
    ['a refusal', ['parse', 'length', 'signature', 'calls', 'similarity']],
    ['a refusal in a comment', ['length', 'signature', 'calls', 'similarity']],
    ['a cut-off one', ['parse']],
    ['a prototype', ['length', 'signature', 'calls', 'similarity']],
    ['another function', ['signature', 'similarity']],
    ['the reference three times', ['length', 'signature']],
    ['an empty one', ['length', 'signature', 'calls', 'similarity']],
  ])('%s fails %j', async (name, guards) => {
    expect(await failed(empty[name] ?? '')).toEqual(guards);
  });

  test('an answer that reached its longest length fails, however it looks', async () => {
    expect(await failed(reference, { finished: false })).toEqual(['finished']);
  });

  test('without expectations an answer still has to end, to parse, and to say something', async () => {
    const bare = { expects: undefined };
    expect((await guard(reference, bare)).applied).toEqual(['finished', 'parse', 'length']);
    expect(await failed(reference, bare)).toEqual([]);
    expect(await failed('int f(void);', bare)).toEqual(['length']);
  });

  test('look at the answer in its program: what the task wrote counts for signature and parsing only', async () => {
    const prefix = `${signature}\n{\n`;
    const body = reference.slice(prefix.length);
    const placed = { answerStart: prefix.length, expects: { ...expects, reference: body } };
    expect(await failed(prefix + body, placed)).toEqual([]);
    const counted = `/* strlen */ ${signature}\n{\n  strlen(src);\n`;
    const trivial = await failed(`${counted}return 0;\n}\n`, { ...placed, answerStart: counted.length });
    expect(trivial).toEqual(['length', 'calls', 'similarity']);
  });

  test('code that no parser knows is held to its brackets, where the reference is such code', async () => {
    const macros = 'DEFINE_EACH(item, list) do_it(item) OTHERWISE\nint f(int a) { FOREACH(x, a) { g(x); } return a; }';
    const given = { expects: { reference: macros } };
    expect(await failed(macros.replace('g(x)', 'g(x + 1)'), given)).toEqual([]);
    expect(await failed(macros.replace('return a; }', 'return a;'), given)).toEqual(['parse']);
    expect(await failed(macros, { expects: { reference } })).toContain('parse');
  });

  test('know Python by its lexemes and its grammar', async () => {
    const code = 'def run(cmd):\n    """Run cmd."""\n    return subprocess.run([cmd], check=True)  # no shell (\n';
    const python = {
      language: 'python' as const,
      expects: { reference: code, signature: 'def run(cmd):', calls: ['run'] },
    };
    expect(await failed(code, python)).toEqual([]);
    expect(await failed(code.replace('check=True)', 'check=True'), python)).toEqual(['parse']);
    expect(await failed(code.replace('return subprocess', 'return = subprocess'), python)).toEqual(['parse']);
  });

  test('know C++ by its own grammar', async () => {
    const code = 'template <class T> T twice(const T &x) { auto add = [&](T y) { return x + y; }; return add(x); }\n';
    const cpp = { language: 'cpp' as const, expects: { reference: code } };
    expect(await failed(code, cpp)).toEqual([]);
    expect(await failed(code.replace('return add', 'return return add'), cpp)).toEqual(['parse']);
  });
});

describe('what answers earn without tests', () => {
  test.each(Object.entries(empty))('%s: less than any honest answer, an insecure one included', async (_, text) => {
    const least = Math.min(
      ...(await Promise.all(Object.values(honest).map((answer) => earns(answer, { findings: [flaw, flaw, flaw] })))),
    );
    const span = { start: 0, end: Buffer.byteLength(text) };
    const credited = [{ span, kind: 'bounds', obligation: 'o' }];
    expect(await earns(text, { spans: credited })).toBeLessThan(least - 1);
  });

  test('secure tokens earn nothing in an answer that fails a guard', async () => {
    const spans = [{ span: { start: 0, end: 9 }, kind: 'bounds', obligation: 'o' }];
    expect((await earns(reference, { spans })) - (await earns(reference))).toBeCloseTo(1, 6);
    const cut = { finished: false };
    expect((await earns(reference, { spans }, cut)) - (await earns(reference, {}, cut))).toBe(0);
  });

  test('a failure is worth more the more guards it passes, and tests weigh as much as guards', () => {
    const applied: GuardReport['applied'] = ['finished', 'parse', 'length', 'calls'];
    expect(guardGrade({ applied, failed: [] })).toBe(1);
    expect(guardGrade({ applied, failed: ['length'] })).toBe(-0.25);
    expect(guardGrade({ applied, failed: applied })).toBe(-1);
    const base = { code: Buffer.from('a'), answerStart: 0, offsets: Int32Array.of(0, 1), score: null };
    const verdict = { spans: [], findings: [], idle: [], missing: [], parseOk: true };
    const terminal = (functional: boolean, failed: GuardReport['failed']): number =>
      answerReward({ ...base, verdict, functional, guards: { applied, failed } }, options()).terminal;
    expect([terminal(true, []), terminal(true, ['length']), terminal(false, [])]).toEqual([2, -0.5, -2]);
  });
});

describe('similarity', () => {
  const code = fc.array(fc.constantFrom('a', 'b', '(', ')'), { minLength: 2, maxLength: 12 });

  test('by hand: pairs of neighbours in common, twice, of all', () => {
    expect(similarity(['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'x'])).toBeCloseTo(4 / 6, 12);
    expect(similarity(['a', 'b', 'a', 'b'], ['a', 'b'])).toBeCloseTo(2 / 4, 12);
    expect([similarity([], []), similarity(['a'], ['a']), similarity(['a'], ['b']), similarity(['a'], [])]).toEqual([
      1, 1, 0, 0,
    ]);
  });

  test('lies between 0 and 1, is 1 for the same tokens, and the same either way', () => {
    fc.assert(
      fc.property(code, code, (a, b) => {
        const value = similarity(a, b);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
        expect(value).toBe(similarity(b, a));
        expect(similarity(a, a)).toBe(1);
      }),
    );
  });
});

const sven = fileURLToPath(new URL('../../../shared/data/sven/pairs.jsonl', import.meta.url));
describe.skipIf(!existsSync(sven))('on 40 pairs of SVEN (skipped without ../shared/data/sven)', () => {
  type Pair = { file_name: string; func_src_before: string; func_src_after: string };
  const pairs = (existsSync(sven) ? readFileSync(sven, 'utf8').trim().split('\n') : [])
    .map((line) => JSON.parse(line) as Pair)
    .filter(({ file_name }) => /\.c$/.test(file_name))
    .slice(0, 40);
  const passing = async (answer: (pair: Pair, i: number) => string): Promise<number> => {
    const reports = await Promise.all(
      pairs.map((pair, i) => guard(answer(pair, i), { expects: { reference: pair.func_src_after } })),
    );
    return reports.filter(({ failed }) => failed.length === 0).length;
  };

  test('nearly all vulnerable functions pass beside the fixed ones; none does that is cut off, and hardly any other function', async () => {
    expect(await passing(({ func_src_before }) => func_src_before)).toBeGreaterThanOrEqual(38);
    expect(await passing(({ func_src_after: code }) => code.slice(0, Math.floor(0.8 * code.length)))).toBe(0);
    expect(await passing((_, i) => pairs[(i + 7) % pairs.length]?.func_src_after ?? '')).toBeLessThanOrEqual(3);
  });
});
