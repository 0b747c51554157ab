import { type CNode, child, descendants } from '../c/syntax.js';
import { leave } from './calls.js';
import { compare } from './conditions.js';
import { isExit } from './functions.js';
import { join } from './joins.js';
import { loop } from './loops.js';
import { assign, copyRecord } from './memory.js';
import { declared, sizeType } from './types.js';
import { type Linear, Source, State, scaleLinear, type Value } from './values.js';
import { bytesOf, declare, sizedBy } from './variables.js';
import type { Branches, Variable, Walk } from './walk.js';

/** Walks a statement: afterwards, the state is the one behind it. */
export function statement(walk: Walk, node: CNode, state: State): void {
  if (state.dead && !hasLabel(node)) return;
  if (walk.exhausted(state.store.size)) {
    state.dead = true;
    return;
  }
  switch (node.type) {
    case 'compound_statement':
      block(walk, node.children, state);
      return;
    case 'declaration':
      declaration(walk, node, state);
      return;
    case 'expression_statement':
      for (const item of node.children) walk.evaluate(item, state);
      return;
    case 'return_statement': {
      const result = node.children[0];
      leave(walk, node, result === undefined ? null : walk.evaluate(result, state), state);
      return;
    }
    case 'if_statement':
      ifStatement(walk, node, state);
      return;
    case 'for_statement':
    case 'while_statement':
    case 'do_statement':
      loop(walk, node, state);
      return;
    case 'switch_statement':
      switchStatement(walk, node, state);
      return;
    case 'break_statement':
      walk.frame.jumps.at(-1)?.breaks.push(new State(state));
      state.dead = true;
      return;
    case 'continue_statement':
      walk.frame.jumps.findLast(({ continues }) => continues !== null)?.continues?.push(new State(state));
      state.dead = true;
      return;
    case 'goto_statement': {
      const label = walk.text(child(node, 'label') ?? node);
      const waiting = walk.frame.labels.get(label);
      walk.frame.labels.set(label, waiting === undefined ? new State(state) : join(walk, waiting, state));
      state.dead = true;
      return;
    }
    case 'labeled_statement': {
      const waiting = walk.frame.labels.get(walk.text(child(node, 'label') ?? node));
      if (waiting !== undefined) state.become(join(walk, state, waiting));
      for (const item of node.children) if (item.field !== 'label') statement(walk, item, state);
      return;
    }
    case 'preproc_if':
    case 'preproc_ifdef':
    case 'preproc_elif':
    case 'preproc_elifdef':
      configured(walk, node, state);
      return;
    case 'else_clause':
    case 'preproc_else':
    case 'ERROR':
    case 'case_statement':
      for (const item of node.children)
        if (!/^(name|condition|value)$/.test(item.field ?? '')) statement(walk, item, state);
      return;
    case 'type_definition':
    case 'preproc_def':
    case 'preproc_function_def':
    case 'preproc_include':
    case 'preproc_call':
    case 'attribute_specifier':
    case 'struct_specifier':
      return;
    default:
      walk.evaluate(node, state);
  }
}

function block(walk: Walk, items: readonly CNode[], state: State): void {
  walk.frame.scopes.push(new Map());
  // What is only looked up, one walk may look up more often than another.
  if (walk.quiet) for (const item of items) statement(walk, item, state);
  else {
    const number = walk.blocks++;
    for (let i = walk.following?.catchUp(walk, number, state) ?? 0; i < items.length; i++) {
      statement(walk, items[i] as CNode, state);
      walk.trail?.mark(walk, number, i, state);
    }
  }
  walk.frame.scopes.pop();
}

function declaration(walk: Walk, node: CNode, state: State): void {
  const base = walk.program.type(child(node, 'type'));
  const isStatic = node.children.some(
    (item) => item.type === 'storage_class_specifier' && /static|extern/.test(walk.text(item)),
  );
  for (const declarator of node.children) {
    if (declarator.field !== 'declarator') continue;
    const found = declared(declarator, base, (at) => walk.text(at));
    if (found === undefined || found.type.kind === 'function') continue;
    const value = declarator.type === 'init_declarator' ? child(declarator, 'value') : undefined;
    const type = sizedBy(found.type, value);
    let length: Linear | null = null;
    if (type.kind === 'array' && type.length !== null && typeof type.length !== 'number') {
      const count = walk.evaluate(type.length, state).number;
      const each = bytesOf(walk, type.of);
      if (each !== undefined) length = scaleLinear(count, each);
    }
    const variable = declare(walk, found.name, type, found.node);
    const declaredHere = length === null ? variable : { ...variable, region: { ...variable.region, size: length } };
    (walk.frame.scopes.at(-1) as Map<string, Variable>).set(found.name, declaredHere);
    walk.forget(declaredHere.key, state);
    if (value !== undefined) initialise(walk, declaredHere, value, declarator, state);
    else if (!isStatic) state.store.set(declaredHere.key, { ...walk.fresh(type, Source.own), uninitialised: true });
  }
}

function initialise(walk: Walk, variable: Variable, value: CNode, declarator: CNode, state: State): void {
  const { type, key, region } = variable;
  if (type.kind === 'array') {
    const literalText = walk.stringOf(value);
    if (literalText !== undefined) walk.setText(region, { text: literalText, source: Source.own }, state);
    else if (value.type === 'initializer_list') {
      const items = value.children.map((item) => walk.evaluate(item, state));
      const sources = type.of.kind === 'pointer' ? items.map((item) => walk.content(item, state).source) : [];
      state.store.set(`${region.id}[]`, walk.fresh(type.of, Math.max(Source.own, ...sources) as Source));
      if (type.of.kind === 'int' && type.of.char) state.store.set(`${region.id}#`, walk.constant(0, sizeType));
    }
    return;
  }
  if (value.type === 'initializer_list') {
    const fields = type.kind === 'record' ? [...(type.fields?.entries() ?? [])] : [];
    for (const [i, item] of value.children.entries()) {
      const field = fields[i];
      const given = walk.evaluate(item.type === 'initializer_pair' ? (child(item, 'value') ?? item) : item, state);
      if (field !== undefined && item.type !== 'initializer_pair')
        state.store.set(`${key}.${field[0]}`, { ...given, type: field[1] });
    }
    return;
  }
  const result = walk.evaluate(value, state);
  // `char *at = start;`: without it the start itself would be moved.
  const start = value.type === 'identifier' && result.targets.length > 0 ? walk.lookup(walk.text(value)) : undefined;
  if (start !== undefined && type.kind === 'pointer' && !walk.holds(declarator)) walk.aliases.set(key, start.key);
  const from = type.kind === 'record' ? walk.locate(value, state) : undefined;
  if (from !== undefined) copyRecord(from.key, key, state);
  assign(
    walk,
    { key, type, regions: [], variable },
    result,
    declarator,
    child(declarator, 'declarator') ?? declarator,
    state,
  );
  const given = state.store.get(key);
  if (given !== undefined) state.store.set(key, { ...given, initial: { key, node: declarator } });
}

function ifStatement(walk: Walk, node: CNode, state: State): void {
  const condition = child(node, 'condition');
  const consequence = child(node, 'consequence');
  const otherwise = child(node, 'alternative');
  if (condition === undefined || consequence === undefined) {
    for (const item of node.children) statement(walk, item, state);
    return;
  }
  walk.tell('condition', { node: condition, state });
  const whole = otherwise === undefined && (exits(walk, consequence) || clamps(walk, condition, consequence));
  const span = whole && statements(consequence) <= 6 ? node : null;
  if (whole && !walk.consults(span ?? condition)) {
    walk.heeded = false;
    walk.evaluate(condition, state);
    walk.heeded = true;
    return;
  }
  const { yes, no } = whole ? guarded(walk, condition, span ?? condition, state) : walk.branch(condition, state, null);
  statement(walk, consequence, yes);
  if (otherwise !== undefined) statement(walk, otherwise, no);
  state.become(joinWays(walk, node, yes, no));
}

// What holds behind a branch, and which variables one of its ways alone assigned to.
function joinWays(walk: Walk, branch: CNode, one: State, two: State): State {
  const joined = join(walk, one, two);
  if (!one.dead && !two.dead) noteGaps(branch, one, two, joined);
  return joined;
}

// Variables of this activation that one way assigned to, and the other one did not.
function noteGaps(branch: CNode, yes: State, no: State, joined: State): void {
  for (const [key, value] of joined.store) {
    const [one, two] = [yes.store.get(key), no.store.get(key)];
    if (one === undefined || two === undefined || one === two || !/^\w+~\d+~\d+$/.test(key)) continue;
    const [first, second] = [bare(one, key), bare(two, key)];
    if ((first === undefined) === (second === undefined)) continue;
    const initial = (first === undefined ? second : first) as CNode | null;
    if (value.uninitialised || value.initial?.key === key) continue;
    joined.store.set(key, { ...value, gap: { key, branch, initial } });
  }
}

// The declaration that gave the value; null where nothing did, undefined where something else has on every way.
function bare(value: Value, key: string): CNode | null | undefined {
  if (value.uninitialised) return null;
  if (value.gap?.key === key) return value.gap.initial;
  return value.initial?.key === key ? value.initial.node : undefined;
}

// Where what a guard keeps out cannot be, for what others said of the same, it repeats them.
function guarded(walk: Walk, condition: CNode, guard: CNode, state: State): Branches {
  const before = state.dead;
  let others = false;
  const ways = walk.grounds.resting(
    (guards) => {
      for (const { start, end } of guards) others ||= start !== guard.start || end !== guard.end;
    },
    () => walk.branch(condition, state, guard),
  );
  if (!before) walk.passed(guard, others && ways.yes.dead);
  return ways;
}

// What a configuration has may be missing from another one: it keeps nothing away from what follows.
function configured(walk: Walk, node: CNode, state: State): void {
  const otherwise = child(node, 'alternative');
  const without = new State(state);
  for (const item of node.children)
    if (item !== otherwise && !/^(name|condition)$/.test(item.field ?? '')) statement(walk, item, state);
  if (otherwise !== undefined) statement(walk, otherwise, without);
  state.become(join(walk, state, without));
}

function exits(walk: Walk, node: CNode): boolean {
  switch (node.type) {
    case 'return_statement':
    case 'goto_statement':
    case 'break_statement':
    case 'continue_statement':
      return true;
    case 'expression_statement': {
      const call = node.children[0];
      if (call?.type !== 'call_expression') return false;
      const name = walk.calleeOf(call);
      const own = walk.program.functions.get(name);
      return isExit(name) || (own !== undefined && own.body.children.length > 0 && exitsProgram(walk, own.body));
    }
    case 'compound_statement':
    case 'else_clause':
      return node.children.length > 0 && exits(walk, node.children.at(-1) as CNode);
    case 'if_statement': {
      const [yes, no] = [child(node, 'consequence'), child(node, 'alternative')];
      return yes !== undefined && no !== undefined && exits(walk, yes) && exits(walk, no);
    }
    default:
      return false;
  }
}

function exitsProgram(walk: Walk, body: CNode): boolean {
  const last = body.children.at(-1)?.children[0];
  return last?.type === 'call_expression' && isExit(walk.calleeOf(last));
}

// `if (n > most) n = most;`
function clamps(walk: Walk, condition: CNode, consequence: CNode): boolean {
  const only =
    consequence.type === 'compound_statement' && consequence.children.length === 1
      ? consequence.children[0]
      : consequence;
  const assignment = only?.type === 'expression_statement' ? only.children[0] : undefined;
  if (assignment?.type !== 'assignment_expression') return false;
  const target = child(assignment, 'left');
  if (target === undefined || !/^(identifier|field_expression)$/.test(target.type)) return false;
  const text = walk.text(target);
  for (const at of descendants(condition)) if (at.type === target.type && walk.text(at) === text) return true;
  return false;
}

function switchStatement(walk: Walk, node: CNode, state: State): void {
  const condition = child(node, 'condition');
  const body = child(node, 'body');
  const value = condition === undefined ? undefined : walk.evaluate(condition, state);
  const jumps = { breaks: [] as State[], continues: null };
  walk.frame.jumps.push(jumps);
  walk.frame.scopes.push(new Map());
  const entry = new State(state);
  let current: State = new State(state);
  current.dead = true;
  let hasDefault = false;
  let named = true;
  for (const item of body?.children ?? []) {
    if (item.type === 'case_statement') {
      const label = child(item, 'value');
      const here = new State(entry);
      if (label === undefined) hasDefault = true;
      else {
        named &&= walk.program.enumerators.has(walk.text(label));
        if (value !== undefined) compare(walk, '==', value, walk.evaluate(label, here), here);
      }
      current = join(walk, current, here);
    }
    statement(walk, item, current);
  }
  walk.frame.scopes.pop();
  walk.frame.jumps.pop();
  let exit = current;
  for (const broken of jumps.breaks) exit = joinWays(walk, node, exit, broken);
  // Who names each of an enumeration's values has thought of all.
  if (!hasDefault) exit = named ? join(walk, exit, entry) : joinWays(walk, node, exit, entry);
  state.become(exit);
}

function statements(node: CNode): number {
  return node.type === 'compound_statement' ? node.children.length : 1;
}

function hasLabel(node: CNode): boolean {
  if (node.type === 'labeled_statement' || node.type === 'case_statement') return true;
  return /statement$|clause$|^preproc|^ERROR$/.test(node.type) && node.children.some(hasLabel);
}
