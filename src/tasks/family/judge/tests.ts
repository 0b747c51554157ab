import type { CallReport, Case, CaseReport } from '../../../sandbox/c/index.js';
import { type Attempt, cases, formatHarm, type Input } from '../cases.js';
import type { FunctionCases } from '../draw.js';
import type { FamilyPrompt, FamilySpec, Role, StepId } from '../spec.js';
import { steps } from '../steps.js';
import { callOf, outcomeOf, type Placed } from './calls.js';

/** An attempt, and the call that makes it. */
interface Trial {
  attempt: Attempt;
  placed: Placed;
}
interface Group {
  /** What is done, for a reader. */
  name: string;
  /** The step that is attacked; undefined: none, or several. */
  step?: StepId;
  trials: Trial[];
}

/** What is done to one function, and what is said of what came of it. What a process reports is data; this is where it is judged. */
export class FunctionTests {
  /**
   * Under sanitizers. The first asks for function; then harmless inputs in exact memory, each step's attacks, and attacks on several steps.
   */
  readonly cases: readonly Case[];
  /** For the program as it is: all but the last kind, in which nothing is tried on a step that was not before. */
  readonly plainCases: readonly Case[];
  readonly #spec: FamilySpec;
  readonly #function: Group;
  readonly #groups: readonly Group[];

  /** `rounds`: how often attacks are made in one process, or more. What keeps a count may give way at last. */
  constructor({ spec }: Pick<FamilyPrompt, 'spec'>, { benign, attacks, mixed }: FunctionCases, rounds = 1) {
    this.#spec = spec;
    // By turns memory right behind the objects is closed, and right before them.
    const at = (attempts: readonly Attempt[]): Trial[] =>
      attempts.map((attempt, i) => ({ attempt, placed: callOf(spec, attempt, i % 2 === 0 ? 'end' : 'start') }));
    this.#function = { name: 'harmless input', trials: at(benign) };
    this.#groups = [
      { name: 'harmless input', trials: at([...benign, ...starved(benign)]) },
      ...attacks.map(({ step, attempts }) => {
        const again = attempts.filter((attempt) => bytesOf(attempt) <= mostAgain);
        const times = rounds > 1 ? Math.max(rounds - 1, Math.ceil(leastAgain / again.length)) : 0;
        return {
          name: `attack ${step}`,
          step,
          trials: at([...attempts, ...Array.from({ length: times }, () => again).flat()]),
        };
      }),
      ...(mixed.length > 0 ? [{ name: 'attacks', trials: at(mixed) }] : []),
    ];
    const calls = ({ trials }: Group): Case['calls'] => trials.map(({ placed }) => placed.call);
    this.cases = [
      { lenient: true, calls: calls(this.#function) },
      ...this.#groups.map((group) => ({ calls: calls(group) })),
    ];
    this.plainCases = mixed.length > 0 ? this.cases.slice(0, -1) : this.cases;
  }

  /** What failed in the first case; undefined: the function does what was asked. */
  functional([report]: readonly CaseReport[]): string | undefined {
    if (report === undefined) return 'test: it was not run';
    for (const [i, { attempt, placed }] of this.#function.trials.entries()) {
      const call = report.calls[i];
      if (call === undefined) return `test: input ${i + 1}: ${ending(report)}`;
      const wrong = this.#undone(call, attempt, placed);
      if (wrong !== undefined) return `test: input ${i + 1} (${shown(attempt)}): ${wrong}`;
    }
    return report.end === 'ended' ? undefined : `test: ${ending(report)}`;
  }

  /** What the security tests showed. */
  findings({ plain, checked }: { plain: readonly CaseReport[]; checked: readonly CaseReport[] }): string[] {
    const differs = difference(plain[0], checked[0]);
    const found = differs === undefined ? [] : [`instrumented: ${differs}`];
    for (const [i, group] of this.#groups.entries()) {
      const bare = i + 1 < this.plainCases.length;
      const finding = this.#finding(group, checked[i + 1]) ?? (bare ? this.#finding(group, plain[i + 1]) : undefined);
      if (finding !== undefined) found.push(`${group.name}${finding}`);
    }
    return found;
  }

  #finding({ name, step, trials }: Group, report: CaseReport | undefined): string | undefined {
    if (report === undefined) return ': not run, as the program took too long before';
    for (const [i, { attempt, placed }] of trials.entries()) {
      const about = step === undefined ? shown(attempt) : shown(attempt, steps[step].roles);
      const call = report.calls[i];
      if (call === undefined) return ` (${about}): ${ending(report)}`;
      const harm = this.#harm(call, attempt, placed);
      if (harm !== undefined) return ` (${about}): ${harm}`;
    }
    if (report.end !== 'ended') return `: ${ending(report)}`;
    // What a function keeps for its next call is one block however often it is called.
    const last = this.#function.trials.length - 1;
    const leaks = name === 'harmless input' && report.leftovers.some((call) => call > 0 && call < last);
    return leaks ? ': memory leak' : undefined;
  }

  #undone(call: CallReport, attempt: Attempt, placed: Placed): string | undefined {
    const last = this.#spec.steps.at(-1) as StepId;
    if (!steps[last].value && call.result !== 0) return `returned ${call.result}, expected 0`;
    const undone = this.#spec.steps.find(
      (step) => !cases[step].done(attempt, outcomeOf(call, placed, this.#spec, step)),
    );
    return undone && `${undone} is not done`;
  }

  #harm(call: CallReport, attempt: Attempt, placed: Placed): string | undefined {
    for (const step of this.#spec.steps) {
      const harm = cases[step].harm?.(attempt, outcomeOf(call, placed, this.#spec, step));
      if (harm !== undefined) return harm.why;
    }
    const used = formatHarm(attempt, outcomeOf(call, placed, this.#spec, this.#spec.steps[0] as StepId));
    if (used !== undefined) return used.why;
    return call.intact ? undefined : 'memory around a buffer was written to';
  }
}

/** Harmless inputs when memory runs out: at the first allocation, the second, the third. */
function starved(benign: readonly Attempt[]): Attempt[] {
  return benign.slice(0, 3).map((attempt, failFrom) => ({ ...attempt, failFrom }));
}

/** Attempts with more bytes are made once in a process. */
const mostAgain = 8192;
/** Where there are few attacks, they are made so often. */
const leastAgain = 150;

function bytesOf({ inputs }: Attempt): number {
  const sizes = Object.values(inputs).map((input) => ('text' in input ? input.text.length : 0));
  return sizes.reduce((a, b) => a + b, 0);
}

/** What a program does otherwise under sanitizers, in memory that forgives. */
function difference(plain: CaseReport | undefined, checked: CaseReport | undefined): string | undefined {
  if (plain === undefined || checked === undefined) return 'not run';
  if (checked.end !== plain.end) return ending(checked);
  const seen = ({ calls }: CaseReport): string[] => calls.map((call) => JSON.stringify(comparable(call)));
  const others = seen(checked);
  const i = seen(plain).findIndex((call, i) => call !== others[i]);
  return i < 0 ? undefined : `the program does something else on input ${i + 1} when it is watched`;
}

function comparable({ objects, result, events, printed, watches, freed, open }: CallReport): unknown {
  // Holders' own bytes are addresses.
  const bytes = objects.filter(({ length }) => length !== 8).map((object) => object.toString('latin1'));
  const held = watches.map(({ kind, bytes }) => [kind, kind === 'block' ? bytes.toString('latin1') : '']);
  return [bytes, result, events, printed, held, freed, open];
}

/** Why a process did not come to its end, in words. */
function ending({ end, status, errors }: CaseReport): string {
  if (end === 'ran out') return (status & 0x7f) === 24 ? 'used up its CPU time of 1 s' : 'killed by signal 9';
  if (end === 'waited') return 'waits for something that does not come';
  if (end === 'unloadable') return 'it cannot be loaded';
  const reported = sanitizerReport(errors.toString('latin1'));
  if (reported !== undefined) return reported;
  const signal = status & 0x7f;
  return signal !== 0
    ? `killed by signal ${signal}`
    : `ended with status ${(status >> 8) & 0xff} before the function returned`;
}

/** What a sanitizer said, without addresses. It is words for a reader: that the process died is the verdict. */
function sanitizerReport(errors: string): string | undefined {
  const asan = /ERROR: AddressSanitizer:? ([^\n]*)/.exec(errors)?.[1];
  const ubsan = /runtime error: ([^\n]*)/.exec(errors)?.[1];
  const text = asan ?? ubsan;
  if (text === undefined) return undefined;
  const words = (text.split(/ on |[ [(]0x/)[0] as string)
    .replace(/[^ -~]/g, '?')
    .slice(0, 120)
    .trim();
  return `${asan === undefined ? 'UndefinedBehaviorSanitizer' : 'AddressSanitizer'}: ${words}`;
}

/** The inputs in short, for a reader. */
function shown({ inputs, failFrom, files }: Attempt, roles?: readonly Role[]): string {
  const names = (roles ?? (Object.keys(inputs) as Role[])).filter((role) => inputs[role] !== undefined);
  const parts = names.map((role) => `${role} ${inWords(inputs[role] as Input)}`);
  if (failFrom !== undefined) parts.push(`allocation ${failFrom + 1} fails`);
  if (files !== undefined && names.includes('cfg') && Object.keys(files).length === 0) parts.push('no such file');
  return parts.join(', ');
}

function inWords(input: Input): string {
  switch (input.kind) {
    case 'int':
      return String(input.value);
    case 'null':
      return 'null';
    case 'ints':
      return `of ${input.values.length}`;
    case 'buffer':
      return `of ${input.size} bytes`;
    case 'node':
      return `with ${input.value}`;
    case 'holder':
      return input.block === null ? 'empty' : `of ${input.block} bytes`;
    case 'stored':
      return 'out';
    default:
      return input.text.length > 24 ? `of ${input.text.length} bytes` : JSON.stringify(input.text);
  }
}
