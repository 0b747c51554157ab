import { Model } from '../native/model.js';
import { stepFlops } from './cost.js';
import { checkCounts, integers, measureMachine, median, peakRssMiB } from './machine.js';
import { type BenchSize, benchModels } from './sizes.js';

export interface BenchSftOptions {
  /** Default small. */
  size?: BenchSize;
  /** Sequences a step; default 16 for small, 2 for 0.5b. */
  batch?: number;
  /** Tokens a sequence; default 256 for small, 512 for 0.5b. */
  length?: number;
  /** Of the LoRA matrices on all linear layers; default 8. */
  rank?: number;
  /** Timed steps after one that is not; default 5. */
  steps?: number;
  threads?: number;
  signal?: AbortSignal;
}

export interface BenchSftResult {
  bench: 'sft';
  size: BenchSize;
  batch: number;
  length: number;
  rank: number;
  secondsPerStep: number;
  tokensPerSecond: number;
  /** Needed operations a second over what the machine can do. */
  flopsShare: number;
  machineFlops: number;
  loss: number;
  peakRssMiB: number;
  isa: string;
  dtype: 'bf16' | 'f32';
  threads: number;
}

const targets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

/**
 * A LoRA step of supervised fine-tuning over a random frozen base: forward, backward, clip, AdamW. The first quarter of every sequence is
 * the prompt and not supervised.
 */
export async function benchSft(options: BenchSftOptions = {}): Promise<BenchSftResult> {
  const { size = 'small', rank = 8, steps = 5, signal } = options;
  const { batch = size === 'small' ? 16 : 2, length = size === 'small' ? 256 : 512 } = options;
  checkCounts({ batch, length, steps });
  const config = benchModels[size];
  using model = await Model.create(config, { seed: 0, ...threadsOf(options) });
  await model.adapters.create('bench', { rank, alpha: 2 * rank, targets, seed: 0 });
  using trainer = model.trainer({ adapter: 'bench', optimizer: { lr: 1e-4, clipNorm: 1 } });

  const prompt = length >> 2;
  const lossWeights = Array.from({ length: batch }, () => new Float32Array(length).fill(1, prompt));
  const times: number[] = [];
  let loss = Number.NaN;
  for (let step = 0; step <= steps; step++) {
    const sequences = lossWeights.map((_, row) => integers(length, config.vocabSize, step * batch + row));
    const start = performance.now();
    ({ loss } = await trainer.step({ sequences, lossWeights }, signal ? { signal } : {}));
    if (step > 0) times.push((performance.now() - start) / 1000);
  }
  const secondsPerStep = median(times);
  const peak = peakRssMiB(); // before the machine's own measurement allocates
  const { flops } = await measureMachine(model);
  return {
    bench: 'sft',
    size,
    batch,
    length,
    rank,
    secondsPerStep,
    tokensPerSecond: (batch * length) / secondsPerStep,
    flopsShare: stepFlops(config, { batch, length, supervised: length - prompt, rank }) / secondsPerStep / flops,
    machineFlops: flops,
    loss,
    peakRssMiB: peak,
    isa: model.isa,
    dtype: model.dtype,
    threads: model.threads,
  };
}

export function threadsOf({ threads }: { threads?: number }): { threads?: number } {
  return threads === undefined ? {} : { threads };
}
