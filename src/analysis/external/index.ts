import { SrcodeError } from '../../errors.js';
import { Sandbox } from '../../sandbox/index.js';
import type { Analyser } from '../analyser.js';
import { openBandit } from './bandit.js';
import { openClang } from './clang.js';
import { openCodeql } from './codeql.js';
import { openCppcheck } from './cppcheck.js';
import { openGcc } from './gcc.js';
import { type AnalyserName, remedies } from './names.js';

/**
 * Opens analysers that are programs of others.
 *
 * @throws ERR_ANALYSER naming those that are not on PATH and how to have them; ERR_SANDBOX where no isolation works, since all run in it.
 */
export async function openAnalysers(
  names: readonly AnalyserName[],
  { unsafe = false, sandbox }: { unsafe?: boolean; sandbox?: Sandbox } = {},
): Promise<Analyser[]> {
  const box = sandbox ?? (await Sandbox.open({ unsafe }));
  const opened = await Promise.all(names.map((name) => opening[name](box)));
  const missing = names.filter((_, i) => opened[i] === undefined);
  if (missing.length > 0) {
    const lines = missing.map((name) => `  ${name}: ${remedies[name]}`);
    throw new SrcodeError('ERR_ANALYSER', [`Not on PATH: ${missing.join(', ')}`, ...lines].join('\n'));
  }
  return opened as Analyser[];
}

/** Undefined where it is not, on the sandbox's PATH. */
export const opening: Readonly<Record<AnalyserName, (sandbox: Sandbox) => Promise<Analyser | undefined>>> = {
  ...{ gcc: openGcc, clang: openClang, cppcheck: openCppcheck, codeql: openCodeql, bandit: openBandit },
};
