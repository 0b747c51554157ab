import type { Effect, Run } from '../../analysis/c/machine.js';
import type { CNode } from '../../analysis/c/syntax.js';
import { type Memory, Pointer } from '../../analysis/c/values.js';
import type { Role, StepId } from './spec.js';

type Find = (run: Run, memory: (role: Role) => Memory | undefined) => CNode[];

/**
 * What keeps the harm away where no guard rejects an attack and none is needed: the bounded call, the check of a loop, the order of two
 * statements. Steps that are not here can only be defended by a decision.
 */
export const defences: Readonly<Partial<Record<StepId, Find>>> = {
  copy: writesTo('dst'),
  cat: writesTo('dst'),
  line: writesTo('lbuf'),
  print: (run) => statements(run, ({ kind, name = '' }) => kind === 'call' && printers.has(name)),
  // Where the copy was allocated, in its right size.
  dup: (run, memory) => {
    const block = heldIn(memory('outs'));
    return statements(run, (effect) => block !== undefined && effect.memory === block).slice(0, 1);
  },
  free: writesTo('pp'),
  take: (run, memory) => {
    const node = memory('node');
    return statements(run, (effect) => node !== undefined && effect.memory === node && effect.kind !== 'write');
  },
  sum: (run, memory) => {
    const array = memory('arr');
    return [...new Set(run.effects.flatMap(({ memory, loop }) => (memory === array && loop ? [loop] : [])))];
  },
  file: (run) => statements(run, ({ kind, memory }) => kind === 'free' && memory?.stream !== undefined),
};

const printers: ReadonlySet<string> = new Set(['printf', 'fprintf', 'puts', 'fputs']);

function writesTo(role: Role): Find {
  return (run, memory) => {
    const target = memory(role);
    return statements(run, (effect) => effect.kind === 'write' && target !== undefined && effect.memory === target);
  };
}

function heldIn(holder: Memory | undefined): Memory | undefined {
  const value = holder?.cells[0];
  return value instanceof Pointer ? value.memory : undefined;
}

/** The statements with such an effect, in order, each once. */
function statements(run: Run, such: (effect: Effect) => boolean): CNode[] {
  return [...new Set(run.effects.filter(such).map((effect) => effect.statement))];
}
