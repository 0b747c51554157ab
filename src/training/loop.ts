import type { CommonConfig } from '../config/common.js';
import type { Metrics, Run, RunResult, StepTime } from '../run/run.js';
import { clock, type Hooks, noticeOf } from './hooks.js';
import { learningRate } from './schedule.js';

type LoopConfig = Pick<CommonConfig, 'lr' | 'schedule' | 'evalEvery' | 'checkpointEvery' | 'keepCheckpoints'>;

/** What one step says of itself. */
export interface Learned {
  loss: number;
  accuracy?: number;
  gradNorm: number;
  /** Tokens computed. */
  tokens: number;
  /** Nothing was updated. */
  skipped: boolean;
  /** Why, where it is not that the gradients were not finite. */
  skippedBecause?: string;
  /** What else there is to log. */
  metrics?: Metrics;
  /** Seconds of its parts. */
  phases?: StepTime['phases'];
  counts?: StepTime['counts'];
}

/** What a program does at each place of the loop. */
export interface Work {
  /** The optimiser step number `step` (from 0): a function of (config, step) and the state so far. */
  learn: (step: number, lr: number) => Promise<Learned>;
  /** The held-back measurements after `step` steps. */
  measure: (step: number) => Promise<Metrics>;
  /** What the memory of a step was planned for. */
  memory: () => Promise<readonly { name: string; bytes: number }[]>;
  /** Writes weights and optimiser into the folder of a checkpoint. */
  save: (dir: string) => Promise<void>;
}

/**
 * The loop that all programs share: learn, measure where it is due, log, save where it is due, stop where it is asked. A step is never
 * given up half way, and what is logged is durable before the checkpoint that counts on it; so any kill can be resumed from.
 */
export async function trainLoop(
  run: Run,
  steps: number,
  config: LoopConfig,
  hooks: Hooks,
  work: Work,
): Promise<RunResult> {
  const { signal, onStep } = hooks;
  if (run.step === 0) {
    const timed = clock();
    run.metrics(0, await work.measure(0), timed(0));
  }
  for (let step = run.step; step < steps; ) {
    const timed = clock();
    const lr = learningRate(config.lr, config.schedule, step, steps);
    const learned = await work.learn(step, lr);
    const time = { ...timed(learned.tokens), ...partsOf(learned) };
    if (step === run.step) noticeOf(hooks)({ level: 'info', message: describeMemory(await work.memory()) });
    step++;
    const last = step === steps;
    if (learned.skipped) {
      const why = learned.skippedBecause ?? `its gradient was not finite (norm ${learned.gradNorm})`;
      const message = `Step ${step} changed nothing: ${why}.`;
      noticeOf(hooks)({ level: 'warn', message });
    }
    const measured = last || isDue(step, config.evalEvery) ? await work.measure(step) : {};
    const metrics = { ...named(learned, lr), ...measured };
    run.metrics(step, metrics, time);
    onStep?.({ step, steps, metrics, time });
    const stopping = signal?.aborted === true && !last;
    if (last || stopping || isDue(step, config.checkpointEvery)) {
      const { path } = await run.save(step, config.keepCheckpoints, work.save);
      if (stopping) noticeOf(hooks)({ level: 'info', message: `Saved ${path}; --resume goes on from it.` });
    }
    if (stopping) throw signal.reason;
  }
  return run.result(false);
}

function partsOf({ phases, counts }: Learned): Pick<StepTime, 'phases' | 'counts'> {
  return { ...(phases && { phases }), ...(counts && { counts }) };
}

/** "memory of a step: 278 MiB (gate and up 64, q, k, v 36, …)", largest first. */
function describeMemory(regions: readonly { name: string; bytes: number }[]): string {
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 1 : 0);
  const total = regions.reduce((sum, { bytes }) => sum + bytes, 0);
  const largest = regions.toSorted((a, b) => b.bytes - a.bytes).slice(0, 5);
  const parts = largest.map(({ name, bytes }) => `${name} ${mebibytes(bytes)}`).join('; ');
  return `memory of a step: ${mebibytes(total)} MiB (${parts}${regions.length > largest.length ? '; …' : ''})`;
}

export function isDue(step: number, every: number | null): boolean {
  return every !== null && step % every === 0;
}

function named({ loss, accuracy, gradNorm, tokens, skipped, metrics }: Learned, lr: number): Metrics {
  return {
    'train/loss': loss,
    ...(accuracy === undefined ? {} : { 'train/accuracy': accuracy }),
    'train/grad_norm': gradNorm,
    'train/lr': lr,
    'train/tokens': tokens,
    'train/skipped': Number(skipped),
    ...metrics,
  };
}
