import { characters as charactersOf } from '../c/literals.js';
import { type CNode, child } from '../c/syntax.js';
import { exactRange, fits, fold, isUnsigned, negated, usual } from './arithmetic.js';
import { assembly } from './assembly.js';
import { call } from './calls.js';
import { compare, impossible } from './conditions.js';
import { knownConstants, macroValue, numberLiteral, stringLiteral } from './constants.js';
import { attend } from './duties.js';
import { join, mergeValues } from './joins.js';
import { assign, convert, copyRecord, move, read } from './memory.js';
import { isPointer, pointerTo } from './symbols.js';
import { concatenated } from './texts.js';
import { intType, longType, rangeOf, sizeType, unknownType } from './types.js';
import {
  addLinear,
  constant,
  type Linear,
  type Outcome,
  plain,
  type Range,
  Source,
  State,
  scaleLinear,
  type Value,
} from './values.js';
import { bytesOf, regionOf } from './variables.js';
import type { Walk } from './walk.js';

/** The value of an expression; its effects change the state. */
export function evaluate(walk: Walk, node: CNode, state: State): Value {
  if (walk.exhausted()) {
    state.dead = true;
    return walk.constant(0);
  }
  switch (node.type) {
    case 'parenthesized_expression':
    case 'condition_clause':
      return node.children.length === 0 ? walk.constant(0) : evaluate(walk, node.children.at(-1) as CNode, state);
    case 'number_literal':
      return numberLiteral(walk.text(node));
    case 'char_literal': {
      const inside = walk.text(node).slice(1, -1);
      const [code] = charactersOf(inside);
      return walk.constant(code ?? 0, intType);
    }
    case 'true':
      return macroValue(walk, 'true', node) ?? walk.constant(1);
    case 'false':
      return macroValue(walk, 'false', node) ?? walk.constant(0);
    case 'null':
      return walk.constant(0, { kind: 'pointer', to: { kind: 'void' } });
    case 'string_literal':
    case 'concatenated_string':
      return stringLiteral(walk, node);
    case 'identifier':
      return identifier(walk, node, state) ?? walk.fresh(unknownType, Source.own);
    case 'field_expression':
    case 'subscript_expression':
      return load(walk, node, state);
    case 'pointer_expression': {
      if (node.operator === '*') return load(walk, node, state);
      const argument = child(node, 'argument');
      return argument === undefined ? walk.constant(0) : address(walk, argument, state);
    }
    case 'call_expression': {
      const expansion = walk.program.expand(node);
      return expansion === undefined ? call(walk, node, state) : evaluate(walk, expansion, state);
    }
    case 'gnu_asm_expression':
      return assembly(walk, node, state);
    case 'assignment_expression':
      return assignment(walk, node, state);
    case 'update_expression':
      return update(walk, node, state);
    case 'binary_expression':
      return binary(walk, node, state);
    case 'unary_expression':
      return unary(walk, node, state);
    case 'conditional_expression':
      return conditional(walk, node, state);
    case 'cast_expression': {
      const inner = child(node, 'value');
      const type = child(node, 'type');
      if (inner === undefined || type === undefined) return walk.constant(0);
      const value = evaluate(walk, inner, state);
      const to = walk.program.described(type);
      walk.tell('cast', { node, type: to, value, state });
      return convert(walk, value, to, state);
    }
    case 'sizeof_expression':
      return sizeofExpression(walk, node, state);
    case 'comma_expression': {
      let last = walk.constant(0);
      for (const item of node.children) last = evaluate(walk, item, state);
      return last;
    }
    case 'compound_literal_expression': {
      const type = child(node, 'type');
      for (const item of child(node, 'value')?.children ?? []) evaluate(walk, item, state);
      return walk.fresh(type === undefined ? unknownType : walk.program.described(type), Source.own);
    }
    case 'compound_statement':
    case 'declaration':
    case 'expression_statement':
      walk.statement(node, state);
      return walk.fresh(unknownType, Source.own);
    default: {
      for (const item of node.children) evaluate(walk, item, state);
      return walk.fresh(unknownType, Source.own);
    }
  }
}

function identifier(walk: Walk, node: CNode, state: State): Value | undefined {
  const name = walk.text(node);
  const variable = walk.lookup(name);
  if (variable !== undefined) {
    const value = read(walk, { key: variable.key, type: variable.type, regions: [], variable }, state);
    walk.tell('read', { node, value, state });
    return value;
  }
  const macro = macroValue(walk, name, node);
  if (macro !== undefined) return macro;
  const enumerator = walk.program.enumerators.get(name);
  if (enumerator !== undefined) return walk.constant(enumerator);
  const known = knownConstants[name];
  if (known !== undefined && Object.hasOwn(knownConstants, name)) {
    const wide = known >= 2 ** 64 ? sizeType : longType;
    return walk.constant(
      known,
      name === 'NULL' ? { kind: 'pointer', to: { kind: 'void' } } : Math.abs(known) > 2 ** 31 ? wide : intType,
    );
  }
  return undefined;
}

function load(walk: Walk, node: CNode, state: State): Value {
  const place = walk.locate(node, state, false);
  if (place === undefined) return walk.fresh(unknownType, Source.own);
  const value = read(walk, place, state);
  walk.tell('read', { node, value, state });
  return value;
}

function address(walk: Walk, argument: CNode, state: State): Value {
  if (argument.type === 'subscript_expression') {
    const base = child(argument, 'argument');
    const index = child(argument, 'index') ?? argument.children[1];
    if (base !== undefined && index !== undefined) {
      const pointer = evaluate(walk, base, state);
      const at = evaluate(walk, index, state);
      const to = pointer.type.kind === 'pointer' ? pointer.type.to : unknownType;
      const bytes = bytesOf(walk, to);
      return bytes === undefined ? pointer : move(walk, pointer, scaleLinear(at.number, bytes), at.source, state);
    }
  }
  if (argument.type === 'pointer_expression' && argument.operator === '*') {
    const inner = child(argument, 'argument');
    if (inner !== undefined) return evaluate(walk, inner, state);
  }
  const name = argument.type === 'identifier' ? walk.text(argument) : '';
  if (walk.program.functions.has(name)) return walk.constant(1, { kind: 'pointer', to: { kind: 'function' } });
  const place = walk.locate(argument, state);
  if (place === undefined) return { ...walk.fresh(unknownType, Source.own, { nullable: 'no' }) };
  const region =
    place.variable?.region ??
    regionOf(walk, place.key, place.type, argument, place.regions[0]?.kind ?? 'outside', place.regions[0]?.frame ?? 0);
  const pointer = pointerTo(region);
  return place.type.kind === 'array' ? pointer : { ...pointer, type: { kind: 'pointer', to: place.type } };
}

function assignment(walk: Walk, node: CNode, state: State): Value {
  const left = child(node, 'left');
  const right = child(node, 'right');
  if (left === undefined || right === undefined) return walk.constant(0);
  let value = evaluate(walk, right, state);
  if (node.operator !== '=') {
    const old = evaluate(walk, left, state);
    value = calculate(walk, node, node.operator.slice(0, -1), old, value, state);
  }
  const place = walk.locate(left, state, true);
  if (place === undefined) return value;
  if (place.type.kind === 'record') {
    const from = walk.quietly(() => walk.locate(right, new State(state)));
    const result = assign(walk, place, value, node, left, state);
    if (from !== undefined) copyRecord(from.key, place.key, state);
    return result;
  }
  return assign(walk, place, value, node, left, state);
}

function update(walk: Walk, node: CNode, state: State): Value {
  const argument = child(node, 'argument');
  if (argument === undefined) return walk.constant(0);
  const old = evaluate(walk, argument, state);
  const changed = calculate(walk, node, node.operator === '++' ? '+' : '-', old, walk.constant(1), state);
  const place = walk.locate(argument, state, true);
  if (place !== undefined) assign(walk, place, changed, node, argument, state);
  return argument.start > node.start ? changed : old;
}

function binary(walk: Walk, node: CNode, state: State): Value {
  const left = child(node, 'left');
  const right = child(node, 'right');
  if (left === undefined || right === undefined) return walk.constant(0);
  if (node.operator === '&&' || node.operator === '||') {
    const { yes, no } = walk.branch(node, state, null);
    const decided = yes.dead ? 0 : no.dead ? 1 : undefined;
    const value =
      decided === undefined ? walk.fresh(intType, Source.own, { range: { lo: 0, hi: 1 } }) : walk.constant(decided);
    const outcomes = [
      ...(yes.dead ? [] : [{ value: walk.constant(1), facts: yes.facts }]),
      ...(no.dead ? [] : [{ value: walk.constant(0), facts: no.facts }]),
    ];
    state.become(join(walk, yes, no));
    return { ...value, outcomes };
  }
  const [a, b] = [evaluate(walk, left, state), evaluate(walk, right, state)];
  if (Object.hasOwn(negated, node.operator)) {
    walk.tell('arithmetic', {
      node,
      operator: node.operator,
      left: a,
      right: b,
      exact: { lo: 0, hi: 1 },
      type: intType,
      state,
    });
    attend(walk, [a, b], [left, right], state);
    if (impossible(walk, node.operator, a, b, state)) return walk.constant(0);
    if (impossible(walk, negated[node.operator] as string, a, b, state)) return walk.constant(1);
    const value = walk.fresh(intType, Math.max(a.source, b.source) as Source, { range: { lo: 0, hi: 1 } });
    const [yes, no] = [new State(state), new State(state)];
    compare(walk, node.operator, a, b, yes, [left, right]);
    compare(walk, negated[node.operator] as string, a, b, no, [left, right]);
    return {
      ...value,
      outcomes: [
        { value: walk.constant(1), facts: yes.facts },
        { value: walk.constant(0), facts: no.facts },
      ],
    };
  }
  return calculate(walk, node, node.operator, a, b, state);
}

function calculate(walk: Walk, node: CNode, operator: string, a: Value, b: Value, state: State): Value {
  const source = Math.max(a.source, b.source) as Source;
  const [pa, pb] = [isPointer(a), isPointer(b)];
  if ((operator === '+' || operator === '-') && pa !== pb && (pa || operator === '+')) {
    const [pointer, index] = pa ? [a, b] : [b, a];
    const to =
      pointer.type.kind === 'pointer' ? pointer.type.to : pointer.type.kind === 'array' ? pointer.type.of : unknownType;
    const bytes = bytesOf(walk, to) ?? 1;
    const by = scaleLinear(index.number, operator === '-' ? -bytes : bytes);
    return move(walk, pointer, by, index.source, state);
  }
  // Of texts in C++: no pointers of C can be added.
  if (pa && pb && operator === '+') return concatenated(walk, node, a, b, state);
  if (pa && pb && operator === '-') {
    const [t1, t2] = [a.targets[0], b.targets[0]];
    if (t1 !== undefined && t2 !== undefined && t1.region.id === t2.region.id) {
      const difference = addLinear(t1.offset, scaleLinear(t2.offset, -1));
      if (difference !== null) return { ...walk.constant(0, longType), number: difference };
    }
    return walk.fresh(longType, Source.own);
  }
  const type = usual(a.type, b.type);
  if (type.kind === 'float') {
    const decided =
      a.number.symbol === 0 && b.number.symbol === 0 ? fold(operator, a.number.offset, b.number.offset) : undefined;
    walk.tell('arithmetic', {
      node,
      operator,
      left: a,
      right: b,
      exact: { lo: decided ?? -Infinity, hi: decided ?? Infinity },
      type,
      state,
    });
    return decided === undefined ? walk.fresh(type, source) : walk.constant(decided, type);
  }
  const [x, y] = [walk.range(a.number, state.facts), walk.range(b.number, state.facts)];
  const exact = exactly(walk, operator, a.number, b.number, state);
  walk.tell('arithmetic', {
    node,
    operator,
    left: a,
    right: b,
    // Looked up when a rule asks, so that one can tell what its answer rests on.
    get exact() {
      return exactly(walk, operator, a.number, b.number, state);
    },
    type,
    state,
  });
  // `index % size` keeps an index inside.
  if (operator === '%' && a.number.symbol !== 0 && source !== Source.own && y.lo > 0 && !walk.holds(node))
    return walk.fresh(type, source);
  const linear = linearResult(operator, a.number, b.number);
  // Below zero an unsigned number is beyond all others.
  const under =
    operator === '-' && isUnsigned(type) && source !== Source.own && !walk.atMost(b.number, a.number, state.facts);
  if (linear !== undefined && (linear.symbol !== 0 || fits(exact, type)))
    return { ...plain(linear, type, source), wraps: under };
  const result = walk.fresh(type, source, { range: fits(exact, type) ? exact : rangeOf(type) });
  if (under) return { ...result, wraps: true };
  const both = a.source !== Source.own && b.source !== Source.own;
  if ((operator === '*' ? source !== Source.own : operator === '+' && both) && !fits(exact, type))
    return { ...result, wraps: true };
  if (operator === '/' && b.number.scale >= 0) divided(walk, result, a.number, b.number);
  if (operator === '%' && y.lo > 0 && b.number.symbol !== 0 && b.number.scale === 1)
    state.facts.order(result.number.symbol, b.number.symbol, b.number.offset - 1);
  if (operator === '&' && ((a.type.kind === 'int' && !a.type.signed) || x.lo >= 0)) masked(walk, result, a, b, state);
  return result;
}

function exactly(walk: Walk, operator: string, a: Linear, b: Linear, state: State): Range {
  const exact = exactRange(operator, walk.range(a, state.facts), walk.range(b, state.facts));
  return asked(walk, operator, a, b, exact, state);
}

// What a condition said of just this sum or product.
function asked(walk: Walk, operator: string, a: Linear, b: Linear, exact: Range, { facts }: State): Range {
  if ((operator !== '+' && operator !== '*') || a.symbol === 0 || b.symbol === 0 || a.scale !== 1 || b.scale !== 1)
    return exact;
  const known = facts.range(walk.pair(operator, a.symbol, b.symbol));
  const offset = operator === '+' ? a.offset + b.offset : 0;
  if (known === undefined || (operator === '*' && (a.offset !== 0 || b.offset !== 0))) return exact;
  return { lo: Math.max(exact.lo, known.lo + offset), hi: Math.min(exact.hi, known.hi + offset) };
}

// `SIZE_MAX / b`, and that divided by a number once more.
function divided(walk: Walk, result: Value, a: Linear, b: Linear): void {
  const before = walk.quotients.get(a.symbol);
  if (a.symbol === 0 && b.symbol !== 0 && b.scale === 1 && b.offset === 0)
    walk.quotients.set(result.number.symbol, { of: a.offset, by: b.symbol });
  else if (before !== undefined && a.scale === 1 && a.offset === 0 && b.symbol === 0 && b.offset > 0)
    walk.quotients.set(result.number.symbol, { of: before.of / b.offset, by: before.by });
}

function masked(walk: Walk, result: Value, a: Value, b: Value, { facts }: State): void {
  for (const side of [a, b])
    if (side.number.symbol !== 0 && side.number.scale === 1 && walk.range(side.number, facts).lo >= 0)
      facts.order(result.number.symbol, side.number.symbol, side.number.offset);
}

function linearResult(operator: string, a: Linear, b: Linear): Linear | undefined {
  if (a.symbol === 0 && b.symbol === 0) {
    const value = fold(operator, a.offset, b.offset);
    return value === undefined || !Number.isFinite(value) ? undefined : constant(Math.trunc(value));
  }
  if (operator === '+') return addLinear(a, b) ?? undefined;
  if (operator === '-') return addLinear(a, scaleLinear(b, -1)) ?? undefined;
  if (operator === '*' && (a.symbol === 0 || b.symbol === 0))
    return a.symbol === 0 ? scaleLinear(b, a.offset) : scaleLinear(a, b.offset);
  if (operator === '<<' && b.symbol === 0 && b.offset >= 0 && b.offset < 32) return scaleLinear(a, 2 ** b.offset);
  if (operator === '/' && b.symbol === 0 && b.offset === 1) return a;
  return undefined;
}

function unary(walk: Walk, node: CNode, state: State): Value {
  const argument = child(node, 'argument');
  if (argument === undefined) return walk.constant(0);
  const value = evaluate(walk, argument, state);
  switch (node.operator) {
    case '-':
      return { ...value, number: scaleLinear(value.number, -1), targets: [] };
    case '+':
      return value;
    case '!': {
      const zero = walk.constant(0, value.type);
      attend(walk, [value], [argument], state);
      if (impossible(walk, '==', value, zero, state)) return walk.constant(0);
      if (impossible(walk, '!=', value, zero, state)) return walk.constant(1);
      const denied = value.outcomes?.flatMap(({ value: outcome, facts }): Outcome[] => {
        const { lo, hi } = walk.range(outcome.number, facts);
        return lo > 0 || hi < 0 || (lo === 0 && hi === 0) ? [{ value: walk.constant(lo === 0 ? 1 : 0), facts }] : [];
      });
      const known = denied !== undefined && denied.length === value.outcomes?.length;
      return {
        ...walk.fresh(intType, value.source, { range: { lo: 0, hi: 1 } }),
        outcomes: known ? denied : undefined,
      };
    }
    case '~':
      return value.number.symbol === 0
        ? walk.constant(~value.number.offset, value.type)
        : walk.fresh(value.type, value.source);
    default:
      return value;
  }
}

function conditional(walk: Walk, node: CNode, state: State): Value {
  const condition = child(node, 'condition');
  const [yes, no] = [child(node, 'consequence'), child(node, 'alternative')];
  if (condition === undefined || no === undefined) return walk.constant(0);
  const { yes: taken, no: other } = walk.branch(condition, state, null);
  const a = taken.dead ? undefined : yes === undefined ? evaluate(walk, condition, taken) : evaluate(walk, yes, taken);
  const b = other.dead ? undefined : evaluate(walk, no, other);
  const joined = join(walk, taken, other);
  const value = a === undefined ? b : b === undefined ? a : mergeValues(walk, a, taken, b, other, joined.facts);
  state.become(joined);
  return value ?? walk.constant(0);
}

function sizeofExpression(walk: Walk, node: CNode, state: State): Value {
  const described = child(node, 'type');
  const inner = child(node, 'value');
  let bytes: number | undefined;
  if (described !== undefined) {
    const name = walk.text(described).trim();
    const variable = walk.lookup(name);
    bytes = bytesOf(walk, variable?.type ?? walk.program.described(described));
  } else if (inner !== undefined) {
    let plain: CNode = inner;
    while (plain.type === 'parenthesized_expression' && plain.children[0] !== undefined) plain = plain.children[0];
    const name = walk.text(plain);
    const text = walk.stringOf(plain);
    if (plain.type === 'identifier' && walk.lookup(name) === undefined && text === undefined)
      bytes = bytesOf(walk, walk.program.named(name));
    else if (text !== undefined && walk.lookup(walk.text(plain)) === undefined) bytes = text.length + 1;
    else {
      const scratch = new State(state);
      const place = walk.quietly(() => walk.locate(plain, scratch));
      const { variable } = place ?? {};
      if (variable?.region.size !== null && variable?.region.size !== undefined)
        return { ...walk.constant(0, sizeType), number: variable.region.size };
      bytes = bytesOf(walk, place?.type ?? walk.quietly(() => evaluate(walk, plain, scratch)).type);
    }
  }
  return bytes === undefined
    ? walk.fresh(sizeType, Source.own, { range: { lo: 1, hi: 2 ** 31 } })
    : walk.constant(bytes, sizeType);
}
