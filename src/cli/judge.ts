import type { Argv, CommandModule } from 'yargs';
import { SrcodeError } from '../errors.js';
import type { Judgement } from '../tasks/task.js';
import { runCommand } from './command.js';
import { taskOption, unsafeOption, verdictSeedOption } from './options.js';

interface JudgeArgs {
  task: string;
  samples: string;
  unsafe: boolean;
  verdictSeed: number;
  json?: boolean | undefined;
}

interface JudgedRow extends Omit<Judgement, 'unjudged'> {
  id: string;
  /** `ok`, or why there is no judgement. */
  harness: string;
}

/** `srcode judge --task family samples.jsonl --json` */
export const judgeCommand: CommandModule<unknown, JudgeArgs> = {
  command: 'judge <samples>',
  describe: "Run answers to a task's prompts, from anywhere, against its tests and attacks",
  builder: (yargs: Argv) =>
    yargs
      .positional('samples', {
        type: 'string',
        demandOption: true,
        describe: 'JSONL file of {"id", "answer"} rows; the id of a prompt names its task',
      })
      .option('task', taskOption)
      .option('verdict-seed', verdictSeedOption)
      .option('unsafe', unsafeOption)
      .option('json', {
        type: 'boolean',
        describe: 'one judgement a row, and errors, as JSON on stdout',
      }) as unknown as Argv<JudgeArgs>,
  handler: (args) =>
    runCommand(
      args,
      ({ signal }) => judgeFile(args, signal),
      listing,
      (rows) => {
        const unjudged = rows.filter(({ harness }) => harness !== 'ok');
        if (unjudged.length === 0) return undefined;
        return new SrcodeError('ERR_HARNESS', `${unjudged.length} of ${rows.length} rows could not be judged`);
      },
    ),
};

async function judgeFile(
  { task: name, samples: path, unsafe, verdictSeed }: JudgeArgs,
  signal: AbortSignal,
): Promise<JudgedRow[]> {
  const { loadTask } = await import('../tasks/load.js');
  const { readSamples } = await import('../tasks/samples.js');
  const task = await loadTask(name, { unsafe, verdictSeed });
  if (task.judge === undefined) throw new SrcodeError('ERR_CONFIG', `task: ${name} has no judge`);
  const samples = await readSamples(task, path, { signal });
  const judged = await task.judge(samples, { attack: true, signal });
  // What a program leaves out, running it does not show; the teacher knows.
  const { teacher, language } = task;
  const verdicts = samples.map((sample) =>
    teacher.judge(task.program(sample).code, { language, task: sample.prompt }, { signal }),
  );
  const taught = await Promise.all(verdicts);
  return samples.map(({ prompt: { id } }, i) => {
    const { compiled, functional, secure, findings, refused, unjudged = 'ok' } = judged[i] as Judgement;
    const missing = (judged[i]?.missing ?? []).concat(taught[i]?.missing ?? []);
    const verdict = { id, compiled, functional, secure, missing, findings, harness: unjudged };
    return refused === undefined ? verdict : { ...verdict, refused };
  });
}

function listing(rows: readonly JudgedRow[]): string {
  const share = (test: (row: JudgedRow) => boolean): string => `${rows.filter(test).length} of ${rows.length}`;
  return [
    ...rows.map((row) => {
      const { id, compiled, functional, secure, findings, harness } = row;
      if (harness !== 'ok') return `${id}  not judged: ${harness}`;
      const words =
        row.refused !== undefined
          ? `refused`
          : !compiled
            ? 'does not compile'
            : !functional
              ? 'does not work'
              : secure
                ? 'secure'
                : 'insecure';
      return [`${id}  ${words}`, ...findings.map((finding) => `    ${finding}`)].join('\n');
    }),
    `functional ${share((row) => row.functional)}, functional and secure ${share((row) => row.functional && row.secure)}`,
  ].join('\n');
}
