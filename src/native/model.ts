import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { tinyModelDir } from '../assets.js';
import { SrcodeError } from '../errors.js';
import { checkFolder, checkOwnFiles, io, makeFolder, readInput, writeOwn } from '../files.js';
import { readJsonText } from '../json-file.js';
import { callNative, loadAddon, type NativeAdapterSpec, type NativeConfig, type NativeModel } from './addon.js';
import { hfFiles, type ModelConfig, readModelConfig } from './model-config.js';
import { type OptimizerOptions, Trainer } from './trainer.js';

export type { ModelConfig } from './model-config.js';
export * from './trainer.js';

export type Dtype = 'bf16' | 'f32';

export interface DeviceOptions {
  /** Where the model computes. Default `cpu`. */
  device?: 'cpu';
  /** Compute and storage type of the weights; sums are f32. Default `bf16`. */
  dtype?: Dtype;
  /** CPU threads; default one for each usable CPU. */
  threads?: number;
}

export interface CallOptions {
  /** A named adapter; without one the base model answers. */
  adapter?: string;
  /** Stops the call between layers or decode steps; it rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface GenerateOptions extends CallOptions {
  /** Most new tokens of a sample. Default 128. */
  maxNewTokens?: number;
  /** Divides the logits before sampling; 0 is greedy (the lowest id among equals). Default 1. */
  temperature?: number;
  /** Samples from the smallest set of most probable tokens whose mass reaches this. Default 1 (off). */
  topP?: number;
  /** Samples from the k most probable tokens. Default 0 (off). */
  topK?: number;
  /** Samples of each prompt; they share its prefill. Default 1. */
  n?: number;
  /** Names of the prompts for the random numbers, non-negative integers; default their index. */
  ids?: readonly number[];
  /** Default 0. */
  seed?: number;
  /** Token ids that end a sample; default the EOS ids of generation_config.json. */
  stop?: readonly number[];
  /** Sequences decoded at once. It changes speed and memory, never a result. Default 64. */
  maxRows?: number;
  /** Adds the log-probs under the tempered, truncated law that the tokens were drawn from. Default false. */
  behaviorLogProbs?: boolean;
}

export interface Generated {
  /** The new tokens, a stop token included. */
  tokens: Int32Array;
  /** Their log-probs under the untempered full softmax, as `logProbs` gives them bit for bit. */
  logProbs: Float32Array;
  behaviorLogProbs?: Float32Array;
  finish: 'stop' | 'length';
}

export interface AdapterOptions {
  /** LoRA rank. Default 8. */
  rank?: number;
  /** LoRA's output is scaled by alpha / rank. Default 16. */
  alpha?: number;
  /** Linear layers by HF's names; default all seven. */
  targets?: readonly string[];
  /** Of A's initial values. Default 0. */
  seed?: number;
  /** Scalar heads on the final hidden state. */
  heads?: readonly ('value' | 'reward')[];
}

export interface CopyOptions {
  /** The heads of the copy, and what each starts from. */
  heads?: { value?: 'zero' | 'value' | 'reward'; reward?: 'zero' | 'value' | 'reward' };
}

export interface TrainerOptions {
  /** The adapter to train; without one, every parameter of the base model. */
  adapter?: string;
  optimizer?: OptimizerOptions;
  /** Tokens of one forward and backward pass; a larger batch is cut into several whose gradients add up. Default 4096. */
  microBatchTokens?: number;
  /** Skipped steps in a row (non-finite gradient) after which training stops. Default 5. */
  maxNonFinite?: number;
}

/** HF's names of the linear layers that can have LoRA. */
export const linearLayers = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

/**
 * A decoder with its named adapters. Calls queue on one native thread and run in order; weights never cross to JavaScript. Dispose of it
 * (`using`, or `dispose()`) to give its memory back.
 */
export class Model implements Disposable {
  readonly config: ModelConfig;
  readonly dtype: Dtype;
  readonly adapters: Adapters;
  readonly #native: NativeModel;

  private constructor(native: NativeModel, config: ModelConfig, dtype: Dtype) {
    this.#native = native;
    this.config = config;
    this.dtype = dtype;
    this.adapters = new Adapters(native);
  }

  /** Instruction-set level of the kernels: portable, avx2, avx512, avx512_bf16 or amx. */
  get isa(): string {
    return this.#native.isa;
  }

  get threads(): number {
    return this.#native.threads;
  }

  /**
   * Loads a Hugging Face folder (config.json, *.safetensors), or the embedded `tiny` model.
   *
   * @throws SrcodeError `ERR_FILE_FORMAT`, `ERR_SHAPE`, `ERR_UNSUPPORTED` naming file and tensor.
   */
  static async load(dir: string | 'tiny', options: DeviceOptions = {}): Promise<Model> {
    const folder = dir === 'tiny' ? tinyModelDir : dir;
    if (!existsSync(folder)) {
      throw new SrcodeError(
        'ERR_FILE_FORMAT',
        `${folder}: no such folder; expected a Hugging Face model folder or 'tiny'`,
      );
    }
    checkFolder(folder, modelFiles);
    const config = readModelConfig(folder);
    const dtype = options.dtype ?? 'bf16';
    const native = await callNative(() => loadAddon().loadModel(nativeConfig(config, dtype), folder, device(options)));
    return new Model(native, config, dtype);
  }

  /** A model with seeded random weights. */
  static async create(config: ModelConfig, options: DeviceOptions & { seed?: number } = {}): Promise<Model> {
    const dtype = options.dtype ?? 'bf16';
    const seed = count('seed', options.seed ?? 0);
    const native = await callNative(() => loadAddon().createModel(nativeConfig(config, dtype), seed, device(options)));
    return new Model(native, config, dtype);
  }

  /** log p(token i+1 | tokens ≤ i) of the untempered softmax: length n - 1 for each sequence of n tokens. */
  async logProbs(sequences: readonly Int32Array[], options: CallOptions = {}): Promise<Float32Array[]> {
    return callNative((cancel) => this.#native.logProbs(sequences, options.adapter ?? '', cancel), options.signal);
  }

  /** The adapter's value head on every token: length n for each sequence of n tokens. */
  async values(sequences: readonly Int32Array[], options: CallOptions = {}): Promise<Float32Array[]> {
    return callNative((cancel) => this.#native.values(sequences, options.adapter ?? '', cancel), options.signal);
  }

  /** The adapter's reward head on each sequence's last token. */
  async rewards(sequences: readonly Int32Array[], options: CallOptions = {}): Promise<Float32Array> {
    return callNative((cancel) => this.#native.rewards(sequences, options.adapter ?? '', cancel), options.signal);
  }

  /** Samples `n` continuations of each prompt, prompt-major. */
  async generate(prompts: readonly Int32Array[], options: GenerateOptions = {}): Promise<Generated[]> {
    const native = {
      maxNewTokens: count('maxNewTokens', options.maxNewTokens ?? 128, 1),
      temperature: finite('temperature', options.temperature ?? 1, 0),
      topP: finite('topP', options.topP ?? 1, 0, 1),
      topK: count('topK', options.topK ?? 0),
      n: count('n', options.n ?? 1, 1),
      seed: count('seed', options.seed ?? 0),
      ids: (options.ids ?? []).map((id, i) => count(`ids[${i}]`, id)),
      stop: (options.stop ?? this.config.eosTokenIds).map((id, i) => count(`stop[${i}]`, id)),
      maxRows: count('maxRows', options.maxRows ?? 64, 1),
      behaviorLogProbs: options.behaviorLogProbs ?? false,
    };
    return callNative(
      (cancel) => this.#native.generate(prompts, native, options.adapter ?? '', cancel),
      options.signal,
    );
  }

  /** Writes an HF folder: config.json, generation_config.json, model.safetensors in the model's dtype. */
  async save(dir: string): Promise<void> {
    io('write', dir, () => {
      makeFolder(dir);
      for (const [name, text] of Object.entries(hfFiles(this.config, this.dtype))) writeOwn(join(dir, name), text);
      checkOwnFiles(dir, ['model.safetensors']);
    });
    await callNative(() => this.#native.save(dir));
  }

  /** Gradients and optimiser state of one adapter, or (without `adapter`) of the whole base model. */
  trainer(options: TrainerOptions = {}): Trainer {
    const o = options.optimizer ?? {};
    const native = {
      lr: finite('lr', o.lr ?? 1e-4, 0),
      beta1: finite('beta1', o.beta1 ?? 0.9, 0, 1),
      beta2: finite('beta2', o.beta2 ?? 0.999, 0, 1),
      eps: finite('eps', o.eps ?? 1e-8, 0),
      weightDecay: finite('weightDecay', o.weightDecay ?? 0.01, 0),
      clipNorm: finite('clipNorm', o.clipNorm ?? 1, 0),
      microBatchTokens: count('microBatchTokens', options.microBatchTokens ?? 4096, 1),
      maxNonFinite: count('maxNonFinite', options.maxNonFinite ?? 5, 1),
    };
    return new Trainer(
      callNative(() => this.#native.trainer(options.adapter ?? '', native)),
      native.lr,
    );
  }

  /** What the memory of the largest call so far was planned for, in bytes. */
  async memoryPlan(): Promise<{ name: string; bytes: number }[]> {
    return callNative(() => this.#native.memoryPlan());
  }

  /** Gives the model's memory back once the calls under way have ended. Later calls reject with `ERR_DISPOSED`. */
  dispose(): void {
    this.#native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The named LoRA adapters of a model. They share its base weights and are never merged into them. */
export class Adapters {
  readonly #native: NativeModel;
  readonly #specs: Map<string, NativeAdapterSpec> = new Map();

  constructor(native: NativeModel) {
    this.#native = native;
  }

  names(): string[] {
    return [...this.#specs.keys()];
  }

  /** A new adapter: A as peft draws it (Kaiming-uniform, seeded), B zero, heads zero. */
  async create(name: string, options: AdapterOptions = {}): Promise<void> {
    const targets = options.targets ?? linearLayers;
    const unknown = targets.filter((target) => !linearLayers.some((known) => known === target));
    if (unknown.length > 0) {
      throw new SrcodeError(
        'ERR_INVALID_ARG',
        `Unknown target ${unknown.map((u) => `'${u}'`).join(', ')}; the linear layers are ${linearLayers.join(', ')}`,
      );
    }
    const spec: NativeAdapterSpec = {
      rank: count('rank', options.rank ?? 8, 1),
      alpha: finite('alpha', options.alpha ?? 16),
      targets: Object.fromEntries(linearLayers.map((layer) => [layer, targets.includes(layer)])),
      valueHead: options.heads?.includes('value') ?? false,
      rewardHead: options.heads?.includes('reward') ?? false,
      seed: count('seed', options.seed ?? 0),
    };
    await callNative(() => this.#native.createAdapter(name, spec));
    this.#specs.set(name, spec);
  }

  /**
   * A new adapter with the LoRA weights of another. It has the heads that `heads` names, none by default, and each starts from a head of
   * `from` or from zero: a critic begins as the reward model with `{ value: 'reward' }`.
   *
   * @throws SrcodeError `ERR_INVALID_ARG` when the source or a head of it does not exist.
   */
  async copy(name: string, from: string, options: CopyOptions = {}): Promise<void> {
    const source = this.#spec(from);
    const { value, reward } = options.heads ?? {};
    for (const head of [value, reward]) {
      if ((head === 'value' && !source.valueHead) || (head === 'reward' && !source.rewardHead)) {
        throw new SrcodeError(
          'ERR_INVALID_ARG',
          `Adapter '${from}' has no ${head} head to copy; 'zero' starts a new one`,
        );
      }
    }
    const spec = { ...source, valueHead: value !== undefined, rewardHead: reward !== undefined };
    const heads = {
      value: value === 'zero' ? '' : (value ?? ''),
      reward: reward === 'zero' ? '' : (reward ?? ''),
    } as const;
    await callNative(() => this.#native.copyAdapter(name, spec, from, heads));
    this.#specs.set(name, spec);
  }

  /**
   * Loads a PEFT folder (adapter_config.json, adapter_model.safetensors), and the heads beside it when it has any.
   *
   * @throws SrcodeError `ERR_UNSUPPORTED` for what is not plain LoRA on linear layers.
   */
  async load(name: string, dir: string): Promise<void> {
    checkFolder(dir, modelFiles);
    const spec = readAdapterConfig(dir);
    await callNative(() => this.#native.loadAdapter(name, spec, dir));
    this.#specs.set(name, spec);
  }

  /** Writes a PEFT folder. Its bytes hold no time and no path. */
  async save(name: string, dir: string): Promise<void> {
    const spec = this.#spec(name);
    io('write', dir, () => {
      makeFolder(dir);
      writeOwn(join(dir, 'adapter_config.json'), adapterConfig(spec));
      checkOwnFiles(dir, ['adapter_model.safetensors', 'heads.safetensors']);
    });
    await callNative(() => this.#native.saveAdapter(name, dir));
  }

  async remove(name: string): Promise<void> {
    await callNative(() => this.#native.removeAdapter(name));
    this.#specs.delete(name);
  }

  #spec(name: string): NativeAdapterSpec {
    const spec = this.#specs.get(name);
    if (spec === undefined) throw new SrcodeError('ERR_INVALID_ARG', `No adapter named '${name}'`);
    return spec;
  }
}

/** What is read of a model's folder. */
const modelFiles = /\.(?:json|safetensors)$/;

const peftConfig = z.looseObject({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  lora_alpha: z.number(),
  target_modules: z.array(z.string()),
  bias: z.string().default('none'),
  use_dora: z.boolean().default(false),
  use_rslora: z.boolean().default(false),
  fan_in_fan_out: z.boolean().default(false),
  modules_to_save: z.array(z.string()).nullish(),
  rank_pattern: z.record(z.string(), z.unknown()).default({}),
  alpha_pattern: z.record(z.string(), z.unknown()).default({}),
  layers_to_transform: z.unknown().nullish(),
});

function readAdapterConfig(dir: string): NativeAdapterSpec {
  const file = join(dir, 'adapter_config.json');
  let value: unknown;
  try {
    value = JSON.parse(readJsonText(file));
  } catch (error) {
    throw new SrcodeError(
      'ERR_FILE_FORMAT',
      `${file}: ${error instanceof Error ? error.message : error}. Is this a PEFT adapter folder?`,
      { cause: error },
    );
  }
  const parsed = peftConfig.safeParse(value);
  if (!parsed.success) throw new SrcodeError('ERR_FILE_FORMAT', `${file}:\n${z.prettifyError(parsed.error)}`);
  const c = parsed.data;
  const problems = [
    c.bias !== 'none' && `bias '${c.bias}'`,
    c.use_dora && 'use_dora',
    c.use_rslora && 'use_rslora',
    c.fan_in_fan_out && 'fan_in_fan_out',
    c.modules_to_save?.length && 'modules_to_save',
    Object.keys(c.rank_pattern).length > 0 && 'rank_pattern',
    Object.keys(c.alpha_pattern).length > 0 && 'alpha_pattern',
    c.layers_to_transform != null && 'layers_to_transform',
    ...c.target_modules.map((t) => !linearLayers.some((known) => known === t) && `target module '${t}'`),
  ].filter((problem) => problem !== false && problem !== 0 && problem !== undefined);
  if (problems.length > 0) {
    throw new SrcodeError(
      'ERR_UNSUPPORTED',
      `${file}: ${problems.join(', ')}; plain LoRA on linear layers is implemented`,
    );
  }
  const heads = headsOf(join(dir, 'heads.safetensors'));
  return {
    rank: c.r,
    alpha: c.lora_alpha,
    targets: Object.fromEntries(linearLayers.map((layer) => [layer, c.target_modules.includes(layer)])),
    valueHead: heads.includes('value_head.weight'),
    rewardHead: heads.includes('reward_head.weight'),
    seed: 0,
  };
}

/** The tensor names in a heads file; the native reader checks everything else about it. */
function headsOf(file: string): string[] {
  if (!existsSync(file)) return [];
  const bytes = readInput(file);
  try {
    const length = Number(bytes.readBigUInt64LE(0));
    return Object.keys(JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')));
  } catch (error) {
    throw new SrcodeError('ERR_FILE_FORMAT', `${file}: not a safetensors file`, { cause: error });
  }
}

function adapterConfig(spec: NativeAdapterSpec): string {
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: null,
    r: spec.rank,
    lora_alpha: spec.alpha,
    lora_dropout: 0,
    target_modules: linearLayers.filter((layer) => spec.targets[layer]),
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    modules_to_save: null,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function nativeConfig(config: ModelConfig, dtype: Dtype): NativeConfig {
  if (dtype !== 'bf16' && dtype !== 'f32') {
    throw new SrcodeError('ERR_INVALID_ARG', `Expected dtype 'bf16' or 'f32', received ${JSON.stringify(dtype)}`);
  }
  return {
    vocabSize: config.vocabSize,
    hiddenSize: config.hiddenSize,
    intermediateSize: config.intermediateSize,
    layers: config.layers,
    heads: config.heads,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    contextLength: config.contextLength,
    ropeTheta: config.ropeTheta,
    ropeFactor: config.ropeScaling?.factor ?? 1,
    rmsNormEps: config.rmsNormEps,
    tiedEmbeddings: config.tiedEmbeddings,
    qkvBias: config.qkvBias,
    dtype,
  };
}

function device(options: DeviceOptions): { device: string; threads: number } {
  return { device: options.device ?? 'cpu', threads: count('threads', options.threads ?? 0) };
}

function count(name: string, value: number, least = 0): number {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new SrcodeError('ERR_INVALID_ARG', `Expected ${name} to be an integer ≥ ${least}, received ${value}`);
  }
  return value;
}

function finite(
  name: string,
  value: number,
  least = Number.NEGATIVE_INFINITY,
  most = Number.POSITIVE_INFINITY,
): number {
  if (!Number.isFinite(value) || value < least || value > most) {
    throw new SrcodeError(
      'ERR_INVALID_ARG',
      `Expected ${name} to be a finite number in [${least}, ${most}], received ${value}`,
    );
  }
  return value;
}
