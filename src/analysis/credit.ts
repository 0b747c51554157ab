import type { Program } from './engine/program.js';
import type { RuleFamily } from './engine/rule.js';
import { type Guard, type RawFinding, Walk } from './engine/walk.js';

export interface Judged {
  findings: readonly RawFinding[];
  credits: readonly Credit[];
}

/** A guard that keeps a finding away. */
export interface Credit {
  readonly guard: Guard;
  /** What is found without it. */
  readonly finding: RawFinding;
}

/** What one walk over a unit finds, and which guards it has seen, each by its key. */
export interface Walked {
  readonly findings: ReadonlyMap<string, RawFinding>;
  readonly guards: ReadonlyMap<string, Guard>;
}

/** Judges a unit of C, and credits its guards. `onWalked` is called between the two. */
export function judge(program: Program, families: readonly RuleFamily[], onWalked: () => void): Judged {
  return credited((off) => walked(program, families, off), onWalked);
}

/**
 * Judges a unit by walks that leave guards out, and credits the guards that matter: from the last to the first, each is left out, and
 * stays out where nothing is found for it. What remains is a set without a spare part: a guard that repeats another one, that looks at something else, or that nothing
 * reaches, is not in it. Guards are left out in batches first, as most are for nothing. `onWalked` is called before.
 */
export function credited(walked: (off: ReadonlySet<string>) => Walked, onWalked: () => void): Judged {
  const whole = walked(new Set());
  onWalked();
  const credits: Credit[] = [];
  const off = new Set<string>();
  const paid = new Set<string>();
  const leaveOut = (guards: readonly Guard[]): void => {
    if (guards.length === 0) return;
    for (const { key } of guards) off.add(key);
    const { findings } = walked(off);
    const news = [...findings].filter(([key]) => !whole.findings.has(key));
    if (news.length === 0) return;
    for (const { key } of guards) off.delete(key);
    if (guards.length > 1) {
      const middle = guards.length >> 1;
      leaveOut(guards.slice(0, middle));
      leaveOut(guards.slice(middle));
      return;
    }
    const [key, finding] = news.find(([key]) => !paid.has(key)) ?? (news[0] as [string, RawFinding]);
    paid.add(key);
    credits.push({ guard: guards[0] as Guard, finding });
  };
  leaveOut([...whole.guards.values()].reverse());
  return { findings: [...whole.findings.values()], credits: credits.reverse() };
}

function walked(program: Program, families: readonly RuleFamily[], off: ReadonlySet<string>): Walk {
  const walk = new Walk(program, families, off);
  walk.run();
  return walk;
}
