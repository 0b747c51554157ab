import type { RuleFamily } from '../engine/rule.js';
import { Source } from '../engine/values.js';

/** Memory that is read before it is written. */
export const initialisation: RuleFamily = {
  rules: [
    {
      id: 'uninitialised',
      cwe: 'CWE-457',
      kind: 'initialisation',
      finds: 'a variable read that nothing was assigned to',
      discharge: 'an assignment on every way there',
    },
  ],

  read(walk, { node, value, state }) {
    if (
      !value.uninitialised ||
      node.type !== 'identifier' ||
      value.type.kind === 'array' ||
      value.type.kind === 'record' ||
      value.type.kind === 'unknown'
    )
      return;
    walk.report('uninitialised', node, `${walk.text(node)} is read before anything is assigned to it`);
    const variable = walk.lookup(walk.text(node));
    if (variable !== undefined) state.store.set(variable.key, { ...walk.fresh(value.type, Source.own) });
  },
};
