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
  const rows = tasks.map(
    ({ task, prompts, before, after }) => `${task.padEnd(12)}${cell(prompts)}${cell(before)}${cell(after)}`,
  );
  return [
    ...lines,
    `${'task'.padEnd(12)}${cell('prompts')}${cell('before')}${cell('after')}`,
    ...rows,
    `${'held-back loss'.padEnd(22)}${cell(loss(before))}${cell(loss(after))}`,
    '',
    'Prompts are held back from training and count as right when the greedy answer is the expected one, character by character.',
    'They are about the same ten functions under other combinations of names: this shows that training works, not that the model knows C.',
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
