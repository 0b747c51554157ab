import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { SrcodeError } from '../errors.js';

/** What the native half exports, one to one. Everything else in src/ uses the classes and functions built on it. */
export interface Addon {
  readonly CancelToken: new () => CancelToken;
  loadModel(config: NativeConfig, folder: string, options: NativeDevice): Promise<NativeModel>;
  createModel(config: NativeConfig, seed: number, options: NativeDevice): Promise<NativeModel>;
  benchMachine(options: {
    dtype: 'bf16' | 'f32';
    threads: number;
  }): Promise<{ flops: number; readBytesPerSecond: number; isa: string; threads: number }>;

  // The RL kernels on typed arrays. kernels.ts checks what they are given.
  firstNonFinite(values: Float32Array): number;
  gae(args: {
    rewards: Float32Array;
    values: Float32Array;
    cuSeqlens: Int32Array;
    gamma: number;
    lambda: number;
    advantages: Float32Array;
    returns: Float32Array;
  }): void;
  tokenRewards(args: {
    cuSeqlens: Int32Array;
    sequence: Int32Array;
    start: Int32Array;
    end: Int32Array;
    reward: Float32Array;
    penalty: Float32Array | undefined;
    terminal: Float32Array | undefined;
    kl: Float32Array | undefined;
    beta: number;
    rewards: Float32Array;
  }): void;
  ppoLoss(args: {
    logProbs: Float32Array;
    oldLogProbs: Float32Array;
    advantages: Float32Array;
    weights: Float32Array | undefined;
    values: Float32Array | undefined;
    oldValues: Float32Array | undefined;
    returns: Float32Array | undefined;
    valueClip: number;
    clip: object;
    sum: boolean;
    gradLogProbs: Float32Array;
    gradValues: Float32Array;
  }): { loss: number; valueLoss: number; clipFraction: number; approxKl: number; weight: number };
  adamw(args: {
    params: readonly Float32Array[];
    grads: readonly Float32Array[];
    m: readonly Float32Array[];
    v: readonly Float32Array[];
    step: number;
    lr: number;
    beta1: number;
    beta2: number;
    eps: number;
    weightDecay: number;
    clipNorm: number;
  }): { gradNorm: number; badTensor: number };
  cudaDevices(): number;
  selftestKernels(
    device: 'cpu' | 'cuda',
    threads: number,
  ): Promise<{ name: string; shape: string; maxError: number; tolerance: number; ok: boolean }[]>;
  benchKernels(tokens: number, threads: number): Promise<{ name: string; bytes: number; seconds: number }[]>;
}

export interface CancelToken {
  request(): void;
}

export interface NativeDevice {
  device: string;
  /** 0 = one for each usable CPU. */
  threads: number;
}

export interface NativeConfig {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  contextLength: number;
  ropeTheta: number;
  ropeFactor: number;
  rmsNormEps: number;
  tiedEmbeddings: boolean;
  qkvBias: boolean;
  dtype: 'bf16' | 'f32';
}

export interface NativeAdapterSpec {
  rank: number;
  alpha: number;
  targets: Record<string, boolean>;
  valueHead: boolean;
  rewardHead: boolean;
  seed: number;
}

export interface NativeStepResult {
  loss: number;
  gradNorm: number;
  tokens: number;
  skipped: boolean;
}

export interface NativeValueBatch<Returns = readonly Float32Array[]> {
  sequences: readonly Int32Array[];
  responseStart: readonly number[];
  returns: Returns;
  oldValues: readonly Float32Array[] | undefined;
  /** 0 is off. */
  valueClip: number;
}

export interface NativePpoBatch extends NativeValueBatch<readonly Float32Array[] | undefined> {
  oldLogProbs: readonly Float32Array[];
  advantages: readonly Float32Array[];
  refLogProbs: readonly Float32Array[] | undefined;
  clip: object;
  sum: boolean;
  valueCoef: number;
  entropyCoef: number;
  entropy: boolean;
  klCoef: number;
  /** 0 is off. */
  maxRatio: number;
}

export interface NativeValueResult extends NativeStepResult {
  values: Float32Array[];
}

/** What was not asked for is 0 or empty. */
export interface NativePpoResult extends NativeValueResult {
  policyLoss: number;
  valueLoss: number;
  entropy: number;
  kl3: number;
  clipFraction: number;
  approxKl: number;
  meanRatio: number;
  logProbs: Float32Array[];
}

export interface NativeGenerated {
  tokens: Int32Array;
  logProbs: Float32Array;
  behaviorLogProbs?: Float32Array;
  finish: 'stop' | 'length';
}

/** An empty adapter name is the base model. */
export interface NativeModel {
  readonly isa: string;
  readonly threads: number;
  logProbs(sequences: readonly Int32Array[], adapter: string, cancel?: CancelToken): Promise<Float32Array[]>;
  values(sequences: readonly Int32Array[], adapter: string, cancel?: CancelToken): Promise<Float32Array[]>;
  rewards(sequences: readonly Int32Array[], adapter: string, cancel?: CancelToken): Promise<Float32Array>;
  generate(
    prompts: readonly Int32Array[],
    options: {
      maxNewTokens: number;
      temperature: number;
      topP: number;
      topK: number;
      n: number;
      seed: number;
      ids: readonly number[];
      stop: readonly number[];
      maxRows: number;
      behaviorLogProbs: boolean;
    },
    adapter: string,
    cancel?: CancelToken,
  ): Promise<NativeGenerated[]>;
  createAdapter(name: string, spec: NativeAdapterSpec): Promise<void>;
  /** The heads named in spec start as the source's `value` or `reward` head, or zero (''). */
  copyAdapter(
    name: string,
    spec: NativeAdapterSpec,
    from: string,
    heads: { value: '' | 'value' | 'reward'; reward: '' | 'value' | 'reward' },
  ): Promise<void>;
  loadAdapter(name: string, spec: NativeAdapterSpec, folder: string): Promise<void>;
  saveAdapter(name: string, folder: string): Promise<void>;
  removeAdapter(name: string): Promise<void>;
  save(folder: string): Promise<void>;
  trainer(
    adapter: string,
    options: {
      lr: number;
      beta1: number;
      beta2: number;
      eps: number;
      weightDecay: number;
      clipNorm: number;
      microBatchTokens: number;
      maxNonFinite: number;
    },
  ): Promise<NativeTrainer>;
  memoryPlan(): Promise<{ name: string; bytes: number }[]>;
  dispose(): void;
}

export interface NativeTrainer {
  step(
    sequences: readonly Int32Array[],
    lossWeights: readonly Float32Array[],
    lr: number,
    cancel?: CancelToken,
  ): Promise<NativeStepResult>;
  rewardStep(
    chosen: readonly Int32Array[],
    rejected: readonly Int32Array[],
    lr: number,
    cancel?: CancelToken,
  ): Promise<NativeStepResult & { accuracy: number }>;
  ppoStep(batch: NativePpoBatch, lr: number, cancel?: CancelToken): Promise<NativePpoResult>;
  valueStep(batch: NativeValueBatch, lr: number, cancel?: CancelToken): Promise<NativeValueResult>;
  gradients(
    sequences: readonly Int32Array[],
    lossWeights: readonly Float32Array[],
    cancel?: CancelToken,
  ): Promise<Record<string, Float32Array>>;
  rewardGradients(
    chosen: readonly Int32Array[],
    rejected: readonly Int32Array[],
    cancel?: CancelToken,
  ): Promise<Record<string, Float32Array>>;
  ppoGradients(batch: NativePpoBatch, cancel?: CancelToken): Promise<Record<string, Float32Array>>;
  valueGradients(batch: NativeValueBatch, cancel?: CancelToken): Promise<Record<string, Float32Array>>;
  save(file: string): Promise<void>;
  load(file: string): Promise<void>;
  dispose(): void;
}

let addon: Addon | undefined;

/**
 * Loads the native half, once and on first use: `$SRCODE_NATIVE`, else build/Release, else build/Debug of the package.
 *
 * @throws SrcodeError `ERR_NATIVE_MISSING` with how to build it.
 */
export function loadAddon(): Addon {
  addon ??= open();
  return addon;
}

/** The addon's file, or undefined when it is not built. */
export function addonPaths(): string[] {
  const override = process.env.SRCODE_NATIVE;
  if (override) return [override];
  return ['Release', 'Debug'].map((config) =>
    fileURLToPath(new URL(`../../build/${config}/srcode_native.node`, import.meta.url)),
  );
}

function open(): Addon {
  const require = createRequire(import.meta.url);
  const failures: string[] = [];
  for (const path of addonPaths()) {
    try {
      return require(path) as Addon;
    } catch (error) {
      failures.push(`  ${path}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  }
  throw new SrcodeError(
    'ERR_NATIVE_MISSING',
    `The native half of srcode is not built for this machine. Tried:\n${failures.join('\n')}\n` +
      'Build it with `npm run build:native` in the folder of the srcode package (it needs g++ and cmake).',
  );
}

/**
 * Runs one native call so that its failure points at the caller's line, carries a code, and so that `signal` stops it: the call then
 * rejects with `signal.reason`.
 */
export async function callNative<T>(
  call: (cancel: CancelToken | undefined) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  // Made before the call: an error from another thread has no JavaScript stack.
  const here = new SrcodeError('ERR_INTERNAL', '');
  Error.captureStackTrace(here, callNative);
  signal?.throwIfAborted();
  const cancel = signal ? new (loadAddon().CancelToken)() : undefined;
  const abort = (): void => cancel?.request();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await call(cancel);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw asSrcodeError(error, here.stack);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** A native error as a SrcodeError with the same code and message. */
export function asSrcodeError(error: unknown, stack?: string): unknown {
  if (!(error instanceof Error) || error instanceof SrcodeError) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'ERR_INTERNAL';
  const wrapped = new SrcodeError(code, error.message, { cause: error });
  if (stack) wrapped.stack = `${wrapped.name}: ${wrapped.message}\n${stack.split('\n').slice(1).join('\n')}`;
  return wrapped;
}
