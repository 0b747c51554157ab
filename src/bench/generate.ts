import { Model } from '../native/model.js';
import { stepBytes } from './cost.js';
import { checkCounts, integers, measureMachine, median, peakRssMiB } from './machine.js';
import { threadsOf } from './sft.js';
import { type BenchSize, benchModels } from './sizes.js';

export interface BenchGenerateOptions {
  /** Default small. */
  size?: BenchSize;
  /** Sequences at a time; default 16. */
  batch?: number;
  /** Tokens of a prompt; default 128. */
  prompt?: number;
  /** New tokens a sequence; default 64. */
  tokens?: number;
  /** Timed generations, each beside one that only does the prefill; default 3. */
  repeats?: number;
  threads?: number;
  signal?: AbortSignal;
}

export interface BenchGenerateResult {
  bench: 'generate';
  size: BenchSize;
  batch: number;
  prompt: number;
  tokens: number;
  /** A decode step of all sequences, prefill left out. */
  secondsPerStep: number;
  tokensPerSecond: number;
  prefillTokensPerSecond: number;
  /** Bytes of weights and of cached keys and values a second over what the machine reads. */
  bandwidthShare: number;
  machineBytesPerSecond: number;
  peakRssMiB: number;
  isa: string;
  dtype: 'bf16' | 'f32';
  threads: number;
}

/** Sampling at temperature 1 from a random model, log-probs included, as a rollout does. */
export async function benchGenerate(options: BenchGenerateOptions = {}): Promise<BenchGenerateResult> {
  const { size = 'small', batch = 16, prompt = 128, tokens = 64, repeats = 3, signal } = options;
  checkCounts({ batch, prompt, repeats });
  checkCounts({ tokens }, 2); // the first one is the prefill's
  const config = benchModels[size];
  using model = await Model.create(config, { seed: 0, ...threadsOf(options) });

  const seconds = async (maxNewTokens: number, seed: number): Promise<number> => {
    const prompts = Array.from({ length: batch }, (_, row) => integers(prompt, config.vocabSize, seed * batch + row));
    const start = performance.now();
    await model.generate(prompts, { maxNewTokens, temperature: 1, seed, ...(signal ? { signal } : {}) });
    return (performance.now() - start) / 1000;
  };
  await seconds(2, 0);
  const prefills: number[] = [];
  const steps: number[] = [];
  for (let i = 1; steps.length < repeats; i++) {
    const prefill = await seconds(1, i);
    const step = ((await seconds(tokens, i)) - prefill) / (tokens - 1);
    // A prefill that other work of the machine held up, longer than all tokens took, says nothing of a step.
    if (step <= 0) continue;
    prefills.push(prefill);
    steps.push(step);
  }
  const secondsPerStep = median(steps);
  const peak = peakRssMiB();
  const { readBytesPerSecond } = await measureMachine(model);
  const bytes = stepBytes(config, { batch, length: prompt + tokens / 2, elementBytes: model.dtype === 'bf16' ? 2 : 4 });
  return {
    bench: 'generate',
    size,
    batch,
    prompt,
    tokens,
    secondsPerStep,
    tokensPerSecond: batch / secondsPerStep,
    prefillTokensPerSecond: (batch * prompt) / median(prefills),
    bandwidthShare: bytes / secondsPerStep / readBytesPerSecond,
    machineBytesPerSecond: readBytesPerSecond,
    peakRssMiB: peak,
    isa: model.isa,
    dtype: model.dtype,
    threads: model.threads,
  };
}
