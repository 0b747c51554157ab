// What the embedded engine finds and credits, on public collections of code.
//
//   node scripts/measure-analysis.mjs castle FILE.jsonl     recall, precision and lines by CWE, on the part that was tuned on and on the other
//   node scripts/measure-analysis.mjs sven FILE.jsonl       credit on the lines that fixes added; pairs ranked right
//   node scripts/measure-analysis.mjs guards FILE.jsonl     marked guards of castle's safe programs and of our own functions that are credited
//   node scripts/measure-analysis.mjs mutations FILE.jsonl  weaker forms of credited code in the same programs that raise a finding
//   node scripts/measure-analysis.mjs broken FILE.jsonl     how much of sven's C does not parse, as it came and repaired
//   node scripts/measure-analysis.mjs speed [FILE.jsonl]    functions a second, on one core: of the embedded tasks, or of a collection
//
// `guards --show 'own tune'` and `mutations --show 'castle tune'` list what is missed there: to be asked of what is tuned on only.
import { parseArgs } from 'node:util';
import { analyze, loadEngine } from '../dist/analysis/analysis.js';
import { CParser } from '../dist/analysis/c/syntax.js';
import { Program } from '../dist/analysis/engine/program.js';
import { broken } from './analysis/broken.mjs';
import { castlePart, lineAt, related, rows, share, svenPart, taskFunctions } from './analysis/collections.mjs';
import { guards } from './analysis/guards.mjs';
import { mutations } from './analysis/mutations.mjs';

function castle(file) {
  for (const which of ['tune', 'test']) {
    const sum = { hit: 0, vulnerable: 0, alarms: 0, safe: 0, any: 0, line: 0 };
    const byCwe = {};
    for (const row of rows(file).filter(({ name }) => castlePart(name) === which)) {
      const code = Buffer.from(row.code);
      const { findings } = analyze(code, { language: 'c' });
      const wanted = related[row.cwe] ?? [row.cwe];
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
  const cells = {};
  const cell = (key) => {
    cells[key] ??= { lines: 0, credited: 0, pairs: 0, right: 0, wrong: 0, some: 0 };
    return cells[key];
  };
  for (const row of rows(file)) {
    const [before, after] = [row.func_src_before, row.func_src_after].map((text) => Buffer.from(text));
    const [bad, good] = [before, after].map((code) => analyze(code, { language: languageOf(row) }));
    const added = row.line_changes.added.filter(({ line }) => /[A-Za-z0-9]/.test(line));
    const lines = new Set(
      good.spans.flatMap(({ span }) => {
        const [first, last] = [lineAt(after, span.start), lineAt(after, span.end - 1)];
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
      }),
    );
    const credited = added.filter(({ line_no: line }) => lines.has(line)).length;
    const score = ({ spans, findings }) => spans.length - findings.length;
    for (const key of ['all', svenPart(row), `${svenPart(row)} ${row.vul_type}`]) {
      const counts = cell(key);
      counts.lines += added.length;
      counts.credited += credited;
      counts.pairs++;
      if (credited > 0) counts.some++;
      if (score(good) > score(bad)) counts.right++;
      else if (score(good) < score(bad)) counts.wrong++;
    }
  }
  for (const [name, { lines, credited, pairs, right, wrong, some }] of Object.entries(cells).sort()) {
    console.log(
      `${name}: added lines credited ${share(credited, lines)}; pairs with one ${some}, ranked right ${share(right, pairs)}, wrong ${wrong}`,
    );
  }
}

/** Of code of either collection, end to end in a warm process: the median of five rounds behind three that warm up. */
async function speed(file) {
  const parser = await CParser.load();
  const texts = ({ code, func_src_before: before, func_src_after: after }) =>
    code === undefined ? [before, after] : [code];
  const codes =
    file === undefined ? taskFunctions(400) : rows(file).flatMap((row) => texts(row).map((text) => Buffer.from(text)));
  const definitions = codes.reduce(
    (sum, code) => sum + new Program(parser.parse(code), (macro) => parser.parse(macro)).functions.size,
    0,
  );
  const bytes = codes.reduce((sum, code) => sum + code.length, 0);
  // Warm: code that is run for hours is compiled by then.
  const rounds = Array.from({ length: 40 }, () => {
    const [start, began] = [process.cpuUsage(), performance.now()];
    for (const code of codes) analyze(code, { language: 'c' });
    const { user, system } = process.cpuUsage(start);
    return { cpu: (user + system) / 1e6, wall: (performance.now() - began) / 1000 };
  }).slice(20);
  const middle = (key) => rounds.map((round) => round[key]).sort((a, b) => a - b)[rounds.length >> 1];
  const rate = (seconds) => (definitions / seconds).toFixed(0);
  console.log(
    `${codes.length} texts, ${definitions} functions, ${bytes} bytes: ${rate(middle('cpu'))} functions a CPU second, ` +
      `${rate(middle('wall'))} a second on the clock; ${(bytes / middle('cpu') / 1e6).toFixed(2)} MB a CPU second`,
  );
}

const { positionals, values } = parseArgs({ allowPositionals: true, options: { show: { type: 'string' } } });
const [what, file] = positionals;
const measure = { castle, sven, broken, speed, guards, mutations }[what];
if (measure === undefined || (file === undefined && measure !== speed)) {
  console.error(
    'Usage: node scripts/measure-analysis.mjs castle|sven|broken|speed|guards|mutations FILE.jsonl [--show PART]',
  );
  process.exitCode = 2;
} else {
  await loadEngine(['c', 'cpp']);
  await measure(file, values);
}
