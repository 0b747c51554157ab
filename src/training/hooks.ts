import type { Metrics, Notice, StepTime } from '../run/run.js';

/** What a caller may give beside the options of a training program. */
export interface Hooks {
  /**
   * Stops the program: it finishes its step, saves a checkpoint and rejects with the signal's reason.
   */
  signal?: AbortSignal;
  /** Go on from the newest whole checkpoint of the run folder (default false). */
  resume?: boolean;
  onStep?: (step: StepReport) => void;
  /** What a person should know; without it warnings go to `process.emitWarning`. */
  onNotice?: (notice: Notice) => void;
}

export interface StepReport {
  /** Steps done, this one included. */
  step: number;
  steps: number;
  metrics: Metrics;
  time: StepTime;
}

export function noticeOf(hooks: Hooks): (notice: Notice) => void {
  return (
    hooks.onNotice ??
    (({ level, message }) => {
      if (level === 'warn') process.emitWarning(message, 'SrcodeWarning');
    })
  );
}

/** Starts a step's clock; the returned function reads it. */
export function clock(): (tokens: number) => StepTime {
  const start = performance.now();
  return (tokens) => {
    const seconds = (performance.now() - start) / 1000;
    return {
      at: new Date().toISOString(),
      seconds,
      tokensPerSecond: tokens / seconds,
      rssMiB: process.memoryUsage.rss() / 2 ** 20,
    };
  };
}
