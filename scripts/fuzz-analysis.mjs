// Fuzzes the embedded engine, and what judges answers beside it, with mutated code and random bytes.
//
//   node scripts/fuzz-analysis.mjs --seconds 3600 --seed 1 --out FOLDER [FILE|FOLDER|FILE.jsonl …]
//   node scripts/fuzz-analysis.mjs --corpus test/analysis/fuzz-corpus --inputs 200
//   node scripts/fuzz-analysis.mjs --seed 1 --only 4711 [the same files]       prints that input, and what is said of it
//
// Files are code to mutate, beside what the repository makes itself. Exit code 1 when something failed; what failed is in FOLDER, made small.
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
const sums = { inputs: 0, bytes: 0, cpu: 0, rss: [], slowest: { analyze: 0 } };
const prober = new Prober();

if (values.only !== undefined) await showOnly(Number(values.only));
else {
  if (values.corpus !== undefined) await replay(values.corpus);
  await fuzz(Number(values.from), Number(values.inputs ?? Infinity));
  for (const failure of failures.values()) if (out !== undefined) await save(failure);
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
    if (failure) note({ ...failure, code: inputOf({ seed, language, seeds }, failure.index).code });
    if (done !== undefined) {
      next = done + 1;
      sums.inputs++;
      sums.bytes += message.bytes;
      sums.cpu = ended + message.cpu;
      if (message.times.analyze > sums.slowest.analyze)
        sums.slowest = { ...message.times, index: done, bytes: message.bytes };
      if (done % 1000 === 999) tell(message);
    }
    if (gone !== undefined) {
      const index = at ?? next;
      note({ key: gone, detail, index, what: 'process', code: inputOf({ seed, language, seeds }, index).code });
      sums.inputs++;
      next = index + 1;
    }
    if (end || gone !== undefined || Date.now() > until) settle();
  });
  while (next < to && Date.now() < until) {
    const over = new Promise((resolve) => {
      settle = resolve;
    });
    await fuzzed.start();
    fuzzed.say({ range: { seed, language, seeds, from: next, to: Math.min(to, Number.MAX_SAFE_INTEGER) } });
    await Promise.race([
      over,
      new Promise((resolve) => setTimeout(resolve, Math.min(2 ** 31 - 1, until - Date.now())).unref()),
    ]);
    ended = sums.cpu;
    fuzzed.stop();
  }
  const minutes = ((Date.now() - started) / 60_000).toFixed(1);
  console.log(
    `${sums.inputs} inputs (${language}, seed ${seed}, ${from} to ${next - 1}), ${(sums.bytes / 1e6).toFixed(1)} MB, in ${minutes} minutes, ` +
      `${(sums.cpu / 3_600_000).toFixed(3)} CPU-hours; ${failures.size} distinct failures`,
  );
  for (const { key, count, index } of failures.values()) console.log(`  ${count} × ${key} (first: ${index})`);
  console.log('  slowest:', JSON.stringify(sums.slowest), ' RSS (MB) by 1000 inputs:', sums.rss.join(' '));
}

function tell({ rss, cpu }) {
  sums.rss.push(Math.round(rss / 2 ** 20));
  if (sums.rss.length % 5 === 0)
    console.log(
      `${sums.inputs} inputs, ${(cpu / 1000).toFixed(0)} CPU-s, RSS ${sums.rss.at(-1)} MB, ${failures.size} distinct failures`,
    );
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
