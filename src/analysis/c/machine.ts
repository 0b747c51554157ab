import { library } from './library.js';
import { characters, constants, literal } from './literals.js';
import { type CNode, type CSource, child } from './syntax.js';
import {
  type CellType,
  type CInt,
  type CPointer,
  char,
  charOf,
  common,
  converted,
  fits,
  type IntType,
  int,
  integer,
  integerType,
  long,
  Memory,
  nullPointer,
  pointer,
  promoted,
  size,
  truth,
  type Value,
} from './values.js';

/** The world in which a function runs. */
export interface World {
  /** What the parameters hold, by name. A name that is absent holds something unknown. */
  parameters: ReadonlyMap<string, { value: Value; type: CellType }>;
  /** malloc and its like give null. */
  allocationFails?: boolean | undefined;
  /** What fopen gives: null, or a stream of this text. */
  file?: string | null | undefined;
  /**
   * Guards that would reject the input (leave with -1) are noted and passed, so that it shows what they keep away, and which of them
   * say the same.
   */
  passGuards: boolean;
}

/** A thing that the function did to memory that is known, or a call of the library. */
export interface Effect {
  kind: 'read' | 'write' | 'free' | 'call';
  memory?: Memory | undefined;
  /** Of a call. */
  name?: string | undefined;
  /** The first text among a call's arguments, where it is known. */
  text?: string | undefined;
  statement: CNode;
  /** Condition of the innermost loop. */
  loop?: CNode | undefined;
}

/** What one run showed. */
export interface Run {
  /** `stopped`: it left in another way than by its end, or did not end. */
  outcome: 'returned' | 'trapped' | 'stopped';
  returned: Value;
  /** Undefined behaviour that a sanitizer would stop, and where. */
  trap: { node: CNode; why: string } | undefined;
  /** The if statements that would have rejected this input, in order, each with the number of effects before it. */
  guards: { node: CNode; after: number }[];
  /** Conditions that chose between doing and not doing something. */
  decisions: CNode[];
  effects: Effect[];
  printed: string;
}

/** Undefined behaviour. */
class Trap {
  readonly node: CNode;
  readonly why: string;
  constructor(node: CNode, why: string) {
    this.node = node;
    this.why = why;
  }
}

/** The end of a run that is no return. */
class Stop {}

interface Place {
  memory: Memory;
  index: number;
}

type Flow = 'next' | 'break' | 'continue' | 'return';

const budget = 5000;

/**
 * Runs one C function on concrete values, as AddressSanitizer and UBSan would see it: out of bounds, null, freed, overflow. What is not
 * known (a name that nothing declares, a call of a function that is not in the library) stays unknown and does no harm; a branch on it
 * takes the way that goes on. It knows what short functions over integers, strings, heap and streams need: no goto, no function
 * pointers, no floats.
 */
export class Machine {
  readonly effects: Effect[] = [];
  readonly world: World;
  printed = '';
  readonly #source: CSource;
  readonly #scopes: Map<string, Memory | { array: Memory }>[] = [];
  readonly #guards: Run['guards'] = [];
  readonly #decisions: CNode[] = [];
  #returned: Value;
  #statement: CNode;
  #loop: CNode | undefined;
  #steps = 0;

  private constructor(source: CSource, body: CNode, world: World) {
    this.#source = source;
    this.#statement = body;
    this.world = world;
    const parameters = new Map<string, Memory>();
    for (const [name, { value, type }] of world.parameters) parameters.set(name, new Memory([value], type));
    this.#scopes.push(parameters);
  }

  /** Runs the body of a function. */
  static run(source: CSource, body: CNode, world: World): Run {
    const machine = new Machine(source, body, world);
    let outcome: Run['outcome'] = 'returned';
    let trap: Trap | undefined;
    try {
      machine.#execute(body);
    } catch (end) {
      if (end instanceof Trap) trap = end;
      else if (!(end instanceof Stop)) throw end;
      outcome = trap === undefined ? 'stopped' : 'trapped';
    }
    const { effects, printed } = machine;
    const [guards, decisions] = [machine.#guards, machine.#decisions];
    return { outcome, returned: machine.#returned, trap, guards, decisions, effects, printed };
  }

  trap(node: CNode, why: string): never {
    throw new Trap(node, why);
  }

  stop(): never {
    throw new Stop();
  }

  note(kind: Effect['kind'], details: Pick<Effect, 'memory' | 'name' | 'text'>): void {
    this.effects.push({ kind, ...details, statement: this.#statement, loop: this.#loop });
  }

  // Statements

  #execute(node: CNode): Flow {
    if (++this.#steps > budget) this.stop();
    if (node.type === 'compound_statement') return this.#block(node);
    // A whole if or loop may be broken in one of its parts only.
    const holder = node.type === 'if_statement' || loops.has(node.type);
    if (node.broken && !(holder && child(node, 'condition')?.broken === false)) return 'next';
    if (!holder) this.#statement = node;
    switch (node.type) {
      case 'expression_statement':
        for (const expression of node.children) this.evaluate(expression);
        return 'next';
      case 'declaration':
        this.#declare(node);
        return 'next';
      case 'return_statement':
        this.#returned = node.children[0] === undefined ? undefined : this.evaluate(node.children[0]);
        return 'return';
      case 'if_statement':
        return this.#if(node);
      case 'else_clause':
        return node.children[0] === undefined ? 'next' : this.#execute(node.children[0]);
      case 'for_statement':
      case 'while_statement':
      case 'do_statement':
        return this.#repeat(node);
      case 'break_statement':
        return 'break';
      case 'continue_statement':
        return 'continue';
      case 'goto_statement':
      case 'switch_statement':
        return this.stop();
      case 'labeled_statement':
        return node.children[1] === undefined ? 'next' : this.#execute(node.children[1]);
      default:
        return 'next';
    }
  }

  #block(node: CNode): Flow {
    this.#scopes.push(new Map());
    let flow: Flow = 'next';
    for (const statement of node.children) {
      flow = this.#execute(statement);
      if (flow !== 'next') break;
    }
    this.#scopes.pop();
    return flow;
  }

  #if(node: CNode): Flow {
    const condition = child(node, 'condition') as CNode;
    const [then, otherwise] = [child(node, 'consequence'), child(node, 'alternative')];
    this.#statement = node;
    const holds = truth(this.evaluate(condition));
    const way = holds === undefined ? this.#wayOn(then, otherwise) : holds ? then : otherwise;
    if (holds !== undefined && this.world.passGuards && way !== undefined && this.#rejects(way)) {
      this.#guards.push({ node, after: this.effects.length });
      const other = holds ? otherwise : then;
      return other === undefined ? 'next' : this.#execute(other);
    }
    if (holds !== undefined) this.#decisions.push(condition);
    return way === undefined ? 'next' : this.#execute(way);
  }

  /** Where nothing is known, the branch that does not leave the function. */
  #wayOn(then: CNode | undefined, otherwise: CNode | undefined): CNode | undefined {
    return then !== undefined && leaves(then) ? otherwise : then;
  }

  #rejects(branch: CNode): boolean {
    const last = leaves(branch);
    if (last?.type !== 'return_statement' || last.children[0] === undefined) return false;
    const value = this.evaluate(last.children[0]);
    return value?.kind === 'int' && value.value === -1n;
  }

  #repeat(node: CNode): Flow {
    const [condition, body] = [child(node, 'condition'), child(node, 'body')];
    const outer = this.#loop;
    this.#scopes.push(new Map());
    const initializer = child(node, 'initializer');
    if (initializer?.type === 'declaration') this.#execute(initializer);
    else if (initializer !== undefined) this.evaluate(initializer);
    this.#loop = condition;
    let flow: Flow = 'next';
    for (let first = true; ; first = false) {
      if (++this.#steps > budget) this.stop();
      this.#statement = node;
      const tested = !(first && node.type === 'do_statement') && condition !== undefined;
      if (tested && truth(this.evaluate(condition)) !== true) break;
      flow = body === undefined ? 'next' : this.#execute(body);
      if (flow === 'break' || flow === 'return') break;
      const update = child(node, 'update');
      if (update !== undefined) this.evaluate(update);
    }
    this.#loop = outer;
    this.#scopes.pop();
    return flow === 'return' ? 'return' : 'next';
  }

  #declare(node: CNode): void {
    const words = node.children.filter((part) => part.field === 'type' || part.type === 'type_qualifier');
    const type = integerType(words.map((part) => this.#source.text(part)).join(' '));
    for (const part of node.children) {
      if (part.field !== 'declarator') continue;
      const initial = part.type === 'init_declarator' ? child(part, 'value') : undefined;
      let declarator: CNode | undefined = part.type === 'init_declarator' ? child(part, 'declarator') : part;
      let isPointer = false;
      let length: CNode | undefined;
      let isArray = false;
      while (declarator !== undefined && declarator.type !== 'identifier') {
        if (declarator.type === 'pointer_declarator') isPointer = true;
        if (declarator.type === 'array_declarator') {
          isArray = true;
          length = child(declarator, 'size');
        }
        declarator =
          child(declarator, 'declarator') ?? declarator.children.find((inner) => inner.type === 'identifier');
      }
      if (declarator === undefined) continue;
      const cell: CellType = isPointer ? 'pointer' : (type ?? 'any');
      const name = this.#source.text(declarator);
      const value = initial === undefined || isArray ? undefined : this.evaluate(initial);
      const scope = this.#scopes.at(-1) as Map<string, Memory | { array: Memory }>;
      scope.set(name, isArray ? this.#array(cell, length, initial) : new Memory([converted(value, cell)], cell));
    }
  }

  #array(cell: CellType, length: CNode | undefined, initial: CNode | undefined): Memory | { array: Memory } {
    const text = initial === undefined ? undefined : this.evaluate(initial);
    const given =
      text?.kind === 'pointer' && text.memory?.literal
        ? text.memory.cells
        : initial?.type === 'initializer_list'
          ? initial.children.map((item) => converted(this.evaluate(item), cell))
          : undefined;
    const count = length === undefined ? given?.length : this.#count(this.evaluate(length));
    if (count === undefined || count > 1 << 16) return new Memory([undefined], 'any');
    const rest =
      given === undefined ? undefined : cell === 'pointer' ? nullPointer : integer(0, cell === 'any' ? int : cell);
    return {
      array: new Memory(
        Array.from({ length: count }, (_, i) => given?.[i] ?? rest),
        cell,
      ),
    };
  }

  // Expressions

  /** An expression's value, with its side effects. */
  evaluate(node: CNode): Value {
    if (node.broken) return undefined;
    switch (node.type) {
      case 'number_literal':
        return literal(this.#source.text(node));
      case 'char_literal':
        return integer(characters(this.#source.text(node).slice(1, -1))[0] ?? 0);
      case 'string_literal':
      case 'concatenated_string':
        return pointer(this.#text(node));
      case 'null':
        return nullPointer;
      case 'true':
      case 'false':
        return integer(node.type === 'true' ? 1 : 0);
      case 'identifier':
        return this.#identifier(node);
      case 'parenthesized_expression':
        return node.children[0] && this.evaluate(node.children[0]);
      case 'comma_expression':
        return node.children.map((part) => this.evaluate(part)).at(-1);
      case 'unary_expression':
        return this.#unary(node);
      case 'binary_expression':
        return this.#binary(node);
      case 'assignment_expression':
        return this.#assign(node);
      case 'update_expression':
        return this.#update(node);
      case 'conditional_expression':
        return this.#conditional(node);
      case 'call_expression':
        return this.#call(node);
      case 'cast_expression':
        return this.#cast(node);
      case 'sizeof_expression':
        return this.#sizeof(node);
      case 'pointer_expression':
        if (node.operator === '&') return this.#address(node);
        return this.#load(node);
      case 'subscript_expression':
      case 'field_expression':
        return this.#load(node);
      default:
        return undefined;
    }
  }

  #text(node: CNode): Memory {
    const pieces = node.type === 'string_literal' ? [node] : node.children;
    const codes = pieces.flatMap((piece) => characters(this.#source.text(piece).slice(1, -1)));
    return new Memory([...codes.map(charOf), charOf(0)], char, true);
  }

  #variable(name: string): Memory | { array: Memory } | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i]?.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #identifier(node: CNode): Value {
    const name = this.#source.text(node);
    const variable = this.#variable(name);
    if (variable === undefined) return constants.get(name);
    return variable instanceof Memory ? variable.cells[0] : pointer(variable.array);
  }

  /** Where an expression's value lies; undefined where that is not known. */
  #place(node: CNode): Place | undefined {
    switch (node.type) {
      case 'parenthesized_expression':
        return node.children[0] && this.#place(node.children[0]);
      case 'identifier': {
        const variable = this.#variable(this.#source.text(node));
        return variable instanceof Memory ? { memory: variable, index: 0 } : undefined;
      }
      case 'pointer_expression': {
        const target = child(node, 'argument');
        return target && this.at(this.evaluate(target), 0, node);
      }
      case 'subscript_expression': {
        const [base, index] = [child(node, 'argument'), child(node, 'index')];
        const array = base && this.evaluate(base);
        const at = index && this.evaluate(index);
        if (at?.kind !== 'int') return undefined;
        return this.at(array, Number(at.value), node);
      }
      case 'field_expression': {
        const [base, member] = [child(node, 'argument'), child(node, 'field')];
        // (*p).member is p->member.
        const inner = node.operator === '.' ? base && bare(base) : base;
        const through = node.operator === '.' ? inner && isDereference(inner) && child(inner, 'argument') : inner;
        const target = through ? this.evaluate(through) : undefined;
        if (target?.kind !== 'pointer' || member === undefined) return undefined;
        const memory = this.live(target, node);
        const found = memory.members.get(this.#source.text(member));
        this.note('read', { memory });
        return found && { memory: found, index: 0 };
      }
      default:
        return undefined;
    }
  }

  /** A pointer's memory. Traps on null and freed memory. */
  live({ memory }: CPointer, node: CNode): Memory {
    if (memory === null) return this.trap(node, 'null pointer');
    if (memory.freed) return this.trap(node, 'use after free');
    return memory;
  }

  /** The cell `index` behind a pointer. */
  at(value: Value, index: number, node: CNode): Place | undefined {
    if (value?.kind !== 'pointer') return undefined;
    const memory = this.live(value, node);
    if (memory.stream !== undefined) return undefined;
    const at = value.offset + index;
    if (at < 0 || at >= memory.cells.length) return this.trap(node, 'out of bounds');
    return { memory, index: at };
  }

  #load(node: CNode): Value {
    const place = this.#place(node);
    if (place === undefined) return undefined;
    if (node.type !== 'field_expression') this.note('read', { memory: place.memory });
    return place.memory.cells[place.index];
  }

  store({ memory, index }: Place, value: Value, node: CNode): Value {
    if (memory.literal) return this.trap(node, 'write to a literal');
    const held = converted(value, memory.type);
    memory.cells[index] = held;
    this.note('write', { memory });
    return held;
  }

  #address(node: CNode): Value {
    const target = child(node, 'argument');
    const place = target && this.#place(target);
    return place && pointer(place.memory, place.index);
  }

  #assign(node: CNode): Value {
    const [left, right] = [child(node, 'left'), child(node, 'right')];
    if (left === undefined || right === undefined) return undefined;
    let value = this.evaluate(right);
    if (node.operator !== '=') value = this.#operate(node.operator.slice(0, -1), this.evaluate(left), value, node);
    const place = this.#place(left);
    return place === undefined ? value : this.store(place, value, left);
  }

  #update(node: CNode): Value {
    const target = child(node, 'argument');
    const place = target && this.#place(target);
    if (place === undefined) return undefined;
    const before = place.memory.cells[place.index];
    const after = this.#operate(node.operator[0] as string, before, integer(1), node);
    this.store(place, after, node);
    return this.#source.text(node).startsWith(node.operator) ? after : before;
  }

  #conditional(node: CNode): Value {
    const condition = child(node, 'condition') as CNode;
    const holds = truth(this.evaluate(condition));
    if (holds === undefined) return undefined;
    this.#decisions.push(condition);
    const chosen = child(node, holds ? 'consequence' : 'alternative');
    return chosen && this.evaluate(chosen);
  }

  #call(node: CNode): Value {
    const callee = child(node, 'function') as CNode;
    const operands = child(node, 'arguments')?.children ?? [];
    const args = operands.map((operand) => this.evaluate(operand));
    const name = this.#source.text(callee);
    const implementation = this.#variable(name) === undefined ? library.get(name) : undefined;
    const first = args.find((value) => value?.kind === 'pointer' && value.memory?.type === char);
    this.note('call', { name, text: first?.kind === 'pointer' ? known(first) : undefined });
    return implementation?.({ machine: this, node, args });
  }

  #cast(node: CNode): Value {
    const [type, operand] = [child(node, 'type'), child(node, 'value')];
    const value = operand && this.evaluate(operand);
    if (type === undefined || value === undefined) return undefined;
    const words = this.#source.text(type);
    if (words.includes('*')) return converted(value, 'pointer');
    const to = integerType(words);
    return to === undefined || value.kind === 'pointer' ? undefined : integer(value.value, to);
  }

  #sizeof(node: CNode): Value {
    const type = child(node, 'type');
    if (type !== undefined) {
      const words = this.#source.text(type);
      const bits = words.includes('*') ? 64 : integerType(words)?.bits;
      return bits === undefined ? undefined : integer(bits / 8, size);
    }
    const value = child(node, 'value');
    const operand = value && bare(value);
    if (operand?.type !== 'identifier') return undefined;
    const variable = this.#variable(this.#source.text(operand));
    if (variable === undefined) return undefined;
    const memory = variable instanceof Memory ? variable : variable.array;
    const bits = memory.type === 'pointer' ? 64 : memory.type === 'any' ? undefined : memory.type.bits;
    return bits === undefined ? undefined : integer((memory.cells.length * bits) / 8, size);
  }

  #unary(node: CNode): Value {
    const operand = child(node, 'argument');
    const value = operand && this.evaluate(operand);
    if (node.operator === '!') {
      const holds = truth(value);
      return holds === undefined ? undefined : integer(holds ? 0 : 1);
    }
    if (value?.kind !== 'int') return undefined;
    const type = promoted(value.type);
    if (node.operator === '~') return integer(~value.value, type);
    return this.#result(node.operator === '-' ? -value.value : value.value, type, node);
  }

  #binary(node: CNode): Value {
    const [left, right] = [child(node, 'left'), child(node, 'right')];
    if (left === undefined || right === undefined) return undefined;
    const a = this.evaluate(left);
    if (node.operator === '&&' || node.operator === '||') {
      const decides = node.operator === '||';
      const first = truth(a);
      if (first === decides) return integer(decides ? 1 : 0);
      const second = truth(this.evaluate(right));
      if (second === decides) return integer(decides ? 1 : 0);
      return first === undefined || second === undefined ? undefined : integer(decides ? 0 : 1);
    }
    return this.#operate(node.operator, a, this.evaluate(right), node);
  }

  #operate(operator: string, a: Value, b: Value, node: CNode): Value {
    if (a === undefined || b === undefined) return undefined;
    if (a.kind === 'int' && b.kind === 'int') return this.#arithmetic(operator, a, b, node);
    if (operator === '+' || operator === '-') {
      if (a.kind === 'pointer' && b.kind === 'int' && a.memory !== null) {
        return pointer(a.memory, a.offset + Number(operator === '+' ? b.value : -b.value));
      }
      if (a.kind === 'int' && b.kind === 'pointer' && b.memory !== null && operator === '+') {
        return pointer(b.memory, b.offset + Number(a.value));
      }
      if (a.kind === 'pointer' && b.kind === 'pointer' && a.memory === b.memory)
        return integer(a.offset - b.offset, long);
      return undefined;
    }
    const [p, q] = [converted(a, 'pointer'), converted(b, 'pointer')];
    if (p?.kind !== 'pointer' || q?.kind !== 'pointer') return undefined;
    const same = p.memory === q.memory;
    if (operator === '==' || operator === '!=') {
      return integer((same && p.offset === q.offset) === (operator === '==') ? 1 : 0);
    }
    return same ? compare(operator, BigInt(p.offset), BigInt(q.offset)) : undefined;
  }

  #arithmetic(operator: string, a: CInt, b: CInt, node: CNode): Value {
    const type = common(a.type, b.type);
    const [x, y] = [integer(a.value, type).value, integer(b.value, type).value];
    switch (operator) {
      case '+':
        return this.#result(x + y, type, node);
      case '-':
        return this.#result(x - y, type, node);
      case '*':
        return this.#result(x * y, type, node);
      case '/':
      case '%':
        if (y === 0n) return this.trap(node, 'division by zero');
        return this.#result(operator === '/' ? x / y : x % y, type, node);
      case '&':
        return integer(x & y, type);
      case '|':
        return integer(x | y, type);
      case '^':
        return integer(x ^ y, type);
      case '<<':
      case '>>': {
        const own = promoted(a.type);
        if (b.value < 0n || b.value >= BigInt(own.bits)) return this.trap(node, 'shift out of range');
        return integer(operator === '<<' ? a.value << b.value : a.value >> b.value, own);
      }
      default:
        return compare(operator, x, y);
    }
  }

  #result(value: bigint, type: IntType, node: CNode): CInt {
    if (type.signed && !fits(value, type)) return this.trap(node, 'signed overflow');
    return integer(value, type);
  }

  #count(value: Value): number | undefined {
    return value?.kind === 'int' && value.value >= 0n ? Number(value.value) : undefined;
  }
}

const loops: ReadonlySet<string> = new Set(['for_statement', 'while_statement', 'do_statement']);

/** An expression without the parentheses round it. */
function bare(node: CNode): CNode {
  return node.type === 'parenthesized_expression' && node.children[0] !== undefined ? bare(node.children[0]) : node;
}

function isDereference(node: CNode): boolean {
  return node.type === 'pointer_expression' && node.operator === '*';
}

/** The statement by which a branch always leaves the function; undefined where it may go on. */
export function leaves(branch: CNode): CNode | undefined {
  if (branch.type === 'return_statement') return branch;
  const inner =
    branch.type === 'else_clause' || branch.type === 'compound_statement' ? branch.children.at(-1) : undefined;
  return inner && leaves(inner);
}

/** The text that a pointer points to, where all of it is known and it ends. */
export function known({ memory, offset }: CPointer): string | undefined {
  let text = '';
  for (let i = offset; ; i++) {
    const cell = memory?.cells[i];
    if (cell?.kind !== 'int') return undefined;
    if (cell.value === 0n) return text;
    text += String.fromCharCode(Number(cell.value) & 0xff);
  }
}

function compare(operator: string, x: bigint, y: bigint): Value {
  switch (operator) {
    case '<':
      return integer(x < y ? 1 : 0);
    case '<=':
      return integer(x <= y ? 1 : 0);
    case '>':
      return integer(x > y ? 1 : 0);
    case '>=':
      return integer(x >= y ? 1 : 0);
    case '==':
      return integer(x === y ? 1 : 0);
    case '!=':
      return integer(x !== y ? 1 : 0);
    default:
      return undefined;
  }
}

/** Whether C or the library gives the name a meaning. */
export function predefined(name: string): boolean {
  return constants.has(name) || library.has(name);
}
