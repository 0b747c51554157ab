import type { FunctionPair, Language } from './function-pair.js';

/**
 * Every word that a model is asked with, and the form of every answer. Changing one changes what trained models were taught: it belongs
 * in the changelog.
 */

const NAME: Record<Language, string> = { c: 'C', cpp: 'C++', python: 'Python' };

type Code = { code: string; language: Language };

/** Detection: is there a flaw, and which. */
export function detectionPrompt({ code, language }: Code): string {
  return `Does this ${NAME[language]} function have a security flaw? Answer No, or Yes and the CWE.\n\n${fenced({ code, language })}\n\nAnswer:\n`;
}

/** The answer to detection: `No`, `Yes` or `Yes: CWE-119, CWE-787`. */
export function detectionAnswer(cwe: readonly string[] | null): string {
  if (cwe === null) return 'No';
  return cwe.length > 0 ? `Yes: ${cwe.join(', ')}` : 'Yes';
}

/** Repair: the same function without the flaw. */
export function repairPrompt({ code, language, cwe }: Code & Pick<FunctionPair, 'cwe'>): string {
  const flaw = cwe.length > 0 ? `a security flaw (${cwe.join(', ')})` : 'a security flaw';
  return `This ${NAME[language]} function has ${flaw}. Write it again without the flaw, and keep what it does.\n\n${fenced({ code, language })}\n\nFixed function:\n`;
}

/** Completion: the rest of a function whose beginning is given. The flaw is not named. */
export function completionPrompt({ code, language }: Code): string {
  return `Complete this ${NAME[language]} function. Answer with what follows, and nothing else.\n\n${code}`;
}

/** A fenced block, its fence longer than any run of backticks inside. */
export function fenced({ code, language }: Code): string {
  const longest = Math.max(2, ...Array.from(code.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${code.replace(/\s+$/, '')}\n${fence}`;
}
