import { characters as charactersOf, literal } from '../c/literals.js';
import { type CNode, child, descendants } from '../c/syntax.js';
import { applyLibrary, freed, isExit, learnString } from './library.js';
import type { CFunction, Program } from './program.js';
import type { Argument, RuleFamily } from './rule.js';
import { type CType, charType, declared, intType, longType, rangeOf, sizeOf, sizeType, unknownType } from './types.js';
import {
  addLinear,
  constant,
  Facts,
  type Linear,
  type Origin,
  type Outcome,
  type Range,
  type Region,
  Source,
  State,
  scaleLinear,
  type Target,
  type Value,
} from './values.js';

/** Code that keeps a flaw away: a condition, a statement, a call. */
export interface Guard {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

export interface RawFinding {
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

const maximumDepth = 6;
const inlineBudget = 20_000;
const stepBudget = 150_000;

/**
 * One walk over a translation unit: an abstract interpretation of its functions in structured control flow, calls of known functions
 * included. Rule families listen. Guards that are `off` are walked as if their author had left them out.
 */
export class Walk {
  readonly program: Program;
  readonly families: readonly RuleFamily[];
  readonly off: ReadonlySet<string>;
  readonly findings: Map<string, RawFinding> = new Map();
  /** In the order of the walk. */
  readonly guards: Map<string, Guard> = new Map();
  frame!: Frame;
  readonly #symbols: { range: Range; source: Source; nullable: 'no' | 'maybe' | 'unknown'; counts: boolean }[] = [
    { range: { lo: 0, hi: 0 }, source: Source.own, nullable: 'no', counts: false },
  ];
  #frames = 0;
  #listeners: readonly RuleFamily[];
  #quiet = false;
  #steps = 0;
  #started = new Set<string>();
  readonly #constants = new Map<string, Value | null>();
  readonly #found = new Map<string, Value>();
  readonly #outsides = new Map<string, Region>();

  constructor(program: Program, families: readonly RuleFamily[], off: ReadonlySet<string> = new Set()) {
    this.program = program;
    this.families = families;
    this.#listeners = families;
    this.off = off;
  }

  run(): void {
    if (this.off.size === 0) for (const family of this.families) family.unit?.(this);
    const { functions, called, passed } = this.program;
    const roots = [...functions.values()].filter(
      ({ name }) => name === 'main' || !called.has(name) || passed.has(name),
    );
    for (const root of roots) this.#root(root);
    // What only calls itself or each other.
    for (const one of functions.values()) if (!this.#started.has(one.name)) this.#root(one);
  }

  text(node: Pick<CNode, 'start' | 'end'>): string {
    return this.program.text(node);
  }

  report(rule: string, node: CNode, message: string): void {
    const at = this.program.origin(node);
    const key = `${rule}@${at.start}`;
    if (!this.findings.has(key)) this.findings.set(key, { rule, node: at, message });
  }

  /** Whether a defence is in force; it becomes a candidate for credit. */
  holds(node: CNode): boolean {
    const from = this.program.origin(node);
    const key = `${from.start}:${from.end}`;
    if (this.off.has(key)) return false;
    if (!this.guards.has(key)) this.guards.set(key, { key, start: from.start, end: from.end });
    return true;
  }

  /** Looks something up without consequences: no rule hears of it, and no function is walked. */
  quietly<T>(look: () => T): T {
    const [listeners, quiet] = [this.#listeners, this.#quiet];
    this.#listeners = [];
    this.#quiet = true;
    try {
      return look();
    } finally {
      this.#listeners = listeners;
      this.#quiet = quiet;
    }
  }

  // ---- symbols

  fresh(
    type: CType,
    source: Source,
    extra: {
      /** A loop counts it up, as far as its end lets it. */
      counts?: boolean;
      range?: Range;
      nullable?: 'no' | 'maybe' | 'unknown';
      origin?: Origin;
      targets?: readonly Target[];
    } = {},
  ): Value {
    const full = rangeOf(type);
    const range =
      extra.range === undefined
        ? full
        : { lo: Math.max(full.lo, extra.range.lo), hi: Math.min(full.hi, extra.range.hi) };
    this.#symbols.push({ range, source, nullable: extra.nullable ?? 'unknown', counts: extra.counts ?? false });
    const symbol = this.#symbols.length - 1;
    return {
      number: { symbol, scale: 1, offset: 0 },
      type,
      source,
      targets: extra.targets ?? [],
      ...(extra.origin && { origin: extra.origin }),
    };
  }

  constant(value: number, type: CType = intType): Value {
    return { number: constant(value), type, source: Source.own, targets: [] };
  }

  symbolRange(symbol: number, facts: Facts): Range {
    const { range } = this.#symbols[symbol] as { range: Range };
    const known = facts.range(symbol);
    let lo = Math.max(range.lo, known?.lo ?? -Infinity);
    let hi = Math.min(range.hi, known?.hi ?? Infinity);
    for (const { a, b, offset } of facts.orders) {
      if (a === symbol) hi = Math.min(hi, this.#plainRange(b, facts).hi + offset);
      if (b === symbol) lo = Math.max(lo, this.#plainRange(a, facts).lo - offset);
    }
    return { lo, hi };
  }

  #plainRange(symbol: number, facts: Facts): Range {
    const { range } = this.#symbols[symbol] as { range: Range };
    const known = facts.range(symbol);
    return { lo: Math.max(range.lo, known?.lo ?? -Infinity), hi: Math.min(range.hi, known?.hi ?? Infinity) };
  }

  range({ symbol, scale, offset }: Linear, facts: Facts): Range {
    if (symbol === 0) return { lo: offset, hi: offset };
    const { lo, hi } = this.symbolRange(symbol, facts);
    return scale >= 0
      ? { lo: lo * scale + offset, hi: hi * scale + offset }
      : { lo: hi * scale + offset, hi: lo * scale + offset };
  }

  /** Whether `a ≤ b` on this path, for certain. */
  atMost(a: Linear, b: Linear, facts: Facts): boolean {
    if (this.range(a, facts).hi <= this.range(b, facts).lo) return true;
    if (a.symbol === b.symbol && a.scale === b.scale) return a.offset <= b.offset;
    if (a.scale !== b.scale || a.scale <= 0) return false;
    const slack = (b.offset - a.offset) / a.scale;
    return this.#reaches(a.symbol, b.symbol, slack, facts, 3);
  }

  #reaches(from: number, to: number, slack: number, facts: Facts, depth: number): boolean {
    for (const { a, b, offset } of facts.orders) {
      if (a !== from) continue;
      if (b === to && offset <= slack) return true;
      if (depth > 1 && this.#reaches(b, to, slack - offset, facts, depth - 1)) return true;
    }
    return false;
  }

  /** Whether a loop counts the number up. */
  counts({ symbol }: Linear): boolean {
    return (this.#symbols[symbol] as { counts: boolean }).counts;
  }

  /** How far the number itself is to be trusted. */
  sourceOf({ symbol }: Linear): Source {
    return (this.#symbols[symbol] as { source: Source }).source;
  }

  /** Whether a value that is taken for a pointer came as a number. */
  cameAsNumber({ number, targets, origin }: Value): boolean {
    return (
      targets.length === 0 &&
      number.symbol !== 0 &&
      (this.#symbols[number.symbol] as { range: Range }).range.hi < Infinity &&
      origin?.callee !== 'getenv'
    );
  }

  isNull(value: Value, facts: Facts): 'no' | 'maybe' | 'yes' | 'unknown' {
    const { symbol, offset } = value.number;
    if (symbol === 0) return value.targets.length === 0 && offset === 0 ? 'yes' : 'no';
    const known = facts.isNull(symbol);
    if (known !== undefined) return known ? 'yes' : 'no';
    return (this.#symbols[symbol] as { nullable: 'no' | 'maybe' | 'unknown' }).nullable;
  }

  // ---- functions

  #root(root: CFunction): void {
    if (this.#started.has(root.name)) return;
    const state = new State();
    this.#steps = 0;
    const distrust = root.name === 'main' || this.program.passed.has(root.name) ? Source.input : Source.parameter;
    const values = root.parameters.map(({ type }, i) => {
      if (root.name === 'main' && i === 0) return this.fresh(type, Source.own, { range: { lo: 0, hi: 2 ** 31 - 1 } });
      return this.fresh(type, root.name === 'main' ? Source.input : (Math.min(distrust, Source.parameter) as Source));
    });
    this.#activate(root, values, null, state);
  }

  #activate(callee: CFunction, values: readonly Value[], caller: Frame | null, state: State): Value | null {
    this.#started.add(callee.name);
    const outer = this.frame;
    const frame: Frame = {
      id: ++this.#frames,
      function: callee,
      caller,
      scopes: [new Map()],
      exits: [],
      jumps: [],
      labels: new Map(),
      arguments: values,
    };
    this.frame = frame;
    for (const [i, { name, type, node }] of callee.parameters.entries()) {
      if (name === '') continue;
      const variable = this.declare(name, type, node);
      state.store.set(variable.key, { ...(values[i] ?? this.fresh(type, Source.parameter)), type });
    }
    this.statement(callee.body, state);
    if (!state.dead) this.#end(callee.body, state);
    this.frame = outer;
    return this.#merge(frame, state);
  }

  // At its closing brace; code that was cut off ends nowhere.
  #end(body: CNode, state: State): void {
    const whole = this.text(body).endsWith('}');
    if (whole) this.leave({ ...body, start: body.end - 1 }, null, state);
    else this.quietly(() => this.leave(body, null, state));
  }

  leave(node: CNode, value: Value | null, state: State): void {
    const { frame } = this;
    for (const family of this.#listeners) family.leave?.(this, { node, value, frame, state });
    frame.exits.push({ state: new State(state), value });
    state.dead = true;
  }

  // What the caller goes on with: the exits' states together, and what each outcome says.
  #merge(frame: Frame, state: State): Value | null {
    const { exits } = frame;
    if (exits.length === 0) {
      state.dead = true;
      return null;
    }
    const [first] = exits as [{ state: State; value: Value | null }];
    let joined = first.state;
    let value = first.value;
    for (const exit of exits.slice(1)) {
      value = value === null || exit.value === null ? null : this.mergeValues(value, joined, exit.value, exit.state);
      joined = this.join(joined, exit.state);
    }
    joined = exits.length === 1 ? new State(joined) : joined;
    joined.dead = false;
    const own = `~${frame.id}`;
    for (const key of joined.store.keys()) if (ownedBy(key, own)) joined.store.delete(key);
    state.become(joined);
    if (value === null || exits.length === 1) return value;
    const outcomes: Outcome[] = exits.flatMap((exit) =>
      exit.value === null ? [] : [{ value: exit.value, facts: exit.state.facts }],
    );
    return { ...value, outcomes };
  }

  declare(name: string, type: CType, node: CNode): Variable {
    const key = `${name}~${this.frame.id}~${node.start}`;
    const variable = { key, type, region: this.#region(key, type, node, 'variable', this.frame.id) };
    (this.frame.scopes.at(-1) as Map<string, Variable>).set(name, variable);
    return variable;
  }

  #region(id: string, type: CType, node: CNode, kind: Region['kind'], frame: number, size?: Linear): Region {
    const bytes = this.sizeOf(type);
    return { id, kind, type, node, frame, size: size ?? (bytes === undefined ? null : constant(bytes)) };
  }

  sizeOf(type: CType): number | undefined {
    return sizeOf(type, (node) => {
      const range = this.#constantOf(node);
      return range === undefined ? undefined : range;
    });
  }

  #constantOf(node: CNode): number | undefined {
    const facts = new Facts();
    const { number } = this.quietly(() => this.evaluate(node, new State()));
    const { lo, hi } = this.range(number, facts);
    return lo === hi ? lo : undefined;
  }

  lookup(name: string): Variable | undefined {
    for (let i = this.frame.scopes.length - 1; i >= 0; i--) {
      const found = this.frame.scopes[i]?.get(name);
      if (found !== undefined) return found;
    }
    const global = this.program.globals.get(name);
    if (global === undefined) return undefined;
    const type = sizedBy(global.type, global.value);
    const region = this.#region(`@${name}`, type, global.node, 'global', 0);
    const text = global.constant && global.value !== undefined ? this.stringOf(global.value) : undefined;
    return {
      key: `@${name}`,
      type,
      region: text === undefined || type.kind !== 'array' ? region : { ...region, text },
    };
  }

  // ---- joins

  join(a: State, b: State): State {
    if (a.dead) return new State(b);
    if (b.dead) return new State(a);
    if (a === b) return new State(a);
    const joined = new State(a.store.same(b.store) && a.lives.same(b.lives) ? a : undefined);
    joined.facts = a.facts.join(b.facts);
    if (a.store.same(b.store) && a.lives.same(b.lives)) return joined;
    joined.store = a.store.copy();
    for (const [key, one] of a.store) {
      const two = b.store.get(key);
      if (two !== undefined && two !== one) joined.store.set(key, this.mergeValues(one, a, two, b, joined.facts));
    }
    for (const [key, two] of b.store) if (!a.store.has(key)) joined.store.set(key, two);
    for (const id of new Set([...a.lives.keys(), ...b.lives.keys()])) {
      const [one, two] = [a.lives.get(id), b.lives.get(id)];
      if (one === two) joined.lives.set(id, one as 'live');
      else if (one === undefined || two === undefined) joined.lives.set(id, (one ?? two) as 'live');
      else if (one.endsWith('freed') || two.endsWith('freed')) {
        // A region that was never allocated on the other path, as its pointer is null there, is freed on all that matter.
        const other = one.endsWith('freed') ? b : a;
        const gone = [...other.store.values()].some(
          (value) => value.targets.some(({ region }) => region.id === id) && this.isNull(value, other.facts) === 'yes',
        );
        joined.lives.set(id, gone ? 'freed' : 'maybe freed');
      } else joined.lives.set(id, 'given away');
    }
    return joined;
  }

  mergeValues(one: Value, a: State, two: Value, b: State, facts?: Facts): Value {
    if (one === two) return one;
    const same =
      one.number.symbol === two.number.symbol &&
      one.number.scale === two.number.scale &&
      one.number.offset === two.number.offset;
    if (
      same &&
      one.targets.length === two.targets.length &&
      one.targets.every(({ region }, i) => region === two.targets[i]?.region)
    ) {
      return one.uninitialised ? two : one;
    }
    const [r1, r2] = [this.range(one.number, a.facts), this.range(two.number, b.facts)];
    const [n1, n2] = [this.isNull(one, a.facts), this.isNull(two, b.facts)];
    const targets = n1 === 'yes' ? [] : [...one.targets];
    for (const target of n2 === 'yes' ? [] : two.targets)
      if (!targets.some(({ region }) => region.id === target.region.id)) targets.push(target);
    const pointer = one.type.kind === 'pointer' || two.type.kind === 'pointer' || targets.length > 0;
    const nullable =
      [n1, n2].includes('maybe') || (n1 === 'yes') !== (n2 === 'yes')
        ? 'maybe'
        : n1 === 'no' && n2 === 'no'
          ? 'no'
          : 'unknown';
    const origin = one.origin ?? two.origin;
    const parts = [...partsOf(one), ...partsOf(two)];
    const merged: Value = {
      ...this.fresh(pointer ? unknownType : one.type, Math.max(one.source, two.source) as Source, {
        range: { lo: Math.min(r1.lo, r2.lo), hi: Math.max(r1.hi, r2.hi) },
        nullable: pointer ? nullable : 'unknown',
        targets: targets.slice(0, 4),
        ...(origin && { origin }),
      }),
      type: one.type,
      ...(parts.length > 0 && { parts }),
      ...(one.uninitialised && two.uninitialised && { uninitialised: true }),
    };
    if (pointer && n1 === 'yes' && n2 === 'yes') facts?.setNull(merged.number.symbol, true);
    if (facts !== undefined && !pointer) this.#relate(merged.number.symbol, one.number, a, two.number, b, facts);
    return merged;
  }

  // `if (n > most) n = most;` leaves a number that is at most `most` on both paths.
  #relate(merged: number, one: Linear, a: State, two: Linear, b: State, facts: Facts): void {
    const bounds = (of: Linear, state: State): Linear[] => [
      ...(of.symbol === 0 ? [] : [of]),
      ...state.facts.orders
        .filter((order) => order.a === of.symbol)
        .map((order) => ({ symbol: order.b, scale: 1, offset: order.offset + of.offset })),
    ];
    for (const [mine, other, otherState] of [
      [bounds(one, a), two, b],
      [bounds(two, b), one, a],
    ] as const) {
      for (const bound of mine) {
        if (bound.scale === 1 && this.atMost(other, bound, otherState.facts))
          facts.order(merged, bound.symbol, bound.offset);
      }
    }
  }

  // ---- statements

  statement(node: CNode, state: State): void {
    if (state.dead && !hasLabel(node)) return;
    if (++this.#steps > stepBudget) {
      state.dead = true;
      return;
    }
    switch (node.type) {
      case 'compound_statement':
        this.frame.scopes.push(new Map());
        for (const item of node.children) this.statement(item, state);
        this.frame.scopes.pop();
        return;
      case 'declaration':
        this.#declaration(node, state);
        return;
      case 'expression_statement':
        for (const item of node.children) this.evaluate(item, state);
        return;
      case 'return_statement': {
        const result = node.children[0];
        this.leave(node, result === undefined ? null : this.#returned(result, state), state);
        return;
      }
      case 'if_statement':
        this.#if(node, state);
        return;
      case 'for_statement':
      case 'while_statement':
      case 'do_statement':
        this.#loop(node, state);
        return;
      case 'switch_statement':
        this.#switch(node, state);
        return;
      case 'break_statement':
        this.frame.jumps.at(-1)?.breaks.push(new State(state));
        state.dead = true;
        return;
      case 'continue_statement':
        this.frame.jumps.findLast(({ continues }) => continues !== null)?.continues?.push(new State(state));
        state.dead = true;
        return;
      case 'goto_statement': {
        const label = this.text(child(node, 'label') ?? node);
        const waiting = this.frame.labels.get(label);
        this.frame.labels.set(label, waiting === undefined ? new State(state) : this.join(waiting, state));
        state.dead = true;
        return;
      }
      case 'labeled_statement': {
        const waiting = this.frame.labels.get(this.text(child(node, 'label') ?? node));
        if (waiting !== undefined) state.become(this.join(state, waiting));
        for (const item of node.children) if (item.field !== 'label') this.statement(item, state);
        return;
      }
      case 'else_clause':
      case 'preproc_if':
      case 'preproc_ifdef':
      case 'preproc_else':
      case 'preproc_elif':
      case 'ERROR':
      case 'case_statement':
        for (const item of node.children)
          if (!/^(name|condition|value)$/.test(item.field ?? '')) this.statement(item, state);
        return;
      case 'type_definition':
      case 'preproc_def':
      case 'preproc_function_def':
      case 'preproc_include':
      case 'preproc_call':
      case 'attribute_specifier':
      case 'struct_specifier':
        return;
      default:
        this.evaluate(node, state);
    }
  }

  #returned(result: CNode, state: State): Value {
    const value = this.evaluate(result, state);
    return value;
  }

  #declaration(node: CNode, state: State): void {
    const base = this.program.type(child(node, 'type'));
    const isStatic = node.children.some(
      (item) => item.type === 'storage_class_specifier' && /static|extern/.test(this.text(item)),
    );
    for (const declarator of node.children) {
      if (declarator.field !== 'declarator') continue;
      const found = declared(declarator, base, (at) => this.text(at));
      if (found === undefined || found.type.kind === 'function') continue;
      const value = declarator.type === 'init_declarator' ? child(declarator, 'value') : undefined;
      const type = sizedBy(found.type, value);
      let length: Linear | null = null;
      if (type.kind === 'array' && type.length !== null && typeof type.length !== 'number') {
        const count = this.evaluate(type.length, state).number;
        const each = this.sizeOf(type.of);
        if (each !== undefined) length = scaleLinear(count, each);
      }
      const variable = this.declare(found.name, type, found.node);
      const declaredHere = length === null ? variable : { ...variable, region: { ...variable.region, size: length } };
      (this.frame.scopes.at(-1) as Map<string, Variable>).set(found.name, declaredHere);
      this.forget(declaredHere.key, state);
      if (value !== undefined) this.#initialise(declaredHere, value, declarator, state);
      else if (!isStatic) state.store.set(declaredHere.key, { ...this.fresh(type, Source.own), uninitialised: true });
    }
  }

  #initialise(variable: Variable, value: CNode, declarator: CNode, state: State): void {
    const { type, key, region } = variable;
    if (type.kind === 'array') {
      const literalText = this.stringOf(value);
      if (literalText !== undefined) this.setText(region, { text: literalText, source: Source.own }, state);
      else if (value.type === 'initializer_list') {
        for (const item of value.children) this.evaluate(item, state);
        state.store.set(`${region.id}[]`, this.fresh(type.of, Source.own));
        if (type.of.kind === 'int' && type.of.char) state.store.set(`${region.id}#`, this.constant(0, sizeType));
      }
      return;
    }
    if (value.type === 'initializer_list') {
      const fields = type.kind === 'record' ? [...(type.fields?.entries() ?? [])] : [];
      for (const [i, item] of value.children.entries()) {
        const field = fields[i];
        const given = this.evaluate(item.type === 'initializer_pair' ? (child(item, 'value') ?? item) : item, state);
        if (field !== undefined && item.type !== 'initializer_pair')
          state.store.set(`${key}.${field[0]}`, { ...given, type: field[1] });
      }
      return;
    }
    const result = this.evaluate(value, state);
    const from = type.kind === 'record' ? this.locate(value, state) : undefined;
    if (from !== undefined) this.copyRecord(from.key, key, state);
    this.assign(
      { key, type, regions: [], variable },
      result,
      declarator,
      child(declarator, 'declarator') ?? declarator,
      state,
    );
  }

  copyRecord(from: string, to: string, state: State): void {
    for (const [key, value] of [...state.store])
      if (key.startsWith(`${from}.`)) state.store.set(to + key.slice(from.length), value);
  }

  /** The value that memory has that nobody wrote to: the same on every path, until an unknown function gets hold of it. */
  #untouched(key: string, id: string, state: State, make: () => Value): Value {
    const name = `${key}^${state.store.get(`^${id}`)?.number.symbol ?? 0}`;
    let value = this.#found.get(name);
    if (value === undefined) {
      value = make();
      this.#found.set(name, value);
    }
    state.store.set(key, value);
    return value;
  }

  #renew(id: string, state: State): void {
    state.store.set(`^${id}`, this.fresh(intType, Source.own));
  }

  /** Forgets a variable and its parts. */
  forget(key: string, state: State): void {
    for (const other of [...state.store.keys()]) {
      if (other === key || (other.startsWith(key) && /[.[#]/.test(other[key.length] as string)))
        state.store.delete(other);
    }
    this.#renew(key, state);
  }

  #if(node: CNode, state: State): void {
    const condition = child(node, 'condition');
    const consequence = child(node, 'consequence');
    const otherwise = child(node, 'alternative');
    if (condition === undefined || consequence === undefined) {
      for (const item of node.children) this.statement(item, state);
      return;
    }
    for (const family of this.#listeners) family.condition?.(this, { node: condition, state });
    const whole = otherwise === undefined && (this.#exits(consequence) || this.#clamps(condition, consequence));
    const span = whole && statements(consequence) <= 6 ? node : null;
    if (whole && this.off.has(`${(span ?? condition).start}:${(span ?? condition).end}`)) {
      this.evaluate(condition, state);
      return;
    }
    const { yes, no } = this.branch(condition, state, whole ? (span ?? condition) : null);
    this.statement(consequence, yes);
    if (otherwise !== undefined) this.statement(otherwise, no);
    state.become(this.join(yes, no));
  }

  #exits(node: CNode): boolean {
    switch (node.type) {
      case 'return_statement':
      case 'goto_statement':
      case 'break_statement':
      case 'continue_statement':
        return true;
      case 'expression_statement': {
        const call = node.children[0];
        if (call?.type !== 'call_expression') return false;
        const name = this.calleeOf(call);
        const own = this.program.functions.get(name);
        return isExit(name) || (own !== undefined && own.body.children.length > 0 && this.#exitsProgram(own.body));
      }
      case 'compound_statement':
      case 'else_clause':
        return node.children.length > 0 && this.#exits(node.children.at(-1) as CNode);
      case 'if_statement': {
        const [yes, no] = [child(node, 'consequence'), child(node, 'alternative')];
        return yes !== undefined && no !== undefined && this.#exits(yes) && this.#exits(no);
      }
      default:
        return false;
    }
  }

  #exitsProgram(body: CNode): boolean {
    const last = body.children.at(-1)?.children[0];
    return last?.type === 'call_expression' && isExit(this.calleeOf(last));
  }

  // `if (n > most) n = most;`
  #clamps(condition: CNode, consequence: CNode): boolean {
    const only =
      consequence.type === 'compound_statement' && consequence.children.length === 1
        ? consequence.children[0]
        : consequence;
    const assignment = only?.type === 'expression_statement' ? only.children[0] : undefined;
    if (assignment?.type !== 'assignment_expression') return false;
    const target = child(assignment, 'left');
    if (target === undefined) return false;
    const text = this.text(target);
    for (const at of descendants(condition)) if (at.type === target.type && this.text(at) === text) return true;
    return false;
  }

  #loop(node: CNode, state: State): void {
    const initial = child(node, 'initializer');
    const condition = child(node, 'condition');
    const update = child(node, 'update');
    const body = child(node, 'body') ?? node.children.at(-1);
    const after = node.type === 'do_statement';
    this.frame.scopes.push(new Map());
    if (initial !== undefined) this.statement(initial, state);
    for (const family of this.#listeners) family.loop?.(this, { node, state });
    const entry = new State(state);
    const skipped = after || condition === undefined ? null : this.branch(condition, new State(entry), null, true).no;
    this.#widen(node, entry);
    const endless = condition === undefined || this.always(condition);
    let exit: State = entry;
    for (let round = 0; round < 2; round++) {
      const ways = condition === undefined || after ? null : this.branch(condition, new State(entry), null, true);
      const inside = ways?.yes ?? new State(entry);
      const jumps = { breaks: [] as State[], continues: [] as State[] };
      this.frame.jumps.push(jumps);
      if (body !== undefined) this.statement(body, inside);
      this.frame.jumps.pop();
      let end: State = inside;
      for (const other of jumps.continues) end = this.join(end, other);
      if (update !== undefined && !end.dead) this.evaluate(update, end);
      if (endless || end.dead) {
        exit = new State(end);
        exit.dead = true;
      } else exit = this.branch(condition as CNode, new State(end), null, true).no;
      if (skipped !== null && !skipped.dead) {
        exit = this.join(skipped, exit);
        // What the body proves for each element, the loop proves for all.
        if (!end.dead) exit.facts.learnContents(end.facts);
      }
      for (const broken of jumps.breaks) exit = this.join(exit, broken);
      if (end.dead || !this.#carry(entry, end)) break;
    }
    this.frame.scopes.pop();
    state.become(exit);
  }

  // A second round sees what the first one left behind: freed memory, above all. False where that is nothing.
  #carry(entry: State, end: State): boolean {
    let carried = false;
    for (const [id, life] of end.lives) {
      const before = entry.lives.get(id);
      if (before === life || (before === undefined && !id.startsWith('*'))) continue;
      entry.lives.set(id, life.endsWith('freed') ? 'maybe freed' : life);
      carried = true;
    }
    if (!carried) return false;
    for (const [key, value] of end.store) {
      const old = entry.store.get(key);
      if (old === undefined || old === value || !(isPointer(value) || isPointer(old))) continue;
      entry.store.set(key, this.mergeValues(old, entry, value, end, entry.facts));
    }
    return true;
  }

  /** A condition that is a constant, and true. */
  always(condition: CNode): boolean {
    const { symbol, offset } = this.quietly(() => this.evaluate(condition, new State()).number);
    return symbol === 0 && offset !== 0;
  }

  // Forgets what the loop changes, but for numbers that only grow or only shrink.
  #widen(loop: CNode, state: State): void {
    const scratch = new State(state);
    const changes = new Map<string, { grows: boolean; shrinks: boolean; set: boolean }>();
    const note = (target: CNode | undefined, grows: boolean, shrinks: boolean, set = false): void => {
      if (target === undefined) return;
      const place = this.quietly(() => this.locate(target, scratch));
      if (place === undefined) return;
      const old = changes.get(place.key);
      changes.set(place.key, {
        grows: grows || (old?.grows ?? false),
        shrinks: shrinks || (old?.shrinks ?? false),
        set: set || (old?.set ?? false),
      });
    };
    for (const at of changesIn(loop)) {
      if (at.type === 'update_expression') note(child(at, 'argument'), at.operator === '++', at.operator === '--');
      else if (at.type === 'assignment_expression') {
        const right = child(at, 'right');
        const left = child(at, 'left');
        const step =
          right === undefined || at.operator === '='
            ? undefined
            : this.quietly(() => this.evaluate(right, scratch).number);
        const positive = step !== undefined && step.symbol === 0 && step.offset >= 0;
        if (at.operator === '+=' && positive) note(left, true, false);
        else if (at.operator === '-=' && positive) note(left, false, true);
        else if (
          at.operator === '=' &&
          right?.type === 'binary_expression' &&
          left !== undefined &&
          this.text(child(right, 'left') ?? right) === this.text(left) &&
          /^\d+$/.test(this.text(child(right, 'right') ?? right)) &&
          /^[+-]$/.test(right.operator)
        ) {
          note(left, right.operator === '+', right.operator === '-');
        } else note(left, true, true, at.operator === '=');
      } else if (at.type === 'pointer_expression' && at.operator === '&' && at.parent?.type === 'argument_list') {
        note(child(at, 'argument'), true, true);
      }
    }
    for (const [key, { grows, shrinks, set }] of changes) {
      const kept = state.store.get(key);
      if (kept === undefined) continue;
      const old = isPointer(kept) && !set ? this.move(kept, constant(0), Source.own, state) : kept;
      if (isPointer(old) && set) {
        state.store.set(key, this.fresh(old.type, old.source));
        continue;
      }
      if (old.targets.length > 0) {
        const targets = old.targets.map(({ region, offset }) => {
          const { lo, hi } = this.range(offset, state.facts);
          const range = { lo: shrinks ? -Infinity : lo, hi: grows ? Infinity : hi };
          return { region, offset: this.fresh(longType, Source.own, { range }).number };
        });
        state.store.set(key, { ...old, targets });
        continue;
      }
      const before = this.range(old.number, state.facts);
      const fresh = this.fresh(old.type, old.source, {
        counts: grows && !set,
        range: { lo: shrinks ? -Infinity : before.lo, hi: grows ? Infinity : before.hi },
        ...(old.origin && { origin: old.origin }),
      });
      if (!shrinks && old.number.symbol !== 0 && old.number.scale === 1)
        state.facts.order(old.number.symbol, fresh.number.symbol, old.number.offset);
      if (!grows && old.number.symbol !== 0 && old.number.scale === 1)
        state.facts.order(fresh.number.symbol, old.number.symbol, old.number.offset);
      state.store.set(key, fresh);
    }
  }

  #switch(node: CNode, state: State): void {
    const condition = child(node, 'condition');
    const body = child(node, 'body');
    const value = condition === undefined ? undefined : this.evaluate(condition, state);
    const jumps = { breaks: [] as State[], continues: null };
    this.frame.jumps.push(jumps);
    this.frame.scopes.push(new Map());
    const entry = new State(state);
    let current: State = new State(state);
    current.dead = true;
    let hasDefault = false;
    for (const item of body?.children ?? []) {
      if (item.type === 'case_statement') {
        const label = child(item, 'value');
        const here = new State(entry);
        if (label === undefined) hasDefault = true;
        else if (value !== undefined) this.compare('==', value, this.evaluate(label, here), here);
        current = this.join(current, here);
      }
      this.statement(item, current);
    }
    this.frame.scopes.pop();
    this.frame.jumps.pop();
    let exit = current;
    for (const broken of jumps.breaks) exit = this.join(exit, broken);
    if (!hasDefault) exit = this.join(exit, entry);
    state.become(exit);
  }

  // ---- conditions

  /**
   * The two ways on from a condition, each with what its truth says. The guard is what gets the credit; by default the comparison itself.
   * Behind a loop its condition is no guard: its end is always believed.
   */
  branch(node: CNode, state: State, guard: CNode | null, loop = false): Branches {
    if (state.dead) return { yes: new State(state), no: new State(state) };
    switch (node.type) {
      case 'parenthesized_expression':
      case 'condition_clause': {
        const inner = node.children.at(-1);
        if (inner !== undefined) return this.branch(inner, state, guard, loop);
        break;
      }
      case 'unary_expression': {
        const argument = child(node, 'argument');
        if (node.operator !== '!' || argument === undefined || loop) break;
        const { yes, no } = this.branch(argument, state, guard);
        return { yes: no, no: yes };
      }
      case 'binary_expression': {
        const left = child(node, 'left');
        const right = child(node, 'right');
        if (left === undefined || right === undefined) break;
        if (node.operator === '&&') {
          const first = this.branch(left, state, guard, loop);
          const second = this.branch(right, first.yes, guard, loop);
          return { yes: second.yes, no: this.join(first.no, second.no) };
        }
        if (node.operator === '||') {
          const first = this.branch(left, state, guard, loop);
          const second = this.branch(right, first.no, guard, loop);
          return { yes: this.join(first.yes, second.yes), no: second.no };
        }
        if (Object.hasOwn(negated, node.operator)) {
          const [a, b] = [this.evaluate(left, state), this.evaluate(right, state)];
          this.#tell(node, node.operator, a, b, state);
          return this.#decide(node.operator, a, b, [left, right], state, guard ?? node, loop);
        }
        break;
      }
      case 'call_expression': {
        const expansion = this.program.expand(node);
        if (expansion !== undefined) return this.branch(expansion, state, guard ?? node, loop);
        const first = child(node, 'arguments')?.children[0];
        if (/^(__builtin_expect|likely|unlikely)$/.test(this.calleeOf(node)) && first !== undefined) {
          return this.branch(first, state, guard, loop);
        }
        break;
      }
    }
    const value = this.evaluate(node, state);
    const zero = this.constant(0, value.type);
    this.#tell(node, '!=', value, zero, state);
    return this.#decide('!=', value, zero, [node], state, guard ?? node, loop);
  }

  #decide(
    operator: string,
    a: Value,
    b: Value,
    nodes: readonly CNode[],
    state: State,
    guard: CNode,
    loop: boolean,
  ): Branches {
    const side = (operator: string, believed: boolean): State => {
      const there = new State(state);
      if (state.dead) return there;
      if (this.#impossible(operator, a, b, there)) there.dead = true;
      else if (believed || this.holds(guard)) this.compare(operator, a, b, there, nodes);
      return there;
    };
    return { yes: side(operator, false), no: side(negated[operator] as string, loop) };
  }

  #tell(node: CNode, operator: string, left: Value, right: Value, state: State): void {
    for (const family of this.#listeners) {
      family.arithmetic?.(this, { node, operator, left, right, exact: { lo: 0, hi: 1 }, type: intType, state });
    }
  }

  #impossible(operator: string, a: Value, b: Value, state: State): boolean {
    const [n1, n2] = [this.isNull(a, state.facts), this.isNull(b, state.facts)];
    if (isPointer(a) || isPointer(b)) {
      if (operator === '==') return (n1 === 'yes' && n2 === 'no') || (n1 === 'no' && n2 === 'yes');
      if (operator === '!=') return n1 === 'yes' && n2 === 'yes';
      return false;
    }
    const float = a.type.kind === 'float' || b.type.kind === 'float';
    if (float && (operator === '==' || operator === '!=')) return false;
    const [x, y] = [this.range(a.number, state.facts), this.range(b.number, state.facts)];
    switch (operator) {
      case '<':
        return x.lo >= y.hi;
      case '<=':
        return x.lo > y.hi;
      case '>':
        return x.hi <= y.lo;
      case '>=':
        return x.hi < y.lo;
      case '==':
        return (
          x.hi < y.lo ||
          x.lo > y.hi ||
          (state.facts.has(`ne:${a.number.symbol}:${y.lo}`) &&
            y.lo === y.hi &&
            a.number.scale === 1 &&
            a.number.offset === 0)
        );
      default:
        return x.lo === x.hi && y.lo === y.hi && x.lo === y.lo;
    }
  }

  /** Learns that `a operator b` is true. */
  compare(operator: string, a: Value, b: Value, state: State, nodes: readonly CNode[] = []): void {
    const { facts } = state;
    if (nodes.length > 0) this.#outcome(operator, a, b, state);
    if (isPointer(a) || isPointer(b)) {
      const [n1, n2] = [this.isNull(a, facts), this.isNull(b, facts)];
      if (operator === '==' || operator === '!=') {
        if (n2 === 'yes' && a.number.symbol !== 0) facts.setNull(a.number.symbol, operator === '==');
        else if (n1 === 'yes' && b.number.symbol !== 0) facts.setNull(b.number.symbol, operator === '==');
        this.#strings(operator, a, nodes[0], state);
      }
    }
    this.#strings(operator, a, nodes[0], state, b);
    const unsigned = isUnsigned(a.type) || isUnsigned(b.type);
    const float = a.type.kind === 'float' || b.type.kind === 'float';
    if (float) return;
    switch (operator) {
      case '<':
        this.#less(a.number, b.number, 1, facts, unsigned);
        break;
      case '<=':
        this.#less(a.number, b.number, 0, facts, unsigned);
        break;
      case '>':
        this.#less(b.number, a.number, 1, facts, unsigned);
        break;
      case '>=':
        this.#less(b.number, a.number, 0, facts, unsigned);
        break;
      case '==':
        this.#less(a.number, b.number, 0, facts, false);
        this.#less(b.number, a.number, 0, facts, false);
        break;
      default: {
        const [x, y] = [this.range(a.number, facts), this.range(b.number, facts)];
        if (y.lo === y.hi && a.number.symbol !== 0 && Math.abs(a.number.scale) === 1) {
          const value = (y.lo - a.number.offset) * a.number.scale;
          facts.mark(`ne:${a.number.symbol}:${value}`);
          const base = this.symbolRange(a.number.symbol, facts);
          if (base.lo === value) facts.narrow(a.number.symbol, { lo: value + 1, hi: Infinity });
          if (base.hi === value) facts.narrow(a.number.symbol, { lo: -Infinity, hi: value - 1 });
        }
        if (x.lo === x.hi && b.number.symbol !== 0 && b.number.scale === 1)
          facts.mark(`ne:${b.number.symbol}:${x.lo - b.number.offset}`);
      }
    }
    for (const value of [a, b]) if (value.elementOf !== undefined) this.#element(value, state);
    if (this.#contradiction(a, facts) || this.#contradiction(b, facts)) state.dead = true;
  }

  #contradiction({ number: { symbol } }: Value, facts: Facts): boolean {
    if (symbol === 0) return false;
    const { lo, hi } = this.symbolRange(symbol, facts);
    return lo > hi;
  }

  // a + gap ≤ b
  #less(a: Linear, b: Linear, gap: number, facts: Facts, unsigned: boolean): void {
    const [x, y] = [this.range(a, facts), this.range(b, facts)];
    if (a.symbol !== 0) this.#narrow(a, { lo: unsigned ? 0 : -Infinity, hi: y.hi - gap }, facts);
    if (b.symbol !== 0) this.#narrow(b, { lo: x.lo + gap, hi: Infinity }, facts);
    if (a.symbol !== 0 && b.symbol !== 0 && a.symbol !== b.symbol && a.scale === b.scale && a.scale > 0) {
      facts.order(a.symbol, b.symbol, Math.floor((b.offset - a.offset - gap) / a.scale));
    }
  }

  #narrow({ symbol, scale, offset }: Linear, { lo, hi }: Range, facts: Facts): void {
    const [low, high] = scale > 0 ? [lo, hi] : [hi, lo];
    facts.narrow(symbol, { lo: Math.ceil((low - offset) / scale), hi: Math.floor((high - offset) / scale) });
  }

  // The character of a content: what it may be on this path, the content's characters may be behind a loop over all.
  #element(value: Value, { facts }: State): void {
    const { lo, hi } = this.range(value.number, facts);
    const content = value.elementOf as number;
    let set = 0n;
    for (let code = Math.max(lo, 0); code <= Math.min(hi, 255); code++) {
      if (!facts.has(`ne:${value.number.symbol}:${code}`)) set |= 1n << BigInt(code);
    }
    if (lo < 0) set |= ((1n << 128n) - 1n) << 128n;
    facts.allow(content, set & facts.characters(content));
  }

  // What a function's outcome says to the caller that tests it.
  #outcome(operator: string, a: Value, b: Value, state: State): void {
    if (a.outcomes === undefined) return;
    const possible = a.outcomes.filter(({ value, facts }) => {
      const there = new State();
      there.facts = facts;
      return !this.#impossible(operator, value, b, there);
    });
    if (possible.length === 0 || possible.length === a.outcomes.length) return;
    let facts = (possible[0] as Outcome).facts;
    for (const { facts: other } of possible.slice(1)) facts = facts.join(other);
    state.facts.learn(facts);
    const targets = possible.flatMap(({ value }) => value.targets);
    if (isPointer(a) && targets.length === 0) return;
  }

  #strings(operator: string, value: Value, node: CNode | undefined, state: State, other?: Value): void {
    if (node === undefined) return;
    let call: CNode | undefined = node;
    while (
      call?.type === 'parenthesized_expression' ||
      call?.type === 'cast_expression' ||
      call?.type === 'assignment_expression'
    ) {
      call =
        call.type === 'parenthesized_expression' ? call.children[0] : (child(call, 'value') ?? child(call, 'right'));
    }
    if (call?.type !== 'call_expression') {
      if (value.origin !== undefined && value.origin.node.type === 'call_expression') call = value.origin.node;
      else return;
    }
    learnString(this, operator, call, state, value, other);
  }

  // ---- expressions

  evaluate(node: CNode, state: State): Value {
    if (++this.#steps > stepBudget) {
      state.dead = true;
      return this.constant(0);
    }
    switch (node.type) {
      case 'parenthesized_expression':
      case 'condition_clause':
        return node.children.length === 0 ? this.constant(0) : this.evaluate(node.children.at(-1) as CNode, state);
      case 'number_literal':
        return this.#number(this.text(node));
      case 'char_literal': {
        const inside = this.text(node).slice(1, -1);
        const [code] = charactersOf(inside);
        return this.constant(code ?? 0, intType);
      }
      case 'true':
        return this.#macro('true', node) ?? this.constant(1);
      case 'false':
        return this.#macro('false', node) ?? this.constant(0);
      case 'null':
        return this.constant(0, { kind: 'pointer', to: { kind: 'void' } });
      case 'string_literal':
      case 'concatenated_string':
        return this.#literal(node);
      case 'identifier':
        return this.#identifier(node, state) ?? this.fresh(unknownType, Source.own);
      case 'field_expression':
      case 'subscript_expression':
        return this.#load(node, state);
      case 'pointer_expression': {
        if (node.operator === '*') return this.#load(node, state);
        const argument = child(node, 'argument');
        return argument === undefined ? this.constant(0) : this.#address(argument, state);
      }
      case 'call_expression': {
        const expansion = this.program.expand(node);
        return expansion === undefined ? this.#call(node, state) : this.evaluate(expansion, state);
      }
      case 'assignment_expression':
        return this.#assignment(node, state);
      case 'update_expression':
        return this.#update(node, state);
      case 'binary_expression':
        return this.#binary(node, state);
      case 'unary_expression':
        return this.#unary(node, state);
      case 'conditional_expression':
        return this.#conditional(node, state);
      case 'cast_expression': {
        const inner = child(node, 'value');
        const type = child(node, 'type');
        if (inner === undefined || type === undefined) return this.constant(0);
        const value = this.evaluate(inner, state);
        const to = this.program.described(type);
        for (const family of this.#listeners) family.cast?.(this, { node, type: to, value, state });
        return this.convert(value, to, state);
      }
      case 'sizeof_expression':
        return this.#sizeof(node, state);
      case 'comma_expression': {
        let last = this.constant(0);
        for (const item of node.children) last = this.evaluate(item, state);
        return last;
      }
      case 'compound_literal_expression': {
        const type = child(node, 'type');
        for (const item of child(node, 'value')?.children ?? []) this.evaluate(item, state);
        return this.fresh(type === undefined ? unknownType : this.program.described(type), Source.own);
      }
      case 'compound_statement':
      case 'declaration':
      case 'expression_statement':
        this.statement(node, state);
        return this.fresh(unknownType, Source.own);
      default: {
        for (const item of node.children) this.evaluate(item, state);
        return this.fresh(unknownType, Source.own);
      }
    }
  }

  #number(text: string): Value {
    const value = literal(text);
    if (value?.kind === 'int') {
      const { bits, signed } = value.type;
      return this.constant(Number(value.value), { kind: 'int', bytes: bits / 8, signed, char: false });
    }
    const float = Number.parseFloat(text);
    return this.constant(Number.isNaN(float) ? 0 : float, { kind: 'float', bytes: /f$/i.test(text) ? 4 : 8 });
  }

  #literal(node: CNode): Value {
    const text = this.stringOf(node) ?? '';
    const region: Region = {
      id: `"${node.start}`,
      kind: 'literal',
      size: constant(text.length + 1),
      type: { kind: 'array', of: charType, length: text.length + 1 },
      node,
      text,
      frame: 0,
    };
    return this.pointerTo(region);
  }

  pointerTo(region: Region): Value {
    const to = region.type.kind === 'array' ? region.type.of : region.type;
    return {
      number: constant(1),
      type: { kind: 'pointer', to },
      source: Source.own,
      targets: [{ region, offset: constant(0) }],
    };
  }

  /** The characters of a string literal, or of a macro that is one. */
  stringOf(node: CNode): string | undefined {
    if (node.type === 'parenthesized_expression' && node.children.length === 1)
      return this.stringOf(node.children[0] as CNode);
    if (node.type === 'string_literal')
      return String.fromCharCode(...charactersOf(this.text(node).replace(/^(L|u8|u|U)?"|"$/g, '')));
    if (node.type === 'concatenated_string') {
      const parts = node.children.map((part) =>
        part.type === 'identifier' ? this.#macroText(this.text(part)) : this.stringOf(part),
      );
      return parts.map((part) => part ?? '').join('');
    }
    if (node.type === 'identifier') return this.#macroText(this.text(node));
    return undefined;
  }

  #macroText(name: string): string | undefined {
    const text = this.program.macros.get(name);
    if (text === undefined || !/^"([^"\\]|\\.)*"$/.test(text)) return undefined;
    return String.fromCharCode(...charactersOf(text.slice(1, -1)));
  }

  #identifier(node: CNode, state: State): Value | undefined {
    const name = this.text(node);
    const variable = this.lookup(name);
    if (variable !== undefined) {
      const value = this.read({ key: variable.key, type: variable.type, regions: [], variable }, state);
      for (const family of this.#listeners) family.read?.(this, { node, value, state });
      return value;
    }
    const macro = this.#macro(name, node);
    if (macro !== undefined) return macro;
    const enumerator = this.program.enumerators.get(name);
    if (enumerator !== undefined) return this.constant(enumerator);
    const known = knownConstants[name];
    if (known !== undefined && Object.hasOwn(knownConstants, name)) {
      return this.constant(
        known,
        name === 'NULL' ? { kind: 'pointer', to: { kind: 'void' } } : Math.abs(known) > 2 ** 31 ? longType : intType,
      );
    }
    return undefined;
  }

  #macro(name: string, node: CNode): Value | undefined {
    const kept = this.#constants.get(name);
    if (kept !== undefined) return kept ?? undefined;
    this.#constants.set(name, null);
    const text = this.program.macros.get(name);
    if (text === undefined) return undefined;
    const string = this.#macroText(name);
    const value = string === undefined ? this.#arithmeticText(text) : this.#literalText(string, node);
    this.#constants.set(name, value ?? null);
    return value;
  }

  #literalText(text: string, node: CNode): Value {
    const type: CType = { kind: 'array', of: charType, length: text.length + 1 };
    return this.pointerTo({
      id: `"${text}`,
      kind: 'literal',
      size: constant(text.length + 1),
      type,
      node,
      text,
      frame: 0,
    });
  }

  // A macro's text as a number: sums and products of literals and other macros.
  #arithmeticText(text: string): Value | undefined {
    const plain = text.replace(/[A-Za-z_]\w*/g, (name) => {
      if (/^0x/i.test(name)) return name;
      const value = knownConstants[name] ?? this.program.enumerators.get(name);
      if (value !== undefined) return String(value);
      const other = this.#macro(name, this.program.source.root);
      return other !== undefined && other.number.symbol === 0 && other.targets.length === 0
        ? String(other.number.offset)
        : `?${name}`;
    });
    const number = literal(text);
    if (number?.kind === 'int') return this.#number(text);
    if (plain.includes('?') || !/^[\d\s+\-*/()<.eE]+$/.test(plain) || plain.length > 80) {
      return /^[\d.]+f?$/.test(text) ? this.#number(text) : undefined;
    }
    const value = arithmetic(plain);
    return value === undefined ? undefined : this.constant(value, Math.abs(value) >= 2 ** 31 ? longType : intType);
  }

  #load(node: CNode, state: State): Value {
    const place = this.locate(node, state, false);
    if (place === undefined) return this.fresh(unknownType, Source.own);
    const value = this.read(place, state);
    for (const family of this.#listeners) family.read?.(this, { node, value, state });
    return value;
  }

  /** The value in a place; an unknown one gets its symbol here. */
  read(place: Place, state: State): Value {
    const { type, key, variable } = place;
    if (type.kind === 'array') {
      const region =
        variable?.region ??
        this.#region(
          key,
          type,
          place.regions[0]?.node ?? this.frame.function.node,
          place.regions[0]?.kind ?? 'outside',
          place.regions[0]?.frame ?? 0,
        );
      return this.pointerTo(region);
    }
    const kept = state.store.get(key);
    if (kept !== undefined) return kept;
    const region = place.regions[0];
    const content = region === undefined ? undefined : state.store.get(`${region.id}[]`);
    const global = key.startsWith('@') && region === undefined ? this.program.globals.get(key.slice(1)) : undefined;
    if (
      global?.value !== undefined &&
      (global.constant || (this.frame.function.name === 'main' && this.frame.caller === null))
    ) {
      const { value: initial } = global;
      const value = this.quietly(() => this.evaluate(initial, new State(state)));
      const given = { ...value, type };
      state.store.set(key, given);
      return given;
    }
    const outside =
      region === undefined
        ? Source.own
        : (region.source ?? (region.kind === 'outside' ? Source.parameter : Source.own));
    const source = Math.max(outside, content?.source ?? 0) as Source;
    const element = content !== undefined && type.kind === 'int' && type.char;
    return this.#untouched(key, region?.id ?? key.split('.')[0] ?? key, state, () => ({
      ...this.fresh(type, source),
      ...(element && { elementOf: content.number.symbol }),
      ...(content?.uninitialised && { uninitialised: true }),
    }));
  }

  /** Where an expression's value is kept. Going through a pointer, the rules hear of it. */
  locate(node: CNode, state: State, write = false): Place | undefined {
    switch (node.type) {
      case 'parenthesized_expression':
        return node.children[0] === undefined ? undefined : this.locate(node.children[0], state, write);
      case 'identifier': {
        const variable = this.lookup(this.text(node));
        return variable === undefined ? undefined : { key: variable.key, type: variable.type, regions: [], variable };
      }
      case 'field_expression': {
        const base = child(node, 'argument');
        const field = child(node, 'field');
        if (base === undefined || field === undefined) return undefined;
        const name = this.text(field);
        if (node.operator === '->') {
          const pointer = this.evaluate(base, state);
          this.access(node, base, pointer, null, null, write, state);
          const record = pointer.type.kind === 'pointer' ? pointer.type.to : unknownType;
          const { key, regions } = this.#pointee(pointer, constant(0));
          return { key: `${key}.${name}`, type: fieldOf(record, name), regions };
        }
        const place = this.locate(base, state, write);
        if (place === undefined) {
          this.evaluate(base, state);
          return undefined;
        }
        return { key: `${place.key}.${name}`, type: fieldOf(place.type, name), regions: place.regions };
      }
      case 'subscript_expression': {
        const base = child(node, 'argument');
        const index = child(node, 'index') ?? node.children[1];
        if (base === undefined || index === undefined) return undefined;
        const pointer = this.evaluate(base, state);
        const at = this.evaluate(index, state);
        return this.#element2(node, base, pointer, at, write, state);
      }
      case 'pointer_expression': {
        const base = child(node, 'argument');
        if (node.operator !== '*' || base === undefined) return undefined;
        return this.#element2(node, base, this.evaluate(base, state), this.constant(0), write, state);
      }
      default:
        return undefined;
    }
  }

  #element2(node: CNode, base: CNode, pointer: Value, index: Value, write: boolean, state: State): Place {
    const to =
      pointer.type.kind === 'pointer' ? pointer.type.to : pointer.type.kind === 'array' ? pointer.type.of : unknownType;
    const bytes = this.sizeOf(to);
    const offset = bytes === undefined ? null : scaleLinear(index.number, bytes);
    const moved = offset === null ? pointer : this.move(pointer, offset, index.source, state);
    this.access(node, base, moved, index, bytes === undefined ? null : constant(bytes), write, state);
    if (to.kind === 'int' && to.char) this.content(pointer, state);
    const { key, regions } = this.#pointee(pointer, offset ?? index.number);
    return { key, type: to, regions };
  }

  access(
    node: CNode,
    base: CNode,
    pointer: Value,
    index: Value | null,
    bytes: Linear | null,
    write: boolean,
    state: State,
  ): void {
    for (const family of this.#listeners) family.access?.(this, { node, base, pointer, index, bytes, write, state });
  }

  /** A pointer some bytes further on. */
  move(pointer: Value, by: Linear, source: Source, state: State): Value {
    const unknown = pointer.targets.length === 0 && pointer.number.symbol !== 0;
    const from = unknown ? [{ region: this.#outside(pointer), offset: constant(0) }] : pointer.targets;
    const targets = from.map(({ region, offset }) => ({
      region,
      offset: addLinear(offset, by) ?? this.#sum(offset, by, source, state),
    }));
    return { ...pointer, targets };
  }

  #sum(a: Linear, b: Linear, source: Source, { facts }: State): Linear {
    const [x, y] = [this.range(a, facts), this.range(b, facts)];
    return this.fresh(longType, source, { range: { lo: x.lo + y.lo, hi: x.hi + y.hi } }).number;
  }

  /** The memory that a pointer of unknown origin leads to. */
  #outside(pointer: Value): Region {
    const id = `*${pointer.number.symbol}`;
    let region = this.#outsides.get(id);
    if (region === undefined) {
      const { source } = pointer;
      const { node } = this.frame.function;
      region = { id, kind: 'outside', source, size: null, type: unknownType, node, frame: 0 };
      this.#outsides.set(id, region);
    }
    return region;
  }

  #pointee(pointer: Value, offset: Linear): { key: string; regions: Region[] } {
    const target = pointer.targets[0] ?? { region: this.#outside(pointer), offset: constant(0) };
    const { region } = target;
    const regions = pointer.targets.length === 0 ? [region] : pointer.targets.map(({ region: other }) => other);
    const total = addLinear(target.offset, offset);
    const whole = total !== null && total.symbol === 0 && total.offset === 0;
    const known = region.kind !== 'outside' || region.type.kind !== 'unknown';
    const scalar = region.kind !== 'heap' && region.kind !== 'literal' && region.type.kind !== 'array' && known;
    if (scalar && whole) return { key: region.id, regions };
    const at = total === null ? '?' : whole ? '0' : `${total.symbol}*${total.scale}+${total.offset}`;
    return { key: `${region.id}[${at}]`, regions };
  }

  #address(argument: CNode, state: State): Value {
    if (argument.type === 'subscript_expression') {
      const base = child(argument, 'argument');
      const index = child(argument, 'index') ?? argument.children[1];
      if (base !== undefined && index !== undefined) {
        const pointer = this.evaluate(base, state);
        const at = this.evaluate(index, state);
        const to = pointer.type.kind === 'pointer' ? pointer.type.to : unknownType;
        const bytes = this.sizeOf(to);
        return bytes === undefined ? pointer : this.move(pointer, scaleLinear(at.number, bytes), at.source, state);
      }
    }
    if (argument.type === 'pointer_expression' && argument.operator === '*') {
      const inner = child(argument, 'argument');
      if (inner !== undefined) return this.evaluate(inner, state);
    }
    const name = argument.type === 'identifier' ? this.text(argument) : '';
    if (this.program.functions.has(name)) return this.constant(1, { kind: 'pointer', to: { kind: 'function' } });
    const place = this.locate(argument, state);
    if (place === undefined) return { ...this.fresh(unknownType, Source.own, { nullable: 'no' }) };
    const region =
      place.variable?.region ??
      this.#region(place.key, place.type, argument, place.regions[0]?.kind ?? 'outside', place.regions[0]?.frame ?? 0);
    const pointer = this.pointerTo(region);
    return place.type.kind === 'array' ? pointer : { ...pointer, type: { kind: 'pointer', to: place.type } };
  }

  assign(place: Place, value: Value, node: CNode, target: CNode, state: State): Value {
    const converted = this.convert(value, place.type, state);
    for (const family of this.#listeners)
      family.assign?.(this, { node, target, key: place.key, value: converted, state });
    const [region] = place.regions;
    if (place.type.kind === 'record') this.forget(place.key, state);
    if (region !== undefined && place.key.startsWith(`${region.id}[`))
      this.#overwrite(region, place.key, converted, state);
    state.store.set(place.key, converted);
    return converted;
  }

  // Another element may be the one that is kept under another name.
  #overwrite(region: Region, key: string, value: Value, state: State): void {
    for (const other of [...state.store.keys()]) {
      if (other.startsWith(`${region.id}[`) && other !== `${region.id}[]` && !other.startsWith(`${key}.`))
        state.store.delete(other);
    }
    this.#renew(region.id, state);
    const content = state.store.get(`${region.id}[]`);
    const source = Math.max(content?.source ?? 0, value.source) as Source;
    const lengthKey = `${region.id}#`;
    const length = state.store.get(lengthKey);
    const zero = value.number.symbol === 0 && value.number.offset === 0;
    if (zero && length === undefined) {
      state.store.set(
        lengthKey,
        this.fresh(
          sizeType,
          Source.own,
          region.size === null ? {} : { range: { lo: 0, hi: this.range(region.size, state.facts).hi - 1 } },
        ),
      );
    } else if (!zero && length !== undefined) state.store.delete(lengthKey);
    if (content === undefined || (content.uninitialised && !zero) || source !== content.source) {
      const parts = content === undefined ? [] : partsOf(content);
      state.store.set(`${region.id}[]`, { ...this.fresh(value.type, source), ...(parts.length > 0 && { parts }) });
    }
  }

  /** Sets what a memory's text is. */
  setText(
    region: Region,
    {
      text,
      source,
      parts = [],
      length,
      characters,
    }: { text?: string; source: Source; parts?: readonly number[]; length?: Linear; characters?: bigint },
    state: State,
  ): void {
    this.forget(`${region.id}`, state);
    const content: Value = {
      ...this.fresh(charType, source),
      ...(parts.length > 0 && { parts }),
      ...(text !== undefined && { literalText: text }),
    };
    if (characters !== undefined) state.facts.allow(content.number.symbol, characters);
    state.store.set(`${region.id}[]`, content);
    const size = length ?? (text === undefined ? undefined : constant(text.length));
    if (size !== undefined) state.store.set(`${region.id}#`, { ...this.constant(0, sizeType), number: size });
  }

  /** What a pointer's memory holds, as text. */
  content(pointer: Value, state: State): Value {
    const [target] = pointer.targets;
    const id = target?.region.id ?? `*${pointer.number.symbol}`;
    const kept = state.store.get(`${id}[]`);
    if (kept !== undefined) return kept;
    const region = target?.region;
    if (region?.text !== undefined) return { ...this.fresh(charType, Source.own), literalText: region.text };
    const source =
      region === undefined
        ? pointer.source
        : (region.source ?? (region.kind === 'outside' ? Source.parameter : Source.own));
    return this.#untouched(`${id}[]`, id, state, () => this.fresh(charType, source));
  }

  /** The length of the text that a pointer leads to. */
  length(pointer: Value, state: State): Linear {
    const [target] = pointer.targets;
    const id = target?.region.id ?? `*${pointer.number.symbol}`;
    if (target?.region.text !== undefined) {
      return (
        addLinear(constant(target.region.text.length), scaleLinear(target.offset, -1)) ??
        constant(target.region.text.length)
      );
    }
    // What is in memory already is no number that somebody chose.
    const source = Math.min(this.content(pointer, state).source, Source.parameter) as Source;
    const kept =
      state.store.get(`${id}#`) ??
      this.#untouched(`${id}#`, id, state, () => this.fresh(sizeType, source, { range: { lo: 0, hi: 2 ** 62 } }));
    if (target === undefined) return kept.number;
    return addLinear(kept.number, scaleLinear(target.offset, -1)) ?? kept.number;
  }

  convert(value: Value, type: CType, state: State): Value {
    if (type.kind === 'unknown' || type.kind === 'record')
      return value.type.kind === 'unknown' ? { ...value, type } : value;
    if (type.kind !== 'int' || value.type.kind === 'float') {
      if (type.kind === 'int') return this.fresh(type, value.source);
      return { ...value, type };
    }
    const range = this.range(value.number, state.facts);
    const full = rangeOf(type);
    if (range.lo >= full.lo && range.hi <= full.hi) return { ...value, type };
    const from = value.type.kind === 'int' ? value.type.bytes : 8;
    if (value.number.symbol !== 0 && from <= type.bytes) return { ...value, type };
    if (value.number.symbol === 0 && !type.signed && range.lo === range.hi)
      return this.constant(range.lo < 0 ? full.hi + 1 + range.lo : range.lo % (full.hi + 1), type);
    return this.fresh(type, value.source);
  }

  #assignment(node: CNode, state: State): Value {
    const left = child(node, 'left');
    const right = child(node, 'right');
    if (left === undefined || right === undefined) return this.constant(0);
    let value = this.evaluate(right, state);
    if (node.operator !== '=') {
      const old = this.evaluate(left, state);
      value = this.calculate(node, node.operator.slice(0, -1), old, value, state);
    }
    const place = this.locate(left, state, true);
    if (place === undefined) return value;
    if (place.type.kind === 'record') {
      const from = this.quietly(() => this.locate(right, new State(state)));
      const result = this.assign(place, value, node, left, state);
      if (from !== undefined) this.copyRecord(from.key, place.key, state);
      return result;
    }
    return this.assign(place, value, node, left, state);
  }

  #update(node: CNode, state: State): Value {
    const argument = child(node, 'argument');
    if (argument === undefined) return this.constant(0);
    const old = this.evaluate(argument, state);
    const changed = this.calculate(node, node.operator === '++' ? '+' : '-', old, this.constant(1), state);
    const place = this.locate(argument, state, true);
    if (place !== undefined) this.assign(place, changed, node, argument, state);
    return argument.start > node.start ? changed : old;
  }

  #binary(node: CNode, state: State): Value {
    const left = child(node, 'left');
    const right = child(node, 'right');
    if (left === undefined || right === undefined) return this.constant(0);
    if (node.operator === '&&' || node.operator === '||') {
      const { yes, no } = this.branch(node, state, null);
      const decided = yes.dead ? 0 : no.dead ? 1 : undefined;
      const value =
        decided === undefined ? this.fresh(intType, Source.own, { range: { lo: 0, hi: 1 } }) : this.constant(decided);
      const outcomes = [
        ...(yes.dead ? [] : [{ value: this.constant(1), facts: yes.facts }]),
        ...(no.dead ? [] : [{ value: this.constant(0), facts: no.facts }]),
      ];
      state.become(this.join(yes, no));
      return { ...value, outcomes };
    }
    const [a, b] = [this.evaluate(left, state), this.evaluate(right, state)];
    if (Object.hasOwn(negated, node.operator)) {
      for (const family of this.#listeners)
        family.arithmetic?.(this, {
          node,
          operator: node.operator,
          left: a,
          right: b,
          exact: { lo: 0, hi: 1 },
          type: intType,
          state,
        });
      if (this.#impossible(node.operator, a, b, state)) return this.constant(0);
      if (this.#impossible(negated[node.operator] as string, a, b, state)) return this.constant(1);
      const value = this.fresh(intType, Math.max(a.source, b.source) as Source, { range: { lo: 0, hi: 1 } });
      const [yes, no] = [new State(state), new State(state)];
      this.compare(node.operator, a, b, yes, [left, right]);
      this.compare(negated[node.operator] as string, a, b, no, [left, right]);
      return {
        ...value,
        outcomes: [
          { value: this.constant(1), facts: yes.facts },
          { value: this.constant(0), facts: no.facts },
        ],
      };
    }
    return this.calculate(node, node.operator, a, b, state);
  }

  calculate(node: CNode, operator: string, a: Value, b: Value, state: State): Value {
    const source = Math.max(a.source, b.source) as Source;
    const [pa, pb] = [isPointer(a), isPointer(b)];
    if ((operator === '+' || operator === '-') && pa !== pb && (pa || operator === '+')) {
      const [pointer, index] = pa ? [a, b] : [b, a];
      const to =
        pointer.type.kind === 'pointer'
          ? pointer.type.to
          : pointer.type.kind === 'array'
            ? pointer.type.of
            : unknownType;
      const bytes = this.sizeOf(to) ?? 1;
      const by = scaleLinear(index.number, operator === '-' ? -bytes : bytes);
      return this.move(pointer, by, index.source, state);
    }
    if (pa && pb && operator === '-') {
      const [t1, t2] = [a.targets[0], b.targets[0]];
      if (t1 !== undefined && t2 !== undefined && t1.region.id === t2.region.id) {
        const difference = addLinear(t1.offset, scaleLinear(t2.offset, -1));
        if (difference !== null) return { ...this.constant(0, longType), number: difference };
      }
      return this.fresh(longType, Source.own);
    }
    const type = usual(a.type, b.type);
    if (type.kind === 'float') {
      const decided =
        a.number.symbol === 0 && b.number.symbol === 0 ? fold(operator, a.number.offset, b.number.offset) : undefined;
      for (const family of this.#listeners)
        family.arithmetic?.(this, {
          node,
          operator,
          left: a,
          right: b,
          exact: { lo: decided ?? -Infinity, hi: decided ?? Infinity },
          type,
          state,
        });
      return decided === undefined ? this.fresh(type, source) : this.constant(decided, type);
    }
    const [x, y] = [this.range(a.number, state.facts), this.range(b.number, state.facts)];
    const exact = exactRange(operator, x, y);
    for (const family of this.#listeners)
      family.arithmetic?.(this, { node, operator, left: a, right: b, exact, type, state });
    const linear = this.#linear(operator, a.number, b.number);
    if (linear !== undefined && (linear.symbol !== 0 || fits(exact, type)))
      return { number: linear, type, source, targets: [] };
    const result = this.fresh(type, source, { range: fits(exact, type) ? exact : rangeOf(type) });
    if (operator === '%' && y.lo > 0 && b.number.symbol !== 0 && b.number.scale === 1)
      state.facts.order(result.number.symbol, b.number.symbol, b.number.offset - 1);
    if (operator === '&' && ((a.type.kind === 'int' && !a.type.signed) || x.lo >= 0)) this.#masked(result, a, b, state);
    return result;
  }

  #masked(result: Value, a: Value, b: Value, { facts }: State): void {
    for (const side of [a, b])
      if (side.number.symbol !== 0 && side.number.scale === 1 && this.range(side.number, facts).lo >= 0)
        facts.order(result.number.symbol, side.number.symbol, side.number.offset);
  }

  #linear(operator: string, a: Linear, b: Linear): Linear | undefined {
    if (a.symbol === 0 && b.symbol === 0) {
      const value = fold(operator, a.offset, b.offset);
      return value === undefined || !Number.isFinite(value) ? undefined : constant(Math.trunc(value));
    }
    if (operator === '+') return addLinear(a, b) ?? undefined;
    if (operator === '-') return addLinear(a, scaleLinear(b, -1)) ?? undefined;
    if (operator === '*' && (a.symbol === 0 || b.symbol === 0))
      return a.symbol === 0 ? scaleLinear(b, a.offset) : scaleLinear(a, b.offset);
    if (operator === '<<' && b.symbol === 0 && b.offset >= 0 && b.offset < 32) return scaleLinear(a, 2 ** b.offset);
    if (operator === '/' && b.symbol === 0 && b.offset === 1) return a;
    return undefined;
  }

  #unary(node: CNode, state: State): Value {
    const argument = child(node, 'argument');
    if (argument === undefined) return this.constant(0);
    const value = this.evaluate(argument, state);
    switch (node.operator) {
      case '-':
        return { ...value, number: scaleLinear(value.number, -1), targets: [] };
      case '+':
        return value;
      case '!': {
        const zero = this.constant(0, value.type);
        if (this.#impossible('==', value, zero, state)) return this.constant(0);
        if (this.#impossible('!=', value, zero, state)) return this.constant(1);
        return this.fresh(intType, value.source, { range: { lo: 0, hi: 1 } });
      }
      case '~':
        return value.number.symbol === 0
          ? this.constant(~value.number.offset, value.type)
          : this.fresh(value.type, value.source);
      default:
        return value;
    }
  }

  #conditional(node: CNode, state: State): Value {
    const condition = child(node, 'condition');
    const [yes, no] = [child(node, 'consequence'), child(node, 'alternative')];
    if (condition === undefined || no === undefined) return this.constant(0);
    const { yes: taken, no: other } = this.branch(condition, state, null);
    const a = taken.dead ? undefined : yes === undefined ? this.evaluate(condition, taken) : this.evaluate(yes, taken);
    const b = other.dead ? undefined : this.evaluate(no, other);
    const joined = this.join(taken, other);
    const value = a === undefined ? b : b === undefined ? a : this.mergeValues(a, taken, b, other, joined.facts);
    state.become(joined);
    return value ?? this.constant(0);
  }

  #sizeof(node: CNode, state: State): Value {
    const described = child(node, 'type');
    const inner = child(node, 'value');
    let bytes: number | undefined;
    if (described !== undefined) {
      const name = this.text(described).trim();
      const variable = this.lookup(name);
      bytes = this.sizeOf(variable?.type ?? this.program.described(described));
    } else if (inner !== undefined) {
      let plain: CNode = inner;
      while (plain.type === 'parenthesized_expression' && plain.children[0] !== undefined) plain = plain.children[0];
      const name = this.text(plain);
      const text = this.stringOf(plain);
      if (plain.type === 'identifier' && this.lookup(name) === undefined && text === undefined)
        bytes = this.sizeOf(this.program.named(name));
      else if (text !== undefined && this.lookup(this.text(plain)) === undefined) bytes = text.length + 1;
      else {
        const scratch = new State(state);
        const place = this.quietly(() => this.locate(plain, scratch));
        const { variable } = place ?? {};
        if (variable?.region.size !== null && variable?.region.size !== undefined)
          return { ...this.constant(0, sizeType), number: variable.region.size };
        bytes = this.sizeOf(place?.type ?? this.quietly(() => this.evaluate(plain, scratch)).type);
      }
    }
    return bytes === undefined
      ? this.fresh(sizeType, Source.own, { range: { lo: 1, hi: 2 ** 31 } })
      : this.constant(bytes, sizeType);
  }

  // ---- calls

  calleeOf(call: CNode): string {
    const callee = child(call, 'function');
    return callee === undefined ? '' : this.program.resolve(this.text(callee));
  }

  #call(node: CNode, state: State): Value {
    const callee = child(node, 'function');
    const name = this.calleeOf(node);
    const args: Argument[] = (child(node, 'arguments')?.children ?? []).map((argument) => ({
      node: argument,
      value: this.evaluate(argument, state),
    }));
    if (callee !== undefined && callee.type !== 'identifier') this.evaluate(callee, state);
    for (const family of this.#listeners) family.call?.(this, { node, name, arguments: args, state });
    const own = this.program.functions.get(name);
    if (own !== undefined) {
      if (!this.#quiet && !this.#active(own) && this.#depth() < maximumDepth && this.#steps < inlineBudget) {
        const value = this.#activate(
          own,
          args.map(({ value }) => value),
          this.frame,
          state,
        );
        this.#entrust(args, own, state);
        return value ?? this.fresh(own.result, Source.own);
      }
      this.escape(args, state);
      return this.fresh(own.result, maximumSource(args));
    }
    if (this.#quiet) return this.fresh(unknownType, Source.own);
    const modelled = applyLibrary(this, { node, name, arguments: args, state });
    if (modelled !== undefined) return modelled;
    this.escape(args, state);
    return this.fresh(unknownType, Source.own, { origin: { node, callee: name } });
  }

  // A function that frees the members of a list, one by one, frees the list.
  #entrust(args: readonly Argument[], own: CFunction, state: State): void {
    if (!this.#frees(own)) return;
    for (const { value } of args) {
      for (const { region } of value.targets) {
        if (state.lives.get(region.id) === 'live') state.lives.set(region.id, 'given away');
      }
    }
  }

  #frees({ body }: CFunction): boolean {
    let frees = freeing.get(body);
    if (frees === undefined) {
      frees = [...descendants(body)].some(
        (at) => at.type === 'call_expression' && freed(this.calleeOf(at)) !== undefined && inLoop(at, body),
      );
      freeing.set(body, frees);
    }
    return frees;
  }

  /** An unknown function may keep what it is given, and write to it. */
  escape(args: readonly Argument[], state: State): void {
    for (const { value } of args) {
      for (const { region } of value.targets) {
        if (state.lives.get(region.id) === 'live') state.lives.set(region.id, 'given away');
        if (region.kind !== 'literal') this.forget(region.id, state);
      }
    }
  }

  #active(own: CFunction): boolean {
    for (let at: Frame | null = this.frame; at !== null; at = at.caller) if (at.function === own) return true;
    return false;
  }

  #depth(): number {
    let depth = 0;
    for (let at: Frame | null = this.frame; at !== null; at = at.caller) depth++;
    return depth;
  }
}

const negated: Readonly<Record<string, string>> = {
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
  '==': '!=',
  '!=': '==',
};

const knownConstants: Readonly<Record<string, number>> = {
  NULL: 0,
  EOF: -1,
  INT_MAX: 2 ** 31 - 1,
  INT_MIN: -(2 ** 31),
  UINT_MAX: 2 ** 32 - 1,
  LONG_MAX: 2 ** 63,
  LONG_MIN: -(2 ** 63),
  ULONG_MAX: 2 ** 64,
  SIZE_MAX: 2 ** 64,
  SSIZE_MAX: 2 ** 63,
  CHAR_MAX: 127,
  SHRT_MAX: 32767,
  USHRT_MAX: 65535,
  UINT8_MAX: 255,
  UINT16_MAX: 65535,
  INT32_MAX: 2 ** 31 - 1,
  UINT32_MAX: 2 ** 32 - 1,
  PATH_MAX: 4096,
  FILENAME_MAX: 4096,
  BUFSIZ: 8192,
  NAME_MAX: 255,
  EXIT_SUCCESS: 0,
  EXIT_FAILURE: 1,
  STDIN_FILENO: 0,
  STDOUT_FILENO: 1,
};

export function isPointer(value: Value): boolean {
  return value.type.kind === 'pointer' || value.type.kind === 'array' || value.targets.length > 0;
}

function isUnsigned(type: CType): boolean {
  return type.kind === 'int' && !type.signed && type.bytes >= 4;
}

export function partsOf(value: Value): readonly number[] {
  if (value.parts !== undefined) return value.parts;
  return value.source === Source.own || value.number.symbol === 0 ? [] : [value.number.symbol];
}

function maximumSource(args: readonly Argument[]): Source {
  return Math.max(0, ...args.map(({ value }) => value.source)) as Source;
}

function ownedBy(key: string, frame: string): boolean {
  const at = key.indexOf(frame);
  return at > 0 && key[at + frame.length] === '~' && !key.startsWith('*');
}

function fieldOf(type: CType, name: string): CType {
  return type.kind === 'record' ? (type.fields?.get(name) ?? unknownType) : unknownType;
}

/** An array's type with the length that its initialiser gives. */
function sizedBy(type: CType, value: CNode | undefined): CType {
  if (type.kind !== 'array' || type.length !== null || value === undefined) return type;
  if (value.type === 'initializer_list') return { ...type, length: value.children.length };
  if (value.type === 'string_literal')
    return {
      ...type,
      length: charactersOf(value.children.length === 0 ? '' : ' '.repeat(value.end - value.start - 2)).length + 1,
    };
  return type;
}

const freeing = new WeakMap<CNode, boolean>();
function inLoop(node: CNode, body: CNode): boolean {
  for (let at = node.parent; at !== null && at !== body; at = at.parent)
    if (/^(for|while|do)_/.test(at.type)) return true;
  return false;
}

const changing = new WeakMap<CNode, readonly CNode[]>();

/** What assigns to something in a loop, or gives its address away. */
function changesIn(loop: CNode): readonly CNode[] {
  let found = changing.get(loop);
  if (found === undefined) {
    const parts = loop.children.filter(({ field }) => field !== 'initializer');
    found = parts.flatMap((part) => [...descendants(part)]).filter(changes);
    changing.set(loop, found);
  }
  return found;
}

function changes({ type, operator, parent }: CNode): boolean {
  if (type === 'update_expression' || type === 'assignment_expression') return true;
  return type === 'pointer_expression' && operator === '&' && parent?.type === 'argument_list';
}

function statements(node: CNode): number {
  return node.type === 'compound_statement' ? node.children.length : 1;
}

function hasLabel(node: CNode): boolean {
  if (node.type === 'labeled_statement' || node.type === 'case_statement') return true;
  return /statement$|clause$|^preproc|^ERROR$/.test(node.type) && node.children.some(hasLabel);
}

function usual(a: CType, b: CType): CType {
  if (a.kind === 'float' || b.kind === 'float')
    return a.kind === 'float' && b.kind === 'float' ? (a.bytes >= b.bytes ? a : b) : a.kind === 'float' ? a : b;
  if (a.kind !== 'int') return b.kind === 'int' ? promote(b) : unknownType;
  if (b.kind !== 'int') return promote(a);
  const [p, q] = [promote(a), promote(b)];
  if (p.kind !== 'int' || q.kind !== 'int') return intType;
  if (p.bytes !== q.bytes) return p.bytes > q.bytes ? p : q;
  return p.signed ? q : p;
}

function promote(type: CType): CType {
  return type.kind === 'int' && type.bytes < 4 ? intType : type;
}

export function fits({ lo, hi }: Range, type: CType): boolean {
  const full = rangeOf(type);
  return lo >= full.lo && hi <= full.hi;
}

function fold(operator: string, a: number, b: number): number | undefined {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b === 0 ? undefined : a / b;
    case '%':
      return b === 0 ? undefined : a % b;
    case '<<':
      return b >= 0 && b < 64 ? a * 2 ** b : undefined;
    case '>>':
      return b >= 0 && b < 64 ? Math.floor(a / 2 ** b) : undefined;
    case '&':
      return a >= 0 && b >= 0 && a < 2 ** 31 && b < 2 ** 31 ? a & b : undefined;
    case '|':
      return a >= 0 && b >= 0 && a < 2 ** 31 && b < 2 ** 31 ? a | b : undefined;
    case '^':
      return a >= 0 && b >= 0 && a < 2 ** 31 && b < 2 ** 31 ? a ^ b : undefined;
    default:
      return undefined;
  }
}

function exactRange(operator: string, x: Range, y: Range): Range {
  const product = (p: number, q: number): number => (p === 0 || q === 0 ? 0 : p * q);
  switch (operator) {
    case '+':
      return { lo: x.lo + y.lo, hi: x.hi + y.hi };
    case '-':
      return { lo: x.lo - y.hi, hi: x.hi - y.lo };
    case '*': {
      const all = [product(x.lo, y.lo), product(x.lo, y.hi), product(x.hi, y.lo), product(x.hi, y.hi)];
      return { lo: Math.min(...all), hi: Math.max(...all) };
    }
    case '/':
      if (y.lo > 0)
        return {
          lo: Math.trunc(Math.min(x.lo / y.lo, x.lo / y.hi)),
          hi: Math.trunc(Math.max(x.hi / y.lo, x.hi / y.hi)),
        };
      return { lo: -Math.max(Math.abs(x.lo), Math.abs(x.hi)), hi: Math.max(Math.abs(x.lo), Math.abs(x.hi)) };
    case '%': {
      const most = Math.max(Math.abs(y.lo), Math.abs(y.hi)) - 1;
      // Of a number that is only as low as its type, nobody said that it is below zero.
      return {
        lo: x.lo >= 0 || x.lo <= -(2 ** 31) + 8 ? 0 : Math.max(-most, x.lo),
        hi: x.hi <= 0 ? 0 : Math.min(most, x.hi),
      };
    }
    case '&':
      if (x.lo >= 0 || y.lo >= 0)
        return { lo: 0, hi: Math.min(x.lo >= 0 ? x.hi : Infinity, y.lo >= 0 ? y.hi : Infinity) };
      return { lo: -Infinity, hi: Infinity };
    case '>>':
      return x.lo >= 0 && y.lo >= 0 ? { lo: 0, hi: Math.floor(x.hi / 2 ** Math.min(y.lo, 63)) } : x;
    case '<<':
      return y.lo >= 0 && y.hi < 64
        ? { lo: Math.min(x.lo, x.lo * 2 ** y.hi), hi: Math.max(x.hi, x.hi * 2 ** y.hi) }
        : { lo: -Infinity, hi: Infinity };
    default:
      return { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
  }
}

// A small sum of a macro: numbers, + - * / ( ) and shifts.
function arithmetic(text: string): number | undefined {
  let at = 0;
  const skip = (): void => {
    while (text[at] === ' ') at++;
  };
  const atom = (): number => {
    skip();
    if (text[at] === '(') {
      at++;
      const value = sum();
      skip();
      at++;
      return value;
    }
    if (text[at] === '-') {
      at++;
      return -atom();
    }
    const match = /^[\d.]+/.exec(text.slice(at));
    at += match?.[0].length ?? 1;
    return match === null ? Number.NaN : Number(match[0]);
  };
  const term = (): number => {
    let value = atom();
    for (skip(); text[at] === '*' || text[at] === '/'; skip())
      value = text[at++] === '*' ? value * atom() : Math.trunc(value / atom());
    return value;
  };
  const plain = (): number => {
    let value = term();
    for (skip(); text[at] === '+' || text[at] === '-'; skip())
      value = text[at++] === '+' ? value + term() : value - term();
    return value;
  };
  const sum = (): number => {
    let value = plain();
    for (skip(); text.startsWith('<<', at); skip()) {
      at += 2;
      value *= 2 ** plain();
    }
    return value;
  };
  const value = sum();
  skip();
  return at >= text.length && Number.isFinite(value) ? value : undefined;
}
