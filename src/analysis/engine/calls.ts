import { type CNode, child, descendants } from '../c/syntax.js';
import { levelOf } from '../syntax/node.js';
import { freed, mayGiveNull } from './functions.js';
import { join, mergeValues } from './joins.js';
import { applyLibrary } from './library.js';
import type { CFunction } from './program.js';
import type { Argument } from './rule.js';
import { unknownType } from './types.js';
import { type Outcome, Source, State, type Value } from './values.js';
import { declare } from './variables.js';
import type { Frame, Walk } from './walk.js';

/** An activation that nothing has been walked of. */
export function frameOf(id: number, callee: CFunction, caller: Frame | null, values: readonly Value[]): Frame {
  return {
    id,
    function: callee,
    caller,
    scopes: [new Map()],
    exits: [],
    jumps: [],
    labels: new Map(),
    arguments: values,
  };
}

/** Walks a function's body with its arguments, and goes on with what its exits have in common. Null where it gives nothing. */
export function activate(
  walk: Walk,
  callee: CFunction,
  values: readonly Value[],
  caller: Frame | null,
  state: State,
): Value | null {
  walk.started.add(callee.name);
  const outer = walk.frame;
  const frame = frameOf(++walk.frames, callee, caller, values);
  walk.frame = frame;
  for (const [i, { name, type, node }] of callee.parameters.entries()) {
    if (name === '') continue;
    const variable = declare(walk, name, type, node);
    state.store.set(variable.key, { ...(values[i] ?? walk.fresh(type, Source.parameter)), type });
  }
  walk.statement(callee.body, state);
  if (!state.dead) endOfBody(walk, callee.body, state);
  walk.frame = outer;
  // Of a root nobody goes on.
  return caller === null ? null : mergeExits(walk, frame, state);
}

// At its closing brace; code that was cut off ends nowhere.
function endOfBody(walk: Walk, body: CNode, state: State): void {
  const brace = { ...body, start: body.end - 1 };
  if (walk.text(brace) === '}') leave(walk, brace, null, state);
  else walk.quietly(() => leave(walk, body, null, state));
}

/** Ends the path at a return, or at the function's end. */
export function leave(walk: Walk, node: CNode, value: Value | null, state: State): void {
  const { frame } = walk;
  walk.tell('leave', { node, value, frame, state });
  frame.exits.push({ state: new State(state), value });
  state.dead = true;
}

// What the caller goes on with: the exits' states together, and what each outcome says.
function mergeExits(walk: Walk, frame: Frame, state: State): Value | null {
  const { exits } = frame;
  if (exits.length === 0) {
    state.dead = true;
    return null;
  }
  const [first] = exits as [{ state: State; value: Value | null }];
  let joined = first.state;
  let value = first.value;
  for (const exit of exits.slice(1)) {
    // Every value that is known in one of them may have to be merged.
    if (walk.exhausted(joinWeight * exit.state.store.size)) break;
    value = value === null || exit.value === null ? null : mergeValues(walk, value, joined, exit.value, exit.state);
    joined = join(walk, joined, exit.state);
  }
  if (joined === first.state) joined = new State(joined);
  joined.dead = false;
  const own = `~${frame.id}`;
  for (const key of joined.store.keys()) if (ownedBy(key, own)) joined.store.delete(key);
  state.become(joined);
  if (value === null || exits.length === 1) return value;
  const outcomes: Outcome[] = exits.flatMap((exit) =>
    exit.value === null ? [] : [{ value: exit.value, facts: exit.state.facts }],
  );
  return { ...value, outcomes };
}

/** How much more a join takes than a branch, for each value that is known. */
const joinWeight = 4;
/** Calls within calls that are followed. */
const maximumDepth = 6;
/** Steps from a root, beyond which calls are no longer followed. */
const inlineBudget = 20_000;

/** The name of the function that is called, behind macros that rename. */
export function calleeOf(walk: Walk, call: CNode): string {
  const callee = child(call, 'function');
  return callee === undefined ? '' : walk.program.resolve(walk.text(callee));
}

/** A call: walked where the function is of this unit, modelled where it is a library's, else of unknown effect. */
export function call(walk: Walk, node: CNode, state: State): Value {
  const callee = child(node, 'function');
  const name = calleeOf(walk, node);
  const args: Argument[] = (child(node, 'arguments')?.children ?? []).map((argument) => ({
    node: argument,
    value: walk.evaluate(argument, state),
  }));
  if (callee !== undefined && callee.type !== 'identifier') walk.evaluate(callee, state);
  walk.tell('call', { node, name, arguments: args, state });
  const own = walk.program.functions.get(name);
  if (own !== undefined) {
    const works = !walk.quiet && worksOnAddresses(node, args);
    if (works) walk.matters(node);
    if (works && !walk.holds(node)) return walk.fresh(own.result, Source.own);
    if (!walk.quiet && !active(walk, own) && depth(walk) < maximumDepth && walk.steps < inlineBudget) {
      const values = args.map(({ value }) => value);
      const value = walk.elsewhere(levelOf(node), () => activate(walk, own, values, walk.frame, state));
      if (value !== undefined) {
        entrust(walk, args, own, state);
        return value ?? walk.fresh(own.result, Source.own);
      }
    }
    walk.escape(args, state);
    return walk.fresh(own.result, maximumSource(args));
  }
  if (walk.quiet) return walk.fresh(unknownType, Source.own);
  const modelled = applyLibrary(walk, { node, name, arguments: args, state });
  if (modelled !== undefined) return modelled;
  walk.escape(args, state);
  // What is declared elsewhere may fail where its name says that it allocates or looks for something.
  return walk.fresh(unknownType, Source.own, {
    origin: { node, callee: name },
    nullable: mayGiveNull(name) ? 'maybe' : undefined,
  });
}

// `swap(&a, &b);` is there for what it does to them.
function worksOnAddresses({ parent }: CNode, args: readonly Argument[]): boolean {
  const address = ({ node }: Argument): boolean => node.type === 'pointer_expression' && node.operator === '&';
  return parent?.type === 'expression_statement' && args.length > 0 && args.every(address);
}

// A function that frees the members of a list, one by one, frees the list.
function entrust(walk: Walk, args: readonly Argument[], own: CFunction, state: State): void {
  if (!frees(walk, own)) return;
  for (const { value } of args) {
    for (const { region } of value.targets) {
      if (state.lives.get(region.id) === 'live') state.lives.set(region.id, 'given away');
    }
  }
}

function frees(walk: Walk, { body }: CFunction): boolean {
  let frees = freeing.get(body);
  if (frees === undefined) {
    frees = descendants(body).some(
      (at) => at.type === 'call_expression' && freed(calleeOf(walk, at)) !== undefined && inLoop(at, body),
    );
    freeing.set(body, frees);
  }
  return frees;
}

function active(walk: Walk, own: CFunction): boolean {
  for (let at: Frame | null = walk.frame; at !== null; at = at.caller) if (at.function === own) return true;
  return false;
}

function depth(walk: Walk): number {
  let depth = 0;
  for (let at: Frame | null = walk.frame; at !== null; at = at.caller) depth++;
  return depth;
}

function maximumSource(args: readonly Argument[]): Source {
  return Math.max(0, ...args.map(({ value }) => value.source)) as Source;
}

function ownedBy(key: string, frame: string): boolean {
  const at = key.indexOf(frame);
  return at > 0 && key[at + frame.length] === '~' && !key.startsWith('*');
}

const freeing = new WeakMap<CNode, boolean>();

function inLoop(node: CNode, body: CNode): boolean {
  for (let at = node.parent; at !== null && at !== body; at = at.parent)
    if (/^(for|while|do)_/.test(at.type)) return true;
  return false;
}
