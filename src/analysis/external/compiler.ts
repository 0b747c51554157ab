import { availableParallelism } from 'node:os';
import { inParallel } from '../../parallel.js';
import type { Sandbox } from '../../sandbox/index.js';
import type { Cwe, Finding } from '../../teacher/teacher.js';
import type { Analyser, Analysis, Language, SourceCode } from '../analyser.js';
import { severityOf } from '../severity.js';
import { distinct, inGroups } from './groups.js';
import { neutralSource, shielded } from './neutral.js';
import { Prelude, wholePrelude } from './prelude.js';
import { type ColumnUnit, type Region, SourceLines } from './source-lines.js';
import { toolFailed, toolLimits, unguessable } from './tools.js';
import { type Candidate, candidateOf, type Unit, unitOf, unrename } from './units.js';

/** One run of a compiler over units. */
export interface Pass {
  /** Whether the parameters of functions that nothing calls are marked as an attacker's. */
  tainted: boolean;
  /** The command that preprocesses C on its standard input as units are. */
  preprocess: readonly string[];
  /** A shell command that compiles `$unit` and leaves what it has to say in `$said`. */
  command: (extension: Unit['extension']) => string;
  /** Reads what it said; undefined where that has no end. */
  read: (said: string, unit: Unit) => Reading | undefined;
}

/** What a compiler said of a unit. */
export interface Reading {
  diagnostics: Diagnostic[];
  /** Errors: with one, a compiler analyses nothing of the unit. `candidate` is undefined where none can be blamed. */
  errors: { candidate: Candidate | undefined; message: string }[];
  /** It gave up on account of the unit's size: a smaller one may be analysed further. */
  incomplete?: boolean;
}

export interface Diagnostic {
  candidate: Candidate;
  region: Region;
  unit: ColumnUnit;
  /** `gcc/-Wanalyzer-double-free` */
  rule: string;
  /** `bytes` are the source from where the diagnostic begins. */
  cwe: Cwe | undefined | ((bytes: string) => Cwe | undefined);
  message: string;
}

export interface CompilerOptions {
  name: string;
  id: string;
  languages: readonly Language[];
  /** Checkers that this version of the compiler does not have, by their names in newer ones. */
  lacks: readonly string[];
  passes: readonly Pass[];
  /** It does not call a leak what `main` leaves behind; it cannot know `main` when that has another name, among others. */
  forgivesMain?: boolean;
  /** Sources a unit, at most. */
  batchSize: number;
}

/**
 * A compiler's static analysis. Sources are compiled together, as many to a unit as it can take, since starting a compiler and reading its
 * headers costs more than the analysis; findings are those of single runs. Nothing is linked or run, and the compiler itself is in the sandbox.
 */
export class CompilerAnalyser implements Analyser {
  readonly name: string;
  readonly id: string;
  readonly languages: readonly Language[];
  readonly lacks: readonly string[];
  readonly #sandbox: Sandbox;
  readonly #passes: readonly PreparedPass[];
  readonly #batchSize: number;
  readonly #forgivesMain: boolean;
  readonly #reserved: ReadonlySet<string>;

  private constructor(sandbox: Sandbox, options: CompilerOptions, passes: readonly PreparedPass[]) {
    this.#sandbox = sandbox;
    this.name = options.name;
    this.id = options.id;
    this.languages = options.languages;
    this.lacks = options.lacks;
    this.#passes = passes;
    this.#batchSize = options.batchSize;
    this.#forgivesMain = options.forgivesMain ?? false;
    this.#reserved = new Set([...shielded, ...passes.flatMap(({ prelude }) => [...prelude.reserved])]);
  }

  /** @throws ERR_ANALYSER when the compiler lacks the headers of C's library. */
  static async open(sandbox: Sandbox, options: CompilerOptions): Promise<CompilerAnalyser> {
    const passes = options.passes.map(async (pass): Promise<PreparedPass> => {
      const stdin = Buffer.from(wholePrelude);
      const result = await sandbox.run({ argv: pass.preprocess, stdin, profile: 'compiler', limits: toolLimits });
      if (result.status !== 0) throw toolFailed(options.name, result);
      return { ...pass, prelude: new Prelude(result.stdout.toString('latin1')) };
    });
    return new CompilerAnalyser(sandbox, options, await Promise.all(passes));
  }

  async analyze(
    given: readonly SourceCode[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Analysis[]> {
    const sources = given.map(neutralSource);
    const candidates = await Promise.all(
      sources.map(({ code, language }, index) => candidateOf(index, code, language, this.#reserved)),
    );
    const found: Finding[][] = sources.map(() => []);
    const failures = new Map<number, string>();
    const take = (outcomes: readonly Outcome[]): void => {
      for (const { candidate, diagnostics, failure } of outcomes) {
        const { index } = candidate;
        if (failure !== undefined) failures.set(index, failure);
        else found[index]?.push(...findings(diagnostics, (sources[index] as SourceCode).code));
      }
    };
    for (const pass of this.#passes) {
      const todo = candidates.filter(({ index }) => !failures.has(index));
      const works = this.#works(pass.tainted ? todo.filter(({ entries }) => entries.length > 0) : todo);
      await inParallel(
        works.map((units) => () => this.#settle(pass, units, signal)),
        availableParallelism(),
        take,
      );
    }
    return sources.map(({ code }, i) => {
      const failure = failures.get(i);
      return { findings: failure === undefined ? distinct(found[i] as Finding[], code) : [], failure };
    });
  }

  // Those that share a unit are spread evenly. A run of the sandbox takes a while to begin: it has several units.
  #works(candidates: readonly Candidate[]): Candidate[][][] {
    const sharing = candidates.filter(({ shared }) => shared !== undefined);
    const alone = candidates.filter(({ shared }) => shared === undefined).map((candidate) => [candidate]);
    const cores = Math.min(availableParallelism(), Math.ceil(sharing.length / 4));
    const units = inGroups(sharing, Math.max(Math.ceil(sharing.length / this.#batchSize), cores));
    return [
      ...inGroups(units, Math.max(Math.ceil(units.length / 3), cores)),
      ...inGroups(alone, Math.ceil(alone.length / 8)),
    ];
  }

  async #settle(
    pass: PreparedPass,
    groups: readonly Candidate[][],
    signal: AbortSignal | undefined,
  ): Promise<Outcome[]> {
    const units = groups.map((group) => unitOf(group, pass));
    const readings = await this.#run(pass, units, signal);
    const outcomes: Outcome[] = [];
    for (const [i, group] of groups.entries()) {
      const reading = readings[i];
      const { diagnostics = [], errors = [], incomplete = reading === undefined } = reading ?? {};
      if (errors.length === 0 && (!incomplete || (group.length === 1 && reading !== undefined))) {
        const of = new Map(group.map((candidate) => [candidate, [] as Diagnostic[]]));
        for (const diagnostic of diagnostics) of.get(diagnostic.candidate)?.push(diagnostic);
        const doubtful = (candidate: Candidate, own: readonly Diagnostic[]): boolean =>
          group.length > 1 && this.#forgivesMain && candidate.hasMain && own.some(({ cwe }) => leaks.has(cwe));
        const again: Candidate[][] = [];
        for (const [candidate, own] of of) {
          if (doubtful(candidate, own)) again.push([candidate]);
          else outcomes.push({ candidate, diagnostics: own, failure: undefined });
        }
        if (again.length > 0) outcomes.push(...(await this.#settle(pass, again, signal)));
      } else if (group.length === 1) {
        const failure = errors[0]?.message ?? 'it met its limits';
        outcomes.push({ candidate: group[0] as Candidate, diagnostics: [], failure });
      } else {
        const lost = this.#lost(errors);
        const left = group.filter((candidate) => !lost.has(candidate));
        for (const [candidate, failure] of lost) outcomes.push({ candidate, diagnostics: [], failure });
        const open = errors.filter(({ candidate }) => candidate === undefined || !lost.has(candidate));
        const again = lost.size > 0 && open.length === 0 ? [left] : smaller(left, open);
        if (left.length > 0) outcomes.push(...(await this.#settle(pass, again, signal)));
      }
    }
    return outcomes;
  }

  // Candidates whose first error is that they name what nothing declares: no neighbour can be the cause, nor what the prelude was cut to.
  #lost(errors: Reading['errors']): Map<Candidate, string> {
    const first = new Map<Candidate, string>();
    for (const { candidate, message } of errors) {
      if (candidate !== undefined && !first.has(candidate)) first.set(candidate, unrename(message));
    }
    const named = (message: string): string | undefined => undeclared.exec(message)?.slice(1).find(Boolean);
    return new Map(
      [...first].filter(([, message]) => {
        const name = named(message);
        return name !== undefined && !this.#reserved.has(name);
      }),
    );
  }

  /** Undefined for a unit of which the compiler came to no end. */
  async #run(pass: Pass, units: readonly Unit[], signal: AbortSignal | undefined): Promise<(Reading | undefined)[]> {
    const names = units.map(({ extension }) => unguessable('unit', extension));
    const command = (i: number): string => pass.command((units[i] as Unit).extension);
    const script = [
      'said="$TMPDIR/said"',
      ...names.map(
        (name, i) => `unit=${name}; : >"$said"; ${command(i)}; echo "$? $(wc -c <"$said")" >&3; cat "$said" >&3`,
      ),
    ].join('\n');
    const files = Object.fromEntries(units.map(({ text }, i) => [names[i] as string, Buffer.from(text, 'latin1')]));
    // A compiler that is killed says so itself, on stderr.
    const result = await this.#sandbox.run({
      argv: ['sh', '-c', script],
      files,
      profile: 'compiler',
      limits: toolLimits,
      signal,
    });
    if (result.status === 127) throw toolFailed(this.name, result);
    let rest = result.channel;
    return units.map((unit) => {
      const header = /^(\d+) +(\d+)\n/.exec(rest.subarray(0, 40).toString('latin1'));
      if (header === null) return undefined;
      const [head, status, length] = header as unknown as [string, string, string];
      const said = rest.subarray(head.length, head.length + Number(length));
      rest = rest.subarray(head.length + Number(length));
      if (said.length < Number(length)) return undefined;
      const reading = pass.read(said.toString('utf8'), unit);
      // Killed, or without a word of why: nothing was analysed.
      return Number(status) > 1 || (status === '1' && reading?.errors.length === 0) ? undefined : reading;
    });
  }
}

/** A pass with what its compiler makes of the prelude, which depends on its options. */
interface PreparedPass extends Pass {
  prelude: Prelude;
}

interface Outcome {
  candidate: Candidate;
  diagnostics: Diagnostic[];
  failure: string | undefined;
}

/** An error without the compiler's guess at what was meant, which may be a neighbour's name. */
export const withoutGuess = (message: string): string => message.replace(/; did you mean '[^']*'\?$/, '');

const undeclared =
  /'(\w+)' undeclared|undeclared identifier '(\w+)'|unknown type name '(\w+)'|(?:undefined type|incomplete definition of type) '(?:struct|union) (\w+)'/;

// An error may follow from a neighbour's: who is blamed gets a unit of its own, and the others another try. Else halves find who it is.
function smaller(group: readonly Candidate[], errors: Reading['errors']): Candidate[][] {
  const blamed = new Set(errors.map(({ candidate }) => candidate));
  const others = group.filter((candidate) => !blamed.has(candidate));
  if (others.length === group.length) return inGroups(group, 2);
  const suspects = group.filter((candidate) => blamed.has(candidate)).map((candidate) => [candidate]);
  return others.length === 0 ? suspects : [...suspects, others];
}

function findings(diagnostics: readonly Diagnostic[], code: Uint8Array): Finding[] {
  const lines = new SourceLines(code);
  return diagnostics.flatMap(({ region, unit, rule, cwe: cweOf, message }) => {
    const span = lines.span(region, unit);
    const text = Buffer.from(code.subarray(span.start)).toString('latin1');
    const cwe = typeof cweOf === 'function' ? cweOf(text) : cweOf;
    if (cwe === undefined) return [];
    return [{ cwe, severity: severityOf(cwe), span, rule, message: unrename(message) }];
  });
}

const leaks: ReadonlySet<Diagnostic['cwe']> = new Set(['CWE-401', 'CWE-772', 'CWE-775']);
