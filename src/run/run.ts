import { existsSync, lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { differingKeys } from '../config/resolve.js';
import type { ConfigSchema } from '../config/schema.js';
import { SrcodeError } from '../errors.js';
import { checkOwn, checkOwnFiles, io, makeFolder, readInput } from '../files.js';
import { type Checkpoint, damage, discard, listCheckpoints, sweep, writeCheckpoint } from './checkpoint.js';
import { LineLog, writeDurably } from './durable.js';
import { Journal } from './journal.js';
import { lock } from './lock.js';
import { type Machine, recordMachine } from './machine.js';

/** Numbers of one step by path (`train/loss`). Same machine, same config: same numbers. */
export type Metrics = { readonly [path: string]: number };

/** Everything about a step that a clock or the operating system decides, kept apart from {@link Metrics}. */
export interface StepTime {
  at: string;
  seconds: number;
  tokensPerSecond: number;
  rssMiB: number;
  /** Seconds of the step's parts, where it has several. */
  phases?: Readonly<Record<string, number>>;
  /** How often its parts did something. */
  counts?: Readonly<Record<string, number>>;
}

export interface Notice {
  level: 'info' | 'warn';
  message: string;
}

export interface RunOptions<T> {
  program: string;
  schema: ConfigSchema<T>;
  config: T;
  resume: boolean;
  onNotice: (notice: Notice) => void;
}

export interface RunResult {
  /** The run folder. */
  run: string;
  step: number;
  /** The folder of the last checkpoint. */
  checkpoint: string;
  /** True when the run had been finished before: nothing was done. */
  alreadyFinished: boolean;
  /** Measurements before the first step and after the last one. */
  before: Metrics;
  after: Metrics;
}

/** `state.json` of a checkpoint: counters only, since everything random is a function of (seed, step). */
interface State {
  step: number;
  steps: number;
  /** Whole lines of each log; what a clock decides has no place here, so equal runs have equal states. */
  lines: { metrics: number; samples: number };
  /** Hash of the training data, so that a run does not go on with other data. */
  data: string;
}

/**
 * A run folder: config.yaml, machine.json, metrics.jsonl, samples.jsonl, journal.jsonl and checkpoints/step-N, held by a
 * lock that dies with its process. What a checkpoint rests on is durable before the checkpoint gets its name.
 */
export class Run implements Disposable {
  readonly folder: string;
  readonly journal: Journal;
  /** The checkpoint to go on from, or undefined for a start at step 0. */
  readonly checkpoint: Checkpoint | undefined;
  readonly #options: RunOptions<never>;
  readonly #metrics: LineLog;
  readonly #samples: LineLog;
  readonly #unlock: () => void;
  readonly #state: State | undefined;
  #begun: { data: string; steps: number } | undefined;
  #newest: Checkpoint | undefined;

  /**
   * Opens `folder` for `program`, to begin or (with `resume`) to go on from its newest whole checkpoint; log lines past it
   * are cut off. Without a folder or a whole checkpoint a resumed run starts at step 0.
   * @throws ERR_CONFIG when the folder holds a run and `resume` is off, or a run of another configuration;
   *   ERR_LOCKED when another process works in it; ERR_IO when it cannot be written.
   */
  static open<T>(folder: string, options: RunOptions<T>): Run {
    io('create the run folder', folder, () => {
      refuseLinks(folder);
      makeFolder(join(folder, 'checkpoints'));
    });
    const unlock = lock(join(folder, 'lock'));
    try {
      return new Run(folder, options as unknown as RunOptions<never>, unlock);
    } catch (error) {
      unlock();
      throw error;
    }
  }

  private constructor(folder: string, options: RunOptions<never>, unlock: () => void) {
    this.folder = folder;
    this.#options = options;
    this.#unlock = unlock;
    this.#checkConfig();
    sweep(this.#checkpoints);
    this.checkpoint = this.#newestWhole();
    this.#newest = this.checkpoint;
    this.#state = this.checkpoint === undefined ? undefined : readState(this.checkpoint);
    this.#metrics = new LineLog(join(folder, 'metrics.jsonl'));
    this.#samples = new LineLog(join(folder, 'samples.jsonl'));
    this.#metrics.cut(this.#state?.lines.metrics ?? 0);
    this.#samples.cut(this.#state?.lines.samples ?? 0);
    this.journal = new Journal(join(folder, 'journal.jsonl'));
  }

  /** The step of {@link checkpoint}, or 0. */
  get step(): number {
    return this.#state?.step ?? 0;
  }

  /** True when the last step's checkpoint is there: nothing is left to do. */
  get finished(): boolean {
    return this.#state !== undefined && this.#state.step >= this.#state.steps;
  }

  get #checkpoints(): string {
    return join(this.folder, 'checkpoints');
  }

  /**
   * Notes what computes this run in machine.json, and says so once when a resumed run goes on elsewhere. `data` is a hash of what it
   * trains on, `steps` where it ends.
   * @throws ERR_DATA when the data is not what the checkpoint was trained on.
   */
  begin(machine: Machine, data: string, steps: number): void {
    if (this.#state !== undefined && this.#state.data !== data) {
      throw new SrcodeError(
        'ERR_DATA',
        `The training data has changed since ${this.checkpoint?.path}; bring the files back, or start a new run.`,
      );
    }
    this.#begun = { data, steps };
    const moved = recordMachine(join(this.folder, 'machine.json'), this.step, machine);
    if (moved !== undefined) {
      const message = `Resuming on another machine or build (${moved}): results may differ in their last bits.`;
      this.#options.onNotice({ level: 'warn', message });
    }
  }

  /** Appends a line to metrics.jsonl: the time-free values first, what the clock decides under `time`. */
  metrics(step: number, values: Metrics, time: StepTime): void {
    this.#metrics.append(JSON.stringify({ step, ...values, time }));
  }

  /** The values of the metrics line of `step`, or undefined. */
  metricsAt(step: number): Metrics | undefined {
    for (const line of this.#metrics.read().toString('utf8').split('\n')) {
      if (!line.startsWith(`{"step":${step},`)) continue;
      const { step: _, time: __, ...values } = JSON.parse(line);
      return values as Metrics;
    }
    return undefined;
  }

  /** Appends a line to samples.jsonl. */
  sample(row: { step: number; prompt: string; answer: string; [key: string]: unknown }): void {
    this.#samples.append(JSON.stringify(row));
  }

  /**
   * Makes the logs durable, then the checkpoint that `write` fills; then removes the oldest ones beyond `keep` (0: none).
   * @throws ERR_IO when the disk is full, say; the finished checkpoints stay as they are.
   */
  async save(step: number, keep: number, write: (dir: string) => Promise<void>): Promise<Checkpoint> {
    if (this.#begun === undefined) throw new SrcodeError('ERR_INVALID_ARG', 'save needs begin() first');
    this.#metrics.sync();
    this.#samples.sync();
    const lines = { metrics: this.#metrics.lines, samples: this.#samples.lines };
    const state: State = { step, ...this.#begun, lines };
    this.#newest = await writeCheckpoint(this.#checkpoints, step, async (dir) => {
      await write(dir);
      writeDurably(join(dir, 'state.json'), `${JSON.stringify(state, null, 1)}\n`);
    });
    if (keep > 0) for (const old of listCheckpoints(this.#checkpoints).slice(0, -keep)) discard(old.path);
    return this.#newest;
  }

  /** What the run came to: its newest checkpoint, and the measurements before the first step and after the last one. */
  result(alreadyFinished: boolean): RunResult {
    const step = this.#newest?.step ?? 0;
    const checkpoint = this.#newest?.path ?? '';
    const [before, after] = [this.metricsAt(0) ?? {}, this.metricsAt(step) ?? {}];
    return { run: this.folder, step, checkpoint, alreadyFinished, before, after };
  }

  [Symbol.dispose](): void {
    this.#metrics.close();
    this.#samples.close();
    this.journal.close();
    this.#unlock();
  }

  // A folder whose run never took a step (its data was missing, say) is as good as new.
  get #stepped(): boolean {
    const metrics = join(this.folder, 'metrics.jsonl');
    return listCheckpoints(this.#checkpoints).length > 0 || (existsSync(metrics) && statSync(metrics).size > 0);
  }

  #checkConfig(): void {
    const { program, schema, config, resume } = this.#options;
    const file = join(this.folder, 'config.yaml');
    if (!this.#stepped || !existsSync(file)) {
      const header = `# The resolved configuration of this run. To go on with it: srcode train ${program} ${file} --resume\n`;
      writeDurably(file, header + stringify(config));
      return;
    }
    if (!resume) {
      throw new SrcodeError(
        'ERR_CONFIG',
        `${this.folder} already holds a run. Go on with --resume, or choose another --run.`,
      );
    }
    const stored: unknown = parse(readInput(file).toString('utf8'));
    const differing = differingKeys(schema, stored, config);
    if (differing.length > 0) {
      const lines = differing.map((path) => `  ${path}: the run has ${at(stored, path)}, received ${at(config, path)}`);
      const head = `The run in ${this.folder} has another configuration; resume with the flags it was started with`;
      throw new SrcodeError(
        'ERR_CONFIG',
        [`${head} (or: srcode train ${program} ${file} --resume):`, ...lines].join('\n'),
      );
    }
  }

  #newestWhole(): Checkpoint | undefined {
    for (const checkpoint of listCheckpoints(this.#checkpoints).reverse()) {
      const broken = damage(checkpoint);
      if (broken === undefined) return checkpoint;
      this.#options.onNotice({ level: 'warn', message: `Left out ${checkpoint.path}, which is not whole: ${broken}.` });
      discard(checkpoint.path);
    }
    return undefined;
  }
}

/** Every file of a run folder is the run's own: through a link it would overwrite what is elsewhere. */
function refuseLinks(folder: string): void {
  checkOwnFiles(folder, ['config.yaml', 'machine.json', 'metrics.jsonl', 'samples.jsonl', 'journal.jsonl']);
  // Who takes the lock has it under two names for a moment.
  const path = join(folder, 'lock');
  const is = lstatSync(path, { throwIfNoEntry: false });
  if (is?.isFile() === false) checkOwn(path, is);
  const checkpoints = join(folder, 'checkpoints');
  const within = existsSync(checkpoints) ? listCheckpoints(checkpoints).map(({ path }) => path) : [];
  for (const path of [checkpoints, ...within])
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
      throw new SrcodeError('ERR_IO', `Cannot write ${path}: it is a link. Remove it, or choose another --run`);
}

function readState({ path }: Checkpoint): State {
  const file = join(path, 'state.json');
  return JSON.parse(readInput(file).toString('utf8')) as State;
}

function at(config: unknown, path: string): string {
  const value = path
    .split('.')
    .reduce<unknown>((tree, key) => (tree as { [key: string]: unknown } | null)?.[key], config);
  return JSON.stringify(value ?? null);
}
