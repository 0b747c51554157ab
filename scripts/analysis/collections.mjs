// The collections that the engine is measured on, and their parts. A part is a hash of a name: it was fixed before any rule was written.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { wilson } from '../../dist/evaluation/statistics.js';
import { familyProgram, familyPrompt, referenceAnswers } from '../../dist/tasks/family/index.js';
import { helperPrototype, nodeType } from '../../dist/tasks/family/judge/offer.js';

const root = new URL('../../test/analysis/', import.meta.url);

const byteOf = (text) => createHash('sha256').update(text).digest()[0];

/** castle: `tune` is what rules were tuned on; of `test` no miss and no false alarm was looked at. */
export function castlePart(name) {
  return byteOf(`castle:1:${name}`) % 2 === 1 ? 'test' : 'tune';
}

/** sven: a quarter of the commits was read, to learn which kinds of obligation lone functions of large projects need. */
export function svenPart({ commit_link: commit }) {
  return byteOf(`sven:1:${commit}`) % 4 === 0 ? 'read' : 'unread';
}

export const rows = (file) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Answers to the embedded tasks, secure and insecure ones in turn, with what the tasks say is declared: bytes of C. */
export function taskFunctions(count) {
  return Array.from({ length: count }, (_, i) => {
    const prompt = familyPrompt('train', 7, i >> 1);
    const { secure, insecure } = referenceAnswers(prompt);
    const { code } = familyProgram({ prompt, answer: Buffer.from(i % 2 === 0 ? secure : insecure) });
    return Buffer.concat([Buffer.from(`${nodeType}\n${helperPrototype}\n`), code]);
  });
}

/** The line, from 1, of a byte. */
export const lineAt = (code, byte) => code.subarray(0, byte).toString('latin1').split('\n').length;

/** `hits/n = share [95 % interval of Wilson]`. */
export function share(hits, n) {
  if (n === 0) return '0/0';
  const { value, low, high } = wilson(hits, n);
  return `${hits}/${n} = ${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

/** CWEs that mean the same flaw, or a kind of it. */
export const related = {
  78: [78, 88],
  125: [125, 126, 127, 119, 786, 787, 788, 121, 122],
  190: [190, 191],
  253: [253, 252],
  327: [327, 328],
  362: [362, 366],
  476: [476, 690],
  522: [522, 256],
  761: [761, 590],
  770: [770, 789],
  787: [787, 121, 122, 119, 120, 125, 786, 788],
  798: [798, 259],
};

/** castle's safe programs: `{name, part, code, guards: [{cwe, lines}]}`, with what is marked in them. */
export function castleGuards(file) {
  const marks = JSON.parse(readFileSync(new URL('castle-guards.json', root), 'utf8'));
  return rows(file)
    .filter(({ vulnerable }) => !vulnerable)
    .map(({ name, cwe, code }) => ({
      name,
      part: `castle ${castlePart(name)}`,
      code: Buffer.from(code),
      guards: (marks[name] ?? []).map((lines) => ({ cwe: `CWE-${cwe}`, lines })),
    }));
}

/** Our own functions with their marks; each function is in a part of its own. */
export function ownGuards() {
  const folder = new URL('guards/', root);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.c'))
    .sort()
    .map((name) => {
      const code = readFileSync(new URL(name, folder));
      let around = '';
      const guards = code
        .toString()
        .split('\n')
        .flatMap((text, i) => {
          around = /^[A-Za-z].*?(\w+)\(.*\{$/.exec(text)?.[1] ?? around;
          const cwe = /\/\/ guard (CWE-\d+)$/.exec(text)?.[1];
          const part = byteOf(`guards:1:${name}:${around}`) % 2 === 1 ? 'own test' : 'own tune';
          return cwe === undefined ? [] : [{ cwe, lines: [i + 1], part }];
        });
      return { name, code, guards };
    });
}
