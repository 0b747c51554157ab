import { z } from 'zod';
import { readJsonl } from '../dataset/jsonl.js';
import type { Sample, Task } from './task.js';

/**
 * The rows {"id", "answer"} of a JSONL file as samples; a prompt's id names its task.
 * @throws ERR_DATA with each row that is none, by file and line; ERR_IO.
 */
export async function readSamples(
  task: Task,
  path: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Sample[]> {
  const text = z.string({ error: ({ input }) => (input === undefined ? 'is missing' : 'is no string') });
  const schema = z.object({ id: text, answer: text }).transform(({ id, answer }, context) => {
    try {
      return { prompt: task.promptOf(id), answer: Buffer.from(answer) };
    } catch (error) {
      context.addIssue({ code: 'custom', path: ['id'], message: (error as Error).message });
      return z.NEVER;
    }
  });
  const samples: Sample[] = [];
  for await (const { value } of readJsonl(path, schema, { signal })) samples.push(value);
  return samples;
}
