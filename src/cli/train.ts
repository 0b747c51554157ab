import type { Argv, CommandModule } from 'yargs';
import { assignmentLayer, type Layer, objectLayer, yamlLayer } from '../config/layers.js';
import { ppoPresets, ppoSchema } from '../config/ppo.js';
import { pretrainPresets, pretrainSchema } from '../config/pretrain.js';
import { resolveConfig } from '../config/resolve.js';
import { rewardSchema } from '../config/reward.js';
import { type ConfigSchema, type Field, fields } from '../config/schema.js';
import { sftSchema } from '../config/sft.js';
import type { Progress } from '../run/progress.js';
import type { RunResult } from '../run/run.js';
import type { Hooks } from '../training/hooks.js';
import { lastGiven, runCommand } from './command.js';

interface TrainArgs {
  config?: string | undefined;
  set?: string[] | undefined;
  preset?: string | undefined;
  resume?: boolean | undefined;
  json?: boolean | undefined;
  [flag: string]: unknown;
}

/** One program as the command line sees it. Its work, and with it the addon, is imported when it runs. */
interface Program<T> {
  name: string;
  describe: string;
  schema: ConfigSchema<T>;
  presets?: { readonly [name: string]: object };
  start: (config: T, hooks: Hooks) => Promise<RunResult>;
}

// Options that have a flag of their own; every option can be --set.
const flags = ['model', 'task', 'teacher', 'data', 'run', 'device', 'threads'];

export const trainCommand: CommandModule = {
  command: 'train',
  describe: 'Train a model',
  builder: (yargs: Argv): Argv =>
    yargs
      .command(
        command({
          name: 'pretrain',
          describe: 'Train all weights on text',
          schema: pretrainSchema,
          presets: pretrainPresets,
          start: async (config, hooks) => (await import('../training/pretrain.js')).pretrain(config, hooks),
        }),
      )
      .command(
        command({
          name: 'sft',
          describe: 'Fine-tune on prompts and responses, or on vulnerable and fixed code',
          schema: sftSchema,
          start: async (config, hooks) => (await import('../training/sft.js')).sft(config, hooks),
        }),
      )
      .command(
        command({
          name: 'reward',
          describe: 'Train a reward model on pairs',
          schema: rewardSchema,
          start: async (config, hooks) => (await import('../training/reward-model.js')).rewardModel(config, hooks),
        }),
      )
      .command(
        command({
          name: 'ppo',
          describe: 'Train a policy on what its answers earn',
          schema: ppoSchema,
          presets: ppoPresets,
          start: async (config, hooks) => (await import('../training/ppo.js')).ppo(config, hooks),
        }),
      )
      .demandCommand(1, 'Expected a program: pretrain, sft, reward or ppo'),
  handler: () => {},
};

/** Shows a program's notices and steps to a person. */
export function showStep(progress: Progress): Pick<Required<Hooks>, 'onNotice' | 'onStep'> {
  return {
    onNotice: ({ level, message }) => progress.note(message, level),
    onStep: ({ step, steps, metrics }) => {
      const { 'rollout/reward': reward, 'rollout/fs': fs } = metrics;
      progress.step({
        ...{ step, steps, loss: metrics['train/loss'] ?? Number.NaN, tokens: metrics['train/tokens'] ?? 0 },
        also: { ...(reward !== undefined && { reward }), ...(fs !== undefined && { FS: fs }) },
      });
    },
  };
}

function command<T>(program: Program<T>): CommandModule<unknown, TrainArgs> {
  const all = fields(program.schema);
  return {
    command: `${program.name} [config]`,
    describe: program.describe,
    builder: (yargs) => options(yargs, program, all) as Argv<TrainArgs>,
    handler: (args) =>
      runCommand(
        args,
        async ({ signal, progress }) => {
          const config = resolveConfig(program.schema, layers(args, program));
          return program.start(config, {
            signal,
            resume: args.resume ?? false,
            ...showStep(progress),
          });
        },
        (result) => summary(result),
      ),
  };
}

function options<T>(yargs: Argv, { presets }: Program<T>, all: readonly Field[]): Argv {
  const parser = yargs
    .positional('config', { type: 'string', describe: 'YAML file of options' })
    .option('set', {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: 'one option: --set lr=1e-4 --set lora.rank=16',
    })
    .option('resume', { type: 'boolean', describe: 'go on from the newest whole checkpoint; takes the same flags' })
    .option('json', { type: 'boolean', describe: 'result and errors as JSON on stdout' });
  if (presets !== undefined) {
    parser.option('preset', {
      type: 'string',
      choices: Object.keys(presets),
      requiresArg: true,
      describe: 'named settings',
    });
  }
  for (const { path, type, help } of all.filter((field) => flags.includes(field.path))) {
    const array = type.endsWith('…');
    const kind = type === 'integer' ? 'number' : 'string';
    const coerce = (value: unknown): unknown => (array ? value : lastGiven(value));
    parser.option(path, { type: kind, array, requiresArg: true, describe: help, coerce });
  }
  return parser.epilogue(`Options of the YAML file and of --set:\n${optionTable(all)}`);
}

function layers<T>(args: TrainArgs, { presets }: Program<T>): Layer[] {
  const given = Object.fromEntries(flags.filter((flag) => args[flag] !== undefined).map((flag) => [flag, args[flag]]));
  return [
    objectLayer(presets?.[args.preset ?? ''] ?? {}, `--preset ${args.preset}`),
    ...(args.config === undefined ? [] : [yamlLayer(args.config)]),
    assignmentLayer(args.set ?? []),
    objectLayer(given, ''),
  ];
}

function optionTable(all: readonly Field[]): string {
  const width = Math.max(...all.map(({ path }) => path.length));
  return all
    .map(({ path, type, help, default: value }) => {
      const isLong = Array.isArray(value) && value.length > 2;
      return `  ${path.padEnd(width)}  ${help} [${type}]${value === undefined ? '' : ` [${isLong ? 'all' : JSON.stringify(value)}]`}`;
    })
    .join('\n');
}

function summary({ run, step, checkpoint, alreadyFinished, before, after }: RunResult): string {
  const head = alreadyFinished
    ? `${run} is finished: ${step} steps, nothing left to do.`
    : `${run}: ${step} steps done.`;
  const rows = Object.keys(after)
    .filter((key) => key.startsWith('heldout/'))
    .map((key) => `  ${key.padEnd(28)} ${before[key]?.toFixed(4) ?? '-'} → ${after[key]?.toFixed(4)}`);
  return [head, ...rows, `  checkpoint: ${checkpoint}`].join('\n');
}
