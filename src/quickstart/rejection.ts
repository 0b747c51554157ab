import { join } from 'node:path';
import { io, makeFolder, writeOwn } from '../files.js';
import { Model } from '../native/model.js';
import { rollOut } from '../rollout/rollout.js';
import { applyTemplate, tinyTemplate } from '../tasks/template.js';
import { Tokenizer } from '../tokenizer/index.js';
import { sft } from '../training/sft.js';
import type { Context } from './stages.js';

const samples = 4;

/**
 * Rejection-sampling fine-tuning: of `samples` answers to each training prompt one that passes all tests and withstands all attacks is kept,
 * and an adapter learns those. Takes as many answers as an arm of PPO. Returns the adapter's folder.
 */
export async function trainRejection(
  context: Context,
  seed: number,
  { model: folder, run }: { model: string; run: string },
): Promise<string> {
  const { profile, threads, task, hooks } = context;
  const rows = join(run, 'kept.jsonl');
  io('create', run, () => makeFolder(run));
  const count = Math.ceil((profile.ppo.iterations * profile.ppo.prompts) / samples);
  const indices = Array.from({ length: count }, (_, i) => i);
  const prompts = indices.map((index) => task.prompt('train', seed, index));
  const tokenizer = await Tokenizer.load(folder);
  {
    using model = await Model.load(folder, threads > 0 ? { threads } : {});
    const rollouts = await rollOut({ model, tokenizer, adapter: undefined, template: tinyTemplate }, prompts, {
      ...{ indices, seed, samples, maxNewTokens: 180, temperature: 1, topP: 1, signal: hooks.signal },
    });
    const signal = hooks.signal === undefined ? {} : { signal: hooks.signal };
    const judgements = (await task.judge?.(rollouts, { attack: true, ...signal })) ?? [];
    const kept = indices.flatMap((i) => {
      const of = rollouts.slice(i * samples, (i + 1) * samples);
      const good = of.find((_, j) => {
        const { functional, secure } = judgements[i * samples + j] ?? { functional: false, secure: false };
        return functional && secure;
      });
      return good === undefined ? [] : [{ prompt: good.prompt.text, response: new TextDecoder().decode(good.answer) }];
    });
    const lines = kept.map(({ prompt, response }) =>
      JSON.stringify({ prompt: applyTemplate(tinyTemplate, prompt), response, task: 'generation' }),
    );
    writeOwn(rows, `${lines.join('\n')}\n`);
  }
  const { checkpoint } = await sft(
    {
      ...{ model: folder, data: [rows], run: join(run, 'sft'), seed, threads, lr: 1e-3, epochs: 3, heldOut: 0.05 },
      ...{ keepCheckpoints: 1, samples: { count: 0 } },
    },
    { ...hooks, resume: true },
  );
  return checkpoint;
}
