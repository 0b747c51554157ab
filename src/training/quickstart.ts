import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../config/schema.js';
import type { SftConfig } from '../config/sft.js';
import { io, makeFolder } from '../files.js';
import { Model } from '../native/model.js';
import type { RunResult } from '../run/run.js';
import { type StarterRow, starterRows, withoutNames } from '../tasks/starter/rows.js';
import { Tokenizer } from '../tokenizer/index.js';
import type { Hooks } from './hooks.js';
import { sft } from './sft.js';

export interface QuickstartResult extends RunResult {
  /** Held-back prompts by task, and how many answers before and after training are as expected; `idioms`: names aside. */
  tasks: { task: string; prompts: number; before: Right; after: Right }[];
  /** One prompt of each task with its answers. */
  samples: { task: string; prompt: string; before: string; after: string }[];
}

interface Right {
  /** The expected answer, character by character. */
  exact: number;
  /** The expected answer but for the names of functions and variables. */
  idioms: number;
}

const heldBack = 120;
const recipe: Options<SftConfig> = {
  model: 'tiny',
  mode: 'full',
  lr: 3e-3,
  epochs: 8,
  batchSize: 12,
  checkpointEvery: 100,
  keepCheckpoints: 1,
  heldOut: 0.05,
  samples: { count: 0 },
};

/**
 * Fine-tunes the embedded model, random weights and all, on rows about ten small C functions, and asks it held-back prompts before and
 * after. It shows that the engine learns; the model knows nothing beyond these functions. A finished or broken-off run is gone on with.
 */
export async function quickstart(
  { run = 'runs/quickstart', ...options }: Options<SftConfig> = {},
  hooks: Hooks = {},
): Promise<QuickstartResult> {
  const rows = starterRows(Number.MAX_SAFE_INTEGER, 0);
  const asked = rows.slice(0, heldBack);
  const data = join(run, 'rows.jsonl');
  io('create', run, () => makeFolder(run));
  io('write', data, () => writeFileSync(data, rows.slice(heldBack).map(toLine).join('')));

  const result = await sft({ ...recipe, ...options, run, data: [data] }, { resume: true, ...hooks });
  const before = await answers('tiny', asked, options, hooks);
  const after = await answers(result.checkpoint, asked, options, hooks);
  const names = [...new Set(asked.map(({ task }) => task))].sort();
  const tasks = names.map((task) => {
    const at = asked.flatMap((row, i) => (row.task === task ? [i] : []));
    const count = (given: readonly string[], form: (text: string) => string): number =>
      at.filter((i) => form(given[i] ?? '').trim() === form(asked[i]?.response ?? '').trim()).length;
    const right = (given: readonly string[]): Right => ({
      exact: count(given, (text) => text),
      idioms: count(given, withoutNames),
    });
    return { task, prompts: at.length, before: right(before), after: right(after) };
  });
  const samples = names.map((task) => {
    const i = asked.findIndex((row) => row.task === task);
    return { task, prompt: asked[i]?.prompt ?? '', before: before[i] ?? '', after: after[i] ?? '' };
  });
  return { ...result, tasks, samples };
}

function toLine({ prompt, response }: StarterRow): string {
  return `${JSON.stringify({ prompt, response })}\n`;
}

async function answers(
  dir: string,
  rows: readonly StarterRow[],
  { threads = 0 }: Options<SftConfig>,
  { signal }: Hooks,
): Promise<string[]> {
  const tokenizer = await Tokenizer.load(dir);
  using model = await Model.load(dir, threads > 0 ? { threads } : {});
  const prompts = rows.map(({ prompt }) => tokenizer.encode(prompt));
  const given = await model.generate(prompts, {
    maxNewTokens: 96,
    temperature: 0,
    ...(signal === undefined ? {} : { signal }),
  });
  return given.map(({ tokens }) => tokenizer.decode(tokens, { skipSpecialTokens: true }));
}
