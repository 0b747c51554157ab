import { z } from 'zod';

/** One supervised example as text: the prompt is context, the response is learned. */
export interface SftRow {
  prompt: string;
  response: string;
  /** What the row teaches: `own` for a user's own row. */
  task: 'detection' | 'repair' | 'own';
  /** Rows of one group stay on one side of a split. */
  group: string;
  /** The text is not ours: `<|endoftext|>` in it is text, never a token. */
  literal: boolean;
  /** `file:line` */
  where: string;
}

/** Two answers to one prompt, for the reward model. */
export interface PreferenceRow {
  prompt: string;
  chosen: string;
  rejected: string;
  group: string;
  literal: boolean;
  where: string;
}

/** One document of pretraining. */
export interface TextRow {
  text: string;
  where: string;
}

export const ownSftRow: z.ZodType<{ prompt: string; response: string }> = z.object({
  prompt: z.string(),
  response: z.string().min(1, 'expected a response that is not empty'),
});

export const ownPreferenceRow: z.ZodType<{ prompt: string; chosen: string; rejected: string }> = z.object({
  prompt: z.string(),
  chosen: z.string().min(1, 'expected an answer that is not empty'),
  rejected: z.string().min(1, 'expected an answer that is not empty'),
});

export const ownTextRow: z.ZodType<{ text: string }> = z.object({ text: z.string() });
