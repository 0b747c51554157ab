import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { SrcodeError } from '../errors.js';
import { readJsonText } from '../json-file.js';

/** The decoder's shape: Llama, or Qwen2 (biases on q, k, v). Lengths are in tokens. */
export interface ModelConfig {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  ropeTheta: number;
  /** Linear scaling: positions are divided by `factor`. */
  ropeScaling: { factor: number } | null;
  rmsNormEps: number;
  tiedEmbeddings: boolean;
  qkvBias: boolean;
  contextLength: number;
  /** Ids that end a generation (generation_config.json); none if it names none. */
  eosTokenIds: number[];
  modelType: 'qwen2' | 'llama';
}

const size = z.int().positive();

const rope = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  factor: z.number().positive().optional(),
  rope_theta: z.number().positive().optional(),
});

/** config.json as transformers 4 (`rope_theta`, `rope_scaling`) and 5 (`rope_parameters`) write it. */
const hfConfig = z.looseObject({
  model_type: z.enum(['qwen2', 'llama']),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.optional(),
  head_dim: size.nullish(),
  max_position_embeddings: size,
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  rope_theta: z.number().positive().optional(),
  rope_scaling: rope.nullish(),
  rope_parameters: rope.nullish(),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().optional(),
  mlp_bias: z.boolean().optional(),
  hidden_act: z.string().default('silu'),
  use_sliding_window: z.boolean().optional(),
  layer_types: z.array(z.string()).nullish(),
});

const generationConfig = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() });

/**
 * Reads an HF folder's config.json, and the EOS ids of its generation_config.json.
 *
 * @throws SrcodeError `ERR_FILE_FORMAT` (missing, malformed) or `ERR_UNSUPPORTED` (a decoder that is not ours).
 */
export function readModelConfig(dir: string): ModelConfig {
  const file = join(dir, 'config.json');
  const config = parse(file, hfConfig);
  const unsupported = (what: string): never => {
    throw new SrcodeError('ERR_UNSUPPORTED', `${file}: ${what}`);
  };
  if (config.hidden_act !== 'silu') unsupported(`hidden_act '${config.hidden_act}'; only 'silu' is implemented`);
  if (config.use_sliding_window || config.layer_types?.some((type) => type !== 'full_attention')) {
    unsupported('sliding-window attention is not implemented');
  }
  if (config.mlp_bias) unsupported('mlp_bias: biases in the MLP are not implemented');
  if (config.model_type === 'llama' && config.attention_bias) {
    unsupported('attention_bias: biases in a Llama attention are not implemented');
  }
  const scaling = config.rope_parameters ?? config.rope_scaling;
  const type = scaling?.rope_type ?? scaling?.type ?? 'default';
  if (type !== 'default' && type !== 'linear') {
    unsupported(`RoPE scaling '${type}'; 'default' and 'linear' are implemented`);
  }
  if (type === 'linear' && scaling?.factor === undefined) {
    throw new SrcodeError('ERR_FILE_FORMAT', `${file}: linear RoPE scaling needs a factor`);
  }
  return {
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headDim: config.head_dim ?? Math.floor(config.hidden_size / config.num_attention_heads),
    ropeTheta: config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000,
    ropeScaling: type === 'linear' ? { factor: scaling?.factor as number } : null,
    rmsNormEps: config.rms_norm_eps,
    tiedEmbeddings: config.tie_word_embeddings,
    qkvBias: config.model_type === 'qwen2' ? (config.attention_bias ?? true) : false,
    contextLength: config.max_position_embeddings,
    eosTokenIds: readEos(dir),
    modelType: config.model_type,
  };
}

/** config.json and generation_config.json of a folder that transformers loads. Their text follows from the arguments alone. */
export function hfFiles(config: ModelConfig, dtype: 'bf16' | 'f32'): Record<string, string> {
  const hf = {
    architectures: [config.modelType === 'qwen2' ? 'Qwen2ForCausalLM' : 'LlamaForCausalLM'],
    model_type: config.modelType,
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    max_position_embeddings: config.contextLength,
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.ropeTheta,
    rope_scaling: config.ropeScaling
      ? { rope_type: 'linear', type: 'linear', factor: config.ropeScaling.factor }
      : null,
    tie_word_embeddings: config.tiedEmbeddings,
    attention_bias: config.qkvBias,
    hidden_act: 'silu',
    torch_dtype: dtype === 'bf16' ? 'bfloat16' : 'float32',
  };
  const eos = config.eosTokenIds.length === 1 ? config.eosTokenIds[0] : config.eosTokenIds;
  return {
    'config.json': `${JSON.stringify(hf, null, 2)}\n`,
    'generation_config.json': `${JSON.stringify(config.eosTokenIds.length ? { eos_token_id: eos } : {}, null, 2)}\n`,
  };
}

function readEos(dir: string): number[] {
  const file = join(dir, 'generation_config.json');
  if (!existsSync(file)) return [];
  const eos = parse(file, generationConfig).eos_token_id;
  if (eos === undefined || eos === null) return [];
  return typeof eos === 'number' ? [eos] : eos;
}

function parse<T extends z.ZodType>(file: string, schema: T): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(readJsonText(file));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SrcodeError('ERR_FILE_FORMAT', `${file}: ${why}. Is this a Hugging Face model folder?`, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new SrcodeError('ERR_FILE_FORMAT', `${file}:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
