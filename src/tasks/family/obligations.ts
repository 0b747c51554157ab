import type { Effect, Run } from '../../analysis/c/machine.js';
import type { CNode } from '../../analysis/c/syntax.js';
import {
  char,
  charOf,
  int,
  Memory,
  nodeMemory,
  nullPointer,
  Pointer,
  sizeOf,
  streamMemory,
  text,
  textCells,
  type Value,
} from '../../analysis/c/values.js';
import { cases, type Attempt as Drawn, type Harm, type Held, type Input, type Outcome } from './cases.js';
import { defences } from './defences.js';
import { drawCases } from './draw.js';
import type { FamilySpec, Role, StepId } from './spec.js';
import { steps } from './steps.js';

/** Changes whenever a verdict of the teacher may change. */
export const teacherVersion = 4;

/** One input, as the machine takes it. */
export interface Attempt {
  inputs: Partial<Record<Role, Value>>;
  allocationFails?: boolean;
  /** What fopen finds. */
  file?: string | null;
}

/** An input that has to be served. */
export interface Benign extends Attempt {
  /** Whether the step did its work; `result` is what a value step returned or stored. */
  done(run: Run, result: Value): boolean;
  /** Harm that no memory error shows: the statement that did it. */
  harm(run: Run, result: Value): CNode | undefined;
}

/** An input that does harm to careless code: to memory, which shows by itself, or of another kind. */
export interface Attack extends Attempt {
  /** Harm that no memory error shows: the statement that did it. */
  harm(run: Run, result: Value): CNode | undefined;
  /** What kept the harm away, where no guard did; undefined where that is not known beforehand. */
  defence(run: Run): CNode[] | undefined;
  /** Careless code withstands it, too: nothing is credited for it. */
  harmless: boolean;
}

/** What a step must do and withstand; each call of a function makes new memory. */
export interface Obligation {
  benign: readonly (() => Benign)[];
  attacks: readonly (() => Attack)[];
}

/** The obligations of a function's steps, with inputs drawn for it: the same kinds that the judge draws from. */
export function obligationsOf(spec: FamilySpec): ReadonlyMap<StepId, Obligation> {
  let found = drawn.get(spec);
  if (found === undefined) {
    const { benign, attacks } = drawCases({ id: '', spec }, teacherVersion, 0);
    found = new Map(
      attacks.map(({ step, attempts }) => [
        step,
        {
          benign: benign.map((attempt) => () => benignOf(step, partOf(step, attempt))),
          attacks: few(attempts).map((attempt) => () => attackOf(step, partOf(step, attempt))),
        },
      ]),
    );
    drawn.set(spec, found);
  }
  return found;
}

const drawn = new WeakMap<FamilySpec, ReadonlyMap<StepId, Obligation>>();

/** What of an attempt is a step's own. */
function partOf(step: StepId, { inputs, files, failFrom, harmless }: Drawn): Drawn {
  const { roles } = steps[step];
  return {
    inputs: Object.fromEntries(Object.entries(inputs).filter(([role]) => roles.includes(role as Role))),
    ...(roles.includes('cfg') && files !== undefined && { files }),
    ...(failFrom !== undefined && { failFrom }),
    ...(harmless !== undefined && { harmless }),
  };
}

/** Letters, and bytes of a block, that an interpreter has patience for. */
const [mostLetters, mostBytes] = [1000, 8192];

/** Of each kind of attack those on the smallest and on the largest memory; one allocation that fails stands for all, as the teacher tries each. What is too large for it the judge has. */
function few(attempts: readonly Drawn[]): Drawn[] {
  const fit = attempts.filter(({ inputs, failFrom = 0 }) => {
    const sizes = Object.values(inputs).map(sizeIn);
    const bytes = inputs.sz?.kind === 'int' ? inputs.sz.value : 0n;
    return failFrom === 0 && Math.max(0, ...sizes) <= mostLetters && (bytes <= mostBytes || bytes > 2n ** 62n);
  });
  const kinds = new Map<number, Drawn[]>();
  for (const [i, attempt] of fit.entries()) {
    const kind = attempt.kin ?? -1 - i;
    kinds.set(kind, [...(kinds.get(kind) ?? []), attempt]);
  }
  return [...kinds.values()].flatMap((kin) => (kin.length > 1 ? [kin[0] as Drawn, kin.at(-1) as Drawn] : kin));
}

function sizeIn(input: Input): number {
  if (input.kind === 'buffer') return input.size;
  if (input.kind === 'ints') return input.values.length;
  return 'text' in input ? input.text.length : 0;
}

function benignOf(step: StepId, attempt: Drawn): Benign {
  const made = new Made(attempt);
  return {
    ...made.attempt,
    done: (run, result) => cases[step].done(attempt, made.outcome(run, result)),
    harm: harmOf(step, attempt, made),
  };
}

function harmOf(step: StepId, attempt: Drawn, made: Made): Benign['harm'] {
  const judge = cases[step].harm;
  return (run, result) => {
    const outcome = made.outcome(run, result);
    const harm = judge?.(attempt, outcome);
    return harm && made.culprit(harm, run, (calls) => judge?.(attempt, { ...outcome, calls }) !== undefined);
  };
}

function attackOf(step: StepId, attempt: Drawn): Attack {
  const made = new Made(attempt);
  return {
    ...made.attempt,
    harmless: attempt.harmless === true,
    harm: harmOf(step, attempt, made),
    defence: (run) => defences[step]?.(run, (role) => made.memory(role)),
  };
}

/** An attempt's inputs in the machine's memory, and what became of them. */
class Made {
  readonly attempt: Attempt;
  readonly #roles = new Map<Role, Memory>();
  /** What holders were given. */
  readonly #blocks = new Map<Role, Memory>();

  constructor({ inputs, failFrom, files }: Drawn) {
    const values: Partial<Record<Role, Value>> = {};
    for (const [role, input] of Object.entries(inputs) as [Role, Input][]) {
      const value = machineValue(input);
      values[role] = value;
      if (!(value instanceof Pointer) || value.memory === undefined) continue;
      this.#roles.set(role, value.memory);
      const block = heldIn(value.memory);
      if (input.kind === 'holder' && block !== undefined) this.#blocks.set(role, block);
    }
    const file = files === undefined ? undefined : (Object.values(files)[0] ?? null);
    this.attempt = {
      inputs: values,
      ...(failFrom !== undefined && { allocationFails: true }),
      ...(file !== undefined && { file }),
    };
  }

  memory(role: Role): Memory | undefined {
    return this.#roles.get(role);
  }

  outcome(run: Run, result: Value): Outcome {
    const calls = run.effects.filter(({ kind }) => kind === 'call');
    return {
      value: typeof result === 'bigint' ? Number(result) : undefined,
      bytes: (role) => bytesOf(this.#roles.get(role)),
      held: (role) => heldBy(this.#roles.get(role)),
      freed: (role) => (this.#blocks.get(role) ?? this.#roles.get(role))?.ended === 'freed',
      calls: calls.map(({ name = '', text = '' }) => ({ name, text })),
      // The machine stops where the input becomes a format.
      formats: [],
      printed: run.printed,
      open: this.#openStreams(run).length,
    };
  }

  /** The statement that did a harm. */
  culprit({ by, role }: Harm, run: Run, harmful: (calls: Outcome['calls']) => boolean): CNode {
    const memory = role === undefined ? undefined : this.#roles.get(role);
    const block = memory && heldIn(memory);
    const such = (effect: Effect): boolean => {
      if (by === 'call')
        return effect.kind === 'call' && harmful([{ name: effect.name ?? '', text: effect.text ?? '' }]);
      if (by === 'free') return effect.kind === 'free' && effect.memory === block;
      if (by === 'open') return effect === this.#openStreams(run)[0];
      return effect.kind === 'write' && effect.memory === (by === 'allocation' ? block : memory);
    };
    return run.effects.findLast(such)?.statement ?? run.last;
  }

  #openStreams({ effects }: Run): Effect[] {
    const given = new Set(this.#roles.values());
    return effects.filter(
      ({ kind, memory }) =>
        kind === 'write' && memory?.stream !== undefined && memory.ended === undefined && !given.has(memory),
    );
  }
}

function heldIn({ cells: [value] }: Memory): Memory | undefined {
  return value instanceof Pointer ? value.memory : undefined;
}

function machineValue(input: Input): Value {
  switch (input.kind) {
    case 'int':
      return input.value;
    case 'null':
      return nullPointer;
    case 'text':
      return new Pointer(new Memory(textCells(input.text), char));
    case 'bytes':
      return new Pointer(new Memory(textCells(input.text).slice(0, -1), char));
    case 'ints':
      return new Pointer(
        new Memory(
          input.values.map((value) => BigInt(value)),
          int,
        ),
      );
    case 'buffer': {
      const cells = textCells(input.text);
      return new Pointer(
        new Memory([...cells, ...new Array<Value>(input.size - cells.length).fill(charOf(0x7f))], char),
      );
    }
    case 'node':
      return new Pointer(nodeMemory(input.value));
    case 'holder': {
      if (input.block === null) return new Pointer(new Memory([nullPointer], text));
      const block = new Memory(new Array<Value>(input.block).fill(charOf(1)), char, { heap: true });
      return new Pointer(new Memory([new Pointer(block)], text));
    }
    case 'stream':
      return new Pointer(streamMemory(input.text));
    case 'stored':
      return undefined;
  }
}

/** A cell that nothing was written to is none of the bytes that anything is compared with. */
const unwritten = '\u0100';

function bytesOf(memory: Memory | undefined): string | undefined {
  const type = memory?.type;
  if (memory === undefined || type?.kind !== 'int') return undefined;
  return memory.cells
    .map((cell) => {
      if (typeof cell !== 'bigint') return unwritten;
      if (type.bits === 8) return String.fromCharCode(Number(cell) & 0xff);
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt.asIntN(64, cell));
      return bytes.toString('latin1', 0, type.bits / 8);
    })
    .join('');
}

function heldBy(holder: Memory | undefined): Held {
  const value = holder?.cells[0];
  if (!(value instanceof Pointer)) return { kind: 'unknown' };
  const { memory, offset } = value;
  if (memory === undefined) return { kind: 'null' };
  if (memory.ended !== undefined) return { kind: 'freed' };
  const text = (bytesOf(memory) ?? '').slice(offset);
  if (!memory.heap || offset !== 0) return { kind: 'elsewhere', text };
  const width = memory.type === undefined ? undefined : sizeOf(memory.type);
  return { kind: 'block', size: width === undefined ? memory.bytes : memory.cells.length * width, text };
}
