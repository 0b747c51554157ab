import { z } from 'zod';
import type { Shape } from './schema.js';

/** How what several teachers say becomes one verdict. */
export interface EnsembleConfig {
  combine: 'union' | 'vote';
  trust: Record<string, number[]>;
}

export function ensembleShape(): Shape<EnsembleConfig> {
  return {
    combine: z
      .enum(['union', 'vote'])
      .default('union')
      .describe('what counts of several teachers: all that one of them says; what more than half of them say'),
    trust: z
      .record(z.string().regex(/^CWE-\d+$/, 'expected a name such as CWE-787'), z.array(z.number().min(0)))
      .default({})
      .describe('weights of the teachers, in their order, where it is about a CWE; elsewhere each has 1'),
  };
}

export const ensembleSchema: z.ZodType<EnsembleConfig> = z.strictObject(ensembleShape());
