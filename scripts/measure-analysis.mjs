// What the embedded engine finds and credits, on public collections of code.
//
//   node scripts/measure-analysis.mjs castle FILE.jsonl     recall, precision and lines by CWE, on the part that was tuned on and on the other
//   node scripts/measure-analysis.mjs sven FILE.jsonl       credit on the lines that fixes added; pairs ranked right
//   node scripts/measure-analysis.mjs speed FILE.jsonl      functions a second, on one core, of the sven collection
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { analyze, loadEngine } from '../dist/analysis/analysis.js';
import { wilson } from '../dist/evaluation/statistics.js';

/** The split was fixed by this before any rule was written: rules were tuned on `tune` alone. */
function part(name) {
  return createHash('sha256').update(`castle:1:${name}`).digest()[0] % 2 === 1 ? 'test' : 'tune';
}

/** CWEs that mean the same flaw, or a kind of it. */
const families = {
  78: [78, 88],
  125: [125, 126, 127, 787, 121, 122],
  190: [190, 191],
  253: [253, 252],
  327: [327, 328],
  362: [362, 366],
  476: [476, 690],
  522: [522, 256],
  761: [761, 590],
  770: [770, 789],
  787: [787, 121, 122, 120, 125],
  798: [798, 259],
};

const rows = (file) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const lineAt = (code, byte) => code.subarray(0, byte).toString('latin1').split('\n').length;
const share = (hits, n) => {
  const { value, low, high } = wilson(hits, n);
  return `${hits}/${n} = ${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
};

function castle(file) {
  for (const which of ['tune', 'test']) {
    const sum = { hit: 0, vulnerable: 0, alarms: 0, safe: 0, any: 0, line: 0 };
    const byCwe = {};
    for (const row of rows(file).filter(({ name }) => part(name) === which)) {
      const code = Buffer.from(row.code);
      const { findings } = analyze(code, { language: 'c' });
      const wanted = families[row.cwe] ?? [row.cwe];
      const same = findings.filter(({ cwe }) => wanted.includes(Number(cwe.slice(4))));
      byCwe[row.cwe] ??= { hit: 0, vulnerable: 0, alarms: 0, safe: 0 };
      const cell = byCwe[row.cwe];
      if (row.vulnerable) {
        for (const counts of [sum, cell]) counts.vulnerable++;
        if (same.length === 0) continue;
        for (const counts of [sum, cell]) counts.hit++;
        if (same.some(({ span }) => row.lines.includes(lineAt(code, span.start)))) sum.line++;
      } else {
        for (const counts of [sum, cell]) counts.safe++;
        if (findings.length > 0) sum.any++;
        if (same.length > 0) for (const counts of [sum, cell]) counts.alarms++;
      }
    }
    console.log(
      `${which}: recall ${share(sum.hit, sum.vulnerable)}, precision ${share(sum.hit, sum.hit + sum.alarms)}`,
    );
    console.log(
      `  on a line of the flaw ${share(sum.line, sum.hit)}; safe programs with any finding ${share(sum.any, sum.safe)}`,
    );
    for (const [cwe, { hit, vulnerable, alarms, safe }] of Object.entries(byCwe)) {
      console.log(`  CWE-${cwe}: found ${hit} of ${vulnerable}, false alarms on ${alarms} of ${safe}`);
    }
  }
}

const languageOf = ({ file_name: name }) => (/\.(cc|cpp|C|hpp)$/.test(name) ? 'cpp' : 'c');

function sven(file) {
  const byCwe = {};
  const all = { lines: 0, credited: 0, pairs: 0, right: 0, level: 0 };
  for (const row of rows(file)) {
    const [before, after] = [row.func_src_before, row.func_src_after].map((text) => Buffer.from(text));
    const [bad, good] = [before, after].map((code) => analyze(code, { language: languageOf(row) }));
    byCwe[row.vul_type] ??= { lines: 0, credited: 0, pairs: 0, right: 0, level: 0 };
    const cell = byCwe[row.vul_type];
    const added = row.line_changes.added.filter(({ line }) => /[A-Za-z0-9]/.test(line));
    const lines = new Set(
      good.spans.flatMap(({ span }) => {
        const [first, last] = [lineAt(after, span.start), lineAt(after, span.end - 1)];
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
      }),
    );
    const credited = added.filter(({ line_no: line }) => lines.has(line)).length;
    const score = ({ spans, findings }) => spans.length - findings.length;
    for (const counts of [all, cell]) {
      counts.lines += added.length;
      counts.credited += credited;
      counts.pairs++;
      if (score(good) > score(bad)) counts.right++;
      else if (score(good) === score(bad)) counts.level++;
    }
  }
  for (const [name, { lines, credited, pairs, right, level }] of [['all', all], ...Object.entries(byCwe)]) {
    console.log(
      `${name}: added lines credited ${share(credited, lines)}; pairs ranked right ${share(right, pairs)}, level ${level}`,
    );
  }
}

function speed(file) {
  const codes = rows(file).flatMap((row) => [row.func_src_before, row.func_src_after].map((text) => Buffer.from(text)));
  for (const code of codes) analyze(code, { language: 'c' });
  const start = process.cpuUsage();
  for (const code of codes) analyze(code, { language: 'c' });
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  const bytes = codes.reduce((sum, code) => sum + code.length, 0);
  console.log(
    `${codes.length} functions, ${bytes} bytes in ${seconds.toFixed(2)} CPU-s: ${(codes.length / seconds).toFixed(0)} functions/s, ${(bytes / seconds / 1e6).toFixed(2)} MB/s`,
  );
}

const [what, file] = process.argv.slice(2);
const measure = { castle, sven, speed }[what];
if (measure === undefined || file === undefined) {
  console.error('Usage: node scripts/measure-analysis.mjs castle|sven|speed FILE.jsonl');
  process.exitCode = 2;
} else {
  await loadEngine();
  measure(file);
}
