import type { Finding } from '../teacher/teacher.js';

export type Language = 'c' | 'cpp' | 'python';

export interface SourceCode {
  /** UTF-8; whatever it holds, no byte of it is run. */
  code: Uint8Array;
  language: Language;
}

/** What an analyser says of one source. */
export interface Analysis {
  /** In the order of their spans. */
  findings: Finding[];
  /** Why the source was not analysed (it does not compile, it took too long, …): then that nothing was found says nothing. */
  failure: string | undefined;
}

/** Something that finds vulnerabilities: the embedded engine, a compiler, CodeQL, … */
export interface Analyser {
  /** The name that options and rules go by, such as `gcc`. */
  readonly name: string;
  /** Name, version and version of our rules for it: with language and code, the key of a cached analysis. */
  readonly id: string;
  readonly languages: readonly Language[];
  /** Checkers that this version of a tool does not have, by their names in newer ones; left out where that is not known. */
  readonly lacks?: readonly string[];
  /**
   * One analysis for each source, in order. A source's analysis does not depend on its neighbours.
   *
   * @throws SrcodeError when the analyser itself fails, which says nothing of the sources; `signal`'s reason when it is aborted.
   */
  analyze(sources: readonly SourceCode[], options?: { signal?: AbortSignal | undefined }): Promise<Analysis[]>;
}
