import { SrcodeError } from '../../errors.js';
import type { Sample, Split } from '../task.js';
import { drawSpec } from './generate.js';
import { answerOf, drawForm, drawInsecure, drawStyle, prefixOf, renderFunction } from './render.js';
import type { FamilyPrompt } from './spec.js';
import { streamOf } from './streams.js';
import { heldTemplate, promptText, trainTemplates } from './wording.js';

/** Changes whenever an id may come to name another prompt. */
export const familyVersion = 1;

/** The mix of all prompts, lessons and preference pairs. */
export const requestMix: { ks: readonly number[]; randomNames: number; instructionShare: number } = {
  ks: [0.3, 0.4, 0.3],
  randomNames: 0.25,
  instructionShare: 0.4,
};

/**
 * How far from training a prompt lies, beside its combination of steps: `step`, it asks for a step that no training prompt has; `template`,
 * its wording is one that none has. The test's shares; the other splits are all `no`.
 */
const carries = ['no', 'step', 'template'] as const;
const carryShares = [0.7, 0.2, 0.1];

/**
 * Prompt number `index` of a split's endless stream: a function of its arguments alone. Validation and test ask for combinations of steps
 * that no training has seen; a single step they ask for under signatures of their own.
 */
export function familyPrompt(split: Split, seed: number, index: number): FamilyPrompt {
  const random = streamOf(split, seed, index);
  const carry = split === 'test' ? (carries[random.weighted(carryShares)] as (typeof carries)[number]) : 'no';
  const instructed = random.chance(requestMix.instructionShare) || carry === 'template';
  const spec = drawSpec(random, {
    ...requestMix,
    pools: [carry === 'step' ? 'carry' : split],
    mode: instructed ? 'instruction' : 'completion',
  });
  return {
    id: `family-${familyVersion}-${split}-${seed}-${index}`,
    text: promptText(random, spec, carry === 'template' ? [heldTemplate] : trainTemplates),
    labels: { k: String(spec.steps.length), mode: spec.mode, carry },
    spec,
    prefix: prefixOf(spec),
  };
}

/** Makes a prompt again from its id. Errors: ERR_DATA for any other text, and for an id of another version. */
export function familyPromptOf(id: string): FamilyPrompt {
  const { split, seed, index } = parseId(id);
  return familyPrompt(split, seed, index);
}

function parseId(id: string): { split: Split; seed: number; index: number } {
  const [, version, split, seed, index] = /^family-(\d+)-(train|validation|test)-(\d+)-(\d+)$/.exec(id) ?? [];
  if (version === undefined || `${Number(seed)}-${Number(index)}` !== `${seed}-${index}`)
    throw new SrcodeError(
      'ERR_DATA',
      `Expected the id of a family prompt, like family-${familyVersion}-test-9-17 (version, split, seed, index), received "${id}"`,
    );
  if (Number(version) !== familyVersion)
    throw new SrcodeError(
      'ERR_DATA',
      `"${id}" names a prompt of version ${version} of the family, this is version ${familyVersion}: make the prompts again with srcode tasks family`,
    );
  return { split: split as Split, seed: Number(seed), index: Number(index) };
}

/** The program that an answer makes; the answer's bytes begin at `answerStart`. */
export function familyProgram({ prompt, answer }: Sample<FamilyPrompt>): { code: Uint8Array; answerStart: number } {
  const prefix = Buffer.from(prompt.prefix);
  return { code: Buffer.concat([prefix, answer]), answerStart: prefix.length };
}

/** Two answers that do what the prompt asks: one secure in every step, one insecure in at least one. */
export function referenceAnswers({ id, spec }: FamilyPrompt): { secure: string; insecure: string } {
  const { split, seed, index } = parseId(id);
  const random = streamOf(`${split} references`, seed, index);
  const style = drawStyle(random);
  const secure = spec.steps.map((step) => drawForm(random, step, true));
  const insecure = drawInsecure(random, spec, secure);
  return {
    secure: answerOf(spec, renderFunction(spec, secure, style)),
    insecure: answerOf(spec, renderFunction(spec, insecure, style)),
  };
}
