// What compilers cost as analysers, and whether batches change what they find.
//
//   node scripts/measure-analysers.mjs speed [N]             CPU and wall time of N functions of the embedded tasks (400), batched
//   node scripts/measure-analysers.mjs castle FILE.jsonl     recall, precision and lines, of the embedded engine beside them too
//   node scripts/measure-analysers.mjs batches FILE.jsonl    findings of batches beside those of single runs, on the castle collection
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { embedded } from '../dist/analysis/embedded.js';
import { openClang } from '../dist/analysis/external/clang.js';
import { openCppcheck } from '../dist/analysis/external/cppcheck.js';
import { openGcc } from '../dist/analysis/external/gcc.js';
import { Sandbox } from '../dist/sandbox/index.js';
import { castlePart, lineAt, related, rows, share, taskFunctions } from './analysis/collections.mjs';

const opening = { gcc: openGcc, clang: openClang, cppcheck: openCppcheck };

/** CPU seconds of this process, and of the children that it waited for: programs in a sandbox of their own are not among them. */
function cpuSeconds() {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const ticks = (from) => (Number(fields[from]) + Number(fields[from + 1])) / 100;
  return { own: ticks(11), children: ticks(13) };
}

async function speed(count = '400') {
  const sources = taskFunctions(Number(count)).map((code) => ({ code, language: 'c' }));
  // Without isolation, so that the compilers are children whose time is known.
  const sandbox = await Sandbox.open({ unsafe: true, only: 'none' });
  const perSource = (seconds) => ((seconds * 1000) / sources.length).toFixed(2);
  const sum = { cpu: 0, wall: 0 };
  for (const [name, open] of Object.entries(opening)) {
    const analyser = await open(sandbox);
    if (analyser === undefined) {
      console.log(`${name}: not on PATH`);
      continue;
    }
    await analyser.analyze(sources.slice(0, 8));
    const [before, began] = [cpuSeconds(), performance.now()];
    const analyses = await analyser.analyze(sources);
    const [after, wall] = [cpuSeconds(), (performance.now() - began) / 1000];
    const [own, children] = [after.own - before.own, after.children - before.children];
    const found = analyses.reduce((total, { findings }) => total + findings.length, 0);
    const failed = analyses.filter(({ failure }) => failure !== undefined).length;
    console.log(
      `${name}: ${perSource(children)} CPU-ms a source, and ${perSource(own)} of our own; ${perSource(wall)} ms on the clock; ` +
        `${found} findings, ${failed} failures`,
    );
    if (name === 'cppcheck') continue;
    sum.cpu += own + children;
    sum.wall += wall;
  }
  const cores = availableParallelism();
  console.log(
    `gcc and clang: ${((cores * sources.length) / sum.cpu).toFixed(0)} sources/s on ${cores} cores by CPU time, ` +
      `${(sources.length / sum.wall).toFixed(0)} by the clock`,
  );
}

/** Of each combination: a program counts as found when a finding of any of them has its CWE or a near one. */
async function castle(file) {
  const programs = rows(file).map((row) => ({ ...row, code: Buffer.from(row.code) }));
  const sources = programs.map(({ code }) => ({ code, language: 'c' }));
  const sandbox = await Sandbox.open();
  const said = { srcode: await embedded.analyze(sources) };
  for (const [name, open] of Object.entries(opening)) {
    const analyser = await open(sandbox);
    if (analyser !== undefined) said[name] = await analyser.analyze(sources);
  }
  const names = ['srcode', 'gcc', 'clang', 'cppcheck', 'srcode+gcc', 'srcode+clang', 'srcode+gcc+clang'];
  for (const which of ['tune', 'test']) {
    for (const together of names) {
      const members = together.split('+');
      if (members.some((name) => said[name] === undefined)) continue;
      const sum = { hit: 0, vulnerable: 0, alarms: 0, safe: 0, any: 0, line: 0 };
      for (const [i, { name, cwe: flaw, vulnerable, lines, code }] of programs.entries()) {
        if (castlePart(name) !== which) continue;
        const findings = members.flatMap((member) => said[member][i].findings);
        const wanted = related[flaw] ?? [flaw];
        const same = findings.filter(({ cwe }) => wanted.includes(Number(cwe.slice(4))));
        if (vulnerable) {
          sum.vulnerable++;
          if (same.length > 0) sum.hit++;
          if (same.some(({ span }) => lines.includes(lineAt(code, span.start)))) sum.line++;
        } else {
          sum.safe++;
          if (findings.length > 0) sum.any++;
          if (same.length > 0) sum.alarms++;
        }
      }
      const { hit, vulnerable, alarms, safe, any, line } = sum;
      console.log(`${which}, ${together}: recall ${share(hit, vulnerable)}, precision ${share(hit, hit + alarms)}`);
      console.log(`  on a line of the flaw ${share(line, hit)}; safe programs with any finding ${share(any, safe)}`);
    }
  }
}

async function batches(file) {
  const programs = rows(file);
  const sources = programs.map(({ code }) => ({ code: Buffer.from(code), language: 'c' }));
  const sandbox = await Sandbox.open();
  for (const [name, open] of Object.entries(opening)) {
    const analyser = await open(sandbox);
    if (analyser === undefined) continue;
    const together = await analyser.analyze(sources);
    let differ = 0;
    for (const [i, source] of sources.entries()) {
      const [alone] = await analyser.analyze([source]);
      if (JSON.stringify(alone) === JSON.stringify(together[i])) continue;
      differ++;
      console.log(`${programs[i].name}, alone ${JSON.stringify(alone)}, in its batch ${JSON.stringify(together[i])}`);
    }
    const failed = together.filter(({ failure }) => failure !== undefined).length;
    console.log(`${name}: ${differ} of ${sources.length} differ; ${failed} could not be analysed`);
  }
}

const [what, argument] = process.argv.slice(2);
const measure = { speed, castle, batches }[what];
if (measure === undefined || (what !== 'speed' && argument === undefined)) {
  console.error('Usage: node scripts/measure-analysers.mjs speed [N] | castle FILE.jsonl | batches FILE.jsonl');
  process.exitCode = 2;
} else await measure(argument);
