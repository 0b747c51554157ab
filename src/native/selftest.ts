import { SrcodeError } from '../errors.js';
import { callNative, loadAddon } from './addon.js';

/** One comparison: the largest |a - b| / (1 + |b|) over an output of a kernel. */
export interface SelftestRow {
  /** Kernel and output, such as `gae advantages`. */
  name: string;
  shape: string;
  maxError: number;
  tolerance: number;
  ok: boolean;
}

/**
 * Runs every RL kernel of a device over odd shapes: those of the CPU against their definitions in double, one token at a time; those of
 * a GPU against the CPU's.
 *
 * @param options.device `'cpu'` (default) or `'cuda:0'`.
 * @param options.threads of the CPU; default: all that this process may use.
 * @throws SrcodeError `ERR_CUDA` without a GPU, a driver, or CUDA kernels in this build; `ERR_INVALID_ARG`.
 */
export async function selftest(
  options: { device?: string | undefined; threads?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<SelftestRow[]> {
  const { device = 'cpu', threads = 0, signal } = options;
  if (device !== 'cpu' && !/^cuda(:0)?$/.test(device)) {
    throw new SrcodeError('ERR_INVALID_ARG', `expected device to be 'cpu' or 'cuda:0', received '${device}'`);
  }
  return callNative(() => loadAddon().selftestKernels(device === 'cpu' ? 'cpu' : 'cuda', threads), signal);
}
