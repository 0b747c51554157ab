import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Phases } from '../phases.js';
import { WorkerPool } from '../worker-pool.js';
import { type Analysis, analyze, type EngineCost, type Language, loadEngine } from './analysis.js';
import { parserMemory } from './syntax/cursor.js';

/** Code for the engine; UTF-8. */
export interface EngineQuestion {
  code: Uint8Array;
  language: Language;
}

/** What the engine says of a source, or why it came to no end. */
export type EngineOutcome = (Analysis & { failure?: undefined }) | { failure: string };

interface Measured {
  outcome: EngineOutcome;
  cost: EngineCost;
  /** Bytes that the parser of the thread holds, and keeps. */
  memory: number;
}

// Milliseconds that the engine is at work before threads are started: starting them, and warming them up, takes about as long.
const worthThreads = 1000;
// Some hundred times what a large file takes.
const seconds = 60;
// What the parser takes for some megabytes of code that people write. Hostile code makes it take half a gigabyte.
const worthKeeping = 128 * 2 ** 20;

const script = new URL('./engine-worker.js', import.meta.url);
let pool: WorkerPool<EngineQuestion, Measured> | undefined;
let spent = 0;

/**
 * Analyses sources, an outcome for each, in order. Once the engine has been at work for a second, one thread a core goes on: a source that
 * takes a thread longer than a minute, or that the engine fails on, is a failure there, and spoils no other. `phases` gets the seconds of
 * all threads together: `parse`, `walk`, `credit`.
 * @throws ERR_IO where the grammar is not to be found; `signal`'s reason when it is aborted.
 */
export async function analyzeMany(
  sources: readonly EngineQuestion[],
  { signal, phases }: { signal?: AbortSignal | undefined; phases?: Phases | undefined } = {},
): Promise<EngineOutcome[]> {
  await loadEngine(sources.map(({ language }) => language));
  const taken = ({ outcome, cost }: Measured): EngineOutcome => {
    for (const [part, seconds] of Object.entries(cost)) phases?.add(part, seconds);
    return outcome;
  };
  const outcomes: EngineOutcome[] = [];
  while (outcomes.length < sources.length && pool === undefined) {
    signal?.throwIfAborted();
    const began = performance.now();
    outcomes.push(taken(measured(sources[outcomes.length] as EngineQuestion)));
    spent += performance.now() - began;
    if (spent > worthThreads && availableParallelism() > 1 && isCompiled())
      pool = new WorkerPool(script, {
        size: availableParallelism(),
        seconds,
        isSpent: ({ memory }: Measured) => memory > worthKeeping,
      });
  }
  // A buffer of Node's may be a part of a larger one, which would be copied whole.
  const left = sources.slice(outcomes.length).map(({ code, language }) => ({ code: new Uint8Array(code), language }));
  if (pool === undefined || left.length === 0) return outcomes;
  const answers = await pool.ask(left, { signal });
  const ended = answers.map(({ answer, failure }) =>
    answer === undefined ? { failure: `the engine came to no end: ${failure}` } : taken(answer),
  );
  return [...outcomes, ...ended];
}

/** One source, in this thread; the engine has been loaded. */
export function measured({ code, language }: EngineQuestion): Measured {
  const cost: EngineCost = { parse: 0, walk: 0, credit: 0 };
  try {
    return { outcome: analyze(code, { language }, cost), cost, memory: parserMemory() };
  } catch (error) {
    return {
      outcome: { failure: `the engine failed: ${(error as Error).message}` },
      cost,
      memory: parserMemory(),
    };
  }
}

/** Threads load the compiled script only; what runs from TypeScript has none. */
function isCompiled(): boolean {
  return existsSync(fileURLToPath(script));
}
