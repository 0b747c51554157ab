import type { RandomStream } from '../../dataset/random.js';
import { functionName, parameterName, reserved } from './names.js';
import type { FamilySpec, Role, StepId } from './spec.js';
import { combinations, type Pool, poolOf } from './splits.js';
import { parameterTypes, steps } from './steps.js';

/** What a spec is drawn from. */
export interface SpecMix {
  /** Weights of 1, 2, … steps. */
  ks: readonly number[];
  pools: readonly Pool[];
  /** Probability that a parameter's name is none of the common ones. */
  randomNames: number;
  mode: FamilySpec['mode'];
}

/** A function to ask for: steps, order, and names that neither collide nor mean something in C. */
export function drawSpec(random: RandomStream, { ks, pools, randomNames, mode }: SpecMix): FamilySpec {
  const k = 1 + random.weighted(ks);
  const ordered = inOrder(random, random.pick(combinations(k, pools)));
  // A single kind of step is in every pool: its signature decides.
  for (;;) {
    const spec = { steps: ordered, ...drawSignature(random, ordered, randomNames), mode };
    if (k > 1 || pools.includes(poolOf(ordered, spec.signature))) return spec;
  }
}

// Any order, but that a value step comes last where there is one: it gives the return value.
function inOrder(random: RandomStream, combination: readonly StepId[]): StepId[] {
  const order = random.shuffle(combination);
  const values = order.filter((step) => steps[step].value);
  if (values.length === 0) return order;
  const last = random.pick(values);
  return [...order.filter((step) => step !== last), last];
}

function drawSignature(
  random: RandomStream,
  ordered: readonly StepId[],
  randomNames: number,
): Pick<FamilySpec, 'names' | 'parameters' | 'functionName' | 'signature'> {
  let name = functionName(random);
  while (reserved.has(name)) name = functionName(random);
  const groups: (readonly Role[])[] = ordered.map((step) => steps[step].roles);
  if (ordered.filter((step) => steps[step].value).length === 2) groups.push(['outp']);
  const taken = new Set([name]);
  const names: Partial<Record<Role, string>> = {};
  for (const role of groups.flat()) names[role] = parameterName(random, role, randomNames, taken);
  const parameters = random.shuffle(groups).flat();
  const list = parameters.map((role) => `${parameterTypes[role]}${names[role]}`).join(', ');
  return { names, parameters, functionName: name, signature: `int ${name}(${list})` };
}
