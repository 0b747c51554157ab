import { createHash } from 'node:crypto';
import { RandomStream } from '../../dataset/random.js';
import { type Attempt, benignVariants, cases } from './cases.js';
import type { FamilyPrompt, StepId } from './spec.js';

/** Inputs for a function: those that it has to serve, and for each of its steps those that it has to withstand. */
export interface FunctionCases {
  benign: Attempt[];
  attacks: { step: StepId; attempts: Attempt[] }[];
  /** Of a function of several steps: attacks on one beside what lies far from the benign in others, and on all at once. */
  mixed: Attempt[];
}

/** For each step. */
const mostMixed = 12;

/** Draws a prompt's inputs: a function of the prompt, the caller's version, and the seed. */
export function drawCases(
  { id, spec }: Pick<FamilyPrompt, 'id' | 'spec'>,
  version: number,
  seed: number,
): FunctionCases {
  const random = streamOf(JSON.stringify([version, seed, id, spec]));
  const benign = Array.from({ length: benignVariants }, (_, variant) =>
    merged(spec.steps.map((step) => cases[step].benign(random, variant))),
  );
  const raw = spec.steps.map((step) => ({ step, attempts: cases[step].attacks(random) }));
  const attacks = raw.map(({ step, attempts }) => ({
    step,
    attempts: attempts.map((attack) => merged([random.pick(benign), attack])),
  }));
  const mixed = raw.flatMap((attacked) =>
    Array.from({ length: raw.length > 1 ? mostMixed : 0 }, (_, i) => {
      // Whatever stands before the attacked step must let it come to that.
      const others = raw.filter((other) => other !== attacked);
      const far = others.map(({ attempts }) => (i % 3 === 0 ? attempts : attempts.filter(({ harmless }) => harmless)));
      return merged([
        random.pick(benign),
        ...far.flatMap((attempts) => (attempts.length > 0 ? [random.pick(attempts)] : [])),
        random.pick(attacked.attempts),
      ]);
    }),
  );
  return { benign, attacks, mixed };
}

/** Later inputs and worlds take the place of earlier ones; files are all there, but those of a role that is given anew. */
function merged(attempts: readonly Attempt[]): Attempt {
  const inputs = Object.assign({}, ...attempts.map((attempt) => attempt.inputs)) as Attempt['inputs'];
  const files = attempts.reduce<Attempt['files']>(
    (all, { inputs, files }) => ('cfg' in inputs ? (files ?? {}) : all),
    undefined,
  );
  const failFrom = attempts.at(-1)?.failFrom;
  const { harmless, kin } = attempts.at(-1) ?? {};
  return {
    inputs,
    ...(harmless !== undefined && { harmless }),
    ...(kin !== undefined && { kin }),
    ...(failFrom !== undefined && { failFrom }),
    ...(files !== undefined && { files }),
  };
}

function streamOf(name: string): RandomStream {
  const hash = createHash('sha256').update(name).digest();
  return new RandomStream(hash.readUIntBE(0, 6), hash.readUInt32BE(6));
}
