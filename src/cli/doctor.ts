import type { Argv, CommandModule } from 'yargs';
import type { Part } from '../doctor/doctor.js';
import { paintOf } from '../terminal.js';
import { runCommand } from './command.js';

const pc = paintOf();

interface DoctorArgs {
  json?: boolean | undefined;
}

/** `srcode doctor --json` */
export const doctorCommand: CommandModule<unknown, DoctorArgs> = {
  command: 'doctor',
  describe: 'Say what of compilers, analysers, sandbox and GPU is here, and what each adds',
  builder: (yargs: Argv) =>
    yargs.option('json', { type: 'boolean', describe: 'one entry a part as JSON on stdout' }) as Argv<DoctorArgs>,
  handler: (args) =>
    runCommand(args, async ({ signal }) => (await import('../doctor/doctor.js')).examine({ signal }), listing),
};

function listing(parts: readonly Part[]): string {
  const width = Math.max(...parts.map(({ name }) => name.length));
  return parts
    .map(({ name, present, detail, adds, remedy, lacks }) =>
      [
        `${present ? pc.green('yes') : pc.yellow('no ')}  ${name.padEnd(width)}  ${detail}`,
        `${' '.repeat(width + 7)}${pc.dim(adds)}`,
        ...(lacks === undefined ? [] : [`${' '.repeat(width + 7)}${pc.dim(`without ${lacks.join(', ')}`)}`]),
        ...(remedy === undefined ? [] : [`${' '.repeat(width + 7)}to have it: ${remedy}`]),
      ].join('\n'),
    )
    .join('\n');
}
