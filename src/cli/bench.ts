import type { Argv, CommandModule } from 'yargs';
import { type CommandContext, runCommand } from './command.js';

interface BenchArgs {
  size: 'small' | '0.5b';
  batch?: number | undefined;
  threads?: number | undefined;
  json?: boolean | undefined;
}

type Given = { size: 'small' | '0.5b'; batch?: number; threads?: number; signal: AbortSignal };

/** `srcode bench sft --size 0.5b --json` */
export const benchCommand: CommandModule = {
  command: 'bench',
  describe: 'Measure this machine with the engine',
  builder: (yargs: Argv): Argv =>
    yargs
      .command(bench('sft', 'One optimiser step of LoRA fine-tuning', async (given) => (await load()).benchSft(given)))
      .command(bench('generate', 'One decode step of sampling', async (given) => (await load()).benchGenerate(given)))
      .command(bench('kernels', 'The kernels of reinforcement learning, as shares of the memory bandwidth', kernels))
      .demandCommand(1, 'Expected what to measure: sft, generate or kernels'),
  handler: () => {},
};

function load(): Promise<typeof import('../bench/index.js')> {
  return import('../bench/index.js');
}

async function kernels({ batch: _, ...given }: Given): Promise<object> {
  return (await load()).benchKernels(given);
}

function bench(
  name: string,
  describe: string,
  measure: (given: Given) => Promise<object>,
): CommandModule<unknown, BenchArgs> {
  const batched = name !== 'kernels';
  return {
    command: name,
    describe,
    builder: (yargs) => {
      yargs.option('size', {
        choices: ['small', '0.5b'],
        default: 'small',
        requiresArg: true,
        describe: batched
          ? 'small: hidden 256, 6 layers; 0.5b: the shape of Qwen2.5-0.5B'
          : 'small: 8 Mi tokens; 0.5b: 16 Mi',
      });
      if (batched) yargs.option('batch', { type: 'number', requiresArg: true, describe: 'sequences at a time' });
      return yargs
        .option('threads', {
          type: 'number',
          requiresArg: true,
          describe: 'compute threads; default one per usable core',
        })
        .option('json', {
          type: 'boolean',
          describe: 'result and errors as JSON on stdout',
        }) as unknown as Argv<BenchArgs>;
    },
    handler: ({ size, batch, threads, json }) =>
      runCommand(
        { json },
        ({ signal }: CommandContext) =>
          measure({
            size,
            signal,
            ...(batch === undefined ? {} : { batch }),
            ...(threads === undefined ? {} : { threads }),
          }),
        table,
      ),
  };
}

// A column of the result's fields; a list among them is a table of its own below.
function table(result: object): string {
  const entries = Object.entries(result);
  const lists = entries.filter(([, value]) => Array.isArray(value)).map(([, value]) => rows(value as object[]));
  const fields = entries
    .filter(([, value]) => !Array.isArray(value))
    .map(([key, value]) => `${key.padEnd(24)} ${short(value)}`);
  return [...fields, ...lists.flatMap((list) => ['', ...list])].join('\n');
}

function rows(list: readonly object[]): string[] {
  const lines = [Object.keys(list[0] ?? {}), ...list.map((row) => Object.values(row).map(short))];
  const width = (column: number): number => Math.max(...lines.map((line) => (line[column] ?? '').length)) + 2;
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(width(column)))
      .join('')
      .trimEnd(),
  );
}

function short(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value);
}
