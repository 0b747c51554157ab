import { z } from 'zod';
import { cweNames, type FunctionPair, functionHash, languageOf } from './function-pair.js';
import { type JsonlOptions, readJsonl } from './jsonl.js';

/** A row of SVEN (eth-sri/sven) or of SafeCoder's security sets. Other fields are ignored. */
export const svenRow: z.ZodType<SvenRow> = z.object({
  func_name: z.string().nullish(),
  func_src_before: z.string(),
  func_src_after: z.string(),
  commit_link: z.string().nullish(),
  file_name: z.string().nullish(),
  vul_type: z.string().nullish(),
});

export interface SvenRow {
  func_name?: string | null | undefined;
  func_src_before: string;
  func_src_after: string;
  /** `github.com/owner/project/commit/hash` */
  commit_link?: string | null | undefined;
  file_name?: string | null | undefined;
  /** `cwe-079` */
  vul_type?: string | null | undefined;
}

export async function readSvenPairs(path: string, options: JsonlOptions = {}): Promise<FunctionPair[]> {
  const pairs: FunctionPair[] = [];
  for await (const { value: row, line } of readJsonl(path, svenRow, options)) {
    const where = `${path}:${line}`;
    const link = /([^/]+)\/commit\/([^/?#]+)/.exec(row.commit_link ?? '');
    pairs.push({
      project: link?.[1] ?? '',
      commit: link?.[2] ?? (row.commit_link || where),
      functionName: row.func_name ?? null,
      fileName: row.file_name ?? null,
      language: languageOf(row.file_name ?? null),
      cwe: cweNames(row.vul_type),
      cve: null,
      before: row.func_src_before,
      after: row.func_src_after,
      beforeHash: functionHash(row.func_src_before),
      afterHash: functionHash(row.func_src_after),
      where,
    });
  }
  return pairs;
}
