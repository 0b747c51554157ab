import { type CNode, child, descendants } from '../c/syntax.js';
import { conversions } from '../engine/formats.js';
import { dereferencedBy, formatOf } from '../engine/functions.js';
import type { Argument, RuleFamily } from '../engine/rule.js';
import type { State, Value } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';

/** Pointers that may be null where they are followed. */
export const nullPointers: RuleFamily = {
  rules: [
    {
      id: 'null-dereference',
      cwe: 'CWE-476',
      kind: 'null',
      finds: 'a pointer followed that is null, that a call gave that may fail, or that the function tests elsewhere',
      discharge: 'a test against null on the way there',
    },
  ],

  access(walk, { node, base, pointer, state }) {
    check(walk, node, base, pointer, state);
  },

  call(walk, { node, name, arguments: args, state }) {
    for (const i of dereferencedBy(name)) {
      const argument = args[i];
      if (argument !== undefined) check(walk, node, argument.node, argument.value, state);
    }
    const format = formatOf(name);
    if (format !== undefined) texts(walk, node, args, format, state);
    // EVP_DigestInit_ex follows what EVP_MD_CTX_new gave.
    const [object] = args;
    const maker = object?.value.origin?.callee ?? '';
    const family = /^([A-Za-z]+_)\w*new$/.exec(maker)?.[1];
    if (object !== undefined && family !== undefined && name.startsWith(family) && !name.endsWith('_free'))
      check(walk, node, object.node, object.value, state);
  },
};

// What `%s` stands for.
function texts(walk: Walk, node: CNode, args: readonly Argument[], at: number, state: State): void {
  const given = args.slice(at + 1);
  if (!given.some(({ value }) => walk.isNull(value, state.facts) === 'maybe')) return;
  const literal = args[at] === undefined ? undefined : walk.stringOf(args[at].node);
  let next = 0;
  for (const { letter, stars } of literal === undefined ? [] : conversions(literal)) {
    next += stars;
    const text = given[next++];
    if (letter === 's' && text !== undefined) check(walk, node, text.node, text.value, state);
  }
}

function check(walk: Walk, node: CNode, base: CNode, pointer: Value, state: State): void {
  const status = walk.isNull(pointer, state.facts);
  if (status === 'yes') walk.report('null-dereference', node, `${walk.text(base)} is null here`);
  else if (status === 'maybe') {
    const from = pointer.origin === undefined ? '' : `: ${pointer.origin.callee} gives null on failure`;
    walk.report('null-dereference', node, `${walk.text(base)} may be null${from}`);
    // Reported once: what follows stands on the same pointer.
    if (pointer.number.symbol !== 0) state.facts.setNull(pointer.number.symbol, false);
  } else if (status === 'unknown' && pointer.number.symbol !== 0 && tested(walk).has(walk.text(base))) {
    // A test alone obliges to nothing: left out, the belief is left out with it.
    if (walk.whole)
      walk.report('null-dereference', node, `${walk.text(base)} is tested against null elsewhere, not on the way here`);
    state.facts.setNull(pointer.number.symbol, false);
  }
}

const tests = new WeakMap<CNode, ReadonlySet<string>>();

/** What the function at hand tests against null: its author believes that it may be. */
function tested(walk: Walk): ReadonlySet<string> {
  const { body } = walk.frame.function;
  let found = tests.get(body);
  if (found === undefined) {
    const names = new Set<string>();
    for (const at of descendants(body)) {
      if (at.type !== 'if_statement') continue;
      const condition = child(at, 'condition');
      if (condition !== undefined) gather(walk, condition, names);
    }
    found = names;
    tests.set(body, found);
  }
  return found;
}

function gather(walk: Walk, node: CNode, names: Set<string>): void {
  switch (node.type) {
    case 'identifier':
    case 'field_expression':
      names.add(walk.text(node));
      return;
    case 'binary_expression': {
      const [left, right] = [child(node, 'left'), child(node, 'right')];
      if (left === undefined || right === undefined) return;
      if (/^(&&|\|\|)$/.test(node.operator)) {
        gather(walk, left, names);
        gather(walk, right, names);
      } else if (
        /^[!=]=$/.test(node.operator) &&
        /^(null|identifier)$/.test(right.type) &&
        /^(NULL|nullptr)$/.test(walk.text(right))
      ) {
        gather(walk, left, names);
      }
      return;
    }
    case 'parenthesized_expression':
    case 'unary_expression':
      for (const item of node.children) gather(walk, item, names);
  }
}
