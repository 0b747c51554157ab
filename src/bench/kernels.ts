import { SrcodeError } from '../errors.js';
import { callNative, loadAddon } from '../native/addon.js';
import { measureMachine, peakRssMiB } from './machine.js';
import type { BenchSize } from './sizes.js';

export interface BenchKernelsOptions {
  /** small: a batch of 8 Mi tokens, 0.5b: of 16 Mi. Default small. */
  size?: BenchSize;
  /** Tokens of the batch, whatever the size. The arrays take 36 bytes a token; in a cache they say nothing about memory. */
  tokens?: number;
  threads?: number;
  signal?: AbortSignal;
}

export interface KernelBenchRow {
  name: string;
  /** The best of several runs. */
  milliseconds: number;
  tokensPerSecond: number;
  /** What a run must read and write, each array once. */
  bytes: number;
  bytesPerSecond: number;
  /** Of the larger bandwidth measured in the same call (`read` or `triad`). */
  bandwidthShare: number;
}

export interface BenchKernelsResult {
  bench: 'kernels';
  tokens: number;
  kernels: KernelBenchRow[];
  machineBytesPerSecond: number;
  peakRssMiB: number;
  isa: string;
  threads: number;
}

/**
 * Times the RL kernels over sequences of 2,048 tokens, beside the memory's read and triad (a = b + s c) bandwidth.
 *
 * @throws SrcodeError `ERR_INVALID_ARG`.
 */
export async function benchKernels(options: BenchKernelsOptions = {}): Promise<BenchKernelsResult> {
  const { size = 'small', threads = 0, signal } = options;
  const { tokens = size === 'small' ? 8 << 20 : 16 << 20 } = options;
  if (!Number.isSafeInteger(tokens) || tokens < 2048 || tokens > 2 ** 30) {
    throw new SrcodeError('ERR_INVALID_ARG', `expected tokens to be an integer from 2048 to 2^30, received ${tokens}`);
  }
  const rows = await callNative(() => loadAddon().benchKernels(tokens, threads), signal);
  const peak = peakRssMiB();
  const speed = (row: { bytes: number; seconds: number }): number => row.bytes / row.seconds;
  const bandwidth = Math.max(...rows.filter(({ name }) => name === 'read' || name === 'triad').map(speed));
  const machine = await measureMachine({ dtype: 'f32', threads });
  return {
    bench: 'kernels',
    tokens,
    kernels: rows.map((row) => ({
      name: row.name,
      milliseconds: 1000 * row.seconds,
      tokensPerSecond: tokens / row.seconds,
      bytes: row.bytes,
      bytesPerSecond: speed(row),
      bandwidthShare: speed(row) / bandwidth,
    })),
    machineBytesPerSecond: bandwidth,
    peakRssMiB: peak,
    isa: machine.isa,
    threads: machine.threads,
  };
}
