import { createHash } from 'node:crypto';
import { z } from 'zod';
import { readJsonl } from '../dataset/jsonl.js';
import { SrcodeError } from '../errors.js';
import { readInput } from '../files.js';
import { type Journal, journalled } from '../run/journal.js';
import type { CodeLanguage, Teacher, Verdict } from './teacher.js';
import { verdictSchema } from './verdict-schema.js';

const prefix = 'verdict ';

/** Keeps a teacher's verdicts in a run's journal, where {@link replayTeacher} finds them. */
export function recorded(teacher: Teacher, journal: Pick<Journal, 'lookup' | 'record'>): Teacher {
  return {
    id: teacher.id,
    async judge(code, about, options) {
      const key = `${prefix}${teacher.id} ${keyOf(code, about.language)}`;
      const known = journal.lookup(key);
      if (known !== undefined) return known as Verdict;
      const verdict = await teacher.judge(code, about, options);
      journal.record(key, verdict);
      return verdict;
    },
  };
}

/** A row of a file of verdicts: the program itself, or the SHA-256 of its bytes in hexadecimal digits. */
interface VerdictRow {
  language: CodeLanguage;
  code?: string | undefined;
  sha256?: string | undefined;
  verdict: Verdict;
}

const verdictRow: z.ZodType<VerdictRow> = z
  .strictObject({
    language: z.enum(['c', 'cpp', 'python']),
    code: z.string().optional(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits')
      .optional(),
    verdict: verdictSchema,
  })
  .refine(({ code, sha256 }) => (code === undefined) !== (sha256 === undefined), 'expected either code or sha256');

/**
 * A teacher that says what was once said: the verdicts of a run's `journal.jsonl`, or of a JSONL file of rows
 * `{"language", "code" | "sha256", "verdict"}`. It throws ERR_DATA for a program about which the file says nothing.
 * @throws ERR_DATA for a file with other rows, or with verdicts of several teachers; ERR_IO when it cannot be read.
 */
export async function replayTeacher(path: string): Promise<Teacher> {
  const bytes = readInput(path);
  const isJournal = /^[0-9a-f]{16} \{/.test(bytes.subarray(0, 18).toString('latin1'));
  const verdicts = isJournal ? verdictsOfRun(path, bytes) : await verdictsOfRows(path);
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  return {
    id: `replay:${version}`,
    async judge(code, { language }) {
      const key = keyOf(code, language);
      const verdict = verdicts.get(key);
      if (verdict === undefined) throw unknown(path, verdicts.size, key, code);
      const spans = [...verdict.spans, ...verdict.findings, ...verdict.idle].map(({ span }) => span);
      const outside = spans.find(({ end }) => end > code.length);
      if (outside !== undefined) {
        const where = `[${outside.start}, ${outside.end})`;
        throw new SrcodeError(
          'ERR_DATA',
          `${path}: the verdict on ${key} marks bytes ${where} of a program that has ${code.length}`,
        );
      }
      return verdict;
    },
  };
}

function verdictsOfRun(path: string, bytes: Buffer): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  const teachers = new Set<string>();
  for (const { key, value } of journalled(bytes)) {
    const [, teacher, of] = /^verdict (.*) (\S+ \S+)$/.exec(key) ?? [];
    if (teacher === undefined || of === undefined) continue;
    teachers.add(teacher);
    verdicts.set(of, value as Verdict);
  }
  if (teachers.size === 1) return verdicts;
  const found =
    teachers.size === 0 ? 'it holds none: only verdicts of language models are kept so' : [...teachers].join(', ');
  throw new SrcodeError('ERR_DATA', `${path}: expected the verdicts of one teacher, received ${found}`);
}

async function verdictsOfRows(path: string): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  for await (const { value, line } of readJsonl(path, verdictRow)) {
    const { language, code, sha256, verdict } = value;
    const key = code === undefined ? `${language} ${sha256}` : keyOf(Buffer.from(code), language);
    if (verdicts.has(key)) throw new SrcodeError('ERR_DATA', `${path}:${line}: a second verdict on ${key}`);
    verdicts.set(key, verdict);
  }
  return verdicts;
}

function keyOf(code: Uint8Array, language: CodeLanguage): string {
  return `${language} ${createHash('sha256').update(code).digest('hex')}`;
}

function unknown(path: string, size: number, key: string, code: Uint8Array): SrcodeError {
  const [first = ''] = new TextDecoder().decode(code.subarray(0, 80)).trim().split('\n');
  return new SrcodeError(
    'ERR_DATA',
    `${path}: none of its ${size} verdicts is on the program ${key}, which begins ${JSON.stringify(first)}. ` +
      'Recorded verdicts can only be replayed to the answers that they were given to.',
  );
}
