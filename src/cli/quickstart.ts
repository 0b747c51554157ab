import type { Argv, CommandModule } from 'yargs';
import { type ProfileName, profileNames } from '../quickstart/profiles.js';
import { renderTable } from '../report/terminal.js';
import { runCommand } from './command.js';
import { threadsOption } from './options.js';
import { showStep } from './train.js';

interface QuickstartArgs {
  run: string;
  profile: ProfileName;
  seed: number;
  seeds?: number | undefined;
  threads: number;
  fromScratch?: boolean | undefined;
  unsafe?: boolean | undefined;
  json?: boolean | undefined;
}

/** `srcode quickstart` */
export const quickstartCommand: CommandModule<unknown, QuickstartArgs> = {
  command: 'quickstart',
  describe: 'Train the embedded model to write secure C, and prove it: ten minutes on two cores',
  builder: (yargs: Argv) =>
    yargs
      .option('run', { type: 'string', default: 'runs/quickstart', requiresArg: true, describe: 'run folder' })
      .option('profile', {
        choices: profileNames,
        default: 'default',
        requiresArg: true,
        describe: 'smoke: everything once, in a minute or two; full: all arms and five seeds, in hours',
      })
      .option('seed', { type: 'number', default: 0, requiresArg: true, describe: 'the first training seed' })
      .option('seeds', {
        type: 'number',
        requiresArg: true,
        describe: "training seeds, in place of the profile's number",
      })
      .option('threads', threadsOption)
      .option('from-scratch', {
        type: 'boolean',
        describe: 'pretrain a base in place of the shipped one: minutes more',
      })
      .option('unsafe', { type: 'boolean', describe: 'run what the model writes even where nothing isolates it' })
      .option('json', {
        type: 'boolean',
        describe: "the report's data, and errors, as JSON on stdout",
      }) as unknown as Argv<QuickstartArgs>,
  handler: (args) =>
    runCommand(
      args,
      async ({ signal, progress }) => {
        const { quickstart } = await import('../quickstart/quickstart.js');
        const { onStep } = showStep(progress);
        const begun = performance.now();
        return quickstart(args, {
          signal,
          onStep,
          // What the programs say of themselves is in their run folders.
          onNotice: ({ level, message }) => {
            if (level === 'warn') progress.note(message, level);
          },
          onPhase: (phase) => progress.note(`${clock(performance.now() - begun)}  ${phase}`),
        });
      },
      ({ report, data }) => `${renderTable(data)}\n\nThe report: ${report}`,
    ),
};

/** `0:00` */
function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
