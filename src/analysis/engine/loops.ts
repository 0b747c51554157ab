import { type CNode, child, descendants } from '../c/syntax.js';
import { join, mergeValues } from './joins.js';
import { move } from './memory.js';
import { isPointer } from './symbols.js';
import { longType } from './types.js';
import { constant, Source, State } from './values.js';
import type { Walk } from './walk.js';

/** Walks a loop: what it changes is unknown inside, and a second round sees what the first one freed. */
export function loop(walk: Walk, node: CNode, state: State): void {
  const initial = child(node, 'initializer');
  const condition = child(node, 'condition');
  const update = child(node, 'update');
  const body = child(node, 'body') ?? node.children.at(-1);
  const after = node.type === 'do_statement';
  walk.frame.scopes.push(new Map());
  if (initial !== undefined) walk.statement(initial, state);
  walk.tell('loop', { node, state });
  const entry = new State(state);
  const skipped = after || condition === undefined ? null : walk.branch(condition, new State(entry), null, true).no;
  widen(walk, node, entry);
  const endless = condition === undefined || walk.always(condition);
  entry.facts.forgetElements();
  let exit: State = entry;
  for (let round = 0; round < 2; round++) {
    const ways = condition === undefined || after ? null : walk.branch(condition, new State(entry), null, true);
    const inside = ways?.yes ?? new State(entry);
    const jumps = { breaks: [] as State[], continues: [] as State[] };
    walk.frame.jumps.push(jumps);
    if (body !== undefined) walk.statement(body, inside);
    walk.frame.jumps.pop();
    let end: State = inside;
    for (const other of jumps.continues) end = join(walk, end, other);
    if (update !== undefined && !end.dead) walk.evaluate(update, end);
    if (endless || end.dead) {
      exit = new State(end);
      exit.dead = true;
    } else exit = walk.branch(condition as CNode, new State(end), null, true).no;
    if (skipped !== null && !skipped.dead) exit = join(walk, skipped, exit);
    // What the body proves for each element, the loop proves for all.
    if (!end.dead) exit.facts.learnContents(end.facts);
    for (const broken of jumps.breaks) exit = join(walk, exit, broken);
    if (end.dead || !carry(walk, entry, end)) break;
  }
  walk.frame.scopes.pop();
  exit.facts.forgetElements();
  state.become(exit);
}

// A second round sees what the first one left behind: freed memory, above all. False where that is nothing.
function carry(walk: Walk, entry: State, end: State): boolean {
  let carried = false;
  for (const [id, life] of end.lives) {
    const before = entry.lives.get(id);
    if (before === life || (before === undefined && !id.startsWith('*'))) continue;
    entry.lives.set(id, life.endsWith('freed') ? 'maybe freed' : life);
    carried = true;
  }
  if (!carried) return false;
  for (const [key, value] of end.store) {
    const old = entry.store.get(key);
    if (old === undefined || old === value || !(isPointer(value) || isPointer(old))) continue;
    entry.store.set(key, mergeValues(walk, old, entry, value, end, entry.facts));
  }
  return true;
}

// Forgets what the loop changes, but for numbers that only grow or only shrink.
function widen(walk: Walk, loop: CNode, state: State): void {
  const scratch = new State(state);
  const changes = new Map<string, { grows: boolean; shrinks: boolean; set: boolean }>();
  const note = (target: CNode | undefined, grows: boolean, shrinks: boolean, set = false): void => {
    if (target === undefined) return;
    const place = walk.quietly(() => walk.locate(target, scratch));
    if (place === undefined) return;
    const old = changes.get(place.key);
    changes.set(place.key, {
      grows: grows || (old?.grows ?? false),
      shrinks: shrinks || (old?.shrinks ?? false),
      set: set || (old?.set ?? false),
    });
  };
  for (const at of changesIn(loop)) {
    if (at.type === 'update_expression') note(child(at, 'argument'), at.operator === '++', at.operator === '--');
    else if (at.type === 'assignment_expression') {
      const right = child(at, 'right');
      const left = child(at, 'left');
      const step =
        right === undefined || at.operator === '='
          ? undefined
          : walk.quietly(() => walk.evaluate(right, scratch).number);
      const positive = step !== undefined && step.symbol === 0 && step.offset >= 0;
      if (at.operator === '+=' && positive) note(left, true, false);
      else if (at.operator === '-=' && positive) note(left, false, true);
      else if (
        at.operator === '=' &&
        right?.type === 'binary_expression' &&
        left !== undefined &&
        walk.text(child(right, 'left') ?? right) === walk.text(left) &&
        /^\d+$/.test(walk.text(child(right, 'right') ?? right)) &&
        /^[+-]$/.test(right.operator)
      ) {
        note(left, right.operator === '+', right.operator === '-');
      } else note(left, true, true, at.operator === '=');
    } else if (at.type === 'pointer_expression' && at.operator === '&' && at.parent?.type === 'argument_list') {
      note(child(at, 'argument'), true, true);
    }
  }
  for (const [key, { grows, shrinks, set }] of changes) {
    const kept = state.store.get(key);
    if (kept === undefined) continue;
    const old = isPointer(kept) && !set ? move(walk, kept, constant(0), Source.own, state) : kept;
    if (isPointer(old) && set) {
      state.store.set(key, walk.fresh(old.type, old.source));
      continue;
    }
    if (old.targets.length > 0) {
      const targets = old.targets.map(({ region, offset }) => {
        const { lo, hi } = walk.range(offset, state.facts);
        const range = { lo: shrinks ? -Infinity : lo, hi: grows ? Infinity : hi };
        return { region, offset: walk.fresh(longType, Source.own, { range }).number };
      });
      state.store.set(key, { ...old, targets });
      continue;
    }
    const before = walk.range(old.number, state.facts);
    const fresh = walk.fresh(old.type, old.source, {
      counts: grows && !set,
      range: { lo: shrinks ? -Infinity : before.lo, hi: grows ? Infinity : before.hi },
      origin: old.origin,
    });
    if (!shrinks && old.number.symbol !== 0 && old.number.scale === 1)
      state.facts.order(old.number.symbol, fresh.number.symbol, old.number.offset);
    if (!grows && old.number.symbol !== 0 && old.number.scale === 1)
      state.facts.order(fresh.number.symbol, old.number.symbol, old.number.offset);
    state.store.set(key, fresh);
  }
}

const changing = new WeakMap<CNode, readonly CNode[]>();

/** What assigns to something in a loop, or gives its address away. */
function changesIn(loop: CNode): readonly CNode[] {
  let found = changing.get(loop);
  if (found === undefined) {
    const parts = loop.children.filter(({ field }) => field !== 'initializer');
    found = parts.flatMap((part) => descendants(part)).filter(changes);
    changing.set(loop, found);
  }
  return found;
}

function changes({ type, operator, parent }: CNode): boolean {
  if (type === 'update_expression' || type === 'assignment_expression') return true;
  return type === 'pointer_expression' && operator === '&' && parent?.type === 'argument_list';
}
