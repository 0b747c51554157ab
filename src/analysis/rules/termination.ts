import { readsText } from '../engine/functions.js';
import type { RuleFamily } from '../engine/rule.js';
import type { Value } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';

/** Text without its zero: whoever reads it reads on behind it. */
export const termination: RuleFamily = {
  rules: [
    {
      id: 'unterminated',
      cwe: 'CWE-170',
      kind: 'termination',
      finds: 'text that strncpy may have left without its zero, read or left to the caller',
      discharge:
        'a zero written to its last element; memory that was zero before; a size that the text is tested against',
    },
  ],

  call(walk, { name, arguments: args, state }) {
    for (const [i, { value }] of args.entries()) {
      if (readsText(name, i)) read(walk, walk.content(value, state));
    }
  },

  assign(walk, { node, target, value, state }) {
    if (target.type !== 'subscript_expression' || value.number.symbol !== 0 || value.number.offset !== 0) return;
    const place = walk.quietly(() => walk.locate(target, state));
    const key = `${place?.regions[0]?.id}[]`;
    const content = state.store.get(key);
    if (content?.unterminated === undefined || !walk.holds(node)) return;
    const { unterminated: _, ...whole } = content;
    state.store.set(key, whole);
  },

  leave(walk, { state }) {
    for (const [key, value] of state.store) if (/^[*@].*\[\]$/.test(key)) read(walk, value);
  },
};

function read(walk: Walk, { unterminated }: Value): void {
  if (unterminated !== undefined)
    walk.report(
      'unterminated',
      unterminated.node,
      `${unterminated.callee} writes no zero behind a text that fills the room`,
    );
}
