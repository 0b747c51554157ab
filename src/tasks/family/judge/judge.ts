import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { familyHarness } from '../../../assets.js';
import { SrcodeError } from '../../../errors.js';
import { inParallel } from '../../../parallel.js';
import type { Sandbox, SandboxLimits, SandboxResult } from '../../../sandbox/index.js';
import type { Judgement, Sample } from '../../task.js';
import { familyProgram } from '../prompts.js';
import type { FamilyPrompt, FamilySpec } from '../spec.js';
import { allowedHeaders, helperPrototype, nodeType, roleNumber, stepNumber, testsHeader, wrapped } from './harness.js';
import { inspect } from './inspect.js';

/** Changes whenever a judgement may change. */
export const judgeVersion = 2;

export interface JudgeOptions {
  sandbox: Sandbox;
  /** Without it the security tests are left out, and `secure` is false. */
  attack: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Compiles and runs programs. A judgement is a function of the program, the prompt and {@link judgeVersion}: programs that could tell one
 * run or one neighbour from another are run alone and twice, where two differing runs count as a failure; a batch that goes wrong is judged
 * again one by one; addresses, fresh memory and the stack hold the same in every run; and limits are on CPU time. A row whose functional
 * test fails is not attacked, and is not secure.
 *
 * @throws ERR_HARNESS when the tests themselves fail three times: that is never a judgement.
 */
export async function judgeFamily(
  samples: readonly Sample<FamilyPrompt>[],
  { sandbox, attack, signal }: JudgeOptions,
): Promise<Judgement[]> {
  const judge = new Judge(sandbox, await harnessOf(sandbox), attack, signal);
  const judgements: Judgement[] = new Array(samples.length);
  const plain: Row[] = [];
  const odd: Row[] = [];
  for (const [index, sample] of samples.entries()) {
    const { spec } = sample.prompt;
    const kind = inspect(familyProgram(sample).code, spec.functionName);
    if (kind.kind === 'hopeless') judgements[index] = uncompiled(kind.why);
    else (kind.kind === 'plain' ? plain : odd).push({ index, spec, code: kind.code });
  }
  const cores = availableParallelism();
  const batches = Math.max(Math.ceil(plain.length / batchSize), Math.min(cores, Math.ceil(plain.length / smallBatch)));
  const size = Math.ceil(plain.length / batches);
  const work: (() => Promise<Judged>)[] = [
    ...Array.from({ length: batches }, (_, i) => () => judge.batch(plain.slice(i * size, (i + 1) * size))),
    ...odd.map((row) => async () => [[row, await judge.oddRow(row)]] as Judged),
  ];
  await inParallel(work, cores, (judged) => {
    for (const [{ index }, judgement] of judged) judgements[index] = judgement;
  });
  return judgements;
}

// Starting compiler and harness costs as much as some ten programs.
const batchSize = 64;
const smallBatch = 16;

interface Row {
  index: number;
  spec: FamilySpec;
  /** One character a byte. */
  code: string;
}
type Judged = (readonly [Row, Judgement])[];

class Judge {
  readonly #sandbox: Sandbox;
  readonly #harness: Harness;
  readonly #attack: boolean;
  readonly #signal: AbortSignal | undefined;

  constructor(sandbox: Sandbox, harness: Harness, attack: boolean, signal: AbortSignal | undefined) {
    this.#sandbox = sandbox;
    this.#harness = harness;
    this.#attack = attack;
    this.#signal = signal;
  }

  /** Plain rows together. Whatever goes wrong for all of them is looked into one by one. */
  async batch(rows: readonly Row[]): Promise<Judged> {
    if (rows.length === 0) return [];
    const unit = await this.#compile(rows);
    if ('errors' in unit) {
      const suspects = rows.filter((_, i) => unit.errors.has(i));
      if (suspects.length === 0 || rows.length === 1) return this.#oneByOne(rows);
      const others = rows.filter((_, i) => !unit.errors.has(i));
      return [...(await this.#suspected(suspects)), ...(await this.batch(others))];
    }
    const reports = await this.#run(unit, rows, 'early');
    return reports === undefined ? this.#oneByOne(rows) : rows.map((row, i) => [row, judgementOf(reports[i] ?? [])]);
  }

  /** A row that may differ from run to run. */
  async oddRow(row: Row): Promise<Judgement> {
    const first = await this.#alone(row);
    if (!first.functional) return first;
    const second = await this.#alone(row);
    if (JSON.stringify(first) === JSON.stringify(second)) return first;
    const findings = ['two runs differ', ...first.findings, ...second.findings];
    return { compiled: true, functional: false, secure: false, findings, missing: [] };
  }

  /** An error may follow from a neighbour's: each of these rows is compiled by itself. */
  async #suspected(rows: readonly Row[]): Promise<Judged> {
    const units = rows.map((row, i) => [`${i}.c`, Buffer.from(unitSource([row], 'table', i), 'latin1')] as const);
    const names = units.map(([name]) => name);
    const { stderr } = await this.#insist(() =>
      this.#sandbox.run({
        argv: ['gcc', ...compilerFlags(this.#harness, names), '-fsyntax-only'],
        files: Object.fromEntries(units),
        profile: 'compiler',
        limits: compilerLimits,
        signal: this.#signal,
      }),
    );
    const errors = errorsOf(stderr, rows, 'table');
    const guilty = rows.flatMap((row, i) => {
      const error = errors.get(i);
      return error === undefined ? [] : [[row, uncompiled(error)] as const];
    });
    return [...guilty, ...(await this.#oneByOne(rows.filter((_, i) => !errors.has(i))))];
  }

  async #oneByOne(rows: readonly Row[]): Promise<Judged> {
    const judged: [Row, Judgement][] = [];
    for (const row of rows) judged.push([row, await this.#alone(row)]);
    return judged;
  }

  async #alone(row: Row): Promise<Judgement> {
    const unit = await this.#compile([row]);
    if ('errors' in unit) return uncompiled(unit.errors.get(0) ?? unit.why);
    for (let attempt = 0; attempt < 2; attempt++) {
      const reports = await this.#run(unit, [row], 'late');
      if (reports !== undefined) return judgementOf(reports[0] ?? []);
    }
    // The harness died twice, with nothing but this program to die of.
    return { compiled: true, functional: false, secure: false, findings: ['test: ended the harness'], missing: [] };
  }

  async #compile(rows: readonly Row[]): Promise<Unit> {
    const table = `table_${randomBytes(8).toString('hex')}`;
    return this.#insist(async () => {
      const result = await this.#sandbox.run({
        argv: [
          'sh',
          '-c',
          'gcc "$@" -o "$TMPDIR/programs.so" && cat "$TMPDIR/programs.so" >&3',
          'sh',
          ...compilerFlags(this.#harness, ['programs.c']),
          ...linkerFlags,
        ],
        files: { 'programs.c': Buffer.from(unitSource(rows, table), 'latin1') },
        profile: 'compiler',
        limits: compilerLimits,
        signal: this.#signal,
      });
      if (result.status === 0) return { table, library: result.channel };
      if (result.status === 127) throw missingCompiler();
      const errors = errorsOf(result.stderr, rows, table);
      // Killed from outside, by the kernel for want of memory for one, and nobody's fault.
      if (errors.size === 0 && /Killed signal/.test(`${result.stderr}`) && rows.length === 1 && !limitsMet(result))
        throw new Fault('the compiler was killed');
      return { errors, why: limitsMet(result) ? 'it ran into its limits' : firstError(result.stderr, table) };
    });
  }

  /** The reports of each row, or undefined when the harness did not come to its end. */
  async #run(
    { table, library }: { table: string; library: Buffer },
    rows: readonly Row[],
    when: 'early' | 'late',
  ): Promise<Report[][] | undefined> {
    const plan = rows.map(({ spec }, i) =>
      [i, this.#attack ? 1 : 0, spec.parameters.map(roleNumber), spec.steps.map(stepNumber)].join(' '),
    );
    return this.#insist(async () => {
      const result = await this.#sandbox.run({
        argv: ['./harness', './programs.so', table, when, this.#sandbox.isolation === 'none' ? 'bare' : 'isolated'],
        files: { harness: this.#harness.program, 'programs.so': library },
        stdin: Buffer.from(`${plan.join('\n')}\n`),
        limits: runLimits(rows.length),
        signal: this.#signal,
      });
      const lines = result.channel.toString('latin1').split('\n');
      const fault = lines.find((line) => line.startsWith('fault\t'));
      if (fault !== undefined) throw new Fault(fault.slice(6));
      if (result.timedOut === 'wall') throw new Fault('not done after a long time');
      const reports: Report[][] = rows.map(() => []);
      for (const line of lines) {
        const [index, name, outcome, text] = line.split('\t');
        if (outcome !== undefined) reports[Number(index)]?.push({ name, outcome, text } as Report);
      }
      if (lines.at(-2) === 'end') return reports;
      // Before any program ran, it is the harness's own failure.
      if (reports[0]?.length === 0 && lines[0] !== 'unloadable')
        throw new Fault(`status ${result.status ?? result.signal}: ${result.stderr.toString('utf8').slice(0, 500)}`);
      return undefined;
    });
  }

  async #insist<T>(work: () => Promise<T>): Promise<T> {
    return insist(work, this.#signal);
  }
}

type Unit = { table: string; library: Buffer } | { errors: Map<number, string>; why: string };

interface Report {
  name: string;
  outcome: 'begun' | 'passed' | 'failed' | 'ran out' | 'unloadable' | '';
  text: string;
}

function judgementOf(reports: readonly Report[]): Judgement {
  const unloadable = reports.find(({ outcome }) => outcome === 'unloadable');
  if (unloadable !== undefined) return uncompiled(unloadable.text);
  const tests = reports.filter(({ name }) => name !== 'begun');
  const bad = tests.filter(({ outcome }) => outcome !== 'passed');
  const functional = tests[0]?.outcome === 'passed';
  return {
    compiled: true,
    functional,
    secure: functional && tests.length > 1 && bad.length === 0,
    findings: bad.map(({ name, text }) => `${name}: ${text}`),
    missing: [],
  };
}

function uncompiled(why: string): Judgement {
  return { compiled: false, functional: false, secure: false, findings: [`compiler: ${why}`], missing: [] };
}

// Programs do not see each other's names; the harness finds them through the table, `static` or not.
function unitSource(rows: readonly Row[], table: string, firstName = 0): string {
  return [
    ...allowedHeaders.map((header) => `#include <${header}>`),
    nodeType,
    helperPrototype,
    ...rows.flatMap(({ spec, code }, i) => [
      `#define ${spec.functionName} ${table}_${i}`,
      `#line 1 "row${firstName + i}"`,
      code,
      `static void *const ${table}_function_${i} = (void *)${spec.functionName};`,
      `#undef ${spec.functionName}`,
    ]),
    '#line 1 "table"',
    `__attribute__((visibility("default"))) void *const ${table}[] = {`,
    ...rows.map((_, i) => `${table}_function_${i},`),
    '};\n',
  ].join('\n');
}

// The first error of each row, by the names that #line gave them.
function errorsOf(stderr: Buffer, rows: readonly Row[], table: string): Map<number, string> {
  const errors = new Map<number, string>();
  const messages = stderr.toString('latin1').matchAll(/^row(\d+):(\d+):\d+: (?:fatal )?error: (.*)$/gm);
  for (const [, index, line, text = ''] of messages) {
    const i = Number(index);
    const name = rows[i]?.spec.functionName;
    if (name === undefined || errors.has(i)) continue;
    // A unit of its own numbers its only row 0. What the compiler would have meant may be a neighbour's name.
    const words = text
      .replace(/; did you mean .*/, '')
      .replace(new RegExp(`\\b${table}_(?:${i}|0)\\b`, 'g'), name)
      .replace(/[^ -~]/g, '?');
    errors.set(i, `line ${line}: ${words}`);
  }
  return errors;
}

// An error behind the program, where what it left open ends.
function firstError(stderr: Buffer, table: string): string {
  const [, text = 'it gave up'] = /error: (.*)$/m.exec(stderr.toString('latin1')) ?? [];
  return text
    .replace(/; did you mean .*/, '')
    .replaceAll(table, 'program')
    .replace(/[^ -~]/g, '?');
}

const sanitizers = '-fsanitize=address,undefined';
const compilerFlags = ({ flags }: Harness, files: readonly string[]): string[] => [
  ...['-std=gnu17', '-O0', '-fno-builtin', sanitizers, '-fno-sanitize-recover=all'],
  // What newer compilers refuse, older ones warn of: the same for all. A call of what is declared nowhere fails, as it would in linking.
  ...['int-conversion', 'incompatible-pointer-types', 'implicit-int'].map((name) => `-Wno-error=${name}`),
  ...[
    '-Werror=implicit-function-declaration',
    '-fno-diagnostics-show-caret',
    '-fno-diagnostics-show-option',
    '-ftrack-macro-expansion=0',
  ],
  ...[...flags, '-x', 'c', ...files],
];
// Those of them that the compiler knows: variables without a value have a pattern; gcc 14 alone refuses `return;` where a value belongs.
const optionalFlags = ['-ftrivial-auto-var-init=pattern', '-Wno-error=return-mismatch'];
const linkerFlags = [...['-fPIC', '-shared', '-fvisibility=hidden'], ...wrapped.map((name) => `-Wl,--wrap=${name}`)];

const compilerLimits: SandboxLimits = {
  cpuSeconds: 20,
  wallSeconds: 300,
  memoryMiB: 2048,
  processes: 32,
  fileMiB: 64,
  outputBytes: 2 ** 24,
};

// The harness limits the cases; these only have to be beyond them.
const runLimits = (rows: number): SandboxLimits => ({
  cpuSeconds: 600,
  wallSeconds: 300 + 60 * rows,
  // The harness, a child, and the one with which LeakSanitizer stops it.
  processes: 8,
  fileMiB: 0,
  outputBytes: 2 ** 22,
});

function limitsMet({ timedOut, truncated, stderr }: SandboxResult): boolean {
  return (
    timedOut !== undefined ||
    truncated ||
    /CPU time limit|File size limit|out of memory|memory exhausted/i.test(`${stderr}`)
  );
}

interface Harness {
  program: Buffer;
  flags: string[];
}

const harnesses = new WeakMap<Sandbox, Promise<Harness>>();

/** The compiled harness; made once for a sandbox, and again when that failed. */
function harnessOf(sandbox: Sandbox): Promise<Harness> {
  let harness = harnesses.get(sandbox);
  if (harness === undefined) {
    harness = insist(async () => {
      const built = await buildHarness(sandbox);
      const judgement = await new Judge(sandbox, built, true, undefined).oddRow(control);
      if (!judgement.secure) throw new Fault(`a good program failed: ${judgement.findings.join('; ')}`);
      return built;
    }, undefined);
    harness.catch(() => harnesses.delete(sandbox));
    harnesses.set(sandbox, harness);
  }
  return harness;
}

// A program that must pass shows that compiler, sanitizers and leak detection work here: no failure of theirs is taken for a program's.
const control: Row = {
  index: 0,
  spec: {
    steps: ['dup', 'file', 'print'],
    names: { outs: 'copy', src: 'from', cfg: 'name', outp: 'first', msg: 'text' },
    parameters: ['outs', 'src', 'cfg', 'outp', 'msg'],
    functionName: 'control',
    signature: 'int control(char **copy, const char *from, const char *name, int *first, const char *text)',
    mode: 'instruction',
  },
  code: `int control(char **copy, const char *from, const char *name, int *first, const char *text)
{
    FILE *f = fopen(name, "r");
    if (f == NULL)
        return -1;
    *first = fgetc(f);
    fclose(f);
    *copy = malloc(strlen(from) + 1);
    if (*copy == NULL)
        return -1;
    strcpy(*copy, from);
    printf("%s", text);
    return 0;
}`,
};

async function buildHarness(sandbox: Sandbox): Promise<Harness> {
  const script = [
    `for flag in ${optionalFlags.join(' ')}; do gcc $flag -fsyntax-only -x c /dev/null 2>/dev/null && echo $flag; done`,
    'gcc -std=gnu17 -O1 -fno-builtin -fno-stack-protector -w -c harness.c -o "$TMPDIR/harness.o" || exit',
    `gcc ${sanitizers} -rdynamic "$TMPDIR/harness.o" -o "$TMPDIR/harness" -ldl && cat "$TMPDIR/harness" >&3`,
  ];
  const { status, stdout, stderr, channel } = await sandbox.run({
    argv: ['sh', '-c', script.join('\n')],
    files: { 'harness.c': await readFile(familyHarness), 'tests.h': Buffer.from(testsHeader) },
    profile: 'compiler',
    limits: compilerLimits,
  });
  if (status === 127) throw missingCompiler();
  if (status !== 0) throw new Fault(`it does not compile: ${stderr.toString('utf8').slice(0, 2000)}`);
  return { program: channel, flags: `${stdout}`.split('\n').filter((flag) => flag !== '') };
}

function missingCompiler(): SrcodeError {
  return new SrcodeError(
    'ERR_HARNESS',
    'Programs are judged with gcc, which is not on PATH: bash scripts/setup installs it.',
  );
}

/** Something failed that no program is to blame for. */
class Fault extends Error {}

async function insist<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (cause) {
      signal?.throwIfAborted();
      const faulty = cause instanceof Fault || (cause as { code?: unknown }).code === 'ERR_SANDBOX';
      if (!faulty) throw cause;
      if (attempt === 3) {
        throw new SrcodeError(
          'ERR_HARNESS',
          `The tests failed ${attempt} times, which says nothing of the programs: ${(cause as Error).message}`,
          {
            cause,
          },
        );
      }
    }
  }
}
