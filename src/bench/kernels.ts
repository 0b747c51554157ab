import { SrcodeError } from '../errors.js';
import { callNative, loadAddon } from '../native/addon.js';

export interface KernelBenchRow {
  name: string;
  /** The best of several runs. */
  seconds: number;
  /** What a run must read and write, each array once. */
  bytes: number;
  bytesPerSecond: number;
  /** Of the larger bandwidth measured in the same call (`read` or `triad`). */
  shareOfBandwidth: number;
}

/**
 * Times the RL kernels over `tokens` tokens in sequences of 2,048, beside the memory's read and triad (a = b + s c) bandwidth. The arrays
 * take 36 bytes a token; they must not fit into a cache to say anything about memory.
 *
 * @throws SrcodeError `ERR_INVALID_ARG`.
 */
export async function benchKernels(
  options: { tokens?: number | undefined; threads?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<KernelBenchRow[]> {
  const { tokens = 8 << 20, threads = 0, signal } = options;
  if (!Number.isSafeInteger(tokens) || tokens < 2048 || tokens > 2 ** 30) {
    throw new SrcodeError('ERR_INVALID_ARG', `expected tokens to be an integer from 2048 to 2^30, received ${tokens}`);
  }
  const rows = await callNative(() => loadAddon().benchKernels(tokens, threads), signal);
  const speed = (row: { bytes: number; seconds: number }): number => row.bytes / row.seconds;
  const bandwidth = Math.max(...rows.filter(({ name }) => name === 'read' || name === 'triad').map(speed));
  return rows.map((row) => ({ ...row, bytesPerSecond: speed(row), shareOfBandwidth: speed(row) / bandwidth }));
}
