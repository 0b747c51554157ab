import type { Analyser } from '../analysis/analyser.js';
import { analyserTeacher } from '../analysis/analyser-teacher.js';
import { embeddedTeacher } from '../analysis/embedded.js';
import { type AnalyserName, analyserNames } from '../analysis/external/names.js';
import { type EnsembleConfig, ensembleSchema } from '../config/ensemble.js';
import { type LlmConfig, llmSchema } from '../config/llm.js';
import { SrcodeError } from '../errors.js';
import { type AnswerStore, Budget, inMemory, LlmClient } from '../llm/index.js';
import { ensembleTeacher } from '../teacher/ensemble.js';
import { llmTeacher } from '../teacher/llm.js';
import { recorded, replayTeacher } from '../teacher/replay.js';
import type { Teacher } from '../teacher/teacher.js';

export interface TeacherOptions {
  /** What `task` stands for: the teacher of a task. */
  own?: Teacher | undefined;
  /** Where answers of language models, and verdicts on them, are kept; default memory. */
  store?: AnswerStore | undefined;
  llm?: LlmConfig | undefined;
  ensemble?: EnsembleConfig | undefined;
  /** Lets compilers read programs even where no isolation works. */
  unsafe?: boolean | undefined;
}

/**
 * A teacher by name, or several as one:
 * `task` (the task's own), `embedded`, `family`, `replay:FILE`, `llm:MODEL@URL`; and beside one of these, which credit code,
 * `gcc`, `clang`, `cppcheck`, `codeql`, `bandit`, which only find flaws.
 * @throws ERR_CONFIG for another name; ERR_ANALYSER for a program that is not on PATH; ERR_SANDBOX where it needs isolation and none works.
 */
export async function teacherOf(names: string | readonly string[], options: TeacherOptions = {}): Promise<Teacher> {
  const list = typeof names === 'string' ? [names] : names;
  const { store = inMemory(), llm = llmSchema.parse({}), ensemble = ensembleSchema.parse({}) } = options;
  const budget = new Budget(llm, store);
  if (list.every(isAnalyser)) {
    throw new SrcodeError(
      'ERR_CONFIG',
      `teacher: ${list.join(', ')} credit nothing, they only find flaws; name one beside them that does, such as embedded`,
    );
  }
  const analysers = await analysersOf(list.filter(isAnalyser), options.unsafe);
  const means: Means = { own: options.own, llm, store, budget, analysers };
  const members = await Promise.all(list.map((name) => member(name, means)));
  const [only] = members;
  const teacher = members.length === 1 && only !== undefined ? only : ensembleTeacher(members, ensemble);
  return list.some((name) => name.startsWith('llm:')) ? recorded(teacher, store) : teacher;
}

interface Means {
  own: Teacher | undefined;
  llm: LlmConfig;
  store: AnswerStore;
  budget: Budget;
  analysers: readonly Analyser[];
}

const isAnalyser = (name: string): name is AnalyserName => analyserNames.some((known) => known === name);

async function analysersOf(names: readonly AnalyserName[], unsafe = false): Promise<Analyser[]> {
  return names.length === 0 ? [] : (await import('../analysis/external/index.js')).openAnalysers(names, { unsafe });
}

async function member(name: string, { own, llm, store, budget, analysers }: Means): Promise<Teacher> {
  if (name === 'task' && own !== undefined) return own;
  if (name === 'family') return (await import('./family/teacher.js')).familyTeacher;
  if (name === 'embedded') return embeddedTeacher;
  const analyser = analysers.find((one) => one.name === name);
  if (analyser !== undefined) return analyserTeacher(analyser);
  const [, kind, rest = ''] = /^(replay|llm):(.+)$/s.exec(name) ?? [];
  if (kind === 'replay') return replayTeacher(rest);
  const [, model, baseUrl] = /^(.+)@(https?:.+)$/.exec(rest) ?? [];
  if (kind === 'llm' && model !== undefined && baseUrl !== undefined) {
    return llmTeacher(new LlmClient({ model, baseUrl }, llm, { store, budget }));
  }
  const known = [
    ...(own === undefined ? [] : ['task']),
    'embedded',
    'family',
    ...analyserNames,
    'replay:FILE',
    'llm:MODEL@URL',
  ];
  throw new SrcodeError('ERR_CONFIG', `teacher: expected one of ${known.join(', ')}, received ${JSON.stringify(name)}`);
}
