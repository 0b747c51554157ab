import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Model } from '../../src/native/model.js';
import type { Judgement, Sample, Task, TaskPrompt } from '../../src/tasks/task.js';
import type { Span } from '../../src/teacher/teacher.js';
import { Tokenizer } from '../../src/tokenizer/index.js';
import { sft } from '../../src/training/sft.js';

/** What was asked of a task's oracles. */
export interface Calls {
  teacher: number;
  judge: number;
}

/**
 * Copy one buffer to another, in a statement: `snprintf` is safe, `strcpy` is not. A model of {@link copyModel} writes either, and learns
 * the better one in a few iterations.
 */
export function copyTask(calls: Calls = { teacher: 0, judge: 0 }): Task {
  return {
    name: 'copy',
    version: '1',
    language: 'c',
    prompt: (split, seed, index) => promptOf(`${split}-${seed}-${index}`),
    promptOf,
    program: ({ answer }) => ({ code: answer, answerStart: 0 }),
    teacher: {
      id: 'copy-1',
      async judge(code) {
        calls.teacher++;
        return {
          spans: find(code, 'snprintf').map((span) => ({ span, kind: 'bounds', obligation: 'copy' })),
          findings: find(code, 'strcpy').map((span) => ({
            ...{ cwe: 'CWE-120' as const, severity: 'high' as const, span, rule: 'strcpy', message: 'no bound' },
          })),
          idle: [],
          missing: [],
          parseOk: true,
        };
      },
    },
    async judge(samples: readonly Sample[], { attack }): Promise<Judgement[]> {
      calls.judge += samples.length;
      return samples.map(({ answer }) => {
        const functional = statements.includes(new TextDecoder().decode(answer));
        const secure = attack && functional && find(answer, 'strcpy').length === 0;
        return { compiled: functional, functional, secure, findings: [], missing: [] };
      });
    },
  };
}

/**
 * A folder with a model of 30 thousand parameters that answers the prompts of {@link copyTask} rightly, and safely half of the time.
 */
export async function copyModel(folder: string): Promise<string> {
  const prompts = Array.from({ length: 64 }, (_, i) => promptOf(`train-9-${i}`));
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

function promptOf(id: string): TaskPrompt {
  const index = Number(id.split('-')[2]);
  const parity = index % 2 === 0 ? 'even' : 'odd';
  return { id, text: `copy s to d, for the ${parity} case ${index % 10}`, labels: { parity } };
}

const statements = ['snprintf(d, n, "%s", s);', 'strcpy(d, s);'];

function find(code: Uint8Array, text: string): Span[] {
  const start = Buffer.from(code).indexOf(text);
  return start < 0 ? [] : [{ start, end: start + text.length }];
}
