import { z } from 'zod';
import type { Counts } from './counts.js';
import { cweNames, type FunctionPair, functionHash, functionName, languageOf, md5Integer } from './function-pair.js';
import { type JsonlOptions, readJsonl } from './jsonl.js';

// 128-bit hashes arrive as strings (readJsonl); a small one may still be a number.
const hash = z
  .union([z.string().regex(/^\d{1,39}$/, 'expected an integer of at most 39 digits'), z.int().nonnegative()])
  .transform(String);
const text = z.string().nullish();

/**
 * A row of PrimeVul (DLVulDet/PrimeVul). Release v0.1 has `func_hash` (white space removed), `cwe` as a list, and file names; the
 * original release has `hash` (of the raw text), and often no CWE. Other fields are ignored.
 */
export const primeVulRow: z.ZodType<PrimeVulRow> = z.object({
  project: text,
  commit_id: z.string().min(1),
  target: z.union([z.literal(0), z.literal(1)]),
  func: z.string(),
  func_hash: hash.nullish(),
  hash: hash.nullish(),
  file_name: text,
  cwe: z.union([z.string(), z.array(z.string())]).nullish(),
  cve: text,
});

export interface PrimeVulRow {
  project?: string | null | undefined;
  commit_id: string;
  /** 1 vulnerable, 0 fixed. */
  target: 0 | 1;
  func: string;
  func_hash?: string | null | undefined;
  hash?: string | null | undefined;
  file_name?: string | null | undefined;
  cwe?: string | string[] | null | undefined;
  cve?: string | null | undefined;
}

/** Reads a `*_paired.jsonl`. Rows that find no partner, and hashes that do not fit their text (rows kept), are counted in `dropped` and `warnings`. */
export async function readPrimeVulPairs(
  path: string,
  { dropped, warnings, ...options }: JsonlOptions & { dropped: Counts; warnings: Counts },
): Promise<FunctionPair[]> {
  const rows: { row: PrimeVulRow; line: number; ownHash: string }[] = [];
  for await (const { value, line } of readJsonl(path, primeVulRow, options)) {
    const ownHash = functionHash(value.func);
    rows.push({ row: value, line, ownHash });
    const matches =
      (value.func_hash == null || value.func_hash === ownHash) &&
      (value.hash == null || value.hash === md5Integer(value.func));
    if (!matches) warnings.add('hash does not fit the function');
  }
  const pairs = pairRows(rows.map(({ row }) => row));
  dropped.add('row without a partner', rows.length - 2 * pairs.length);
  return pairs.map(([vulnerable, fixed]) => {
    const { row, line, ownHash: beforeHash } = rows[vulnerable] as (typeof rows)[number];
    const { row: patched, ownHash: afterHash } = rows[fixed] as (typeof rows)[number];
    const fileName = row.file_name && row.file_name !== 'None' ? row.file_name : null;
    return {
      project: row.project ?? '',
      commit: row.commit_id,
      functionName: functionName(row.func),
      fileName,
      language: languageOf(fileName),
      cwe: cweNames(row.cwe),
      cve: row.cve && row.cve !== 'None' ? row.cve : null,
      before: row.func,
      after: patched.func,
      beforeHash,
      afterHash,
      where: `${path}:${line}`,
    };
  });
}

/**
 * Finds the pairs as [vulnerable, fixed] indices, in order of the first. A pair shares its commit and has both targets. Consecutive rows
 * whose function names agree come first; then rows of one commit and name, in order, wherever they stand; last, consecutive rows
 * that are left over, since a fix may rename its function.
 */
export function pairRows(rows: readonly Pick<PrimeVulRow, 'commit_id' | 'target' | 'func'>[]): [number, number][] {
  const names = rows.map((row) => functionName(row.func));
  const partner = new Int32Array(rows.length).fill(-1);
  const free = (i: number) => i < rows.length && partner[i] === -1;
  const join = (i: number, j: number) => {
    partner[i] = j;
    partner[j] = i;
  };
  const fits = (i: number, j: number) =>
    free(i) && free(j) && rows[i]?.commit_id === rows[j]?.commit_id && rows[i]?.target !== rows[j]?.target;

  for (let i = 0; i + 1 < rows.length; i++)
    if (fits(i, i + 1) && (names[i] === names[i + 1] || names[i] === null || names[i + 1] === null)) join(i, i + 1);

  const waiting = new Map<string, number[]>();
  rows.forEach((row, i) => {
    if (!free(i) || names[i] === null) return;
    const key = `${row.commit_id} ${names[i]}`;
    const queue = waiting.get(key) ?? [];
    waiting.set(key, queue);
    const first = queue[0];
    if (first !== undefined && fits(first, i)) join(queue.shift() as number, i);
    else queue.push(i);
  });

  for (let i = 0; i + 1 < rows.length; i++) if (fits(i, i + 1)) join(i, i + 1);

  return rows.flatMap((row, i): [number, number][] => {
    const j = partner[i] as number;
    return j > i ? [row.target === 1 ? [i, j] : [j, i]] : [];
  });
}
