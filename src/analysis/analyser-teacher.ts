import { SrcodeError } from '../errors.js';
import { gathered } from '../gather.js';
import type { Phases } from '../phases.js';
import type { Teacher } from '../teacher/teacher.js';
import type { Analyser, Analysis, SourceCode } from './analyser.js';

/**
 * An analyser as one teacher among others: it finds flaws and credits nothing. What is asked of it at once is analysed at once. It has nothing
 * to say of code that it cannot analyse, which is counted as `<name>-failed`: others see that code too.
 */
export function analyserTeacher(analyser: Analyser): Teacher {
  const { name, id, languages } = analyser;
  const analysisOf = gathered(
    async (asked: readonly (SourceCode & { phases: Phases | undefined })[], signal): Promise<readonly Analysis[]> => {
      const began = performance.now();
      const analyses = await analyser.analyze(asked, { signal });
      asked[0]?.phases?.add(name, (performance.now() - began) / 1000);
      return analyses;
    },
  );
  return {
    id,
    byContent: true,
    async judge(code, { language }, { signal, phases } = {}) {
      if (!languages.includes(language))
        throw new SrcodeError('ERR_UNSUPPORTED', `${name} reads ${languages.join(', ')}, not ${language}`);
      const { findings, failure } = await analysisOf({ code, language, phases }, signal);
      const counts = { [`${name}-failed`]: Number(failure !== undefined) };
      const silent = failure === undefined ? {} : { silent: true as const };
      return { findings, spans: [], idle: [], missing: [], parseOk: true, counts, ...silent };
    },
  };
}
