import { type CNode, child } from '../c/syntax.js';
import { isUnsigned, negated } from './arithmetic.js';
import { attend } from './duties.js';
import { join } from './joins.js';
import { isPointer } from './symbols.js';
import { learnString } from './text-tests.js';
import { intType } from './types.js';
import { characterSet, type Facts, type Linear, type Outcome, type Range, State, type Value } from './values.js';
import type { Branches, Walk } from './walk.js';

/** A condition that is a constant, and true. */
export function always(walk: Walk, condition: CNode): boolean {
  const { born } = walk;
  const { symbol, offset } = walk.quietly(() => walk.evaluate(condition, new State()).number);
  // Some ask once for all walks: the others must not miss its symbols.
  walk.bury(born);
  return symbol === 0 && offset !== 0;
}

/**
 * The two ways on from a condition, each with what its truth says. The guard is what gets the credit; by default the comparison itself.
 * Behind a loop its condition is no guard: its end is always believed.
 */
export function branch(walk: Walk, node: CNode, state: State, guard: CNode | null, loop = false): Branches {
  if (state.dead) return { yes: new State(state), no: new State(state) };
  switch (node.type) {
    case 'parenthesized_expression':
    case 'condition_clause': {
      const inner = node.children.at(-1);
      if (inner !== undefined) return branch(walk, inner, state, guard, loop);
      break;
    }
    case 'unary_expression': {
      const argument = child(node, 'argument');
      if (node.operator !== '!' || argument === undefined || loop) break;
      const { yes, no } = branch(walk, argument, state, guard);
      return { yes: no, no: yes };
    }
    case 'binary_expression': {
      const left = child(node, 'left');
      const right = child(node, 'right');
      if (left === undefined || right === undefined) break;
      if (node.operator === '&&') {
        const first = branch(walk, left, state, guard, loop);
        const second = branch(walk, right, first.yes, guard, loop);
        return { yes: second.yes, no: join(walk, first.no, second.no) };
      }
      if (node.operator === '||') {
        const first = branch(walk, left, state, guard, loop);
        const second = branch(walk, right, first.no, guard, loop);
        return { yes: join(walk, first.yes, second.yes), no: second.no };
      }
      if (Object.hasOwn(negated, node.operator)) {
        const [a, b] = [walk.evaluate(left, state), walk.evaluate(right, state)];
        tell(walk, node, node.operator, a, b, state);
        return decide(walk, node.operator, a, b, [left, right], state, guard ?? node, loop);
      }
      break;
    }
    case 'call_expression': {
      const expansion = walk.program.expand(node);
      if (expansion !== undefined) return branch(walk, expansion, state, guard ?? node, loop);
      const first = child(node, 'arguments')?.children[0];
      if (/^(__builtin_expect|likely|unlikely)$/.test(walk.calleeOf(node)) && first !== undefined) {
        return branch(walk, first, state, guard, loop);
      }
      break;
    }
  }
  const value = walk.evaluate(node, state);
  const zero = walk.constant(0, value.type);
  tell(walk, node, '!=', value, zero, state);
  return decide(walk, '!=', value, zero, [node], state, guard ?? node, loop);
}

function decide(
  walk: Walk,
  operator: string,
  a: Value,
  b: Value,
  nodes: readonly CNode[],
  state: State,
  guard: CNode,
  loop: boolean,
): Branches {
  const side = (operator: string, believed: boolean): State => {
    const there = new State(state);
    if (state.dead) return there;
    if (impossible(walk, operator, a, b, there)) there.dead = true;
    else if (believed) compare(walk, operator, a, b, there, nodes);
    else walk.believe(guard, () => compare(walk, operator, a, b, there, nodes));
    return there;
  };
  return { yes: side(operator, false), no: side(negated[operator] as string, loop) };
}

function tell(walk: Walk, node: CNode, operator: string, left: Value, right: Value, state: State): void {
  walk.tell('arithmetic', { node, operator, left, right, exact: { lo: 0, hi: 1 }, type: intType, state });
}

/** Whether `a operator b` cannot be here. */
export function impossible(walk: Walk, operator: string, a: Value, b: Value, state: State): boolean {
  const [n1, n2] = [walk.isNull(a, state.facts), walk.isNull(b, state.facts)];
  if (isPointer(a) || isPointer(b)) {
    if (operator === '==') return (n1 === 'yes' && n2 === 'no') || (n1 === 'no' && n2 === 'yes');
    if (operator === '!=') return n1 === 'yes' && n2 === 'yes';
    return false;
  }
  const float = a.type.kind === 'float' || b.type.kind === 'float';
  if (float && (operator === '==' || operator === '!=')) return false;
  const [x, y] = [walk.range(a.number, state.facts), walk.range(b.number, state.facts)];
  switch (operator) {
    case '<':
      return x.lo >= y.hi;
    case '<=':
      return x.lo > y.hi;
    case '>':
      return x.hi <= y.lo;
    case '>=':
      return x.hi < y.lo;
    case '==':
      return (
        x.hi < y.lo ||
        x.lo > y.hi ||
        (state.facts.has(`ne:${a.number.symbol}:${y.lo}`) &&
          y.lo === y.hi &&
          a.number.scale === 1 &&
          a.number.offset === 0)
      );
    default:
      return x.lo === x.hi && y.lo === y.hi && x.lo === y.lo;
  }
}

/** Learns that `a operator b` is true. */
export function compare(
  walk: Walk,
  operator: string,
  a: Value,
  b: Value,
  state: State,
  nodes: readonly CNode[] = [],
): void {
  const { facts } = state;
  attend(walk, [a, b], nodes, state, operator);
  if (nodes.length > 0) outcome(walk, operator, a, b, state);
  if (isPointer(a) || isPointer(b) || a.type.kind === 'unknown') {
    const [n1, n2] = [walk.isNull(a, facts), walk.isNull(b, facts)];
    if (operator === '==' || operator === '!=') {
      const tested = n2 === 'yes' ? a.number.symbol : n1 === 'yes' ? b.number.symbol : 0;
      if (tested !== 0) {
        facts.setNull(tested, operator === '==');
        for (const id of walk.moved.get(tested) ?? [])
          if (state.lives.get(id) === 'maybe freed') state.lives.set(id, operator === '==' ? 'live' : 'freed');
      }
      strings(walk, operator, a, nodes[0], state);
    }
  }
  strings(walk, operator, a, nodes[0], state, b);
  const unsigned = isUnsigned(a.type) || isUnsigned(b.type);
  const float = a.type.kind === 'float' || b.type.kind === 'float';
  if (float) return;
  switch (operator) {
    case '<':
      less(walk, a.number, b.number, 1, facts, unsigned);
      break;
    case '<=':
      less(walk, a.number, b.number, 0, facts, unsigned);
      break;
    case '>':
      less(walk, b.number, a.number, 1, facts, unsigned);
      break;
    case '>=':
      less(walk, b.number, a.number, 0, facts, unsigned);
      break;
    case '==':
      less(walk, a.number, b.number, 0, facts, false);
      less(walk, b.number, a.number, 0, facts, false);
      break;
    default: {
      const [x, y] = [walk.range(a.number, facts), walk.range(b.number, facts)];
      if (y.lo === y.hi && a.number.symbol !== 0 && Math.abs(a.number.scale) === 1) {
        const value = (y.lo - a.number.offset) * a.number.scale;
        facts.mark(`ne:${a.number.symbol}:${value}`);
        const base = walk.symbolRange(a.number.symbol, facts);
        if (base.lo === value) facts.narrow(a.number.symbol, { lo: value + 1, hi: Infinity });
        if (base.hi === value) facts.narrow(a.number.symbol, { lo: -Infinity, hi: value - 1 });
      }
      if (x.lo === x.hi && b.number.symbol !== 0 && b.number.scale === 1)
        facts.mark(`ne:${b.number.symbol}:${x.lo - b.number.offset}`);
    }
  }
  for (const value of [a, b]) if (value.elementOf !== undefined) learnElement(walk, value, state);
  if (contradiction(walk, a, facts) || contradiction(walk, b, facts)) state.dead = true;
}

function contradiction(walk: Walk, { number: { symbol } }: Value, facts: Facts): boolean {
  if (symbol === 0) return false;
  const { lo, hi } = walk.symbolRange(symbol, facts);
  return lo > hi;
}

// a + gap ≤ b
function less(walk: Walk, a: Linear, b: Linear, gap: number, facts: Facts, unsigned: boolean): void {
  const [x, y] = [walk.range(a, facts), walk.range(b, facts)];
  if (a.symbol !== 0) narrow(a, { lo: unsigned ? 0 : -Infinity, hi: y.hi - gap }, facts);
  if (b.symbol !== 0) narrow(b, { lo: x.lo + gap, hi: Infinity }, facts);
  if (a.symbol !== 0 && b.symbol !== 0 && a.symbol !== b.symbol && a.scale === b.scale && a.scale > 0) {
    facts.order(a.symbol, b.symbol, Math.floor((b.offset - a.offset - gap) / a.scale));
  }
  wraps(walk, a, b, gap, facts);
}

// `a ≤ most - b` and `a ≤ most / b`, `least - a ≤ b` and `least / a ≤ b` are how one asks whether a sum or a product fits.
function wraps(walk: Walk, a: Linear, b: Linear, gap: number, facts: Facts): void {
  if (a.symbol === 0 || b.symbol === 0) return;
  if (a.scale === -1 && b.scale === 1)
    facts.narrow(walk.pair('+', a.symbol, b.symbol), { lo: a.offset - b.offset + gap, hi: Infinity });
  const least = a.scale === 1 && a.offset === 0 && b.offset === 0 ? walk.quotients.get(a.symbol) : undefined;
  if (least !== undefined && b.scale === 1)
    facts.narrow(walk.pair('*', b.symbol, least.by), { lo: least.of, hi: Infinity });
  if (a.scale !== 1) return;
  if (b.scale === -1)
    facts.narrow(walk.pair('+', a.symbol, b.symbol), { lo: -Infinity, hi: b.offset - a.offset - gap });
  const quotient = b.scale === 1 && b.offset === 0 && a.offset === 0 ? walk.quotients.get(b.symbol) : undefined;
  if (quotient !== undefined) facts.narrow(walk.pair('*', a.symbol, quotient.by), { lo: -Infinity, hi: quotient.of });
}

function narrow({ symbol, scale, offset }: Linear, { lo, hi }: Range, facts: Facts): void {
  const [low, high] = scale > 0 ? [lo, hi] : [hi, lo];
  facts.narrow(symbol, { lo: Math.ceil((low - offset) / scale), hi: Math.floor((high - offset) / scale) });
}

// The character of a content: what it may be on this path, the content's characters may be behind a loop over all.
function learnElement(walk: Walk, value: Value, { facts }: State): void {
  const { lo, hi } = walk.range(value.number, facts);
  const content = value.elementOf as number;
  const { symbol } = value.number;
  facts.allowElement(
    content,
    characterSet((code) => (code >= lo && code <= hi && !facts.has(`ne:${symbol}:${code}`)) || (lo < 0 && code > 127)),
  );
}

// What a function's outcome says to the caller that tests it.
function outcome(walk: Walk, operator: string, a: Value, b: Value, state: State): void {
  if (a.outcomes === undefined) return;
  const possible = a.outcomes.filter(({ value, facts }) => {
    const there = new State();
    there.facts = facts;
    return !impossible(walk, operator, value, b, there);
  });
  if (possible.length === 0 || possible.length === a.outcomes.length) return;
  let facts = (possible[0] as Outcome).facts;
  for (const { facts: other } of possible.slice(1)) facts = facts.join(other);
  state.facts.learn(facts);
}

function strings(
  walk: Walk,
  operator: string,
  value: Value,
  node: CNode | undefined,
  state: State,
  other?: Value,
): void {
  if (node === undefined) return;
  let call: CNode | undefined = node;
  while (
    call?.type === 'parenthesized_expression' ||
    call?.type === 'cast_expression' ||
    call?.type === 'assignment_expression'
  ) {
    call = call.type === 'parenthesized_expression' ? call.children[0] : (child(call, 'value') ?? child(call, 'right'));
  }
  if (call?.type !== 'call_expression') {
    if (value.origin !== undefined && value.origin.node.type === 'call_expression') call = value.origin.node;
    else return;
  }
  learnString(walk, operator, call, state, other);
}
