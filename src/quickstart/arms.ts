import { type PpoConfig, ppoPresets } from '../config/ppo.js';
import type { Options } from '../config/schema.js';

/** A way to go on from SFT. All arms see the same prompts, budget, reward model and functional term; `paper` alone has its own rewards. */
export interface Arm {
  name: string;
  /** What it is, in a sentence. */
  about: string;
  /** The arm that gets the same rewards otherwise; the report compares the two. */
  control?: string;
  /** Of PPO; `rejection` has none. */
  options: Options<PpoConfig>;
  /** Default `ppo`. */
  training?: 'ppo' | 'rejection';
  /** Starts from the base model instead of the fine-tuned one. */
  withoutSft?: boolean;
}

// Each arm had the same trials (trials.json); these are the best of each. With rewards at the end a critic of its own, begun from the reward model, is worth
// more than the iterations that warm it up; with rewards in place it is not.
const shared: Options<PpoConfig> = ppoPresets.srcode;
const ownCritic: Options<PpoConfig> = { ...shared, critic: 'adapter', criticWarmup: 2 };

// Budgets are of answers: a fourth of the prompts, four answers each.
const groups: Options<PpoConfig> = { ...shared, advantage: 'group', samples: 4, lambda: 1 };

const outcome: Arm = {
  name: 'outcome',
  about: 'PPO with sequence rewards only: reward model and functional tests.',
  options: { ...ownCritic, lambda: 1, reward: { tlr: { delivery: 'off' } } },
};

const sameSum: Arm = {
  name: 'same sum',
  about: "What the token-level arm earns, delivered as one sum at the answer's last token.",
  options: { ...ownCritic, lambda: 1, reward: { tlr: { delivery: 'last' } } },
};

const tlr: Arm = {
  name: 'TLR',
  about: 'PPO with token-level rewards: secure tokens earn their reward where they stand.',
  control: 'same sum',
  options: { ...shared, reward: { tlr: { delivery: 'tokens' } } },
};

/** The question of the method is the difference between the last two: the same rewards, in one place or where they are earned. */
export const mainArms: readonly Arm[] = [outcome, sameSum, tlr];

// Without its scores as they come: these were normalised in every arm.
const { unfinishedScore: _, normalizeScores: __, ...paperOptions } = ppoPresets.paper;

/** What a sceptic asks for beside them. */
export const allArms: readonly Arm[] = [
  ...mainArms,
  {
    name: 'same sum, shared critic',
    about: "The control with the token-level arm's critic, a head on the policy.",
    options: { ...shared, lambda: 1, reward: { tlr: { delivery: 'last' } } },
  },
  {
    name: 'TLR, own critic',
    about: "The token-level arm with the control's critic.",
    control: 'same sum',
    options: { ...ownCritic, reward: { tlr: { delivery: 'tokens' } } },
  },
  {
    name: 'outcome, λ .95',
    about: 'The outcome arm with the usual λ, under which a reward at the end hardly reaches the beginning.',
    options: { ...outcome.options, lambda: 0.95 },
  },
  {
    name: 'paper',
    about: 'The formulas of the paper to the letter; learning rate and decay of the other arms.',
    options: { ...shared, ...paperOptions },
  },
  {
    name: 'TLR without SFT',
    about: 'The token-level arm from the base model.',
    options: tlr.options,
    withoutSft: true,
  },
  {
    name: 'GRPO',
    about: "The same sums, against those of the prompt's other answers, without a critic.",
    options: { ...groups, reward: { tlr: { delivery: 'last' } } },
  },
  {
    name: 'TLR, groups',
    about: "Token-level rewards, too, against those of the prompt's other answers.",
    control: 'GRPO',
    options: { ...groups, reward: { tlr: { delivery: 'tokens' } } },
  },
  {
    name: 'rejection sampling',
    about: 'No RL: fine-tuning on the best of four answers by tests and attacks.',
    options: {},
    training: 'rejection',
  },
];
