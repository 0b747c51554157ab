import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import type { Analyser, Analysis, Language } from '../analysis/analyser.js';
import { type AnalyserName, analyserNames } from '../analysis/external/names.js';
import { toSarif } from '../analysis/external/sarif.js';
import { together } from '../concurrent.js';
import { assignmentLayer } from '../config/layers.js';
import { resolveConfig } from '../config/resolve.js';
import { teacherSchema } from '../config/teacher.js';
import { SrcodeError } from '../errors.js';
import { io, readInput } from '../files.js';
import { Phases } from '../phases.js';
import { markedTokens } from '../reward/marked-tokens.js';
import { Journal } from '../run/journal.js';
import type { Cwe, Severity, Verdict } from '../teacher/teacher.js';
import { paintOf } from '../terminal.js';
import { tokenTexts } from '../tokenizer/token-texts.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { runCommand } from './command.js';

interface AnalyzeArgs {
  path: string;
  teacher: string[];
  set?: string[] | undefined;
  journal?: string | undefined;
  tokens?: string | undefined;
  with: string[];
  cache?: string | undefined;
  unsafe: boolean;
  timings: boolean;
  sarif?: boolean | undefined;
  json?: boolean | undefined;
}

/** What is printed of one file. */
interface FileReport {
  file: string;
  findings: {
    cwe: Cwe;
    severity: Severity;
    start: number;
    end: number;
    line: number;
    rule: string;
    message: string;
  }[];
  spans: { kind: string; start: number; end: number; obligation: string }[];
  parseOk: boolean;
  /** The tools of `--with`, and `teacher`, that could not analyse it, and why. Absent where all could. */
  failures?: Record<string, string>;
  /** With `--tokens`: those of the file, and whether spans reward them. */
  tokens?: { id: number; start: number; end: number; secure: boolean }[];
}

const extensions: Readonly<Record<string, Language>> = {
  '.c': 'c',
  '.h': 'c',
  '.cc': 'cpp',
  '.cpp': 'cpp',
  '.cxx': 'cpp',
  '.hpp': 'cpp',
  '.py': 'python',
};

/** `srcode analyze src/ --with gcc,clang --sarif` */
export const analyzeCommand: CommandModule<unknown, AnalyzeArgs> = {
  command: 'analyze <path>',
  describe: 'Find flaws in C, C++ and Python, and the code that keeps them away',
  builder: (yargs: Argv) =>
    yargs
      .positional('path', {
        type: 'string',
        demandOption: true,
        describe: 'a file, or a folder: all C, C++ and Python in it and below',
      })
      .option('teacher', {
        type: 'string',
        array: true,
        default: ['embedded'],
        requiresArg: true,
        describe: 'who judges: embedded, replay:FILE, llm:MODEL@URL; several make an ensemble',
      })
      .option('set', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'an option of teachers: --set llm.budget.tokens=100000 --set ensemble.combine=vote',
      })
      .option('journal', {
        type: 'string',
        requiresArg: true,
        describe: 'file that keeps what language models answer: nothing in it is asked again, replay:FILE reads it',
      })
      .option('tokens', {
        type: 'string',
        requiresArg: true,
        describe: 'folder of a tokenizer, or "tiny": shows which tokens the spans reward, in ⟦⟧',
      })
      .option('with', {
        type: 'string',
        default: '',
        requiresArg: true,
        coerce: (list: string) => list.split(',').filter((name) => name !== ''),
        describe: `tools on PATH to ask beside the embedded engine: ${analyserNames.join(',')}`,
      })
      .option('cache', {
        type: 'string',
        requiresArg: true,
        describe: 'folder where what the engine and those tools said is kept, by content',
      })
      .option('unsafe', {
        type: 'boolean',
        default: false,
        describe: 'start compilers even where no isolation works',
      })
      .option('timings', {
        type: 'boolean',
        default: false,
        describe: 'what the time went into, on stderr',
      })
      .option('sarif', {
        type: 'boolean',
        describe: 'the findings as a SARIF 2.1.0 log on stdout',
        conflicts: 'json',
      })
      .option('json', {
        type: 'boolean',
        describe: 'one entry a file, and errors, as JSON on stdout',
      }) as unknown as Argv<AnalyzeArgs>,
  handler: (args) =>
    runCommand(
      { json: args.json || args.sarif },
      async ({ signal, progress }) => {
        const phases = new Phases();
        const reports = await phases.time('all', () => analyzeAll(args, phases, signal));
        if (args.timings) progress.note(timings(phases));
        return new Reports(reports, args);
      },
      ({ reports }) => reports.map(({ report, code }) => listing(report, code)).join('\n'),
      ({ reports }) => {
        const found = reports.reduce((sum, { report }) => sum + report.findings.length, 0);
        return found === 0 ? undefined : new SrcodeError('ERR_FINDINGS', counted(found, 'finding'));
      },
    ),
};

interface Report {
  report: FileReport;
  code: Buffer;
}

/** Reports that print as JSON or, with paths relative to the folder that was analysed, as SARIF. */
class Reports {
  readonly reports: readonly Report[];
  readonly #args: AnalyzeArgs;

  constructor(reports: readonly Report[], args: AnalyzeArgs) {
    this.reports = reports;
    this.#args = args;
  }

  toJSON(): unknown {
    if (!this.#args.sarif) return this.reports.map(({ report }) => report);
    const { path } = this.#args;
    const root = statSync(path).isDirectory() ? path : dirname(path);
    return toSarif(
      this.reports.map(({ report: { file, findings }, code }) => ({
        file: relative(root, file).split(sep).join('/'),
        code,
        findings: findings.map(({ start, end, line: _, ...rest }) => ({ ...rest, span: { start, end } })),
      })),
    );
  }
}

/** Files that are judged at once. */
const batch = 64;

async function analyzeAll(
  { path, teacher: names, set, journal, tokens, with: tools, cache, unsafe }: AnalyzeArgs,
  phases: Phases,
  signal: AbortSignal,
): Promise<Report[]> {
  const { teacherOf } = await import('../tasks/teachers.js');
  const config = resolveConfig(teacherSchema, [assignmentLayer(set ?? [])]);
  const results = cache === undefined ? undefined : await import('../analysis/result-store.js');
  const analysers = (await openTools(tools, unsafe)).map((analyser) =>
    results === undefined ? analyser : results.stored(analyser, new results.ResultStore(cache), phases),
  );
  const files = filesOf(path);
  const store = journal === undefined ? undefined : new Journal(journal);
  try {
    const asked = await teacherOf(names, { ...config, store, unsafe });
    const teacher = results?.storedTeacher(asked, new results.ResultStore(cache), phases) ?? asked;
    const tokenizer =
      tokens === undefined ? undefined : await (await import('../tokenizer/index.js')).Tokenizer.load(tokens);
    const reports: Report[] = [];
    for (let at = 0; at < files.length; at += batch) {
      const judged = await together(
        files.slice(at, at + batch),
        signal,
        async ([file, language], signal): Promise<Report> => {
          signal.throwIfAborted();
          const code = readInput(file);
          const judged = await teacher.judge(code, { language }, { signal, phases });
          const report = reportOf(file, code, judged, tokenizer);
          if (judged.counts?.unanswered) report.failures = { teacher: judged.missing.join('; ') };
          return { report, code };
        },
      );
      reports.push(...judged);
    }
    for (const analyser of analysers) {
      const concerned = [...files.entries()].filter(([, [, language]]) => analyser.languages.includes(language));
      const sources = concerned.map(([i, [, language]]) => ({ code: (reports[i] as Report).code, language }));
      const analyses = await phases.time(analyser.name, () => analyser.analyze(sources, { signal }));
      for (const [i, [index]] of concerned.entries())
        add(reports[index] as Report, analyser.name, analyses[i] as Analysis);
    }
    return reports;
  } finally {
    store?.close();
  }
}

async function openTools(names: readonly string[], unsafe: boolean): Promise<Analyser[]> {
  if (names.length === 0) return [];
  const unknown = names.filter((name) => !analyserNames.some((known) => known === name));
  if (unknown.length > 0) {
    throw new SrcodeError(
      'ERR_USAGE',
      `--with: no analyser is named ${unknown.join(', ')}; there are ${analyserNames.join(', ')}`,
    );
  }
  const { openAnalysers } = await import('../analysis/external/index.js');
  return openAnalysers(names as AnalyserName[], { unsafe });
}

/** `2.31 s: parse 0.20, walk 0.91, …`; parts of threads that ran side by side may sum to more. */
function timings({ seconds: { all = 0, ...parts }, counts }: Phases): string {
  const list = Object.entries(parts).map(([name, seconds]) => `${name} ${seconds.toFixed(2)}`);
  const { asked, known } = counts;
  return [
    `${all.toFixed(2)} s${list.length > 0 ? `: ${list.join(', ')}` : ''}`,
    ...(asked === undefined && known === undefined ? [] : [`cache: ${known ?? 0} known, ${asked ?? 0} asked`]),
  ].join('; ');
}

/** Adds what a tool says; a weakness of a line is said once, by whoever said it first. */
function add({ report, code }: Report, name: string, { findings, failure }: Analysis): void {
  if (failure !== undefined) report.failures = { ...report.failures, [name]: failure };
  const { findings: said } = reportOf(report.file, code, { findings, spans: [], parseOk: true }, undefined);
  const fresh = said.filter(
    ({ cwe, line }) => !report.findings.some((known) => known.cwe === cwe && known.line === line),
  );
  report.findings = [...report.findings, ...fresh].sort((a, b) => a.start - b.start);
}

function filesOf(path: string): [file: string, language: Language][] {
  const language = (file: string): Language | undefined => extensions[/\.\w+$/.exec(file)?.[0] ?? ''];
  if (!io('read', path, () => statSync(path)).isDirectory()) {
    return [[path, language(path) ?? 'c']];
  }
  const files = io('read', path, () => readdirSync(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .flatMap((file): [string, Language][] => {
      const its = language(file);
      return its === undefined ? [] : [[file, its]];
    });
  if (files.length === 0) {
    throw new SrcodeError(
      'ERR_DATA',
      `Nothing to analyse in ${path}: expected names with ${Object.keys(extensions).join(', ')}`,
    );
  }
  return files;
}

function reportOf(
  file: string,
  code: Uint8Array,
  { findings, spans, parseOk }: Pick<Verdict, 'findings' | 'spans' | 'parseOk'>,
  tokenizer: Tokenizer | undefined,
): FileReport {
  const rewarded = spans.map(({ span }) => span);
  return {
    file,
    findings: findings.map(({ cwe, severity, span: { start, end }, rule, message }) => ({
      cwe,
      severity,
      start,
      end,
      line: lineAt(code, start),
      rule,
      message,
    })),
    spans: spans.map(({ kind, span: { start, end }, obligation }) => ({ kind, start, end, obligation })),
    parseOk,
    ...(tokenizer && { tokens: markedTokens(code, rewarded, tokenizer) }),
  };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** From 1. */
function lineAt(code: Uint8Array, byte: number): number {
  let line = 1;
  for (let i = code.indexOf(10); i >= 0 && i < byte; i = code.indexOf(10, i + 1)) line++;
  return line;
}

const pc = paintOf();
const colours = { high: pc.red, medium: pc.yellow, low: pc.cyan } as const;

/** The code with what was found under its lines, and the credited parts in green. */
function listing({ file, findings, spans, parseOk, failures = {}, tokens }: FileReport, code: Buffer): string {
  const counts = `${counted(findings.length, 'finding')}, ${counted(spans.length, 'secure span')}`;
  const head = `${pc.bold(file)}  ${counts}${parseOk ? '' : ', does not parse whole'}`;
  const lines: string[] = [head, ...Object.entries(failures).map(([name, why]) => `  not analysed by ${name}: ${why}`)];
  let start = 0;
  for (const [i, line] of code.toString('latin1').split('\n').entries()) {
    const end = start + line.length;
    const here = findings.filter((finding) => finding.line === i + 1);
    const credited = spans.filter((span) => span.start <= end && span.end > start);
    if (here.length > 0 || credited.length > 0) {
      lines.push(
        `${String(i + 1).padStart(5)}  ${tokens ? paintTokens(code, start, end, tokens) : paint(code, start, end, credited)}`,
      );
      for (const { cwe, severity, rule, message } of here) {
        lines.push(`       ${colours[severity](`${cwe} ${severity}`)} ${message} (${rule})`);
      }
      const kinds = [
        ...new Set(spans.filter((span) => span.start >= start && span.start <= end).map(({ kind }) => kind)),
      ];
      if (kinds.length > 0) lines.push(`       ${pc.green(`secures: ${kinds.join(', ')}`)}`);
    }
    start = end + 1;
  }
  return lines.join('\n');
}

/** The tokens of a line with bars between them, those that are rewarded in brackets. */
function paintTokens(code: Buffer, start: number, end: number, tokens: NonNullable<FileReport['tokens']>): string {
  const here = tokens.filter((token) => token.start < end && token.end > start);
  const texts = tokenTexts(here.map((token) => code.subarray(Math.max(start, token.start), Math.min(end, token.end))));
  return here.map(({ secure }, i) => (secure ? pc.green(`⟦${texts[i]}⟧`) : (texts[i] ?? ''))).join(pc.dim('|'));
}

function paint(code: Buffer, start: number, end: number, spans: readonly { start: number; end: number }[]): string {
  const inside = (at: number): boolean => spans.some((span) => span.start <= at && at < span.end);
  let text = '';
  for (let at = start; at < end; ) {
    const green = inside(at);
    let next = at;
    while (next < end && inside(next) === green) next++;
    const piece = code.toString('utf8', at, next);
    text += green ? pc.green(piece) : piece;
    at = next;
  }
  return text;
}
