import { z } from 'zod';
import {
  type CommonConfig,
  commonShape,
  type LengthConfig,
  type LoraConfig,
  lengthShape,
  loraShape,
  type SamplesConfig,
  samplesShape,
} from './common.js';
import type { ConfigSchema, Shape } from './schema.js';

export interface SftConfig extends CommonConfig, LengthConfig {
  mode: 'lora' | 'full';
  lora: LoraConfig;
  verdictWeight: number;
  samples: SamplesConfig;
}

const common = commonShape({
  program: 'sft',
  data: 'JSONL: PrimeVul pairs, SVEN pairs or {"prompt", "response"} rows',
  dataNeeded: true,
  lr: 1e-3,
  decayShare: 1,
  floor: 0.1,
  weightDecay: 0,
});

export const sftSchema: ConfigSchema<SftConfig> = z.strictObject({
  ...common,
  ...lengthShape('examples', 16),
  mode: z.enum(['lora', 'full']).default('lora').describe('train an adapter, or all weights'),
  lora: loraShape(),
  verdictWeight: z
    .number()
    .positive()
    .default(1)
    .describe('loss weight of the first token of a detection answer: the verdict among many words'),
  samples: samplesShape(),
} satisfies Shape<SftConfig>);
