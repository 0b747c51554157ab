import { analyze } from '../../dist/analysis/analysis.js';
import { castleGuards, lineAt, ownGuards, share } from './collections.mjs';

/** How many of the marked guards the engine credits: a span has to begin on a line of the guard. */
export function guards(file, { show }) {
  const counts = {};
  const add = (key, hit) => {
    counts[key] ??= { hit: 0, all: 0 };
    counts[key].all++;
    if (hit) counts[key].hit++;
  };
  for (const { name, part, code, guards } of [...castleGuards(file), ...ownGuards()]) {
    const lines = new Set(analyze(code, { language: 'c' }).spans.map(({ span }) => lineAt(code, span.start)));
    for (const guard of guards) {
      const hit = guard.lines.some((line) => lines.has(line));
      const of = guard.part ?? part;
      add(of, hit);
      add('all', hit);
      add(guard.cwe, hit);
      if (!hit && show === of) console.log(`${of}: not credited: ${name}:${guard.lines.join(',')} ${guard.cwe}`);
    }
  }
  for (const [key, { hit, all }] of Object.entries(counts).sort(([a], [b]) =>
    a.localeCompare(b, 'en', { numeric: true }),
  ))
    console.log(`${key}: guards credited ${share(hit, all)}`);
}
