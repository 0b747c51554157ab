import type { Argv, CommandModule } from 'yargs';
import type { Evaluation, Rates } from '../evaluation/evaluate.js';
import { wilson } from '../evaluation/statistics.js';
import type { Split } from '../tasks/task.js';
import { tinyTemplate } from '../tasks/template.js';
import { runCommand } from './command.js';
import { adapterOption, modelOption, taskOption, threadsOption, unsafeOption, verdictSeedOption } from './options.js';

interface EvaluateArgs {
  task: string;
  model: string;
  adapter?: string | undefined;
  reference?: string | undefined;
  split: Split;
  n: number;
  samples: number;
  seed: number;
  temperature: number;
  topP: number;
  maxNewTokens: number;
  template: string;
  threads: number;
  unsafe: boolean;
  verdictSeed: number;
  json?: boolean | undefined;
}

/** `srcode evaluate --task family --model DIR --adapter runs/ppo/checkpoints/step-20 --n 240` */
export const evaluateCommand: CommandModule<unknown, EvaluateArgs> = {
  command: 'evaluate',
  describe: "Let a model answer a task's prompts, and run the answers with all tests and attacks",
  builder: (yargs: Argv) =>
    yargs
      .option('task', taskOption)
      .option('model', modelOption)
      .option('adapter', adapterOption)
      .option('reference', {
        type: 'string',
        requiresArg: true,
        describe: 'measure KL from this PEFT folder, or from "base", the model itself',
      })
      .option('split', { choices: ['train', 'validation', 'test'] as const, default: 'test', requiresArg: true })
      .option('n', { type: 'number', default: 240, requiresArg: true, describe: 'prompts' })
      .option('samples', { type: 'number', default: 1, requiresArg: true, describe: 'answers to each prompt' })
      .option('seed', {
        type: 'number',
        default: 0,
        requiresArg: true,
        describe: 'same seed, same prompts and answers',
      })
      .option('temperature', { type: 'number', default: 0.8, requiresArg: true, describe: '0 is greedy' })
      .option('top-p', { type: 'number', default: 0.95, requiresArg: true, describe: 'probability mass sampled from' })
      .option('max-new-tokens', {
        type: 'number',
        default: 180,
        requiresArg: true,
        describe: 'longest answer in tokens',
      })
      .option('template', {
        type: 'string',
        default: tinyTemplate,
        requiresArg: true,
        describe: 'what the model reads; {prompt} stands for the prompt',
      })
      .option('threads', threadsOption)
      .option('verdict-seed', verdictSeedOption)
      .option('unsafe', unsafeOption)
      .option('json', {
        type: 'boolean',
        describe: 'rows, summary and errors as JSON on stdout',
      }) as unknown as Argv<EvaluateArgs>,
  handler: (args) =>
    runCommand(
      args,
      async ({ signal }) => {
        const { evaluate } = await import('../evaluation/evaluate.js');
        const { Model } = await import('../native/model.js');
        const { Tokenizer } = await import('../tokenizer/index.js');
        const { loadTask } = await import('../tasks/load.js');
        const { checkVocabulary } = await import('../training/setup.js');
        const task = await loadTask(args.task, args);
        const tokenizer = await Tokenizer.load(args.model);
        using model = await Model.load(args.model, args.threads > 0 ? { threads: args.threads } : {});
        checkVocabulary(model, tokenizer, args.model);
        const { adapter, reference, split, n, samples, seed, temperature, topP, maxNewTokens, template } = args;
        if (adapter !== undefined) await model.adapters.load('adapter', adapter);
        if (reference !== undefined && reference !== 'base') await model.adapters.load('reference', reference);
        // Awaited here: `using` would dispose of the model at once otherwise.
        return await evaluate({
          ...{ model, tokenizer, task, split, n, samples, seed, temperature, topP, maxNewTokens, template, signal },
          adapter: adapter === undefined ? undefined : 'adapter',
          reference: reference === undefined ? undefined : reference === 'base' ? null : 'reference',
        });
      },
      show,
    ),
};

function show({ summary: { all, by } }: Evaluation): string {
  const rows = Object.entries(by).flatMap(([label, values]) =>
    Object.entries(values).map(([value, rates]) => line(`${label} ${value}`, rates)),
  );
  const head = ['', 'n', 'functional', 'secure of valid', 'FS@1', 'missing', 'repeated', 'length'];
  return [cells(head), line('all', all), ...rows].join('\n');
}

function line(name: string, rates: Rates): string {
  const { n, functional, secureOfValid, fs, missing, repeated, length } = rates;
  const { low, high } = wilson(Math.round(fs * n), n);
  const share = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return cells([
    name,
    String(n),
    share(functional),
    secureOfValid === null ? '-' : share(secureOfValid),
    `${share(fs)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`,
    missing.toFixed(2),
    repeated.toFixed(2),
    length.toFixed(0),
  ]);
}

function cells(values: readonly string[]): string {
  const widths = [22, 6, 12, 17, 22, 9, 10, 8];
  return values.map((value, i) => (i === 0 ? value.padEnd(widths[i] ?? 0) : value.padStart(widths[i] ?? 0))).join('');
}
