import type { Rule, RuleFamily } from '../engine/rule.js';
import { heap } from './heap.js';
import { nullPointers } from './null.js';

/** All rule families, in the order in which they hear of what happens. */
export const families: readonly RuleFamily[] = [nullPointers, heap];

/** The table of all rules. */
export const rules: ReadonlyMap<string, Rule> = new Map(
  families.flatMap(({ rules }) => rules).map((rule) => [rule.id, rule]),
);
