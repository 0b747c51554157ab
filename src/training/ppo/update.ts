import type { ClipConfig, PpoConfig } from '../../config/ppo.js';
import { permutation } from '../../dataset/random.js';
import type { Clip } from '../../native/kernels.js';
import type { PpoResult, StepResult, Trainer } from '../../native/trainer.js';
import { type Experience, unpack } from './experience.js';

/** What the optimiser steps of an iteration came to: means over them. */
export interface Updated {
  loss: number;
  gradNorm: number;
  policyLoss: number;
  valueLoss: number;
  clipFraction: number;
  approxKl: number;
  /** Optimiser steps; fewer than planned when the target KL was passed. */
  steps: number;
  /** Steps that changed nothing, and why. */
  skipped: number;
  skippedBecause: string | undefined;
  /** Largest |Δ log π| between the sampler and the trainer on the first minibatch, before anything moved. */
  mismatch: number;
}

export interface Trainers {
  policy: Trainer;
  /** Of a critic with an adapter of its own. */
  critic: Trainer | undefined;
}

export interface Rates {
  /** undefined: the policy rests. */
  policy: number | undefined;
  critic: number;
}

/**
 * Minibatches × epochs, in an order that is a function of (seed, step, epoch). A critic of its own steps beside the policy. Eq. 7 and 9,
 * and the value loss.
 */
export async function update(
  { policy, critic }: Trainers,
  experience: Experience,
  config: PpoConfig,
  { step, beta, lr }: { step: number; beta: number; lr: Rates },
): Promise<Updated> {
  const results: PpoResult[] = [];
  const critiques: StepResult[] = [];
  let mismatch = 0;
  for (let epoch = 0; epoch < config.epochs; epoch++) {
    const order = Array.from(permutation(experience.rollouts.length, config.seed, step * config.epochs + epoch));
    for (let at = 0; at < order.length; at += config.minibatch) {
      const rows = order.slice(at, at + config.minibatch);
      const batch = minibatch(experience, rows);
      if (critic !== undefined && batch.returns !== undefined) {
        critiques.push(
          await critic.valueStep({ ...batch, returns: batch.returns }, { lr: lr.critic, valueClip: config.valueClip }),
        );
      }
      if (lr.policy === undefined) continue;
      const { returns, oldValues, ...ofPolicy } = batch;
      const result = await policy.ppoStep(critic === undefined ? batch : ofPolicy, {
        lr: lr.policy,
        clip: clipOf(config.clip),
        aggregation: config.aggregation,
        valueCoef: config.valueCoef,
        valueClip: config.valueClip,
        entropyCoef: config.entropyCoef,
        klCoef: config.kl.estimator === 'k3' ? beta : 0,
      });
      if (results.length === 0) mismatch = largestDifference(result.logProbs, batch.oldLogProbs);
      results.push(result);
      if (config.targetKl !== null && result.approxKl > config.targetKl) {
        return summary(results, critiques, mismatch);
      }
    }
  }
  return summary(results, critiques, mismatch);
}

/** The rows of an iteration that one optimiser step sees. */
function minibatch(
  { rollouts, sequences, cuSeqlens, refLogProbs, advantages, critique }: Experience,
  rows: readonly number[],
): {
  sequences: Int32Array[];
  responseStart: number[];
  oldLogProbs: Float32Array[];
  refLogProbs: Float32Array[];
  advantages: Float32Array[];
  returns: Float32Array[] | undefined;
  oldValues: Float32Array[] | undefined;
} {
  const of = <T>(list: readonly T[]): T[] => rows.map((b) => list[b] as T);
  const unpacked = (packed: Float32Array): Float32Array[] => rows.map((b) => unpack(packed, cuSeqlens, b));
  return {
    sequences: of(sequences),
    responseStart: of(rollouts).map(({ promptIds }) => promptIds.length),
    oldLogProbs: of(rollouts).map(({ logProbs }) => logProbs),
    refLogProbs: of(refLogProbs),
    advantages: unpacked(advantages),
    returns: critique && unpacked(critique.returns),
    oldValues: critique && unpacked(critique.values),
  };
}

export function clipOf({ kind, epsilon, c, tauPos, tauNeg, cap }: ClipConfig): Clip {
  if (kind === 'ppo') return { kind, epsilon };
  if (kind === 'dual') return { kind, epsilon, c };
  return kind === 'sapo' ? { kind, tauPos, tauNeg } : { kind, cap };
}

function summary(results: readonly PpoResult[], critiques: readonly StepResult[], mismatch: number): Updated {
  const mean = <T>(list: readonly T[], of: (entry: T) => number): number =>
    list.length === 0 ? 0 : list.reduce((total, entry) => total + of(entry), 0) / list.length;
  const all = [...results, ...critiques];
  const skipped = all.filter((result) => result.skipped);
  const far = results.find(({ reason }) => reason === 'ratio');
  return {
    loss: mean(results.length > 0 ? results : critiques, ({ loss }) => loss),
    gradNorm: mean(results.length > 0 ? results : critiques, ({ gradNorm }) => gradNorm),
    policyLoss: mean(results, ({ policyLoss }) => policyLoss),
    valueLoss: critiques.length > 0 ? mean(critiques, ({ loss }) => loss) : mean(results, ({ valueLoss }) => valueLoss),
    clipFraction: mean(results, ({ clipFraction }) => clipFraction),
    approxKl: mean(results, ({ approxKl }) => approxKl),
    steps: results.length,
    skipped: skipped.length,
    skippedBecause:
      skipped.length === 0
        ? undefined
        : far === undefined
          ? `a gradient was not finite in ${skipped.length} of ${all.length} optimiser steps`
          : `the mean ratio to the old policy was ${far.meanRatio.toPrecision(3)} in one of ${all.length} optimiser steps`,
    mismatch,
  };
}

function largestDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let largest = 0;
  for (const [s, row] of a.entries()) {
    for (let t = 0; t < row.length; t++) {
      largest = Math.max(largest, Math.abs((row[t] as number) - (b[s]?.[t] ?? Number.NaN)));
    }
  }
  return largest;
}
