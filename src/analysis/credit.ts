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

/**
 * Judges a unit, and credits the guards that matter: from the last to the first, each is left out, and stays out where nothing is found
 * for it. What remains is a set without a spare part: a guard that repeats another one, that looks at something else, or that nothing
 * reaches, is not in it. Guards are left out in batches first, as most are for nothing. `onWalked` is called before.
 */
export function judge(program: Program, families: readonly RuleFamily[], onWalked: () => void): Judged {
  const whole = walked(program, families, new Set());
  onWalked();
  const credits: Credit[] = [];
  const off = new Set<string>();
  const paid = new Set<string>();
  const leaveOut = (guards: readonly Guard[]): void => {
    if (guards.length === 0) return;
    for (const { key } of guards) off.add(key);
    const { findings } = walked(program, families, off);
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
