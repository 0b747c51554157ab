import type { Analyser } from './analyser.js';
import { analyze, embeddedTeacher, loadEngine } from './analysis.js';

/** The embedded engine as one analyser among others. */
export const embedded: Analyser = {
  name: 'srcode',
  id: embeddedTeacher.id,
  languages: ['c', 'cpp'],
  async analyze(sources, { signal } = {}) {
    await loadEngine();
    return sources.map(({ code, language }) => {
      signal?.throwIfAborted();
      if (language === 'python') return { findings: [], failure: 'the embedded engine does not know Python' };
      // It reads what does not parse, too.
      return { findings: analyze(code, { language }).findings, failure: undefined };
    });
  },
};
