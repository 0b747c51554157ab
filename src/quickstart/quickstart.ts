import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { io, makeFolder } from '../files.js';
import type { ReportData } from '../report/data.js';
import { writeReport } from '../report/report.js';
import { familyTask } from '../tasks/family/task.js';
import type { Hooks } from '../training/hooks.js';
import { type ProfileName, profiles } from './profiles.js';
import { reportData } from './report-data.js';
import { Results } from './results.js';
import {
  type Context,
  fromScratch,
  measureBase,
  measureCredit,
  runSeed,
  type SeedResults,
  shippedBase,
} from './stages.js';

export interface QuickstartOptions {
  /** Default `runs/quickstart`. */
  run?: string | undefined;
  /** Default `default`. */
  profile?: ProfileName | undefined;
  /** The first training seed. Default 0. */
  seed?: number | undefined;
  /** Training seeds of each arm, in place of the profile's. */
  seeds?: number | undefined;
  /** Pretrains a base of its own (`tiny-quick`) in place of the shipped one. */
  fromScratch?: boolean | undefined;
  /** Compute threads; 0: one per usable core. */
  threads?: number | undefined;
  /** Runs the answers without isolation where the machine offers none. */
  unsafe?: boolean | undefined;
}

export interface QuickstartHooks extends Pick<Hooks, 'signal' | 'onStep' | 'onNotice'> {
  onPhase?: (phase: string) => void;
}

export interface QuickstartResult {
  run: string;
  /** Path of report.html. */
  report: string;
  data: ReportData;
}

/**
 * The whole method on the embedded model, and its proof: supervised fine-tuning on detection and repair, a reward model, then the arms of
 * PPO at equal budget, judged by running what they write; ends in a report. A run that was broken off is gone on with.
 */
export async function quickstart(
  options: QuickstartOptions = {},
  hooks: QuickstartHooks = {},
): Promise<QuickstartResult> {
  const { profile: name = 'default', seed: first = 0 } = options;
  const begun = performance.now();
  const context = await openQuickstart(options, hooks);
  const { run, profile, results } = context;

  const before = await measureBase(context);
  const seeds: SeedResults[] = [];
  for (let seed = first, took = 0; seed < first + profile.seeds; seed++) {
    if (seeds.length > 0 && profile.budgetSeconds !== null) {
      // Decided once: a run that is taken up again does not decide anew.
      const left = profile.budgetSeconds - (performance.now() - begun) / 1000;
      if (!(await results.get(`seed ${seed} begins`, seed, async () => took <= left))) break;
    }
    const before = secondsOf(results);
    seeds.push(await runSeed(context, seed));
    took = secondsOf(results) - before;
  }
  const credit = await measureCredit(context, seeds);
  const data = reportData(context, { name, before, seeds, credit });
  return { run, report: writeReport(run, data), data };
}

/** What the phases of a quickstart need; `tune-arms` uses it as well. */
export async function openQuickstart(options: QuickstartOptions, hooks: QuickstartHooks): Promise<Context> {
  const { run = 'runs/quickstart', profile: name = 'default', seeds, threads = 0, unsafe = false } = options;
  const profile = { ...profiles[name], ...(seeds !== undefined && { seeds }) };
  io('create', run, () => makeFolder(run));
  const task = familyTask({ unsafe });
  const base = options.fromScratch ? await fromScratch(join(run, 'pretrain'), threads, hooks) : shippedBase();
  const { lessons, ppo, evaluation } = profile;
  const about = { lessons, ppo, evaluation, base: hashOf(base), task: [task.version, task.teacher.id] };
  const results = new Results(join(run, 'results'), about);
  return { run, profile, threads, task, base, results, hooks };
}

function hashOf(model: string): string {
  const file = join(model, 'model.safetensors');
  return createHash('sha256')
    .update(io('read', file, () => readFileSync(file)))
    .digest('hex');
}

function secondsOf({ phases }: Results): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0);
}
