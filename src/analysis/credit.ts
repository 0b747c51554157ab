import type { Program } from './engine/program.js';
import type { Listeners } from './engine/rule.js';
import { type Guard, type RawFinding, Walk } from './engine/walk.js';

export interface Judged {
  findings: readonly RawFinding[];
  credits: readonly Credit[];
  /** Guards that say only what others have said. */
  repeated: readonly Guard[];
}

/** A guard that keeps a finding away. */
export interface Credit {
  readonly guard: Guard;
  /** What is found without it. */
  readonly finding: RawFinding;
}

/** What a walk finds, and how it came to that. Guards go by their keys. */
export interface Walked {
  readonly findings: ReadonlyMap<string, RawFinding>;
  /** Guards in force, in the order of the walk. */
  readonly guards: ReadonlyMap<string, Guard>;
  /** All guards that it came to: without any other one it would be the same. */
  readonly consulted: ReadonlySet<string>;
  /** Guards that may well matter, as far as the walk can tell: they are tried first. */
  readonly asked: ReadonlySet<string>;
  /** Whether guards say only what others said, wherever it comes to them. */
  readonly repeated: ReadonlyMap<string, boolean>;
  /** Steps that it took. */
  readonly cost: number;
}

/** A part of a unit that is walked by itself. */
export interface Part {
  /** With all guards in force. */
  readonly first: Walked;
  /** Without some; `decides` tells of a finding's key whether it settles what the walk is for: it may end there. */
  readonly again: (off: ReadonlySet<string>, decides: (key: string) => boolean) => Walked;
}

/** Judges a unit of C, and credits its guards. `onWalked` is called between the two. */
export function judge(program: Program, listeners: Listeners, onWalked: () => void = () => {}): Judged {
  const unit = new Walk(program, listeners);
  for (const listener of listeners.unit) listener(unit);
  const parts: Part[] = [{ first: unit, again: () => unit }];
  const started = new Set<string>();
  // Behind what is called from outside, what only calls itself or each other.
  for (const root of [...program.roots(), ...program.functions.values()]) {
    if (started.has(root.name)) continue;
    const first = new Walk(program, listeners).run(root);
    for (const name of first.started) started.add(name);
    parts.push({ first, again: (off, decides) => first.again(root, off, decides) });
  }
  onWalked();
  return credited(parts);
}

/** Steps that walks without guards may take: so many, and so many for each step of a part's first walk, up to so many for the part. */
const allowance = { base: 20_000, each: 12, most: 30_000 };

/**
 * Credits the guards that matter: from the last to the first, each is left out, and stays out where nothing is found for it. What
 * remains is a set without a spare part: a guard that repeats another one, that looks at something else, or that nothing reaches, is
 * not in it.
 *
 * Most guards are for nothing, and a walk for each would cost the square of the code. So those that told nothing that a rule asked for
 * are left out unseen, and a last walk proves that nothing is found without any of them; where it fails, those that it fails for are
 * tried like the others. A part is walked again only if it comes to the guard, and up to the finding that decides. Guards that are not
 * tried when the {@link allowance} is spent earn nothing.
 */
export function credited(parts: readonly Part[]): Judged {
  const unit = new Unit(parts);
  const findings = [...unit.findings.values()];
  const suspects = new Set(unit.asked);
  // What stands inside another guard would not be walked to without that one: nothing would be proven of it.
  for (const key of unit.inner()) if (!suspects.has(key)) unit.leaveOut(key);
  if (!unit.proven()) for (const key of unit.culprits()) suspects.add(key);
  unit.restore();
  const known = new Map<string, RawFinding | null>();
  for (;;) {
    const credits = tried(unit, suspects, known);
    if (unit.proven()) return { findings, credits, repeated: unit.repeated(credits) };
    if (unit.spent) return { findings, credits: [], repeated: unit.repeated([]) };
    const culprits = new Set(unit.culprits());
    for (const key of culprits) suspects.add(key);
    // What was tried while all of them were in force stays true.
    let before = true;
    for (const { key } of unit.backwards) {
      if (culprits.has(key)) before = false;
      if (!before) known.delete(key);
    }
    unit.restore();
  }
}

function tried(unit: Unit, suspects: ReadonlySet<string>, known: Map<string, RawFinding | null>): Credit[] {
  const credits: Credit[] = [];
  const paid = new Set<string>();
  for (const guard of unit.backwards) {
    const { key } = guard;
    let finding = known.get(key);
    if (!suspects.has(key) || finding === null) unit.leaveOut(key);
    else if (finding !== undefined || !unit.spent) {
      finding ??= unit.without([key], paid);
      known.set(key, finding);
      if (finding === null) continue;
      paid.add(finding.key);
      credits.push({ guard, finding });
    }
  }
  return credits;
}

interface Standing {
  readonly part: Part;
  /** The guards that its last walk came to. */
  consulted: ReadonlySet<string>;
  /** Those of them that were left out since, unseen. */
  readonly doubts: Set<string>;
}

const nothing: ReadonlySet<string> = new Set();

/** A unit that is walked again and again with fewer guards. */
class Unit {
  /** With all guards in force. */
  readonly findings: Map<string, RawFinding> = new Map();
  /** In the order of the walks. */
  readonly guards: Map<string, Guard> = new Map();
  readonly asked: Set<string> = new Set();
  readonly #parts: readonly Standing[];
  readonly #off = new Set<string>();
  readonly #most: number;
  #steps = 0;

  constructor(parts: readonly Part[]) {
    for (const { first } of parts) {
      for (const [key, finding] of first.findings) if (!this.findings.has(key)) this.findings.set(key, finding);
      for (const [key, guard] of first.guards) if (!this.guards.has(key)) this.guards.set(key, guard);
      for (const key of first.asked) this.asked.add(key);
    }
    this.#parts = parts.map((part) => ({ part, consulted: part.first.consulted, doubts: new Set() }));
    const { base, each, most } = allowance;
    this.#most = parts.reduce((sum, { first }) => sum + Math.min(each * first.cost, most), base);
  }

  /** Whether walks have cost what they may. */
  get spent(): boolean {
    return this.#steps > this.#most;
  }

  /** From the last guard to the first. */
  get backwards(): readonly Guard[] {
    return [...this.guards.values()].reverse();
  }

  /** Guards that say only what others have said, but for those that are credited. */
  repeated(credits: readonly Credit[]): Guard[] {
    const paid = new Set(credits.map(({ guard }) => guard.key));
    return [...this.guards.values()].filter(({ key }) => {
      const said = this.#parts.flatMap(({ part }) => part.first.repeated.get(key) ?? []);
      return !paid.has(key) && said.length > 0 && said.every((repeats) => repeats);
    });
  }

  /** Guards that stand inside others. */
  inner(): string[] {
    const sorted = [...this.guards.values()].sort((a, b) => a.start - b.start || b.end - a.end);
    let end = 0;
    const found: string[] = [];
    for (const guard of sorted) {
      if (guard.end <= end) found.push(guard.key);
      else end = guard.end;
    }
    return found;
  }

  leaveOut(guard: string): void {
    this.#off.add(guard);
    for (const { consulted, doubts } of this.#parts) if (consulted.has(guard)) doubts.add(guard);
  }

  /**
   * What is found without the guards, first what is not paid for yet; null where that is nothing: then they stay out.
   * @param paid - Keys of findings that other guards are credited for.
   */
  without(guards: readonly string[], paid: ReadonlySet<string> = nothing): RawFinding | null {
    for (const key of guards) this.#off.add(key);
    const found = this.#found(({ consulted }) => guards.some((key) => consulted.has(key)), paid);
    if (found !== null) for (const key of guards) this.#off.delete(key);
    return found;
  }

  /** Whether nothing is found without what was left out unseen. */
  proven(): boolean {
    return this.#found(({ doubts }) => doubts.size > 0, nothing) === null;
  }

  /** Those of the guards left out unseen without which something is found. */
  culprits(): string[] {
    const doubts = [...new Set(this.#parts.flatMap(({ doubts }) => [...doubts]))];
    for (const key of doubts) this.#off.delete(key);
    const found: string[] = [];
    const search = (guards: readonly string[]): void => {
      if (guards.length === 0 || this.without(guards) === null) return;
      if (guards.length === 1) found.push(...guards);
      else {
        const middle = guards.length >> 1;
        search(guards.slice(0, middle));
        search(guards.slice(middle));
      }
    };
    search(doubts);
    return found;
  }

  /** Puts all guards in force again. */
  restore(): void {
    this.#off.clear();
    for (const standing of this.#parts) {
      standing.consulted = standing.part.first.consulted;
      standing.doubts.clear();
    }
  }

  // Walks some parts again; where nothing is found, what is left out is seen to be for nothing.
  #found(again: (standing: Standing) => boolean, paid: ReadonlySet<string>): RawFinding | null {
    const walked = new Map<Standing, Walked>();
    let found: RawFinding | null = null;
    for (const standing of this.#parts.filter(again)) {
      const walk = standing.part.again(this.#off, (key) => !this.findings.has(key) && !paid.has(key));
      this.#steps += walk.cost;
      walked.set(standing, walk);
      for (const finding of walk.findings.values()) {
        if (this.findings.has(finding.key)) continue;
        if (!paid.has(finding.key)) return finding;
        found ??= finding;
      }
    }
    if (found === null) {
      for (const [standing, { consulted }] of walked) {
        standing.consulted = consulted;
        standing.doubts.clear();
      }
    }
    return found;
  }
}
