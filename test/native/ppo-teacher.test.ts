import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PpoConfig } from '../../src/config/ppo.js';
import type { Options } from '../../src/config/schema.js';
import type { Task } from '../../src/tasks/task.js';
import { ppo } from '../../src/training/ppo.js';
import { fail, LlmServer, say } from '../support/llm-server.js';
import { type Calls, copyModel, copyTask } from '../support/tasks.js';
import { metrics, tempFolder, timeless } from '../support/training.js';

const folder = tempFolder();
let model = '';
beforeAll(async () => {
  model = await copyModel(folder);
});
const fresh = (): string => join(tempFolder(), 'run');
const small = (run: string, options: Options<PpoConfig> = {}): Options<PpoConfig> => ({
  ...{ model, run, threads: 1, iterations: 4, prompts: 12, minibatch: 6, maxNewTokens: 32, lr: 1e-3 },
  ...{ schedule: { warmup: 0 }, checkpointEvery: 2, evalEvery: 2, shown: 2, seed: 3, temperature: 1.5 },
  ...options,
});

describe('a language model as the teacher of a run', () => {
  let server: LlmServer;
  let broken = false;
  beforeAll(async () => {
    server = await LlmServer.listen(({ body }, response) => {
      if (broken) return fail(response, 401, 'no such key');
      const program =
        /begins\n(.*)\n>>>>> program/s.exec(body.messages[1]?.content.split('<<<<< program')[1] ?? '')?.[1] ?? '';
      // From the first place to the end: whatever an answer repeats, such a quote stands in it once.
      const quotes = (word: string) => (program.includes(word) ? [program.slice(program.indexOf(word))] : []);
      const secure = quotes('snprintf').map((quote) => ({ quote, why: 'bounded' }));
      const flaw = quotes('strcpy').map((quote) => ({ cwe: 'CWE-120', severity: 'high', quote }));
      say(
        response,
        JSON.stringify({ secure: [...secure, { quote: 'free(p)', why: 'made up' }], vulnerabilities: flaw }),
      );
    });
  });
  afterAll(async () => server[Symbol.asyncDispose]());
  const teacher = (): string[] => [`llm:judge@${server.baseUrl}`];
  const whole = fresh();

  test('pays for what it quotes, and its counts are logged', async () => {
    const calls: Calls = { teacher: 0, judge: 0 };
    await ppo(small(whole, { teacher: teacher() }), { task: copyTask(calls) });
    expect(calls.teacher).toBe(0);
    for (const row of metrics(whole).slice(1)) {
      expect(row['reward/secure']).toBeGreaterThan(0);
      expect([row['teacher/quotes-missing'], row['teacher/unanswered'], row['teacher/tokens']]).toEqual([1, 0, 110]);
    }
    const rows = readFileSync(join(whole, 'samples.jsonl'), 'utf8').trim().split('\n');
    expect(rows.some((row) => row.includes('CWE-120, as judge sees it'))).toBe(true);
  });

  test('whose endpoint failed on the way ends, resumed, as the run that was not, and pays for nothing twice', async () => {
    const before = server.calls.length;
    const run = fresh();
    const config = small(run, { teacher: teacher(), llm: { concurrency: 2 } });
    const hooks = { task: copyTask(), resume: true };
    const onStep = ({ step }: { step: number }): void => {
      broken = step === 3;
    };
    await expect(ppo(config, { ...hooks, onStep })).rejects.toMatchObject({ code: 'ERR_LLM' });
    broken = false;
    await ppo(config, hooks);
    expect(timeless(run)).toEqual(timeless(whole));
    // Refused, and asked again: no more than were under way.
    const asked = server.calls.slice(before).map(({ body }) => body.messages[1]?.content);
    expect(asked.length - new Set(asked).size).toBeLessThanOrEqual(2);
  });

  test('can be replayed without it', async () => {
    const before = server.calls.length;
    const run = fresh();
    await ppo(small(run, { teacher: [`replay:${join(whole, 'journal.jsonl')}`] }), { task: copyTask() });
    expect(metrics(run)).toEqual(metrics(whole));
    expect(server.calls.length).toBe(before);
  });

  test('can stand beside the task’s own; how much they disagree is logged', async () => {
    const run = fresh();
    await ppo(small(run, { teacher: ['task', ...teacher()], ensemble: { combine: 'vote' } }), { task: copyTask() });
    const last = metrics(run).at(-1) ?? {};
    expect([last['teacher/disagreement-findings'], last['teacher/disagreement-credit']]).toEqual([0, 0]);
    expect(last['reward/secure']).toBeGreaterThan(0);
  });
});

test('without a judge guards tell honest answers from others, and rewards heed them', async () => {
  const { judge: _, ...unjudged } = copyTask();
  const task: Task = {
    ...unjudged,
    prompt: (...about) => ({
      ...unjudged.prompt(...about),
      expects: { reference: 'strcpy(d, s);', calls: ['strcpy'] },
    }),
  };
  const run = fresh();
  // `snprintf(d, n, "%s", s);` has 13 tokens, the reference 7: within the band of 2, outside of one of 1.5.
  await ppo(small(run, { iterations: 2, temperature: 1, reward: { guards: { longest: 1.5, similarity: 0.5 } } }), {
    task,
  });
  const rows = metrics(run).slice(1);
  for (const row of rows) {
    expect(row['rollout/functional']).toBeUndefined();
    expect(row['guards/length']).toBeGreaterThan(0);
    expect(row['rollout/guarded']).toBeGreaterThan(0);
    expect(row['rollout/guarded']).toBeLessThan(1);
    // Only what fails a guard is secure here, and so earns nothing by it.
    expect([row['reward/secure'], row['reward/withheld']]).toEqual([0, expect.any(Number)]);
    expect(row['reward/withheld']).toBeGreaterThan(0);
  }
  const samples = readFileSync(join(run, 'samples.jsonl'), 'utf8').trim().split('\n');
  for (const { answer, guards } of samples.map((line) => JSON.parse(line))) {
    if (answer === 'strcpy(d, s);') expect(guards).toEqual([]);
    else expect(guards.length, answer).toBeGreaterThan(0);
  }
});
