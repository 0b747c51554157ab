import { z } from 'zod';
import type { Severity } from '../teacher/teacher.js';
import { group, type Options, type Shape } from './schema.js';

/** What an answer is rewarded for: Eq. 1-3 of arXiv 2602.23407, and where we let it differ. See docs/rewards.md. */
export interface RewardOptions {
  tlr: TlrOptions;
  functional: FunctionalOptions;
  guards: GuardOptions;
  rewardModel: RewardModelOptions;
}

export interface TlrOptions {
  delivery: 'tokens' | 'last' | 'off';
  normalize: 'none' | 'span' | 'obligation';
  rewardPerToken: number;
  obligationReward: number;
  cap: number | null;
  functionalGate: boolean;
  penalty: 'per-token' | 'spread';
  penaltyAt: 'reward' | 'advantage';
  penaltyMax: number;
  severity: Record<Severity, number>;
  missingPenalty: number;
  idlePenalty: number;
}

export interface FunctionalOptions {
  weight: number;
}

/** What tells an honest answer from an empty one; takes the place of functional tests. */
export interface GuardOptions {
  when: 'unjudged' | 'always' | 'never';
  shortest: number;
  longest: number;
  similarity: number;
}

export interface RewardModelOptions {
  weight: number;
  clip: number | null;
}

/** The fields of {@link RewardOptions}; the defaults are the preset `srcode`. */
export function rewardOptionsShape(): Shape<RewardOptions> {
  return {
    tlr: group({
      delivery: z
        .enum(['tokens', 'last', 'off'])
        .default('tokens')
        .describe("where token-level rewards go: to their tokens; as one sum to the answer's last token; nowhere"),
      normalize: z
        .enum(['none', 'span', 'obligation'])
        .default('obligation')
        .describe('what a secure token earns: rewardPerToken; its share of obligationReward a span, or an obligation'),
      rewardPerToken: z.number().min(0).default(0.2).describe('r_s of Eq. 1, with normalize none'),
      obligationReward: z
        .number()
        .min(0)
        .default(1)
        .describe('what all tokens of one span or obligation earn together'),
      cap: z
        .number()
        .positive()
        .nullable()
        .default(null)
        .describe('most that the secure tokens of one answer earn together; null: no limit'),
      functionalGate: z
        .boolean()
        .default(true)
        .describe('secure tokens earn nothing in an answer that fails its tests'),
      penalty: z
        .enum(['per-token', 'spread'])
        .default('spread')
        .describe('what every token of a vulnerable answer loses: the whole penalty (Eq. 2), or its share of it'),
      penaltyAt: z
        .enum(['reward', 'advantage'])
        .default('reward')
        .describe('what the penalty is taken from: rewards, before GAE, or advantages, behind it'),
      penaltyMax: z.number().min(0).default(0.2).describe('largest penalty, whatever was found'),
      severity: group({
        high: z.number().min(0).default(0.1).describe('penalty for a finding of high severity'),
        medium: z.number().min(0).default(0.05).describe('penalty for a finding of medium severity'),
        low: z.number().min(0).default(0.02).describe('penalty for a finding of low severity'),
      }),
      missingPenalty: z.number().min(0).default(0.1).describe('penalty for a step that the answer leaves out'),
      idlePenalty: z
        .number()
        .min(0)
        .default(0.5)
        .describe('what all tokens of a guard that repeats another one, or checks nothing of the task, lose together'),
    }),
    functional: group({
      weight: z.number().min(0).default(2).describe('reward for passing the functional tests, and loss for failing'),
    }),
    guards: group({
      when: z
        .enum(['unjudged', 'always', 'never'])
        .default('unjudged')
        .describe(
          'when guards stand in for functional tests: where nothing runs the answers; beside tests, too; never',
        ),
      shortest: z.number().min(0).default(0.5).describe("fewest tokens of code, as a share of the reference's"),
      longest: z.number().positive().default(2).describe("most tokens of code, as a share of the reference's"),
      similarity: z
        .number()
        .min(0)
        .max(1)
        .default(0.2)
        .describe('least likeness to the reference: of pairs of neighbouring tokens, 0 to 1'),
    }),
    rewardModel: group({
      weight: z.number().min(0).default(0.5).describe("weight of the reward model's score"),
      clip: z.number().positive().nullable().default(3).describe('largest score, either way; null: no limit'),
    }),
  };
}

/** `paper`: the formulas to the letter. `srcode`: what the embedded task family showed to be needed. */
export const rewardPresets: { readonly paper: Options<RewardOptions>; readonly srcode: Options<RewardOptions> } = {
  paper: {
    tlr: {
      delivery: 'tokens',
      normalize: 'none',
      rewardPerToken: 0.2,
      cap: null,
      functionalGate: false,
      penalty: 'per-token',
      penaltyAt: 'reward',
      penaltyMax: 0.2,
      missingPenalty: 0,
      idlePenalty: 0,
    },
    functional: { weight: 0 },
    guards: { when: 'never' },
    rewardModel: { weight: 1, clip: null },
  },
  srcode: {
    tlr: {
      delivery: 'tokens',
      normalize: 'obligation',
      obligationReward: 1,
      cap: null,
      functionalGate: true,
      penalty: 'spread',
      penaltyAt: 'reward',
      penaltyMax: 0.2,
      missingPenalty: 0.1,
      idlePenalty: 0.5,
    },
    functional: { weight: 2 },
    guards: { when: 'unjudged', shortest: 0.5, longest: 2, similarity: 0.2 },
    rewardModel: { weight: 0.5, clip: 3 },
  },
};
