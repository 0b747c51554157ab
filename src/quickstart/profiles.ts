import { type Arm, allArms, mainArms } from './arms.js';

/** How much of everything a quickstart does. Numbers are counts, but for `budgetSeconds`. */
export interface Profile {
  arms: readonly Arm[];
  /** Most training seeds of each arm; SFT and reward model are trained anew for each. */
  seeds: number;
  /** Another whole seed is begun only where it should end within this time; null: all seeds run. */
  budgetSeconds: number | null;
  lessons: {
    /** Pairs of functions to tell apart: two detection rows each. */
    detections: number;
    repairs: number;
    /** Documents of pretraining, so that code is still written afterwards. */
    replays: number;
    preferences: number;
  };
  ppo: { iterations: number; prompts: number };
  evaluation: {
    /** Test prompts; a profile that gates the base has as many again for each k. */
    prompts: number;
    detections: number;
    repairs: number;
    /** Credited spans that are mutated and attacked. */
    mutations: number;
  };
}

export const profileNames: readonly ['smoke', 'default', 'full'] = ['smoke', 'default', 'full'];
export type ProfileName = (typeof profileNames)[number];

/** Ten minutes on two cores. */
const ten: Omit<Profile, 'arms' | 'seeds' | 'budgetSeconds'> = {
  lessons: { detections: 5000, repairs: 2500, replays: 2500, preferences: 1500 },
  ppo: { iterations: 20, prompts: 64 },
  evaluation: { prompts: 300, detections: 150, repairs: 150, mutations: 100 },
};

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  /** Everything once, as small as it goes: shows that it works, and nothing else. */
  smoke: {
    arms: mainArms,
    seeds: 1,
    budgetSeconds: null,
    lessons: { detections: 60, repairs: 40, replays: 60, preferences: 64 },
    ppo: { iterations: 3, prompts: 16 },
    evaluation: { prompts: 24, detections: 24, repairs: 12, mutations: 12 },
  },
  /** One seed; more on a machine that has them done in the same ten minutes. */
  default: { ...ten, arms: mainArms, seeds: 3, budgetSeconds: 540 },
  /** The documentation's table: the default's budget, with five seeds and all arms. An hour or two. */
  full: { ...ten, arms: allArms, seeds: 5, budgetSeconds: null },
};
