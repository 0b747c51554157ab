import type { ModelConfig } from '../native/model-config.js';

/** [inputs, outputs] of each of a block's seven linear layers. */
export function linearShapes(c: ModelConfig): [number, number][] {
  const q = c.heads * c.headDim;
  const kv = c.kvHeads * c.headDim;
  return [
    [c.hiddenSize, q],
    [c.hiddenSize, kv],
    [c.hiddenSize, kv],
    [q, c.hiddenSize],
    [c.hiddenSize, c.intermediateSize],
    [c.hiddenSize, c.intermediateSize],
    [c.intermediateSize, c.hiddenSize],
  ];
}

/** Weights in the linear layers of all blocks. */
export function linearParameters(c: ModelConfig): number {
  return c.layers * linearShapes(c).reduce((sum, [inputs, outputs]) => sum + inputs * outputs, 0);
}

/**
 * The operations that a LoRA step cannot do without, a multiplication and an addition each counted: the frozen products forward and for
 * the input's gradient, the head on supervised rows alone, causal attention (two products forward, five backward), and the LoRA products
 * (forward, input's gradient, own gradient). Recomputation is not work that is needed, and not counted.
 */
export function stepFlops(
  c: ModelConfig,
  { batch, length, supervised, rank }: { batch: number; length: number; supervised: number; rank: number },
): number {
  const tokens = batch * length;
  const frozen = 2 * 2 * tokens * linearParameters(c);
  const head = 2 * 2 * batch * supervised * c.hiddenSize * c.vocabSize;
  const pairs = (batch * length * (length + 1)) / 2;
  const attention = 7 * 2 * pairs * c.heads * c.headDim * c.layers;
  const lora = 3 * 2 * tokens * rank * c.layers * linearShapes(c).reduce((sum, [i, o]) => sum + i + o, 0);
  return frozen + head + attention + lora;
}

/** What a decode step must read: every weight once for all rows, and each row's keys and values. */
export function stepBytes(
  c: ModelConfig,
  { batch, length, elementBytes }: { batch: number; length: number; elementBytes: number },
): number {
  const weights = linearParameters(c) + c.hiddenSize * c.vocabSize;
  const cache = 2 * batch * length * c.kvHeads * c.headDim * c.layers;
  return elementBytes * (weights + cache);
}
