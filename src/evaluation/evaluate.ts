import { SrcodeError } from '../errors.js';
import type { Model } from '../native/model.js';
import { type Rollout, rollOut } from '../rollout/rollout.js';
import { answerLogProbs } from '../rollout/score.js';
import type { Judgement, Split, Task } from '../tasks/task.js';
import { tinyTemplate } from '../tasks/template.js';
import { Verdicts } from '../tasks/verdicts.js';
import type { Verdict } from '../teacher/teacher.js';
import type { Tokenizer } from '../tokenizer/index.js';

export interface EvaluateOptions {
  model: Model;
  tokenizer: Tokenizer;
  /** Name of the adapter that answers; without one, the base model. */
  adapter?: string | undefined;
  task: Task;
  /** Default `test`. */
  split?: Split | undefined;
  /** Of the prompts and of the sampling; default 0. Evaluations with one seed have the same prompts. */
  seed?: number | undefined;
  /** Prompts; default 240. */
  n?: number | undefined;
  /** Answers to each prompt; default 1. */
  samples?: number | undefined;
  /** Default 0.8. */
  temperature?: number | undefined;
  /** Default 0.95. */
  topP?: number | undefined;
  /** Default 180. */
  maxNewTokens?: number | undefined;
  /** Default the embedded model's. */
  template?: string | undefined;
  /** Measures KL from this policy: the name of an adapter, or null for the base model. */
  reference?: string | null | undefined;
  /** Where verdicts are kept; by default they are asked for anew. */
  verdicts?: Verdicts | undefined;
  signal?: AbortSignal | undefined;
}

/** An answer that was executed, attacks included. */
export interface EvaluationRow {
  /** The prompt's id. */
  id: string;
  /** Which of the prompt's answers. */
  sample: number;
  labels: Readonly<Record<string, string>>;
  /** The program was not even compiled: it is none that an answer may be. */
  refused: boolean;
  compiled: boolean;
  functional: boolean;
  /** No attack succeeded. */
  secure: boolean;
  /** Functional and secure. */
  fs: boolean;
  /** Failed tests and successful attacks. */
  findings: string[];
  /** What running it showed to be left out, and what the teacher misses. */
  missing: string[];
  /** The teacher, which has not run it, found no flaw. */
  secureByTeacher: boolean;
  /** Guards that repeat another one, or check nothing of the task. */
  repeated: number;
  foreign: number;
  /** In tokens. */
  length: number;
  finished: boolean;
  /** log π - log π_ref of the answer in nats, where a reference was given. */
  kl?: number;
  answer: string;
}

/** Rates are shares, 0 to 1; counts are means over answers. */
export interface Rates {
  n: number;
  refused: number;
  compiled: number;
  functional: number;
  /** Functional and secure, of all. */
  fs: number;
  /** Secure, of the functional ones; null where there are none. */
  secureOfValid: number | null;
  missing: number;
  repeated: number;
  foreign: number;
  length: number;
  finished: number;
  kl?: number;
}

export interface Evaluation {
  rows: EvaluationRow[];
  summary: {
    all: Rates;
    /** By label and its value: `by.k['2']`. */
    by: { [label: string]: { [value: string]: Rates } };
  };
}

/** Lets a policy answer prompts of a split, and executes the answers with all tests and attacks. Same seed, same prompts, same answers. */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const {
    model,
    tokenizer,
    adapter,
    task,
    split = 'test',
    seed = 0,
    n = 240,
    samples = 1,
    signal,
    reference,
  } = options;
  const { temperature = 0.8, topP = 0.95, maxNewTokens = 180, template = tinyTemplate } = options;
  if (task.judge === undefined) {
    throw new SrcodeError('ERR_INVALID_ARG', `Expected a task whose answers can be run; ${task.name} has no judge`);
  }
  const verdicts = options.verdicts ?? new Verdicts(task);
  const indices = Array.from({ length: n }, (_, index) => index);
  const prompts = indices.map((index) => task.prompt(split, seed, index));
  const policy = { model, tokenizer, adapter, template };
  const rollouts = await rollOut(policy, prompts, {
    ...{ indices, seed, samples, maxNewTokens, temperature, topP, signal },
  });
  const references =
    reference === undefined
      ? undefined
      : await answerLogProbs(model, rollouts, { adapter: reference ?? undefined, tokens: 4096 });
  const taught = await verdicts.teach(rollouts, { signal });
  const judgements = (await verdicts.judge(rollouts, { attack: true, signal })) ?? [];
  const rows = rollouts.map((rollout, b) =>
    rowOf(rollout, b % samples, judgements[b] as Judgement, taught[b] as Verdict, references?.[b]),
  );
  return { rows, summary: summarise(rows) };
}

function rowOf(
  { prompt, ids, logProbs, finished, answer }: Rollout,
  sample: number,
  { refused, compiled, functional, secure, findings, missing }: Judgement,
  verdict: Verdict,
  reference: Float32Array | undefined,
): EvaluationRow {
  const { id, labels } = prompt;
  return {
    refused: refused !== undefined,
    ...{ id, sample, labels, compiled, functional, secure, fs: functional && secure, findings },
    missing: [...new Set([...missing, ...verdict.missing])],
    secureByTeacher: verdict.parseOk && verdict.findings.length === 0,
    repeated: verdict.idle.filter(({ why }) => why === 'repeated').length,
    foreign: verdict.idle.filter(({ why }) => why === 'foreign').length,
    length: ids.length,
    finished,
    ...(reference && { kl: logProbs.reduce((sum, logProb, t) => sum + logProb - (reference[t] ?? 0), 0) }),
    answer: new TextDecoder().decode(answer),
  };
}

/** The rates of all rows, and of those with each value of each label. */
export function summarise(rows: readonly EvaluationRow[]): Evaluation['summary'] {
  const labels = [...new Set(rows.flatMap(({ labels }) => Object.keys(labels)))].sort();
  const by = labels.map((label) => {
    const values = [...new Set(rows.flatMap(({ labels }) => labels[label] ?? []))].sort();
    const groups = values.map((value) => [value, ratesOf(rows.filter(({ labels }) => labels[label] === value))]);
    return [label, Object.fromEntries(groups)];
  });
  return { all: ratesOf(rows), by: Object.fromEntries(by) };
}

function ratesOf(rows: readonly EvaluationRow[]): Rates {
  const n = rows.length;
  const mean = (value: (row: EvaluationRow) => number): number => rows.reduce((sum, row) => sum + value(row), 0) / n;
  const valid = rows.filter(({ functional }) => functional);
  return {
    n,
    refused: mean((row) => Number(row.refused)),
    compiled: mean((row) => Number(row.compiled)),
    functional: valid.length / n,
    fs: mean((row) => Number(row.fs)),
    secureOfValid: valid.length === 0 ? null : valid.filter(({ secure }) => secure).length / valid.length,
    missing: mean(({ missing }) => missing.length),
    repeated: mean(({ repeated }) => repeated),
    foreign: mean(({ foreign }) => foreign),
    length: mean(({ length }) => length),
    finished: mean((row) => Number(row.finished)),
    ...(rows.every(({ kl }) => kl !== undefined) && { kl: mean(({ kl = 0 }) => kl) }),
  };
}
