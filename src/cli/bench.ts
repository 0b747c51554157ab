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

async function kernels({ threads, signal }: Given): Promise<object> {
  return (await load()).benchKernels({ threads, signal });
}

function bench(
  name: string,
  describe: string,
  measure: (given: Given) => Promise<object>,
): CommandModule<unknown, BenchArgs> {
  const sized = name !== 'kernels';
  return {
    command: name,
    describe,
    builder: (yargs) => {
      if (sized) {
        yargs
          .option('size', {
            choices: ['small', '0.5b'],
            default: 'small',
            requiresArg: true,
            describe: 'small: hidden 256, 6 layers; 0.5b: the shape of Qwen2.5-0.5B',
          })
          .option('batch', { type: 'number', requiresArg: true, describe: 'sequences at a time' });
      }
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

// One result is a column of its fields; rows are lines of theirs under a heading.
function table(result: object): string {
  if (!Array.isArray(result)) {
    return Object.entries(result)
      .map(([key, value]) => `${key.padEnd(24)} ${short(value)}`)
      .join('\n');
  }
  const lines = [Object.keys(result[0] ?? {}), ...result.map((row) => Object.values(row).map(short))];
  return lines
    .map((line) =>
      line
        .map((cell) => cell.padEnd(20))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}

function short(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value);
}
