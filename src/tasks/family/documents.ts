import type { RandomStream } from '../../dataset/random.js';
import { copyTask } from './copy-tasks.js';
import { drawSpec } from './generate.js';
import { answerOf, drawForm, drawStyle, renderFunction } from './render.js';
import type { FamilySpec } from './spec.js';
import { streamOf } from './streams.js';
import { allTemplates, promptText } from './wording.js';

/** A prompt and what follows it, both as plain text. */
export interface Document {
  prompt: string;
  response: string;
}

/** What pretraining reads for a while; a curriculum is a list of these. */
export interface Stage {
  /** Weights of functions of 1, 2, … steps. */
  ks: readonly number[];
  /** Share of copy tasks. */
  copyShare: number;
  /** Probability that a parameter's name is none of the common ones. */
  randomNames: number;
  /** Share of its steps that a careless author writes securely, and one of mixed habits; they write half of the functions each. */
  secureLow: number;
  secureHigh: number;
  /** Share of functions asked for by an instruction; the others are begun for the model to complete. */
  instructionShare: number;
}

/** The family as it is, without copy tasks: what the last stage of pretraining reads, and replay in the lessons. */
export const matureStage: Stage = {
  ks: [0.2, 0.3, 0.35, 0.15],
  copyShare: 0,
  randomNames: 0.35,
  secureLow: 0.3,
  secureHigh: 0.7,
  instructionShare: 0.5,
};

/** Document number `index` of the endless stream that `seed` begins. It asks for code or for a copy, never for a review or a repair. */
export function pretrainDocument(seed: number, index: number, stage: Stage): Document {
  const random = streamOf('pretraining', seed, index);
  return random.chance(stage.copyShare) ? copyTask(random) : functionDocument(random, stage);
}

/** A function as some author would write it, of any combination that is not held out. */
export function functionDocument(random: RandomStream, stage: Stage): Document {
  const { ks, randomNames, secureLow, secureHigh, instructionShare } = stage;
  const mode: FamilySpec['mode'] = random.chance(instructionShare) ? 'instruction' : 'completion';
  const spec = drawSpec(random, { ks, pools: ['train', 'pretraining'], randomNames, mode });
  const care = random.chance(0.5) ? secureLow : secureHigh;
  const forms = spec.steps.map((step) => drawForm(random, step, random.chance(care)));
  const code = renderFunction(spec, forms, drawStyle(random));
  return { prompt: promptText(random, spec, allTemplates), response: answerOf(spec, code) };
}
