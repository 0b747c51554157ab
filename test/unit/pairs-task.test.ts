import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { RewardOptions } from '../../src/config/reward-options.js';
import { rewardOptionsShape } from '../../src/config/reward-options.js';
import { guardAnswers } from '../../src/reward/index.js';
import { loadTask } from '../../src/tasks/load.js';
import { type PairPrompt, pairsTask } from '../../src/tasks/pairs/task.js';
import type { Split, Task } from '../../src/tasks/task.js';

const folder = mkdtempSync(join(tmpdir(), 'srcode-pairs-'));
const { guards } = z.strictObject(rewardOptionsShape()).parse({}) as RewardOptions;

/** A pair number `i` whose fix adds a check. */
const pair = (i: number): object => ({
  func_src_before: `int f${i}(const int *a, int n)\n{\n    int i = next();\n    log_it("f", i);\n    return a[i];\n}\n`,
  func_src_after: `int f${i}(const int *a, int n)\n{\n    int i = next();\n    if (i < 0 || i >= n)\n        return fail();\n    log_it("f", i);\n    return a[i];\n}\n`,
  ...{ commit_link: `github.com/o/p/commit/${i}`, file_name: 'a.c', vul_type: 'cwe-125' },
});
const write = (name: string, rows: readonly object[]): string => {
  const file = join(folder, name);
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
};

describe('prompts from pairs', () => {
  const file = write(
    'pairs.jsonl',
    Array.from({ length: 60 }, (_, i) => pair(i)),
  );

  test('ask for what follows the lines before the fix, and say what an honest answer has', async () => {
    const task = (await loadTask(`pairs:${file}`)) as Task<PairPrompt>;
    expect([task.name, task.language, task.judge, task.teacher.id]).toEqual([
      'pairs',
      'c',
      undefined,
      expect.stringMatching(/^embedded/),
    ]);
    const prompt = task.prompt('train', 0, 0);
    const name = /f\d+/.exec(prompt.prefix)?.[0];
    expect(prompt.prefix).toBe(`int ${name}(const int *a, int n)\n{\n    int i = next();\n`);
    expect(prompt.text.endsWith(prompt.prefix)).toBe(true);
    expect(prompt.labels).toEqual({ cwe: 'CWE-125' });
    expect(prompt.expects).toEqual({
      reference: '    if (i < 0 || i >= n)\n        return fail();\n    log_it("f", i);\n    return a[i];\n}\n',
      signature: `int ${name}(const int *a, int n)`,
      calls: ['log_it'],
    });
    const { code, answerStart } = task.program({ prompt, answer: Buffer.from('}\n') });
    expect(Buffer.from(code).toString()).toBe(`${prompt.prefix}}\n`);
    expect(answerStart).toBe(prompt.prefix.length);
    expect(task.promptOf(prompt.id)).toEqual(prompt);
    expect(() => task.promptOf('pair-0')).toThrow(/such as pair-[0-9a-f]{12}; received pair-0/);
  });

  test('splits share no prompt, and each is gone through whole, in another order each time', async () => {
    const task = await pairsTask(file);
    const ids = (split: Split, seed: number, from: number, count: number): string[] =>
      Array.from({ length: count }, (_, i) => task.prompt(split, seed, from + i).id);
    const sizes = (['train', 'validation', 'test'] as const).map((split) => new Set(ids(split, 0, 0, 240)).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(60);
    const all = new Set((['train', 'validation', 'test'] as const).flatMap((split) => ids(split, 0, 0, 240)));
    expect(all.size).toBe(60);
    const [n = 0] = sizes;
    expect(n).toBeGreaterThan(30);
    const [first, second] = [ids('train', 0, 0, n), ids('train', 0, n, n)];
    expect(first.toSorted()).toEqual(second.toSorted());
    expect(first).not.toEqual(second);
    expect(ids('train', 0, 0, n)).toEqual(first);
    expect(ids('train', 1, 0, n)).not.toEqual(first);
  });

  test('a file in which nothing can be asked about says so', async () => {
    const changed = { ...pair(0), func_src_before: 'int f0(int n)\n{\n    return a[n];\n}\n' };
    await expect(pairsTask(write('changed.jsonl', [changed]))).rejects.toThrow(/none of its 1 C pairs/);
    await expect(pairsTask(write('sft.jsonl', [{ prompt: 'a', response: 'b' }]))).rejects.toThrow(
      /expected function pairs/,
    );
    await expect(loadTask('pairs:/nowhere.jsonl')).rejects.toMatchObject({ code: 'ERR_IO' });
  });
});

const sven = fileURLToPath(new URL('../../../shared/data/sven/pairs.jsonl', import.meta.url));
test.skipIf(!existsSync(sven))(
  'SVEN gives prompts whose references pass the guards (skipped without ../shared/data/sven)',
  async () => {
    const task = await pairsTask(sven);
    const prompts = Array.from({ length: 40 }, (_, i) => task.prompt('train', 0, i));
    expect(new Set(prompts.map(({ id }) => id)).size).toBe(40);
    const reports = await guardAnswers(
      prompts.map((prompt) => {
        const answer = Buffer.from(prompt.expects?.reference ?? '');
        const { code, answerStart } = task.program({ prompt, answer });
        const rest = { answerStart, answerEnd: code.length, language: 'c' as const, finished: true };
        return { code, ...rest, expects: prompt.expects };
      }),
      guards,
    );
    expect(reports.filter(({ failed }) => failed.length > 0)).toEqual([]);
  },
);
