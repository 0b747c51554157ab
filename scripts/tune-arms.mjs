// node scripts/tune-arms.mjs [RUN]: how the settings of the quickstart's arms are chosen (needs `npm run build:ts`).
// Every arm gets the same trials with one training seed, executed on validation prompts. RUN is a folder of `srcode quickstart`, whose
// fine-tuned model and reward model are used (made if they are not there). Writes assets/quickstart/trials.json, which the report shows.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rate } from '../dist/evaluation/statistics.js';
import { mainArms } from '../dist/quickstart/arms.js';
import { openQuickstart } from '../dist/quickstart/quickstart.js';
import { evaluateAdapter, fineTune, trainArm, trainReward } from '../dist/quickstart/stages.js';

const settings = [
  { lr: 5e-4, beta: 0.1, critic: 'shared' },
  { lr: 1e-3, beta: 0.1, critic: 'shared' },
  { lr: 1e-3, beta: 0.05, critic: 'shared' },
  { lr: 1e-3, beta: 0.05, critic: 'adapter' },
  { lr: 2e-3, beta: 0.05, critic: 'shared' },
];

const [run = 'runs/quickstart'] = process.argv.slice(2);
const context = await openQuickstart({ run }, { onPhase: (phase) => console.error(phase) });
const model = await fineTune(context, 0);
const { adapter: reward } = await trainReward(context, model, 'reward', 0);

const trials = [];
for (const arm of mainArms) {
  const ofArm = [];
  for (const { lr, beta, critic } of settings) {
    const folder = join(run, 'trials', `${arm.name}-${lr}-${beta}-${critic}`.replaceAll(' ', '-'));
    const own = { lr, critic, kl: { coefficient: beta }, ...(critic === 'adapter' && { criticWarmup: 3 }) };
    const checkpoint = await trainArm(context, { ...arm, options: { ...arm.options, ...own } }, 0, {
      model,
      reward,
      folder,
    });
    const { rows, summary } = await evaluateAdapter(context, model, checkpoint, 'validation');
    const fs1 = rate(
      rows.map(({ id, fs }) => ({ prompt: id, seed: 0, value: Number(fs) })),
      0,
    );
    const { functional, secureOfValid, kl, length, repeated } = summary.all;
    console.error(
      arm.name,
      lr,
      beta,
      critic,
      JSON.stringify({ fs1: fs1.value, functional, secureOfValid, kl, length, repeated }),
    );
    ofArm.push({ arm: arm.name, settings: { lr, β: beta, critic }, fs1, chosen: false });
  }
  ofArm.reduce((best, trial) => (trial.fs1.value > best.fs1.value ? trial : best)).chosen = true;
  trials.push(...ofArm);
}
const folder = fileURLToPath(new URL('../assets/quickstart', import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'trials.json'), `${JSON.stringify(trials, null, 1)}\n`);
