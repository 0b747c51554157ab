import type { Guard, RawFinding } from '../engine/walk.js';
import { child, descendants, type SyntaxNode } from '../syntax/node.js';
import type { Source } from '../syntax/source.js';
import { allClean, forbids, inputNames, sinkOf } from './calls.js';
import { checkCall, isSecret } from './checks.js';
import { resultOf } from './results.js';
import { Danger, type Fact, facts, type Origin, own, State, union, type Value } from './values.js';

/** A function of the module. */
interface Definition {
  readonly name: string;
  readonly node: SyntaxNode;
  readonly parameters: readonly string[];
  /** It answers requests: what it is given comes from users, and what it returns is a page. */
  readonly route: boolean;
}

/** A call with its arguments. */
export interface Call {
  readonly node: SyntaxNode;
  /** The full name, with imports resolved: `subprocess.run`. */
  readonly name: string;
  /** The last part of it. */
  readonly method: string;
  readonly receiver: Value | undefined;
  readonly places: readonly { node: SyntaxNode; value: Value }[];
  readonly keywords: ReadonlyMap<string, { node: SyntaxNode; value: Value }>;
  readonly state: State;
}

/** Calls within calls that are followed. */
const deepest = 3;
/** Steps from a function on. */
const budget = 40_000;
/** Names of what nobody may guess. */
const unguessable =
  /token|passw|secret|(api|private|session|encryption|auth)_?key|(^|_)(otp|pin)$|nonce|salt|session_?id|csrf/i;

/** One walk over a module: text from outside is followed through each function. Guards that are `off` say nothing. */
export class PythonWalk {
  readonly findings: Map<string, RawFinding> = new Map();
  readonly guards: Map<string, Guard> = new Map();
  readonly #source: Source;
  readonly #off: ReadonlySet<string>;
  readonly #names = new Map<string, string>();
  readonly #functions = new Map<string, Definition>();
  readonly #globals = new State();
  #atoms = 0;
  #steps = 0;
  #exits: { state: State; value: Value; is: boolean | undefined }[] | undefined;
  #inside: Definition[] = [];

  constructor(source: Source, off: ReadonlySet<string>) {
    this.#source = source;
    this.#off = off;
  }

  run(): void {
    const { root } = this.#source;
    const called = new Set<string>();
    for (const node of descendants(root)) {
      if (node.type === 'import_statement' || node.type === 'import_from_statement') this.#import(node);
      else if (node.type === 'function_definition') this.#define(node);
      else if (node.type === 'call') called.add(this.dotted(child(node, 'function')).replace(/^(self|cls)\./, ''));
    }
    this.#block(root, this.#globals);
    for (const definition of this.#functions.values())
      if (definition.route || !called.has(definition.name)) this.#root(definition);
  }

  text(node: Pick<SyntaxNode, 'start' | 'end'>): string {
    return this.#source.text(node);
  }

  report(rule: string, node: SyntaxNode, message: string): void {
    const key = `${rule}@${node.start}`;
    if (!this.findings.has(key)) this.findings.set(key, { key, rule, node, message });
  }

  /** Whether a defence is in force; it becomes a candidate for credit. */
  holds(node: SyntaxNode): boolean {
    const key = `${node.start}:${node.end}`;
    if (this.#off.has(key)) return false;
    if (!this.guards.has(key)) this.guards.set(key, { key, start: node.start, end: node.end });
    return true;
  }

  // ---- names

  #import(node: SyntaxNode): void {
    const from = child(node, 'module_name');
    const prefix = from === undefined ? '' : `${this.text(from)}.`;
    for (const item of node.children) {
      if (item.field !== 'name') continue;
      const [name, alias] = [child(item, 'name'), child(item, 'alias')];
      if (name !== undefined && alias !== undefined) this.#names.set(this.text(alias), prefix + this.text(name));
      else if (prefix !== '') this.#names.set(this.text(item), prefix + this.text(item));
    }
  }

  #define(node: SyntaxNode): void {
    const name = child(node, 'name');
    if (name === undefined) return;
    const parameters = (child(node, 'parameters')?.children ?? []).flatMap((parameter) => {
      const inner = parameter.type === 'identifier' ? parameter : (child(parameter, 'name') ?? parameter.children[0]);
      return inner === undefined ? [] : [this.text(inner)];
    });
    const decorators = node.parent?.type === 'decorated_definition' ? node.parent.children : [];
    const route = decorators.some(
      (item) => item.type === 'decorator' && /\.(route|get|post|put|delete|patch)\s*\(/.test(this.text(item)),
    );
    const key = this.#functions.has(this.text(name)) ? `${this.text(name)}@${node.start}` : this.text(name);
    this.#functions.set(key, { name: this.text(name), node, parameters, route });
  }

  /** The full name of a function or variable, with imports resolved; empty for other expressions. */
  dotted(node: SyntaxNode | undefined): string {
    if (node?.type === 'identifier') return this.#names.get(this.text(node)) ?? this.text(node);
    if (node?.type !== 'attribute') return '';
    const [object, attribute] = [child(node, 'object'), child(node, 'attribute')];
    const head = this.dotted(object);
    return head === '' || attribute === undefined ? '' : `${head}.${this.text(attribute)}`;
  }

  // ---- functions

  /** Something new from outside. */
  fresh(origin: Origin): Value {
    return { parts: [{ atom: ++this.#atoms, origin, clean: 0 }] };
  }

  #root(definition: Definition): void {
    const state = new State(this.#globals);
    state.dead = false;
    this.#steps = 0;
    const origin: Origin = definition.route ? 'input' : 'parameter';
    for (const name of definition.parameters)
      state.variables.set(name, /^(self|cls)$/.test(name) ? own : this.fresh(origin));
    this.#activate(definition, state);
  }

  #activate(definition: Definition, state: State): { state: State; value: Value; is: boolean | undefined }[] {
    const outer = this.#exits;
    const exits: { state: State; value: Value; is: boolean | undefined }[] = [];
    this.#exits = exits;
    this.#inside.push(definition);
    const body = child(definition.node, 'body');
    if (body !== undefined) this.#block(body, state);
    if (!state.dead) exits.push({ state: new State(state), value: own, is: false });
    this.#inside.pop();
    this.#exits = outer;
    return exits;
  }

  /** A call of a function of this module, walked with what it is given. */
  #inline(definition: Definition, call: Call): Value {
    const { state } = call;
    const inner = new State(this.#globals);
    inner.learn([...state.facts].map(([atom, clean]) => ({ atom, clean })));
    const names = definition.parameters.filter((name) => !/^(self|cls)$/.test(name));
    for (const [i, name] of names.entries())
      inner.variables.set(name, call.keywords.get(name)?.value ?? call.places[i]?.value ?? own);
    const exits = this.#activate(definition, inner);
    const [first] = exits;
    if (first === undefined) {
      state.dead = true;
      return own;
    }
    const known = (of: typeof exits): Map<number, number> => {
      let facts: Map<number, number> | undefined;
      for (const { state: exit } of of) {
        if (facts === undefined) facts = new Map(exit.facts);
        else for (const [atom, clean] of facts) facts.set(atom, clean & (exit.facts.get(atom) ?? 0));
      }
      return facts ?? new Map();
    };
    const list = (facts: Map<number, number>): Fact[] => [...facts].map(([atom, clean]) => ({ atom, clean }));
    state.learn(list(known(exits)));
    const truth = {
      yes: list(known(exits.filter(({ is }) => is !== false))),
      no: list(known(exits.filter(({ is }) => is !== true))),
    };
    const value = exits.length === 1 ? first.value : union(exits.map(({ value }) => value));
    return { ...value, ...(exits.some(({ value }) => value.joined) && { joined: true }), truth };
  }

  // ---- statements

  #block(node: SyntaxNode, state: State): void {
    for (const item of node.children) this.#statement(item, state);
  }

  #statement(node: SyntaxNode, state: State): void {
    if (state.dead || ++this.#steps > budget) return;
    switch (node.type) {
      case 'function_definition':
      case 'import_statement':
      case 'import_from_statement':
      case 'global_statement':
      case 'pass_statement':
        return;
      case 'decorated_definition':
      case 'class_definition': {
        const body = child(node, 'body') ?? child(node, 'definition');
        if (body?.type === 'block') this.#block(body, state);
        else if (body?.type === 'class_definition') this.#statement(body, state);
        return;
      }
      case 'return_statement': {
        const [result] = node.children;
        if (result !== undefined && unguessable.test(this.#inside.at(-1)?.name ?? '')) this.#random(result);
        if (result !== undefined && this.#exits !== undefined && this.#inside.length > 1 && isTest(result)) {
          const { yes, no } = this.branch(result, state, null);
          if (!yes.dead) this.#exits.push({ state: yes, value: own, is: true });
          if (!no.dead) this.#exits.push({ state: no, value: own, is: false });
        } else {
          const value = result === undefined ? own : this.evaluate(result, state);
          if (this.#inside.at(-1)?.route) this.#page(node, value, state);
          const is = result === undefined ? false : truthOf(this.text(result));
          this.#exits?.push({ state: new State(state), value, is });
        }
        state.dead = true;
        return;
      }
      case 'raise_statement':
        for (const item of node.children) this.evaluate(item, state);
        state.dead = true;
        return;
      case 'break_statement':
      case 'continue_statement':
        state.dead = true;
        return;
      case 'if_statement':
        this.#if(node, state);
        return;
      case 'assert_statement': {
        const [test] = node.children;
        if (test === undefined) return;
        const value = this.evaluate(test, state);
        if (value.parts.some(({ origin }) => origin === 'input') || this.#looksAtInput(test, state))
          this.report('assertion', node, 'an assertion says what input may be');
        state.become(this.branch(test, state, node).yes);
        return;
      }
      case 'for_statement': {
        const [left, right, body] = ['left', 'right', 'body'].map((field) => child(node, field));
        const value = right === undefined ? own : this.evaluate(right, state);
        const inside = new State(state);
        if (left !== undefined) this.#bind(left, union([value]), inside);
        if (body !== undefined) this.#block(body, inside);
        state.become(State.join(state, inside));
        return;
      }
      case 'while_statement': {
        const [condition, body] = ['condition', 'body'].map((field) => child(node, field));
        const { yes, no } =
          condition === undefined ? { yes: new State(state), no: state } : this.branch(condition, state, null);
        if (body !== undefined) this.#block(body, yes);
        state.become(State.join(no, yes));
        return;
      }
      case 'try_statement': {
        const entry = new State(state);
        const body = child(node, 'body');
        if (body !== undefined) this.#block(body, state);
        for (const handler of node.children) {
          if (handler.type === 'finally_clause') this.#block(handler, state);
          if (!/^except/.test(handler.type)) continue;
          const caught = State.join(entry, entry);
          for (const item of handler.children) if (item.type === 'block') this.#block(item, caught);
          state.become(State.join(state, caught));
        }
        return;
      }
      case 'with_statement': {
        for (const item of node.children) {
          if (item.field === 'body') this.#block(item, state);
          else for (const one of item.children) this.evaluate(child(one, 'value') ?? one, state);
        }
        return;
      }
      case 'match_statement':
        for (const item of node.children) {
          const inside = new State(state);
          for (const part of descendants(item)) if (part.type === 'block') this.#block(part, inside);
          state.become(State.join(state, inside));
        }
        return;
      case 'ERROR':
      case 'block':
        this.#block(node, state);
        return;
      case 'expression_statement':
        for (const item of node.children) this.evaluate(item, state);
        return;
      default:
        this.evaluate(node, state);
    }
  }

  #if(node: SyntaxNode, state: State): void {
    const [condition, consequence] = ['condition', 'consequence'].map((field) => child(node, field));
    if (condition === undefined || consequence === undefined) return;
    const others = node.children.filter(({ field }) => field === 'alternative');
    const whole = others.length === 0 && consequence.children.length <= 6 && this.#leaves(consequence);
    const { yes, no } = this.branch(condition, state, whole ? node : null);
    this.#block(consequence, yes);
    let rest = no;
    let joined = yes;
    for (const other of others) {
      const test = child(other, 'condition');
      const body = child(other, 'consequence') ?? child(other, 'body');
      const ways = test === undefined ? { yes: rest, no: undefined } : this.branch(test, rest, null);
      if (body !== undefined) this.#block(body, ways.yes);
      joined = State.join(joined, ways.yes);
      rest = ways.no ?? Object.assign(new State(rest), { dead: true });
    }
    state.become(State.join(joined, rest));
  }

  #leaves(block: SyntaxNode): boolean {
    const last = block.children.at(-1);
    if (last === undefined) return false;
    if (/^(return|raise|break|continue)_statement$/.test(last.type)) return true;
    const call = last.children[0];
    return (
      call?.type === 'call' &&
      /^(sys\.exit|exit|quit|os\._exit|(flask\.)?abort)$/.test(this.dotted(child(call, 'function')))
    );
  }

  /** What a route gives is a page. */
  #page(node: SyntaxNode, value: Value, state: State): void {
    if (!value.joined || !/</.test(value.literal ?? '<')) return;
    if (state.dangerous(value, Danger.html).some(({ origin }) => origin === 'input'))
      this.report('html', node, 'text from outside gets into a page as it came');
  }

  #bind(target: SyntaxNode, value: Value, state: State): void {
    if (
      /^(pattern_list|tuple_pattern|list_pattern|as_pattern_target)$/.test(target.type) &&
      target.children.length > 0
    ) {
      for (const item of target.children) this.#bind(item, value, state);
      return;
    }
    if (target.type === 'subscript') {
      const key = this.dotted(child(target, 'value'));
      const old = state.variables.get(key);
      if (key !== '') state.variables.set(key, { ...old, ...union([old, value]) });
      return;
    }
    const key = target.type === 'attribute' ? this.dotted(target) : this.text(target);
    if (key !== '') state.variables.set(key, value);
  }

  // ---- conditions

  /** The two ways on from a condition. The guard is what gets the credit; by default the test itself. */
  branch(node: SyntaxNode, state: State, guard: SyntaxNode | null): { yes: State; no: State } {
    const [left, right] = [child(node, 'left'), child(node, 'right')];
    if (node.type === 'parenthesized_expression' && node.children[0] !== undefined)
      return this.branch(node.children[0], state, guard);
    const argument = node.type === 'not_operator' ? child(node, 'argument') : undefined;
    if (argument !== undefined) {
      const { yes, no } = this.branch(argument, state, guard);
      return { yes: no, no: yes };
    }
    if (node.type === 'boolean_operator' && left !== undefined && right !== undefined) {
      const first = this.branch(left, state, guard);
      if (node.operator === 'and') {
        const second = this.branch(right, first.yes, guard);
        return { yes: second.yes, no: State.join(first.no, second.no) };
      }
      const second = this.branch(right, first.no, guard);
      return { yes: State.join(first.yes, second.yes), no: second.no };
    }
    const here = new State(state);
    const { truth } = this.evaluate(node, here);
    const [yes, no] = [new State(here), new State(here)];
    if (truth !== undefined && truth.yes.length + truth.no.length > 0 && this.holds(guard ?? node)) {
      yes.learn(truth.yes);
      no.learn(truth.no);
    }
    const known = truthOf(this.text(node));
    if (known === true) no.dead = true;
    if (known === false) yes.dead = true;
    return { yes, no };
  }

  #comparison(node: SyntaxNode, state: State): Value {
    const [first, second] = node.children;
    if (first === undefined || second === undefined || node.children.length !== 2) {
      for (const item of node.children) this.evaluate(item, state);
      return own;
    }
    const operator = this.text({ start: first.end, end: second.start }).replace(/\s+/g, ' ').trim();
    const [a, b] = [this.evaluate(first, state), this.evaluate(second, state)];
    const told = (yes: Fact[], no: Fact[] = []): Value => ({
      ...own,
      truth: /^(not in|!=|is not)$/.test(operator) ? { yes: no, no: yes } : { yes, no },
    });
    switch (operator) {
      case 'in':
      case 'not in':
        // `".." in name`, or `name in allowed`.
        if (a.literal !== undefined && a.parts.length === 0) return told([], facts(b, forbids(a.literal)));
        return b.parts.length === 0 ? told(facts(a, allClean)) : own;
      case '==':
      case '!=':
      case 'is':
      case 'is not': {
        if (/^(None|True|False)$/.test(this.text(second)) || a.literal === '' || b.literal === '') return own;
        const inside = [first, second].find(
          (side) =>
            side.type === 'call' && /^os\.path\.common(path|prefix)$/.test(this.dotted(child(side, 'function'))),
        );
        if (inside !== undefined) return told(facts(inside === first ? a : b, Danger.path));
        const [text, other] = a.parts.length > 0 ? [a, b] : [b, a];
        return other.parts.length === 0 &&
          (other.literal !== undefined || /^[\w.]+$/.test(this.text(a.parts.length > 0 ? second : first)))
          ? told(facts(text, allClean))
          : own;
      }
      default:
        return own;
    }
  }

  #looksAtInput(test: SyntaxNode, state: State): boolean {
    return descendants(test).some(
      (node) =>
        node.type === 'identifier' &&
        (state.variables.get(this.text(node))?.parts ?? []).some(({ origin }) => origin === 'input'),
    );
  }

  // ---- expressions

  evaluate(node: SyntaxNode, state: State): Value {
    if (++this.#steps > budget) return own;
    switch (node.type) {
      case 'string':
        return this.#string(node, state);
      case 'concatenated_string': {
        const values = node.children.map((part) => this.evaluate(part, state));
        const parts = union(values);
        return parts.parts.length > 0
          ? { ...parts, joined: true }
          : { ...own, literal: values.map(({ literal }) => literal ?? '').join('') };
      }
      case 'integer':
      case 'float':
      case 'true':
      case 'false':
      case 'none':
        return { ...own, literal: this.text(node) };
      case 'identifier': {
        const known = state.variables.get(this.text(node));
        return known ?? this.#named(node);
      }
      case 'attribute': {
        const key = this.dotted(node);
        const known = key === '' ? undefined : state.variables.get(key);
        if (known !== undefined) return known;
        const object = child(node, 'object');
        const named = this.#named(node);
        if (named.parts.length > 0 || object === undefined) return named;
        return union([this.evaluate(object, state)]);
      }
      case 'subscript': {
        const value = child(node, 'value');
        for (const item of node.children) if (item !== value) this.evaluate(item, state);
        const { list: _, truth: __, ...whole } = value === undefined ? own : this.evaluate(value, state);
        return whole;
      }
      case 'assignment':
      case 'named_expression': {
        const [left, right] = [
          child(node, 'left') ?? child(node, 'name'),
          child(node, 'right') ?? child(node, 'value'),
        ];
        const value = right === undefined ? own : this.evaluate(right, state);
        if (left === undefined) return value;
        if (right !== undefined) this.#secret(left, right, value);
        this.#bind(left, value, state);
        return value;
      }
      case 'augmented_assignment': {
        const [left, right] = [child(node, 'left'), child(node, 'right')];
        if (left === undefined || right === undefined) return own;
        const value = { ...union([this.evaluate(left, state), this.evaluate(right, state)]), joined: true };
        this.#bind(left, value, state);
        return value;
      }
      case 'binary_operator':
        return this.#operator(node, state);
      case 'comparison_operator':
        return this.#comparison(node, state);
      case 'boolean_operator': {
        const [left, right] = [child(node, 'left'), child(node, 'right')];
        if (left === undefined || right === undefined) return own;
        const { yes, no } = this.branch(left, state, null);
        const other = this.evaluate(right, node.operator === 'and' ? yes : no);
        return union([this.evaluate(left, state), other]);
      }
      case 'not_operator':
        for (const item of node.children) this.evaluate(item, state);
        return own;
      case 'conditional_expression': {
        const [value, condition, otherwise] = node.children;
        if (value === undefined || condition === undefined || otherwise === undefined) return own;
        const { yes, no } = this.branch(condition, state, null);
        const [a, b] = [this.evaluate(value, yes), this.evaluate(otherwise, no)];
        // What is harmless on the way that it is taken on is so in the result.
        const settled = (of: Value, there: State): Value => ({
          parts: of.parts.map((part) => ({ ...part, clean: part.clean | (there.facts.get(part.atom) ?? 0) })),
        });
        return { ...union([settled(a, yes), settled(b, no)]), ...((a.joined || b.joined) && { joined: true }) };
      }
      case 'list':
      case 'tuple':
      case 'set':
        return { ...union(node.children.map((item) => this.evaluate(item, state))), list: true };
      case 'list_comprehension':
      case 'set_comprehension':
      case 'generator_expression':
      case 'dictionary_comprehension':
        return this.#comprehension(node, state);
      case 'as_pattern': {
        const [value] = node.children;
        const alias = child(node, 'alias');
        const given = value === undefined ? own : this.evaluate(value, state);
        if (alias !== undefined) this.#bind(alias, given, state);
        return given;
      }
      case 'parenthesized_expression':
        return node.children[0] === undefined ? own : this.evaluate(node.children[0], state);
      case 'lambda':
      case 'type':
        return own;
      case 'call':
        return this.#call(node, state);
      default:
        return union(node.children.map((item) => this.evaluate(item, state)));
    }
  }

  #named(node: SyntaxNode): Value {
    return inputNames.test(this.dotted(node)) ? this.fresh('input') : own;
  }

  #string(node: SyntaxNode, state: State): Value {
    const values = node.children
      .filter(({ type }) => type === 'interpolation')
      .map((item) => {
        const expression = child(item, 'expression');
        return expression === undefined ? own : this.evaluate(expression, state);
      });
    const text = this.text(node)
      .replace(/^[A-Za-z]*("""|'''|"|')/, '')
      .replace(/("""|'''|"|')$/, '');
    if (values.length === 0) return { ...own, literal: text };
    return { ...union(values), joined: true, literal: text };
  }

  #operator(node: SyntaxNode, state: State): Value {
    const [left, right] = [child(node, 'left'), child(node, 'right')];
    if (left === undefined || right === undefined) return own;
    const [a, b] = [this.evaluate(left, state), this.evaluate(right, state)];
    const whole = union([a, b]);
    if (!/^[+%/]$/.test(node.operator)) return whole;
    if (whole.parts.length > 0) return { ...whole, joined: true, literal: `${a.literal ?? ''}${b.literal ?? ''}` };
    return a.literal !== undefined && b.literal !== undefined && node.operator === '+'
      ? { ...own, literal: a.literal + b.literal }
      : own;
  }

  #comprehension(node: SyntaxNode, state: State): Value {
    let inside = new State(state);
    for (const item of node.children) {
      if (item.type === 'for_in_clause') {
        const [left, right] = [child(item, 'left'), child(item, 'right')];
        if (left !== undefined && right !== undefined) this.#bind(left, union([this.evaluate(right, inside)]), inside);
      } else if (item.type === 'if_clause' && item.children[0] !== undefined)
        inside = this.branch(item.children[0], inside, null).yes;
    }
    const body = child(node, 'body');
    if (body === undefined) return own;
    const value = this.evaluate(body, inside);
    const parts = value.parts.map((part) => ({ ...part, clean: part.clean | (inside.facts.get(part.atom) ?? 0) }));
    return { parts, list: true, ...(value.truth && { truth: value.truth }) };
  }

  // ---- calls

  #call(node: SyntaxNode, state: State): Value {
    const callee = child(node, 'function');
    const object = callee?.type === 'attribute' ? child(callee, 'object') : undefined;
    const name = this.dotted(callee);
    const method = callee?.type === 'attribute' ? this.text(child(callee, 'attribute') ?? callee) : name;
    const receiver = object === undefined ? undefined : this.evaluate(object, state);
    const places: { node: SyntaxNode; value: Value }[] = [];
    const keywords = new Map<string, { node: SyntaxNode; value: Value }>();
    const list = child(node, 'arguments');
    const given = list?.type === 'generator_expression' ? [list] : (list?.children ?? []);
    for (const argument of given) {
      const [key, value] = [child(argument, 'name'), child(argument, 'value')];
      if (argument.type === 'keyword_argument' && key !== undefined && value !== undefined)
        keywords.set(this.text(key), { node: value, value: this.evaluate(value, state) });
      else places.push({ node: argument, value: this.evaluate(argument, state) });
    }
    const call: Call = { node, name, method, receiver, places, keywords, state };
    const definition = this.#functions.get(name.replace(/^(self|cls)\./, ''));
    if (definition !== undefined && !this.#inside.includes(definition) && this.#inside.length <= deepest)
      return this.#inline(definition, call);
    const found = sinkOf(name, method);
    if (found !== undefined) {
      const argument = (found.keyword === undefined ? undefined : keywords.get(found.keyword)) ?? places[found.at];
      if (argument !== undefined && this.#reaches(found.rule, found.danger, argument.value, state, found.input))
        this.report(found.rule, node, messages[found.rule] ?? '');
    }
    checkCall(this, call);
    if (/^(sys\.exit|exit|quit|os\._exit|(flask\.)?abort)$/.test(name)) {
      state.dead = true;
      return own;
    }
    return resultOf(this, call);
  }

  #reaches(rule: string, danger: Danger, value: Value, state: State, input = false): boolean {
    const bad = state.dangerous(value, danger);
    if (rule === 'path') return bad.some(({ origin }) => origin === 'input' || value.joined);
    return bad.some(({ origin }) => origin === 'input' || !input);
  }

  #secret(left: SyntaxNode, right: SyntaxNode, value: Value): void {
    const name = this.text(left).replace(/^.*\./s, '');
    if (left.type === 'identifier' || left.type === 'attribute') {
      if (right.type === 'string' && isSecret(name, value))
        this.report('hard-coded-secret', right, `${name} is in the code`);
    }
    if (unguessable.test(name)) this.#random(right);
  }

  #random(node: SyntaxNode): void {
    for (const below of descendants(node)) {
      if (below.type !== 'call') continue;
      const name = this.dotted(child(below, 'function'));
      if (/^random\.(random|randint|randrange|choice|choices|sample|shuffle|getrandbits|uniform)$/.test(name))
        this.report('weak-random', below, `${name} can be foretold`);
      else if (/^(secrets\.|os\.urandom$|random\.SystemRandom)/.test(name) && !this.holds(below))
        this.report('weak-random', below, `${name} can be foretold`);
    }
  }
}

function isTest({ type }: SyntaxNode): boolean {
  return /^(comparison|boolean|not)_operator$/.test(type);
}

function truthOf(text: string): boolean | undefined {
  return /^(True|1)$/.test(text) ? true : /^(False|None|0)$/.test(text) ? false : undefined;
}

const messages: Readonly<Record<string, string>> = {
  command: 'text from outside gets to a shell',
  code: 'text from outside is run as code',
  template: 'text from outside is the template',
  path: 'text from outside says which file this is',
  request: 'a user says where this request goes',
  redirect: 'a user says where this leads',
  html: 'text from outside gets into a page as it came',
};
