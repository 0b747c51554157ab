import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Model } from '../../src/native/model.js';
import { loadTask } from '../../src/tasks/load.js';
import type { Task } from '../../src/tasks/task.js';
import { Tokenizer } from '../../src/tokenizer/index.js';
import { sft } from '../../src/training/sft.js';

/** What was asked of a task's oracles. */
export interface Calls {
  teacher: number;
  judge: number;
}

/** The example of docs/tasks.md, as a module in `folder`. */
export function exampleTask(folder: string): string {
  const docs = readFileSync(new URL('../../docs/tasks.md', import.meta.url), 'utf8');
  const file = join(folder, 'copy-task.mjs');
  writeFileSync(file, /```js\n([\s\S]*?)```/.exec(docs)?.[1] ?? '');
  return file;
}

const example = await loadTask(exampleTask(mkdtempSync(join(tmpdir(), 'srcode-task-'))));

/** The example of docs/tasks.md: `snprintf` is safe, `strcpy` is not. `calls` counts what is asked of its teacher and judge. */
export function copyTask(calls: Calls = { teacher: 0, judge: 0 }): Task {
  return {
    ...example,
    teacher: {
      ...example.teacher,
      judge: (...about) => {
        calls.teacher++;
        return example.teacher.judge(...about);
      },
    },
    judge: async (samples, options) => {
      calls.judge += samples.length;
      return (await example.judge?.(samples, options)) ?? [];
    },
  };
}

/**
 * A folder with a model of 30 thousand parameters that answers the prompts of {@link copyTask} rightly, and safely half of the time.
 */
export async function copyModel(folder: string): Promise<string> {
  const prompts = Array.from({ length: 64 }, (_, i) => example.prompt('train', 9, i));
  const rows = prompts.flatMap((prompt) =>
    statements.map((response) => ({ prompt: `<|im_start|>${prompt.text}<|im_end|>`, response })),
  );
  const tokenizer = Tokenizer.train(
    rows.map(({ prompt, response }) => prompt + response),
    { vocabSize: 280 },
  );
  const blank = join(folder, 'blank');
  await tokenizer.save(blank);
  const shape = {
    hiddenSize: 48,
    intermediateSize: 96,
    layers: 2,
    heads: 3,
    kvHeads: 3,
    headDim: 16,
    contextLength: 128,
  };
  const kind = { tiedEmbeddings: true, qkvBias: true, modelType: 'qwen2' as const, ropeScaling: null };
  const rest = { ropeTheta: 10_000, rmsNormEps: 1e-6, eosTokenIds: [tokenizer.eosId ?? 0] };
  using model = await Model.create({ vocabSize: tokenizer.vocabSize, ...shape, ...kind, ...rest }, { threads: 1 });
  await model.save(blank);
  const data = join(folder, 'copies.jsonl');
  writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const options = { mode: 'full', lr: 1e-2, steps: 120, batchSize: 16, heldOut: 0, samples: { count: 0 } } as const;
  const { checkpoint } = await sft({ model: blank, data: [data], run: join(folder, 'sft'), threads: 1, ...options });
  return checkpoint;
}

const statements = ['snprintf(d, n, "%s", s);', 'strcpy(d, s);'];
