import type { Analyser, Language } from '../analyser.js';

/** A line with a flaw that everything that knows the language finds. */
const flawed: Readonly<Record<Language, string>> = {
  c: 'int probe(void) { int *p = 0; return *p; }\n',
  cpp: 'int probe() { int *p = nullptr; return *p; }\n',
  python: 'exec(input())\n',
};

/** Has an analyser find a flaw in each of its languages. Undefined when it does, else why it is of no use here. */
export async function probe(
  analyser: Analyser,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<string | undefined> {
  const { name, languages } = analyser;
  const sources = languages.map((language) => ({ code: Buffer.from(flawed[language]), language }));
  const analyses = await analyser.analyze(sources, options);
  const reasons = analyses.map(({ findings, failure }, i) => {
    if (failure !== undefined) return `${name} does not analyse ${languages[i]}: ${failure}`;
    return findings.length > 0 ? undefined : `${name} finds nothing in ${flawed[languages[i] as Language].trim()}`;
  });
  return reasons.find((reason) => reason !== undefined);
}
