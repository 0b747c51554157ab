import type { ModelConfig } from '../native/model-config.js';

export type BenchSize = 'small' | '0.5b';

/** The shapes that are measured, with random weights: a small decoder, and Qwen2.5-0.5B. scripts/peers/common.py has the same. */
export const benchModels: Readonly<Record<BenchSize, ModelConfig>> = {
  small: shape({
    hiddenSize: 256,
    intermediateSize: 704,
    layers: 6,
    heads: 8,
    kvHeads: 2,
    headDim: 32,
    vocabSize: 4096,
  }),
  '0.5b': shape({
    hiddenSize: 896,
    intermediateSize: 4864,
    layers: 24,
    heads: 14,
    kvHeads: 2,
    headDim: 64,
    vocabSize: 151936,
  }),
};

type Width = 'hiddenSize' | 'intermediateSize' | 'layers' | 'heads' | 'kvHeads' | 'headDim' | 'vocabSize';

function shape(widths: Pick<ModelConfig, Width>): ModelConfig {
  return {
    modelType: 'qwen2',
    ...widths,
    ropeTheta: 1e4,
    ropeScaling: null,
    rmsNormEps: 1e-6,
    tiedEmbeddings: true,
    qkvBias: true,
    contextLength: 4096,
    eosTokenIds: [],
  };
}
