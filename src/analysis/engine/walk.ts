import type { CNode } from '../c/syntax.js';
import { deepest } from '../syntax/node.js';
import { activate, calleeOf, frameOf } from './calls.js';
import { always, branch } from './conditions.js';
import { stringOf } from './constants.js';
import { evaluate } from './expressions.js';
import { sizeParameters } from './extents.js';
import { Grounds } from './grounds.js';
import { content, forget, giveAway, length, locate, setText, type Text } from './memory.js';
import type { CFunction, Program } from './program.js';
import type { Argument, Listeners } from './rule.js';
import { statement } from './statements.js';
import { Symbols } from './symbols.js';
import { Following, Trail } from './trail.js';
import type { CType } from './types.js';
import { Facts, type Linear, type Region, Source, State, type Value } from './values.js';
import { lookup } from './variables.js';

/** Code that keeps a flaw away: a condition, a statement, a call. */
export interface Guard {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

export interface RawFinding {
  /** Its rule and place. */
  readonly key: string;
  readonly rule: string;
  readonly node: CNode;
  readonly message: string;
}

/** One activation of a function. */
export interface Frame {
  readonly id: number;
  readonly function: CFunction;
  readonly caller: Frame | null;
  readonly scopes: Map<string, Variable>[];
  readonly exits: { state: State; value: Value | null }[];
  readonly jumps: { breaks: State[]; continues: State[] | null }[];
  readonly labels: Map<string, State>;
  /** Its parameters' values as they came. */
  readonly arguments: readonly Value[];
}

export interface Variable {
  readonly key: string;
  readonly type: CType;
  readonly region: Region;
}

/** The states on both ways on from a condition. */
export interface Branches {
  yes: State;
  no: State;
}

/** Where a value is kept. */
export interface Place {
  readonly key: string;
  readonly type: CType;
  /** The memory it is part of, where it is reached through a pointer or an array. */
  readonly regions: readonly Region[];
  readonly variable?: Variable;
}

function keyOf({ start, end }: Pick<CNode, 'start' | 'end'>): string {
  return `${start}:${end}`;
}

/** Thrown where a finding settles what a walk is for. */
const decided = Symbol('decided');

/** Statements and expressions that a walk from one root takes at most. */
const stepBudget = 50_000;

/**
 * One walk over a translation unit: an abstract interpretation of its functions in structured control flow, calls of known functions
 * included. Rule families listen. Guards that are `off` are walked as if their author had left them out.
 *
 * What a walk is made of is in rooms beside this one (statements, loops, expressions, conditions, calls, memory): functions that take
 * the walk first. What a rule may ask is a method here.
 */
export class Walk extends Symbols {
  readonly program: Program;
  readonly findings: Map<string, RawFinding> = new Map();
  /** Guards in force, in the order of the walk. */
  readonly guards: Map<string, Guard> = new Map();
  /** The keys of all guards that the walk came to, in force or not: leaving out any other one changes nothing. */
  readonly consulted: Set<string> = new Set();
  /** Whether guards, by their keys, say only what others said, wherever the walk comes to them. */
  readonly repeated: Map<string, boolean> = new Map();
  readonly grounds: Grounds = new Grounds();
  frame!: Frame;
  /** Something is looked up without consequences. */
  quiet = false;
  /** Whether what is asked of values is of consequence: not in the condition of a guard that is left out. */
  heeded = true;
  /** Statements and expressions so far, since the root. */
  steps = 0;
  /** Those of them that were taken over from another walk. */
  spared = 0;
  /** Activations so far. */
  frames = 0;
  /** Declarations so far. */
  declared = 0;
  /** Blocks so far. */
  blocks = 0;
  /** What a walk with all guards in force was like on its way. */
  readonly trail: Trail | null;
  /** The walk goes as that one did, as long as it comes to no guard that is left out. */
  following: Following | null = null;
  /** Levels of the trees that the walk has left for the one where it is. */
  #level = 0;
  /** Functions that were walked. */
  readonly started: Set<string> = new Set();
  /** Macros' values; null for one that has none. */
  readonly macroValues: Map<string, Value | null> = new Map();
  /** Values that memory held before anybody wrote to it. */
  readonly untouched: Map<string, Value> = new Map();
  /** Variables that stand for another one, as their declarations are left out. */
  readonly aliases: Map<string, string> = new Map();
  /** Memory that pointers of unknown origin lead to. */
  readonly outsides: Map<string, Region> = new Map();

  readonly #listeners: Listeners;
  readonly #off: ReadonlySet<string>;
  readonly #decides: (key: string) => boolean;

  /**
   * @param off - Keys of the guards that are left out.
   * @param decides - Whether a finding settles what the walk is for: it ends there.
   */
  constructor(
    program: Program,
    listeners: Listeners,
    off: ReadonlySet<string> = new Set(),
    decides: (key: string) => boolean = () => false,
  ) {
    super();
    this.program = program;
    this.#listeners = listeners;
    this.#off = off;
    this.#decides = decides;
    this.trail = this.whole ? new Trail() : null;
  }

  /** Walks a root again, with guards left out; `decides` tells of a finding's key whether it settles what the walk is for. */
  again(root: CFunction, off: ReadonlySet<string>, decides: (key: string) => boolean): Walk {
    const walk = new Walk(this.program, this.#listeners, off, decides);
    walk.following = new Following(this, off);
    return walk.run(root);
  }

  /** The guard lets pass, and whether it then is of no use here, as others have said the same. */
  passed(node: CNode, repeats: boolean): void {
    const key = keyOf(this.program.origin(node));
    this.repeated.set(key, repeats && this.repeated.get(key) !== false);
  }

  /** Guards that rules depend on, as far as the walk can tell. */
  get asked(): ReadonlySet<string> {
    return this.grounds.asked;
  }

  /** The steps that it took itself. */
  get cost(): number {
    return this.steps - this.spared;
  }

  /** Walks a function and what it calls, as whoever calls it from outside. */
  run(root: CFunction): this {
    const state = new State();
    state.facts = new Facts(null, this.whole ? this.grounds : null);
    const distrust = root.name === 'main' || this.program.passed.has(root.name) ? Source.input : Source.parameter;
    const values = root.parameters.map(({ type }, i) => {
      // It has a name at least.
      if (root.name === 'main' && i === 0) return this.fresh(type, Source.own, { range: { lo: 1, hi: 2 ** 31 - 1 } });
      return this.fresh(type, root.name === 'main' ? Source.input : (Math.min(distrust, Source.parameter) as Source));
    });
    // The types of its parameters may have expressions in them.
    this.frame = frameOf(0, root, null, []);
    try {
      activate(this, root, sizeParameters(this, root, values), null, state);
    } catch (thrown) {
      if (thrown !== decided) throw thrown;
    }
    return this;
  }

  /** Whether all guards are in force. */
  get whole(): boolean {
    return this.#off.size === 0;
  }

  /** Lets the rules hear of something. */
  tell<Kind extends Exclude<keyof Listeners, 'unit'>>(
    kind: Kind,
    event: NonNullable<Parameters<Listeners[Kind][number]>[1]>,
  ): void {
    if (this.quiet) return;
    const listeners = this.#listeners[kind] as readonly ((walk: Walk, event: { state: State }) => void)[];
    const { grounds, steps } = this;
    const asks = this.whole && !grounds.blind;
    for (const listener of listeners) {
      const outer = asks ? grounds.ask() : null;
      listener(this, event);
      if (!asks) continue;
      if (grounds.askAgain()) {
        const { born } = this;
        listener(this, { ...event, state: new State(event.state) });
        this.bury(born);
      }
      grounds.answered(outer);
    }
    // What rules look up is no part of the walk, which has to be the same without guards.
    this.steps = steps;
  }

  override bury(born: number): void {
    if (this.born === born) return;
    super.bury(born);
    for (const [key, { number }] of this.untouched) if (number.symbol >= born) this.untouched.delete(key);
    for (const [name, value] of this.macroValues)
      if (value !== null && value.number.symbol >= born) this.macroValues.delete(name);
  }

  text(node: Pick<CNode, 'start' | 'end'>): string {
    return this.program.text(node);
  }

  report(rule: string, node: CNode, message: string): void {
    const at = this.program.origin(node);
    const key = `${rule}@${at.start}`;
    if (this.findings.has(key)) return;
    if (this.grounds.blind) {
      this.grounds.missed = true;
      return;
    }
    this.findings.set(key, { key, rule, node: at, message });
    if (this.#decides(key)) throw decided;
  }

  /** Whether a defence is in force; it becomes a candidate for credit. */
  holds(node: CNode): boolean {
    const guard = this.#guard(node);
    return guard !== undefined && !this.grounds.hidesGuard(guard);
  }

  /** Learns what a comparison says, unless it is a guard that is left out. */
  believe(node: CNode, learn: () => void): void {
    const guard = this.#guard(node);
    if (guard !== undefined) this.grounds.learn(guard, learn);
  }

  /** Whether a guard as a whole is in force; it becomes a candidate where one of its comparisons does. */
  consults(node: CNode): boolean {
    const key = keyOf(this.program.origin(node));
    this.consulted.add(key);
    if (this.#isOff(key)) return false;
    const guard = this.guards.get(key);
    return guard === undefined || !this.grounds.hidesGuard(guard);
  }

  /** That a call is made matters to the rules: they ask for what it leaves. */
  matters(node: CNode): void {
    const guard = this.#guard(node);
    if (guard !== undefined) this.grounds.asked.add(guard.key);
  }

  #guard(node: CNode): Guard | undefined {
    const { start, end } = this.program.origin(node);
    const key = keyOf({ start, end });
    this.consulted.add(key);
    if (this.#isOff(key)) return undefined;
    let guard = this.guards.get(key);
    if (guard === undefined) {
      guard = { key, start, end };
      this.guards.set(key, guard);
    }
    return guard;
  }

  #isOff(key: string): boolean {
    if (!this.#off.has(key)) return false;
    this.following = null;
    return true;
  }

  /** Looks something up without consequences: no rule hears of it, and no function is walked. */
  quietly<T>(look: () => T): T {
    const { quiet } = this;
    this.quiet = true;
    try {
      return look();
    } finally {
      this.quiet = quiet;
    }
  }

  /** Looks at something in another place of the unit, `levels` further down; undefined where that would be too deep for the stack. */
  elsewhere<T>(levels: number, look: () => T): T | undefined {
    if (this.#level + levels > deepest / 2) return undefined;
    this.#level += levels;
    try {
      return look();
    } finally {
      this.#level -= levels;
    }
  }

  /**
   * Counts a step; true where the root has had all that it may take. A statement's step counts for more the more is known there: what
   * branches and joins copy and compare is all of it.
   */
  exhausted(known = 0): boolean {
    this.steps += 1 + (known >> 5);
    return this.steps > stepBudget;
  }

  statement(node: CNode, state: State): void {
    statement(this, node, state);
  }

  evaluate(node: CNode, state: State): Value {
    return evaluate(this, node, state);
  }

  /**
   * The two ways on from a condition, each with what its truth says. The guard is what gets the credit; by default the comparison itself.
   * Behind a loop its condition is no guard: its end is always believed.
   */
  branch(node: CNode, state: State, guard: CNode | null, loop = false): Branches {
    return branch(this, node, state, guard, loop);
  }

  /** A condition that is a constant, and true. */
  always(condition: CNode): boolean {
    return always(this, condition);
  }

  /** The variable of a name where the walk is. */
  lookup(name: string): Variable | undefined {
    return lookup(this, name);
  }

  /** Where an expression's value is kept. Going through a pointer, the rules hear of it. */
  locate(node: CNode, state: State, write = false): Place | undefined {
    return locate(this, node, state, write);
  }

  /** What a pointer's memory holds, as text. */
  content(pointer: Value, state: State): Value {
    return content(this, pointer, state);
  }

  /** The length of the text that a pointer leads to. */
  length(pointer: Value, state: State): Linear {
    return length(this, pointer, state);
  }

  /** Sets what a memory's text is. */
  setText(region: Region, text: Text, state: State): void {
    setText(this, region, text, state);
  }

  /** Forgets a variable and its parts. */
  forget(key: string, state: State): void {
    forget(this, key, state);
  }

  /** An unknown function may keep what it is given, and write to it. */
  escape(args: readonly Argument[], state: State): void {
    giveAway(this, args, state);
  }

  /** The characters of a string literal, or of a macro that is one. */
  stringOf(node: CNode): string | undefined {
    return stringOf(this.program, node);
  }

  /** The name of the function that is called, behind macros that rename. */
  calleeOf(call: CNode): string {
    return calleeOf(this, call);
  }
}
