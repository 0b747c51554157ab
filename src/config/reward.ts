import { z } from 'zod';
import {
  type CommonConfig,
  commonShape,
  type LengthConfig,
  type LoraConfig,
  lengthShape,
  loraShape,
} from './common.js';
import type { ConfigSchema, Shape } from './schema.js';

export interface RewardConfig extends CommonConfig, LengthConfig {
  lora: LoraConfig;
}

const common = commonShape({
  program: 'reward',
  data: 'JSONL: {"prompt", "chosen", "rejected"} rows, or PrimeVul or SVEN pairs (fixed is chosen, vulnerable rejected)',
  dataNeeded: true,
  lr: 1e-3,
  decayShare: 1,
  floor: 0.1,
  weightDecay: 0,
});

export const rewardSchema: ConfigSchema<RewardConfig> = z.strictObject({
  ...common,
  ...lengthShape('pairs', 8),
  lora: loraShape(),
} satisfies Shape<RewardConfig>);
