import type { Argv, CommandModule } from 'yargs';
import { SrcodeError } from '../errors.js';
import type { SelftestRow } from '../native/selftest.js';
import { runCommand } from './command.js';

interface SelftestArgs {
  device: string;
  threads?: number | undefined;
  json?: boolean | undefined;
}

/** `srcode selftest --device cuda:0 --json` */
export const selftestCommand: CommandModule<unknown, SelftestArgs> = {
  command: 'selftest',
  describe: 'Compare the kernels of a device with their definitions',
  builder: (yargs: Argv) =>
    yargs
      .option('device', {
        choices: ['cpu', 'cuda', 'cuda:0'],
        default: 'cpu',
        requiresArg: true,
        describe: 'cpu: against plain loops in double; cuda:0: against the CPU',
      })
      .option('threads', { type: 'number', requiresArg: true, describe: 'CPU threads; default one per usable core' })
      .option('json', { type: 'boolean', describe: 'result and errors as JSON on stdout' }) as Argv<SelftestArgs>,
  handler: ({ device, threads, json }) =>
    runCommand(
      { json },
      async ({ signal }) => (await import('../native/selftest.js')).selftest({ device, threads, signal }),
      table,
      (rows) => failure(rows, device),
    ),
};

function table(rows: readonly SelftestRow[]): string {
  const lines = rows.map(
    ({ ok, name, shape, maxError, tolerance }) =>
      `${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(28)} ${shape.padEnd(24)} error ${maxError.toExponential(1)} of ${tolerance.toExponential(0)}`,
  );
  const failed = rows.filter(({ ok }) => !ok).length;
  return [...lines, `${rows.length - failed} comparisons agree, ${failed} do not`].join('\n');
}

function failure(rows: readonly SelftestRow[], device: string): SrcodeError | undefined {
  const failed = rows.filter(({ ok }) => !ok).map(({ name, shape }) => `${name} ${shape}`);
  if (failed.length === 0) return undefined;
  return new SrcodeError('ERR_SELFTEST', `Kernels of ${device} disagree with their definitions: ${failed.join(', ')}`);
}
