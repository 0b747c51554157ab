import { createRequire } from 'node:module';
import type { ModelConfig } from '../../src/native/model-config.js';

/** A small decoder with every feature that can go wrong: grouped queries, odd widths, biases. */
export const oddConfig: ModelConfig = {
  vocabSize: 211,
  hiddenSize: 72,
  intermediateSize: 104,
  layers: 2,
  heads: 6,
  kvHeads: 2,
  headDim: 12,
  ropeTheta: 10_000,
  ropeScaling: null,
  rmsNormEps: 1e-6,
  tiedEmbeddings: true,
  qkvBias: true,
  contextLength: 256,
  eosTokenIds: [],
  modelType: 'qwen2',
};

/** The other kind: untied, no biases, one key/value head, scaled positions. */
export const llamaConfig: ModelConfig = {
  ...oddConfig,
  heads: 4,
  kvHeads: 1,
  headDim: 16,
  hiddenSize: 40,
  tiedEmbeddings: false,
  qkvBias: false,
  ropeScaling: { factor: 4 },
  modelType: 'llama',
};

/** Deterministic numbers in [0, 1) for test data (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** `count` sequences of length least…most. */
export function sequences(seed: number, count: number, least: number, most: number, vocab: number): Int32Array[] {
  const next = random(seed);
  return Array.from({ length: count }, () => {
    const length = least + Math.floor(next() * (most - least + 1));
    return Int32Array.from({ length }, () => Math.floor(next() * vocab));
  });
}

/** The instruction-set levels that this machine has. */
export function isas(): string[] {
  const flags = new Set(
    /^flags\s*:(.*)$/m
      .exec(createRequire(import.meta.url)('node:fs').readFileSync('/proc/cpuinfo', 'utf8'))?.[1]
      ?.trim()
      .split(/\s+/),
  );
  const levels = ['portable'];
  const has = (...names: string[]): boolean => names.every((name) => flags.has(name));
  if (!has('avx2', 'fma')) return levels;
  levels.push('avx2');
  if (!has('avx512f', 'avx512bw', 'avx512vl', 'avx512dq')) return levels;
  levels.push('avx512');
  if (!has('avx512_bf16')) return levels;
  levels.push('avx512_bf16');
  if (has('amx_tile', 'amx_bf16')) levels.push('amx');
  return levels;
}

/** Runs `body` with the kernels of one instruction set. */
export async function withIsa<T>(isa: string, body: () => Promise<T>): Promise<T> {
  const before = process.env.SRCODE_ISA;
  process.env.SRCODE_ISA = isa;
  try {
    return await body();
  } finally {
    if (before === undefined) delete process.env.SRCODE_ISA;
    else process.env.SRCODE_ISA = before;
  }
}
