import type { Argv, CommandModule } from 'yargs';
import { SrcodeError } from '../errors.js';
import type { Audit } from '../evaluation/audit.js';
import type { Estimate } from '../evaluation/estimate.js';
import type { Sample } from '../tasks/task.js';
import { runCommand } from './command.js';
import { taskOption, unsafeOption } from './options.js';

interface AuditArgs {
  samples?: string | undefined;
  task: string;
  n: number;
  mutants?: number | undefined;
  seed: number;
  unsafe: boolean;
  json?: boolean | undefined;
}

/** `srcode audit runs/ppo/evaluation.jsonl --task family --json` */
export const auditCommand: CommandModule<unknown, AuditArgs> = {
  command: 'audit [samples]',
  describe: 'Prove by execution what the teacher says: its verdicts, and that what it credits keeps attacks away',
  builder: (yargs: Argv) =>
    yargs
      .positional('samples', {
        type: 'string',
        describe: 'JSONL rows {"id", "answer"}; without it, reference answers of the family to fresh prompts',
      })
      .option('task', taskOption)
      .option('n', {
        type: 'number',
        default: 200,
        requiresArg: true,
        describe: 'fresh prompts, where no file is given',
      })
      .option('mutants', { type: 'number', requiresArg: true, describe: 'most mutants to run; all without it' })
      .option('seed', {
        type: 'number',
        default: 0,
        requiresArg: true,
        describe: 'same seed, same prompts and mutants',
      })
      .option('unsafe', unsafeOption)
      .option('json', {
        type: 'boolean',
        describe: 'the audit and errors as JSON on stdout',
      }) as unknown as Argv<AuditArgs>,
  handler: (args) =>
    runCommand(
      args,
      async ({ signal }) => {
        const { audit } = await import('../evaluation/audit.js');
        const { loadTask } = await import('../tasks/load.js');
        const { readSamples } = await import('../tasks/samples.js');
        for (const name of ['n', 'mutants'] as const) {
          const value = args[name];
          if (value !== undefined && (!Number.isInteger(value) || value < 1))
            throw new SrcodeError(
              'ERR_USAGE',
              `Expected --${name} to be a whole number of at least 1, received ${value}`,
            );
        }
        const task = await loadTask(args.task, { unsafe: args.unsafe });
        const samples =
          args.samples === undefined ? await references(args) : await readSamples(task, args.samples, { signal });
        return audit({ task, samples, mutants: args.mutants, seed: args.seed, signal });
      },
      show,
    ),
};

/** A secure and an insecure answer by turns. */
async function references({ task, n, seed }: AuditArgs): Promise<Sample[]> {
  if (task !== 'family')
    throw new SrcodeError(
      'ERR_USAGE',
      `Expected a file of samples: only the family has reference answers, ${task} has none`,
    );
  const { familyPrompt, referenceAnswers } = await import('../tasks/family/index.js');
  return Array.from({ length: n }, (_, i) => {
    const prompt = familyPrompt('test', seed, i);
    const { secure, insecure } = referenceAnswers(prompt);
    return { prompt, answer: Buffer.from(i % 2 === 0 ? secure : insecure) };
  });
}

function show({
  samples,
  functional,
  secure,
  agreement,
  disagreements,
  precision,
  weakened,
  obligations,
  unproved,
}: Audit): string {
  const lines = [
    `${samples} samples, ${functional} of them functional, ${secure} of those secure`,
    `teacher and execution agree  ${percent(agreement)}`,
    `causal precision             ${percent(precision)}`,
    `  weakened instead           ${percent(weakened)}`,
    ...Object.entries(obligations).map(([name, { precision }]) => `  ${name.padEnd(26)} ${percent(precision)}`),
    ...disagreements.map(
      ({ id, teacher, said, shown }) =>
        `${id}: ${teacher} to the teacher (${said.join('; ')}), run: ${shown.join('; ')}`,
    ),
    ...unproved.map(({ id, obligation, change }) => `${id}: ${obligation}, ${change}: no attack succeeds`),
  ];
  return lines.join('\n');
}

function percent({ value, low, high, n }: Estimate): string {
  if (n === 0) return 'nothing to measure';
  const [share, from, to] = [value, low, high].map((x) => (100 * x).toFixed(1));
  return `${share} % [${from}, ${to}], n ${n}`;
}
