import { z } from 'zod';
import type { Cwe, Verdict } from './teacher.js';

const offset = z.int().min(0);
const span = z
  .strictObject({ start: offset, end: offset })
  .refine(({ start, end }) => start <= end, 'expected start ≤ end');

/** A verdict as it stands in a file. */
export const verdictSchema: z.ZodType<Verdict> = z.strictObject({
  spans: z.array(z.strictObject({ span, kind: z.string(), obligation: z.string() })).default([]),
  findings: z
    .array(
      z.strictObject({
        cwe: z.custom<Cwe>(
          (name) => typeof name === 'string' && /^CWE-\d+$/.test(name),
          'expected a name such as CWE-787',
        ),
        severity: z.enum(['high', 'medium', 'low']),
        span,
        rule: z.string().default('recorded'),
        message: z.string().default(''),
      }),
    )
    .default([]),
  idle: z.array(z.strictObject({ span, why: z.enum(['repeated', 'foreign']) })).default([]),
  missing: z.array(z.string()).default([]),
  parseOk: z.boolean().default(true),
  silent: z.literal(true).exactOptional(),
  counts: z.record(z.string(), z.number()).exactOptional(),
});
