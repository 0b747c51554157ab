import { z } from 'zod';

/** One supervised example as text: the prompt is context, the response is learned. */
export interface SftRow {
  prompt: string;
  response: string;
  /** What the row teaches: `detection`, `repair`, or what a user's own row says (default `own`). Measurements are split by it. */
  task: string;
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

export const ownSftRow: z.ZodType<{ prompt: string; response: string; task?: string | undefined }> = z.object({
  prompt: z.string(),
  response: z.string().min(1, 'expected a response that is not empty'),
  task: z.string().min(1).optional(),
});

export const ownPreferenceRow: z.ZodType<{ prompt: string; chosen: string; rejected: string }> = z.object({
  prompt: z.string(),
  chosen: z.string().min(1, 'expected an answer that is not empty'),
  rejected: z.string().min(1, 'expected an answer that is not empty'),
});

export const ownTextRow: z.ZodType<{ text: string }> = z.object({ text: z.string() });
