import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { SrcodeError } from '../../errors.js';
import type { Analyser, Analysis, SourceCode } from '../analyser.js';
import { distinct, inGroups } from './groups.js';
import { neutralSource } from './neutral.js';
import { type ProcessResult, runProcess } from './process.js';
import { findingsOf, readSarif } from './sarif.js';
import { type Tool, unguessable } from './tools.js';
import { definedFunctions } from './units.js';

/** Changes whenever a finding may change. */
const rulesVersion = 2;

export interface CodeqlOptions {
  /** Query files, suites and packs, as `codeql database analyze` takes them; left out, the security-extended suite of the language. */
  queries?: readonly string[];
  /** `none` reads sources as they are (CLI 2.23.3 and newer), `make` compiles each with gcc or g++; left out, the first that is possible. */
  buildMode?: 'none' | 'make';
  /** Sources a database. Starting costs half a minute, and some thousands fit into memory. */
  batchSize?: number;
  /** 0: one for each core. */
  threads?: number;
  ramMiB?: number;
  /** The command line's program. */
  command?: string;
}

/** `codeql` on PATH, if it answers. Its licence is its user's affair: we neither ship nor fetch it. */
export async function findCodeql(command = 'codeql'): Promise<Tool | undefined> {
  const answer = await runProcess(command, ['version', '--format=json']);
  if (answer?.status !== 0) return undefined;
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(answer.stdout));
  return { command, version };
}

/**
 * CodeQL's command line, for C, C++ and Python. It runs outside of the sandbox: it executes nothing of what it reads, but `make` gives the
 * sources to a compiler. Undefined where it is not on PATH.
 */
export async function openCodeql(options: CodeqlOptions = {}): Promise<Analyser | undefined> {
  const tool = await findCodeql(options.command);
  if (tool === undefined) return undefined;
  const buildMode = options.buildMode ?? (atLeast(tool.version, [2, 23, 3]) ? 'none' : 'make');
  const queries = options.queries?.join(' ') ?? 'security-extended';
  return {
    name: 'codeql',
    id: `codeql ${tool.version} ${buildMode} ${createHash('sha256').update(queries).digest('hex').slice(0, 8)} rules ${rulesVersion}`,
    languages: ['c', 'cpp', 'python'],
    async analyze(sources, { signal } = {}) {
      const analyses: Analysis[] = new Array(sources.length);
      const entries = [...sources.map(neutralSource).entries()];
      for (const python of [false, true]) {
        const some = entries.filter(([, { language }]) => (language === 'python') === python);
        for (const group of inGroups(some, Math.ceil(some.length / (options.batchSize ?? 1000)))) {
          const done = await database(
            tool.command,
            group.map(([, source]) => source),
            python,
            { ...options, buildMode },
            signal,
          );
          for (const [i, [index]] of group.entries()) analyses[index] = done[i] as Analysis;
        }
      }
      return analyses;
    },
  };
}

function atLeast(version: string, least: readonly [number, number, number]): boolean {
  const numbers = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [i, number] of least.entries()) {
    if (numbers[i] !== number) return (numbers[i] ?? 0) > number;
  }
  return true;
}

async function database(
  command: string,
  sources: readonly SourceCode[],
  python: boolean,
  { queries, buildMode, threads = 0, ramMiB = 4096 }: CodeqlOptions,
  signal: AbortSignal | undefined,
): Promise<Analysis[]> {
  const folder = mkdtempSync(join(tmpdir(), 'srcode-codeql-'));
  try {
    const [root, db, out] = ['src', 'db', 'out.sarif'].map((name) => join(folder, name)) as [string, string, string];
    const files = await writeSources(root, sources);
    const language = python ? 'python' : 'c-cpp';
    const build = python
      ? []
      : buildMode === 'none'
        ? ['--build-mode=none']
        : ['--command=make --ignore-errors --jobs'];
    const resources = [`--threads=${threads}`, `--ram=${ramMiB}`];
    const codeql = async (...args: string[]): Promise<ProcessResult> => {
      const result = await runProcess(command, args, { signal });
      if (result === undefined) throw new SrcodeError('ERR_ANALYSER', `${command} is not on PATH any more`);
      return result;
    };
    const created = await codeql(
      'database',
      'create',
      db,
      `--language=${language}`,
      `--source-root=${root}`,
      ...build,
      ...resources,
      '--overwrite',
    );
    if (created.status !== 0) {
      // So it says when not one source could be extracted, which is the sources' fault.
      if (!/could not process any of it|no source code/i.test(created.stderr)) throw failed('database create', created);
      return sources.map(() => ({ findings: [], failure: 'CodeQL could not extract it' }));
    }
    const suite = python
      ? 'codeql/python-queries:codeql-suites/python-security-extended.qls'
      : 'codeql/cpp-queries:codeql-suites/cpp-security-extended.qls';
    const analyzed = await codeql(
      'database',
      'analyze',
      db,
      ...(queries ?? [suite]),
      '--format=sarif-latest',
      `--output=${out}`,
      ...resources,
    );
    if (analyzed.status !== 0 || !existsSync(out)) throw failed('database analyze', analyzed);
    const log = readSarif(readFileSync(out, 'utf8'), 'the output of codeql');
    const extracted = new Set([...extractedFiles(db), ...log.files.map((file) => basename(file))]);
    return sources.map(({ code }, i) => {
      const { name, header } = files[i] as SourceFile;
      // A source that does not parse at all vanishes silently.
      if (!extracted.has(name)) return { findings: [], failure: 'CodeQL could not extract it' };
      const own = log.results
        .filter(({ file }) => basename(file) === name)
        .map((result) => ({ ...result, region: moved(result.region, header) }));
      return { findings: distinct(findingsOf(own, code, 'codeql'), code), failure: undefined };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface SourceFile {
  name: string;
  /** Lines before the source's own. */
  header: number;
}

/** Functions of one name in two files would be one function to CodeQL: each source's own are renamed. */
async function writeSources(root: string, sources: readonly SourceCode[]): Promise<SourceFile[]> {
  mkdirSync(root);
  const files: SourceFile[] = [];
  for (const [i, { code, language }] of sources.entries()) {
    const name = unguessable(`s${String(i).padStart(6, '0')}`, { c: 'c', cpp: 'cpp', python: 'py' }[language]);
    const own = language === 'c' ? await definedFunctions(code) : [];
    const header = own.map((defined) => `#define ${defined} ${defined}_s${i}\n`).join('');
    writeFileSync(join(root, name), Buffer.concat([Buffer.from(header), code]));
    files.push({ name, header: own.length });
  }
  const objects = files.filter(({ name }) => !name.endsWith('.py')).map(({ name }) => `${name}.o`);
  const rules = ['%.c.o: %.c\n\tgcc -w -c $< -o /dev/null', '%.cpp.o: %.cpp\n\tg++ -w -c $< -o /dev/null'];
  if (objects.length > 0) writeFileSync(join(root, 'Makefile'), [`all: ${objects.join(' ')}`, ...rules, ''].join('\n'));
  return files;
}

function moved<T extends { startLine: number; endLine?: number | undefined }>(region: T, header: number): T {
  return {
    ...region,
    startLine: Math.max(1, region.startLine - header),
    endLine: region.endLine === undefined ? undefined : Math.max(1, region.endLine - header),
  };
}

/** The names, without folders, of the files in a database's archive of what it extracted. */
function extractedFiles(db: string): string[] {
  const archive = join(db, 'src.zip');
  return existsSync(archive) ? zipNames(readFileSync(archive)).map((name) => basename(name)) : [];
}

/** The names in a ZIP archive's central directory (APPNOTE 4.3.12), without ZIP64. @internal */
export function zipNames(zip: Buffer): string[] {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0) return [];
  const names: string[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    names.push(zip.toString('utf8', at + 46, at + 46 + name));
    at += 46 + name + extra + comment;
  }
  return names;
}

function failed(what: string, { status, stderr }: ProcessResult): SrcodeError {
  const words = stderr.trim().split('\n').slice(-3).join('\n');
  return new SrcodeError('ERR_ANALYSER', `codeql ${what} failed (status ${status}): ${words}`);
}
