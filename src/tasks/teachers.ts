import { embeddedTeacher } from '../analysis/embedded.js';
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
}

/**
 * A teacher by name, or several as one:
 * `task` (the task's own), `embedded`, `family`, `replay:FILE`, `llm:MODEL@URL`.
 * @throws ERR_CONFIG for another name.
 */
export async function teacherOf(names: string | readonly string[], options: TeacherOptions = {}): Promise<Teacher> {
  const list = typeof names === 'string' ? [names] : names;
  const { store = inMemory(), llm = llmSchema.parse({}), ensemble = ensembleSchema.parse({}) } = options;
  const budget = new Budget(llm, store);
  const members = await Promise.all(list.map((name) => member(name, { own: options.own, llm, store, budget })));
  const [only] = members;
  const teacher = members.length === 1 && only !== undefined ? only : ensembleTeacher(members, ensemble);
  return list.some((name) => name.startsWith('llm:')) ? recorded(teacher, store) : teacher;
}

interface Means {
  own: Teacher | undefined;
  llm: LlmConfig;
  store: AnswerStore;
  budget: Budget;
}

async function member(name: string, { own, llm, store, budget }: Means): Promise<Teacher> {
  if (name === 'task' && own !== undefined) return own;
  if (name === 'family') return (await import('./family/teacher.js')).familyTeacher;
  if (name === 'embedded') return embeddedTeacher;
  const [, kind, rest = ''] = /^(replay|llm):(.+)$/s.exec(name) ?? [];
  if (kind === 'replay') return replayTeacher(rest);
  const [, model, baseUrl] = /^(.+)@(https?:.+)$/.exec(rest) ?? [];
  if (kind === 'llm' && model !== undefined && baseUrl !== undefined) {
    return llmTeacher(new LlmClient({ model, baseUrl }, llm, { store, budget }));
  }
  const known = [...(own === undefined ? [] : ['task']), 'embedded', 'family', 'replay:FILE', 'llm:MODEL@URL'];
  throw new SrcodeError('ERR_CONFIG', `teacher: expected one of ${known.join(', ')}, received ${JSON.stringify(name)}`);
}
