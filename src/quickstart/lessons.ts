import { toPreferenceExample } from '../dataset/index.js';
import type { Estimate } from '../evaluation/estimate.js';
import { bootstrapMean, rate } from '../evaluation/statistics.js';
import { writeOwn } from '../files.js';
import type { Model } from '../native/model.js';
import type { RewardModelResult } from '../report/data.js';
import { detectionPair, type FamilyPrompt, preferencePair, repairRow, replayRow } from '../tasks/family/index.js';
import type { Task } from '../tasks/task.js';
import { applyTemplate, tinyTemplate } from '../tasks/template.js';
import type { Tokenizer } from '../tokenizer/index.js';
import type { Profile } from './profiles.js';

/** Writes the rows of SFT: detection on minimal pairs, repair, and documents of pretraining. */
export function writeLessons(file: string, seed: number, { detections, repairs, replays }: Profile['lessons']): void {
  const rows = [
    ...range(detections).flatMap((i) => {
      const { secure, vulnerable } = detectionPair(seed, i, 'train');
      return [secure, vulnerable].map((row) => ({ ...row, task: 'detection' }));
    }),
    ...range(repairs).map((i) => ({ ...repairRow(seed, i, 'train'), task: 'repair' })),
    ...range(replays).map((i) => ({ ...replayRow(seed, i), task: 'generation' })),
  ];
  writeRows(
    file,
    rows.map(({ prompt, response, task }) => ({ prompt: templated(prompt), response, task })),
  );
}

/** Writes the pairs of the reward model. */
export function writePreferences(file: string, seed: number, pairs: number): void {
  const rows = range(pairs).map((i) => preferencePair(seed, i, 'train'));
  writeRows(
    file,
    rows.map(({ prompt, chosen, rejected }) => ({ prompt: templated(prompt), chosen, rejected })),
  );
}

/** What a model knows of combinations of steps that no lesson had. */
export interface LessonScores {
  /** Balanced accuracy of the verdicts; each pair has one secure and one vulnerable function. */
  detection: Estimate;
  /** Share of pairs whose vulnerable function seems more likely vulnerable. */
  ranked: Estimate;
  /** Share of repairs that pass all tests and withstand all attacks. */
  repair: Estimate;
}

/** A model, with an adapter of its that answers or without. */
export interface Answerer {
  model: Model;
  tokenizer: Tokenizer;
  adapter?: string | undefined;
}

/** The verdict is the likelier of the two words that an answer can begin with; repairs are greedy, and executed. */
export async function measureLessons(
  answerer: Answerer,
  task: Task<FamilyPrompt>,
  {
    seed,
    detections,
    repairs,
    signal,
  }: { seed: number; detections: number; repairs: number; signal?: AbortSignal | undefined },
): Promise<LessonScores> {
  const { model, tokenizer } = answerer;
  const pairs = range(detections).map((i) => detectionPair(seed, i, 'heldOut'));
  const [yes, no] = ['vulnerable', 'secure'].map(
    (side) => tokenizer.encode((pairs[0] as (typeof pairs)[number])[side as 'secure'].response)[0] as number,
  ) as [number, number];
  const logOdds = async (prompts: readonly string[]): Promise<number[]> => {
    const asked = prompts.map((prompt) => tokenizer.encode(templated(prompt)));
    const options = callOptions(answerer, signal);
    const [a, b] = await Promise.all(
      [yes, no].map((verdict) =>
        model.logProbs(
          asked.map((ids) => Int32Array.of(...ids, verdict)),
          options,
        ),
      ),
    );
    return asked.map((_, i) => (a?.[i]?.at(-1) ?? 0) - (b?.[i]?.at(-1) ?? 0));
  };
  const [secure, vulnerable] = [
    await logOdds(pairs.map((pair) => pair.secure.prompt)),
    await logOdds(pairs.map((pair) => pair.vulnerable.prompt)),
  ];
  const score = (value: (i: number) => number): Estimate =>
    rate(
      pairs.map((_, i) => ({ prompt: `${i}`, seed: 0, value: value(i) })),
      0,
    );
  const of = (odds: readonly number[], i: number): number => odds[i] ?? 0;
  return {
    // A pair's two verdicts are one thing measured.
    detection: bootstrapMean(
      pairs.map((_, i) => ({
        prompt: `${i}`,
        seed: 0,
        value: (Number(of(secure, i) < 0) + Number(of(vulnerable, i) > 0)) / 2,
      })),
      0,
    ),
    ranked: score((i) => Number(of(vulnerable, i) > of(secure, i))),
    repair: await executedRepairs(answerer, task, { seed, repairs, signal }),
  };
}

function callOptions(
  { adapter }: Answerer,
  signal: AbortSignal | undefined,
): { adapter?: string; signal?: AbortSignal } {
  return { ...(adapter === undefined ? {} : { adapter }), ...(signal === undefined ? {} : { signal }) };
}

async function executedRepairs(
  answerer: Answerer,
  task: Task<FamilyPrompt>,
  { seed, repairs, signal }: { seed: number; repairs: number; signal?: AbortSignal | undefined },
): Promise<Estimate> {
  const { model, tokenizer } = answerer;
  const rows = range(repairs).map((i) => repairRow(seed, i, 'heldOut'));
  const answers = await model.generate(
    rows.map(({ prompt }) => tokenizer.encode(templated(prompt))),
    { maxNewTokens: 240, temperature: 0, ...callOptions(answerer, signal) },
  );
  const samples = rows.map(({ prompt, spec }, i) => ({
    prompt: { id: `repair-${seed}-${i}`, text: prompt, labels: {}, spec, prefix: '' },
    answer: new TextEncoder().encode(tokenizer.decode(answers[i]?.tokens ?? [], { skipSpecialTokens: true })),
  }));
  const judgements = (await task.judge?.(samples, { attack: true, ...(signal === undefined ? {} : { signal }) })) ?? [];
  return rate(
    judgements.map(({ functional, secure }, i) => ({ prompt: `${i}`, seed: 0, value: Number(functional && secure) })),
    0,
  );
}

/** How often a reward adapter scores the better answer higher, on combinations that no training has seen. */
export async function preferenceAccuracy(
  { model, tokenizer }: { model: Model; tokenizer: Tokenizer },
  adapter: string,
  pairs: number,
): Promise<RewardModelResult> {
  const rows = range(pairs).map((i) => preferencePair(0, i, 'heldOut'));
  const scores = await model.rewards(
    rows.flatMap((row) => {
      const { chosen, rejected } = toPreferenceExample(tokenizer, { ...row, prompt: templated(row.prompt) });
      return [chosen, rejected];
    }),
    { adapter },
  );
  const judged = rows.map(({ defect }, i) => ({
    defect,
    row: { prompt: `${i}`, seed: 0, value: Number((scores[2 * i] ?? 0) > (scores[2 * i + 1] ?? 0)) },
  }));
  const of = (chosen: typeof judged): Estimate =>
    rate(
      chosen.map(({ row }) => row),
      0,
    );
  return { accuracy: of(judged), broken: of(judged.filter(({ defect }) => defect !== 'insecure')) };
}

/** A family prompt as the embedded model reads it. */
function templated(prompt: string): string {
  return applyTemplate(tinyTemplate, prompt);
}

function writeRows(file: string, rows: readonly object[]): void {
  writeOwn(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
