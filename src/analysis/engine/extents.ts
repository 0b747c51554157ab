import type { CFunction } from './program.js';
import { constant, type Region, scaleLinear, type Value } from './values.js';
import { bytesOf } from './variables.js';
import type { Walk } from './walk.js';

/** What parameters are called that say how much another one leads to. */
const counting =
  /^(n|len|length|size|count|num|cnt|sz|cap|capacity|total|bytes|nbytes|nelems?)$|[a-z_](len|length|size|count|num|cnt|sz|cap|capacity|bytes)$|_n$|[a-z](Len|Length|Size|Count|Cap|Capacity|Bytes)$|^num_?\w+/;

/**
 * Gives the memory that parameters lead to its size: a pointer that a count follows, as in `(char *out, size_t out_size)`, leads to as
 * many elements. Only where nobody of the unit calls: else the arguments themselves say it.
 */
export function sizeParameters(walk: Walk, root: CFunction, values: readonly Value[]): Value[] {
  return values.map((value, i) => {
    // main's come in the other order, and its environment without a count.
    const at = root.name !== 'main' ? i + 1 : i === 1 ? 0 : -1;
    const [count, name] = [values[at], root.parameters[at]?.name ?? ''];
    if (
      value.type.kind !== 'pointer' ||
      count === undefined ||
      count.type.kind !== 'int' ||
      (root.name !== 'main' && !counting.test(name))
    )
      return value;
    const each = value.type.to.kind === 'void' ? 1 : bytesOf(walk, value.type.to);
    if (each === undefined) return value;
    const { node } = root;
    const region: Region = {
      id: `*${value.number.symbol}`,
      kind: 'outside',
      source: value.source,
      size: scaleLinear(count.number, each),
      type: { kind: 'unknown', name: '' },
      node,
      frame: 0,
    };
    walk.outsides.set(region.id, region);
    return { ...value, targets: [{ region, offset: constant(0) }] };
  });
}
