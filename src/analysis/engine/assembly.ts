import { type CNode, child } from '../c/syntax.js';
import { assign } from './memory.js';
import type { Argument } from './rule.js';
import { unknownType } from './types.js';
import { Source, type State, type Value } from './values.js';
import type { Walk } from './walk.js';

/** Inline assembly, which nobody reads: what it writes may be anything afterwards, and so may what it is given the address of. */
export function assembly(walk: Walk, node: CNode, state: State): Value {
  const operands = (field: string): CNode[] =>
    (child(node, field)?.children ?? []).flatMap((operand) => child(operand, 'value') ?? []);
  const inputs = operands('input_operands');
  const given = inputs.map((operand): Argument => ({ node: operand, value: walk.evaluate(operand, state) }));
  walk.escape(given, state);
  const addressed = inputs.flatMap((operand) =>
    operand.type === 'pointer_expression' && operand.operator === '&' ? (child(operand, 'argument') ?? []) : [],
  );
  for (const operand of [...addressed, ...operands('output_operands')]) {
    const place = walk.locate(operand, state);
    if (place !== undefined) assign(walk, place, walk.fresh(place.type, Source.parameter), node, operand, state);
  }
  return walk.fresh(unknownType, Source.own);
}
