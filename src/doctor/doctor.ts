import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Analyser } from '../analysis/analyser.js';
import { findBandit } from '../analysis/external/bandit.js';
import { findClang } from '../analysis/external/clang.js';
import { findCodeql } from '../analysis/external/codeql.js';
import { findCppcheck } from '../analysis/external/cppcheck.js';
import { findGcc } from '../analysis/external/gcc.js';
import { opening } from '../analysis/external/index.js';
import { type AnalyserName, analyserNames, remedies } from '../analysis/external/names.js';
import { probe } from '../analysis/external/probe.js';
import { runProcess } from '../analysis/external/process.js';
import type { Tool } from '../analysis/external/tools.js';
import { SrcodeError } from '../errors.js';
import { Sandbox } from '../sandbox/index.js';

/** One thing that srcode can use. */
export interface Part {
  name: string;
  present: boolean;
  /** Its version or size; where it is not, what is known of why. */
  detail: string;
  /** What srcode does with it. */
  adds: string;
  /** How to have it; only where it is not. */
  remedy?: string;
  /** Checkers of an analyser that this version of it does not have; only where there are such. */
  lacks?: readonly string[];
}

/** Looks for everything that srcode can use on this machine. Nothing is installed, fetched or changed; what is missing is no error. */
export async function examine({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<Part[]> {
  const sandbox = await Sandbox.open().catch((error: Error) => error.message);
  const [addon, gpu, nvcc, ...analysers] = await Promise.all([
    addonPart(),
    gpuPart(signal),
    nvccPart(signal),
    ...analyserNames.map((name) => analyserPart(name, sandbox, signal)),
  ]);
  return [machinePart(), addon, gpu, nvcc, sandboxPart(sandbox), ...analysers];
}

function machinePart(): Part {
  const info = readFileSync('/proc/meminfo', 'utf8');
  const gib = (name: string): string =>
    (Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(info)?.[1]) / 2 ** 20).toFixed(1);
  return {
    name: 'machine',
    present: true,
    detail: `${availableParallelism()} threads, ${isa()} instructions, ${gib('MemAvailable')} of ${gib('MemTotal')} GiB memory free, Node ${process.versions.node}`,
    adds: 'everything runs on it',
  };
}

async function addonPart(): Promise<Part> {
  const part = { name: 'native addon', adds: 'models, tokens and training; analysis goes without' };
  try {
    const { loadAddon } = await import('../native/addon.js');
    return { ...part, present: true, detail: `works, with ${loadAddon().cudaDevices()} CUDA devices` };
  } catch (error) {
    const detail = ((error as Error).message.split('\n')[0] as string).replace(/\.? Tried:$/, '');
    return { ...part, present: false, detail, remedy: 'npm run build:native' };
  }
}

// By what the kernel reports: the levels that the addon has kernels for.
function isa(): string {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
  const levels: [string, string][] = [
    ['amx', 'amx_bf16'],
    ['avx512_bf16', 'avx512_bf16'],
    ['avx512', 'avx512bw'],
    ['avx2', 'avx2'],
  ];
  const here = [...levels.filter(([, flag]) => flags.includes(flag)).map(([level]) => level), 'portable'];
  const forced = process.env.SRCODE_ISA;
  if (!forced) return here[0] as string;
  return here.includes(forced) ? `${forced} (SRCODE_ISA)` : `no ${forced} (SRCODE_ISA), but ${here.join(', ')}`;
}

async function gpuPart(signal: AbortSignal | undefined): Promise<Part> {
  const part = { name: 'GPU', adds: 'training of larger models' };
  const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader'];
  const answer = await runProcess('nvidia-smi', query, { signal });
  if (answer?.status === 0) return { ...part, present: true, detail: answer.stdout.trim().replaceAll('\n', '; ') };
  const detail = answer === undefined ? 'no nvidia-smi' : ((answer.stdout + answer.stderr).trim().split('\n')[0] ?? '');
  return { ...part, present: false, detail, remedy: 'an NVIDIA GPU with its driver' };
}

async function nvccPart(signal: AbortSignal | undefined): Promise<Part> {
  const part = { name: 'nvcc', adds: 'builds the addon for GPUs' };
  const answer = await runProcess('nvcc', ['--version'], { signal });
  const version = /release (\S+),/.exec(answer?.stdout ?? '')?.[1];
  if (version !== undefined) return { ...part, present: true, detail: version };
  return { ...part, present: false, detail: 'not on PATH', remedy: 'the CUDA toolkit' };
}

function sandboxPart(sandbox: Sandbox | string): Part {
  const part = { name: 'sandbox', adds: 'judging programs by running them; compilers as analysers' };
  if (typeof sandbox !== 'string')
    return { ...part, present: true, detail: `${sandbox.isolation}; ${limited(sandbox)}` };
  return {
    ...part,
    present: false,
    detail: sandbox.split('\n')[1]?.trim() ?? sandbox,
    remedy: 'bash scripts/setup installs bubblewrap',
  };
}

function limited({ controlGroups }: Sandbox): string {
  return controlGroups === undefined
    ? 'no control group can be made: the memory of one process is limited, that of a whole run and of its sockets is not'
    : `the memory and processes of a whole run are limited (control groups, version ${controlGroups.version})`;
}

const finders: Readonly<Record<AnalyserName, (sandbox: Sandbox) => Promise<Tool | undefined>>> = {
  ...{ gcc: findGcc, clang: findClang, cppcheck: findCppcheck, codeql: findCodeql, bandit: findBandit },
};
const adds: Readonly<Record<AnalyserName, string>> = {
  gcc: 'heap, null and taint flaws of C (analyze --with gcc); judging programs by running them',
  clang: 'flaws along paths of C and C++: bounds, leaks, values that were never set (--with clang)',
  cppcheck: 'few more flaws of C and C++, seldom a wrong one (--with cppcheck)',
  codeql: 'the queries that the paper evaluates with, for C, C++ and Python (--with codeql)',
  bandit: 'flaws of Python (--with bandit)',
};

// That a program answers says little: with headers missing, or options that it does not know, it finds nothing.
async function analyserPart(
  name: AnalyserName,
  sandbox: Sandbox | string,
  signal: AbortSignal | undefined,
): Promise<Part> {
  const part = { name, adds: adds[name] };
  if (typeof sandbox === 'string') return { ...part, present: false, detail: 'not looked for: it runs in the sandbox' };
  const tool = await finders[name](sandbox);
  if (tool === undefined) return { ...part, present: false, detail: 'not on PATH', remedy: remedies[name] };
  const detail = tool.command === name ? tool.version : `${tool.version} (${tool.command})`;
  if (name === 'codeql')
    return { ...part, present: true, detail: `${detail}, not tried: that would take half a minute` };
  try {
    const analyser = (await opening[name](sandbox)) as Analyser;
    const reason = await probe(analyser, { signal });
    if (reason !== undefined) throw new SrcodeError('ERR_ANALYSER', reason);
    const { lacks = [] } = analyser;
    return { ...part, present: true, detail, ...(lacks.length > 0 ? { lacks } : {}) };
  } catch (error) {
    signal?.throwIfAborted();
    const why = (error as Error).message.trim().split('\n').at(-1);
    return { ...part, present: false, detail: `${detail}, which does not work: ${why}`, remedy: remedies[name] };
  }
}
