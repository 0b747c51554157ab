import { type StepId, stepIds } from './spec.js';
import { steps } from './steps.js';

/**
 * Steps that pretraining, replay and the test know, and no lesson, preference pair or prompt of training: does what was learnt carry over?
 */
export const heldSteps: readonly StepId[] = ['div', 'field'];

/**
 * Where a combination of steps may occur. Nine of ten are `train`: pretraining and all that follows may use them; or `pretraining` alone,
 * when a held step is among them. The tenth is seen by no training at all: `validation` and `test`, half each, and `carry`, the test's own
 * when a held step is among them. A step that stands alone cannot be held out: there, the signature decides instead, so that a test of one
 * step is a fresh function of a known kind.
 */
export type Pool = 'train' | 'pretraining' | 'validation' | 'test' | 'carry';

export function poolOf(chosen: readonly StepId[], signature: string): Pool {
  const alone = chosen.length === 1;
  const place = fraction(alone ? signature : [...chosen].sort().join('+'));
  if (place >= 0.1) return holdsOut(chosen) ? 'pretraining' : 'train';
  // Two kinds can have one signature, `int f(struct node *p)`: a held step alone leaves validation's signatures alone.
  if (holdsOut(chosen) && !(alone && place < 0.05)) return 'carry';
  return place < 0.05 ? 'validation' : 'test';
}

/** The combinations of `k` steps that these pools share out. */
export function combinations(k: number, pools: readonly Pool[]): readonly StepId[][] {
  const key = `${k} ${pools}`;
  let found = listed.get(key);
  if (found === undefined) {
    const every = everyCombination(k);
    // One step alone: all kinds, with or without a held one as the pools have it.
    const mayHold = pools.includes('pretraining') || pools.includes('carry');
    const mayLack = pools.some((pool) => pool !== 'pretraining' && pool !== 'carry');
    found = every.filter((chosen) =>
      k === 1 ? (holdsOut(chosen) ? mayHold : mayLack) : pools.includes(poolOf(chosen, '')),
    );
    listed.set(key, found);
  }
  return found;
}

const listed = new Map<string, StepId[][]>();

/** Every set of `k` kinds of step that can stand in one function: no role twice, and two value steps at most. */
function everyCombination(k: number): StepId[][] {
  const grow = (chosen: StepId[], from: number): StepId[][] => {
    if (chosen.length === k) return [chosen];
    return stepIds.slice(from).flatMap((step, i) => (fits(chosen, step) ? grow([...chosen, step], from + i + 1) : []));
  };
  return grow([], 0);
}

function fits(chosen: readonly StepId[], step: StepId): boolean {
  const { value, roles } = steps[step];
  if (value && chosen.filter((other) => steps[other].value).length === 2) return false;
  return chosen.every((other) => !steps[other].roles.some((role) => roles.includes(role)));
}

function holdsOut(chosen: readonly StepId[]): boolean {
  return chosen.some((step) => heldSteps.includes(step));
}

// FNV-1a with MurmurHash3's finaliser, as a number in [0, 1).
function fraction(text: string): number {
  let h = salt;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

// Chosen so that few pairs cover many kinds: the test's 12 have all the kinds but `slen`, and `carry`'s 4 have each held step twice.
const salt = 14797;
