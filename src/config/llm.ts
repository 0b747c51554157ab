import { z } from 'zod';
import { free, group, type Shape } from './schema.js';

/** How a language model behind an OpenAI-compatible endpoint is asked. */
export interface LlmConfig {
  keyVariable: string;
  temperature: number | null;
  maxTokens: number;
  attempts: number;
  timeout: number;
  retries: number;
  backoff: number;
  concurrency: number;
  price: LlmPrice;
  budget: LlmBudget;
}

/** Money for a million tokens, in any currency. */
export interface LlmPrice {
  prompt: number;
  completion: number;
}

export interface LlmBudget {
  tokens: number | null;
  money: number | null;
}

export function llmShape(): Shape<LlmConfig> {
  return {
    keyVariable: z
      .string()
      .regex(/^\w+$/, 'expected the name of an environment variable, not the key itself')
      .default('SRCODE_LLM_KEY')
      .describe('environment variable that holds the key, if the endpoint wants one')
      .meta(free),
    temperature: z
      .number()
      .min(0)
      .nullable()
      .default(0)
      .describe("divides the logits when the model answers; null: the server's own, for models that allow no other"),
    maxTokens: z
      .int()
      .min(1)
      .default(2048)
      .describe('longest answer in tokens; one that is cut off is asked for twice as long'),
    attempts: z.int().min(1).default(3).describe('answers asked for until one has the right form'),
    timeout: z.number().positive().max(300).default(120).describe('seconds that one request may take').meta(free),
    retries: z.int().min(0).default(6).describe('requests after one that failed').meta(free),
    backoff: z
      .number()
      .positive()
      .default(1)
      .describe('seconds before the first retry, twice as many before each further one')
      .meta(free),
    concurrency: z.int().min(1).default(8).describe('requests at a time').meta(free),
    price: group({
      prompt: z.number().min(0).default(0).describe('money for a million tokens read').meta(free),
      completion: z.number().min(0).default(0).describe('money for a million tokens written').meta(free),
    }),
    budget: group({
      tokens: z.int().min(1).nullable().default(null).describe('most tokens of a run; null: no limit').meta(free),
      money: z.number().positive().nullable().default(null).describe('most money of a run; null: no limit').meta(free),
    }),
  };
}

export const llmSchema: z.ZodType<LlmConfig> = z.strictObject(llmShape());
