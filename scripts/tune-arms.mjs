// node scripts/tune-arms.mjs [RUN] [--threads N] [ARM…]: how the settings of the quickstart's arms are chosen (needs `npm run build:ts`).
// Every arm gets the same trials with one training seed, executed on validation prompts. RUN is a folder of `srcode quickstart`, whose
// fine-tuned model and reward model are used (made if they are not there). Trials are kept in RUN: the script may be stopped and started
// again, and several may work on different arms. When all are there, assets/quickstart/trials.json is written, which the report shows.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rate } from '../dist/evaluation/statistics.js';
import { mainArms } from '../dist/quickstart/arms.js';
import { openQuickstart } from '../dist/quickstart/quickstart.js';
import { evaluateAdapter, fineTune, trainArm, trainReward } from '../dist/quickstart/stages.js';

// The budget is 20 iterations; those that warm up a critic count.
const decay = { kind: 'linear', floor: 0.1 };
const settings = [
  { name: 'constant', options: { lr: 5e-4, kl: { coefficient: 0.1 } } },
  { name: 'decay', options: { lr: 1e-3, schedule: decay, kl: { coefficient: 0.1 } } },
  { name: 'decay, strong KL', options: { lr: 1e-3, schedule: decay, kl: { coefficient: 0.2 } } },
  {
    name: 'decay, own critic',
    options: { lr: 1e-3, schedule: decay, kl: { coefficient: 0.1 }, critic: 'adapter', criticWarmup: 2 },
  },
];

const { values, positionals } = parseArgs({ allowPositionals: true, options: { threads: { type: 'string' } } });
const [run = 'runs/quickstart', ...only] = positionals;
const threads = Number(values.threads ?? 0);
const context = await openQuickstart({ run, threads }, { onPhase: (phase) => console.error(phase) });
const model = await fineTune(context, 0);
const { adapter: reward } = await trainReward(context, model, 'reward', 0);

const trials = [];
for (const arm of mainArms.filter(({ name }) => only.length === 0 || only.includes(name))) {
  const ofArm = [];
  for (const { name, options } of settings) {
    const label = `trial ${arm.name}, ${name}`;
    const { rows, summary } = await context.results.get(label, [arm, options, model, reward], async () => {
      console.error(label);
      const tried = { ...arm, options: { ...arm.options, ...options } };
      const folder = join(run, 'trials', label.replaceAll(/\W+/g, '-'));
      const checkpoint = await trainArm(context, tried, 0, { model, reward, folder });
      return evaluateAdapter(context, model, checkpoint, 'validation');
    });
    const fs1 = rate(
      rows.map(({ id, fs }) => ({ prompt: id, seed: 0, value: Number(fs) })),
      0,
    );
    const { functional, secureOfValid, kl, length, repeated } = summary.all;
    console.log(label, JSON.stringify({ fs1: fs1.value, functional, secureOfValid, kl, length, repeated }));
    const { lr, kl: penalty, critic = 'shared', schedule } = options;
    const shown = {
      lr,
      schedule: schedule === undefined ? 'constant' : 'linear decay',
      β: penalty.coefficient,
      critic,
    };
    ofArm.push({ arm: arm.name, settings: shown, fs1, chosen: false });
  }
  ofArm.reduce((best, trial) => (trial.fs1.value > best.fs1.value ? trial : best)).chosen = true;
  trials.push(...ofArm);
}
if (only.length === 0) {
  const folder = fileURLToPath(new URL('../assets/quickstart', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'trials.json'), `${JSON.stringify(trials, null, 1)}\n`);
}
