import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Evaluation, type EvaluationRow, summarise } from '../evaluation/evaluate.js';
import { pairedDifference, type Row, rate } from '../evaluation/statistics.js';
import { readInput } from '../files.js';
import type {
  ArmResult,
  Comparison,
  CreditResult,
  Curve,
  GateResult,
  ReportData,
  SampleView,
  Scores,
} from '../report/data.js';
import type { Metrics } from '../run/run.js';
import type { PpoSampleRow } from '../training/ppo/sample-rows.js';
import { version } from '../version.js';
import type { Arm } from './arms.js';
import type { ProfileName } from './profiles.js';
import type { Context, Measured, SeedResults } from './stages.js';
import { recordedTrials } from './trials.js';

interface Found {
  name: ProfileName;
  before: Measured;
  seeds: readonly SeedResults[];
  credit: CreditResult;
}

/** What the report shows of a quickstart's measurements. */
export function reportData(context: Context, { name, before, seeds, credit }: Found): ReportData {
  const { profile, task, results } = context;
  const [one] = seeds as [SeedResults, ...SeedResults[]];
  const gate = gateOf(before.evaluation);
  const arms = [
    armResult('base', 'The model as it was pretrained.', [{ seed: 0, evaluation: before.evaluation }]),
    armResult(
      'SFT',
      'Fine-tuned on detection and repair; where the arms begin.',
      seeds.map(({ seed, sft }) => ({ seed, evaluation: sft.evaluation })),
    ),
    ...profile.arms.map(({ name, about }) => armResult(name, about, evaluationsOf(seeds, name))),
  ];
  return {
    title: 'srcode quickstart',
    about:
      'A small model learns to write secure C: fine-tuned on detection and repair, then trained by PPO with token-level rewards, and beside ' +
      'it with the same rewards given otherwise. What it writes is compiled, run and attacked.',
    command: `npm run quickstart${name === 'default' ? '' : ` -- --profile ${name}`}`,
    comparisons: comparisonsOf(seeds, profile.arms),
    setup: {
      made: new Date().toISOString(),
      profile: name,
      machine: machineOf(one),
      versions: { srcode: version, node: process.versions.node, task: task.version, teacher: task.teacher.id },
      config: profile,
      phases: results.phases.filter(({ seconds }) => seconds >= 0.05),
    },
    arms,
    sft: {
      method: 'all weights',
      detection: { before: before.lessons.detection, after: one.sft.lessons.detection },
      repair: { before: before.lessons.repair, after: one.sft.lessons.repair },
      functional: {
        before: scoresOf([rowsOf(0, before.evaluation)]).functional,
        after: scoresOf([rowsOf(one.seed, one.sft.evaluation)]).functional,
      },
    },
    rewardModel: one.reward.accuracy,
    gate,
    curves: seeds.flatMap(({ seed, arms }) => arms.map(({ arm, run }) => curveOf(arm, seed, run))),
    credit,
    trials: recordedTrials(),
    samples: profile.arms.flatMap((arm) => samplesOf(arm.name, one)),
    limits: limitsOf(seeds.length, gate),
  };
}

/** Test rows of one training seed. */
interface SeedRows {
  seed: number;
  rows: readonly EvaluationRow[];
}

function rowsOf(seed: number, { rows }: Evaluation): SeedRows {
  return { seed, rows };
}

function evaluationsOf(seeds: readonly SeedResults[], name: string): { seed: number; evaluation: Evaluation }[] {
  return seeds.flatMap(({ seed, arms }) =>
    arms.filter(({ arm }) => arm === name).map(({ evaluation }) => ({ seed, evaluation })),
  );
}

function armResult(name: string, about: string, evaluations: { seed: number; evaluation: Evaluation }[]): ArmResult {
  const bySeed = evaluations.map(({ seed, evaluation }) => rowsOf(seed, evaluation));
  const groups = ['k', 'mode', 'carry'].flatMap((by) => {
    const values = [...new Set(bySeed.flatMap(({ rows }) => rows.map(({ labels }) => labels[by] ?? '')))].sort();
    return values.map((group) => ({
      by,
      group: by === 'carry' ? (carried[group] ?? group) : group,
      scores: scoresOf(
        bySeed.map(({ seed, rows }) => ({ seed, rows: rows.filter(({ labels }) => labels[by] === group) })),
      ),
    }));
  });
  return { name, about, seeds: evaluations.length, overall: scoresOf(bySeed), groups };
}

const carried: Readonly<Record<string, string>> = {
  no: 'as trained',
  step: 'kinds of step that RL never asked for',
  template: 'a phrasing that RL never used',
};

function scoresOf(bySeed: readonly SeedRows[]): Scores {
  const all = bySeed.flatMap(({ rows }) => rows);
  const valued = (value: (row: EvaluationRow) => boolean, of: (row: EvaluationRow) => boolean = () => true): Row[] =>
    bySeed.flatMap(({ seed, rows }) =>
      rows.filter(of).map((row) => ({ prompt: row.id, seed, value: Number(value(row)) })),
    );
  const { missing, repeated, length, kl } = summarise(all).all;
  const valid = valued(
    ({ secure }) => secure,
    ({ functional }) => functional,
  );
  return {
    fs1: rate(
      valued(({ fs }) => fs),
      0,
    ),
    functional: rate(
      valued(({ functional }) => functional),
      0,
    ),
    secureOfValid: valid.length === 0 ? { value: Number.NaN, low: 0, high: 1, n: 0 } : rate(valid, 0),
    ...{ missing, repeated, length },
    ...(kl !== undefined && { kl }),
  };
}

/** Each arm against its control, the primary end point first; then TLR against all others. */
function comparisonsOf(seeds: readonly SeedResults[], arms: readonly Arm[]): Comparison[] {
  const rows = (name: string): Row[] =>
    evaluationsOf(seeds, name).flatMap(({ seed, evaluation }) =>
      evaluation.rows.map(({ id, fs }) => ({ prompt: id, seed, value: Number(fs) })),
    );
  const controlled = arms.flatMap(({ name, control }) => (control === undefined ? [] : [{ arm: name, control }]));
  const others = arms
    .filter(({ name }) => name !== 'TLR' && !controlled.some(({ arm, control }) => arm === 'TLR' && control === name))
    .map(({ name }) => ({ arm: 'TLR', control: name }));
  return [...controlled, ...others].map(({ arm, control }) => ({
    ...{ arm, control, metric: 'FS@1 on test prompts' },
    difference: pairedDifference(rows(arm), rows(control), 0),
  }));
}

/** Functional rate that the base must reach, by k. */
const leastFunctional: Readonly<Record<string, number>> = { '1': 0.98, '2': 0.92, '3': 0.8 };
const secureWithin = [0.1, 0.45] as const;

function gateOf({ rows }: Evaluation): GateResult[] {
  const byK = Object.entries(leastFunctional).flatMap(([k, atLeast]): GateResult[] => {
    const ofK = rows.filter(({ labels }) => labels.k === k);
    if (ofK.length === 0) return [];
    const { functional, secureOfValid } = scoresOf([{ seed: 0, rows: ofK }]);
    return [{ k: Number(k), functional, secureOfValid, atLeast, met: functional.value >= atLeast }];
  });
  const { functional, secureOfValid } = scoresOf([{ seed: 0, rows }]);
  const [low, high] = secureWithin;
  return [
    ...byK,
    {
      k: 'all',
      functional,
      secureOfValid,
      secureWithin,
      met: secureOfValid.value >= low && secureOfValid.value <= high,
    },
  ];
}

function curveOf(arm: string, seed: number, run: string): Curve {
  if (!existsSync(join(run, 'metrics.jsonl'))) return { arm, seed, rows: [] };
  const rows = readLines<Metrics & { step: number; time?: unknown }>(join(run, 'metrics.jsonl'));
  return { arm, seed, rows: rows.map(({ time: _, ...row }) => row as Metrics & { step: number }) };
}

function samplesOf(arm: string, { arms }: SeedResults): SampleView[] {
  const run = arms.find((other) => other.arm === arm)?.run;
  if (run === undefined || !existsSync(join(run, 'samples.jsonl'))) return [];
  const rows = readLines<PpoSampleRow>(join(run, 'samples.jsonl'));
  const last = Math.max(...rows.map(({ step }) => step));
  return rows
    .filter(({ step }) => step === last)
    .map(({ answer: _, secureVerdict, compiled, functional, ...row }) => ({
      ...row,
      arm,
      secured: secureVerdict,
      ...(compiled !== null && { compiled }),
      ...(functional !== null && { functional }),
    }));
}

function machineOf({ arms }: SeedResults): Record<string, string> {
  const file = join(arms[0]?.run ?? '', 'machine.json');
  const [begun] = existsSync(file)
    ? (JSON.parse(readInput(file).toString('utf8')) as {
        isa: string;
        threads: number;
        build: string;
      }[])
    : [];
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    ...(begun && { 'instruction set': begun.isa, threads: `${begun.threads}`, build: begun.build }),
  };
}

function readLines<T>(file: string): T[] {
  return readInput(file)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

function limitsOf(seeds: number, gate: readonly GateResult[]): string[] {
  const below = gate.filter(({ k, met }) => !met && k !== 'all').map(({ k }) => k);
  return [
    ...(seeds === 1
      ? [
          'One training seed: the intervals cover the prompts, not the randomness of training. Another seed can end elsewhere.',
        ]
      : []),
    ...(below.length > 0
      ? [`The base is below its gate at k = ${below.join(', ')}: what happens there is shown, and is no evidence.`]
      : []),
    'A model of two million parameters and a family of nineteen kinds of small steps: nothing here says what larger models do on real code.',
    'Some dozens of iterations: nothing is said of convergence.',
    'Teacher and tests have one author and one specification. Mutations of credited code, executed, and steps that RL never asked for are the checks on that.',
    'Functions of one step cannot be held out by combination; there, only names and signatures are new.',
  ];
}
