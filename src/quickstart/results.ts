import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { io, makeFolder, readInput } from '../files.js';
import { writeDurably } from '../run/durable.js';

/**
 * What a run has measured so far, one JSON file a result, kept with a hash of what was asked: a run that is started again measures only
 * what is missing, or what would now be another question.
 */
export class Results {
  readonly #folder: string;
  /** Part of every question. */
  readonly #about: unknown;
  readonly #seconds: Map<string, number> = new Map();

  constructor(folder: string, about: unknown) {
    this.#folder = folder;
    this.#about = about;
    io('create', folder, () => makeFolder(folder));
  }

  /** Name and duration of each result so far, in order. */
  get phases(): { name: string; seconds: number }[] {
    return [...this.#seconds].map(([name, seconds]) => ({ name, seconds }));
  }

  /** The result of that name: the one that is kept, if it answers this question, else what `work` makes. */
  async get<T>(name: string, question: unknown, work: () => Promise<T>): Promise<T> {
    const file = join(this.#folder, `${name}.json`);
    const key = this.#key(question);
    const known = existsSync(file) ? parse<T>(readInput(file).toString('utf8')) : undefined;
    if (known?.key === key) {
      this.#seconds.set(name, known.seconds);
      return known.value;
    }
    const start = performance.now();
    const value = await work();
    const seconds = (performance.now() - start) / 1000;
    io('write', file, () => writeDurably(file, `${JSON.stringify({ key, seconds, value })}\n`));
    this.#seconds.set(name, seconds);
    return value;
  }

  /**
   * As {@link get}, for a training that keeps its checkpoints in `folder`: one that was broken off is gone on with, and what another
   * question left there makes room.
   */
  async train<T>(name: string, folder: string, question: unknown, work: () => Promise<T>): Promise<T> {
    return this.get(name, question, async () => {
      const begun = join(this.#folder, `${name}.begun`);
      const key = this.#key(question);
      const same = existsSync(begun) && readInput(begun).toString('utf8') === key;
      if (!same) {
        io('remove', folder, () => rmSync(folder, { recursive: true, force: true }));
        io('write', begun, () => writeDurably(begun, key));
      }
      return await work();
    });
  }

  #key(question: unknown): string {
    return createHash('sha256')
      .update(JSON.stringify([this.#about, question]))
      .digest('hex');
  }
}

interface Kept<T> {
  key: string;
  seconds: number;
  value: T;
}

// A file that was cut off, or that is none of ours, is no result.
function parse<T>(text: string): Kept<T> | undefined {
  try {
    return JSON.parse(text) as Kept<T>;
  } catch {
    return undefined;
  }
}
