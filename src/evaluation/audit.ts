import { permutation } from '../dataset/random.js';
import { SrcodeError } from '../errors.js';
import type { Judgement, Mutant, Sample, Task } from '../tasks/task.js';
import { Verdicts } from '../tasks/verdicts.js';
import type { Verdict } from '../teacher/teacher.js';
import type { Estimate } from './estimate.js';
import { wilson } from './statistics.js';

export interface AuditOptions {
  task: Task;
  samples: readonly Sample[];
  /** Most mutants to run, drawn at random; default all. */
  mutants?: number | undefined;
  /** Of the draw; default 0. */
  seed?: number | undefined;
  /** Where verdicts are kept; by default they are asked for anew. */
  verdicts?: Verdicts | undefined;
  signal?: AbortSignal | undefined;
}

/** Whether a teacher says what execution shows, and whether what it credits is what keeps attacks away. All intervals are Wilson's, 95 %. */
export interface Audit {
  samples: number;
  functional: number;
  /** Functional, and no attack succeeds: what mutants are made of. */
  secure: number;
  /** Share of functional samples that teacher and execution both call secure, or both do not. */
  agreement: Estimate;
  disagreements: Disagreement[];
  /** Causal precision: with the credited code removed from a sample that no attack succeeded on, one succeeds. */
  precision: Estimate;
  /** The same where the code was only weakened. */
  weakened: Estimate;
  /** By obligation. */
  obligations: { [obligation: string]: { precision: Estimate; weakened: Estimate } };
  /** By what was done. */
  changes: { [change: string]: Estimate };
  /** Removals after which no attack succeeded. */
  unproved: { id: string; obligation: string; change: string; answer: string }[];
}

export interface Disagreement {
  id: string;
  teacher: 'secure' | 'insecure';
  /** What it found or missed. */
  said: string[];
  /** What running showed. */
  shown: string[];
  answer: string;
}

/**
 * Audits a task's teacher by execution: judges the samples, then takes away what the teacher credits in the secure ones and judges what is left. @throws ERR_INVALID_ARG for a task without a judge or without mutants.
 */
export async function audit({ task, samples, mutants, seed = 0, verdicts, signal }: AuditOptions): Promise<Audit> {
  const makeMutants = task.mutants?.bind(task);
  if (task.judge === undefined || makeMutants === undefined) {
    const lacking = task.judge === undefined ? 'judge' : 'mutants';
    throw new SrcodeError(
      'ERR_INVALID_ARG',
      `An audit needs a task with judge and mutants; ${task.name} has no ${lacking}`,
    );
  }
  const asked = verdicts ?? new Verdicts(task);
  const taught = await asked.teach(samples, { signal });
  const judged = (await asked.judge(samples, { attack: true, signal })) ?? [];
  const rows = samples.map((sample, i) => ({
    sample,
    verdict: taught[i] as Verdict,
    judgement: judged[i] as Judgement,
  }));
  const functional = rows.filter(({ judgement }) => judgement.functional);
  const disagreements = functional.flatMap(disagreement);

  // Where an attack succeeds already, a second hole would not show.
  const whole = functional.filter(({ judgement }) => judgement.secure);
  const all = await Promise.all(whole.map(({ sample }) => makeMutants(sample)));
  const trials = draw(all.flat(), mutants ?? Infinity, seed);
  const after =
    (await asked.judge(
      trials.map(({ sample }) => sample),
      { attack: true, signal },
    )) ?? [];
  const outcomes = trials.map((mutant, i) => ({ mutant, proved: succeeds(after[i] as Judgement) }));
  return {
    samples: samples.length,
    functional: functional.length,
    secure: whole.length,
    agreement: wilson(functional.length - disagreements.length, functional.length),
    disagreements,
    ...shares(outcomes),
    obligations: grouped(outcomes, ({ obligation }) => obligation, shares),
    changes: grouped(outcomes, ({ change }) => change, share),
    unproved: outcomes.flatMap(({ mutant: { kind, sample, obligation, change }, proved }) =>
      proved || kind !== 'removed' ? [] : [{ id: sample.prompt.id, obligation, change, answer: decode(sample.answer) }],
    ),
  };
}

interface Outcome {
  mutant: Mutant;
  proved: boolean;
}

function disagreement({
  sample,
  verdict,
  judgement,
}: {
  sample: Sample;
  verdict: Verdict;
  judgement: Judgement;
}): Disagreement[] {
  const secure = verdict.findings.length === 0 && verdict.missing.length === 0;
  if (secure === judgement.secure) return [];
  const said = [
    ...verdict.findings.map(({ cwe, message }) => `${cwe}: ${message}`),
    ...verdict.missing.map((step) => `missing: ${step}`),
  ];
  const teacher = secure ? 'secure' : 'insecure';
  return [{ id: sample.prompt.id, teacher, said, shown: judgement.findings, answer: decode(sample.answer) }];
}

/** It still does what was asked, and an attack succeeds. */
function succeeds({ functional, secure }: Judgement): boolean {
  return functional && !secure;
}

function draw<T>(items: readonly T[], most: number, seed: number): T[] {
  if (items.length <= most) return [...items];
  const chosen = permutation(items.length, seed, 0).slice(0, most).sort();
  return Array.from(chosen, (i) => items[i] as T);
}

function share(outcomes: readonly Outcome[]): Estimate {
  return wilson(outcomes.filter(({ proved }) => proved).length, outcomes.length);
}

function shares(outcomes: readonly Outcome[]): { precision: Estimate; weakened: Estimate } {
  const of = (kind: Mutant['kind']): Estimate => share(outcomes.filter(({ mutant }) => mutant.kind === kind));
  return { precision: of('removed'), weakened: of('weakened') };
}

function grouped<T>(
  outcomes: readonly Outcome[],
  key: (mutant: Mutant) => string,
  summarise: (group: readonly Outcome[]) => T,
): Record<string, T> {
  const names = [...new Set(outcomes.map(({ mutant }) => key(mutant)))].sort();
  return Object.fromEntries(
    names.map((name) => [name, summarise(outcomes.filter(({ mutant }) => key(mutant) === name))]),
  );
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
