import { createHash } from 'node:crypto';
import { contentKey } from '../analysis/result-store.js';
import { together } from '../concurrent.js';
import { SrcodeError } from '../errors.js';
import type { Phases } from '../phases.js';
import type { Journal } from '../run/journal.js';
import type { JudgeOptions, Teacher, Verdict } from '../teacher/teacher.js';
import type { Judgement, Sample, Task, TaskPrompt } from './task.js';

/** Samples asked about between two writes to the journal: what a kill can lose. */
const batch = 64;

/**
 * Asks a teacher and a task's judge, each question once: equal answers to a prompt share their verdict, equal programs that of a teacher who
 * looks at nothing else, and what the journal knows is not asked again. So a resumed run sees what it saw.
 */
export class Verdicts<P extends TaskPrompt = TaskPrompt> {
  readonly task: Task<P>;
  readonly teacher: Teacher;
  readonly #journal: Pick<Journal, 'lookup' | 'recordAll'>;

  /** `teacher` takes the place of the task's own. */
  constructor(
    task: Task<P>,
    journal: Pick<Journal, 'lookup' | 'recordAll'> = inMemory(),
    teacher: Teacher = task.teacher,
  ) {
    this.task = task;
    this.teacher = teacher;
    this.#journal = journal;
  }

  /** The teacher's verdicts on the samples' programs; spans are bytes of {@link Task.program}. */
  async teach(samples: readonly Sample<P>[], { signal, phases }: JudgeOptions = {}): Promise<Verdict[]> {
    const { teacher, task } = this;
    const { language } = task;
    const keyOf = (sample: Sample<P>): string =>
      teacher.byContent
        ? contentKey('verdict', teacher.id, language, task.program(sample).code)
        : answerKey(task, ['teacher', teacher.id], sample);
    return this.#ask(samples, keyOf, phases, (asked) =>
      together(asked, signal, (sample, signal) =>
        teacher.judge(task.program(sample).code, { language, task: sample.prompt }, { signal, phases }),
      ),
    );
  }

  /**
   * What running the samples' programs showed, or undefined where the task has no judge.
   * @throws ERR_HARNESS when more than one sample, and more than a twentieth of all, could not be judged: nothing of those is kept.
   */
  async judge(
    samples: readonly Sample<P>[],
    { attack, signal, phases }: JudgeOptions & { attack: boolean },
  ): Promise<Judgement[] | undefined> {
    if (this.task.judge === undefined) return undefined;
    const judge = this.task.judge.bind(this.task);
    const id = (await this.task.judgeId?.()) ?? '';
    const keyOf = (sample: Sample<P>): string =>
      answerKey(this.task, ['judge', id, attack ? 'attack' : 'functional'], sample);
    const most = Math.max(1, samples.length / 20);
    let failed = 0;
    return this.#ask(samples, keyOf, phases, async (asked) => {
      const judgements = await judge(asked, { attack, ...(signal ? { signal } : {}) });
      const unjudged = judgements.filter((judgement) => judgement.unjudged !== undefined);
      failed += unjudged.length;
      if (failed > most) {
        throw new SrcodeError(
          'ERR_HARNESS',
          `${failed} of ${samples.length} answers could not be judged (${unjudged[0]?.unjudged}): ` +
            'the tests fail here, whatever the answers are. srcode doctor shows what is missing; --resume goes on from the last checkpoint.',
        );
      }
      return judgements;
    });
  }

  async #ask<T>(
    samples: readonly Sample<P>[],
    keyOf: (sample: Sample<P>) => string,
    phases: Phases | undefined,
    ask: (samples: Sample<P>[]) => Promise<T[]>,
  ): Promise<T[]> {
    const keys = samples.map(keyOf);
    const open = new Map<string, Sample<P>>();
    for (const [i, key] of keys.entries()) {
      if (this.#journal.lookup(key) === undefined) open.set(key, samples[i] as Sample<P>);
    }
    const entries = [...open];
    phases?.count('asked', entries.length);
    phases?.count('known', samples.length - entries.length);
    for (let at = 0; at < entries.length; at += batch) {
      const asked = entries.slice(at, at + batch);
      const answers = await ask(asked.map(([, sample]) => sample));
      this.#journal.recordAll(asked.map(([key], i) => [key, answers[i]] as const));
    }
    return keys.map((key) => this.#journal.lookup(key) as T);
  }
}

function answerKey(
  task: { name: string; version: string },
  kind: readonly string[],
  { prompt, answer }: Sample,
): string {
  const about = JSON.stringify([task.name, task.version, ...kind, prompt.id]);
  return createHash('sha256').update(about).update('\0').update(answer).digest('hex');
}

function inMemory(): Pick<Journal, 'lookup' | 'recordAll'> {
  const answers = new Map<string, unknown>();
  return {
    lookup: (key) => answers.get(key),
    recordAll: (recorded) => {
      for (const [key, value] of recorded) answers.set(key, value);
    },
  };
}
