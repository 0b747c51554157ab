import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Analyser, Analysis, SourceCode } from '../../src/analysis/analyser.js';
import { contentKey, ResultStore, stored, storedTeacher } from '../../src/analysis/result-store.js';
import { Phases } from '../../src/phases.js';
import type { Teacher, Verdict } from '../../src/teacher/teacher.js';

const folder = mkdtempSync(join(tmpdir(), 'srcode-test-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

const source = (text: string, language: SourceCode['language'] = 'c'): SourceCode => ({
  code: Buffer.from(text),
  language,
});

/** Finds the length of a source; refuses the empty one. */
function lengths(id: string): Analyser & { asked: string[] } {
  const asked: string[] = [];
  return {
    ...{ name: 'lengths', id, languages: ['c'], asked },
    async analyze(sources) {
      asked.push(...sources.map(({ code }) => `${Buffer.from(code)}`));
      return sources.map(({ code }): Analysis => {
        const span = { start: 0, end: code.length };
        const finding = { cwe: 'CWE-20', severity: 'low', span, rule: 'length', message: `${code.length}` } as const;
        return code.length === 0 ? { findings: [], failure: 'empty' } : { findings: [finding], failure: undefined };
      });
    },
  };
}

test('the same code is asked of an analyser once, in one call, over calls and over processes', async () => {
  const analyser = lengths('lengths 1');
  const first = stored(analyser, new ResultStore(join(folder, 'a', 'store')));
  const sources = [source('aa'), source('b'), source('aa')];
  const direct = await lengths('lengths 1').analyze(sources);
  expect(await first.analyze(sources)).toEqual(direct);
  expect(analyser.asked).toEqual(['aa', 'b']);
  expect(await first.analyze(sources)).toEqual(direct);
  // As another process would.
  expect(await stored(analyser, new ResultStore(join(folder, 'a', 'store'))).analyze(sources)).toEqual(direct);
  expect(analyser.asked).toEqual(['aa', 'b']);
});

test('another version of the analyser, another language or other code is another result', async () => {
  const store = new ResultStore<Analysis>();
  const [one, two] = [lengths('lengths 1'), lengths('lengths 2')];
  await stored(one, store).analyze([source('aa'), source('aa', 'cpp')]);
  await stored(two, store).analyze([source('aa')]);
  expect([one.asked, two.asked]).toEqual([['aa', 'aa'], ['aa']]);
  expect(contentKey('a', 'bc')).not.toBe(contentKey('ab', 'c'));
});

test('a failure is not kept: the next try may go better', async () => {
  const analyser = lengths('lengths 1');
  const place = join(folder, 'failures');
  const cached = stored(analyser, new ResultStore(place));
  expect(await cached.analyze([source('')])).toEqual([{ findings: [], failure: 'empty' }]);
  await cached.analyze([source('')]);
  expect(analyser.asked).toEqual(['', '']);
  expect(existsSync(place)).toBe(false);
});

test('what was given can be changed without changing what is kept; a file that cannot be read is made again', async () => {
  const analyser = lengths('lengths 1');
  const place = join(folder, 'changed');
  const cached = stored(analyser, new ResultStore(place));
  const [given] = await cached.analyze([source('aa')]);
  given?.findings.pop();
  expect((await cached.analyze([source('aa')]))[0]?.findings).toHaveLength(1);
  const [file = ''] = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.json'),
  );
  writeFileSync(join(place, file), '{"findings": [');
  await stored(analyser, new ResultStore(place)).analyze([source('aa')]);
  expect(analyser.asked).toEqual(['aa', 'aa']);
});

test('a teacher who looks at the code alone is asked once about it, over processes; no answer is not kept', async () => {
  let asked = 0;
  const teacher: Teacher = {
    id: 'counts',
    byContent: true,
    async judge(code) {
      asked++;
      const unanswered = Number(code.length === 0);
      return { spans: [], findings: [], idle: [], missing: [`${code.length}`], parseOk: true, counts: { unanswered } };
    },
  };
  const place = join(folder, 'verdicts');
  const phases = new Phases();
  const open = (of: Teacher) => storedTeacher(of, new ResultStore<Verdict>(place), phases);
  const judge = (of: Teacher, text: string, language: 'c' | 'cpp' = 'c') => of.judge(Buffer.from(text), { language });
  const first = open(teacher);
  const said = await judge(first, 'aa');
  expect([await judge(first, 'aa'), await judge(open(teacher), 'aa')]).toEqual([said, said]);
  await judge(first, 'aa', 'cpp');
  await judge(open({ ...teacher, id: 'another' }), 'aa');
  expect([asked, phases.counts]).toEqual([3, { asked: 3, known: 2 }]);
  await judge(first, '');
  await judge(first, '');
  expect(asked).toBe(5);
  // What depends on the question, too, stays its own.
  const { byContent: _, ...curious } = teacher;
  expect(open(curious)).toBe(curious);
});
