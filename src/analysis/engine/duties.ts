import { type CNode, descendants } from '../c/syntax.js';
import { coveredBy } from './joins.js';
import type { Duty, Origin, State, Value } from './values.js';
import type { Walk } from './walk.js';

/** What the path owes from here on. Its key is what a value that {@link Value.awaits} it names. */
export function owe(walk: Walk, rule: string, origin: Origin, symbol: number, state: State): string {
  const key = `${rule}:${walk.frame.id}:${origin.node.start}`;
  state.duties.set(key, { rule, origin, symbol, frame: walk.frame.id });
  return key;
}

/** Duties that no test meets: what is opened has to be closed. */
export const unclosed = 'unclosed';

/**
 * A test of values meets the duty to test what they stand for.
 * @param nodes - Both sides, as written: `*end` tests what `end` is.
 */
export function attend(walk: Walk, values: readonly Value[], nodes: readonly CNode[], state: State): void {
  if (!walk.heeded || state.duties.size === 0) return;
  let seen: Set<number> | undefined;
  for (const [key, duty] of [...state.duties]) {
    if (duty.rule === unclosed) continue;
    seen ??= new Set([...values.flatMap(coveredBy), ...mentioned(walk, nodes, state)]);
    if (!seen.has(duty.symbol) && !(duty.rule === 'unchecked-number' && seen.has(errno))) continue;
    state.duties.delete(key);
    state.facts.matter();
  }
}

/** Stands for a test of `errno`, which has no symbol. */
const errno = -1;

function mentioned(walk: Walk, nodes: readonly CNode[], state: State): number[] {
  const found: number[] = [];
  for (const node of nodes) {
    for (const at of descendants(node)) {
      if (at.type !== 'identifier') continue;
      const name = walk.text(at);
      const variable = walk.lookup(name);
      const value = variable === undefined ? undefined : state.store.get(variable.key);
      if (value !== undefined) found.push(...coveredBy(value));
      else if (name === 'errno') found.push(errno);
    }
  }
  return found;
}

/** Ends the duties towards what a value stands for: it was closed, or given to somebody else. Whether there was one. */
export function settle(rule: string, value: Value, state: State): boolean {
  const symbols = coveredBy(value);
  let settled = false;
  for (const [key, duty] of [...state.duties]) {
    if (duty.rule !== rule || !symbols.includes(duty.symbol)) continue;
    state.duties.delete(key);
    settled = true;
  }
  return settled;
}

/** The duties of an activation. */
export function owed({ duties }: State, frame: number): Duty[] {
  return [...duties].map(([, duty]) => duty).filter((duty) => duty.frame === frame);
}
