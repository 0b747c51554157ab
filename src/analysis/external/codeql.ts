import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { SrcodeError } from '../../errors.js';
import { locate, quoted, type Sandbox, type SandboxLimits } from '../../sandbox/index.js';
import type { Analyser, Analysis, SourceCode } from '../analyser.js';
import { distinct, inGroups } from './groups.js';
import { neutralSource } from './neutral.js';
import { findingsOf, readSarif } from './sarif.js';
import { type Tool, toolFailed, unguessable } from './tools.js';
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

/** A command line, with the folders that it needs inside. */
export interface Codeql extends Tool {
  folders: Readonly<Record<string, string>>;
}

/** `codeql` on the caller's PATH, if it answers in the sandbox. Its licence is its user's affair: we neither ship nor fetch it. */
export async function findCodeql(sandbox: Sandbox, command = 'codeql'): Promise<Codeql | undefined> {
  const found = isAbsolute(command) ? command : locate(command);
  if (found === undefined || !existsSync(found)) return undefined;
  const path = realpathSync(found);
  const folder = dirname(path);
  // All of a distribution lies beside its command; one in a home or at the root has no distribution, and takes nothing else along.
  const needed = [homedir(), '/'].includes(folder) ? path : folder;
  const folders = { ...outsideUsr([needed]), ...packs() };
  const argv = [path, 'version', '--format=json'];
  const answer = await sandbox.run({ argv, folders, profile: 'analyser', limits: limitsOf({}) });
  if (answer.status !== 0) return undefined;
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(answer.stdout.toString('utf8')));
  return { command: path, version, folders };
}

/** Packs that were downloaded before: inside there is no network. Those that only root can read are no use to the user of the sandbox. */
function packs(): Record<string, string> {
  const folder = join(homedir(), '.codeql', 'packages');
  const open = (path: string): boolean =>
    (process.getuid?.() !== 0 || (statSync(path).mode & 0o005) === 0o005) && (path === '/' || open(dirname(path)));
  try {
    accessSync(folder, constants.R_OK);
    return open(folder) ? { '.codeql/packages': folder } : {};
  } catch {
    return {};
  }
}

const outsideUsr = (paths: readonly string[]): Record<string, string> =>
  Object.fromEntries(paths.filter((path) => !path.startsWith('/usr/')).map((path) => [path, path]));

/**
 * CodeQL's command line, for C, C++ and Python, with the compiler that `make` calls, in the sandbox. Undefined where it is not on PATH.
 */
export async function openCodeql(sandbox: Sandbox, options: CodeqlOptions = {}): Promise<Analyser | undefined> {
  const tool = await findCodeql(sandbox, options.command);
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
            sandbox,
            tool,
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
  sandbox: Sandbox,
  { command, folders }: Codeql,
  sources: readonly SourceCode[],
  python: boolean,
  options: CodeqlOptions,
  signal: AbortSignal | undefined,
): Promise<Analysis[]> {
  const { buildMode, threads = 0, ramMiB = defaultRamMiB } = options;
  const files = await sourceFiles(sources);
  const resources = [`--threads=${threads}`, `--ram=${ramMiB}`];
  const language = python ? 'python' : 'c-cpp';
  const build = python ? [] : buildMode === 'none' ? ['--build-mode=none'] : ['--command=make --ignore-errors --jobs'];
  const suite = python
    ? 'codeql/python-queries:codeql-suites/python-security-extended.qls'
    : 'codeql/cpp-queries:codeql-suites/cpp-security-extended.qls';
  const queries = (options.queries ?? [suite]).map((query) => (existsSync(query) ? resolve(query) : query));
  const create = [`--language=${language}`, '--source-root=src', ...build, ...resources, '--overwrite'];
  const analyze = [...queries, '--format=sarif-latest', '--output=out.sarif', ...resources];
  const result = await sandbox.run({
    argv: ['sh', 'run.sh'],
    files: { 'run.sh': Buffer.from(script(command, create, analyze, files)) },
    stdin: Buffer.concat(files.map(({ text }) => text)),
    folders: { ...folders, ...outsideUsr(queries.filter((query) => isAbsolute(query)).map(packOf)) },
    profile: 'analyser',
    limits: limitsOf(options),
    signal,
  });
  const said = saidOf(result.channel);
  const created = said.get('database create');
  // So it says when not one source could be extracted, which is the sources' fault.
  if (created && created.status !== 0 && /could not process any of it|no source code/i.test(`${created.bytes}`)) {
    return sources.map(() => ({ findings: [], failure: 'CodeQL could not extract it' }));
  }
  for (const [what, { status, bytes }] of said) {
    if (status !== 0) throw failed(what, status, bytes);
  }
  const sarif = said.get('sarif');
  if (sarif === undefined) throw toolFailed('codeql', result);
  const log = readSarif(sarif.bytes.toString('utf8'), 'the output of codeql');
  const archived = zipNames(said.get('archive')?.bytes ?? Buffer.alloc(0));
  const extracted = new Set([...archived, ...log.files].map((file) => basename(file)));
  return sources.map(({ code }, i) => {
    const { name, header } = files[i] as SourceFile;
    // A source that does not parse at all vanishes silently.
    if (!extracted.has(name)) return { findings: [], failure: 'CodeQL could not extract it' };
    const own = log.results
      .filter(({ file }) => basename(file) === name)
      .map((result) => ({ ...result, region: moved(result.region, header) }));
    return { findings: distinct(findingsOf(own, code, 'codeql'), code), failure: undefined };
  });
}

/**
 * A shell script that takes the sources from its standard input, makes and asks the database, and says how it went: for each step a line
 * `STATUS LENGTH NAME`, then so many bytes.
 */
function script(
  command: string,
  create: readonly string[],
  analyze: readonly string[],
  files: readonly SourceFile[],
): string {
  const codeql = (...args: readonly string[]): string => [command, 'database', ...args].map(quoted).join(' ');
  const step = (name: string, line: string): string =>
    `${line} >/dev/null 2>said; status=$?; say $status 'database ${name}' said; [ $status = 0 ] || exit 0`;
  return [
    'say() { echo "$1 $(wc -c <"$3") $2" >&3; cat "$3" >&3; }',
    'mkdir "$TMPDIR/codeql" && cd "$TMPDIR/codeql" && mkdir src || exit',
    ...files.map(({ name, text }) => `head -c ${text.length} >src/${name}`),
    // With its own input at an end, a tool that asks something gets no answer.
    'exec </dev/null',
    ...makefile(files),
    step('create', codeql('create', 'db', ...create)),
    step('analyze', codeql('analyze', 'db', ...analyze)),
    'say 0 sarif out.sarif; [ ! -f db/src.zip ] || say 0 archive db/src.zip',
    '',
  ].join('\n');
}

function makefile(files: readonly SourceFile[]): string[] {
  const objects = files.filter(({ name }) => !name.endsWith('.py')).map(({ name }) => `${name}.o`);
  if (objects.length === 0) return [];
  const rules = ['%.c.o: %.c\n\tgcc -w -c $< -o /dev/null', '%.cpp.o: %.cpp\n\tg++ -w -c $< -o /dev/null'];
  return ["cat >src/Makefile <<'END'", `all: ${objects.join(' ')}`, ...rules, 'END'];
}

function saidOf(channel: Buffer): Map<string, { status: number; bytes: Buffer }> {
  const said = new Map<string, { status: number; bytes: Buffer }>();
  for (let at = 0; ; ) {
    const header = /^(\d+) +(\d+) ([^\n]+)\n/.exec(channel.subarray(at, at + 80).toString('latin1'));
    if (header === null) return said;
    const [line, status, length, name] = header as unknown as [string, string, string, string];
    const bytes = channel.subarray(at + line.length, at + line.length + Number(length));
    if (bytes.length < Number(length)) return said;
    said.set(name, { status: Number(status), bytes });
    at += line.length + bytes.length;
  }
}

/** What a query of our user's needs: its pack, else the folder that it lies in. */
function packOf(query: string): string {
  const isPack = (folder: string): boolean =>
    ['qlpack.yml', 'codeql-pack.yml'].some((name) => existsSync(join(folder, name)));
  const start = statSync(query).isDirectory() ? query : dirname(query);
  for (let folder = start; folder !== '/'; folder = dirname(folder)) if (isPack(folder)) return folder;
  return start;
}

const defaultRamMiB = 4096;

// A database of a thousand sources takes minutes; it lies in the sandbox's /tmp, which is memory.
const limitsOf = ({ ramMiB = defaultRamMiB }: CodeqlOptions): SandboxLimits => ({
  cpuSeconds: 24 * 3600,
  wallSeconds: 6 * 3600,
  totalMiB: 2 * ramMiB + databaseMiB,
  // Threads count, too.
  processes: 2048,
  fileMiB: databaseMiB,
  outputBytes: 2 ** 29,
});
const databaseMiB = 8192;

interface SourceFile {
  name: string;
  text: Buffer;
  /** Lines before the source's own. */
  header: number;
}

/** Functions of one name in two files would be one function to CodeQL: each source's own are renamed. */
async function sourceFiles(sources: readonly SourceCode[]): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const [i, { code, language }] of sources.entries()) {
    const name = unguessable(`s${String(i).padStart(6, '0')}`, { c: 'c', cpp: 'cpp', python: 'py' }[language]);
    const own = language === 'c' ? await definedFunctions(code) : [];
    const header = own.map((defined) => `#define ${defined} ${defined}_s${i}\n`).join('');
    files.push({ name, text: Buffer.concat([Buffer.from(header), code]), header: own.length });
  }
  return files;
}

function moved<T extends { startLine: number; endLine?: number | undefined }>(region: T, header: number): T {
  return {
    ...region,
    startLine: Math.max(1, region.startLine - header),
    endLine: region.endLine === undefined ? undefined : Math.max(1, region.endLine - header),
  };
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

function failed(what: string, status: number, said: Buffer): SrcodeError {
  const words = said.toString('utf8').trim().split('\n').slice(-3).join('\n');
  return new SrcodeError('ERR_ANALYSER', `codeql ${what} failed (status ${status}): ${words}`);
}
