import { z } from 'zod';
import type { LlmConfig } from '../config/llm.js';
import { SrcodeError } from '../errors.js';
import { type AnswerStore, inMemory, type Reply, replyKey, type Usage } from './answers.js';
import { Budget } from './budget.js';
import { Gate, pause } from './gate.js';
import { type Outcome, post } from './http.js';
import { jsonObject } from './json.js';

/** Where a model is asked: `POST baseUrl/chat/completions`. */
export interface Endpoint {
  /** As in `http://localhost:8000/v1`. */
  baseUrl: string;
  model: string;
}

export interface LlmClientOptions {
  /** Where answers are kept and looked up before anyone is asked; default memory. */
  store?: AnswerStore;
  /** Shared by clients that spend from one purse; by default a budget of this client's own. */
  budget?: Budget;
  /** Where the key is; default `process.env`. */
  env?: { [name: string]: string | undefined };
}

/** A question that is answered by a JSON object. */
export interface Question<T> {
  system: string;
  user: string;
  /** What the object is called, in letters and `_`. */
  name: string;
  schema: z.ZodType<T>;
}

export interface Answered<T> {
  /** undefined: no attempt had the right form. */
  value: T | undefined;
  /** Answers that were read, wrong ones included. */
  attempts: number;
  /** Of all of them, when they were first given. */
  usage: Usage;
}

interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** How strictly the server is asked for JSON; not every server knows each. */
const formats = ['schema', 'object', 'text'] as const;
type Format = (typeof formats)[number];

/** Longest wait that a server's Retry-After may ask for, and longest back-off, in seconds. */
const longestWait = 600;
const longestBackoff = 60;

const completion = z.object({
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullish() }), finish_reason: z.string().nullish() }))
    .min(1),
  usage: z.object({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0) }).nullish(),
});

/**
 * A language model behind an OpenAI-compatible endpoint. Every answer is kept under the hash of its question, so that a question is paid for
 * once and a resumed run sees what it saw.
 */
export class LlmClient {
  readonly endpoint: Endpoint;
  readonly budget: Budget;
  readonly #config: LlmConfig;
  readonly #store: AnswerStore;
  readonly #env: { [name: string]: string | undefined };
  readonly #gate: Gate;
  readonly #underWay: Map<string, Promise<Reply>> = new Map();
  /** The strictest one that the server has not refused. */
  #format: Format = 'schema';
  /** Models that think before they answer know the longest length by another name. */
  #lengthField: 'max_tokens' | 'max_completion_tokens' = 'max_tokens';

  constructor(endpoint: Endpoint, config: LlmConfig, options: LlmClientOptions = {}) {
    this.endpoint = { model: endpoint.model, baseUrl: checkedUrl(endpoint.baseUrl) };
    this.#config = config;
    this.#store = options.store ?? inMemory();
    this.budget = options.budget ?? new Budget(config, this.#store);
    this.#env = options.env ?? process.env;
    this.#gate = new Gate(config.concurrency);
  }

  /**
   * Asks until an answer has the right form: one that has not is shown to the model with what is wrong, one that was cut off may be twice as long.
   * @throws ERR_LLM when the endpoint refuses or keeps failing, ERR_BUDGET when the budget is used up, the signal's reason when it aborts.
   */
  async ask<T>(question: Question<T>, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Answered<T>> {
    const jsonSchema = strictSchema(question.schema);
    const asked: Message[] = [
      { role: 'system', content: question.system },
      { role: 'user', content: question.user },
    ];
    const usage = { prompt: 0, completion: 0 };
    let messages = asked;
    let maxTokens = this.#config.maxTokens;
    for (let attempts = 1; ; attempts++) {
      const reply = await this.#reply(
        { messages, maxTokens, schema: { name: question.name, schema: jsonSchema } },
        signal,
      );
      usage.prompt += reply.usage.prompt;
      usage.completion += reply.usage.completion;
      const read = reply.cut ? { problem: 'it was cut off' } : readAnswer(reply.text, question.schema);
      if ('value' in read) return { value: read.value, attempts, usage };
      if (attempts === this.#config.attempts) return { value: undefined, attempts, usage };
      if (reply.cut) maxTokens *= 2;
      else messages = [...asked, ...correction(reply.text, read.problem)];
    }
  }

  async #reply(request: ChatRequest, signal: AbortSignal | undefined): Promise<Reply> {
    const key = replyKey({ model: this.endpoint.model, temperature: this.#config.temperature, ...request });
    for (;;) {
      signal?.throwIfAborted();
      const known = this.#store.lookup(key);
      if (known !== undefined) return known as Reply;
      const underWay = this.#underWay.get(key);
      if (underWay === undefined) break;
      // Where it fails it says so to whoever asked first; this one then asks for itself.
      await underWay.catch(() => {});
    }
    const asked = this.#gate.pass(() => this.#negotiate(request, signal), signal);
    this.#underWay.set(key, asked);
    try {
      const reply = await asked;
      this.#store.record(key, reply);
      return reply;
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** Goes to a laxer format where a server refuses a request, and stays there when that was the reason. */
  async #negotiate(request: ChatRequest, signal: AbortSignal | undefined): Promise<Reply> {
    const from = formats.indexOf(this.#format);
    for (const format of formats.slice(from)) {
      let sent = await this.#send(this.#body(request, format), request, signal);
      if (
        'refused' in sent &&
        this.#lengthField === 'max_tokens' &&
        sent.refused.message.includes('max_completion_tokens')
      ) {
        this.#lengthField = 'max_completion_tokens';
        sent = await this.#send(this.#body(request, format), request, signal);
      }
      if ('reply' in sent) {
        this.#format = format;
        return sent.reply;
      }
      if (format === 'text') throw sent.refused;
    }
    throw new SrcodeError('ERR_INTERNAL', 'No format was tried.');
  }

  #body({ messages, maxTokens, schema }: ChatRequest, format: Format): string {
    const { temperature } = this.#config;
    const responseFormat =
      format === 'schema'
        ? { response_format: { type: 'json_schema', json_schema: { ...schema, strict: true } } }
        : format === 'object'
          ? { response_format: { type: 'json_object' } }
          : {};
    return JSON.stringify({
      model: this.endpoint.model,
      messages,
      ...(temperature !== null && { temperature }),
      [this.#lengthField]: maxTokens,
      ...responseFormat,
    });
  }

  /** Sends until an answer comes. What a server that cannot know the request's form says is handed back. */
  async #send(
    body: string,
    { messages, maxTokens }: ChatRequest,
    signal: AbortSignal | undefined,
  ): Promise<{ reply: Reply } | { refused: SrcodeError }> {
    const { retries, backoff } = this.#config;
    for (let failures = 0; ; failures++) {
      await this.#gate.opened(signal);
      const most = mostUsage(messages, maxTokens);
      const settle = await this.budget.reserve(most);
      // Until the server says otherwise, it may have worked for all that was set aside.
      let used = most;
      let outcome: Outcome;
      try {
        outcome = await this.#post(body, signal);
        if (outcome.status !== null && outcome.status !== 200) used = { prompt: 0, completion: 0 };
        const reply = outcome.status === 200 ? readCompletion(outcome.body, most) : undefined;
        if (reply !== undefined) {
          used = reply.usage;
          return { reply };
        }
      } finally {
        settle(used);
      }
      if (outcome.status === 400 || outcome.status === 422) return { refused: this.#error(outcome) };
      const wait = waitBefore(outcome, backoff, failures);
      if (wait === undefined || failures >= retries) throw this.#error(outcome, failures + 1);
      if (outcome.status === 429) this.#gate.close(wait);
      await pause(wait, signal);
    }
  }

  #post(body: string, signal: AbortSignal | undefined): Promise<Outcome> {
    const key = this.#key;
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    return post(this.#url, body, { headers, timeout: this.#config.timeout, signal });
  }

  get #url(): string {
    return `${this.endpoint.baseUrl}/chat/completions`;
  }

  get #key(): string | undefined {
    return this.#env[this.#config.keyVariable] || undefined;
  }

  #error(outcome: Outcome, tries = 1): SrcodeError {
    const said =
      outcome.status === null
        ? outcome.reason
        : outcome.status === 200
          ? `an answer that is no chat completion: ${outcome.body.slice(0, 200)}`
          : `${outcome.status} ${outcome.body.slice(0, 300)}`.trim();
    const key = this.#key;
    const safe = key === undefined ? said : said.replaceAll(key, '***');
    const { keyVariable } = this.#config;
    const remedy =
      outcome.status === 401 || outcome.status === 403
        ? `Put a key that it accepts into the environment variable ${keyVariable}${key === undefined ? ', which is not set' : ''}.`
        : outcome.status === 404
          ? `Check the address and the name of the model, ${this.endpoint.model}.`
          : 'What was answered before is kept: a run goes on from there with --resume.';
    const times = tries > 1 ? ` (${tries} times)` : '';
    return new SrcodeError('ERR_LLM', `Asked ${this.#url}, received ${safe}${times}. ${remedy}`);
  }
}

/** The schema as servers enforce it: every property is required, and none has a default. */
function strictSchema(schema: z.ZodType): object {
  const { $schema: _, ...jsonSchema } = z.toJSONSchema(schema, {
    override: ({ jsonSchema }) => {
      delete jsonSchema.default;
    },
  });
  return jsonSchema;
}

interface ChatRequest {
  messages: readonly Message[];
  maxTokens: number;
  schema: { name: string; schema: object };
}

function readAnswer<T>(text: string, schema: z.ZodType<T>): { value: T } | { problem: string } {
  const found = jsonObject(text);
  if ('problem' in found) return found;
  const read = schema.safeParse(found.value);
  if (read.success) return { value: read.data };
  const [issue] = read.error.issues;
  return { problem: `${issue?.path.join('.') || 'the object'}: ${issue?.message}` };
}

function correction(text: string, problem: string): Message[] {
  return [
    { role: 'assistant', content: text.slice(0, 4000) },
    {
      role: 'user',
      content: `That answer has not the right form: ${problem}. Answer again, with the one JSON object alone.`,
    },
  ];
}

/** A token is at least a byte; a chat template adds a few for each message. */
function mostUsage(messages: readonly Message[], maxTokens: number): Usage {
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content) + 16, 0);
  return { prompt: bytes, completion: maxTokens };
}

/** undefined where a body is no chat completion: it was cut off, or comes from something else. */
function readCompletion(body: string, most: Usage): Reply | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined;
  }
  const read = completion.safeParse(json);
  const [choice] = read.data?.choices ?? [];
  if (choice === undefined) return undefined;
  const usage = read.data?.usage;
  return {
    text: choice.message.content ?? '',
    cut: choice.finish_reason === 'length',
    usage: usage ? { prompt: usage.prompt_tokens, completion: usage.completion_tokens } : most,
  };
}

/** Seconds until the next try, or undefined where another one is of no use. */
function waitBefore(outcome: Outcome, backoff: number, failures: number): number | undefined {
  const { status } = outcome;
  if (status !== null && status !== 200 && status !== 408 && status !== 409 && status !== 429 && status < 500)
    return undefined;
  // Full jitter keeps many clients from coming back at one moment; at least half, so that waits do grow.
  const grown = Math.min(longestBackoff, backoff * 2 ** failures) * (0.5 + Math.random() / 2);
  const asked = status === null ? undefined : outcome.retryAfter;
  if (asked !== undefined && asked > longestWait) return undefined;
  return Math.max(grown, asked ?? 0);
}

function checkedUrl(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && url.username + url.password + url.search === '';
  if (!plain) {
    throw new SrcodeError(
      'ERR_CONFIG',
      `Expected the address of an OpenAI-compatible endpoint such as http://localhost:8000/v1, without user, password or query; ` +
        `received ${url === undefined ? JSON.stringify(baseUrl) : `${url.protocol}//${url.host}${url.pathname}`}`,
    );
  }
  return baseUrl.replace(/\/+$/, '');
}
