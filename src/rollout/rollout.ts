import type { Model } from '../native/model.js';
import { answerBytes } from '../reward/index.js';
import type { Sample, TaskPrompt } from '../tasks/task.js';
import { applyTemplate } from '../tasks/template.js';
import type { Tokenizer } from '../tokenizer/index.js';
import { replaceInvalid } from '../utf8.js';

/** A sampled answer of L tokens. */
export interface Rollout<P extends TaskPrompt = TaskPrompt> extends Sample<P> {
  promptIds: Int32Array;
  /** [L] the sampled ids, EOS included. */
  ids: Int32Array;
  /** [L] their log-probs under the policy that sampled them: the untempered softmax. */
  logProbs: Float32Array;
  /** The bytes of the ids, byte for byte, except that what is not UTF-8 is `?`. */
  answer: Uint8Array;
  /** [L + 1] token t covers bytes [offsets[t], offsets[t + 1]) of the answer. */
  offsets: Int32Array;
  /** It ended by itself. */
  finished: boolean;
}

export interface Policy {
  model: Model;
  tokenizer: Tokenizer;
  /** Name of the adapter that answers; undefined is the base model. */
  adapter: string | undefined;
  template: string;
}

export interface RolloutOptions {
  /** Numbers that name the prompts for the random numbers: never the same one twice under one seed. */
  indices: readonly number[];
  seed: number;
  /** Answers to each prompt. */
  samples: number;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  signal?: AbortSignal | undefined;
}

/** Samples answers, prompt-major: a function of the weights, the prompts, their indices and the seed. */
export async function rollOut<P extends TaskPrompt>(
  { model, tokenizer, adapter, template }: Policy,
  prompts: readonly P[],
  { indices, samples, seed, maxNewTokens, temperature, topP, signal }: RolloutOptions,
): Promise<Rollout<P>[]> {
  const encoded = prompts.map(({ text }) => tokenizer.encode(applyTemplate(template, text)));
  const answers = await model.generate(encoded, {
    ...{ n: samples, ids: indices, seed, maxNewTokens, temperature, topP },
    ...(adapter === undefined ? {} : { adapter }),
    ...(signal === undefined ? {} : { signal }),
  });
  return answers.map(({ tokens: ids, logProbs, finish }, i) => {
    const at = Math.floor(i / samples);
    const { bytes, offsets } = answerBytes(tokenizer, ids);
    return {
      prompt: prompts[at] as P,
      promptIds: encoded[at] as Int32Array,
      ...{ ids, logProbs, offsets, answer: replaceInvalid(bytes), finished: finish === 'stop' },
    };
  });
}

/** Prompt and answer in one. */
export function sequenceOf({ promptIds, ids }: Rollout): Int32Array {
  const sequence = new Int32Array(promptIds.length + ids.length);
  sequence.set(promptIds);
  sequence.set(ids, promptIds.length);
  return sequence;
}
