import type { CNode } from './syntax.js';
import {
  type CType,
  char,
  type IntType,
  int,
  letters,
  Memory,
  nullPointer,
  type Pointer,
  same,
  sizeOf,
  type Value,
  wrapped,
} from './values.js';

/** The world in which a function runs. */
export interface World {
  /** What the parameters hold, in order. */
  parameters: readonly Value[];
  /** Whether malloc and its like give null; told by the call. */
  allocationFails?: ((call: CNode) => boolean) | undefined;
  /** What fopen gives: null, or a stream of this text. Without it nothing is known of fopen. */
  file?: string | null | undefined;
  /** Conditions that count as true or false, whatever they say. */
  forced?: ReadonlyMap<CNode, boolean> | undefined;
  /** Undefined behaviour that is passed over: what it would have given is not known then. */
  excused?: ReadonlySet<CNode> | undefined;
  /** What static variables hold; calls in one process share it. */
  statics?: Map<object, Memory> | undefined;
  /** The function was called before, who knows how often and with what: static variables that it can change hold anything. */
  calledBefore?: boolean | undefined;
  /** Work that several runs share; the run's own limit applies all the same. */
  meter?: Meter | undefined;
}

/** A thing that the function did to memory, or a call that reaches out of the program. */
export interface Effect {
  kind: 'read' | 'write' | 'free' | 'call';
  memory?: Memory | undefined;
  /** Of a call. */
  name?: string | undefined;
  /** The first text among a call's arguments. */
  text?: string | undefined;
  statement: CNode;
  /** Condition of the innermost loop. */
  loop?: CNode | undefined;
}

/** An if statement. */
export interface Guard {
  statement: CNode;
  condition: CNode;
  /** Whether its condition held when the function left by it. */
  held: boolean;
}

/**
 * How a run ended. `left`: by an exit of the process. `unknown`: by something that the machine does not understand, or has no patience
 * for: nothing may be believed of what the function does then.
 */
export type Outcome = 'returned' | 'left' | 'trapped' | 'unknown';

/** What one run showed. */
export interface Run {
  outcome: Outcome;
  returned: Value;
  /** Undefined behaviour that a sanitizer would stop: where, and on which memory. */
  trap: { node: CNode; why: string; memory: Memory | undefined } | undefined;
  unknown: { node: CNode; why: string } | undefined;
  /** The innermost if in which the function left, or jumped to where it left. */
  leftBy: Guard | undefined;
  /** Conditions that chose between two ways, the last one last, each with what it said last. */
  decisions: ReadonlyMap<CNode, boolean>;
  /** In order; of the same reads or writes by one statement, the first. */
  effects: Effect[];
  printed: string;
  /** The statement that was run last. */
  last: CNode;
  /** Units of work; about one for each node of the syntax tree that was run, and for eight cells that were touched. */
  work: number;
}

/** What a run may take. */
export const limits: Readonly<Record<'work' | 'cells' | 'printed' | 'object' | 'effects', number>> = {
  work: 200_000,
  /** Made, all in all. */
  cells: 1 << 20,
  /** Letters. */
  printed: 1 << 16,
  /** Cells of one array. */
  object: 1 << 18,
  effects: 20_000,
};

/** Work that is left for several runs together. */
export class Meter {
  readonly limit: number;
  spent = 0;

  constructor(limit: number) {
    this.limit = limit;
  }
}

class Trap {
  readonly node: CNode;
  readonly why: string;
  readonly memory: Memory | undefined;
  constructor(node: CNode, why: string, memory: Memory | undefined) {
    this.node = node;
    this.why = why;
    this.memory = memory;
  }
}

/** What is not understood, in a run or in the program. */
export class Unknown {
  readonly node: CNode;
  readonly why: string;
  constructor(node: CNode, why: string) {
    this.node = node;
    this.why = why;
  }
}

/** The process's exit. */
class Left {}

/** A cell. */
export interface Place {
  memory: Memory;
  index: number;
}

/** A variable of the function; its object is made when its declaration is met. */
export interface Variable {
  /** Its place in the frame. */
  readonly slot: number;
  /** Of one cell. */
  readonly type: CType;
  readonly array: boolean;
  /** Lives as long as the process does. */
  readonly fixed: boolean;
  /** Is not written to. */
  readonly constant: boolean;
  /** Cells; undefined for an array whose length is known only when it is met. */
  readonly length: number | undefined;
}

/** Program as the machine runs it. */
export interface Runnable {
  readonly body: CNode;
  readonly parameters: readonly Variable[];
  readonly slots: number;
  /** It has static variables that it can change. */
  readonly remembers: boolean;
  run(machine: Machine): void;
}

/**
 * Runs a function on concrete values, as AddressSanitizer and UBSan would see it: out of bounds, null, freed, overflow. All that it does
 * is charged to a budget by what it does, never by the clock. What is not known is never guessed: a branch on it ends the run.
 */
export class Machine {
  readonly effects: Effect[] = [];
  readonly world: World;
  readonly statics: Map<object, Memory>;
  readonly decisions: Map<CNode, boolean> = new Map();
  readonly #frame: (Memory | undefined)[];
  readonly #seen = new Map<CNode, Effect[]>();
  #printed: string[] = [];
  #printedLength = 0;
  #work = 0;
  #cells = 0;
  readonly #mostWork: number;
  readonly errno: Memory = new Memory([undefined], int);
  returned: Value;
  statement: CNode;
  loop: CNode | undefined;
  /** The innermost if that is being run. */
  inside: Guard | undefined;
  jumpedFrom: Guard | undefined;
  leftBy: Guard | undefined;
  /** The label that the run is on its way to. */
  seek: string | undefined;

  private constructor(program: Runnable, world: World) {
    this.world = world;
    this.statics = world.statics ?? new Map();
    this.statement = program.body;
    this.#frame = new Array(program.slots).fill(undefined);
    this.#mostWork = Math.min(
      limits.work,
      world.meter === undefined ? Infinity : world.meter.limit - world.meter.spent,
    );
    program.parameters.forEach(({ slot, type }, i) => {
      this.#frame[slot] = new Memory([world.parameters[i]], type, { local: true });
    });
  }

  static run(program: Runnable, world: World): Run {
    const machine = new Machine(program, world);
    let outcome: Outcome = 'returned';
    let trap: Trap | undefined;
    let unknown: Unknown | undefined;
    try {
      program.run(machine);
    } catch (end) {
      if (end instanceof Trap) [trap, outcome] = [end, 'trapped'];
      else if (end instanceof Unknown) [unknown, outcome] = [end, 'unknown'];
      else if (end instanceof Left) outcome = 'left';
      else throw end;
    }
    if (world.meter !== undefined) world.meter.spent += machine.#work;
    const { returned, leftBy, decisions, effects } = machine;
    const printed = machine.#printed.join('');
    const last = machine.statement;
    return { outcome, returned, trap, unknown, leftBy, decisions, effects, printed, last, work: machine.#work };
  }

  // Ends

  trap(node: CNode, why: string, memory?: Memory): never {
    throw new Trap(node, why, memory);
  }

  unknown(node: CNode, why: string): never {
    throw new Unknown(node, why);
  }

  leave(): never {
    this.leftBy = this.inside ?? this.jumpedFrom;
    throw new Left();
  }

  /** What a statement's expression gives: nothing is known of that where it ends in a trap that is excused. */
  excusing(value: (machine: Machine) => Value): Value {
    if (this.world.excused === undefined) return value(this);
    try {
      return value(this);
    } catch (end) {
      if (end instanceof Trap && this.world.excused.has(end.node)) return undefined;
      throw end;
    }
  }

  /** A condition chose; gives the way to take. */
  decide(condition: CNode, held: boolean): boolean {
    this.decisions.delete(condition);
    this.decisions.set(condition, held);
    return this.world.forced?.get(condition) ?? held;
  }

  // Budget

  spend(work: number): void {
    this.#work += work;
    if (this.#work > this.#mostWork) throw new Unknown(this.statement, 'out of patience');
  }

  /** Cells are touched. */
  touch(cells: number): void {
    this.spend((cells >> 3) + 1);
  }

  /** Cells are to be made. */
  make(cells: number, node: CNode): void {
    this.#cells += cells;
    if (this.#cells > limits.cells) this.unknown(node, 'too much memory');
    this.touch(cells);
  }

  // What it did

  /** What happens to the function's own variables is no effect. */
  note(kind: 'read' | 'write' | 'free', memory: Memory): void {
    if (memory.local) return;
    const { statement } = this;
    const seen = this.#seen.get(statement);
    if (seen === undefined) this.#seen.set(statement, [this.#effect(kind, memory)]);
    else if (!seen.some((effect) => effect.kind === kind && effect.memory === memory)) {
      if (seen.length > 64) this.unknown(statement, 'too much memory');
      seen.push(this.#effect(kind, memory));
    }
  }

  /** A call that reaches out of the program. */
  reachOut(name: string, text: string): void {
    this.#effect('call', undefined, name, text);
  }

  #effect(kind: Effect['kind'], memory: Memory | undefined, name?: string, text?: string): Effect {
    if (this.effects.length >= limits.effects) this.unknown(this.statement, 'too many effects');
    const effect = { kind, memory, name, text, statement: this.statement, loop: this.loop };
    this.effects.push(effect);
    return effect;
  }

  print(text: string): void {
    this.#printedLength += text.length;
    if (this.#printedLength > limits.printed) this.unknown(this.statement, 'too much text');
    this.touch(text.length);
    this.#printed.push(text);
  }

  // Memory

  /** A variable's object: one that no declaration was met of holds nothing. */
  object(variable: Variable, node: CNode): Memory {
    const found = variable.fixed ? this.statics.get(variable) : this.#frame[variable.slot];
    if (found !== undefined) return found;
    if (variable.length === undefined) return this.unknown(node, 'an array that was not declared yet');
    return this.declare(variable, variable.length, node);
  }

  declare(variable: Variable, length: number, node: CNode, content?: Value): Memory {
    this.make(length, node);
    const memory = new Memory(new Array<Value>(length).fill(content), variable.type, {
      literal: variable.constant,
      local: true,
    });
    if (variable.fixed) this.statics.set(variable, memory);
    else this.#frame[variable.slot] = memory;
    return memory;
  }

  /** The block of these variables is left. */
  forget(variables: readonly Variable[]): void {
    for (const { slot, fixed } of variables) {
      if (fixed) continue;
      this.#frame[slot]?.end('left');
      this.#frame[slot] = undefined;
    }
  }

  /** A pointer's memory. Traps on null and on memory that is no more. */
  live(pointer: Value, node: CNode): Memory {
    if (pointer === undefined) return this.unknown(node, 'a pointer that was never set');
    if (typeof pointer === 'bigint') return this.unknown(node, 'a number as a pointer');
    const { memory } = pointer;
    if (memory === undefined) return this.trap(node, 'null pointer');
    if (memory.ended === 'freed') return this.trap(node, 'use after free', memory);
    if (memory.ended === 'left') return this.trap(node, 'use after scope', memory);
    return memory;
  }

  /** The cell `index` behind a pointer to a type. */
  at(pointer: Value, index: bigint | number, type: CType, node: CNode): Place {
    const memory = this.seen(pointer, type, node);
    const at = (pointer as Pointer).offset + Number(index);
    if (at < 0 || at >= memory.cells.length) return this.trap(node, 'out of bounds', memory);
    return { memory, index: at };
  }

  /** Live memory of a pointer, whose cells may be used as being of a type. */
  seen(pointer: Value, type: CType, node: CNode): Memory {
    const memory = this.live(pointer, node);
    this.adopt(memory, type, node);
    if (memory.type !== type && !this.#alike(memory.type as CType, type)) this.unknown(node, 'memory of another type');
    return memory;
  }

  /** A heap block without a type gets one. */
  adopt(memory: Memory, type: CType, node: CNode): void {
    if (memory.type !== undefined || type.kind === 'void') return;
    const width = sizeOf(type);
    if (width === undefined || type.kind === 'struct') this.unknown(node, 'a heap block of structs');
    memory.type = type;
    const length = Math.floor(memory.bytes / width);
    this.make(length, node);
    memory.cells = new Array<Value>(length).fill(memory.cells[0]);
    if (type.kind === 'pointer' && memory.cells[0] === 0n) memory.cells.fill(nullPointer);
  }

  #alike(a: CType, b: CType): boolean {
    if (a.kind === 'int') return b.kind === 'int' && a.bits === b.bits && a.truth === b.truth;
    return (a.kind === 'pointer' && b.kind === 'pointer') || same(a, b);
  }

  load({ memory, index }: Place, type: CType): Value {
    this.note('read', memory);
    const value = memory.cells[index];
    return memory.type === type || typeof value !== 'bigint' ? value : wrapped(value, type as IntType);
  }

  store({ memory, index }: Place, value: Value, node: CNode): void {
    if (memory.literal) this.trap(node, 'write to a literal', memory);
    const { type } = memory;
    memory.cells[index] = typeof value === 'bigint' && type?.kind === 'int' ? wrapped(value, type) : value;
    this.note('write', memory);
  }

  /** A value as one of another type. */
  convert(value: Value, from: CType, to: CType, node: CNode): Value {
    if (value === undefined || to.kind === 'void') return value;
    if (to.kind === 'int') {
      if (typeof value === 'bigint') return from === to ? value : wrapped(value, to);
      if (to.truth) return value.memory === undefined ? 0n : 1n;
      return this.unknown(node, 'a pointer as a number');
    }
    if (to.kind !== 'pointer') return this.unknown(node, 'a conversion');
    if (typeof value === 'bigint') return value === 0n ? nullPointer : this.unknown(node, 'a number as a pointer');
    if (value.memory !== undefined && value.memory.type === undefined) this.adopt(value.memory, to.to, node);
    return value;
  }

  /** The text of bytes from a pointer on, up to its NUL, of `most` bytes at most. */
  textAt(pointer: Value, node: CNode, most: number = Infinity): string {
    const memory = this.seen(pointer, char, node);
    const { cells } = memory;
    const codes: number[] = [];
    for (let i = (pointer as Pointer).offset; codes.length < most; i++) {
      if (i < 0 || i >= cells.length) return this.trap(node, 'read past the end', memory);
      const cell = cells[i];
      if (typeof cell !== 'bigint') return this.unknown(node, 'text that was never written');
      if (cell === 0n) break;
      codes.push(Number(cell) & 0xff);
    }
    this.spend(codes.length >> 1);
    this.note('read', memory);
    return letters(codes);
  }
}
