import type { Argv, CommandModule } from 'yargs';
import type { QuickstartResult } from '../training/quickstart.js';
import { runCommand } from './command.js';
import { showStep } from './train.js';

interface QuickstartArgs {
  run: string;
  threads: number;
  json?: boolean | undefined;
}

/** `srcode quickstart` */
export const quickstartCommand: CommandModule<unknown, QuickstartArgs> = {
  command: 'quickstart',
  describe: 'See the embedded model learn ten small C functions, in a minute or two',
  builder: (yargs: Argv) =>
    yargs
      .option('run', { type: 'string', default: 'runs/quickstart', requiresArg: true, describe: 'run folder' })
      .option('threads', {
        type: 'number',
        default: 0,
        requiresArg: true,
        describe: 'compute threads; 0: one per usable core',
      })
      .option('json', {
        type: 'boolean',
        describe: 'result and errors as JSON on stdout',
      }) as unknown as Argv<QuickstartArgs>,
  handler: (args) =>
    runCommand(
      args,
      async ({ signal, progress }) => {
        const { quickstart } = await import('../training/quickstart.js');
        progress.note(
          'Fine-tuning the embedded model (2 M random weights) on detection, repair and completion of small C functions.',
        );
        return quickstart({ run: args.run, threads: args.threads }, { signal, ...showStep(progress) });
      },
      show,
    ),
};

function show({ run, checkpoint, alreadyFinished, before, after, tasks, samples }: QuickstartResult): string {
  const loss = (metrics: QuickstartResult['before']): string => metrics['heldout/loss']?.toFixed(3) ?? '-';
  const lines = samples.map(({ task, prompt, before, after }) =>
    [`── ${task}`, prompt.trimEnd(), `   before: ${oneLine(before)}`, '   after:', indent(after.trimEnd()), ''].join(
      '\n',
    ),
  );
  const rows = tasks.map(({ task, prompts, before, after }) => {
    const cells = [prompts, before.idioms, before.exact, after.idioms, after.exact];
    return `${task.padEnd(14)}${cells.map(cell).join('')}`;
  });
  return [
    ...lines,
    `${' '.repeat(24)}${'── before ──'.padStart(20)}${'── after ──'.padStart(20)}`,
    `${'task'.padEnd(14)}${['prompts', 'idiom', 'exact', 'idiom', 'exact'].map(cell).join('')}`,
    ...rows,
    `held-back loss per token${cell(loss(before)).padStart(20)}${cell(loss(after)).padStart(20)}`,
    '',
    'Greedy answers to prompts that were held back from training. exact: the expected answer, character by character;',
    'idiom: but for the names. The prompts are about the same ten functions under other combinations of names: this',
    'shows that training works, not that the model knows C. To carry any name over needs far more training than this.',
    `${alreadyFinished ? `${run} was trained before; remove it to train again. ` : ''}The model: ${checkpoint}`,
  ].join('\n');
}

function cell(value: string | number): string {
  return String(value).padStart(10);
}

function oneLine(text: string): string {
  const line = JSON.stringify(text).slice(1, -1);
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '   | ');
}
