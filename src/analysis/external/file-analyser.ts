import { availableParallelism } from 'node:os';
import { inParallel } from '../../parallel.js';
import type { Sandbox, SandboxResult } from '../../sandbox/index.js';
import type { Analyser, Analysis, Language, SourceCode } from '../analyser.js';
import { halving, inGroups } from './groups.js';
import { neutralSource } from './neutral.js';
import { findTool, toolFailed, toolLimits, unguessable } from './tools.js';

/** A program that reads many files in one process, each for itself. */
export interface FileTool {
  /** Also its command. */
  name: string;
  /** Changes whenever a finding may change. */
  rulesVersion: number;
  /** Of names of files, by language. */
  extensions: Partial<Record<Language, string>>;
  /** Before the names of files. */
  flags: readonly string[];
  /** Sources a process, at most. */
  batchSize: number;
  /** Exit statuses that say that the tool itself failed, beside 127. */
  failed: readonly number[];
  /** An analysis for each source; undefined where the tool came to no end. */
  read: (result: SandboxResult, sources: readonly SourceCode[], names: readonly string[]) => Analysis[] | undefined;
}

/** Undefined where it is not, on the sandbox's PATH. */
export async function openFileAnalyser(sandbox: Sandbox, tool: FileTool): Promise<Analyser | undefined> {
  const { name, rulesVersion, extensions, flags, batchSize, failed, read } = tool;
  const found = await findTool(sandbox, [name]);
  if (found === undefined) return undefined;

  const run = async (
    sources: readonly SourceCode[],
    signal: AbortSignal | undefined,
  ): Promise<Analysis[] | undefined> => {
    const names = sources.map(({ language }) => unguessable('source', extensions[language]));
    const result = await sandbox.run({
      argv: [found.command, ...flags, ...names],
      files: Object.fromEntries(sources.map(({ code }, i) => [names[i] as string, code])),
      profile: 'analyser',
      limits: toolLimits,
      signal,
    });
    if (result.status === 127 || failed.some((status) => status === result.status)) throw toolFailed(name, result);
    return read(result, sources, names);
  };
  return {
    name,
    id: `${name} ${found.version} rules ${rulesVersion}`,
    languages: Object.keys(extensions) as Language[],
    async analyze(sources, { signal } = {}) {
      const analyses: Analysis[] = new Array(sources.length);
      const cores = availableParallelism();
      const groups = inGroups(
        [...sources.map(neutralSource).entries()],
        Math.max(Math.ceil(sources.length / batchSize), cores),
      );
      const works = groups.map((group) => async () => {
        const own = group.map(([, source]) => source);
        const done = await halving(own, (half) => run(half, signal));
        for (const [i, [index]] of group.entries()) analyses[index] = done[i] as Analysis;
      });
      await inParallel(works, cores);
      return analyses;
    },
  };
}
