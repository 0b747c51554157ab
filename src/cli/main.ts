#!/usr/bin/env node
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { suggest } from '../config/suggest.js';
import { SrcodeError } from '../errors.js';
import { version } from '../version.js';
import { analyzeCommand } from './analyze.js';
import { auditCommand } from './audit.js';
import { benchCommand } from './bench.js';
import { report } from './command.js';
import { doctorCommand } from './doctor.js';
import { evaluateCommand } from './evaluate.js';
import { generateCommand } from './generate.js';
import { judgeCommand } from './judge.js';
import { quickstartCommand } from './quickstart.js';
import { selftestCommand } from './selftest.js';
import { tasksCommand } from './tasks.js';
import { trainCommand } from './train.js';

const argv = hideBin(process.argv);
const parser = yargs(argv)
  .scriptName('srcode')
  .usage('$0 <command>\n\nTrains code language models to write secure code.')
  .command(trainCommand)
  .command(generateCommand)
  .command(evaluateCommand)
  .command(quickstartCommand)
  .command(tasksCommand)
  .command(analyzeCommand)
  .command(auditCommand)
  .command(judgeCommand)
  .command(benchCommand)
  .command(selftestCommand)
  .command(doctorCommand)
  .demandCommand(1, 'Expected a command')
  .recommendCommands()
  .strict()
  .parserConfiguration({ 'dot-notation': false, 'greedy-arrays': false, 'boolean-negation': false })
  .version(version)
  .help()
  .alias('h', 'help')
  .wrap(Math.min(120, process.stderr.columns ?? 100))
  .epilogue('Exit codes: 0 done, 1 failed, 2 bad usage or config, 130 interrupted (after the checkpoint is safe).')
  .exitProcess(false)
  .fail((message, error) => {
    // Errors of yargs' own are bad usage too; those of a command's work never come here.
    throw new SrcodeError('ERR_USAGE', usageMessage(message ?? error.message, knownOptions()));
  });

// A reader that has seen enough (`srcode … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  await parser.parseAsync();
} catch (error) {
  process.exitCode = report(error, argv.includes('--json'));
}

// yargs suggests commands but not options.
function usageMessage(message: string, options: readonly string[]): string {
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1]?.split(', ') ?? [];
  const hints = unknown.flatMap((word) => {
    const near = suggest(word, options);
    return near === undefined ? [] : [`did you mean --${near}?`];
  });
  return [`${message}${hints.length > 0 ? `; ${hints.join(' ')}` : ''}`, 'srcode --help lists what there is.'].join(
    '\n',
  );
}

// Not in yargs' types: the table of all options that the command reached so far has declared.
function knownOptions(): string[] {
  return Object.keys((parser as unknown as { getOptions(): { key: object } }).getOptions().key);
}
