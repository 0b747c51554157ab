import type { Cwe } from '../../teacher/teacher.js';
import type { CNode } from '../c/syntax.js';
import type { CType } from './types.js';
import type { Linear, Range, State, Value } from './values.js';
import type { Frame, Walk } from './walk.js';

/** A row of the table of rules; how severe its finding is follows from the CWE. */
export interface Rule {
  readonly id: string;
  readonly cwe: Cwe;
  /** What it looks for. */
  readonly finds: string;
  /** What keeps it quiet, and is credited for it. */
  readonly discharge: string;
  /** The kind of the spans that are credited. */
  readonly kind: string;
}

export interface CallEvent {
  readonly node: CNode;
  /** With macros that rename resolved. */
  readonly name: string;
  readonly arguments: readonly Argument[];
  readonly state: State;
}

export interface Argument {
  readonly node: CNode;
  readonly value: Value;
}

export interface AccessEvent {
  readonly node: CNode;
  readonly pointer: Value;
  /** The expression of the pointer. */
  readonly base: CNode;
  /** Of `p[i]`. */
  readonly index: Value | null;
  /** How many bytes are read or written; null where unknown. */
  readonly bytes: Linear | null;
  readonly write: boolean;
  readonly state: State;
}

export interface ArithmeticEvent {
  readonly node: CNode;
  readonly operator: string;
  readonly left: Value;
  readonly right: Value;
  /** The result's range before it is fitted into its type. */
  readonly exact: Range;
  readonly type: CType;
  readonly state: State;
}

export interface ReadEvent {
  readonly node: CNode;
  readonly value: Value;
  readonly state: State;
}

export interface CastEvent {
  readonly node: CNode;
  readonly type: CType;
  readonly value: Value;
  readonly state: State;
}

export interface AssignEvent {
  readonly node: CNode;
  readonly target: CNode;
  readonly key: string;
  readonly value: Value;
  readonly state: State;
}

export interface LeaveEvent {
  /** The return statement, or the function's body where it ends by itself. */
  readonly node: CNode;
  readonly value: Value | null;
  readonly frame: Frame;
  readonly state: State;
}

export interface ConditionEvent {
  readonly node: CNode;
  readonly state: State;
}

/** A rule family: its rows of the table, and what it listens to. */
export interface RuleFamily {
  readonly rules: readonly Rule[];
  call?(walk: Walk, event: CallEvent): void;
  access?(walk: Walk, event: AccessEvent): void;
  arithmetic?(walk: Walk, event: ArithmeticEvent): void;
  read?(walk: Walk, event: ReadEvent): void;
  cast?(walk: Walk, event: CastEvent): void;
  assign?(walk: Walk, event: AssignEvent): void;
  condition?(walk: Walk, event: ConditionEvent): void;
  leave?(walk: Walk, event: LeaveEvent): void;
  loop?(walk: Walk, event: ConditionEvent): void;
  /** Once, over the whole unit. */
  unit?(walk: Walk): void;
}

type Hook = Exclude<keyof RuleFamily, 'rules'>;

/** Who listens to what, in the order of the families. */
export type Listeners = { readonly [Kind in Hook]: readonly NonNullable<RuleFamily[Kind]>[] };

export function listenersOf(families: readonly RuleFamily[]): Listeners {
  const to = <Kind extends Hook>(kind: Kind): NonNullable<RuleFamily[Kind]>[] =>
    families.flatMap((family) => family[kind] ?? []) as NonNullable<RuleFamily[Kind]>[];
  return {
    call: to('call'),
    access: to('access'),
    arithmetic: to('arithmetic'),
    read: to('read'),
    cast: to('cast'),
    assign: to('assign'),
    condition: to('condition'),
    leave: to('leave'),
    loop: to('loop'),
    unit: to('unit'),
  };
}
