import { createReadStream } from 'node:fs';
import type { z } from 'zod';
import { SrcodeError } from '../errors.js';
import { checkInput, ioError } from '../files.js';
import { quoteBigIntegers } from './big-integers.js';

export interface JsonlRow<T> {
  value: T;
  /** Counted from 1, blank lines included. */
  line: number;
}

export interface JsonlOptions {
  /** A longer line is a problem, and is not held in memory (default 32 MiB). */
  maxLineBytes?: number;
  /** Reading stops at this many problems (default 20). */
  maxProblems?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Reads a JSONL file row by row, each checked by `schema`. A byte order mark, CRLF and blank lines are accepted; integers of 16 and more
 * digits arrive as strings, since a JavaScript number would lose their low digits.
 *
 * Good rows are yielded as they come. Problems (invalid UTF-8 or JSON, a row that does not fit, a line too long) are collected and
 * thrown together at the end, each as `file:line: what`, in one ERR_DATA. ERR_IO when the file cannot be read.
 */
export async function* readJsonl<T>(
  path: string,
  schema: z.ZodType<T>,
  options: JsonlOptions = {},
): AsyncGenerator<JsonlRow<T>> {
  const { maxLineBytes = 32 * 2 ** 20, maxProblems = 20, signal } = options;
  const problems: string[] = [];
  for await (const { line, bytes } of readLines(path, maxLineBytes, signal)) {
    const result = bytes ? parseRow(bytes, line, schema) : { problems: [`is longer than ${maxLineBytes} bytes`] };
    if (!result) continue;
    if ('value' in result) yield { value: result.value, line };
    else problems.push(...result.problems.map((problem) => `${path}:${line}: ${problem}`));
    if (problems.length >= maxProblems) {
      problems.push('reading stopped here');
      break;
    }
  }
  if (problems.length > 0) throw new SrcodeError('ERR_DATA', problems.join('\n'));
}

/** A blank line gives null. */
function parseRow<T>(bytes: Buffer, line: number, schema: z.ZodType<T>): { value: T } | { problems: string[] } | null {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { problems: ['is not valid UTF-8'] };
  }
  if (line === 1 && text.startsWith('\ufeff')) text = text.slice(1);
  if (text.trim() === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(quoteBigIntegers(text));
  } catch (cause) {
    return { problems: [`is not JSON: ${(cause as Error).message}`] };
  }
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  return {
    problems: result.error.issues.map(({ path, message }) =>
      path.length > 0 ? `${path.join('.')}: ${message}` : message,
    ),
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Lines as bytes, without their line break; null instead of the bytes of a line that is too long. */
async function* readLines(
  path: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ line: number; bytes: Buffer | null }> {
  let parts: Buffer[] = [];
  let length = 0;
  let line = 1;
  const add = (part: Buffer): void => {
    length += part.length;
    if (length <= maxBytes) parts.push(part);
    else parts = [];
  };
  const take = (): { line: number; bytes: Buffer | null } => {
    const bytes = length <= maxBytes ? Buffer.concat(parts) : null;
    parts = [];
    length = 0;
    return { line: line++, bytes };
  };
  checkInput(path, 'read the data file');
  try {
    for await (const chunk of createReadStream(path, { signal, highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        add(chunk.subarray(start, end));
        yield take();
        start = end + 1;
      }
      add(chunk.subarray(start));
    }
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (typeof (cause as NodeJS.ErrnoException).syscall !== 'string') throw cause;
    throw ioError('read the data file', path, cause);
  }
  if (length > 0) yield take();
}
