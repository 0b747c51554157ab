import { type CNode, child, descendants } from '../c/syntax.js';
import { owed, settle, unclosed } from '../engine/duties.js';
import { allocation, dereferencedBy, freed, freesObject, isExit } from '../engine/functions.js';
import { coveredBy } from '../engine/joins.js';
import type { RuleFamily } from '../engine/rule.js';
import type { State, Value } from '../engine/values.js';
import type { Frame, Walk } from '../engine/walk.js';
import { names } from '../names.js';

/** The life of allocations: freed once, not used afterwards, not lost. */
export const heap: RuleFamily = {
  rules: [
    {
      id: 'double-free',
      cwe: 'CWE-415',
      kind: 'lifetime',
      finds: 'memory freed that was freed before',
      discharge: 'the pointer set to null, or a return, between the two',
    },
    {
      id: 'use-after-free',
      cwe: 'CWE-416',
      kind: 'lifetime',
      finds: 'memory used after it was freed',
      discharge: 'the use before the free; the next pointer saved before it; realloc into another variable',
    },
    {
      id: 'leak',
      cwe: 'CWE-401',
      kind: 'release',
      finds: 'an allocation that nothing leads to when its function returns',
      discharge: 'freed, returned, or given away on that path',
    },
    {
      id: 'unclosed',
      cwe: 'CWE-775',
      kind: 'release',
      finds: 'a file, socket or directory that is still open when its function returns, and that nothing else leads to',
      discharge: 'closed, returned, or given away on that path',
    },
    {
      id: 'free-inside',
      cwe: 'CWE-761',
      kind: 'lifetime',
      finds: 'free of a pointer that does not lead to the start of its allocation',
      discharge: 'the start kept in a variable of its own',
    },
    {
      id: 'free-not-heap',
      cwe: 'CWE-590',
      kind: 'lifetime',
      finds: 'free of memory that no allocation gave',
      discharge: '',
    },
    {
      id: 'free-mismatch',
      cwe: 'CWE-762',
      kind: 'lifetime',
      finds: 'memory of new, new[] or malloc freed by another one’s delete, delete[] or free',
      discharge: 'the release that belongs to the allocation',
    },
  ],

  access(walk, { node, base, pointer, state }) {
    use(walk, node, base, pointer, state);
  },

  read(walk, { node, value: { saved }, state }) {
    if (saved === undefined || !state.lives.get(saved.from)?.endsWith('freed') || walk.holds(saved.node)) return;
    // The safe form: without it the value would be read from memory that is gone.
    walk.report('use-after-free', node, `what ${walk.text(node)} is would be in memory that was freed`);
  },

  call(walk, { node, name, arguments: args, state }) {
    const released = freed(name) ?? (reallocates.test(name) ? 0 : undefined);
    const argument = released === undefined ? undefined : args[released];
    if (argument !== undefined) {
      if (walk.isNull(argument.value, state.facts) === 'yes') return;
      free(walk, node, argument.node, argument.value, freesObject(name), state);
      mismatch(walk, node, name, argument.value);
      return;
    }
    if (allocation(name) !== undefined) return;
    const own = walk.program.functions.has(name);
    for (const [i, { node: given, value }] of args.entries()) {
      // A function of this unit is walked itself, and shows what it does with the pointer.
      if (dereferencedBy(name).includes(i) || (!own && value.targets.length > 0)) use(walk, given, given, value, state);
    }
  },

  assign(walk, { node, target, key, value, state }) {
    if (state.duties.size > 0 && /^[*@]|\./.test(key)) settle(unclosed, value, state);
    if (value.origin !== undefined && reallocates.test(value.origin.callee))
      grown(walk, node, target, value.origin.node);
  },

  leave(walk, { node, value, frame, state }) {
    open(walk, node, value, frame, state);
    const holders = holdersOf(state);
    for (const [id, life] of state.lives) {
      if (life !== 'live') continue;
      const { region, held } = holders.get(id) ?? { region: undefined, held: [] };
      if (region === undefined || (region.frame !== frame.id && frame.caller !== null)) continue;
      if (value?.targets.some((target) => target.region.id === id)) continue;
      // The caller may take the record apart.
      if (node.type === 'return_statement' && value !== null && value.type.kind === 'record') continue;
      const own = `~${frame.id}~`;
      if (frame.caller !== null || frame.function.name !== 'main') {
        if (held.some(([key]) => !key.includes(own))) continue;
        if (held.some(([key]) => key.startsWith('@') || key.startsWith('*'))) continue;
      }
      if (held.length > 0 && held.every(([, kept]) => walk.isNull(kept, state.facts) === 'yes')) continue;
      if (held.some(([key]) => key.startsWith('@'))) continue;
      if (
        held.some(([, kept]) => /^(no|maybe|unknown)$/.test(walk.isNull(kept, state.facts)) && kept.targets.length > 1)
      )
        continue;
      walk.report('leak', node, `the memory that ${walk.text(region.node).slice(0, 40)} gave is lost here`);
    }
  },
};

// `p = realloc(p, n)` loses the old memory where there is no new one.
function grown(walk: Walk, node: CNode, target: CNode, call: CNode): void {
  let given = child(node, 'right') ?? child(node, 'value');
  while (given?.type === 'cast_expression' || given?.type === 'parenthesized_expression')
    given = child(given, 'value') ?? given.children[0];
  const old = given === call ? child(call, 'arguments')?.children[0] : undefined;
  if (old === undefined || !/^(identifier|field_expression|pointer_expression)$/.test(old.type)) return;
  if (walk.frame.function.name === 'main' || endsBehind(walk, node)) return;
  const [from, to] = [old, target].map((at) => walk.text(at).replace(/^[\s*(]+|[\s)]+/g, ''));
  if (from === to || !walk.holds(node))
    walk.report('leak', node, 'where realloc gives null, nothing leads to the old memory');
}

// Where the program ends if the test behind the statement fails, nothing is lost.
function endsBehind(walk: Walk, node: CNode): boolean {
  let at = node;
  while (at.parent !== null && !/_statement$|^declaration$/.test(at.type)) at = at.parent;
  const { parent } = at;
  const next = at.type === 'if_statement' ? at : parent?.children[parent.children.indexOf(at) + 1];
  if (next?.type !== 'if_statement') return false;
  for (const call of descendants(next)) if (call.type === 'call_expression' && isExit(walk.calleeOf(call))) return true;
  return false;
}

// The process closes what main leaves open.
function open(walk: Walk, node: CNode, value: Value | null, frame: Frame, state: State): void {
  if (frame.function.name === 'main') return;
  for (const { rule, origin, symbol } of owed(state, frame.id)) {
    if (rule !== unclosed || (value !== null && coveredBy(value).includes(symbol))) continue;
    const handle = [...state.store.values()].find(({ number }) => number.symbol === symbol);
    if (handle === undefined || walk.isNull(handle, state.facts) === 'yes') continue;
    if (handle.type.kind === 'int' && walk.range(handle.number, state.facts).hi < 0) continue;
    walk.report(rule, node, `what ${origin.callee} opened is still open here`);
  }
}

type Region = Value['targets'][number]['region'];

/** The memory that lives, and what leads to it. */
function holdersOf({ lives, store }: State): Map<string, { region: Region; held: [key: string, value: Value][] }> {
  const holders = new Map<string, { region: Region; held: [string, Value][] }>();
  for (const [key, value] of store) {
    for (const { region } of value.targets) {
      if (lives.get(region.id) !== 'live') continue;
      const known = holders.get(region.id);
      if (known === undefined) holders.set(region.id, { region, held: [[key, value]] });
      else if (known.held.at(-1)?.[0] !== key) known.held.push([key, value]);
    }
  }
  return holders;
}

function use(walk: Walk, node: CNode, base: CNode, pointer: Value, state: State): void {
  if (walk.isNull(pointer, state.facts) === 'yes') return;
  const ids =
    pointer.targets.length > 0 ? pointer.targets.map(({ region }) => region.id) : [`*${pointer.number.symbol}`];
  for (const id of ids) {
    const life = state.lives.get(id);
    if (life === 'freed') walk.report('use-after-free', node, `${walk.text(base)} is used after it was freed`);
    else if (life === 'maybe freed')
      walk.report('use-after-free', node, `${walk.text(base)} is used after it may have been freed`);
  }
}

function free(walk: Walk, node: CNode, argument: CNode, pointer: Value, object: boolean, state: State): void {
  const ids =
    pointer.targets.length > 0 ? pointer.targets.map(({ region }) => region.id) : [`*${pointer.number.symbol}`];
  for (const id of ids) {
    const life = state.lives.get(id);
    if (life === 'freed') walk.report('double-free', node, `${walk.text(argument)} is freed a second time`);
    else if (life === 'maybe freed')
      walk.report('double-free', node, `${walk.text(argument)} may have been freed before`);
  }
  // What is inside an object's own memory may have been given to it.
  for (const { region, offset } of object ? [] : pointer.targets) {
    if (region.kind === 'variable' || region.kind === 'literal') {
      walk.report('free-not-heap', node, `${walk.text(argument)} leads to memory that no allocation gave`);
    } else if (region.kind === 'heap' && (offset.symbol !== 0 || offset.offset !== 0)) {
      walk.report('free-inside', node, `${walk.text(argument)} does not lead to the start of its allocation`);
    }
  }
}

function mismatch(walk: Walk, node: CNode, name: string, { targets }: Value): void {
  const family = (callee: string): string =>
    /^operator (new|delete)/.test(callee) ? (callee.includes('[]') ? '[]' : 'one') : 'C';
  for (const { region } of targets) {
    if (region.kind !== 'heap' || region.node.type !== 'call_expression') continue;
    if (family(walk.calleeOf(region.node)) === family(name)) continue;
    walk.report(
      'free-mismatch',
      node,
      `${walk.text(region.node).slice(0, 40)} and ${walk.text(node).slice(0, 40)} do not belong together`,
    );
  }
}

const reallocates = names(/^realloc/);
