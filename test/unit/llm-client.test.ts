import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type LlmConfig, llmSchema } from '../../src/config/llm.js';
import type { Options } from '../../src/config/schema.js';
import { secondsOf } from '../../src/llm/http.js';
import { LlmClient, type LlmClientOptions } from '../../src/llm/index.js';
import { jsonObject } from '../../src/llm/json.js';
import { Journal } from '../../src/run/journal.js';
import { fail, type Handler, LlmServer, say } from '../support/llm-server.js';

const servers: LlmServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});
const listen = async (handler: Handler): Promise<LlmServer> => {
  const server = await LlmServer.listen(handler);
  servers.push(server);
  return server;
};

const config = (options: Options<LlmConfig> = {}): LlmConfig =>
  llmSchema.parse({ backoff: 0.01, ...options }) as LlmConfig;
const client = (server: LlmServer, options: Options<LlmConfig> = {}, more: LlmClientOptions = {}): LlmClient =>
  new LlmClient({ baseUrl: server.baseUrl, model: 'some-model' }, config(options), { env: {}, ...more });
const question = (user = 'How many?') => ({
  ...{ system: 'Count.', user, name: 'count', schema: z.strictObject({ count: z.int() }) },
});
const freshJournal = (): string => join(mkdtempSync(join(tmpdir(), 'srcode-llm-')), 'journal.jsonl');
const failure = async (promise: Promise<unknown>): Promise<{ code: string; message: string }> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error) => error,
  );

describe('a question', () => {
  test('is asked with a JSON schema, and read from the answer', async () => {
    const server = await listen((_, response) => say(response, '{"count": 3}'));
    const answered = await client(server, { temperature: 0.5, maxTokens: 77 }).ask(question());
    expect(answered).toEqual({ value: { count: 3 }, attempts: 1, usage: { prompt: 100, completion: 10 } });
    const [{ body, headers, path } = expect.fail()] = server.calls;
    expect([path, headers.authorization]).toEqual(['/v1/chat/completions', undefined]);
    expect(body).toMatchObject({ model: 'some-model', temperature: 0.5, max_tokens: 77 });
    expect(body.messages).toEqual([
      { role: 'system', content: 'Count.' },
      { role: 'user', content: 'How many?' },
    ]);
    expect(body.response_format).toEqual({
      type: 'json_schema',
      json_schema: {
        name: 'count',
        strict: true,
        schema: {
          type: 'object',
          properties: { count: expect.objectContaining({ type: 'integer' }) },
          ...{ required: ['count'], additionalProperties: false },
        },
      },
    });
  });

  test('goes to a server that knows no schemas in a laxer format, found once', async () => {
    const server = await listen(({ body }, response) => {
      if (body.response_format !== undefined) fail(response, 400, 'response_format is not supported');
      else say(response, 'Sure:\n```json\n{"count": 4}\n```');
    });
    const asker = client(server);
    expect((await asker.ask(question())).value).toEqual({ count: 4 });
    expect((await asker.ask(question('And now?'))).value).toEqual({ count: 4 });
    const formats = server.calls.map(({ body }) => body.response_format?.type);
    expect(formats).toEqual(['json_schema', 'json_object', undefined, undefined]);
  });

  test('names its longest length as the server wants it, and no temperature where there is none to choose', async () => {
    const server = await listen(({ body }, response) => {
      if ('max_tokens' in body) fail(response, 400, "Unsupported parameter: use 'max_completion_tokens' instead.");
      else say(response, '{"count": 4}');
    });
    const asker = client(server, { temperature: null, maxTokens: 50 });
    await asker.ask(question());
    await asker.ask(question('And now?'));
    const bodies = server.calls.map(({ body }) => body as object);
    expect(bodies).toHaveLength(3);
    for (const body of bodies.slice(1))
      expect(body).toMatchObject({ max_completion_tokens: 50, response_format: { type: 'json_schema' } });
    for (const body of bodies) expect(body).not.toHaveProperty('temperature');
  });

  test('refused in every format, fails with what the server says', async () => {
    const server = await listen((_, response) => fail(response, 400, 'maximum context length is 4096'));
    const { code, message } = await failure(client(server).ask(question()));
    expect([code, server.calls.length]).toEqual(['ERR_LLM', 3]);
    expect(message).toContain(`${server.baseUrl}/chat/completions, received 400 maximum context length is 4096`);
  });

  test('is asked again, with what was wrong, when an answer is malformed', async () => {
    const answers = ['three', '{"count": "three"}', '{"count": 3}'];
    const server = await listen((_, response, i) => say(response, answers[i] ?? ''));
    const answered = await client(server).ask(question());
    expect(answered).toEqual({ value: { count: 3 }, attempts: 3, usage: { prompt: 300, completion: 30 } });
    const [, second, third] = server.calls.map(({ body }) => body.messages);
    expect(second?.slice(2).map(({ content }) => content)).toEqual([
      'three',
      expect.stringContaining('no whole JSON object'),
    ]);
    expect(third).toHaveLength(4);
    expect(third?.at(-1)?.content).toContain('count: ');
  });

  test('ends without a value after its attempts', async () => {
    const server = await listen((_, response) => say(response, 'no'));
    expect(await client(server, { attempts: 2 }).ask(question())).toMatchObject({ value: undefined, attempts: 2 });
    expect(server.calls).toHaveLength(2);
  });

  test('gets twice the length when its answer is cut off', async () => {
    const server = await listen(({ body }, response) => {
      if (body.max_tokens < 400) say(response, '{"count": 12', { finish: 'length' });
      else say(response, '{"count": 123}');
    });
    expect((await client(server, { maxTokens: 100 }).ask(question())).value).toEqual({ count: 123 });
    expect(server.calls.map(({ body }) => [body.max_tokens, body.messages.length])).toEqual([
      [100, 2],
      [200, 2],
      [400, 2],
    ]);
  });
});

describe('a server that fails', () => {
  test('is asked again after 500, a broken connection, and a body that ends early', async () => {
    const server = await listen((_, response, i) => {
      if (i === 0) fail(response, 500, 'oops');
      else if (i === 1) response.destroy();
      else if (i === 2)
        response.writeHead(200, { 'content-length': 500 }).write('{"choices": [', () => response.destroy());
      else if (i === 3) fail(response, 200, '<html>gateway</html>');
      else say(response, '{"count": 1}');
    });
    expect((await client(server).ask(question())).value).toEqual({ count: 1 });
    expect(server.calls).toHaveLength(5);
  });

  test('is asked no sooner than its Retry-After says, by nobody', async () => {
    const times: number[] = [];
    const server = await listen((_, response, i) => {
      times.push(performance.now());
      if (i === 0) fail(response, 429, 'slow down', { 'retry-after': '1' });
      else say(response, '{"count": 1}');
    });
    const asker = client(server);
    const first = asker.ask(question('a'));
    while (times.length === 0) await sleep(5);
    await sleep(50);
    await Promise.all([first, asker.ask(question('b'))]);
    expect(times).toHaveLength(3);
    for (const time of times.slice(1)) expect(time - (times[0] ?? 0)).toBeGreaterThan(990);
  });

  test('is given up on after the retries, when it is too slow', async () => {
    const server = await listen((_, response, i) => {
      // The first never answers, the second never ends.
      if (i === 1) response.writeHead(200).write('{"choices": [');
    });
    const { code, message } = await failure(client(server, { timeout: 0.1, retries: 1 }).ask(question()));
    expect([code, server.calls.length]).toEqual(['ERR_LLM', 2]);
    expect(message).toContain('no whole answer within 0.1 s (2 times)');
  });

  test('is given up on at once when another try is of no use', async () => {
    const server = await listen((_, response) => fail(response, 404, 'no such model'));
    const { message } = await failure(client(server).ask(question()));
    expect(message).toMatch(/received 404 no such model.*name of the model, some-model/);
    server.handler = (_, response) => fail(response, 429, 'quota', { 'retry-after': '86400' });
    expect((await failure(client(server).ask(question()))).message).toContain('429 quota');
    expect(server.calls).toHaveLength(2);
  });

  test('cannot lead the key elsewhere, nor into a message', async () => {
    const other = await listen((_, response) => say(response, '{"count": 1}'));
    const server = await listen(({ headers }, response, i) => {
      if (i === 0) fail(response, 401, `bad key: ${headers.authorization}`);
      else fail(response, 307, '', { location: `${other.baseUrl}/chat/completions` });
    });
    const asker = client(server, { keyVariable: 'MY_KEY', retries: 0 }, { env: { MY_KEY: 'sk-secret-1' } });
    const { message } = await failure(asker.ask(question()));
    expect(server.calls[0]?.headers.authorization).toBe('Bearer sk-secret-1');
    expect(message).toContain('bad key: Bearer ***');
    expect(message).toContain('environment variable MY_KEY');
    const redirected = await failure(asker.ask(question()));
    expect(redirected.code).toBe('ERR_LLM');
    expect(JSON.stringify(redirected)).not.toContain('sk-secret');
    expect(other.calls).toHaveLength(0);
  });
});

test('no more requests are under way than allowed', async () => {
  const server = await listen(async (_, response) => {
    await sleep(20);
    say(response, '{"count": 1}');
  });
  const asker = client(server, { concurrency: 3 });
  await Promise.all(Array.from({ length: 12 }, (_, i) => asker.ask(question(`${i}`))));
  expect([server.calls.length, server.busiest]).toEqual([12, 3]);
});

test('one question asked twice at once is one request; where that fails, the other one asks', async () => {
  const server = await listen(async (_, response) => {
    await sleep(20);
    say(response, '{"count": 1}');
  });
  const asker = client(server, { retries: 0 });
  const answers = await Promise.all([asker.ask(question()), asker.ask(question())]);
  expect([answers.map(({ value }) => value?.count), server.calls.length]).toEqual([[1, 1], 1]);
  server.handler = (_, response) =>
    server.calls.length === 2 ? fail(response, 500, '') : say(response, '{"count": 2}');
  const [first, second] = await Promise.allSettled([asker.ask(question('b')), asker.ask(question('b'))]);
  expect([first.status, second]).toEqual([
    'rejected',
    { status: 'fulfilled', value: expect.objectContaining({ attempts: 1 }) },
  ]);
});

test('an abort ends what is under way, what waits for its turn, and what waits to try again', async () => {
  const server = await listen((_, response, i) => {
    if (i === 1) fail(response, 503, '', { 'retry-after': '300' });
  });
  const abort = new AbortController();
  const asker = client(server, { concurrency: 2 });
  const asked = ['a', 'b', 'c'].map((user) => failure(asker.ask(question(user), { signal: abort.signal })));
  while (server.calls.length < 2) await sleep(5);
  await sleep(30);
  abort.abort(new DOMException('Interrupted', 'AbortError'));
  for (const error of await Promise.all(asked))
    expect(error).toMatchObject({ name: 'AbortError', message: 'Interrupted' });
  expect(server.calls).toHaveLength(2);
  server.handler = (_, response) => say(response, '{"count": 1}');
  expect((await asker.ask(question('d'))).value).toEqual({ count: 1 });
});

describe('the journal', () => {
  test('answers what was asked before, wrong answers included, wherever the model is now', async () => {
    const answers = ['?', '{"count": 3}'];
    const server = await listen((_, response, i) => say(response, answers[i] ?? ''));
    const path = freshJournal();
    const first = new Journal(path);
    const answered = await client(server, {}, { store: first }).ask(question());
    first.close();
    expect(answered.attempts).toBe(2);

    const store = new Journal(path);
    const elsewhere = new LlmClient({ baseUrl: 'http://127.0.0.1:9/v1', model: 'some-model' }, config(), {
      store,
      env: {},
    });
    expect(await elsewhere.ask(question())).toEqual(answered);
    store.close();
    expect(server.calls).toHaveLength(2);
  });

  test('asks anew for another question, model, temperature or form', async () => {
    const server = await listen((_, response) => say(response, '{"count": 3}'));
    const store = new Journal(freshJournal());
    await client(server, {}, { store }).ask(question());
    await client(server, {}, { store }).ask(question());
    await client(server, {}, { store }).ask(question('Another?'));
    await client(server, { temperature: 1 }, { store }).ask(question());
    await client(server, {}, { store }).ask({ ...question(), schema: z.strictObject({ count: z.number() }) });
    const other = new LlmClient({ baseUrl: server.baseUrl, model: 'other' }, config(), { store, env: {} });
    await other.ask(question());
    expect(server.calls).toHaveLength(5);
    store.close();
  });
});

describe('the budget', () => {
  const usage = { prompt_tokens: 100, completion_tokens: 50 };

  test('is never exceeded, and one that has room left waits rather than refuse', async () => {
    const server = await listen(async (_, response) => {
      await sleep(5);
      say(response, '{"count": 3}', { usage });
    });
    // A question may use 200 + some 50 bytes, and uses 150: within 1000, five pass, the sixth would not fit.
    const asker = client(server, { maxTokens: 200, budget: { tokens: 1000 } });
    const asked = await Promise.allSettled(Array.from({ length: 9 }, (_, i) => asker.ask(question(`${i}`))));
    const failed = asked.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect([server.calls.length, failed.length]).toEqual([6, 3]);
    expect(asker.budget.tokens).toBe(900);
    for (const { code, message } of failed) {
      expect(code).toBe('ERR_BUDGET');
      expect(message).toContain('900 of 1000 tokens are used');
      expect(message).toContain('llm.budget.tokens');
    }
  });

  test('counts money by price, and what a resumed run spent before', async () => {
    const server = await listen((_, response) => say(response, '{"count": 3}', { usage }));
    const options = { maxTokens: 60, price: { prompt: 1, completion: 10 }, budget: { money: 0.001 } };
    const path = freshJournal();
    const store = new Journal(path);
    const asker = client(server, options, { store });
    await asker.ask(question());
    expect(asker.budget.money).toBeCloseTo(0.0006, 12);
    store.close();
    const reopened = new Journal(path);
    const again = client(server, options, { store: reopened });
    await again.ask(question());
    expect(again.budget.money).toBeCloseTo(0.0006, 12);
    expect(await failure(again.ask(question('More?')))).toMatchObject({ code: 'ERR_BUDGET' });
    reopened.close();
    expect(server.calls).toHaveLength(1);
  });

  test('counts the most that a request may have used where the server does not say', async () => {
    const server = await listen((_, response, i) => {
      if (i === 0) fail(response, 503, '');
      else say(response, '{"count": 3}', { usage: null });
    });
    const asker = client(server, { maxTokens: 60 });
    await asker.ask(question());
    expect(asker.budget.tokens).toBe('Count.'.length + 'How many?'.length + 2 * 16 + 60);
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('reading', () => {
  test('an object is taken whatever stands round it, but never one of several', () => {
    const value = { a: '}{"', b: { c: [1] } };
    const json = JSON.stringify(value);
    for (const text of [
      json,
      `  ${json}\n`,
      `Here: ${json}.`,
      `<think>{"a": 1} or {"a": 2}?</think>\n${json}`,
      `{ no } ${json}`,
    ]) {
      expect(jsonObject(text), text).toEqual({ value });
    }
    expect(jsonObject(`The code says ${json}, but: {"a": 1}`)).toEqual({ problem: 'it holds 2 JSON objects' });
    for (const text of ['', '[1]', '{"a": 1', 'null', '{a: 1}']) expect(jsonObject(text)).toHaveProperty('problem');
  });

  test('the objects of any text are those that JSON.parse takes, the outer before the inner', () => {
    const count = (text: string): number => {
      let found = 0;
      for (let start = 0; start < text.length; start++) {
        if (text[start] !== '{') continue;
        const ends = Array.from(text, (_, end) => end + 1).filter((end) => end > start && text[end - 1] === '}');
        const end = ends.find((end) => isJson(text.slice(start, end)));
        if (end === undefined) continue;
        found++;
        start = end - 1;
      }
      return found;
    };
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '"a":',
      '1',
      '-0.5e+3',
      '01',
      'true',
      'nul',
      ' ',
      '\n',
      '\\',
      '\\u00e9',
      'ü',
    ];
    const wholes = ['{"a":1}', '{}', '"x{"', '{"b":[{},"}"]}'];
    const texts = fc.array(fc.constantFrom(...pieces, ...wholes, ...wholes), { maxLength: 14 });
    const both = (text: string): [number, number] => {
      const found = jsonObject(`. ${text}`);
      const said = 'value' in found ? 1 : Number(/\d+/.exec(found.problem) ?? 0);
      return [said, count(text)];
    };
    fc.assert(
      fc.property(texts, (parts) => {
        const [said, counted] = both(parts.join(''));
        expect(said).toBe(counted);
      }),
      { seed: 1, numRuns: 3000 },
    );
  });

  // Looking from every brace to where it fails would take hours.
  test.each([
    ['braces', '{', ''],
    ['objects without an end', '{"a":', ''],
    ['objects that all fail at the end of the inner', '{"a":', '}x'],
    ['braces in strings', '{"', ''],
    ['lists', '{"a":[', ']'],
  ])('a text of megabytes is looked through twice at most: %s', (_, open, close) => {
    const times = 1_000_000;
    const text = `. ${open.repeat(times)}${close.repeat(times)}`;
    expect(jsonObject(text)).toHaveProperty('problem');
  });

  test('Retry-After is seconds or a date', () => {
    const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
    expect(secondsOf('7', now)).toBe(7);
    expect(secondsOf('Wed, 21 Oct 2026 07:28:30 GMT', now)).toBe(30);
    expect(secondsOf('Wed, 21 Oct 2026 07:27:30 GMT', now)).toBe(0);
    expect([secondsOf('soon', now), secondsOf(null, now)]).toEqual([undefined, undefined]);
  });
});

test.each(['localhost:8000', 'http://user:secret@host/v1', 'http://host/v1?key=secret', 'file:///x'])(
  '%s is no endpoint',
  (baseUrl) => {
    const make = (): LlmClient => new LlmClient({ baseUrl, model: 'm' }, config());
    expect(make).toThrow(/address of an OpenAI-compatible endpoint/);
    expect(make).not.toThrow(/secret/);
  },
);
