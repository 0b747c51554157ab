import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { z } from 'zod';
import { SrcodeError } from '../errors.js';
import { checkInput, ioError } from '../files.js';
import { Counts } from './counts.js';
import type { FunctionPair, Language } from './function-pair.js';
import { type JsonlOptions, type JsonlRow, readJsonl } from './jsonl.js';
import { readPrimeVulPairs } from './primevul.js';
import { detectionAnswer, detectionPrompt, fenced, repairPrompt } from './prompts.js';
import { ownPreferenceRow, ownSftRow, ownTextRow, type PreferenceRow, type SftRow, type TextRow } from './rows.js';
import { groupPairs } from './split.js';
import { readSvenPairs } from './sven.js';

export type DataFormat = 'primevul' | 'sven' | 'sft' | 'preference' | 'text';

/** What was read and what was left out; `describeReport` says it in lines. */
export interface LoadReport {
  files: { path: string; format: DataFormat; rows: number }[];
  /** Rows by task. */
  rows: Record<string, number>;
  dropped: Record<string, number>;
  warnings: Record<string, number>;
}

export interface LoadOptions {
  /** Which functions to keep (default C and C++). */
  languages?: readonly Language[];
  signal?: AbortSignal | undefined;
}

/**
 * Reads supervised rows: `{prompt, response}` JSONL as it is, and PrimeVul's paired files or SVEN's as detection (both functions of a pair)
 * and repair. Pairs that are empty, unchanged but for white space, repeated, or in another language are dropped and counted.
 * Errors: ERR_IO, ERR_DATA (every problem with file and line; no rows left; a file of another kind).
 */
export async function loadSftRows(
  paths: readonly string[],
  { tasks = ['detection', 'repair'], ...options }: LoadOptions & { tasks?: readonly ('detection' | 'repair')[] } = {},
): Promise<{ rows: SftRow[]; report: LoadReport }> {
  const { pairs, own, report } = await load(paths, 'sft', ownSftRow, options);
  const rows = own.map(
    ({ value: { task = 'own', ...text }, where }): SftRow => ({
      ...text,
      task,
      group: promptGroup(text.prompt),
      literal: false,
      where,
    }),
  );
  const groups = groupPairs(pairs);
  const dropped = new Counts(report.dropped);
  const detection = tasks.includes('detection') ? detectionRows(pairs, dropped) : [];
  pairs.forEach((pair, i) => {
    const about = { group: groups[i] as string, literal: true, where: pair.where };
    for (const row of detection[i] ?? []) rows.push({ ...row, task: 'detection', ...about });
    if (!tasks.includes('repair')) return;
    const prompt = repairPrompt({ ...vulnerable(pair), cwe: pair.cwe });
    rows.push({ prompt, response: fenced(fixed(pair)), task: 'repair', ...about });
  });
  return {
    rows: some(rows, paths),
    report: { ...report, rows: countBy(rows.map((row) => row.task)), dropped: dropped.toObject() },
  };
}

/** A pair of a known language, with the group that no split may divide. */
export type GroupedPair = FunctionPair & { language: Language; group: string };

/** Reads pairs alone. Drops and errors as `loadSftRows`. */
export async function loadPairs(
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<{ pairs: GroupedPair[]; report: LoadReport }> {
  const { pairs, own, report } = await load(paths, 'sft', ownSftRow, options);
  const [foreign] = own;
  if (foreign !== undefined) throw wrongFormat(foreign.where, 'sft', 'function pairs of PrimeVul or SVEN');
  const groups = groupPairs(pairs);
  const grouped = pairs.map((pair, i) => ({
    ...pair,
    language: pair.language as Language,
    group: groups[i] as string,
  }));
  return { pairs: some(grouped, paths), report: { ...report, rows: { pairs: pairs.length } } };
}

/** Reads preference rows: `{prompt, chosen, rejected}` JSONL, and pairs as repair with the fixed function chosen. Drops and errors as `loadSftRows`. */
export async function loadPreferenceRows(
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<{ rows: PreferenceRow[]; report: LoadReport }> {
  const { pairs, own, report } = await load(paths, 'preference', ownPreferenceRow, options);
  const rows: PreferenceRow[] = [];
  let equal = 0;
  for (const { value, where } of own) {
    if (value.chosen === value.rejected) equal++;
    else rows.push({ ...value, group: promptGroup(value.prompt), literal: false, where });
  }
  if (equal > 0) report.dropped['chosen and rejected are equal'] = equal;
  const groups = groupPairs(pairs);
  pairs.forEach((pair, i) => {
    rows.push({
      prompt: repairPrompt({ ...vulnerable(pair), cwe: pair.cwe }),
      chosen: fenced(fixed(pair)),
      rejected: fenced(vulnerable(pair)),
      group: groups[i] as string,
      literal: true,
      where: pair.where,
    });
  });
  return { rows: some(rows, paths), report: { ...report, rows: { preference: rows.length } } };
}

/** Reads documents: `{text}` JSONL (`.jsonl`), or any other file as one document. Empty documents are dropped and counted. Errors as `loadSftRows`. */
export async function loadTexts(
  paths: readonly string[],
  { signal }: Pick<LoadOptions, 'signal'> = {},
): Promise<{ rows: TextRow[]; report: LoadReport }> {
  const dropped = new Counts();
  const rows: TextRow[] = [];
  const files: LoadReport['files'] = [];
  for (const path of paths) {
    let count = 0;
    const add = (text: string, where: string): void => {
      count++;
      if (text.trim() === '') dropped.add('empty document');
      else rows.push({ text, where });
    };
    if (extname(path) === '.jsonl') {
      const format = await detectFormat(path, { signal });
      if (format !== 'text') throw wrongFormat(path, format, 'rows {text} or plain text');
      for await (const { value, line } of readJsonl(path, ownTextRow, { signal })) add(value.text, `${path}:${line}`);
    } else add(await readText(path, signal), path);
    files.push({ path, format: 'text', rows: count });
  }
  return {
    rows: some(rows, paths),
    report: { files, rows: { text: rows.length }, dropped: dropped.toObject(), warnings: {} },
  };
}

/**
 * Tells a JSONL file's format by the keys of its first row that is an object. Errors: ERR_IO; ERR_DATA when it is none that we know
 * or the file has no row.
 */
export async function detectFormat(path: string, options: JsonlOptions = {}): Promise<DataFormat> {
  const first = await firstRow(path, options);
  const format = FORMATS.find(([, keys]) => keys.every((key) => key in first.value))?.[0];
  if (format) return format;
  const keys = Object.keys(first.value).slice(0, 20).join(', ') || '(none)';
  const known = FORMATS.map(([name, needed]) => `  ${name}: ${needed.join(', ')}`).join('\n');
  throw new SrcodeError(
    'ERR_DATA',
    `${path}:${first.line}: has the keys ${keys}; expected at least those of one format:\n${known}`,
  );
}

async function firstRow(path: string, options: JsonlOptions): Promise<JsonlRow<Record<string, unknown>>> {
  try {
    for await (const row of readJsonl(path, anyObject, { maxProblems: 3, ...options })) return row;
  } catch (cause) {
    if (!(cause instanceof SrcodeError) || cause.code !== 'ERR_DATA') throw cause;
    throw new SrcodeError('ERR_DATA', `${cause.message}\n${path}: expected JSONL, one JSON object a line`, { cause });
  }
  throw new SrcodeError('ERR_DATA', `${path} is empty; expected JSONL, one JSON object a line`);
}

const anyObject = z.record(z.string(), z.unknown());

const FORMATS: readonly (readonly [DataFormat, readonly string[]])[] = [
  ['primevul', ['func', 'target', 'commit_id']],
  ['sven', ['func_src_before', 'func_src_after']],
  ['preference', ['prompt', 'chosen', 'rejected']],
  ['sft', ['prompt', 'response']],
  ['text', ['text']],
];

/** The report as lines to print. */
export function describeReport({ files, rows, dropped, warnings }: LoadReport): string[] {
  const list = (counts: Record<string, number>) => Object.entries(counts).map(([what, count]) => `${count} × ${what}`);
  return [
    ...files.map(
      ({ path, format, rows: count }) => `${path}: ${format}, ${count} ${PAIRED.has(format) ? 'pairs' : 'rows'}`,
    ),
    `kept: ${list(rows).join(', ')}`,
    ...list(dropped).map((line) => `dropped: ${line}`),
    ...list(warnings).map((line) => `warning: ${line}`),
  ];
}

const PAIRED = new Set<DataFormat>(['primevul', 'sven']);

async function load<T>(
  paths: readonly string[],
  wanted: 'sft' | 'preference',
  schema: z.ZodType<T>,
  { languages = ['c', 'cpp'], signal }: LoadOptions,
): Promise<{ pairs: FunctionPair[]; own: { value: T; where: string }[]; report: LoadReport }> {
  const dropped = new Counts();
  const warnings = new Counts();
  const all: FunctionPair[] = [];
  const own: { value: T; where: string }[] = [];
  const files: LoadReport['files'] = [];
  const problems: SrcodeError[] = [];
  for (const path of paths) {
    try {
      const format = await detectFormat(path, { signal });
      if (!PAIRED.has(format) && format !== wanted)
        throw wrongFormat(path, format, `${wanted} rows, or function pairs of PrimeVul or SVEN`);
      const before = all.length + own.length;
      if (format === 'primevul') all.push(...(await readPrimeVulPairs(path, { dropped, warnings, signal })));
      else if (format === 'sven') all.push(...(await readSvenPairs(path, { signal })));
      else
        for await (const { value, line } of readJsonl(path, schema, { signal }))
          own.push({ value, where: `${path}:${line}` });
      files.push({ path, format, rows: all.length + own.length - before });
    } catch (error) {
      if (!(error instanceof SrcodeError)) throw error;
      problems.push(error); // the other files' problems are said with it
    }
  }
  const [first] = problems;
  if (first && problems.length === 1) throw first;
  if (first) throw new SrcodeError(first.code, problems.map((problem) => problem.message).join('\n'));
  const pairs = keepPairs(all, languages, dropped);
  return { pairs, own, report: { files, rows: {}, dropped: dropped.toObject(), warnings: warnings.toObject() } };
}

function keepPairs(pairs: readonly FunctionPair[], languages: readonly Language[], dropped: Counts): FunctionPair[] {
  const seen = new Set<string>();
  return pairs.filter(({ before, after, beforeHash: from, afterHash: to, language }) => {
    const reason =
      before.trim() === '' || after.trim() === ''
        ? 'pair with an empty function'
        : language === null || !languages.includes(language)
          ? 'pair in another language'
          : from === to
            ? 'pair that differs in white space alone'
            : seen.has(`${from} ${to}`)
              ? 'pair seen before'
              : null;
    if (reason) dropped.add(reason);
    else seen.add(`${from} ${to}`);
    return !reason;
  });
}

// Each function once. A fix of one flaw may leave another, which a later pair fixes: such a function is no example of No.
function detectionRows(pairs: readonly FunctionPair[], dropped: Counts): { prompt: string; response: string }[][] {
  const flawed = new Set(pairs.map(({ beforeHash }) => beforeHash));
  const seen = new Set<string>();
  const once = (hash: string): boolean => {
    const first = !seen.has(hash);
    if (!first) dropped.add('detection row of a function seen before');
    seen.add(hash);
    return first;
  };
  return pairs.map((pair) => {
    const rows: { prompt: string; response: string }[] = [];
    if (once(pair.beforeHash))
      rows.push({ prompt: detectionPrompt(vulnerable(pair)), response: detectionAnswer(pair.cwe) });
    if (flawed.has(pair.afterHash)) dropped.add('detection row of a fixed function that another pair fixes again');
    else if (once(pair.afterHash)) rows.push({ prompt: detectionPrompt(fixed(pair)), response: detectionAnswer(null) });
    return rows;
  });
}

// Pairs that were kept have a language.
const vulnerable = ({ before, language }: FunctionPair) => ({ code: before, language: language as Language });
const fixed = ({ after, language }: FunctionPair) => ({ code: after, language: language as Language });

function promptGroup(prompt: string): string {
  return `prompt ${createHash('sha256').update(prompt).digest('hex').slice(0, 16)}`;
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts = new Counts();
  for (const name of names) counts.add(name);
  return counts.toObject();
}

function some<T>(rows: T[], paths: readonly string[]): T[] {
  if (rows.length > 0) return rows;
  throw new SrcodeError(
    'ERR_DATA',
    paths.length > 0 ? `No usable rows in ${paths.join(', ')}` : 'No data files were given',
  );
}

function wrongFormat(path: string, format: DataFormat, expected: string): SrcodeError {
  return new SrcodeError('ERR_DATA', `${path} holds ${format} rows; expected ${expected}`);
}

async function readText(path: string, signal: AbortSignal | undefined): Promise<string> {
  checkInput(path, 'read the data file');
  let bytes: Buffer;
  try {
    bytes = await readFile(path, { signal });
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw ioError('read the data file', path, cause);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SrcodeError('ERR_DATA', `${path} is not valid UTF-8 text`, { cause });
  }
}
