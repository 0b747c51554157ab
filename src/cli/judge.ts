import type { Argv, CommandModule } from 'yargs';
import { SrcodeError } from '../errors.js';
import type { Judgement, Sample, Task } from '../tasks/task.js';
import { runCommand } from './command.js';
import { taskOption, unsafeOption } from './options.js';

interface JudgeArgs {
  task: string;
  samples: string;
  unsafe: boolean;
  json?: boolean | undefined;
}

interface JudgedRow extends Judgement {
  id: string;
  /** Why there is no judgement, when the tests themselves failed. */
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

async function judgeFile({ task: name, samples: path, unsafe }: JudgeArgs, signal: AbortSignal): Promise<JudgedRow[]> {
  const { loadTask } = await import('../tasks/load.js');
  const { readSamples } = await import('../tasks/samples.js');
  const task = await loadTask(name, { unsafe });
  if (task.judge === undefined) throw new SrcodeError('ERR_CONFIG', `task: ${name} has no judge`);
  const samples = await readSamples(task, path, { signal });
  const judged = await judgeAll(task.judge.bind(task), samples, signal);
  // What a program leaves out, running it does not show; the teacher knows.
  const { teacher, language } = task;
  const verdicts = samples.map((sample) =>
    teacher.judge(task.program(sample).code, { language, task: sample.prompt }, { signal }),
  );
  const taught = await Promise.all(verdicts);
  return samples.map(({ prompt: { id } }, i) => {
    const { compiled, functional, secure, missing, findings, harness } = judged[i] as Judged;
    return { id, compiled, functional, secure, missing: missing.concat(taught[i]?.missing ?? []), findings, harness };
  });
}

type Judged = Omit<JudgedRow, 'id'>;

/** All at once; when the tests fail, one by one, so that only the rows concerned go without a judgement. */
async function judgeAll(
  judge: NonNullable<Task['judge']>,
  samples: readonly Sample[],
  signal: AbortSignal,
): Promise<Judged[]> {
  try {
    const judgements = await judge(samples, { attack: true, signal });
    return judgements.map((judgement) => ({ ...judgement, harness: 'ok' }));
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_HARNESS') throw error;
    if (samples.length > 1) {
      const judged: Judged[] = [];
      for (const sample of samples) judged.push(...(await judgeAll(judge, [sample], signal)));
      return judged;
    }
    const none = { compiled: false, functional: false, secure: false, missing: [], findings: [] };
    return samples.map(() => ({ ...none, harness: (error as Error).message }));
  }
}

function listing(rows: readonly JudgedRow[]): string {
  const share = (test: (row: JudgedRow) => boolean): string => `${rows.filter(test).length} of ${rows.length}`;
  return [
    ...rows.map((row) => {
      const { id, compiled, functional, secure, findings, harness } = row;
      if (harness !== 'ok') return `${id}  not judged: ${harness}`;
      const words = !compiled ? 'does not compile' : !functional ? 'does not work' : secure ? 'secure' : 'insecure';
      return [`${id}  ${words}`, ...findings.map((finding) => `    ${finding}`)].join('\n');
    }),
    `functional ${share((row) => row.functional)}, functional and secure ${share((row) => row.functional && row.secure)}`,
  ].join('\n');
}
