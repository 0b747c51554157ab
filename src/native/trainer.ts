import { join } from 'node:path';
import { SrcodeError } from '../errors.js';
import { io, makeFolder } from '../files.js';
import { callNative, type NativePpoBatch, type NativeTrainer, type NativeValueBatch } from './addon.js';
import { type Clip, checkClip } from './kernels.js';

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

/** Sampled responses and what was known of their R_s = sequences[s].length - responseStart[s] tokens when they were sampled. */
export interface PpoBatch {
  /** Prompt and response. */
  sequences: readonly Int32Array[];
  /** Index in its sequence of the first response token, ≥ 1; the response runs to the sequence's end. */
  responseStart: readonly number[];
  /** [R_s] log π_old. */
  oldLogProbs: readonly Float32Array[];
  /** [R_s] A. */
  advantages: readonly Float32Array[];
  /** [R_s] R; with `oldValues`, adds the value loss. V(s_t) is the adapter's value head at the token before response token t. */
  returns?: readonly Float32Array[] | undefined;
  /** [R_s] V_old, beside `returns`. */
  oldValues?: readonly Float32Array[] | undefined;
  /** [R_s] log π_ref, for the KL to a reference policy. */
  refLogProbs?: readonly Float32Array[] | undefined;
}

/** As a PpoBatch, for a critic. */
export interface ValueBatch {
  sequences: readonly Int32Array[];
  responseStart: readonly number[];
  returns: readonly Float32Array[];
  /** Without them the loss is not clipped. */
  oldValues?: readonly Float32Array[] | undefined;
}

/**
 * loss = policy loss + valueCoef · valueLoss - entropyCoef · entropy + klCoef · kl3, where all but the policy's loss are means over all
 * response tokens of the batch.
 */
export interface PpoObjective {
  /** Default `{ kind: 'ppo', epsilon: 0.2 }`. */
  clip?: Clip | undefined;
  /** The policy's loss over the response tokens of the batch. Default `mean`. */
  aggregation?: 'mean' | 'sum' | undefined;
  /** Default 0.1. */
  valueCoef?: number | undefined;
  /** How far V may move from V_old before its loss is held; 0 is off. Default 0.2. */
  valueClip?: number | undefined;
  /** Default 0. */
  entropyCoef?: number | undefined;
  /** Asks for the mean entropy even where it is not in the loss. Default false. */
  entropy?: boolean | undefined;
  /** Of k3 = e^-d - 1 + d, d = log π - log π_ref. Default 0. */
  klCoef?: number | undefined;
}

export interface PpoOptions extends StepOptions, PpoObjective {
  /** A batch whose mean ratio π / π_old is above this updates nothing; 0 is off. Default 10. */
  maxRatio?: number | undefined;
}

export interface ValueOptions extends StepOptions {
  /** As PPO's. Default 0.2. */
  valueClip?: number | undefined;
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

/** Of the batch before the update. */
export interface PpoResult extends StepResult {
  policyLoss: number;
  /** ½ mean max((V-R)², (clip(V, V_old ± valueClip)-R)²), before its coefficient; 0 without returns. */
  valueLoss: number;
  /** Mean entropy of the next token's distribution in nats, where asked for. */
  entropy?: number;
  /** Mean k3 to the reference, with `refLogProbs`. */
  kl3?: number;
  /** Share of tokens whose ratio was clipped; 0 for `sapo`, which has no edge. */
  clipFraction: number;
  /** Mean of r - 1 - ln r, r = π / π_old. */
  approxKl: number;
  /** Mean of r. */
  meanRatio: number;
  /** Why the step was skipped: the mean ratio was above `maxRatio` (`gradNorm` is then 0), or the gradient was not finite. */
  reason?: 'ratio' | 'gradient';
  /** [R_s] log π of the response tokens, bit for bit as `Model.logProbs` and `Model.generate` give them. */
  logProbs: Float32Array[];
  /** [R_s] V, with returns. */
  values?: Float32Array[];
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
    return callNative(
      (cancel) => native.step(batch.sequences, batch.lossWeights, options.lr ?? this.#lr, cancel),
      options.signal,
    );
  }

  /** Bradley–Terry: loss = mean of -log σ(score(chosen) - score(rejected)), scores by the adapter's reward head. */
  async rewardStep(batch: PairBatch, options: StepOptions = {}): Promise<StepResult & { accuracy: number }> {
    const native = await this.#native;
    return callNative(
      (cancel) => native.rewardStep(batch.chosen, batch.rejected, options.lr ?? this.#lr, cancel),
      options.signal,
    );
  }

  /**
   * PPO on a minibatch of sampled responses: the trained adapter (or base model) is the policy, and with `returns` its value head on the
   * same trunk is the critic.
   *
   * @throws SrcodeError `ERR_SHAPE`, `ERR_NON_FINITE`, `ERR_INVALID_ARG` naming the sequence; returns without a value head.
   */
  async ppoStep(batch: PpoBatch, options: PpoOptions = {}): Promise<PpoResult> {
    const native = await this.#native;
    const maxRatio = atLeast0('maxRatio', options.maxRatio ?? 10);
    const arg = nativePpo(batch, options, maxRatio);
    const { entropy, kl3, values, ...rest } = await callNative(
      (cancel) => native.ppoStep(arg, options.lr ?? this.#lr, cancel),
      options.signal,
    );
    const far = maxRatio > 0 && rest.meanRatio > maxRatio;
    return {
      ...rest,
      ...(arg.entropy && { entropy }),
      ...(arg.refLogProbs && { kl3 }),
      ...(arg.returns && { values }),
      ...(rest.skipped && { reason: far ? 'ratio' : 'gradient' }),
    };
  }

  /**
   * The value loss alone, for a critic with an adapter of its own: the mean over all response tokens of ½ (V - R)², clipped as in PPO
   * when the batch has `oldValues`. `values` are those before the update.
   */
  async valueStep(batch: ValueBatch, options: ValueOptions = {}): Promise<StepResult & { values: Float32Array[] }> {
    const native = await this.#native;
    const arg = nativeValue(batch, options);
    return callNative((cancel) => native.valueStep(arg, options.lr ?? this.#lr, cancel), options.signal);
  }

  /** The gradient of every trainable tensor under its HF or PEFT name, row-major; nothing is updated. */
  async gradients(
    batch: LmBatch | PairBatch | PpoBatch | ValueBatch,
    options: PpoObjective & { signal?: AbortSignal } = {},
  ): Promise<Record<string, Float32Array>> {
    const native = await this.#native;
    return callNative((cancel) => {
      if ('chosen' in batch) return native.rewardGradients(batch.chosen, batch.rejected, cancel);
      if ('lossWeights' in batch) return native.gradients(batch.sequences, batch.lossWeights, cancel);
      if ('advantages' in batch) return native.ppoGradients(nativePpo(batch, options, 0), cancel);
      return native.valueGradients(nativeValue(batch, options), cancel);
    }, options.signal);
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

function nativePpo(batch: PpoBatch, options: PpoObjective, maxRatio: number): NativePpoBatch {
  const clip = options.clip ?? { kind: 'ppo', epsilon: 0.2 };
  checkClip(clip);
  const aggregation = options.aggregation ?? 'mean';
  if (aggregation !== 'mean' && aggregation !== 'sum') {
    throw new SrcodeError('ERR_INVALID_ARG', `Expected aggregation 'mean' or 'sum', received '${aggregation}'`);
  }
  if ((batch.returns === undefined) !== (batch.oldValues === undefined)) {
    throw new SrcodeError('ERR_INVALID_ARG', 'Expected returns and oldValues together, or neither of them');
  }
  const entropyCoef = atLeast0('entropyCoef', options.entropyCoef ?? 0);
  const klCoef = atLeast0('klCoef', options.klCoef ?? 0);
  if (klCoef > 0 && batch.refLogProbs === undefined) {
    throw new SrcodeError('ERR_INVALID_ARG', `klCoef is ${klCoef}, but the batch has no refLogProbs to measure from`);
  }
  return {
    ...nativeValue(batch, options),
    oldLogProbs: batch.oldLogProbs,
    advantages: batch.advantages,
    refLogProbs: batch.refLogProbs,
    clip,
    sum: aggregation === 'sum',
    valueCoef: atLeast0('valueCoef', options.valueCoef ?? 0.1),
    entropyCoef,
    entropy: entropyCoef > 0 || (options.entropy ?? false),
    klCoef,
    maxRatio,
  };
}

function nativeValue<T extends ValueBatch | PpoBatch>(
  { sequences, responseStart, returns, oldValues }: T,
  options: { valueClip?: number | undefined },
): NativeValueBatch<T['returns']> {
  const valueClip = atLeast0('valueClip', options.valueClip ?? 0.2);
  return { sequences, responseStart, returns, oldValues, valueClip };
}

function atLeast0(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new SrcodeError('ERR_INVALID_ARG', `Expected ${name} to be a finite number ≥ 0, received ${value}`);
}
