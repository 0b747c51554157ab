import { conversions } from '../engine/formats.js';
import { formatOf, readsText } from '../engine/functions.js';
import type { Argument, RuleFamily } from '../engine/rule.js';
import type { Origin } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';

/** Text without its zero: whoever reads it reads on behind it. */
export const termination: RuleFamily = {
  rules: [
    {
      id: 'unterminated',
      cwe: 'CWE-170',
      kind: 'termination',
      finds:
        'text that strncpy, read, recv, fread or readlink may have left without its zero, read as text; what strncpy left to the caller',
      discharge:
        'a zero written to its last element; memory that was zero before; a size that the text is tested against',
    },
  ],

  call(walk, { name, arguments: args, state }) {
    if (bounded.test(name)) return;
    for (const [i, { value }] of args.entries()) {
      if (!readsText(name, i)) continue;
      const { unterminated } = walk.content(value, state);
      if (unterminated !== undefined && !isCut(walk, name, args, i)) open(walk, unterminated);
    }
  },

  assign(walk, { node, target, value, state }) {
    if (!/^(subscript|pointer)_expression$/.test(target.type)) return;
    if (value.number.symbol !== 0 || value.number.offset !== 0) return;
    const place = walk.quietly(() => walk.locate(target, state));
    const key = `${place?.regions[0]?.id}[]`;
    const content = state.store.get(key);
    if (content?.unterminated === undefined || !walk.holds(node)) return;
    state.store.set(key, { ...content, unterminated: undefined });
  },

  leave(walk, { state }) {
    for (const [key, { unterminated }] of state.store)
      if (unterminated?.callee === 'strncpy' && /^[*@].*\[\]$/.test(key)) open(walk, unterminated);
  },
};

/** Functions that are told how far they may read. */
const bounded = /^(mem\w+|strn\w+|f?read|f?write)$/;

// `%.*s`: how far printf reads is said.
function isCut(walk: Walk, name: string, args: readonly Argument[], i: number): boolean {
  const at = formatOf(name);
  const format = at === undefined ? undefined : args[at];
  const literal = format === undefined ? undefined : walk.stringOf(format.node);
  if (at === undefined || literal === undefined) return false;
  let next = at + 1;
  for (const { letter, precision, stars } of conversions(literal)) {
    next += stars;
    if (next++ === i) return letter !== 's' || precision !== null || stars > 0;
  }
  return true;
}

function open(walk: Walk, { node, callee }: Origin): void {
  walk.report('unterminated', node, `${callee} writes no zero behind a text that fills the room`);
}
