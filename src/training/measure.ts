import type { SamplesConfig } from '../config/common.js';
import { chunks, type Example } from '../dataset/index.js';
import type { Model } from '../native/model.js';
import type { Metrics, Run } from '../run/run.js';
import type { Tokenizer } from '../tokenizer/index.js';

/** An example and what it teaches; measurements are split by `task`. */
export interface Held extends Example {
  task: string;
}

interface With {
  /** The adapter that answers; undefined is the base model. */
  adapter: string | undefined;
}

/** Mean loss per supervised token: `heldout/loss`, and `heldout/loss/<task>` where there are several tasks. */
export async function heldOutLoss(
  model: Model,
  examples: readonly Held[],
  tokens: number,
  { adapter }: With,
): Promise<Metrics> {
  const sums = new Map<string, { loss: number; weight: number }>();
  for (const chunk of chunks(examples, tokens, (example) => example.tokens.length)) {
    const logProbs = await model.logProbs(
      chunk.map((example) => example.tokens),
      adapter === undefined ? {} : { adapter },
    );
    for (const [i, { lossWeights, task }] of chunk.entries()) {
      const sum = sums.get(task) ?? { loss: 0, weight: 0 };
      sums.set(task, sum);
      // Entry t of the log-probs is token t + 1's.
      logProbs[i]?.forEach((logProb, t) => {
        const weight = lossWeights[t + 1] ?? 0;
        sum.loss -= weight * logProb;
        sum.weight += weight;
      });
    }
  }
  if (sums.size === 0) return {};
  const tasks = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  const total = tasks.reduce((all, [, { loss, weight }]) => ({ loss: all.loss + loss, weight: all.weight + weight }), {
    loss: 0,
    weight: 0,
  });
  const byTask =
    tasks.length === 1 ? [] : tasks.map(([task, { loss, weight }]) => [`heldout/loss/${task}`, loss / weight]);
  return { 'heldout/loss': total.loss / total.weight, ...Object.fromEntries(byTask) };
}

/** Lets the model answer the first `count` held-back prompts that leave room for it, greedily, into samples.jsonl. */
export async function writeSamples(
  run: Run,
  step: number,
  { model, tokenizer }: { model: Model; tokenizer: Tokenizer },
  examples: readonly Held[],
  { adapter, count, maxNewTokens }: With & SamplesConfig,
): Promise<void> {
  const prompts = examples
    .map(({ tokens, lossWeights, task }) => {
      const answerAt = lossWeights.findIndex((weight) => weight > 0);
      return { task, prompt: tokens.subarray(0, answerAt), expected: tokens.subarray(answerAt) };
    })
    .filter(({ prompt }) => prompt.length > 0 && prompt.length + maxNewTokens <= model.config.contextLength);
  const chosen = onTurns(prompts).slice(0, count);
  if (chosen.length === 0) return;
  const answers = await model.generate(
    chosen.map(({ prompt }) => prompt),
    { maxNewTokens, temperature: 0, ...(adapter === undefined ? {} : { adapter }) },
  );
  const text = (ids: Int32Array): string => tokenizer.decode(ids, { skipSpecialTokens: true });
  for (const [i, { task, prompt, expected }] of chosen.entries()) {
    const { tokens = new Int32Array(), finish = 'length' } = answers[i] ?? {};
    run.sample({ step, task, prompt: text(prompt), answer: text(tokens), finish, expected: text(expected) });
  }
}

// The tasks take turns: the first row of each, then the second of each.
function onTurns<T extends { task: string }>(rows: readonly T[]): T[] {
  const seen = new Map<string, number>();
  const turn = rows.map(({ task }) => {
    const before = seen.get(task) ?? 0;
    seen.set(task, before + 1);
    return before;
  });
  return rows
    .map((row, i) => ({ row, turn: turn[i] ?? 0 }))
    .sort((a, b) => a.turn - b.turn)
    .map(({ row }) => row);
}
