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

/** Whether anything was read as a number, and whether that was all of the text: what to compare the end with, and what is there. */
export const unread: { readonly start: string; readonly rest: string } = { start: 'unread start', rest: 'unread rest' };

/**
 * A test of values meets the duty to test what they stand for.
 * @param nodes - Both sides, as written: `*end` tests what `end` is.
 * @param operator - What holds between them. Where an end that has not moved, or what it leads to, says that there is no number, nothing
 *   more is asked of it.
 */
export function attend(
  walk: Walk,
  values: readonly Value[],
  nodes: readonly CNode[],
  state: State,
  operator = '',
): void {
  if (!walk.heeded || state.duties.size === 0) return;
  let seen: Seen | undefined;
  for (const [key, { rule, symbol, origin }] of [...state.duties]) {
    if (rule === unclosed) continue;
    seen ??= look(walk, values, nodes, state);
    const [itself, through] = [seen.itself.has(symbol), seen.through.has(symbol)];
    const met =
      rule === unread.rest
        ? through || (itself && operator === '==')
        : rule === unread.start
          ? (itself && !through) || (through && operator === '!=') || isNoZero(walk, values, operator, origin, state)
          : itself || through || (rule === 'unchecked-number' && seen.errno);
    if (!met) continue;
    state.duties.delete(key);
    state.facts.matter();
  }
}

// Whether the number that a call gave is compared just at zero, or is another one than zero if the comparison holds.
function isNoZero(walk: Walk, values: readonly Value[], operator: string, { node }: Origin, state: State): boolean {
  const [number, other] = values;
  if (number?.origin?.node !== node || other === undefined) return false;
  const { lo, hi } = walk.range(other.number, state.facts);
  switch (operator) {
    case '>':
      return lo >= 0;
    case '>=':
      return lo >= 1;
    case '<':
      return hi <= 1;
    case '<=':
      return hi <= 0;
    default:
      return lo === 0 && hi === 0;
  }
}

/** What a condition looks at: the symbols, what pointers of theirs lead to, and `errno`, which has no symbol. */
interface Seen {
  readonly itself: Set<number>;
  readonly through: Set<number>;
  errno: boolean;
}

function look(walk: Walk, values: readonly Value[], nodes: readonly CNode[], state: State): Seen {
  const seen: Seen = { itself: new Set(values.flatMap(coveredBy)), through: new Set(), errno: false };
  for (const node of nodes) {
    for (const at of descendants(node)) {
      if (at.type !== 'identifier') continue;
      const name = walk.text(at);
      const variable = walk.lookup(name);
      const value = variable === undefined ? undefined : state.store.get(variable.key);
      if (value === undefined) seen.errno ||= name === 'errno';
      else for (const symbol of coveredBy(value)) seen[follows(at, node) ? 'through' : 'itself'].add(symbol);
    }
  }
  return seen;
}

// Whether what a name leads to is looked at: `*end`, `end[0]`, `strcmp(end, "")`.
function follows(name: CNode, whole: CNode): boolean {
  for (let at = name; at !== whole && at.parent !== null; at = at.parent)
    if (/^(pointer_expression|subscript_expression|argument_list)$/.test(at.parent.type)) return true;
  return false;
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
