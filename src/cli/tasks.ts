import type { Argv, CommandModule } from 'yargs';
import { SrcodeError } from '../errors.js';
import type { Split } from '../tasks/task.js';
import { runCommand } from './command.js';

interface TasksArgs {
  task: string;
  n: number;
  seed: number;
  split: Split;
  json?: boolean | undefined;
}

interface PromptRow {
  id: string;
  prompt: string;
  /** Two reference answers. */
  secure: string;
  insecure: string;
}

/** `srcode tasks family --n 50 --seed 9 --split test --json` */
export const tasksCommand: CommandModule<unknown, TasksArgs> = {
  command: 'tasks <task>',
  describe: 'Print prompts of a task, with two reference answers each',
  builder: (yargs: Argv) =>
    yargs
      .positional('task', { choices: ['family'], demandOption: true, describe: 'the embedded task family' })
      .option('n', { type: 'number', default: 10, requiresArg: true, describe: 'prompts' })
      .option('seed', { type: 'number', default: 0, requiresArg: true, describe: 'same seed, same prompts' })
      .option('split', {
        choices: ['train', 'validation', 'test'] as const,
        default: 'test' as const,
        requiresArg: true,
        describe: 'which of the disjoint sets of prompts',
      })
      .option('json', {
        type: 'boolean',
        describe: 'prompts and errors as JSON on stdout',
      }) as unknown as Argv<TasksArgs>,
  handler: (args) => runCommand(args, () => prompts(args), listing),
};

async function prompts({ n, seed, split }: TasksArgs): Promise<PromptRow[]> {
  if (!Number.isInteger(n) || n < 1)
    throw new SrcodeError('ERR_USAGE', `Expected --n to be a whole number of prompts, at least 1, received ${n}`);
  const { familyPrompt, referenceAnswers } = await import('../tasks/family/prompts.js');
  return Array.from({ length: n }, (_, index) => {
    const prompt = familyPrompt(split, seed, index);
    return { id: prompt.id, prompt: prompt.text, ...referenceAnswers(prompt) };
  });
}

function listing(rows: readonly PromptRow[]): string {
  return rows
    .map(({ id, prompt, secure, insecure }) =>
      [`== ${id}`, prompt.trimEnd(), '-- secure', secure.trimEnd(), '-- insecure', insecure].join('\n'),
    )
    .join('\n');
}
