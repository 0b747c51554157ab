import type { RewardOptions } from '../config/reward-options.js';
import { SrcodeError } from '../errors.js';
import { kernels } from '../native/kernels.js';
import type { Span, Verdict } from '../teacher/teacher.js';
import { type PlacedAnswer, tokensOf } from './answer.js';
import { type GuardReport, guardGrade } from './guards.js';

/** All that is known of a sampled answer. */
export interface JudgedAnswer extends PlacedAnswer {
  verdict: Verdict;
  /** Whether it passes its functional tests; null where nothing ran it. */
  functional: boolean | null;
  /** What guards say of it, where they were asked: they stand in for functional tests, or beside them. */
  guards?: GuardReport | undefined;
  /** The reward model's score; null without one. */
  score: number | null;
}

/** What an answer of L tokens earns: r_t = token[t] - penalty, plus terminal at t = L; KL is not among it. */
export interface AnswerReward {
  /** [L] r+_t of Eq. 1, and what idle guards lose. */
  token: Float32Array;
  /** ρ ≥ 0 of Eq. 2, taken from every token's reward. */
  penalty: number;
  /** ρ ≥ 0, taken from every token's advantage behind GAE; one of the two is 0. */
  advantagePenalty: number;
  /** At the last token: R_φ of Eq. 3, the functional term, and the sum of all the above with `delivery: last`. */
  terminal: number;
  /** [L] the set T, as a mask, whatever it earns. */
  secureTokens: Uint8Array;
  breakdown: RewardBreakdown;
}

/** Sums over an answer, as metrics show them. */
export interface RewardBreakdown {
  /** Σ r+_t, behind gate and cap. */
  secure: number;
  /** What the gate and the cap kept back from it. */
  withheld: number;
  /** What idle guards lost, ≥ 0. */
  idle: number;
  /** What the penalty took in all, ≥ 0. */
  penalty: number;
  functional: number;
  rewardModel: number;
}

/** Eq. 1-3 for one answer. */
export function answerReward(answer: JudgedAnswer, options: RewardOptions): AnswerReward {
  const { tlr } = options;
  const length = answer.offsets.length - 1;
  if (length < 1) throw new SrcodeError('ERR_INVALID_ARG', 'Expected an answer of at least one token, received none');
  const grade = gradeOf(answer);
  if (grade === null && (options.functional.weight > 0 || (tlr.functionalGate && tlr.delivery !== 'off'))) {
    throw new SrcodeError(
      'ERR_INVALID_ARG',
      'Expected to know whether the answer passes its functional tests: functional.weight and tlr.functionalGate need it. ' +
        'Give the task a judge, let guards stand in for it (guards.when), or set them to 0 and false.',
    );
  }
  const functional = options.functional.weight * (grade ?? 0);
  const rewardModel = options.rewardModel.weight * clamp(answer.score ?? 0, options.rewardModel.clip ?? Infinity);
  const secureTokens = tokensOf(
    answer.verdict.spans.map((secure) => secure.span),
    answer,
  );
  const plain: AnswerReward = {
    token: new Float32Array(length),
    penalty: 0,
    advantagePenalty: 0,
    terminal: functional + rewardModel,
    secureTokens,
    breakdown: { secure: 0, withheld: 0, idle: 0, penalty: 0, functional, rewardModel },
  };
  if (tlr.delivery === 'off') return plain;

  const earned = secureReward(answer, secureTokens, options);
  const most = tlr.functionalGate && grade !== 1 ? 0 : (tlr.cap ?? Infinity);
  const whole = sum(earned);
  const kept = whole > most ? most / whole : 1;
  const lost = idleLoss(answer, options);
  const token = plain.token.map((_, t) => (earned[t] as number) * kept - (lost[t] as number));
  const rho = penaltyOf(answer.verdict, options);
  const each = tlr.penalty === 'per-token' ? rho : rho / length;
  const breakdown = { ...plain.breakdown, secure: whole * kept, withheld: whole * (1 - kept), idle: sum(lost) };
  breakdown.penalty = each * length;
  if (tlr.delivery === 'last') {
    return { ...plain, terminal: plain.terminal + sum(token) - breakdown.penalty, breakdown };
  }
  const atReward = tlr.penaltyAt === 'reward';
  return { ...plain, token, penalty: atReward ? each : 0, advantagePenalty: atReward ? 0 : each, breakdown };
}

/**
 * r_t [N] of a batch (Eq. 3), on the engine's kernel: what each answer earned, less β · KL.
 *
 * `kl` [N] is log π_old - log π_ref. {@link AnswerReward.advantagePenalty} is not in it: take it from the advantages.
 */
export function batchRewards(
  answers: readonly AnswerReward[],
  cuSeqlens: Int32Array,
  { kl, beta }: { kl?: Float32Array; beta?: number } = {},
): Float32Array {
  const spans = { sequence: [] as number[], start: [] as number[], end: [] as number[], reward: [] as number[] };
  answers.forEach(({ token }, sequence) => {
    for (let start = 0, end = 0; start < token.length; start = end) {
      const reward = token[start] as number;
      while (end < token.length && token[end] === reward) end++;
      if (reward === 0) continue;
      spans.sequence.push(sequence);
      spans.start.push(start);
      spans.end.push(end);
      spans.reward.push(reward);
    }
  });
  return kernels.tokenRewards({
    cuSeqlens,
    spans,
    penalty: Float32Array.from(answers, (answer) => answer.penalty),
    terminal: Float32Array.from(answers, (answer) => answer.terminal),
    kl,
    beta,
  });
}

/** 1 for an answer that does what was asked, down to -1, by tests and by guards; null where neither was asked. */
function gradeOf({ functional, guards }: JudgedAnswer): number | null {
  const grades = [
    ...(functional === null ? [] : [functional ? 1 : -1]),
    ...(guards === undefined ? [] : [guardGrade(guards)]),
  ];
  return grades.length === 0 ? null : Math.min(...grades);
}

/** ρ of Eq. 2: by number and severity of the findings, bounded. A missing step weighs like a finding. */
function penaltyOf({ findings, missing }: Verdict, { tlr }: RewardOptions): number {
  const found = findings.reduce((total, finding) => total + tlr.severity[finding.severity], 0);
  return Math.min(tlr.penaltyMax, found + missing.length * tlr.missingPenalty);
}

/** r+ of Eq. 1 [L], before gate and cap. */
function secureReward(answer: JudgedAnswer, secureTokens: Uint8Array, { tlr }: RewardOptions): Float64Array {
  if (tlr.normalize === 'none') return Float64Array.from(secureTokens, (secure) => secure * tlr.rewardPerToken);
  const groups = new Map<string | number, Span[]>();
  answer.verdict.spans.forEach(({ span, obligation }, i) => {
    const key = tlr.normalize === 'span' ? i : obligation;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [span]);
    else group.push(span);
  });
  return shares(groups.values(), answer, tlr.obligationReward);
}

/** What idle guards lose [L]. */
function idleLoss(answer: JudgedAnswer, { tlr }: RewardOptions): Float64Array {
  return shares(
    answer.verdict.idle.map((guard) => [guard.span]),
    answer,
    tlr.idlePenalty,
  );
}

/** Splits `total` over the tokens of each group of spans; a token in two groups gets both shares. */
function shares(groups: Iterable<readonly Span[]>, answer: PlacedAnswer, total: number): Float64Array {
  const out = new Float64Array(answer.offsets.length - 1);
  for (const spans of groups) {
    const tokens = tokensOf(spans, answer);
    const count = sum(tokens);
    for (let t = 0; t < out.length; t++) if (tokens[t] === 1) out[t] = (out[t] as number) + total / count;
  }
  return out;
}

function clamp(value: number, bound: number): number {
  return Math.max(-bound, Math.min(bound, value));
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number;
  return total;
}
