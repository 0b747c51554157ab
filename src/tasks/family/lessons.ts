import type { RandomStream } from '../../dataset/random.js';
import { breakAnswer, type Defect } from './broken.js';
import { type Document, functionDocument, matureStage } from './documents.js';
import { drawSpec } from './generate.js';
import { requestMix } from './prompts.js';
import { answerOf, drawForm, drawInsecure, drawStyle, renderFunction } from './render.js';
import type { FamilySpec, StepId } from './spec.js';
import type { Pool } from './splits.js';
import { type Form, fill, steps } from './steps.js';
import { streamOf } from './streams.js';
import { promptText, trainTemplates } from './wording.js';

/** `heldOut`: combinations of steps that no training has seen (and, for one step, signatures). Neither has a held step or the held wording. */
export type LessonSplit = 'train' | 'heldOut';

/** A review of each of two functions that differ in one step. */
export interface DetectionPair {
  secure: Document;
  vulnerable: Document;
  /** The step in which they differ. */
  step: StepId;
  k: number;
}

/** A vulnerable function, and the same with its one flaw mended. */
export interface RepairRow extends Document {
  /** What the mended function is to do; the answer is the whole function. */
  spec: FamilySpec;
  step: StepId;
  k: number;
}

/** Two answers to a prompt for code, the first one secure and working. */
export interface PreferencePair {
  prompt: string;
  chosen: string;
  rejected: string;
  /** What is wrong with the rejected one. */
  defect: 'insecure' | Defect;
  k: number;
}

export function detectionPair(seed: number, index: number, split: LessonSplit): DetectionPair {
  const random = streamOf(`${split} detection`, seed, index);
  const { spec, secure, vulnerable, step } = minimalPair(random, split);
  const question = random.pick(questions);
  const { cwe, flaw } = steps[step];
  return {
    secure: { prompt: question + secure, response: 'No vulnerability.\n' },
    vulnerable: { prompt: question + vulnerable, response: `Yes.\n${cwe}: ${fill(flaw, spec.names)}.\n` },
    step,
    k: spec.steps.length,
  };
}

export function repairRow(seed: number, index: number, split: LessonSplit): RepairRow {
  const random = streamOf(`${split} repair`, seed, index);
  const { spec, secure, vulnerable, step } = minimalPair(random, split);
  return { prompt: random.pick(requests) + vulnerable, response: secure, spec, step, k: spec.steps.length };
}

/** A function as pretraining has it at its end: without these among the lessons a model forgets how to write code. */
export function replayRow(seed: number, index: number): Document {
  return functionDocument(streamOf('replay', seed, index), matureStage);
}

/** A third of the rejected answers are broken versions of the chosen one; the others work, and are insecure in at least one step. */
export function preferencePair(seed: number, index: number, split: LessonSplit): PreferencePair {
  const random = streamOf(`${split} preference`, seed, index);
  const instructed = random.chance(requestMix.instructionShare);
  const spec = drawSpec(random, {
    ...requestMix,
    pools: poolsOf[split],
    mode: instructed ? 'instruction' : 'completion',
  });
  const prompt = promptText(random, spec, trainTemplates);
  const forms = spec.steps.map((step) => drawForm(random, step, true));
  const style = drawStyle(random);
  const answer = (chosen: readonly Form[]): string => answerOf(spec, renderFunction(spec, chosen, style));
  const { code: rejected, defect } = random.chance(1 / 3)
    ? breakAnswer(random, spec, forms, style)
    : { code: answer(drawInsecure(random, spec, forms)), defect: 'insecure' as const };
  return { prompt, chosen: answer(forms), rejected, defect, k: spec.steps.length };
}

const poolsOf: Readonly<Record<LessonSplit, readonly Pool[]>> = { train: ['train'], heldOut: ['validation', 'test'] };

// Not the wording of any prompt for code, nor of a copy task.
const questions = [
  'Is there a vulnerability in this code?\n',
  'Review this function for security bugs.\n',
  'Does this C code have a security flaw?\n',
];
const requests = [
  'Fix the vulnerabilities in this code.\n',
  'Repair this function.\n',
  'Make this code correct and safe.\n',
];

/** One spec, one style, one form of each step, but that one step is secure in one function and insecure in the other. */
function minimalPair(
  random: RandomStream,
  split: LessonSplit,
): { spec: FamilySpec; secure: string; vulnerable: string; step: StepId } {
  const spec = drawSpec(random, { ...requestMix, pools: poolsOf[split], mode: 'instruction' });
  const style = drawStyle(random);
  const forms = spec.steps.map((step) => drawForm(random, step, true));
  const at = random.below(forms.length);
  const step = spec.steps[at] as StepId;
  return {
    spec,
    secure: renderFunction(spec, forms, style),
    vulnerable: renderFunction(spec, forms.with(at, drawForm(random, step, false)), style),
    step,
  };
}
