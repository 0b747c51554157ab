import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cweNames, functionHash, functionName, languageOf, md5Integer } from '../../src/dataset/function-pair.js';
import { describeReport, detectFormat, loadPreferenceRows, loadSftRows, loadTexts } from '../../src/dataset/load.js';
import { pairRows } from '../../src/dataset/primevul.js';
import { fenced } from '../../src/dataset/prompts.js';
import { groupPairs, holdBack } from '../../src/dataset/split.js';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'srcode-data-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function file(name: string, rows: readonly (object | string)[]): Promise<string> {
  const path = join(scratch, name);
  await writeFile(path, rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join(''));
  return path;
}

const BEFORE = 'int f(char *s)\n{\n  strcpy(b, s);\n}\n';
const AFTER = 'int f(char *s)\n{\n  strlcpy(b, s, sizeof b);\n}\n';
// As Python gives it: int(hashlib.md5(b'intf(char*s){strcpy(b,s);}').hexdigest(), 16)
const HASH = '335741244718046117717448016229471285912';
// Writes integers that a JavaScript number cannot hold into a row.
const withIntegers = (row: object, integers: Record<string, string>) =>
  JSON.stringify(row).replace(
    /}$/,
    `${Object.entries(integers)
      .map(([key, digits]) => `,"${key}":${digits}`)
      .join('')}}`,
  );
const primeVul = (target: 0 | 1, func: string, more = {}) => ({
  project: 'p',
  commit_id: 'c1',
  target,
  func,
  cwe: ['CWE-787'],
  cve: 'CVE-1',
  ...more,
});
const sven = (more = {}) => ({
  func_name: 'f',
  func_src_before: BEFORE,
  func_src_after: AFTER,
  commit_link: 'github.com/o/proj/commit/abc123',
  file_name: 'a.c',
  vul_type: 'cwe-787',
  ...more,
});

describe('functions', () => {
  test('hashes are those of both PrimeVul releases', () => {
    expect(functionHash(BEFORE)).toBe(HASH);
    expect(functionHash(' int\tf(char*s) {strcpy(b,s);}')).toBe(HASH);
    // The hash of the empty text, known from RFC 1321 (d41d8cd98f00b204e9800998ecf8427e), and one with leading zeros lost by no one.
    expect(md5Integer('')).toBe(BigInt('0xd41d8cd98f00b204e9800998ecf8427e').toString());
  });

  test('names', () => {
    expect(functionName('static int\nfoo_bar (int a) { if (x) y(); }')).toBe('foo_bar');
    expect(functionName('/* see bar(1) */\n#define X(a) a\nvoid baz(void)')).toBe('baz');
    expect(functionName('void __attribute__((noreturn)) A::~A ()')).toBe('A::~A');
    expect(functionName('int x;')).toBeNull();
  });

  test('languages and CWE names', () => {
    expect(['a.c', 'x/y.h', 'b.cc', 'B.C', 'c.py', 'd.java', 'README', null].map(languageOf)).toEqual([
      'c',
      'c',
      'cpp',
      'cpp',
      'python',
      null,
      'c',
      'c',
    ]);
    expect(cweNames(['CWE-079', 'cwe-79', 'NVD-CWE-noinfo', 'CWE-787'])).toEqual(['CWE-79', 'CWE-787']);
    expect([cweNames('cwe-022'), cweNames(null)]).toEqual([['CWE-22'], []]);
  });

  test('a fence is longer than the fences inside', () => {
    expect(fenced({ code: 'a\n', language: 'c' })).toBe('```c\na\n```');
    expect(fenced({ code: '/* ```` */', language: 'cpp' })).toBe('`````cpp\n/* ```` */\n`````');
  });
});

describe('pairing', () => {
  const row = (commit_id: string, target: 0 | 1, name: string) => ({
    commit_id,
    target,
    func: `int ${name}(void) { return ${target}; }`,
  });

  test('consecutive rows, in either order', () => {
    expect(pairRows([row('a', 1, 'f'), row('a', 0, 'f'), row('b', 0, 'g'), row('b', 1, 'g')])).toEqual([
      [0, 1],
      [3, 2],
    ]);
  });

  test('rows of one commit that stand apart are paired by name, not with a neighbour', () => {
    expect(pairRows([row('a', 1, 'f'), row('a', 1, 'g'), row('a', 0, 'f'), row('a', 0, 'g')])).toEqual([
      [0, 2],
      [1, 3],
    ]);
    expect(pairRows([row('a', 1, 'f'), row('b', 1, 'g'), row('b', 0, 'g'), row('a', 0, 'f')])).toEqual([
      [0, 3],
      [1, 2],
    ]);
  });

  test('a renamed function is paired with the row that follows', () => {
    expect(pairRows([row('a', 1, 'old'), row('a', 0, 'renamed')])).toEqual([[0, 1]]);
  });

  test('no partner: another commit, the same target, a third row', () => {
    expect(pairRows([row('a', 1, 'f'), row('b', 0, 'f')])).toEqual([]);
    expect(pairRows([row('a', 1, 'f'), row('a', 1, 'f')])).toEqual([]);
    expect(pairRows([row('a', 1, 'f'), row('a', 0, 'f'), row('a', 0, 'f')])).toEqual([[0, 1]]);
  });

  test('each row is in one pair at most, and pairs fit (property)', () => {
    const any = fc.record({
      commit_id: fc.constantFrom('a', 'b'),
      target: fc.constantFrom<0 | 1>(0, 1),
      func: fc.constantFrom('f()', 'g()', 'x'),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), (rows) => {
        const pairs = pairRows(rows);
        expect(new Set(pairs.flat()).size).toBe(2 * pairs.length);
        for (const [i, j] of pairs) {
          expect([rows[i]?.target, rows[j]?.target]).toEqual([1, 0]);
          expect(rows[i]?.commit_id).toBe(rows[j]?.commit_id);
        }
      }),
    );
  });
});

describe('loadSftRows', () => {
  test('PrimeVul v0.1: 128-bit hashes are read whole; pairs become detection and repair', async () => {
    const vulnerable = withIntegers(primeVul(1, BEFORE), {
      func_hash: HASH,
      file_hash: '340282366920938463463374607431768211455',
    });
    const path = await file('v01.jsonl', [vulnerable, primeVul(0, AFTER)]);
    const { rows, report } = await loadSftRows([path]);
    expect(report).toEqual({
      files: [{ path, format: 'primevul', rows: 1 }],
      rows: { detection: 2, repair: 1 },
      dropped: {},
      warnings: {},
    });
    expect(rows.map((row) => [row.task, row.response])).toEqual([
      ['detection', 'Yes: CWE-787'],
      ['detection', 'No'],
      ['repair', `\`\`\`c\n${AFTER.trimEnd()}\n\`\`\``],
    ]);
    expect(rows[0]?.prompt).toContain(BEFORE.trimEnd());
    expect(rows[1]?.prompt).toContain(AFTER.trimEnd());
    expect(rows[2]?.prompt).toContain(BEFORE.trimEnd());
    expect(rows[2]?.prompt).toContain('CWE-787');
    expect(rows.every((row) => row.literal && row.where === `${path}:1` && row.group === 'commit c1')).toBe(true);
  });

  test('a hash that lost its low digits is seen', async () => {
    const rounded = BigInt(Number(HASH)).toString();
    expect(rounded).not.toBe(HASH);
    const path = await file('rounded.jsonl', [
      withIntegers(primeVul(1, BEFORE), { func_hash: rounded }),
      primeVul(0, AFTER),
    ]);
    expect((await loadSftRows([path])).report.warnings).toEqual({ 'hash does not fit the function': 1 });
  });

  test("PrimeVul's original release: hash of the raw text, no CWE", async () => {
    const original = (target: 0 | 1, func: string) =>
      withIntegers(
        { func, project: 'p', size: 4, commit_id: 'c', message: 'm', target, dataset: 'd', idx: target },
        { hash: md5Integer(func) },
      );
    const { rows, report } = await loadSftRows([
      await file('original.jsonl', [original(1, BEFORE), original(0, AFTER)]),
    ]);
    expect(report.warnings).toEqual({});
    expect(rows.map((row) => row.response).slice(0, 2)).toEqual(['Yes', 'No']);
    expect(rows[2]?.prompt).toMatch(/has a security flaw\. /);
  });

  test('SVEN, tasks of choice, languages of choice', async () => {
    const path = await file('sven.jsonl', [
      sven(),
      sven({ file_name: 'x.py', func_src_before: 'def f(): pass', func_src_after: 'def f(): return' }),
    ]);
    const { rows, report } = await loadSftRows([path], { tasks: ['repair'] });
    expect(rows.map((row) => row.task)).toEqual(['repair']);
    expect(report.dropped).toEqual({ 'pair in another language': 1 });
    expect((await loadSftRows([path], { languages: ['c', 'python'] })).rows).toHaveLength(6);
  });

  test('drops and counts: empty, unchanged, repeated over files, without a partner', async () => {
    const one = await file('one.jsonl', [
      sven(),
      sven({ func_src_after: ' ' }),
      sven({ func_src_after: BEFORE.replaceAll(' ', '\t') }),
      sven({ func_src_before: `${BEFORE}\n` }),
    ]);
    const two = await file('two.jsonl', [primeVul(1, BEFORE), primeVul(0, AFTER), primeVul(1, 'int g(void)')]);
    const { rows, report } = await loadSftRows([one, two]);
    expect(rows).toHaveLength(3);
    expect(report.dropped).toEqual({
      'pair seen before': 2,
      'pair that differs in white space alone': 1,
      'pair with an empty function': 1,
      'row without a partner': 1,
    });
    expect(describeReport(report)).toContain('dropped: 2 × pair seen before');
  });

  test('a fix that is itself fixed later is no example of No, and no function is shown twice', async () => {
    const later = AFTER.replace('sizeof b', 'n');
    const path = await file('chain.jsonl', [
      sven(),
      sven({ func_src_before: AFTER, func_src_after: later }),
      sven({ func_src_after: later }),
    ]);
    const { rows, report } = await loadSftRows([path], { tasks: ['detection'] });
    expect(rows.map((row) => row.response)).toEqual(['Yes: CWE-787', 'Yes: CWE-787', 'No']);
    expect(report.dropped).toEqual({
      'detection row of a fixed function that another pair fixes again': 1,
      'detection row of a function seen before': 2,
    });
  });

  test("a user's own rows", async () => {
    const path = await file('own.jsonl', [
      { prompt: 'p', response: 'r', note: 1 },
      { prompt: 'p', response: 's' },
      { prompt: 'q', response: 't' },
    ]);
    const { rows } = await loadSftRows([path]);
    expect(rows[0]).toMatchObject({ prompt: 'p', response: 'r', task: 'own', literal: false, where: `${path}:1` });
    expect(rows[0]?.group).toBe(rows[1]?.group);
    expect(rows[0]?.group).not.toBe(rows[2]?.group);
  });

  test('the problems of all files are said at once', async () => {
    const bad = await file('bad.jsonl', [
      { prompt: 'p', response: '' },
      { prompt: 1, response: 'x' },
    ]);
    const other = await file('other.jsonl', [{ text: 'x' }]);
    const unknown = await file('unknown.jsonl', [{ code: 'x' }]);
    const empty = await file('empty.jsonl', []);
    const error = await loadSftRows([bad, other, unknown, empty, join(scratch, 'none')]).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'ERR_DATA' });
    for (const part of [
      `${bad}:1: response: `,
      `${bad}:2: prompt: `,
      `${other} holds text rows`,
      `${unknown}:1: has the keys code`,
      `${empty} is empty`,
      'none',
    ])
      expect(error.message).toContain(part);
  });

  test('nothing usable is an error', async () => {
    const path = await file('same.jsonl', [sven({ func_src_after: BEFORE })]);
    await expect(loadSftRows([path])).rejects.toMatchObject({ code: 'ERR_DATA', message: `No usable rows in ${path}` });
    await expect(loadSftRows([])).rejects.toMatchObject({ code: 'ERR_DATA' });
  });

  test('JSON that is no JSONL is named as such', async () => {
    const path = await file('array.json', ['[', '  {"prompt": "p", "response": "r"}', ']']);
    await expect(loadSftRows([path])).rejects.toThrow(/array\.json:1: is not JSON/);
    await expect(detectFormat(await file('array1.json', ['[{"prompt": "p"}]']))).rejects.toThrow(
      /expected JSONL, one JSON object a line/,
    );
  });
});

describe('loadPreferenceRows', () => {
  test("a user's rows and pairs; equal answers are dropped", async () => {
    const own = await file('pref.jsonl', [
      { prompt: 'p', chosen: 'a', rejected: 'b' },
      { prompt: 'p', chosen: 'a', rejected: 'a' },
    ]);
    const pairs = await file('pairs.jsonl', [sven()]);
    const { rows, report } = await loadPreferenceRows([own, pairs]);
    expect(rows).toHaveLength(2);
    expect(rows[1]?.chosen).toContain('strlcpy');
    expect(rows[1]?.rejected).toContain('strcpy(b, s)');
    expect(report.dropped).toEqual({ 'chosen and rejected are equal': 1 });
  });
});

describe('loadTexts', () => {
  test('JSONL and plain text; empty documents are dropped', async () => {
    const jsonl = await file('texts.jsonl', [{ text: 'one' }, { text: ' \n' }, { text: 'two' }]);
    const plain = await file('plain.c', ['int x;']);
    const { rows, report } = await loadTexts([jsonl, plain]);
    expect(rows).toEqual([
      { text: 'one', where: `${jsonl}:1` },
      { text: 'two', where: `${jsonl}:3` },
      { text: 'int x;\n', where: plain },
    ]);
    expect(report.dropped).toEqual({ 'empty document': 1 });
  });

  test('text that is no UTF-8 is refused', async () => {
    const path = join(scratch, 'latin1.txt');
    await writeFile(path, Buffer.from([0x61, 0xe9, 0x62]));
    await expect(loadTexts([path])).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: `${path} is not valid UTF-8 text`,
    });
  });
});

describe('the split', () => {
  const pair = (commit: string, beforeHash: string, afterHash: string) => ({ commit, beforeHash, afterHash });

  test('groups by commit and by shared functions, through others too', () => {
    const groups = groupPairs([
      pair('a', '1', '2'),
      pair('b', '3', '4'),
      pair('b', '5', '6'),
      pair('c', '6', '7'),
      pair('d', '8', '9'),
    ]);
    expect(groups).toEqual(['commit a', 'commit b', 'commit b', 'commit b', 'commit d']);
  });

  test('holds back whole groups, by seed, whatever the order of rows (property)', () => {
    const rows = fc.array(fc.record({ group: fc.integer({ min: 0, max: 30 }).map(String), id: fc.nat() }), {
      minLength: 2,
      maxLength: 80,
    });
    fc.assert(
      fc.property(rows, fc.nat(), (list, seed) => {
        fc.pre(new Set(list.map((row) => row.group)).size > 1);
        const { train, heldBack } = holdBack(list, { seed });
        expect(train.length).toBeGreaterThan(0);
        expect(heldBack.length).toBeGreaterThan(0);
        expect([...train, ...heldBack]).toHaveLength(list.length);
        const held = new Set(heldBack.map((row) => row.group));
        expect(train.some((row) => held.has(row.group))).toBe(false);
        const again = holdBack([...list].reverse(), { seed });
        expect(new Set(again.heldBack.map((row) => row.group))).toEqual(held);
      }),
    );
  });

  test('holds back about the fraction', () => {
    const rows = Array.from({ length: 5000 }, (_, i) => ({ group: `g${i}` }));
    const held = (seed: number) => holdBack(rows, { seed }).heldBack.map((row) => row.group);
    // Binomial(5000, 0.1): mean 500, s.d. 21.
    expect(Math.abs(held(1).length - 500)).toBeLessThan(100);
    expect(held(1)).not.toEqual(held(2));
    expect(holdBack(rows, { fraction: 0 }).heldBack).toEqual([]);
  });

  test('needs two groups', () => {
    expect(() => holdBack([{ group: 'a' }, { group: 'a' }])).toThrow(expect.objectContaining({ code: 'ERR_DATA' }));
    expect(() => holdBack([{ group: 'a' }], { fraction: 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG' }),
    );
  });
});
