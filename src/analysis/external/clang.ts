import type { Sandbox } from '../../sandbox/index.js';
import type { Cwe } from '../../teacher/teacher.js';
import { CompilerAnalyser, type Reading, withoutGuess } from './compiler.js';
import { readSarif } from './sarif.js';
import { findTool, type Tool, toolFailed, toolLimits } from './tools.js';
import { candidateAt, type Unit } from './units.js';

/** Changes whenever a finding may change. */
const rulesVersion = 3;

/**
 * clang's static analyser, for C and C++. Undefined where it is not; `command` names one of several.
 *
 * @throws ERR_ANALYSER when it lacks the headers of C's library, or does not say which checkers it has.
 */
export async function openClang(
  sandbox: Sandbox,
  { batchSize = 64, command: wanted }: { batchSize?: number; command?: string } = {},
): Promise<CompilerAnalyser | undefined> {
  const tool = await findClang(sandbox, wanted);
  if (tool === undefined) return undefined;
  const { command, version } = tool;
  const { flags, lacks } = clangCheckers(await checkerHelp(sandbox, command));
  return CompilerAnalyser.open(sandbox, {
    batchSize,
    name: 'clang',
    id: `clang ${version} rules ${rulesVersion}`,
    languages: ['c', 'cpp'],
    lacks,
    passes: [
      {
        tainted: false,
        preprocess: [command, '-std=gnu17', '-D__clang_analyzer__=1', '-E', '-dD', '-x', 'c', '-'],
        command: (extension) =>
          [
            ...[command, ...common, ...flags, extension === 'c' ? '-std=gnu17' : '-std=gnu++20'],
            ...['-o', '"$said"', '"$unit"', '2>"$TMPDIR/errors" || { cat "$TMPDIR/errors" >"$said"; false; }'],
          ].join(' '),
        read: readClang,
      },
    ],
  });
}

export function findClang(sandbox: Sandbox, command?: string): Promise<Tool | undefined> {
  const newestFirst = [22, 21, 20, 19, 18, 17, 16, 15, 14, 13].map((version) => `clang-${version}`);
  return findTool(sandbox, command === undefined ? ['clang', ...newestFirst] : [command]);
}

const common = [
  ...['--analyze', '-Xclang', '-analyzer-output=sarif'],
  ...['-ferror-limit=0', '-fno-caret-diagnostics', '-fno-color-diagnostics'],
  ...['implicit-function-declaration', 'int-conversion', 'incompatible-function-pointer-types', 'implicit-int'].map(
    (name) => `-Wno-error=${name}`,
  ),
  '-Wno-error=return-mismatch -Wno-unknown-warning-option',
];

const wantedPackages = ['core', 'unix', 'security', 'alpha.security', 'alpha.unix.cstring', 'optin.taint'];
// These find fault with every call of a function, however it is called.
const unwanted = ['DeprecatedOrUnsafeBufferHandling', 'strcpy', 'rand', 'bcmp', 'bcopy', 'bzero'].map(
  (name) => `security.insecureAPI.${name}`,
);
/** What the adapter finds with the newest clang that it was run with; behind `|`, what did it in older or newer ones. */
const capabilities = [
  ...['core.NullDereference', 'core.DivideZero', 'core.BitwiseShift', 'unix.Malloc'],
  ...['unix.Stream', 'unix.StdCLibraryFunctions'],
  'security.PutenvStackArray|alpha.security.cert.pos.34c',
  'security.ArrayBound|alpha.security.ArrayBoundV2',
  'optin.taint.GenericTaint|alpha.security.taint.GenericTaint|alpha.security.taint.TaintPropagation',
  ...['optin.taint.TaintedAlloc', 'alpha.unix.cstring.OutOfBounds', 'alpha.unix.cstring.UninitializedRead'],
];

/** What clang says of its checkers: those for everyone, and those that are called alpha. */
async function checkerHelp(sandbox: Sandbox, command: string): Promise<string> {
  const argv = [command, '-cc1', '-analyzer-checker-help', '-analyzer-checker-help-alpha'];
  const result = await sandbox.run({ argv, profile: 'compiler', limits: toolLimits });
  if (result.status !== 0) throw toolFailed('clang', result);
  return result.stdout.toString('utf8');
}

/**
 * Chooses among the checkers that a version of clang has, by its `-analyzer-checker-help`: one that it does not know is an error to it.
 * `lacks` are those that it has under no name.
 *
 * @internal
 */
export function clangCheckers(help: string): { flags: string[]; lacks: string[] } {
  const known = [...help.matchAll(/^ {2}([a-z]+(?:\.\w+)+)/gm)].map(([, name = '']) => name);
  const has = (name: string): boolean => known.some((checker) => checker === name || checker.startsWith(`${name}.`));
  const flag = (name: string, option: string): string[] => ['-Xclang', `-analyzer-${option}=${name}`];
  return {
    flags: [
      ...wantedPackages.filter(has).flatMap((name) => flag(name, 'checker')),
      ...unwanted.filter(has).flatMap((name) => flag(name, 'disable-checker')),
    ],
    lacks: capabilities
      .map((names) => names.split('|'))
      .filter((names) => !names.some(has))
      .map(([newest = '']) => newest),
  };
}

type Rule = Cwe | ((message: string, text: string) => Cwe | undefined);

// The first entry whose name is the checker's, or a package of it, says the weakness. Checkers of style have none.
const weaknesses: readonly (readonly [string, Rule])[] = [
  ['core.NullDereference', 'CWE-476'],
  ['core.NonNullParamChecker', 'CWE-476'],
  ['core.NullPointerArithm', 'CWE-476'],
  ['core.DivideZero', 'CWE-369'],
  ['core.CallAndMessage', (message) => (/null/i.test(message) ? 'CWE-476' : uninitialized(message))],
  ['core.UndefinedBinaryOperatorResult', uninitialized],
  ['core.uninitialized', uninitialized],
  ['core.StackAddressEscape', 'CWE-562'],
  ['core.VLASize', 'CWE-789'],
  ['core.BitwiseShift', 'CWE-1335'],
  ['unix.Malloc', heap],
  ['unix.MallocSizeof', 'CWE-131'],
  ['unix.MismatchedDeallocator', 'CWE-762'],
  ['unix.cstring.NullArg', 'CWE-476'],
  ['unix.cstring.BadSizeArg', 'CWE-787'],
  ['unix.StdCLibraryFunctions', (message) => (/NULL/.test(message) ? 'CWE-476' : undefined)],
  [
    'unix.Stream',
    (message) => (/never closed|leak/i.test(message) ? 'CWE-775' : /NULL/.test(message) ? 'CWE-476' : 'CWE-910'),
  ],
  ['security.insecureAPI.gets', 'CWE-242'],
  ['security.insecureAPI.mktemp', 'CWE-377'],
  ['security.insecureAPI.mkstemp', 'CWE-377'],
  ['security.insecureAPI.getpw', 'CWE-242'],
  ['security.insecureAPI.UncheckedReturn', 'CWE-252'],
  ['security.PutenvStackArray', 'CWE-562'],
  ['alpha.security.cert.pos.34c', 'CWE-562'],
  ['security.ArrayBound', bounds],
  ['alpha.security.ArrayBound', bounds],
  ['alpha.security.ArrayBoundV2', bounds],
  ['alpha.security.ReturnPtrRange', 'CWE-466'],
  ['alpha.security.taint', tainted],
  ['optin.taint.GenericTaint', tainted],
  ['optin.taint.TaintedAlloc', 'CWE-789'],
  ['optin.taint.TaintedDiv', 'CWE-369'],
  ['alpha.unix.cstring.OutOfBounds', (message) => (/overflows/.test(message) ? 'CWE-787' : 'CWE-125')],
  ['alpha.unix.cstring.NotNullTerminated', 'CWE-170'],
  ['alpha.unix.cstring.UninitializedRead', 'CWE-457'],
];

function uninitialized(message: string): Cwe | undefined {
  return /uninitialized|undefined|garbage/i.test(message) ? 'CWE-457' : undefined;
}

function heap(message: string): Cwe | undefined {
  if (/leak/i.test(message)) return 'CWE-401';
  if (/free released memory|double free|free.*already been freed/i.test(message)) return 'CWE-415';
  if (/after it is (?:freed|released)|freed memory/i.test(message)) return 'CWE-416';
  return /free|release|dealloc/i.test(message) ? 'CWE-590' : undefined;
}

// It takes all that is computed from input for input: also a place in a text, and what <ctype.h> makes of a character.
function wildIndex(text: string): boolean {
  return /^(?:[\w.\s]|->)*\[/.test(text) && !/^[^[]*\[\s*str(?:n?len|c?spn)\s*\(/.test(text);
}

// It does not say whether it is read or written there; what follows in the source does.
function bounds(message: string, text: string): Cwe | undefined {
  if (/tainted/.test(message)) return wildIndex(text) ? 'CWE-129' : undefined;
  const written = /^(?:[\w.\s[\]+*-]|->)*?(?:(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--)/.test(text);
  if (/preceding/.test(message)) return written ? 'CWE-124' : 'CWE-127';
  return written ? 'CWE-787' : 'CWE-125';
}

function tainted(message: string): Cwe | undefined {
  if (/system call/.test(message)) return 'CWE-78';
  if (/format string/.test(message)) return 'CWE-134';
  if (/buffer size/.test(message)) return 'CWE-120';
  return /index/.test(message) ? 'CWE-129' : 'CWE-20';
}

/** Reads -analyzer-output=sarif, which keeps to the lines of the unit, or the errors that left none. @internal */
export function readClang(said: string, unit: Unit): Reading | undefined {
  const reading: Reading = { diagnostics: [], errors: [] };
  if (!said.startsWith('{')) {
    for (const [, name, line, message = ''] of said.matchAll(/^source(\d+):(\d+):\d+: (?:fatal )?error: (.*)$/gm)) {
      const candidate = unit.parts.find(({ candidate: { index } }) => index === Number(name))?.candidate;
      reading.errors.push({ candidate, message: `line ${line}: ${withoutGuess(message.replace(/ \[-W.*\]$/, ''))}` });
    }
    // Without a place: of the options that it was given.
    for (const [, message = ''] of said.matchAll(/^error: (.*)$/gm))
      reading.errors.push({ candidate: undefined, message });
    return reading.errors.length > 0 || said === '' ? reading : undefined;
  }
  for (const { region, unit: columns, rule, message } of readSarif(said, 'the output of clang').results) {
    const at = candidateAt(unit, region.startLine);
    const known = weaknesses.find(([name]) => rule === name || rule.startsWith(`${name}.`))?.[1];
    if (at === undefined || known === undefined) continue;
    const moved = at.line - region.startLine;
    reading.diagnostics.push({
      candidate: at.candidate,
      region: { ...region, startLine: at.line, endLine: region.endLine && region.endLine + moved },
      unit: columns,
      rule: `clang/${rule}`,
      cwe: typeof known === 'string' ? known : (text) => known(message, text),
      message,
    });
  }
  return reading;
}
