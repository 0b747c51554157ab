import type { CNode } from '../c/syntax.js';
import { dereferenced } from '../engine/library.js';
import type { RuleFamily } from '../engine/rule.js';
import type { State, Value } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';

/** Pointers that may be null where they are followed. */
export const nullPointers: RuleFamily = {
  rules: [
    {
      id: 'null-dereference',
      cwe: 'CWE-476',
      severity: 'medium',
      kind: 'null',
      finds: 'the result of a call that gives null on failure, or a null pointer, followed without a test',
      discharge: 'a test against null on the way there',
    },
  ],

  access(walk, { node, base, pointer, state }) {
    check(walk, node, base, pointer, state);
  },

  call(walk, { node, name, arguments: args, state }) {
    for (const i of dereferenced[name] ?? []) {
      const argument = args[i];
      if (argument !== undefined) check(walk, node, argument.node, argument.value, state);
    }
  },
};

function check(walk: Walk, node: CNode, base: CNode, pointer: Value, state: State): void {
  const status = walk.isNull(pointer, state.facts);
  if (status === 'yes') walk.report('null-dereference', node, `${walk.text(base)} is null here`);
  else if (status === 'maybe') {
    const from = pointer.origin === undefined ? '' : `: ${pointer.origin.callee} gives null on failure`;
    walk.report('null-dereference', node, `${walk.text(base)} may be null${from}`);
    // Reported once: what follows stands on the same pointer.
    if (pointer.number.symbol !== 0) state.facts.setNull(pointer.number.symbol, false);
  }
}
