import { join } from 'node:path';
import type { PpoConfig } from '../../config/ppo.js';
import type { Model } from '../../native/model.js';
import type { Trainer } from '../../native/trainer.js';
import { trainerOptions } from '../setup.js';
import type { Cast } from './experience.js';

/** Which adapters a run has. */
export function castOf({ advantage, critic, reference, rewardModel }: PpoConfig): Cast {
  const ofCritic = critic === 'shared' ? 'policy' : 'critic';
  return {
    policy: 'policy',
    reference: reference === null ? undefined : 'reference',
    critic: advantage === 'gae' ? ofCritic : undefined,
    rewardModel: rewardModel === null ? undefined : 'reward',
  };
}

/** Puts the run's adapters on the model: as they were in the checkpoint `from`, or as the config has them begin. */
export async function loadAdapters(
  { adapters }: Model,
  { init, reference, rewardModel, lora, seed }: PpoConfig,
  { policy, critic }: Cast,
  from: string | undefined,
): Promise<void> {
  if (reference !== null) await adapters.load('reference', reference);
  if (rewardModel !== null) await adapters.load('reward', rewardModel);
  if (from !== undefined) {
    await adapters.load(policy, from);
    if (critic === 'critic') await adapters.load(critic, join(from, critic));
    return;
  }
  const shared = critic === policy;
  if (init === null) {
    await adapters.create(policy, { ...lora, seed, heads: shared ? ['value'] : [] });
  } else {
    await adapters.load('init', init);
    await adapters.copy(policy, 'init', shared ? { heads: { value: 'zero' } } : {});
    await adapters.remove('init');
  }
  if (critic !== 'critic') return;
  if (rewardModel === null) await adapters.create(critic, { ...lora, seed, heads: ['value'] });
  else await adapters.copy(critic, 'reward', { heads: { value: 'reward' } });
}

export async function saveAdapters({ adapters }: Model, { policy, critic }: Cast, dir: string): Promise<void> {
  await adapters.save(policy, dir);
  if (critic === 'critic') await adapters.save(critic, join(dir, critic));
}

/** The optimisers of what a run trains. */
export interface TrainerPair extends Disposable {
  policy: Trainer;
  critic: Trainer | undefined;
  load: (checkpoint: string) => Promise<void>;
  save: (checkpoint: string) => Promise<void>;
}

export function trainersOf(model: Model, config: PpoConfig, cast: Cast): TrainerPair {
  const options = trainerOptions(config);
  const policy = model.trainer({ ...options, adapter: cast.policy });
  const critic = cast.critic === 'critic' ? model.trainer({ ...options, adapter: cast.critic }) : undefined;
  return {
    policy,
    critic,
    load: async (checkpoint) => {
      await policy.load(join(checkpoint, 'trainer'));
      await critic?.load(join(checkpoint, 'critic-trainer'));
    },
    save: async (checkpoint) => {
      await policy.save(join(checkpoint, 'trainer'));
      await critic?.save(join(checkpoint, 'critic-trainer'));
    },
    [Symbol.dispose]: () => {
      policy.dispose();
      critic?.dispose();
    },
  };
}
