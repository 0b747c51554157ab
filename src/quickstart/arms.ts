import { type PpoConfig, ppoPresets } from '../config/ppo.js';
import type { Options } from '../config/schema.js';

/** A way to go on from SFT. All arms see the same prompts, budget, reward model and functional term; `paper` alone has its own rewards. */
export interface Arm {
  name: string;
  /** What it is, in a sentence. */
  about: string;
  /** Of PPO; `rejection` has none. */
  options: Options<PpoConfig>;
  /** Default `ppo`. */
  training?: 'ppo' | 'rejection';
  /** Starts from the base model instead of the fine-tuned one. */
  withoutSft?: boolean;
}

const outcome: Arm = {
  name: 'outcome',
  about: 'PPO with sequence rewards only: reward model and functional tests.',
  options: { lambda: 1, reward: { tlr: { delivery: 'off' } } },
};

const sameSum: Arm = {
  name: 'same sum',
  about: "What the token-level arm earns, delivered as one sum at the answer's last token.",
  options: { lambda: 1, reward: { tlr: { delivery: 'last' } } },
};

const tlr: Arm = {
  name: 'TLR',
  about: 'PPO with token-level rewards: secure tokens earn their reward where they stand.',
  options: { reward: { tlr: { delivery: 'tokens' } } },
};

/** The question of the method is the difference between the last two: the same rewards, in one place or where they are earned. */
export const mainArms: readonly Arm[] = [outcome, sameSum, tlr];

// Its schedule, temperature and budget stay those of the other arms.
const { unfinishedScore: _, normalizeScores: __, ...paperOptions } = ppoPresets.paper;

/** What a sceptic asks for beside them. */
export const allArms: readonly Arm[] = [
  ...mainArms,
  {
    name: 'outcome, λ .95',
    about: 'The outcome arm with the usual λ, under which a reward at the end hardly reaches the beginning.',
    options: { ...outcome.options, lambda: 0.95 },
  },
  { name: 'paper', about: 'The formulas of the paper to the letter.', options: paperOptions },
  {
    name: 'TLR without SFT',
    about: 'The token-level arm from the base model.',
    options: tlr.options,
    withoutSft: true,
  },
  {
    name: 'GRPO',
    about: "The same sums, against those of the prompt's other answers, without a critic.",
    options: { ...sameSum.options, advantage: 'group', samples: 4 },
  },
  {
    name: 'rejection sampling',
    about: 'No RL: fine-tuning on the best of four answers by tests and attacks.',
    options: {},
    training: 'rejection',
  },
];
