import { SrcodeError } from '../errors.js';
import { type Addon, asSrcodeError, loadAddon } from './addon.js';

/** Rewarded token ranges, one entry a span: the tokens `[start, end)` of sequence `sequence`, counted from the sequence's start. */
export interface TokenSpans {
  readonly sequence: ArrayLike<number>;
  readonly start: ArrayLike<number>;
  readonly end: ArrayLike<number>;
  readonly reward: ArrayLike<number>;
}

/**
 * How the ratio r = π / π_old of a token is kept from running away; A is its advantage, ℓ its loss.
 *
 * - `ppo`: ℓ = -min(r A, clip(r, 1-ε, 1+ε) A) (arXiv 1707.06347)
 * - `dual`: for A < 0 also at most -c A (arXiv 1912.09729)
 * - `sapo`: ℓ = -(4/τ) σ(τ (r-1)) A, τ = `tauPos` for A > 0, else `tauNeg` (arXiv 2511.20347)
 * - `cispo`: ℓ = -sg(min(r, cap)) A log π (arXiv 2506.13585). `cap` is the largest ratio itself, not an offset above 1.
 */
export type Clip =
  | { readonly kind: 'ppo'; readonly epsilon: number }
  | { readonly kind: 'dual'; readonly epsilon: number; readonly c: number }
  | { readonly kind: 'sapo'; readonly tauPos: number; readonly tauNeg: number }
  | { readonly kind: 'cispo'; readonly cap: number };

export interface PpoLossInput {
  /** [N] log π of the tokens. */
  readonly logProbs: Float32Array;
  /** [N] log π_old. */
  readonly oldLogProbs: Float32Array;
  /** [N] */
  readonly advantages: Float32Array;
  /** [N] ≥ 0, default 1: the share of each token in every sum. */
  readonly weights?: Float32Array | undefined;
  /** [N] V; with `returns`, asks for the value loss. */
  readonly values?: Float32Array | undefined;
  /** [N] V_old; without it the value loss is not clipped. */
  readonly oldValues?: Float32Array | undefined;
  /** [N] R. */
  readonly returns?: Float32Array | undefined;
  /** How far V may move from V_old before its loss is held; default 0.2. */
  readonly valueClip?: number | undefined;
  readonly clip: Clip;
  /** `'mean'` (default): Σwℓ/Σw; `'sum'`: Σwℓ (Eq. 7). The policy's loss alone; all else is a weighted mean. */
  readonly aggregation?: 'mean' | 'sum' | undefined;
}

export interface PpoLossResult {
  /** The policy's loss. */
  loss: number;
  /** [N] ∂loss/∂logProbs. */
  gradLogProbs: Float32Array;
  /** ½ Σw max((V-R)², (clip(V, V_old ± valueClip)-R)²)/Σw, before its weight in the objective; 0 without values. */
  valueLoss: number;
  /** [N] ∂valueLoss/∂values; empty without values. */
  gradValues: Float32Array;
  /** Weighted share of tokens whose ratio was clipped; 0 for `sapo`, which has no edge. */
  clipFraction: number;
  /** Weighted mean of r - 1 - ln r. */
  approxKl: number;
}

export interface LoraUpdateInput {
  /** Parameters, gradients and the two moments, updated in place (the gradients are not): one array each, or lists of as many. */
  readonly params: Float32Array | readonly Float32Array[];
  readonly grads: Float32Array | readonly Float32Array[];
  readonly m: Float32Array | readonly Float32Array[];
  readonly v: Float32Array | readonly Float32Array[];
  /** 1 for the first step. */
  readonly step: number;
  readonly lr: number;
  /** Default 0.9. */
  readonly beta1?: number | undefined;
  /** Default 0.999. */
  readonly beta2?: number | undefined;
  /** Default 1e-8. */
  readonly eps?: number | undefined;
  /** Decoupled; default 0. */
  readonly weightDecay?: number | undefined;
  /** Largest global norm of the gradients; default 0, which is off. */
  readonly clipNorm?: number | undefined;
}

/**
 * The RL kernels on typed arrays, on the calling thread. A batch is ragged: B sequences packed into N tokens, sequence b being
 * `[cuSeqlens[b], cuSeqlens[b+1])`.
 *
 * All throw SrcodeError: `ERR_INVALID_ARG` (a wrong type or range), `ERR_SHAPE` (lengths that do not fit), `ERR_NON_FINITE` (a NaN or
 * an infinity, with its place), `ERR_NATIVE_MISSING`.
 */
export const kernels: {
  gae(input: {
    readonly rewards: Float32Array;
    readonly values: Float32Array;
    readonly cuSeqlens: Int32Array;
    readonly gamma: number;
    readonly lambda: number;
  }): { advantages: Float32Array; returns: Float32Array };
  tokenRewards(input: {
    readonly cuSeqlens: Int32Array;
    readonly spans?: TokenSpans | undefined;
    readonly penalty?: Float32Array | undefined;
    readonly terminal?: Float32Array | undefined;
    readonly kl?: Float32Array | undefined;
    readonly beta?: number | undefined;
  }): Float32Array;
  ppoLoss(input: PpoLossInput): PpoLossResult;
  loraUpdate(input: LoraUpdateInput): { gradNorm: number };
} = {
  /**
   * Generalised advantage estimation (arXiv 1506.02438; Eq. 5-6 of arXiv 2602.23407), with V = 0 past a sequence's end:
   * δ_t = r_t + γ V_{t+1} - V_t, A_t = δ_t + γλ A_{t+1}, returns_t = A_t + V_t.
   *
   * `rewards`, `values` [N], `cuSeqlens` [B+1], `gamma` and `lambda` in [0, 1].
   */
  gae(input) {
    const { rewards, values, cuSeqlens, gamma, lambda } = record('gae', input);
    const tokens = boundaries(cuSeqlens);
    finite('rewards', floats('rewards', rewards, tokens, 'N'));
    finite('values', floats('values', values, tokens, 'N'));
    range('gamma', gamma, 0, 1);
    range('lambda', lambda, 0, 1);
    const advantages = new Float32Array(tokens);
    const returns = new Float32Array(tokens);
    native((addon) => addon.gae({ rewards, values, cuSeqlens, gamma, lambda, advantages, returns }));
    return { advantages, returns };
  },

  /**
   * Token-level rewards (Eq. 1-3 of arXiv 2602.23407): r_t = span reward of t - penalty - beta · kl_t, plus the sequence's terminal
   * reward at its last token. A token in two spans gets the larger reward. `penalty` [B] ≥ 0 is taken from every token of its
   * sequence (Eq. 2), `terminal` [B], `kl` [N] log π_old - log π_ref, with `beta` ≥ 0.
   */
  tokenRewards(input) {
    const { cuSeqlens, spans, penalty, terminal, kl, beta } = record('tokenRewards', input);
    const tokens = boundaries(cuSeqlens);
    const sequences = cuSeqlens.length - 1;
    const checkedSpans = spanTable(spans, cuSeqlens);
    if (penalty !== undefined) {
      finite('penalty', floats('penalty', penalty, sequences, 'B'));
      notNegative('penalty', penalty);
    }
    if (terminal !== undefined) {
      finite('terminal', floats('terminal', terminal, sequences, 'B'));
      const lost = terminal.findIndex((reward, b) => reward !== 0 && cuSeqlens[b] === cuSeqlens[b + 1]);
      if (lost >= 0) {
        throw new SrcodeError(
          'ERR_SHAPE',
          `terminal[${lost}] is ${terminal[lost]}, but sequence ${lost} has no token to receive it; expected 0 for an empty sequence`,
        );
      }
    }
    if (kl !== undefined) {
      finite('kl', floats('kl', kl, tokens, 'N'));
      if (beta === undefined) throw invalid('beta', 'a number ≥ 0 beside kl', beta);
    }
    if (beta !== undefined) range('beta', beta, 0, Number.MAX_VALUE);
    const rewards = new Float32Array(tokens);
    native((addon) =>
      addon.tokenRewards({ cuSeqlens, ...checkedSpans, penalty, terminal, kl, beta: beta ?? 0, rewards }),
    );
    return rewards;
  },

  /**
   * The policy and value loss of PPO with exact gradients and statistics, in one pass. A log ratio beyond [-87, 88], where e^x leaves
   * f32, counts as that bound.
   */
  ppoLoss(input) {
    const { logProbs, oldLogProbs, advantages, weights, values, oldValues, returns } = record('ppoLoss', input);
    const { valueClip = 0.2, clip, aggregation = 'mean' } = input;
    const tokens = floats('logProbs', logProbs).length;
    if (tokens === 0) throw new SrcodeError('ERR_SHAPE', 'expected at least one token in logProbs, received none');
    if ((values === undefined) !== (returns === undefined) || (oldValues !== undefined && values === undefined)) {
      throw new SrcodeError(
        'ERR_INVALID_ARG',
        'expected values and returns together (oldValues only beside them), or none of them',
      );
    }
    for (const [name, array] of Object.entries({
      logProbs,
      oldLogProbs,
      advantages,
      weights,
      values,
      oldValues,
      returns,
    })) {
      const optional = name === 'weights' || name === 'values' || name === 'oldValues' || name === 'returns';
      if (!optional || array !== undefined) finite(name, floats(name, array, tokens, 'N'));
    }
    if (weights !== undefined) {
      notNegative('weights', weights);
      if (!weights.some((weight) => weight > 0)) throw invalid('weights', 'at least one weight above 0', 'none');
    }
    if (typeof valueClip !== 'number' || !(valueClip > 0)) throw invalid('valueClip', 'a number above 0', valueClip);
    if (aggregation !== 'mean' && aggregation !== 'sum') throw invalid('aggregation', "'mean' or 'sum'", aggregation);
    checkClip(clip);
    const gradLogProbs = new Float32Array(tokens);
    const gradValues = new Float32Array(values === undefined ? 0 : tokens);
    const { loss, valueLoss, clipFraction, approxKl } = native((addon) =>
      addon.ppoLoss({
        ...{ logProbs, oldLogProbs, advantages, weights, values, oldValues, returns, valueClip, clip },
        ...{ sum: aggregation === 'sum', gradLogProbs, gradValues },
      }),
    );
    return { loss, gradLogProbs, valueLoss, gradValues, clipFraction, approxKl };
  },

  /**
   * One fused AdamW step (arXiv 1711.05101, as torch.optim.AdamW) behind clipping of the global norm (as clip_grad_norm_), in place.
   * Returns the norm before clipping. A gradient that is not finite is `ERR_NON_FINITE`, and then nothing is changed.
   */
  loraUpdate(input) {
    const {
      step,
      lr,
      beta1 = 0.9,
      beta2 = 0.999,
      eps = 1e-8,
      weightDecay = 0,
      clipNorm = 0,
    } = record('loraUpdate', input);
    const { params, grads, m, v } = tensorLists(input);
    if (!Number.isSafeInteger(step) || step < 1) throw invalid('step', 'an integer from 1 on', step);
    range('lr', lr, 0, Number.MAX_VALUE);
    for (const [name, beta] of Object.entries({ beta1, beta2 })) {
      if (typeof beta !== 'number' || !(beta >= 0 && beta < 1)) throw invalid(name, 'a number in [0, 1)', beta);
    }
    range('eps', eps, Number.MIN_VALUE, Number.MAX_VALUE);
    range('weightDecay', weightDecay, 0, Number.MAX_VALUE);
    range('clipNorm', clipNorm, 0, Number.POSITIVE_INFINITY);
    const { gradNorm, badTensor } = native((addon) =>
      addon.adamw({ params, grads, m, v, step, lr, beta1, beta2, eps, weightDecay, clipNorm }),
    );
    const bad = grads[badTensor];
    if (bad !== undefined) finite(Array.isArray(input.grads) ? `grads[${badTensor}]` : 'grads', bad);
    return { gradNorm };
  },
};

function native<T>(call: (addon: Addon) => T): T {
  try {
    return call(loadAddon());
  } catch (error) {
    throw asSrcodeError(error);
  }
}

function show(value: unknown): string {
  if (ArrayBuffer.isView(value)) return value.constructor.name;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'string'
    ? `'${value}'`
    : value === null || typeof value !== 'object'
      ? String(value)
      : 'an object';
}

function invalid(name: string, expected: string, received: unknown): SrcodeError {
  return new SrcodeError('ERR_INVALID_ARG', `expected ${name} to be ${expected}, received ${show(received)}`);
}

function record<T>(kernel: string, input: T): T {
  if (typeof input !== 'object' || input === null) throw invalid(`the argument of ${kernel}`, 'an object', input);
  return input;
}

function floats(name: string, value: unknown, length?: number, symbol?: string): Float32Array {
  if (!(value instanceof Float32Array)) throw invalid(name, 'a Float32Array', value);
  if (length !== undefined && value.length !== length) {
    throw new SrcodeError('ERR_SHAPE', `expected ${name} of length ${symbol} = ${length}, received ${value.length}`);
  }
  return value;
}

function finite(name: string, values: Float32Array): void {
  const at = native((addon) => addon.firstNonFinite(values));
  if (at >= 0) throw new SrcodeError('ERR_NON_FINITE', `expected finite ${name}, received ${values[at]} at [${at}]`);
}

function notNegative(name: string, values: Float32Array): void {
  const at = values.findIndex((value) => value < 0);
  if (at >= 0) throw invalid(`${name}[${at}]`, 'at least 0 (it is subtracted or weighs)', values[at]);
}

function range(name: string, value: unknown, low: number, high: number): void {
  if (typeof value === 'number' && value >= low && value <= high) return;
  const bounds = high === 1 ? `in [${low}, 1]` : low === 0 ? 'of at least 0' : 'above 0';
  throw invalid(name, `a ${high === Number.MAX_VALUE ? 'finite ' : ''}number ${bounds}`, value);
}

/** Checks cuSeqlens and returns N. */
function boundaries(cuSeqlens: unknown): number {
  if (!(cuSeqlens instanceof Int32Array)) throw invalid('cuSeqlens', 'an Int32Array', cuSeqlens);
  if (cuSeqlens.length === 0 || cuSeqlens[0] !== 0) {
    throw new SrcodeError(
      'ERR_SHAPE',
      `expected cuSeqlens [B+1] to begin with 0, received ${cuSeqlens[0] ?? 'an empty array'}`,
    );
  }
  const falls = cuSeqlens.findIndex((end, b) => b > 0 && end < (cuSeqlens[b - 1] as number));
  if (falls >= 0) {
    throw new SrcodeError(
      'ERR_SHAPE',
      `expected cuSeqlens never to fall, received ${cuSeqlens[falls - 1]} before ${cuSeqlens[falls]} at [${falls}]`,
    );
  }
  return cuSeqlens.at(-1) as number;
}

interface CheckedSpans {
  sequence: Int32Array;
  start: Int32Array;
  end: Int32Array;
  reward: Float32Array;
}

function spanTable(spans: TokenSpans | undefined, cuSeqlens: Int32Array): CheckedSpans {
  const { sequence, start, end, reward } = spans ?? { sequence: [], start: [], end: [], reward: [] };
  for (const [name, list] of Object.entries({ sequence, start, end, reward })) {
    if (!Array.isArray(list) && !ArrayBuffer.isView(list))
      throw invalid(`spans.${name}`, 'a typed array or an array', list);
    if (list.length !== sequence.length) {
      throw new SrcodeError(
        'ERR_SHAPE',
        `expected spans.${name} as long as spans.sequence (${sequence.length}), received ${list.length}`,
      );
    }
  }
  for (let i = 0; i < sequence.length; i++) {
    const [b, from, to, r] = [sequence[i], start[i], end[i], reward[i]] as [number, number, number, number];
    if (![b, from, to].every(Number.isInteger))
      throw invalid(`span ${i}`, 'made of integers', `${b}: [${from}, ${to})`);
    if (b < 0 || b >= cuSeqlens.length - 1) {
      throw new SrcodeError('ERR_SHAPE', `span ${i} names sequence ${b}; expected one of [0, ${cuSeqlens.length - 1})`);
    }
    const length = (cuSeqlens[b + 1] as number) - (cuSeqlens[b] as number);
    if (from < 0 || to < from || to > length) {
      throw new SrcodeError(
        'ERR_SHAPE',
        `span ${i} is [${from}, ${to}) of sequence ${b}; expected 0 ≤ start ≤ end ≤ ${length}, its length`,
      );
    }
    if (!Number.isFinite(r))
      throw new SrcodeError('ERR_NON_FINITE', `expected a finite reward of span ${i}, received ${r}`);
  }
  return {
    sequence: Int32Array.from(sequence),
    start: Int32Array.from(start),
    end: Int32Array.from(end),
    reward: Float32Array.from(reward),
  };
}

/** @throws SrcodeError `ERR_INVALID_ARG` naming the wrong constant. */
export function checkClip(clip: Clip): void {
  const above = (name: string, value: unknown, low: number): void => {
    if (typeof value !== 'number' || !Number.isFinite(value) || !(value > low)) {
      throw invalid(`clip.${name}`, `a finite number above ${low}`, value);
    }
  };
  record('clip', clip);
  switch (clip.kind) {
    case 'ppo':
      above('epsilon', clip.epsilon, 0);
      break;
    case 'dual':
      above('epsilon', clip.epsilon, 0);
      above('c', clip.c, 1);
      break;
    case 'sapo':
      above('tauPos', clip.tauPos, 0);
      above('tauNeg', clip.tauNeg, 0);
      break;
    case 'cispo':
      if (typeof clip.cap === 'number' && clip.cap >= 1 && Number.isFinite(clip.cap)) break;
      throw invalid(
        'clip.cap',
        'a finite number of at least 1 (the largest ratio itself, such as 1.28, not an offset above 1)',
        clip.cap,
      );
    default:
      throw invalid('clip.kind', "'ppo', 'dual', 'sapo' or 'cispo'", (clip as { kind?: unknown }).kind);
  }
}

function tensorLists(input: LoraUpdateInput): Record<'params' | 'grads' | 'm' | 'v', readonly Float32Array[]> {
  const names = ['params', 'grads', 'm', 'v'] as const;
  const list = (name: (typeof names)[number]): readonly Float32Array[] => {
    const value: unknown = input[name];
    if (value instanceof Float32Array) return [value];
    if (!Array.isArray(value)) throw invalid(name, 'a Float32Array or an array of them', value);
    return value.map((tensor, i) => floats(`${name}[${i}]`, tensor));
  };
  const lists = { params: list('params'), grads: list('grads'), m: list('m'), v: list('v') };
  for (const name of names) {
    if (lists[name].length !== lists.params.length) {
      throw new SrcodeError(
        'ERR_SHAPE',
        `expected as many ${name} as params (${lists.params.length}), received ${lists[name].length}`,
      );
    }
    lists[name].forEach(
      (tensor, i) => void floats(`${name}[${i}]`, tensor, lists.params[i]?.length, `that of params[${i}]`),
    );
  }
  const arrays = names.flatMap((name) => lists[name].map((tensor, i) => ({ name: `${name}[${i}]`, tensor })));
  arrays.sort((a, b) => a.tensor.byteOffset - b.tensor.byteOffset);
  const last = new Map<ArrayBufferLike, { name: string; tensor: Float32Array }>();
  for (const array of arrays) {
    if (array.tensor.length === 0) continue;
    const before = last.get(array.tensor.buffer);
    if (before && before.tensor.byteOffset + before.tensor.byteLength > array.tensor.byteOffset) {
      throw new SrcodeError(
        'ERR_INVALID_ARG',
        `expected arrays that do not overlap, but ${before.name} and ${array.name} share memory`,
      );
    }
    last.set(array.tensor.buffer, array);
  }
  return lists;
}
