import { readFileSync } from 'node:fs';
import { SrcodeError } from '../errors.js';
import { callNative, loadAddon } from '../native/addon.js';

/** What this machine can do at the engine's instruction-set level, at most. */
export interface Machine {
  /** Multiplications and additions a second, in registers alone: the bound of matrix products. */
  flops: number;
  /** Bytes a second of a sum over an array that no cache holds. */
  readBytesPerSecond: number;
  isa: string;
  threads: number;
}

/** `threads` 0: one for each usable CPU. */
export function measureMachine({ dtype, threads }: { dtype: 'bf16' | 'f32'; threads: number }): Promise<Machine> {
  return callNative(() => loadAddon().benchMachine({ dtype, threads }));
}

/** The largest resident set of this process so far. */
export function peakRssMiB(): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Math.round(Number(line?.[1]) / 1024);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** A repeatable stream of integers in [0, below): data for a bench, nothing more. */
export function integers(count: number, below: number, seed: number): Int32Array {
  let state = (seed + 1) * 0x9e3779b9;
  return Int32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * below);
  });
}

/** @throws SrcodeError `ERR_INVALID_ARG` for what is not an integer from `least` on, naming it. */
export function checkCounts(counts: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new SrcodeError('ERR_INVALID_ARG', `Expected ${name} to be an integer ≥ ${least}, received ${value}`);
  }
}
