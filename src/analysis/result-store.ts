import { createHash } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { io, makeFolder, readInput } from '../files.js';
import type { Phases } from '../phases.js';
import type { Teacher, Verdict } from '../teacher/teacher.js';
import type { Analyser, Analysis } from './analyser.js';

/** Results by what they were made from: in memory, and in a folder where one is given. Values are JSON. */
export class ResultStore<T> {
  readonly #folder: string | undefined;
  readonly #known = new Map<string, string>();

  /** @param folder made when the first result is kept; processes may share it. */
  constructor(folder?: string) {
    this.#folder = folder;
  }

  get(key: string): T | undefined {
    const json = this.#known.get(key) ?? this.#read(key);
    if (json === undefined) return undefined;
    this.#known.set(key, json);
    return JSON.parse(json) as T;
  }

  set(key: string, value: T): void {
    const json = JSON.stringify(value);
    this.#known.set(key, json);
    if (this.#folder === undefined) return;
    const path = this.#path(this.#folder, key);
    io('write', path, () => {
      makeFolder(dirname(path));
      // Whole or not at all; two processes that write it write the same.
      const beside = `${path}.${process.pid}`;
      rmSync(beside, { force: true });
      writeFileSync(beside, json, { flag: 'wx' });
      renameSync(beside, path);
    });
  }

  #read(key: string): string | undefined {
    if (this.#folder === undefined) return undefined;
    try {
      const json = readInput(this.#path(this.#folder, key)).toString('utf8');
      JSON.parse(json);
      return json;
    } catch {
      // It is not there, or was torn by a power cut: made again, it is written again.
      return undefined;
    }
  }

  #path(folder: string, key: string): string {
    return join(folder, key.slice(0, 2), `${key.slice(2)}.json`);
  }
}

/** The key of a result: a hash over its makers and material, none of which can run into the next. */
export function contentKey(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex');
}

/**
 * An analyser that looks into the store first, and is asked once where several sources are the same. Failures are not kept. `phases` counts
 * sources that were `asked` about and that were `known`.
 */
export function stored(analyser: Analyser, store: ResultStore<Analysis>, phases?: Phases): Analyser {
  const { name, id, languages } = analyser;
  return {
    ...{ name, id, languages },
    async analyze(sources, options) {
      const keys = sources.map(({ code, language }) => contentKey(id, language, code));
      const sourceOf = new Map(keys.map((key, i) => [key, sources[i] as (typeof sources)[number]]));
      const results = new Map(keys.map((key) => [key, store.get(key)]));
      const missing = [...sourceOf].filter(([key]) => results.get(key) === undefined);
      const asked = missing.map(([, source]) => source);
      phases?.count('asked', asked.length);
      phases?.count('known', sources.length - asked.length);
      const made = asked.length > 0 ? await analyser.analyze(asked, options) : [];
      for (const [i, [key]] of missing.entries()) {
        const analysis = made[i] as Analysis;
        results.set(key, analysis);
        if (analysis.failure === undefined) store.set(key, analysis);
      }
      return keys.map((key) => structuredClone(results.get(key) as Analysis));
    },
  };
}

/** The same of a teacher. One who looks at more than the code is given back as it is: what it says belongs to its question. */
export function storedTeacher(teacher: Teacher, store: ResultStore<Verdict>, phases?: Phases): Teacher {
  if (!teacher.byContent) return teacher;
  return {
    ...teacher,
    async judge(code, about, options) {
      const key = contentKey('verdict', teacher.id, about.language, code);
      const known = store.get(key);
      phases?.count(known === undefined ? 'asked' : 'known', 1);
      if (known !== undefined) return known;
      const verdict = await teacher.judge(code, about, options);
      if (!verdict.counts?.unanswered) store.set(key, verdict);
      return verdict;
    },
  };
}
