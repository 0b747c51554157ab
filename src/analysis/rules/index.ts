import { type Listeners, listenersOf, type Rule, type RuleFamily } from '../engine/rule.js';
import { bounds } from './bounds.js';
import { concurrency } from './concurrency.js';
import { control } from './control.js';
import { heap } from './heap.js';
import { initialisation } from './initialisation.js';
import { injection } from './injection.js';
import { integers } from './integers.js';
import { nullPointers } from './null.js';
import { secrets } from './secrets.js';
import { termination } from './termination.js';
import { types } from './types.js';
import { unchecked } from './unchecked.js';

/** All rule families, in the order in which they hear of what happens. */
export const families: readonly RuleFamily[] = [
  nullPointers,
  heap,
  bounds,
  integers,
  injection,
  unchecked,
  initialisation,
  termination,
  concurrency,
  control,
  secrets,
  types,
];

export const listeners: Listeners = listenersOf(families);

/** The table of all rules. */
export const rules: ReadonlyMap<string, Rule> = new Map(
  families.flatMap(({ rules }) => rules).map((rule) => [rule.id, rule]),
);
