/** How much of the policy's gradient falls on secure tokens: what token-level rewards are to raise. */
export interface CreditShare {
  /** Σ_{t ∈ T} |∂loss/∂log π_t| / Σ_t |∂loss/∂log π_t|; 0 where there is no gradient. */
  gradient: number;
  /** |T| / N: the share that a gradient spread evenly would have. */
  tokens: number;
}

/**
 * `gradLogProbs` [N] as `kernels.ppoLoss` gives it, `secureTokens` the masks of the batch's answers in the order of the N tokens.
 */
export function creditShare(gradLogProbs: Float32Array, secureTokens: readonly Uint8Array[]): CreditShare {
  let [all, onSecure, secure, at] = [0, 0, 0, 0];
  for (const mask of secureTokens) {
    for (const inside of mask) {
      const size = Math.abs(gradLogProbs[at++] as number);
      all += size;
      onSecure += inside * size;
      secure += inside;
    }
  }
  return { gradient: all > 0 ? onSecure / all : 0, tokens: at > 0 ? secure / at : 0 };
}
