// PYTHON=<python with torch, transformers, peft> node scripts/bench-peers.mjs [--json] [--case NAME]… [--threads N] [--minutes 20]
//
// srcode beside PyTorch + transformers + peft on the same shapes: a line of JSON a case on stdout, with seconds per optimiser step or per
// decode step (prefill left out), ratio = peer / ours. Every measurement is a process of its own; ours and the peer's alternate, and each
// side's best round counts. For fine-tuning the peer runs with both dtypes that peft offers for adapters, and the faster one counts.
// --json: nothing but these lines; otherwise stderr shows the single measurements.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib/native.mjs';

const sft = (size, batch, length) => {
  const shape = ['--size', size, '--batch', batch, '--length', length, '--steps', '3'];
  return {
    ours: ['sft', '--size', size, '--batch', batch], // of the same length by default
    peers: ['f32', 'bf16'].map((dtype) => ['sft.py', ...shape, '--adapters', dtype]),
  };
};
const generate = (size, batch) => ({
  ours: ['generate', '--size', size, '--batch', batch],
  peers: [['generate.py', '--size', size, '--batch', batch]],
});
// `share` of the time: as long as another round fits in it, there is one.
const cases = {
  'sft-0.5b': { share: 0.4, ...sft('0.5b', '2', '512') },
  'sft-small': { share: 0.12, ...sft('small', '16', '256') },
  'generate-0.5b-16': { share: 0.28, ...generate('0.5b', '16') },
  'generate-0.5b-1': { share: 0.12, ...generate('0.5b', '1') },
  'generate-small-16': { share: 0.08, ...generate('small', '16') },
};
const MAX_ROUNDS = 3;

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    case: { type: 'string', multiple: true, default: Object.keys(cases) },
    threads: { type: 'string', default: String(availableParallelism()) },
    minutes: { type: 'string', default: '20' },
  },
});
const python = process.env.PYTHON ?? 'python3';
const cli = join(root, 'dist', 'cli', 'main.js');
const say = (text) => options.json || process.stderr.write(`${text}\n`);

function check() {
  const unknown = options.case.filter((name) => !(name in cases));
  if (unknown.length > 0) return `no case ${unknown.join(', ')}; there are ${Object.keys(cases).join(', ')}`;
  if (!(Number(options.minutes) > 0)) return `expected --minutes above 0, received ${options.minutes}`;
  if (!existsSync(cli)) return 'dist is missing: npm run build';
  const { status } = spawnSync(python, ['-c', 'import torch, transformers, peft'], { stdio: 'ignore' });
  if (status !== 0)
    return `${python} lacks torch, transformers or peft: pip install torch transformers peft, and name it in $PYTHON`;
  return null;
}

// Runs one measurement and returns what it printed last, a line of JSON.
function measure(program, args, env, timeoutMs) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let out = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status === 0) return resolve(JSON.parse(out.trim().split('\n').at(-1)));
      const why = signal
        ? `stopped by ${signal} after ${Math.round(timeoutMs / 1000)} s at the most`
        : `exit status ${status}`;
      reject(new Error(`${program} ${args.join(' ')}: ${why}\n${errors.trim() || out.trim()}`));
    });
  });
}

const ours = (args, timeoutMs) =>
  measure(process.execPath, [cli, 'bench', ...args, '--threads', options.threads, '--json'], {}, timeoutMs);

// libgomp's workers spin at barriers, by default for milliseconds: on a machine where something else runs, that costs the peer a factor of
// ten. 10^4 turns, a tenth of a millisecond, bridge the gap between two operators and no more. A setting of one's own is kept.
const peer = ([script, ...args], timeoutMs) =>
  measure(
    python,
    [join(root, 'scripts', 'peers', script), ...args, '--threads', options.threads],
    { GOMP_SPINCOUNT: process.env.GOMP_SPINCOUNT ?? '10000' },
    timeoutMs,
  );

const best = (results) => results.reduce((a, b) => (b.secondsPerStep < a.secondsPerStep ? b : a));

// Rounds until the case's time is used up. A round that is cut off by the clock costs only itself, once there is a whole pair.
async function runCase(name, minutes) {
  const { ours: args, peers } = cases[name];
  const started = performance.now();
  const deadline = started + minutes * 60_000;
  const [mine, theirs] = [[], []];
  const left = () => Math.max(1, Math.round(deadline - performance.now()));
  for (let round = 1, last = 0; round <= MAX_ROUNDS && performance.now() + last < deadline; round++) {
    const begun = performance.now();
    for (const each of peers) {
      try {
        const our = await ours(args, left());
        const their = await peer(each, left());
        mine.push(our);
        theirs.push(their);
        say(`${name}: ours ${our.secondsPerStep.toFixed(4)} s, peer ${their.secondsPerStep.toFixed(4)} s`);
      } catch (error) {
        if (theirs.length === 0 || performance.now() < deadline) throw error;
        process.stderr.write(`bench-peers: ${name}: out of time at ${each.join(' ')}; --minutes gives more\n`);
        break;
      }
    }
    last = performance.now() - begun;
  }
  const [our, their] = [best(mine), best(theirs)];
  return {
    case: name,
    ours: our.secondsPerStep,
    peer: their.secondsPerStep,
    ratio: their.secondsPerStep / our.secondsPerStep,
    oursRssMiB: our.peakRssMiB,
    peerRssMiB: their.peakRssMiB,
    isa: our.isa,
    threads: our.threads,
  };
}

const problem = check();
if (problem) {
  process.stderr.write(`bench-peers: ${problem}\n`);
  process.exit(2);
}
const deadline = performance.now() + Number(options.minutes) * 60_000;
for (const [i, name] of options.case.entries()) {
  // Its share of the time that is left among the cases that are.
  const shares = options.case.slice(i).map((each) => cases[each].share);
  const part = cases[name].share / shares.reduce((a, b) => a + b);
  try {
    const line = await runCase(name, (part * (deadline - performance.now())) / 60_000);
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } catch (error) {
    process.stderr.write(`bench-peers: ${name}: ${error.message}\n`);
    process.exitCode = 1;
  }
}
