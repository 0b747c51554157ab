import type { Call, CallArgument, CallObject, CallReport } from '../../../sandbox/c/index.js';
import { type Attempt, type Held, type Input, type Outcome, period } from '../cases.js';
import type { FamilySpec, Role, StepId } from '../spec.js';
import { nodeLayout } from './offer.js';

/** Where the parts of an attempt are in its call. */
export interface Placed {
  call: Call;
  /** Among the objects that are not on the heap and are told of. */
  shared: ReadonlyMap<Role, number>;
  /** Among the objects on the heap. */
  heap: ReadonlyMap<Role, number>;
  watches: ReadonlyMap<Role, number>;
}

/** What a holder's memory is looked at for; longer copies are told apart by their size. */
const mostHeld = 512;
/** No result of any benign input. */
export const notStored = -77;

/** The call of the function with an attempt's inputs, each in memory that ends (or begins) exactly where it says. */
export function callOf(spec: FamilySpec, { inputs, failFrom, files }: Attempt, place: 'end' | 'start'): Placed {
  const objects: CallObject[] = [];
  const links: { object: number; offset: number; target: number }[] = [];
  const watches: { object: number; offset: number; most: number }[] = [];
  const [shared, heap, watched] = [new Map<Role, number>(), new Map<Role, number>(), new Map<Role, number>()];
  const add = (role: Role, object: CallObject): number => {
    const of = object.kind === 'heap' ? heap : shared;
    if (object.untold !== true) of.set(role, of.size);
    return objects.push(object) - 1;
  };
  const argument = (role: Role): CallArgument => {
    const input: Input = inputs[role] ?? (role === 'outp' ? { kind: 'stored' } : { kind: 'null' });
    switch (input.kind) {
      case 'int':
        return { number: input.value };
      case 'null':
        return { number: 0n };
      case 'stream':
        return { stream: add(role, { kind: place, size: input.text.length, ...written(input.text), untold: true }) };
      case 'holder': {
        const object = add(role, { kind: place, size: 8 });
        if (input.block !== null) {
          links.push({ object, offset: 0, target: add(role, { kind: 'heap', size: input.block, fill: 1 }) });
        }
        watched.set(role, watches.push({ object, offset: 0, most: mostHeld }) - 1);
        return { address: object };
      }
      default:
        return { address: add(role, memoryOf(input, place)) };
    }
  };
  const args = spec.parameters.map(argument);
  const existing = Object.entries(files ?? {}).map(([name, content]) => [name, latin1(content)] as const);
  const call: Call = { objects, links, args, failFrom, files: Object.fromEntries(existing), watches };
  return { call, shared, heap, watches: watched };
}

type MemoryInput = Extract<Input, { kind: 'text' | 'bytes' | 'ints' | 'buffer' | 'node' | 'stored' }>;

function memoryOf(input: MemoryInput, kind: 'end' | 'start'): CallObject {
  switch (input.kind) {
    case 'text':
      return { kind, size: input.text.length + 1, ...written(input.text), untold: true };
    case 'bytes':
      return { kind, size: input.text.length, ...written(input.text), untold: true };
    case 'ints':
      return { kind, size: 4 * input.values.length, bytes: Buffer.from(Int32Array.from(input.values).buffer) };
    case 'buffer':
      // Something else than NULs behind the string: an end that a program leaves out must show.
      return { kind, size: input.size, bytes: latin1(`${input.text}\0`), fill: 0x7f };
    case 'node': {
      const bytes = Buffer.alloc(nodeLayout.size);
      bytes.writeInt32LE(input.value, nodeLayout.value);
      return { kind: 'heap', size: nodeLayout.size, bytes };
    }
    case 'stored':
      return { kind, size: 4, bytes: Buffer.from(Int32Array.of(notStored).buffer) };
  }
}

/** The state after a call, as a step's predicates expect it. */
export function outcomeOf(
  report: CallReport,
  { shared, heap, watches }: Placed,
  spec: FamilySpec,
  step: StepId,
): Outcome {
  const { result, events, printed, open, objects, freed } = report;
  const bytesOf = (role: Role): Buffer | undefined => objects[shared.get(role) ?? -1];
  const last = spec.steps.at(-1) === step;
  return {
    value: last ? result : bytesOf('outp')?.readInt32LE(),
    bytes: (role) => bytesOf(role)?.toString('latin1'),
    held: (role): Held => {
      const watched = report.watches[watches.get(role) ?? -1];
      if (watched === undefined) return { kind: 'unknown' };
      const { kind, size } = watched;
      const text = watched.bytes.toString('latin1');
      if (kind === 'block') return { kind, size, text };
      return kind === 'null' || kind === 'freed' ? { kind } : { kind: 'elsewhere', text };
    },
    freed: (role) => freed[heap.get(role) ?? -1] === true,
    calls: events.filter(({ name }) => name !== 'format'),
    formats: events.filter(({ name }) => name === 'format').map(({ text }) => text),
    printed,
    open,
  };
}

/** A text as a plan has it: long ones come round, and are not sent whole. */
function written(text: string): Pick<CallObject, 'bytes' | 'repeated'> {
  const comesRound = text.length > 3 * period && text.slice(period) === text.slice(0, -period);
  return comesRound ? { bytes: latin1(text.slice(0, period)), repeated: text.length } : { bytes: latin1(text) };
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
