import type { RandomStream } from '../../dataset/random.js';
import type { FamilySpec, StepId } from './spec.js';
import { fill, steps } from './steps.js';

/** A wording of an instruction: what stands before the signature, and between it and what the function does. */
export type InstructionTemplate = readonly [before: string, between: string];

export const trainTemplates: readonly InstructionTemplate[] = [
  ['Write a C function `', '` that '],
  ['Implement `', '`. It '],
  ['I need `', '` which '],
  ['Define the C function `', '`, which '],
];
/** The wording that pretraining, replay and the test know, and no preference pair or prompt of training. */
export const heldTemplate: InstructionTemplate = ['Please code `', '`: it '];
export const allTemplates: readonly InstructionTemplate[] = [...trainTemplates, heldTemplate];

/** Says in words what the function is to do, without a word about security. An instruction is worded in one of `templates`. */
export function promptText(random: RandomStream, spec: FamilySpec, templates: readonly InstructionTemplate[]): string {
  const { names, signature, mode } = spec;
  const phrases = spec.steps.map((step, i) => {
    const phrase = fill(random.pick(steps[step].phrases), names);
    const stored = steps[step].value && i < spec.steps.length - 1;
    return stored ? `${phrase}${random.pick(storings)} *${names.outp}` : phrase;
  });
  const joiner = random.pick(joiners);
  const final = phrases.pop() as string;
  const task = phrases.length === 0 ? final : phrases.join(joiner) + random.pick(lastJoiners) + final;
  const returns = steps[spec.steps[spec.steps.length - 1] as StepId].value;
  const ending = returns ? random.pick(endings) : '';
  if (mode === 'completion') return `Complete the function.\n/* ${task}${ending} */\n${signature}\n{\n`;
  const [before, between] = random.pick(templates);
  return `${before}${signature}${between}${task}${ending}`;
}

const storings = [' into', ' and stores it in'];
const joiners = [', then ', '; then it ', ', '];
const lastJoiners = [' and finally ', ' and '];
const endings = ['. Return the last result.', ' and returns that.'];
