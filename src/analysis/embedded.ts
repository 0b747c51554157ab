import { gathered } from '../gather.js';
import type { Phases } from '../phases.js';
import type { Teacher } from '../teacher/teacher.js';
import type { Analyser } from './analyser.js';
import { engineId } from './analysis.js';
import { analyzeMany, type EngineOutcome, type EngineQuestion } from './many.js';

/** The embedded engine as one analyser among others. */
export const embedded: Analyser = {
  name: 'srcode',
  id: engineId,
  languages: ['c', 'cpp', 'python'],
  async analyze(sources, { signal } = {}) {
    const outcomes = await analyzeMany(sources, { signal });
    // It reads what does not parse, too.
    return outcomes.map((outcome) =>
      outcome.failure === undefined
        ? { findings: outcome.findings, failure: undefined }
        : { findings: [], failure: outcome.failure },
    );
  },
};

const outcomeOf = gathered(
  (asked: readonly { source: EngineQuestion; phases: Phases | undefined }[], signal): Promise<EngineOutcome[]> =>
    analyzeMany(
      asked.map(({ source }) => source),
      { signal, phases: asked[0]?.phases },
    ),
);

/** The engine as a teacher. What is asked at once is analysed by several threads, where that pays. */
export const embeddedTeacher: Teacher = {
  id: engineId,
  byContent: true,
  async judge(code, { language }, { signal, phases } = {}) {
    const outcome = await outcomeOf({ source: { code, language }, phases }, signal);
    // Code that the engine cannot judge must not be better off than code that it finds a flaw in.
    return outcome.failure === undefined
      ? { findings: outcome.findings, spans: outcome.spans, parseOk: outcome.parseOk, idle: outcome.idle, missing: [] }
      : {
          ...{ findings: [], spans: [], parseOk: false, idle: [], missing: [outcome.failure] },
          ...{ silent: true, counts: { unanswered: 1 } },
        };
  },
};
