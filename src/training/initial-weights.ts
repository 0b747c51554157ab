import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RandomStream } from '../dataset/random.js';
import { io, writeOwn } from '../files.js';
import { hfFiles, type ModelConfig } from '../native/model-config.js';
import { writeSafetensors } from './safetensors.js';

/**
 * Initial weights that can copy. A small decoder learns to repeat the names of its prompt only once it has induction heads, and on a
 * few million tokens these are what it waits for; so they are built in:
 *
 * - every block is mimetic: V orthogonal, O = .7 Vᵀ + noise (Trockman and Kolter, arXiv 2305.09828);
 * - layer 0, heads h < 3, attend to the previous token by their biases alone, on the fastest rotary pairs, and write the part P_h of its
 *   embedding into the directions R_h;
 * - layer 1, heads h < 3, look on the slow rotary pairs for positions whose R_h holds the present token's P_h, and copy what stands there.
 *
 * The rest is normal with deviation 1/√fan-in, the MLP's output scaled by .35, embeddings by .05. The shapes are plain Qwen2's; it
 * needs QKV biases, as many key as query heads, and room for six blocks of a head's width.
 */
export function inductionWeights(config: ModelConfig, random: RandomStream): Map<string, Weight> {
  const { hiddenSize: d, headDim: hd, intermediateSize: ff, layers, vocabSize } = config;
  const scale = 1 / Math.sqrt(d);
  const weights = new Map<string, Weight>();
  const blocks = Array.from({ length: layers }, () => {
    const value = orthogonal(d, random);
    return {
      q: normal(d, d, scale, random),
      k: normal(d, d, scale, random),
      v: value,
      o: matrix(d, d, (row, column) => 0.7 * at(value, column, row) + 0.05 * scale * random.normal()),
      qBias: new Float32Array(d),
      kBias: new Float32Array(d),
      gate: normal(ff, d, scale, random),
      up: normal(ff, d, scale, random),
      down: normal(d, ff, 0.35 / Math.sqrt(ff), random),
    };
  });
  buildInductionHeads(blocks as Block[], config, random);
  weights.set('model.embed_tokens.weight', normal(vocabSize, d, 0.05, random));
  weights.set('model.norm.weight', ones(d));
  blocks.forEach(({ q, k, v, o, qBias, kBias, gate, up, down }, i) => {
    const set = (name: string, weight: Weight): unknown => weights.set(`model.layers.${i}.${name}`, weight);
    set('input_layernorm.weight', ones(d));
    set('post_attention_layernorm.weight', ones(d));
    set('self_attn.q_proj.weight', q);
    set('self_attn.k_proj.weight', k);
    set('self_attn.v_proj.weight', v);
    set('self_attn.o_proj.weight', o);
    set('self_attn.q_proj.bias', { shape: [d], data: qBias });
    set('self_attn.k_proj.bias', { shape: [d], data: kBias });
    set('self_attn.v_proj.bias', { shape: [d], data: new Float32Array(config.kvHeads * hd) });
    set('mlp.gate_proj.weight', gate);
    set('mlp.up_proj.weight', up);
    set('mlp.down_proj.weight', down);
  });
  return weights;
}

/** Whether the shape has room for the heads that {@link inductionWeights} builds. */
export function fitsInduction({
  qkvBias,
  heads,
  kvHeads,
  headDim,
  hiddenSize,
  layers,
  tiedEmbeddings,
}: ModelConfig): boolean {
  return (
    qkvBias &&
    tiedEmbeddings &&
    kvHeads === heads &&
    heads * headDim === hiddenSize &&
    heads >= 2 * copies &&
    layers >= 2
  );
}

/** Writes a Hugging Face folder of f32 weights. */
export function writeModel(dir: string, config: ModelConfig, weights: ReadonlyMap<string, Weight>): void {
  io('write', dir, () => {
    mkdirSync(dir, { recursive: true });
    for (const [name, text] of Object.entries(hfFiles(config, 'f32'))) writeOwn(join(dir, name), text);
    writeSafetensors(join(dir, 'model.safetensors'), weights);
  });
}

/** Row-major f32. */
export interface Weight {
  shape: number[];
  data: Float32Array;
}

interface Block {
  q: Weight;
  k: Weight;
  v: Weight;
  o: Weight;
  qBias: Float32Array;
  kBias: Float32Array;
  down: Weight;
}

const copies = 3;

function buildInductionHeads([first, second]: Block[], config: ModelConfig, random: RandomStream): void {
  if (first === undefined || second === undefined) throw new RangeError('Induction heads need two layers');
  const { headDim: hd, hiddenSize: d, ropeTheta } = config;
  const half = hd / 2;
  const frequency = Array.from({ length: half }, (_, i) => ropeTheta ** (-i / half));
  const slow = frequency.flatMap((f, i) => (f < 0.02 ? [i] : []));
  const [basis, copied] = [orthogonal(d, random), orthogonal(d, random)];
  scaleBy(first.o, 0.05);
  scaleBy(first.down, 0.1);
  for (let head = 0; head < copies; head++) {
    const rows = head * hd;
    const p = 2 * rows; // row of the basis where P_h begins; R_h follows it
    for (const weight of [first.q, first.k, second.q, second.k]) scaleRows(weight, rows, hd, 0.1);
    for (let i = 0; i < 4; i++) {
      first.kBias[rows + i] = 6.7;
      first.qBias[rows + i] = 6.7 * Math.cos(frequency[i] as number);
      first.qBias[rows + i + half] = -6.7 * Math.sin(frequency[i] as number);
    }
    for (let i = 0; i < hd; i++)
      for (let j = 0; j < d; j++) {
        put(first.v, rows + i, j, at(basis, p + i, j));
        put(first.o, j, rows + i, 0.1 * at(basis, p + hd + i, j));
        put(second.v, rows + i, j, at(copied, rows + i, j));
        put(second.o, j, rows + i, 1.2 * at(copied, rows + i, j));
      }
    slow.forEach((pair, n) => {
      for (const side of [0, 1])
        for (let j = 0; j < d; j++) {
          put(second.q, rows + pair + side * half, j, 3 * at(basis, p + 2 * n + side, j));
          put(second.k, rows + pair + side * half, j, 3 * at(basis, p + hd + 2 * n + side, j));
        }
    });
  }
}

function matrix(rows: number, columns: number, value: (row: number, column: number) => number): Weight {
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] = value(i, j);
  return { shape: [rows, columns], data };
}

function normal(rows: number, columns: number, deviation: number, random: RandomStream): Weight {
  return matrix(rows, columns, () => deviation * random.normal());
}

function ones(n: number): Weight {
  return { shape: [n], data: new Float32Array(n).fill(1) };
}

/** A random orthogonal matrix: Gram–Schmidt (twice, for accuracy) on the rows of a normal one. */
function orthogonal(n: number, random: RandomStream): Weight {
  const rows = Array.from({ length: n }, () => Float64Array.from({ length: n }, () => random.normal()));
  rows.forEach((row, i) => {
    for (let pass = 0; pass < 2; pass++)
      for (const other of rows.slice(0, i)) {
        const dot = row.reduce((sum, value, j) => sum + value * (other[j] as number), 0);
        for (let j = 0; j < n; j++) row[j] = (row[j] as number) - dot * (other[j] as number);
      }
    const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    for (let j = 0; j < n; j++) row[j] = (row[j] as number) / norm;
  });
  return matrix(n, n, (i, j) => (rows[i] as Float64Array)[j] as number);
}

function at({ shape, data }: Weight, row: number, column: number): number {
  return data[row * (shape[1] as number) + column] as number;
}

function put({ shape, data }: Weight, row: number, column: number, value: number): void {
  data[row * (shape[1] as number) + column] = value;
}

function scaleBy({ data }: Weight, factor: number): void {
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) * factor;
}

function scaleRows({ shape, data }: Weight, from: number, count: number, factor: number): void {
  const columns = shape[1] as number;
  scaleBy({ shape: [count, columns], data: data.subarray(from * columns, (from + count) * columns) }, factor);
}
