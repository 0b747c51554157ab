import { z } from 'zod';
import type { Sandbox } from '../../sandbox/index.js';
import { CompilerAnalyser, type Diagnostic, type Pass, type Reading, withoutGuess } from './compiler.js';
import { readSarif } from './sarif.js';
import { findTool, type Tool, toolFailed, toolLimits } from './tools.js';
import { candidateNamed, isForeign, type Unit } from './units.js';

/** Changes whenever a finding may change. */
const rulesVersion = 3;

/**
 * gcc: its warnings, -fanalyzer, and -fanalyzer's taint checker. C only, since it does not know C++ well enough. Undefined where it is not;
 * `command` names one of several.
 *
 * @throws ERR_ANALYSER when it lacks the headers of C's library, or does not say which warnings it has.
 */
export async function openGcc(
  sandbox: Sandbox,
  { batchSize = 32, command }: { batchSize?: number; command?: string } = {},
): Promise<CompilerAnalyser | undefined> {
  const tool = await findGcc(sandbox, command);
  if (tool === undefined) return undefined;
  const { flags, lacks } = gccWarnings(await warningsHelp(sandbox, tool.command));
  return CompilerAnalyser.open(sandbox, {
    batchSize,
    name: 'gcc',
    id: `gcc ${tool.version} rules ${rulesVersion}`,
    languages: ['c'],
    lacks,
    passes: gccPasses(tool, flags),
    forgivesMain: true,
  });
}

/** From 10 on gcc has -fanalyzer. */
export async function findGcc(sandbox: Sandbox, command?: string): Promise<Tool | undefined> {
  const newestFirst = [15, 14, 13, 12, 11, 10].map((version) => `gcc-${version}`);
  const tool = await findTool(sandbox, command === undefined ? ['gcc', ...newestFirst] : [command]);
  return tool !== undefined && Number.parseInt(tool.version, 10) >= 10 ? tool : undefined;
}

async function warningsHelp(sandbox: Sandbox, command: string): Promise<string> {
  const result = await sandbox.run({ argv: [command, '--help=warnings'], profile: 'compiler', limits: toolLimits });
  if (result.status !== 0) throw toolFailed('gcc', result);
  return result.stdout.toString('utf8');
}

/**
 * What of its warnings a version of gcc has, by its `--help=warnings`: that one it does not know is to be no error is an error to it.
 *
 * @internal
 */
export function gccWarnings(help: string): { flags: string[]; lacks: string[] } {
  const known = new Set([...help.matchAll(/^ {2}-W([\w-]+)/gm)].map(([, name]) => name));
  return {
    flags: noErrors.filter((name) => known.has(name)).map((name) => `-Wno-error=${name}`),
    lacks: capabilities.filter((name) => !known.has(name)).map((name) => `-W${name}`),
  };
}

// What newer compilers refuse, older ones warn of: the same for all.
const noErrors = [
  ...['implicit-function-declaration', 'int-conversion', 'incompatible-pointer-types', 'implicit-int'],
  ...['return-mismatch', 'declaration-missing-parameter-type'],
];

// Those that stand for what came with 11, 12 (an attacker's parameters are marked from then on) and, by its documentation, 13.
const capabilities = [
  ...['stringop-overread', 'mismatched-dealloc'],
  ...['use-after-free', 'dangling-pointer', 'analyzer-use-of-uninitialized-value', 'analyzer-tainted-allocation-size'],
  ...['analyzer-out-of-bounds', 'analyzer-allocation-size', 'analyzer-fd-use-after-close'],
];

function gccPasses({ command, version }: Tool, noErrorFlags: readonly string[]): Pass[] {
  // JSON is what gcc had first, and has no more from 15 on.
  const sarif = Number.parseInt(version, 10) >= 13;
  const pass = (tainted: boolean, level: string, flags: readonly string[]): Pass => ({
    tainted,
    preprocess: [command, '-std=gnu17', level, '-E', '-dD', '-x', 'c', '-'],
    command: () =>
      [
        ...[command, ...common, ...noErrorFlags, `-fdiagnostics-format=${sarif ? 'sarif-stderr' : 'json'}`],
        ...[level, ...flags, '"$unit" 2>"$said"'],
      ].join(' '),
    read: sarif ? readGccSarif : readGccJson,
  });
  return [
    // The optimiser's warnings need the optimiser. Formats that are no literals are left out: four of five such warnings are about secure code.
    pass(false, '-O2', ['-Wall', '-Wno-format-security', tooComplex]),
    // It runs alone, and knows few sources of taint but parameters that are marked.
    pass(true, '-O0', ['-fanalyzer-checker=taint', tooComplex]),
  ];
}

// gcc says it of single places, too, where it goes no deeper: there it is the same whatever else is in the unit.
const tooComplex = '-Wanalyzer-too-complex';
const gaveUp = (message: string): boolean => message.includes('bailed out');

// All warnings are given before code is made of RTL (-dx), which takes as long as they do.
const common = [
  ...['-std=gnu17', '-fanalyzer', '-dx', '-S', '-o', '/dev/null'],
  ...['-ftrack-macro-expansion=0', '-fno-diagnostics-show-caret'],
  // Of functions that are the same, it would warn of one alone: two candidates may have the same.
  '-fno-ipa-icf',
  // What newer compilers refuse, older ones warn of: the same for all.
  ...['implicit-function-declaration', 'int-conversion', 'incompatible-pointer-types', 'implicit-int'].map(
    (name) => `-Wno-error=${name}`,
  ),
];

/** Warnings outside of -fanalyzer, which names weaknesses itself. */
const weaknesses: Readonly<Record<string, Diagnostic['cwe']>> = {
  '-Warray-bounds': 'CWE-119',
  '-Wstringop-overflow': 'CWE-787',
  '-Wstringop-overread': 'CWE-125',
  '-Wformat-overflow': 'CWE-120',
  '-Wstringop-truncation': 'CWE-170',
  '-Wsizeof-pointer-memaccess': 'CWE-467',
  '-Wuse-after-free': (text) => (/^free\s*\(/.test(text) ? 'CWE-415' : 'CWE-416'),
  '-Wfree-nonheap-object': 'CWE-590',
  '-Wmismatched-dealloc': 'CWE-762',
  '-Wreturn-local-addr': 'CWE-562',
  '-Wdangling-pointer': 'CWE-825',
  '-Wuninitialized': 'CWE-457',
  '-Wmaybe-uninitialized': 'CWE-457',
  '-Wdiv-by-zero': 'CWE-369',
  '-Waggressive-loop-optimizations': 'CWE-119',
  '-Walloc-size-larger-than': 'CWE-789',
};

function weaknessOf(option: string, message: string): Diagnostic['cwe'] {
  // `-Wstringop-overflow=` has a level behind the sign.
  const cwe = weaknesses[option.replace(/=.*$/, '')];
  // strncat always ends what it writes.
  return cwe === 'CWE-170' && message.startsWith("'strncat'") ? undefined : cwe;
}

// Until 10, `column` was all there was, and counted bytes.
const place = z
  .object({ line: z.int(), column: z.int(), 'byte-column': z.int().optional(), file: z.string() })
  .transform(({ line, column, file, 'byte-column': byteColumn = column }) => ({ line, column: byteColumn, file }));
const diagnosticSchema = z.object({
  kind: z.string(),
  message: z.string(),
  option: z.string().default(''),
  locations: z.array(z.object({ caret: place, start: place.optional(), finish: place.optional() })),
  metadata: z.object({ cwe: z.int().optional() }).optional(),
});
// Notes stand below what they explain; so may errors that follow at once.
const diagnosticsSchema = z.array(diagnosticSchema.extend({ children: z.array(diagnosticSchema).default([]) }));

/** Reads -fdiagnostics-format=json. @internal */
export function readGccJson(said: string, unit: Unit): Reading | undefined {
  const read = diagnosticsSchema.safeParse(parsed(jsonLine(said)));
  if (!read.success) return undefined;
  const reading: Reading = { diagnostics: [], errors: [], incomplete: false };
  for (const { kind, message, option, locations, metadata } of read.data.flatMap((one) => [one, ...one.children])) {
    const at = locations[0];
    const candidate = at && candidateNamed(unit, at.caret.file);
    if (option === tooComplex) reading.incomplete ||= gaveUp(message);
    else if (/error|sorry/.test(kind))
      reading.errors.push({ candidate, message: errorMessage(at?.caret.line, message) });
    else if (at !== undefined && candidate !== undefined && kind === 'warning') {
      const { caret, start = caret, finish } = at;
      const region = {
        startLine: start.line,
        startColumn: start.column,
        ...(finish === undefined ? {} : { endLine: finish.line, endColumn: finish.column + 1 }),
      };
      const cwe: Diagnostic['cwe'] = metadata?.cwe === undefined ? weaknessOf(option, message) : `CWE-${metadata.cwe}`;
      reading.diagnostics.push({ candidate, region, unit: 'bytes', rule: `gcc/${option}`, cwe, message });
    } else if (at !== undefined && candidate === undefined && !isForeign(at.caret.file)) reading.errors.push(lost);
  }
  return reading;
}

/** Reads -fdiagnostics-format=sarif-stderr. @internal */
export function readGccSarif(said: string, unit: Unit): Reading | undefined {
  const json = jsonLine(said);
  if (parsed(json) === undefined) return undefined;
  const reading: Reading = { diagnostics: [], errors: [], incomplete: false };
  for (const { file, rule, region, unit: columns, cwes, message } of readSarif(json, 'the output of gcc').results) {
    const candidate = candidateNamed(unit, file);
    if (rule === tooComplex) reading.incomplete ||= gaveUp(message);
    else if (/^(?:fatal )?error$/.test(rule))
      reading.errors.push({ candidate, message: errorMessage(region.startLine, message) });
    else if (candidate !== undefined) {
      const diagnostic: Diagnostic = {
        ...{ candidate, region, unit: columns, rule: `gcc/${rule}`, message },
        cwe: cwes[0] ?? weaknessOf(rule, message),
      };
      reading.diagnostics.push(diagnostic);
    } else if (!isForeign(file)) reading.errors.push(lost);
  }
  return reading;
}

// Nobody gave such a file: what is said of it may be about anyone.
const lost: Reading['errors'][number] = { candidate: undefined, message: 'it gave itself another name' };

const errorMessage = (line: number | undefined, message: string): string =>
  `${line === undefined ? '' : `line ${line}: `}${withoutGuess(message)}`;

// One line; `compilation terminated.` may follow, and a compiler that breaks down adds words of its own or ends in the middle.
function jsonLine(said: string): string {
  return said.split('\n').find((line) => /^[[{]/.test(line)) ?? '';
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
