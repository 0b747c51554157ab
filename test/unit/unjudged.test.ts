import { expect, test } from 'vitest';
import type { Judgement, Sample, Task, TaskPrompt } from '../../src/tasks/task.js';
import { Verdicts } from '../../src/tasks/verdicts.js';
import type { Verdict } from '../../src/teacher/teacher.js';
import { crossCheck, warningOf } from '../../src/training/ppo/cross-check.js';
import type { Experience, Stage } from '../../src/training/ppo/experience.js';

const prompt = (index: number): TaskPrompt => ({ id: `p-${index}`, text: '', labels: {} });
const clean: Verdict = { spans: [], findings: [], idle: [], missing: [], parseOk: true };

/** A task whose judge says of an answer what the answer says. */
function taskOf(asked: string[][], id = 'tools'): Task {
  return {
    name: 'said',
    version: '1',
    language: 'c',
    prompt: (_, __, index) => prompt(index),
    promptOf: () => prompt(0),
    program: ({ answer }) => ({ code: answer, answerStart: 0 }),
    teacher: { id: 'none', judge: async () => clean },
    judgeId: async () => id,
    judge: async (samples) => {
      asked.push(samples.map(({ answer }) => `${Buffer.from(answer)}`));
      return samples.map(({ answer }): Judgement => {
        const word = `${Buffer.from(answer)}`.split(' ')[0];
        const base = {
          compiled: true,
          functional: word !== 'broken',
          secure: word === 'good',
          findings: [],
          missing: [],
        };
        return word === 'lost' ? { ...base, functional: false, unjudged: 'no memory' } : base;
      });
    },
  };
}

const samplesOf = (words: readonly string[]): Sample[] =>
  words.map((word, i) => ({ prompt: prompt(i), answer: Buffer.from(`${word} ${i}`) }));
const repeated = (word: string, count: number): string[] => Array.from({ length: count }, () => word);

function memory(): {
  lookup(key: string): unknown;
  recordAll(all: readonly (readonly [string, unknown])[]): void;
  size(): number;
} {
  const known = new Map<string, unknown>();
  return {
    lookup: (key) => known.get(key),
    recordAll: (all) => {
      for (const [key, value] of all) known.set(key, value);
    },
    size: () => known.size,
  };
}

test('one answer that cannot be judged ends nothing, however few there are; it is known from then on', async () => {
  const asked: string[][] = [];
  const verdicts = new Verdicts(taskOf(asked), memory());
  const samples = samplesOf(['lost', 'good', 'bad']);
  const judged = await verdicts.judge(samples, { attack: true });
  expect(judged).toMatchObject([{ functional: false, unjudged: 'no memory' }, { secure: true }, { secure: false }]);
  expect(await verdicts.judge(samples, { attack: true })).toEqual(judged);
  expect(asked).toHaveLength(1);
});

test('a twentieth may be lost; more end the run, and what was lost is asked again', async () => {
  const asked: string[][] = [];
  const journal = memory();
  const verdicts = new Verdicts(taskOf(asked), journal);
  expect(
    await verdicts.judge(samplesOf([...repeated('lost', 5), ...repeated('good', 95)]), { attack: false }),
  ).toHaveLength(100);
  const before = journal.size();
  const tooMany = samplesOf([...repeated('bad', 34), ...repeated('lost', 6)]);
  await expect(verdicts.judge(tooMany, { attack: true })).rejects.toMatchObject({
    code: 'ERR_HARNESS',
    message: expect.stringMatching(/^6 of 40 answers could not be judged \(no memory\)/),
  });
  expect(journal.size()).toBe(before);
});

test('judgements by other tools are other judgements', async () => {
  const asked: string[][] = [];
  const journal = memory();
  const samples = samplesOf(['good']);
  for (const id of ['gcc 12', 'gcc 13', 'gcc 12'])
    await new Verdicts(taskOf(asked, id), journal).judge(samples, { attack: true });
  expect(asked).toHaveLength(2);
});

function stageOf(words: readonly string[], most: number): [Stage, Experience] {
  const task = taskOf([]);
  const rollouts = samplesOf(words);
  const judgements = words.map((word) => ({ functional: word !== 'broken' }));
  return [
    { config: { crossCheck: most, seed: 3 }, verdicts: new Verdicts(task) } as unknown as Stage,
    { rollouts, judgements, verdicts: words.map(() => clean) } as unknown as Experience,
  ];
}

test('answers that work and that the teacher finds secure are run with attacks, a few of them', async () => {
  const [stage, experience] = stageOf([...repeated('broken', 5), ...repeated('bad', 10)], 6);
  expect(await crossCheck(stage, experience, 0)).toEqual({
    metrics: { 'credit/checked': 6, 'credit/refuted': 1 },
    checked: 6,
    refuted: 6,
  });
  expect(await crossCheck(...stageOf(repeated('good', 3), 6), 0)).toMatchObject({ checked: 3, refuted: 0 });
  expect(await crossCheck(...stageOf(['broken'], 6), 0)).toEqual({
    metrics: { 'credit/checked': 0 },
    checked: 0,
    refuted: 0,
  });
  expect(await crossCheck(...stageOf(['good'], 0), 0)).toBeUndefined();
});

test('a run warns when a tenth of what is believed is refuted, and not of a single one', () => {
  const check = (checked: number, refuted: number): Parameters<typeof warningOf>[0][number] => ({
    metrics: {},
    checked,
    refuted,
  });
  expect(warningOf([check(6, 1)])).toBeUndefined();
  expect(warningOf([check(6, 1), check(6, 0), check(6, 0), check(6, 0), check(6, 0)])).toBeUndefined();
  expect(warningOf([check(6, 1), check(6, 1)])).toMatch(/^Of 12 answers .* attacks succeed on 2:/);
  expect(warningOf([check(30, 2)])).toBeUndefined();
});
