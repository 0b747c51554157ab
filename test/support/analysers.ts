import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A recorded output of an analyser; `documented-form.*` are written by hand from its documentation instead. */
export function analyserFixture(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../fixtures/analysers/${name}`, import.meta.url)), 'utf8');
}
