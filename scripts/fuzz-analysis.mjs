// Fuzzes the embedded engine, and what judges answers beside it, with mutated code and random bytes.
//
//   node scripts/fuzz-analysis.mjs --seconds 3600 --seed 1 --out FOLDER [FILE|FOLDER|FILE.jsonl …]
//   node scripts/fuzz-analysis.mjs --corpus test/analysis/fuzz-corpus --inputs 200
//   node scripts/fuzz-analysis.mjs --seed 1 --only 4711 [the same files]       prints that input, and what is said of it
//
// Files are code to mutate, beside what the repository makes itself. Exit code 1 when something failed; what failed is in FOLDER, made small,
// and in FOLDER/report.json, as far as the run has come: a process that dies, hangs or does not start is a failure, and another goes on.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { inputOf, ownSeeds } from './fuzz/inputs.mjs';
import { minimise } from './fuzz/minimise.mjs';
import { Fuzzed, Prober } from './fuzz/processes.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    inputs: { type: 'string' },
    from: { type: 'string', default: '0' },
    language: { type: 'string', default: 'c' },
    only: { type: 'string' },
    corpus: { type: 'string' },
    out: { type: 'string' },
  },
});
const { language, out } = values;
const seed = Number(values.seed);
const seeds = [...positionals.flatMap(seedsIn), ...ownSeeds(seed, language)];
const started = Date.now();
const until = started + Number(values.seconds ?? (values.inputs === undefined ? 60 : 1e9)) * 1000;
const failures = new Map();
const sums = { inputs: 0, bytes: 0, cpu: 0, processes: 0, rss: [], slowest: { analyze: 0 } };
const commit = commitOf();
const prober = new Prober();

if (values.only !== undefined) await showOnly(Number(values.only));
else {
  if (values.corpus !== undefined) await replay(values.corpus);
  await fuzz(Number(values.from), Number(values.inputs ?? Infinity));
  if (out !== undefined) {
    for (const failure of failures.values())
      await save(failure).catch((error) => console.error(`${failure.key} is not made small: ${error.message}`));
  }
}
prober.stop();
process.exitCode = failures.size > 0 ? 1 : 0;

/** The code of a file, of all files in a folder, or of a JSONL's rows: texts of one character a byte. */
function seedsIn(path) {
  if (statSync(path).isDirectory()) return readdirSync(path).flatMap((name) => seedsIn(join(path, name)));
  const text = readFileSync(path, 'latin1');
  if (extname(path) !== '.jsonl') return [text];
  const texts = text
    .split('\n')
    .filter(Boolean)
    .flatMap((row) => Object.values(JSON.parse(row)));
  return texts.filter((value) => typeof value === 'string' && /[;:{]\s/.test(value) && value.length < 60_000);
}

async function showOnly(index) {
  const input = inputOf({ seed, language, seeds }, index);
  process.stdout.write(input.code);
  const { verdict, ...rest } = await prober.probe(input, language);
  console.error(`\n${input.what}, ${input.code.length} bytes:`, rest, verdict?.slice(0, 2000));
}

/** What a JSON file of the corpus stands for: a list of [text, times], where `@` in the text counts from 0 and `@+` from 1. */
function recipe(parts) {
  const row = (text, i) => text.replaceAll('@+', String(i + 1)).replaceAll('@', String(i));
  return Buffer.from(
    parts.map(([text, times]) => Array.from({ length: times }, (_, i) => row(text, i)).join('')).join(''),
  );
}

async function replay(folder) {
  const languages = { '.cpp': 'cpp', '.py': 'python' };
  const names = readdirSync(folder).sort();
  for (const name of names) {
    const bytes = readFileSync(join(folder, name));
    const code = name.endsWith('.json') ? recipe(JSON.parse(bytes.toString())) : bytes;
    const { key, detail, times } = await prober.probe({ code }, languages[extname(name.replace(/\.json$/, ''))] ?? 'c');
    if (key !== undefined) note({ key: `${name}: ${key}`, detail, what: 'corpus', code });
    if (process.env.FUZZ_VERBOSE) console.log(name, code.length, times);
  }
  console.log(`${names.length} inputs of the corpus, ${failures.size} failures`);
}

function note({ key, detail, index, what, code }) {
  const known = failures.get(key);
  if (known !== undefined) {
    known.count++;
    if (/^(hang|slow|crash)/.test(key)) console.log(`  ${key} again: input ${index} (${code.length} bytes)`);
    // The smallest one is the easiest to make smaller.
    if (code.length >= known.code.length) return;
    Object.assign(known, { detail, index, what, code });
    return;
  }
  failures.set(key, { key, detail, index, what, code, count: 1 });
  console.log(`FAILED ${key}\n  seed ${seed}, input ${index} (${what}, ${code.length} bytes)\n  ${detail ?? ''}`);
}

async function fuzz(from, count) {
  const to = from + count;
  let next = from;
  let settle;
  let ended = 0;
  const fuzzed = new Fuzzed((message) => {
    const { failure, done, gone, at, end, detail } = message;
    if (message.cpu !== undefined) sums.cpu = ended + message.cpu;
    if (failure) note({ ...failure, code: codeOf(failure.index) });
    if (done !== undefined) {
      next = done + 1;
      sums.inputs++;
      sums.bytes += message.bytes;
      if (message.times.analyze > sums.slowest.analyze)
        sums.slowest = { ...message.times, index: done, bytes: message.bytes };
      if (done % 1000 === 999) tell(message);
    }
    if (gone !== undefined) {
      const index = at ?? next;
      note({ key: gone, detail, index, what: 'process', code: codeOf(index) });
      sums.inputs++;
      next = index + 1;
    }
    if (end || gone !== undefined || Date.now() > until) settle();
  });
  while (next < to && Date.now() < until) {
    const over = new Promise((resolve) => {
      settle = resolve;
    });
    try {
      await fuzzed.start();
    } catch (error) {
      // Where none ever started there is nothing to fuzz.
      if (sums.processes === 0) throw error;
      note({ key: 'crash: at the start', detail: error.message, index: next, what: 'process', code: codeOf(next) });
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      continue;
    }
    sums.processes++;
    fuzzed.say({ range: { seed, language, seeds, from: next, to: Math.min(to, Number.MAX_SAFE_INTEGER) } });
    await Promise.race([
      over,
      new Promise((resolve) => setTimeout(resolve, Math.min(2 ** 31 - 1, until - Date.now())).unref()),
    ]);
    ended = sums.cpu;
    fuzzed.stop();
  }
  const seen = report();
  console.log(
    `${sums.inputs} inputs (${language}, seed ${seed}, ${from} to ${next - 1}), ${(sums.bytes / 1e6).toFixed(1)} MB, in ${seen.minutes} minutes, ` +
      `${seen.cpuHours} CPU-hours at ${commit}; ${failures.size} distinct failures`,
  );
  console.log(
    `  ${seen.crashes} crashes, ${seen.hangs} hangs, ${seen.outside} outside the text, ${seen.other} others; ${sums.processes} processes`,
  );
  for (const { key, count, index } of failures.values()) console.log(`  ${count} × ${key} (first: ${index})`);
  console.log(
    '  slowest:',
    JSON.stringify(sums.slowest),
    ' RSS (MB) by 1000 inputs:',
    sums.rss.map(({ mb }) => mb).join(' '),
  );
}

/** The code of an input; none where making it fails, too. */
function codeOf(index) {
  try {
    return inputOf({ seed, language, seeds }, index).code;
  } catch (error) {
    console.error(`input ${index} cannot be made: ${error.message}`);
    return Buffer.alloc(0);
  }
}

function minutes() {
  return Number(((Date.now() - started) / 60_000).toFixed(1));
}

function tell({ rss }) {
  sums.rss.push({ inputs: sums.inputs, minutes: minutes(), mb: Math.round(rss / 2 ** 20) });
  report();
  if (sums.rss.length % 5 === 0)
    console.log(
      `${sums.inputs} inputs, ${(sums.cpu / 1000).toFixed(0)} CPU-s, RSS ${sums.rss.at(-1).mb} MB, ${failures.size} distinct failures`,
    );
}

/** What has been seen so far, in FOLDER/report.json, too. */
function report() {
  const kinds = { crashes: 0, hangs: 0, outside: 0, other: 0 };
  for (const { key, count } of failures.values()) {
    if (/^crash/.test(key)) kinds.crashes += count;
    else if (/^(hang|slow)/.test(key)) kinds.hangs += count;
    else if (/inside the text|cuts a character/.test(key)) kinds.outside += count;
    else kinds.other += count;
  }
  const { cpu, rss, ...rest } = sums;
  const seen = {
    commit,
    language,
    seed,
    minutes: minutes(),
    cpuHours: Number((cpu / 3_600_000).toFixed(3)),
    ...rest,
    ...kinds,
    failures: [...failures.values()].map(({ key, count, index, what, detail, code }) => {
      return { key, count, index, what, bytes: code.length, detail };
    }),
    rss,
  };
  if (out !== undefined) {
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'report.json'), `${JSON.stringify(seen, null, 2)}\n`);
  }
  return seen;
}

/** The commit of the working tree, which `dist` was built from, with a mark where files were changed. */
function commitOf() {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], options).trim();
  } catch {
    return 'unknown';
  }
}

async function save({ key, detail, index, what, code, count }) {
  mkdirSync(out, { recursive: true });
  const prompt = index === undefined ? undefined : inputOf({ seed, language, seeds }, index).prompt;
  const same = async (candidate) => (await prober.probe({ code: candidate, prompt }, language)).key === key;
  const slow = /^(hang|slow|crash)/.test(key);
  const small = (await same(code))
    ? await minimise(code, same, slow ? { probes: 60, seconds: 120 } : { probes: 1500, seconds: 60 })
    : code;
  const name = `${key.replaceAll(/[^a-z0-9]+/gi, '-').slice(0, 60)}-${language}`;
  writeFileSync(join(out, `${name}.txt`), small);
  writeFileSync(
    join(out, `${name}.json`),
    JSON.stringify({ key, detail, seed, index, what, count, prompt: prompt?.id }, null, 2),
  );
  console.log(
    `${key}: ${code.length} bytes, made ${small.length}: ${JSON.stringify(small.toString('latin1').slice(0, 300))}`,
  );
}
