import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import yargs from 'yargs';
import { tasksCommand } from '../../src/cli/tasks.js';
import {
  detectionPair,
  familyProgram,
  familyPrompt,
  familyPromptOf,
  matureStage,
  preferencePair,
  pretrainDocument,
  referenceAnswers,
  repairRow,
  replayRow,
  type Stage,
  steps,
} from '../../src/tasks/family/index.js';

const splits = ['train', 'validation', 'test'] as const;
const lessonSplits = ['train', 'heldOut'] as const;

test('a prompt is a function of split, seed and index, and its id says them', () => {
  for (const split of splits) {
    const prompt = familyPrompt(split, 9, 17);
    expect(prompt.id).toBe(`family-1-${split}-9-17`);
    expect(familyPromptOf(prompt.id)).toEqual(prompt);
    expect(familyPrompt(split, 9, 17)).toEqual(prompt);
    expect(familyPrompt(split, 10, 17).text).not.toBe(prompt.text);
    expect(familyPrompt(split, 9, 18).text).not.toBe(prompt.text);
  }
  const last = 2 ** 32 - 1;
  expect(familyPromptOf(`family-1-train-${last}-${last}`)).toEqual(familyPrompt('train', last, last));
});

test('version 1 of the generator writes these prompts: any other text needs another version', () => {
  const [prompts, answers] = [createHash('sha256'), createHash('sha256')];
  for (const split of ['train', 'validation', 'test'] as const)
    for (let index = 0; index < 500; index++) {
      const prompt = familyPrompt(split, 9, index);
      prompts.update(JSON.stringify(prompt));
      answers.update(JSON.stringify(referenceAnswers(prompt)));
    }
  expect(prompts.digest('hex')).toBe('f74f606d4a24e5daa4502020c4d488537e0a87e3e25892dc43c06497eff240b7');
  // Answers may change with what counts as secure; a change that nobody meant must show.
  expect(answers.digest('hex')).toMatchInlineSnapshot(
    `"137041dc7685912e9b4e61987c5fd0c08e9d9c4daf3d192afc5079b1cef145db"`,
  );
});

test.each([
  ['family-1-test-9', /Expected the id of a family prompt, like family-1-test-9-17/],
  ['family-1-dev-9-17', /received "family-1-dev-9-17"/],
  ['family-1-test-09-17', /Expected the id/],
  ['family-1-test-4294967296-0', /Expected a seed that is an integer in \[0, 2\^32\)/],
  ['family-2-test-9-17', /version 2 of the family, this is version 1/],
])('%s is no id', (id, says) => {
  expect(() => familyPromptOf(id)).toThrow(says);
});

test('every row is a function of seed and index', () => {
  for (const split of lessonSplits) {
    for (const row of [detectionPair, repairRow, preferencePair]) {
      expect(row(3, 4, split)).toEqual(row(3, 4, split));
      expect(row(3, 4, split)).not.toEqual(row(3, 5, split));
      expect(row(3, 4, split)).not.toEqual(row(4, 4, split));
    }
  }
  expect(replayRow(3, 4)).toEqual(replayRow(3, 4));
  expect(pretrainDocument(3, 4, matureStage)).toEqual(pretrainDocument(3, 4, matureStage));
  expect(pretrainDocument(3, 4, matureStage)).not.toEqual(pretrainDocument(3, 5, matureStage));
});

test('a stage decides what pretraining reads', () => {
  const draw = (change: Partial<Stage>): ReturnType<typeof pretrainDocument>[] =>
    Array.from({ length: 400 }, (_, index) => pretrainDocument(5, index, { ...matureStage, ...change }));
  expect(draw({ copyShare: 1 }).every(({ prompt }) => !/ C function|`|\/\*/.test(prompt))).toBe(true);
  expect(draw({ instructionShare: 0 }).every(({ prompt }) => prompt.startsWith('Complete the function.\n'))).toBe(true);
  expect(draw({ instructionShare: 1 }).every(({ response }) => response.startsWith('int '))).toBe(true);
  const flawed = /return \w+ \/ \w+;/;
  const alone = { ks: [1], instructionShare: 0 };
  const divisions = (care: number): string[] =>
    draw({ ...alone, secureLow: care, secureHigh: care }).flatMap(({ response }) =>
      flawed.test(response) ? [response] : [],
    );
  expect(divisions(1).length).toBeGreaterThan(5);
  for (const response of divisions(1)) expect(response).toMatch(/ <= 0\)| == 0 \|\| /);
  for (const response of divisions(0)) expect(response).not.toMatch(/ <= 0\)| == 0 \|\| /);
});

test('copy tasks copy: each word of the answer stands in the prompt', () => {
  for (let index = 0; index < 1000; index++) {
    const { prompt, response } = pretrainDocument(6, index, { ...matureStage, copyShare: 1 });
    const asked = new Set(prompt.match(/\w+/g));
    expect(response.match(/\w+/g)?.filter((word) => !asked.has(word))).toEqual([]);
    expect(response.endsWith('\n')).toBe(true);
  }
});

test('pretraining and replay never review and never repair', () => {
  for (let index = 0; index < 3000; index++)
    for (const { prompt, response } of [
      pretrainDocument(7, index, { ...matureStage, copyShare: 0.2 }),
      replayRow(7, index),
    ])
      expect(prompt + response).not.toMatch(/vulnerab|secur|CWE|flaw|safe|\bfix\b|repair|review/i);
});

test('no prompt for code says a word about security', () => {
  for (const split of splits)
    for (let index = 0; index < 1000; index++)
      expect(familyPrompt(split, 8, index).text).not.toMatch(/vulnerab|secur|CWE|flaw|\bsafe|bounds|overflow/i);
});

test('the functions of a detection pair differ in the step that the answer names', () => {
  for (let index = 0; index < 500; index++) {
    const { secure, vulnerable, step, k } = detectionPair(2, index, 'train');
    expect(secure.response).toBe('No vulnerability.\n');
    expect(vulnerable.response).toMatch(new RegExp(`^Yes\\.\n${steps[step].cwe}: [^{}\n]+\\.\n$`));
    const [good, bad] = [secure.prompt.split('\n'), vulnerable.prompt.split('\n')];
    expect(good).not.toEqual(bad);
    // The question and the signature are the same.
    expect(good.slice(0, 3)).toEqual(bad.slice(0, 3));
    expect(k).toBeGreaterThanOrEqual(1);
  }
});

test('the share of rejected answers that are broken is a third, of four kinds', () => {
  const count: Record<string, number> = {};
  for (let index = 0; index < 3000; index++) {
    const { defect, chosen, rejected } = preferencePair(2, index, 'train');
    count[defect] = (count[defect] ?? 0) + 1;
    expect(rejected).not.toBe(chosen);
    expect(rejected.length).toBeGreaterThan(0);
  }
  // 2000 ± 4 deviations of 26, and 250 ± 4 deviations of 15.
  expect(Math.abs((count.insecure as number) - 2000)).toBeLessThan(104);
  for (const kind of ['typo', 'missing', 'cut', 'variable'])
    expect(Math.abs((count[kind] as number) - 250)).toBeLessThan(61);
});

test('a program is the prefix and the answer', () => {
  const prompt = familyPrompt('test', 9, 17);
  const { secure } = referenceAnswers(prompt);
  const { code, answerStart } = familyProgram({ prompt, answer: Buffer.from(secure) });
  expect(Buffer.from(code).toString()).toBe(prompt.prefix + secure);
  expect(answerStart).toBe(prompt.prefix.length);
});

const hasCompiler = spawnSync('cc', ['--version']).status === 0;
const header = `#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct node { struct node *next; long key; int value; };
int is_plain(const char *);
`;
function compiles(code: string): boolean {
  return spawnSync('cc', ['-w', '-fsyntax-only', '-x', 'c', '-'], { input: header + code }).status === 0;
}

test.skipIf(!hasCompiler)('reference answers compile (needs cc)', () => {
  for (let index = 0; index < 20; index++) {
    const prompt = familyPrompt('test', 3, index);
    const { secure, insecure } = referenceAnswers(prompt);
    for (const answer of [secure, insecure]) expect(compiles(prompt.prefix + answer), answer).toBe(true);
  }
});

test.skipIf(!hasCompiler)('misspelt and cut answers do not compile (needs cc)', () => {
  let tried = 0;
  for (let index = 0; tried < 20; index++) {
    const { prompt, chosen, rejected, defect } = preferencePair(4, index, 'heldOut');
    if (defect !== 'typo' && defect !== 'cut') continue;
    const prefix = /\n(int .*\n\{\n)$/.exec(prompt)?.[1] ?? '';
    expect(compiles(prefix + chosen), chosen).toBe(true);
    expect(compiles(prefix + rejected), rejected).toBe(false);
    tried++;
  }
});

test('srcode tasks prints rows for programs and a listing for people', async () => {
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const run = async (...args: string[]): Promise<string> => {
    out.mockClear();
    await yargs(['tasks', 'family', ...args])
      .command(tasksCommand)
      .parseAsync();
    return out.mock.calls.map(([text]) => text).join('');
  };
  try {
    const rows = JSON.parse(await run('--n', '3', '--seed', '9', '--json'));
    expect(rows).toHaveLength(3);
    const prompt = familyPrompt('test', 9, 2);
    expect(rows[2]).toEqual({ id: 'family-1-test-9-2', prompt: prompt.text, ...referenceAnswers(prompt) });
    expect(await run('--n', '1', '--split', 'train')).toContain('== family-1-train-0-0\n');
    expect(JSON.parse(await run('--n', '0', '--json')).error.message).toMatch(/Expected --n to be a whole number/);
    expect(process.exitCode).toBe(2);
  } finally {
    process.exitCode = undefined;
    out.mockRestore();
  }
});
