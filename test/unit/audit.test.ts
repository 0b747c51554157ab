import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { audit } from '../../src/evaluation/audit.js';
import { familyPrompt, referenceAnswers } from '../../src/tasks/family/index.js';
import { loadTask } from '../../src/tasks/load.js';
import type { Judgement, Mutant, Sample, Task } from '../../src/tasks/task.js';
import { noIsolation } from '../support/sandbox.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Programs are words: `fine`, `open` (an attack succeeds), `broken`. The teacher believes `said`; mutants are the program's `a>b>…` */
function wordTask(said: (program: string) => boolean): Task {
  const prompt = { id: 'p', text: '', labels: {} };
  const program = ({ answer }: Sample): string => Buffer.from(answer).toString().split('>')[0] as string;
  return {
    ...{ name: 'words', version: '1', language: 'c' },
    prompt: () => prompt,
    promptOf: () => prompt,
    program: ({ answer }) => ({ code: answer, answerStart: 0 }),
    teacher: {
      id: 'believer',
      judge: async (code) => {
        const flaw = { cwe: 'CWE-125', severity: 'low', span: { start: 0, end: 1 }, rule: 'r', message: 'm' } as const;
        const secure = said(Buffer.from(code).toString());
        return { spans: [], findings: secure ? [] : [flaw], idle: [], missing: [], parseOk: true };
      },
    },
    judge: async (samples) =>
      samples.map((sample): Judgement => {
        const word = program(sample);
        const [functional, secure] = [word !== 'broken', word === 'fine'];
        return { compiled: true, functional, secure, findings: secure ? [] : [word], missing: [] };
      }),
    mutants: async ({ prompt, answer }) =>
      Buffer.from(answer)
        .toString()
        .split('>')
        .slice(1)
        .map(
          (word, i): Mutant => ({
            ...{ sample: { prompt, answer: bytes(word) }, obligation: i === 0 ? 'x' : 'y', change: `to ${word}` },
            kind: i < 2 ? 'removed' : 'weakened',
          }),
        ),
  };
}

test('counts what teacher and execution say of functional samples, and removals that let an attack in', async () => {
  const samples = ['fine>open>broken>fine', 'fine>open>fine', 'open>open>open', 'broken', 'fine!', 'open!'].map(
    (word) => ({
      ...{ prompt: { id: 'p', text: '', labels: {} }, answer: bytes(word.replace('!', '>')) },
    }),
  );
  // Believes that what ends in '>' is the other way round.
  const task = wordTask((code) => code.startsWith('fine') !== code.endsWith('>'));
  const result = await audit({ task, samples });
  expect(result).toMatchObject({ samples: 6, functional: 5, secure: 3 });
  expect(result.agreement).toMatchObject({ value: 3 / 5, n: 5 });
  expect(result.disagreements.map(({ teacher, said, shown }) => ({ teacher, said, shown }))).toEqual([
    { teacher: 'insecure', said: ['CWE-125: m'], shown: [] },
    { teacher: 'secure', said: [], shown: ['open'] },
  ]);
  // Of the secure samples: open, broken and fine; open and fine; the empty word, which works and is open.
  expect(result.obligations.x?.precision).toMatchObject({ n: 3 });
  expect(result.obligations.y?.precision).toMatchObject({ value: 0, n: 2 });
  expect(result.weakened).toMatchObject({ value: 0, n: 1 });
  expect(result.changes['to open']).toMatchObject({ value: 1, n: 2 });
  expect(result.unproved).toContainEqual({ id: 'p', obligation: 'y', change: 'to broken', answer: 'broken' });

  const some = await audit({ task, samples, mutants: 2, seed: 3 });
  expect(some.precision.n + some.weakened.n).toBe(2);
  expect(await audit({ task, samples, mutants: 2, seed: 3 })).toEqual(some);
});

test('a task that cannot be audited says why', async () => {
  const { judge: _, ...unjudged } = wordTask(() => true);
  await expect(audit({ task: unjudged, samples: [] })).rejects.toThrow(/words has no judge/);
  const { mutants: __, ...whole } = wordTask(() => true);
  await expect(audit({ task: whole, samples: [] })).rejects.toThrow(/words has no mutants/);
});

const compiles = ((): boolean => {
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const lacking = noIsolation ?? (compiles ? undefined : 'no gcc');
const runs = lacking === undefined ? test : test.skip;
if (lacking !== undefined) test.skip(`programs cannot be run here: ${lacking}`, () => {});

runs('the family: execution agrees with the teacher, and every credit is deserved', async () => {
  const samples = Array.from({ length: 24 }, (_, i) => {
    const prompt = familyPrompt('test', 31, i);
    const { secure, insecure } = referenceAnswers(prompt);
    return { prompt, answer: bytes(i % 3 === 0 ? insecure : secure) };
  });
  const result = await audit({ task: await loadTask('family'), samples });
  expect(result).toMatchObject({ functional: 24, secure: 16, disagreements: [], unproved: [] });
  expect(result.precision.value).toBe(1);
  expect(result.precision.n).toBeGreaterThan(20);
});
