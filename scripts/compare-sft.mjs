// node scripts/compare-sft.mjs [RUN] [--threads N]: all weights against LoRA on the lessons of the default quickstart, each at its learning rate
// (needs `npm run build:ts`). Prints one JSON line a method: held-out detection and repair, and what is left of generation.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { evaluate } from '../dist/evaluation/evaluate.js';
import { Model } from '../dist/native/model.js';
import { measureLessons, writeLessons } from '../dist/quickstart/lessons.js';
import { profiles } from '../dist/quickstart/profiles.js';
import { sftRecipe } from '../dist/quickstart/stages.js';
import { familyTask } from '../dist/tasks/family/task.js';
import { Tokenizer } from '../dist/tokenizer/index.js';
import { sft } from '../dist/training/sft.js';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { threads: { type: 'string' } } });
const [run = 'runs/compare-sft'] = positionals;
const threads = Number(values.threads ?? 0);
const task = familyTask();
const { lessons, evaluation } = profiles.default;
mkdirSync(run, { recursive: true });
const data = join(run, 'lessons.jsonl');
writeLessons(data, 0, lessons);
const tokenizer = await Tokenizer.load('tiny');
for (const { mode, lr } of [
  { mode: 'full', lr: 1e-3 },
  { mode: 'lora', lr: 3e-3 },
]) {
  const begun = process.cpuUsage();
  const { checkpoint } = await sft(
    {
      ...{ model: 'tiny', data: [data], run: join(run, mode), threads, mode, lr },
      ...sftRecipe,
      optimizer: { weightDecay: mode === 'full' ? 0.01 : 0 },
    },
    { resume: true, onNotice: () => {} },
  );
  const { user } = process.cpuUsage(begun);
  const model = await Model.load(mode === 'full' ? checkpoint : 'tiny', threads > 0 ? { threads } : {});
  const adapter = mode === 'full' ? undefined : 'sft';
  if (adapter !== undefined) await model.adapters.load(adapter, checkpoint);
  const { detections, repairs, prompts: n } = evaluation;
  const scores = await measureLessons({ model, tokenizer, adapter }, task, { seed: 0, detections, repairs });
  const { all } = (await evaluate({ model, tokenizer, adapter, task, n })).summary;
  model.dispose();
  console.log(
    JSON.stringify({ mode, lr, cpuSeconds: Math.round(user / 1e6), ...scores, functional: all.functional, fs: all.fs }),
  );
}
