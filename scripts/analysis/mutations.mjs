import { readFileSync } from 'node:fs';
import { analyze } from '../../dist/analysis/analysis.js';
import { CParser } from '../../dist/analysis/c/syntax.js';
import { castleGuards, ownGuards, share } from './collections.mjs';
import { weaker } from './weaker.mjs';

const equivalents = JSON.parse(
  readFileSync(new URL('../../test/analysis/equivalent-mutations.json', import.meta.url), 'utf8'),
);

/** How many weaker forms of credited code raise a finding that the code itself does not have. */
export async function mutations(file, { show }) {
  const parser = await CParser.load();
  const counts = {};
  const add = (key, outcome) => {
    counts[key] ??= { raised: 0, all: 0, equivalent: 0 };
    counts[key][outcome]++;
    if (outcome === 'raised') counts[key].all++;
    if (outcome === 'silent') counts[key].all++;
  };
  for (const { name, part, code } of [...castleGuards(file), ...ownGuards()]) {
    const text = code.toString();
    const source = parser.parse(code);
    const whole = analyze(code, { language: 'c' });
    const seen = new Set();
    for (const { span, kind } of whole.spans) {
      const line = text.slice(0, span.start).split('\n').length;
      for (const { type, codes } of weaker(source.root, text, span)) {
        if (seen.has(codes[0])) continue;
        seen.add(codes[0]);
        const raised = codes.some((mutant) => raises(whole, analyze(Buffer.from(mutant), { language: 'c' })));
        const key = changed(text, codes[0]);
        const reason = equivalents[name]?.[`${line} ${type}: ${key}`];
        const outcome = raised ? 'raised' : reason === undefined ? 'silent' : 'equivalent';
        const of = part ?? 'own';
        for (const cell of [of, `${type}`, 'all', `kind ${kind}`]) add(cell, outcome);
        if (outcome === 'silent' && (show === of || show === 'all'))
          console.log(`${of}: silent: ${name}: "${line} ${type}: ${key}" (${kind})`);
      }
    }
  }
  for (const [key, { raised, all, equivalent }] of Object.entries(counts).sort())
    console.log(
      `${key}: weaker forms found ${share(raised, all)}${equivalent > 0 ? `, ${equivalent} are equivalent` : ''}`,
    );
}

function raises(whole, mutant) {
  const count = (findings) => {
    const by = {};
    for (const { rule } of findings) by[rule] = (by[rule] ?? 0) + 1;
    return by;
  };
  const [before, after] = [count(whole.findings), count(mutant.findings)];
  return Object.entries(after).some(([rule, n]) => n > (before[rule] ?? 0));
}

/** What stands in the mutant where the text has something else, on one line. */
function changed(text, mutant) {
  let from = 0;
  while (from < mutant.length && text[from] === mutant[from]) from++;
  let back = 0;
  while (back < mutant.length - from && text.at(-1 - back) === mutant.at(-1 - back)) back++;
  const start = mutant.lastIndexOf('\n', from) + 1;
  const stop = mutant.indexOf('\n', mutant.length - back);
  return mutant
    .slice(start, stop < 0 ? undefined : stop)
    .trim()
    .replace(/\s+/g, ' ');
}
