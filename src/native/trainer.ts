import { join } from 'node:path';
import { io, makeFolder } from '../files.js';
import { callNative, type NativeTrainer } from './addon.js';

/** AdamW (Loshchilov and Hutter 2019) behind a clip of the global gradient norm. Norms and biases are not decayed. */
export interface OptimizerOptions {
  /** Default 1e-4; a step may override it. */
  lr?: number;
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  eps?: number;
  /** Default 0.01. */
  weightDecay?: number;
  /** Largest global gradient norm; 0 is off. Default 1. */
  clipNorm?: number;
}

export interface StepOptions {
  lr?: number;
  signal?: AbortSignal;
}

export interface LmBatch {
  sequences: readonly Int32Array[];
  /** lossWeights[s][i] weighs the prediction of token i ≥ 1 of sequence s; 0 = not supervised. */
  lossWeights: readonly Float32Array[];
}

export interface PairBatch {
  chosen: readonly Int32Array[];
  rejected: readonly Int32Array[];
}

export interface StepResult {
  /** Over the whole batch, before the update. */
  loss: number;
  /** Global gradient norm before clipping. */
  gradNorm: number;
  /** Supervised tokens; for pairs all tokens. */
  tokens: number;
  /** The gradient was not finite, and nothing was updated. */
  skipped: boolean;
}

/** One call is one optimiser step. An aborted step changes nothing. */
export class Trainer implements Disposable {
  readonly #native: Promise<NativeTrainer>;
  readonly #lr: number;

  constructor(native: Promise<NativeTrainer>, lr: number) {
    this.#native = native;
    // A failure is reported by the first call, not as an unhandled rejection.
    native.catch(() => {});
    this.#lr = lr;
  }

  /** loss = Σ w (-log p) / Σ w over the batch; zero supervised tokens is an error. */
  async step(batch: LmBatch, options: StepOptions = {}): Promise<StepResult> {
    const native = await this.#native;
    const { loss, gradNorm, tokens, skipped } = await callNative(
      (cancel) => native.step(batch.sequences, batch.lossWeights, options.lr ?? this.#lr, cancel),
      options.signal,
    );
    return { loss, gradNorm, tokens, skipped };
  }

  /** Bradley–Terry: loss = mean of -log σ(score(chosen) - score(rejected)), scores by the adapter's reward head. */
  async rewardStep(batch: PairBatch, options: StepOptions = {}): Promise<StepResult & { accuracy: number }> {
    const native = await this.#native;
    return callNative(
      (cancel) => native.rewardStep(batch.chosen, batch.rejected, options.lr ?? this.#lr, cancel),
      options.signal,
    );
  }

  /** The gradient of every trainable tensor under its HF or PEFT name, row-major; nothing is updated. */
  async gradients(
    batch: LmBatch | PairBatch,
    options: { signal?: AbortSignal } = {},
  ): Promise<Record<string, Float32Array>> {
    const native = await this.#native;
    return callNative(
      (cancel) =>
        'chosen' in batch
          ? native.rewardGradients(batch.chosen, batch.rejected, cancel)
          : native.gradients(batch.sequences, batch.lossWeights, cancel),
      options.signal,
    );
  }

  /** Writes optimizer.safetensors: moments and step count, and for full-parameter training the f32 masters. */
  async save(dir: string): Promise<void> {
    const native = await this.#native;
    io('create', dir, () => makeFolder(dir));
    await callNative(() => native.save(join(dir, 'optimizer.safetensors')));
  }

  async load(dir: string): Promise<void> {
    const native = await this.#native;
    await callNative(() => native.load(join(dir, 'optimizer.safetensors')));
  }

  dispose(): void {
    this.#native.then(
      (native) => native.dispose(),
      () => {},
    );
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
