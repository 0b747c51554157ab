import { RandomStream } from '../dataset/random.js';
import { SrcodeError } from '../errors.js';
import type { Difference, Estimate } from './estimate.js';

/** What one answer scored. Several answers to a prompt, and answers of several training seeds, are not independent of each other. */
export interface Row {
  prompt: string;
  /** The training seed that the answer's policy comes from. */
  seed: number;
  value: number;
}

// The standard normal's 97.5th percentile.
const z = 1.959963984540054;

/**
 * The share `successes / n` with Wilson's score interval, which needs no resampling and holds near 0 and 1. Nothing measured (n = 0) gives
 * the value NaN, anywhere in [0, 1].
 */
export function wilson(successes: number, n: number): Estimate {
  if (!Number.isInteger(n) || !(successes >= 0 && successes <= n)) {
    throw invalid(`a share needs 0 <= successes <= n, received ${successes} of ${n}`);
  }
  if (n === 0) return { value: Number.NaN, low: 0, high: 1, n };
  const p = successes / n;
  const centre = p + z ** 2 / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2));
  const scale = 1 + z ** 2 / n;
  // At p = 0 and 1 the bound is p itself but for rounding.
  return {
    value: p,
    low: Math.max(0, Math.min(p, (centre - half) / scale)),
    high: Math.min(1, Math.max(p, (centre + half) / scale)),
    n,
  };
}

/**
 * The mean of `rows` with a percentile bootstrap interval, clustered by prompt and, where there are several, by training seed.
 * `seed` is the resampling's own.
 */
export function bootstrapMean(rows: readonly Row[], seed: number): Estimate {
  const table = tabulate(rows);
  return { ...bootstrap(table, (weights) => weightedMean(table.cells, weights), seed), n: table.prompts.length };
}

/**
 * A rate of 0/1 rows: Wilson's interval where the rows are independent (a seed, one row a prompt), else {@link bootstrapMean}.
 */
export function rate(rows: readonly Row[], seed: number): Estimate {
  const { prompts, seeds } = tabulate(rows);
  if (seeds.length > 1 || rows.length > prompts.length) return bootstrapMean(rows, seed);
  return wilson(
    rows.reduce((sum, { value }) => sum + value, 0),
    rows.length,
  );
}

/**
 * Mean of `arm` minus mean of `control`, paired: both have rows for the same prompts and seeds. The interval is a percentile bootstrap that draws
 * training seeds (where there are several) and prompts anew, each prompt with all that belongs to it. Prompts and seeds are crossed, so that
 * the two are drawn independently of each other (Owen, "The pigeonhole bootstrap", 2007): drawing prompts within each seed would take
 * one prompt in five seeds for five prompts. It is conservative: the noise of a single answer counts up to three times where there are several seeds.
 * @throws ERR_DATA when the arms' prompts or seeds differ.
 */
export function pairedDifference(arm: readonly Row[], control: readonly Row[], seed: number): Difference {
  const [a, b] = [tabulate(arm), tabulate(control)];
  const lacking = [...a.keys].find((key) => !b.keys.has(key)) ?? [...b.keys].find((key) => !a.keys.has(key));
  if (lacking !== undefined) {
    const [seed, prompt] = JSON.parse(lacking) as [number, string];
    throw new SrcodeError(
      'ERR_DATA',
      `A paired comparison needs the same prompts and seeds on both sides: only ${a.keys.has(lacking) ? 'the arm' : 'the control'} has prompt ${prompt} with seed ${seed}. Evaluate both on the same prompts.`,
    );
  }
  const statistic = (weights: Weights): number => weightedMean(a.cells, weights) - weightedMean(b.cells, weights);
  const seeds = a.seeds.length;
  return {
    ...bootstrap(a, statistic, seed),
    n: a.prompts.length,
    seeds,
    covers: seeds > 1 ? 'prompts and seeds' : 'prompts',
  };
}

/** The unbiased estimate of pass@k from `n` samples of which `correct` pass: 1 − C(n − correct, k) / C(n, k). */
export function passAtK(n: number, correct: number, k: number): number {
  if (![n, correct, k].every(Number.isInteger) || !(correct >= 0 && correct <= n && k >= 1 && k <= n)) {
    throw invalid(`pass@k needs 0 <= correct <= n and 1 <= k <= n, received n ${n}, correct ${correct}, k ${k}`);
  }
  let allFail = 1;
  for (let i = n - correct + 1; i <= n; i++) allFail *= Math.max(0, 1 - k / i);
  return 1 - allFail;
}

interface Cell {
  sum: number;
  count: number;
}

/** Rows by seed and prompt. Both are in sorted order, so that the order of the rows decides nothing. */
interface Table {
  seeds: number[];
  prompts: string[];
  /** The seeds and prompts that occur together. */
  keys: Set<string>;
  /** [seeds][prompts]; undefined where a seed has no row of a prompt. */
  cells: (Cell | undefined)[][];
}

function tabulate(rows: readonly Row[]): Table {
  if (rows.length === 0) throw invalid('no rows to estimate from');
  const bad = rows.find(({ value }) => !Number.isFinite(value));
  if (bad !== undefined) throw invalid(`prompt ${bad.prompt} with seed ${bad.seed} has the value ${bad.value}`);
  const seeds = [...new Set(rows.map((row) => row.seed))].sort((a, b) => a - b);
  const prompts = [...new Set(rows.map((row) => row.prompt))].sort();
  const seedAt = new Map(seeds.map((seed, i) => [seed, i]));
  const promptAt = new Map(prompts.map((prompt, i) => [prompt, i]));
  const cells: (Cell | undefined)[][] = seeds.map(() => Array.from(prompts, () => undefined));
  const keys = new Set<string>();
  for (const { seed, prompt, value } of rows) {
    const line = cells[seedAt.get(seed) as number] as (Cell | undefined)[];
    const at = promptAt.get(prompt) as number;
    const cell = line[at] ?? { sum: 0, count: 0 };
    line[at] = { sum: cell.sum + value, count: cell.count + 1 };
    keys.add(JSON.stringify([seed, prompt]));
  }
  return { seeds, prompts, keys, cells };
}

/** How many times each seed and each prompt was drawn. */
interface Weights {
  seeds: Uint32Array;
  prompts: Uint32Array;
}

function weightedMean(cells: Table['cells'], { seeds, prompts }: Weights): number {
  let [sum, count] = [0, 0];
  for (const [s, line] of cells.entries()) {
    const drawn = seeds[s] as number;
    if (drawn === 0) continue;
    for (let p = 0; p < line.length; p++) {
      const cell = line[p];
      if (cell === undefined) continue;
      const weight = drawn * (prompts[p] as number);
      sum += weight * cell.sum;
      count += weight * cell.count;
    }
  }
  return sum / count;
}

const resamples = 10_000;

function bootstrap(
  { seeds, prompts }: Table,
  statistic: (weights: Weights) => number,
  seed: number,
): Pick<Estimate, 'value' | 'low' | 'high'> {
  const random = new RandomStream(seed, 0);
  const weights = { seeds: new Uint32Array(seeds.length).fill(1), prompts: new Uint32Array(prompts.length).fill(1) };
  const value = statistic(weights);
  const drawn: number[] = [];
  while (drawn.length < resamples) {
    if (seeds.length > 1) draw(weights.seeds, random);
    draw(weights.prompts, random);
    const replicate = statistic(weights);
    // The drawn seeds may have no row of the drawn prompts where the table has holes.
    if (!Number.isNaN(replicate)) drawn.push(replicate);
  }
  const sorted = Float64Array.from(drawn).sort();
  return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

/** Draws as many of 0 … n-1 as there are, with replacement, and counts each. */
function draw(counts: Uint32Array, random: RandomStream): void {
  counts.fill(0);
  for (let i = 0; i < counts.length; i++) {
    const j = random.below(counts.length);
    counts[j] = (counts[j] as number) + 1;
  }
}

function quantile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(position)] as number, sorted[Math.ceil(position)] as number];
  return low + (high - low) * (position - Math.floor(position));
}

function invalid(message: string): SrcodeError {
  return new SrcodeError('ERR_INVALID_ARG', `Statistics: ${message}`);
}
