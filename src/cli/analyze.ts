import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pc from 'picocolors';
import type { Argv, CommandModule } from 'yargs';
import { together } from '../concurrent.js';
import { assignmentLayer } from '../config/layers.js';
import { resolveConfig } from '../config/resolve.js';
import { teacherSchema } from '../config/teacher.js';
import { SrcodeError } from '../errors.js';
import { io } from '../files.js';
import { markedTokens } from '../reward/marked-tokens.js';
import { Journal } from '../run/journal.js';
import type { Verdict } from '../teacher/teacher.js';
import { tokenTexts } from '../tokenizer/token-texts.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { runCommand } from './command.js';

interface AnalyzeArgs {
  path: string;
  teacher: string[];
  set?: string[] | undefined;
  journal?: string | undefined;
  tokens?: string | undefined;
  json?: boolean | undefined;
}

/** What is printed of one file. */
interface FileReport {
  file: string;
  findings: {
    cwe: string;
    severity: string;
    start: number;
    end: number;
    line: number;
    rule: string;
    message: string;
  }[];
  spans: { kind: string; start: number; end: number; obligation: string }[];
  parseOk: boolean;
  /** With `--tokens`: those of the file, and whether spans reward them. */
  tokens?: { id: number; start: number; end: number; secure: boolean }[];
}

const extensions: Readonly<Record<string, 'c' | 'cpp'>> = {
  '.c': 'c',
  '.h': 'c',
  '.cc': 'cpp',
  '.cpp': 'cpp',
  '.cxx': 'cpp',
  '.hpp': 'cpp',
};

/** `srcode analyze src/ --json` */
export const analyzeCommand: CommandModule<unknown, AnalyzeArgs> = {
  command: 'analyze <path>',
  describe: 'Find flaws in C code, and the code that keeps them away',
  builder: (yargs: Argv) =>
    yargs
      .positional('path', {
        type: 'string',
        demandOption: true,
        describe: 'a file, or a folder with all C files in it and below',
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
      .option('json', {
        type: 'boolean',
        describe: 'one entry a file, and errors, as JSON on stdout',
      }) as unknown as Argv<AnalyzeArgs>,
  handler: (args) =>
    runCommand(
      args,
      ({ signal }) => analyzeAll(args, signal),
      (reports) => reports.map(({ report, code }) => listing(report, code)).join('\n'),
      (reports) => {
        const found = reports.reduce((sum, { report }) => sum + report.findings.length, 0);
        return found === 0
          ? undefined
          : new SrcodeError('ERR_FINDINGS', `${found} ${found === 1 ? 'finding' : 'findings'}`);
      },
    ),
};

/** A report that prints as the report alone. */
class Report {
  readonly report: FileReport;
  readonly code: Buffer;

  constructor(report: FileReport, code: Buffer) {
    this.report = report;
    this.code = code;
  }

  toJSON(): FileReport {
    return this.report;
  }
}

/** Files that are judged at once. */
const batch = 64;

async function analyzeAll(
  { path, teacher: names, set, journal, tokens }: AnalyzeArgs,
  signal: AbortSignal,
): Promise<Report[]> {
  const { teacherOf } = await import('../tasks/teachers.js');
  const config = resolveConfig(teacherSchema, [assignmentLayer(set ?? [])]);
  const files = filesOf(path);
  const store = journal === undefined ? undefined : new Journal(journal);
  try {
    const teacher = await teacherOf(names, { ...config, store });
    const tokenizer =
      tokens === undefined ? undefined : await (await import('../tokenizer/index.js')).Tokenizer.load(tokens);
    const reports: Report[] = [];
    for (let at = 0; at < files.length; at += batch) {
      const judged = await together(files.slice(at, at + batch), signal, async ([file, language], signal) => {
        signal.throwIfAborted();
        const code = io('read', file, () => readFileSync(file));
        const verdict = await teacher.judge(code, { language }, { signal });
        return new Report(reportOf(file, code, verdict, tokenizer), code);
      });
      reports.push(...judged);
    }
    return reports;
  } finally {
    store?.close();
  }
}

function filesOf(path: string): [file: string, language: 'c' | 'cpp'][] {
  const language = (file: string): 'c' | 'cpp' | undefined => extensions[/\.\w+$/.exec(file)?.[0] ?? ''];
  if (!io('read', path, () => statSync(path)).isDirectory()) return [[path, language(path) ?? 'c']];
  const files = io('read', path, () => readdirSync(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .flatMap((file): [string, 'c' | 'cpp'][] => {
      const known = language(file);
      return known === undefined ? [] : [[file, known]];
    });
  if (files.length === 0) {
    throw new SrcodeError(
      'ERR_DATA',
      `No C file in ${path}: expected names with ${Object.keys(extensions).join(', ')}`,
    );
  }
  return files;
}

function reportOf(
  file: string,
  code: Uint8Array,
  { findings, spans, parseOk }: Verdict,
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

/** From 1. */
function lineAt(code: Uint8Array, byte: number): number {
  let line = 1;
  for (let i = code.indexOf(10); i >= 0 && i < byte; i = code.indexOf(10, i + 1)) line++;
  return line;
}

const colours = { high: pc.red, medium: pc.yellow, low: pc.cyan } as const;

/** The code with what was found under its lines, and the credited parts in green. */
function listing({ file, findings, spans, parseOk, tokens }: FileReport, code: Buffer): string {
  const head = `${pc.bold(file)}  ${findings.length} findings, ${spans.length} secure spans${parseOk ? '' : ', does not parse whole'}`;
  const lines: string[] = [head];
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
        lines.push(`       ${colours[severity as keyof typeof colours](`${cwe} ${severity}`)} ${message} (${rule})`);
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
