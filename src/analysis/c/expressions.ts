import { library } from './library/index.js';
import { exactCharacters, literal } from './literals.js';
import { type Machine, type Place, Unknown, type Variable } from './machine.js';
import type { Names } from './names.js';
import { type CNode, child } from './syntax.js';
import {
  anyPointer,
  type CType,
  char,
  charOf,
  common,
  fits,
  type IntType,
  int,
  long,
  Memory,
  node as nodeType,
  Pointer,
  type PointerType,
  pointerTo,
  promoted,
  size,
  sizeOf,
  text,
  truthOf,
  type Value,
  wrapped,
} from './values.js';

/** An expression as the machine runs it. */
export interface Expression {
  readonly node: CNode;
  /** Of its value: an array's is a pointer. */
  readonly type: CType;
  /** Nodes in it: what running it costs at most. */
  readonly weight: number;
  /** Size of the object that it names, where that is another than its type's. */
  readonly bytes?: number | undefined;
  value(machine: Machine): Value;
  /** Where it lies, if it does. */
  place?: ((machine: Machine) => Place) | undefined;
  /** A pointer to it, which may point one past the end. */
  address?: ((machine: Machine) => Value) | undefined;
}

/** Reads an expression. @throws Unknown for one that the machine has no way to run. */
export function expression(node: CNode, names: Names): Expression {
  const read = readers[node.type];
  if (read === undefined || node.broken) throw new Unknown(node, node.broken ? 'broken code' : node.type);
  return read(node, names);
}

/** As a condition. A value that was never set decides nothing. */
export function condition(of: Expression): (machine: Machine) => boolean {
  scalar(of);
  return (machine) => {
    const holds = truthOf(of.value(machine));
    return holds ?? machine.unknown(of.node, 'a condition on what is not known');
  };
}

/** Its value as one of a type, as an assignment or an argument has it. */
export function converted(of: Expression, to: CType): (machine: Machine) => Value {
  const { node, type } = of;
  if (type === to) return of.value;
  if (type.kind !== 'int' && type.kind !== 'pointer') throw new Unknown(node, 'no value');
  // A number is a pointer where it says 0 and nothing else.
  if (to.kind === 'pointer' && type.kind === 'int' && node.type !== 'number_literal')
    throw new Unknown(node, 'a number as a pointer');
  return (machine) => machine.convert(of.value(machine), type, to, node);
}

type Reader = (node: CNode, names: Names) => Expression;

const readers: Readonly<Record<string, Reader>> = {
  number_literal: (node, names) => {
    const words = names.text(node);
    const known = literal(words);
    if (known === undefined) throw new Unknown(node, 'a number');
    return fixed(node, known.type, known.value);
  },
  char_literal: (node, names) => {
    const codes = exactCharacters(names.text(node).slice(1, -1));
    if (codes?.length !== 1) throw new Unknown(node, 'a character');
    return fixed(node, int, charOf(codes[0] as number));
  },
  string_literal: stringLiteral,
  concatenated_string: stringLiteral,
  null: name,
  true: name,
  false: name,
  identifier: name,
  parenthesized_expression: (node, names) => ({ ...expression(only(node), names), node }),
  comma_expression: (node, names) => {
    const [left, right] = [part(node, 'left', names), part(node, 'right', names)];
    return computed(node, right.type, [left, right], (machine) => {
      left.value(machine);
      return right.value(machine);
    });
  },
  unary_expression: unary,
  binary_expression: binary,
  assignment_expression: assignment,
  update_expression: update,
  conditional_expression: conditional,
  call_expression: call,
  cast_expression: (node, names) => {
    const to = names.typeOf(role(node, 'type'));
    const of = part(node, 'value', names);
    const value = to.kind === 'void' ? of.value : converted(of, to);
    return computed(node, to, [of], value);
  },
  sizeof_expression: sizeofExpression,
  pointer_expression: (node, names) => {
    const of = part(node, 'argument', names);
    return node.operator === '&' ? addressOf(node, of) : dereference(node, of);
  },
  subscript_expression: (node, names) => {
    const [array, index] = [part(node, 'argument', names), part(node, 'index', names)];
    const type = pointed(array);
    integerOf(index);
    const place = (machine: Machine): Place => {
      const pointer = array.value(machine);
      const at = index.value(machine) ?? machine.unknown(index.node, 'an index that is not known');
      return machine.at(pointer, at as bigint, type, node);
    };
    const address = (machine: Machine): Value => moved(machine, array.value(machine), index.value(machine), 1n, node);
    return object(node, type, [array, index], place, { address });
  },
  field_expression: field,
};

function only(node: CNode): CNode {
  const [inner, ...more] = node.children;
  if (inner === undefined || more.length > 0) throw new Unknown(node, node.type);
  return inner;
}

function role(node: CNode, field: string): CNode {
  const found = child(node, field);
  if (found === undefined) throw new Unknown(node, `${node.type} without ${field}`);
  return found;
}

function part(node: CNode, field: string, names: Names): Expression {
  return expression(role(node, field), names);
}

function computed(
  node: CNode,
  type: CType,
  parts: readonly Expression[],
  value: (machine: Machine) => Value,
): Expression {
  return { node, type, weight: parts.reduce((sum, { weight }) => sum + weight, 1), value };
}

function fixed(node: CNode, type: CType, value: Value): Expression {
  return computed(node, type, [], () => value);
}

/** An expression that names an object. */
function object(
  node: CNode,
  type: CType,
  parts: readonly Expression[],
  place: (machine: Machine) => Place,
  more: Partial<Expression> = {},
): Expression {
  const value = (machine: Machine): Value => machine.load(place(machine), type);
  const address = (machine: Machine): Value => {
    const { memory, index } = place(machine);
    return new Pointer(memory, index);
  };
  return { ...computed(node, type, parts, value), place, address, ...more };
}

function scalar({ type, node }: Expression): CType {
  if (type.kind !== 'int' && type.kind !== 'pointer') throw new Unknown(node, 'no value');
  return type;
}

function integerOf({ type, node }: Expression): IntType {
  if (type.kind !== 'int') throw new Unknown(node, 'no integer');
  return type;
}

/** The type of what a pointer points to. */
function pointed({ type, node }: Expression): CType {
  if (type.kind !== 'pointer' || type.to.kind === 'void' || type.to.kind === 'file')
    throw new Unknown(node, 'no pointer');
  return type.to;
}

function stringLiteral(node: CNode, names: Names): Expression {
  const pieces = node.type === 'string_literal' ? [node] : node.children;
  const codes = pieces.flatMap((piece) => {
    const inside = piece.type === 'string_literal' ? exactCharacters(names.text(piece).slice(1, -1)) : undefined;
    if (inside === undefined) throw new Unknown(piece, 'a string');
    return inside;
  });
  const memory = new Memory([...codes.map(charOf), 0n], char, { literal: true });
  return { ...fixed(node, text, new Pointer(memory)), bytes: codes.length + 1 };
}

function name(node: CNode, names: Names): Expression {
  const word = names.text(node);
  const variable = names.variable(word);
  if (variable !== undefined) return named(node, variable);
  if (word === 'errno') return object(node, int, [], (machine) => ({ memory: machine.errno, index: 0 }));
  const stream = streams.get(word);
  if (stream !== undefined && names.isLibrary(word)) return fixed(node, stream.type, stream.value);
  const { type, value } = names.constant(node);
  return fixed(node, type, value);
}

/** The standard streams are objects of which no more is known than which they are. */
const streams = new Map(
  ['stdout', 'stderr'].map((word) => [word, { type: pointerTo({ kind: 'file' }), value: library.stream(word) }]),
);

function named(node: CNode, variable: Variable): Expression {
  const { type, array, length } = variable;
  if (!array) {
    return object(node, type, [], (machine) => ({ memory: machine.object(variable, node), index: 0 }));
  }
  const width = sizeOf(type);
  const value = (machine: Machine): Value => new Pointer(machine.object(variable, node));
  const bytes = length === undefined || width === undefined ? Number.NaN : length * width;
  // The address of a whole array is of another type; nothing needs it.
  return { ...computed(node, pointerTo(type), [], value), bytes };
}

function unary(node: CNode, names: Names): Expression {
  // The parser takes `-a = b` for `-(a = b)`; to the compiler it is an error.
  if (role(node, 'argument').type === 'assignment_expression') throw new Unknown(node, 'an assignment to no object');
  const of = part(node, 'argument', names);
  if (node.operator === '!') {
    const holds = condition(of);
    return computed(node, int, [of], (machine) => (holds(machine) ? 0n : 1n));
  }
  const type = promoted(integerOf(of));
  const compute = unaries[node.operator];
  if (compute === undefined) throw new Unknown(node, node.operator);
  return computed(node, type, [of], (machine) => {
    const value = of.value(machine);
    if (value === undefined) return undefined;
    return result(machine, compute(value as bigint), type, node);
  });
}

const unaries: Readonly<Record<string, (value: bigint) => bigint>> = {
  '-': (value) => -value,
  '+': (value) => value,
  '~': (value) => ~value,
};

function result(machine: Machine, value: bigint, type: IntType, node: CNode): bigint {
  if (!type.signed) return node.operator === '~' || !fits(value, type) ? wrapped(value, type) : value;
  return fits(value, type) ? value : machine.trap(node, 'signed overflow');
}

function binary(node: CNode, names: Names): Expression {
  const [left, right] = [part(node, 'left', names), part(node, 'right', names)];
  if (node.operator === '&&' || node.operator === '||') {
    const [first, second] = [condition(left), condition(right)];
    const decides = node.operator === '||';
    return computed(node, int, [left, right], (machine) => {
      if (first(machine) === decides) return decides ? 1n : 0n;
      return second(machine) ? 1n : 0n;
    });
  }
  const { type, compute } = operation(node, node.operator, left, right);
  return computed(node, type, [left, right], (machine) => compute(machine, left.value(machine), right.value(machine)));
}

type Compute = (machine: Machine, a: Value, b: Value) => Value;
interface Typed {
  readonly node: CNode;
  readonly type: CType;
}

/** An operator on two values of given types. */
function operation(node: CNode, operator: string, left: Typed, right: Typed): { type: CType; compute: Compute } {
  const [a, b] = [left.type, right.type];
  if (a.kind === 'int' && b.kind === 'int') return arithmetic(node, operator, a, b);
  if (comparisons[operator] !== undefined)
    return { type: int, compute: pointerComparison(node, operator, left, right) };
  if (operator === '-' && a.kind === 'pointer' && b.kind === 'pointer') {
    return { type: long, compute: (machine, p, q) => distance(machine, p, q, node) };
  }
  if (a.kind === 'pointer' && b.kind === 'int' && (operator === '+' || operator === '-')) {
    const sign = operator === '+' ? 1n : -1n;
    return { type: walked(a, node), compute: (machine, p, by) => moved(machine, p, by, sign, node) };
  }
  if (a.kind === 'int' && b.kind === 'pointer' && operator === '+') {
    return { type: walked(b, node), compute: (machine, by, p) => moved(machine, p, by, 1n, node) };
  }
  throw new Unknown(node, operator);
}

// Steps of one byte over objects of no type are left alone.
function walked(type: PointerType, node: CNode): PointerType {
  if (type.to.kind === 'void' || type.to.kind === 'file') throw new Unknown(node, 'arithmetic on a pointer to no type');
  return type;
}

function moved(machine: Machine, pointer: Value, by: Value, sign: bigint, node: CNode): Value {
  if (pointer === undefined || by === undefined) return undefined;
  const steps = sign * (by as bigint);
  const { memory, offset } = pointer as Pointer;
  if (memory === undefined) return steps === 0n ? pointer : machine.trap(node, 'arithmetic on null');
  if (steps > far || steps < -far) return machine.unknown(node, 'a pointer far away');
  return new Pointer(memory, offset + Number(steps));
}

const far = 1n << 40n;

function distance(machine: Machine, p: Value, q: Value, node: CNode): Value {
  if (p === undefined || q === undefined) return undefined;
  const [a, b] = [p as Pointer, q as Pointer];
  if (a.memory !== b.memory) return machine.unknown(node, 'the distance of two objects');
  return BigInt(a.offset - b.offset);
}

function pointerComparison(node: CNode, operator: string, left: Typed, right: Typed): Compute {
  for (const { type, node: of } of [left, right]) {
    if (type.kind === 'int' && of.type !== 'number_literal' && of.type !== 'parenthesized_expression')
      throw new Unknown(of, 'a number as a pointer');
    if (type.kind !== 'int' && type.kind !== 'pointer') throw new Unknown(of, 'no value');
  }
  const equality = operator === '==' || operator === '!=';
  return (machine, x, y) => {
    const p = machine.convert(x, left.type, anyPointer, node);
    const q = machine.convert(y, right.type, anyPointer, node);
    if (p === undefined || q === undefined) return undefined;
    const [a, b] = [p as Pointer, q as Pointer];
    const one = a.memory === b.memory;
    if (equality) return (one && a.offset === b.offset) === (operator === '==') ? 1n : 0n;
    if (!one) return machine.unknown(node, 'the order of two objects');
    return compare(operator, BigInt(a.offset), BigInt(b.offset));
  };
}

const comparisons: Readonly<Record<string, (x: bigint, y: bigint) => boolean>> = {
  '<': (x, y) => x < y,
  '<=': (x, y) => x <= y,
  '>': (x, y) => x > y,
  '>=': (x, y) => x >= y,
  '==': (x, y) => x === y,
  '!=': (x, y) => x !== y,
};

function compare(operator: string, x: bigint, y: bigint): bigint {
  return comparisons[operator]?.(x, y) ? 1n : 0n;
}

const bitwise: Readonly<Record<string, (x: bigint, y: bigint) => bigint>> = {
  '+': (x, y) => x + y,
  '-': (x, y) => x - y,
  '*': (x, y) => x * y,
  '&': (x, y) => x & y,
  '|': (x, y) => x | y,
  '^': (x, y) => x ^ y,
};

function arithmetic(node: CNode, operator: string, a: IntType, b: IntType): { type: IntType; compute: Compute } {
  const type = common(a, b);
  const own = (value: Value): bigint => (type.signed ? (value as bigint) : wrapped(value as bigint, type));
  const known =
    (_of: IntType, compute: (machine: Machine, x: bigint, y: bigint) => bigint) =>
    (machine: Machine, x: Value, y: Value): Value =>
      x === undefined || y === undefined ? undefined : compute(machine, x as bigint, y as bigint);
  const comparison = comparisons[operator];
  if (comparison !== undefined) {
    return { type: int, compute: known(int, (_, x, y) => (comparison(own(x), own(y)) ? 1n : 0n)) };
  }
  const simple = bitwise[operator];
  if (simple !== undefined) {
    return { type, compute: known(type, (machine, x, y) => result(machine, simple(own(x), own(y)), type, node)) };
  }
  if (operator === '/' || operator === '%') {
    const divide = known(type, (machine, x, y) => {
      const [p, q] = [own(x), own(y)];
      if (q === 0n) return machine.trap(node, 'division by zero');
      const quotient = result(machine, p / q, type, node);
      return operator === '/' ? quotient : p % q;
    });
    return { type, compute: divide };
  }
  if (operator === '<<' || operator === '>>') {
    const shifted = promoted(a);
    const shift = known(shifted, (machine, x, by) => {
      if (by < 0n || by >= BigInt(shifted.bits)) return machine.trap(node, 'shift out of range');
      if (operator === '>>') return x >> by;
      if (!shifted.signed) return wrapped(x << by, shifted);
      return x >= 0n && fits(x << by, shifted) ? x << by : machine.trap(node, 'shift out of range');
    });
    return { type: shifted, compute: shift };
  }
  throw new Unknown(node, operator);
}

function assignment(node: CNode, names: Names): Expression {
  const [left, right] = [part(node, 'left', names), part(node, 'right', names)];
  const { place } = left;
  const type = scalar(left);
  if (place === undefined) throw new Unknown(node, 'an assignment to no object');
  if (node.operator === '=') {
    const value = converted(right, type);
    return computed(node, type, [left, right], (machine) => {
      const held = value(machine);
      machine.store(place(machine), held, left.node);
      return held;
    });
  }
  const { type: wide, compute } = operation(node, node.operator.slice(0, -1), left, right);
  return computed(node, type, [left, right], (machine) => {
    const by = right.value(machine);
    const at = place(machine);
    const held = machine.convert(compute(machine, machine.load(at, type), by), wide, type, node);
    machine.store(at, held, left.node);
    return held;
  });
}

function update(node: CNode, names: Names): Expression {
  const of = part(node, 'argument', names);
  const { place } = of;
  const type = scalar(of);
  if (place === undefined) throw new Unknown(node, 'an assignment to no object');
  const { type: wide, compute } = operation(node, node.operator[0] as string, of, { node, type: int });
  const first = names.text(node).startsWith(node.operator);
  return computed(node, type, [of], (machine) => {
    const at = place(machine);
    const before = machine.load(at, type);
    const after = machine.convert(compute(machine, before, 1n), wide, type, node);
    machine.store(at, after, of.node);
    return first ? after : before;
  });
}

function conditional(node: CNode, names: Names): Expression {
  const [test, then, otherwise] = [
    part(node, 'condition', names),
    part(node, 'consequence', names),
    part(node, 'alternative', names),
  ];
  const holds = condition(test);
  const type = meeting(node, then, otherwise);
  const [a, b] =
    type.kind === 'void' ? [then.value, otherwise.value] : [converted(then, type), converted(otherwise, type)];
  return computed(node, type, [test, then, otherwise], (machine) => {
    return machine.decide(test.node, holds(machine)) ? a(machine) : b(machine);
  });
}

function meeting(node: CNode, { type: a }: Expression, { type: b }: Expression): CType {
  if (a.kind === 'int' && b.kind === 'int') return common(a, b);
  if (a.kind === 'pointer' && b.kind === 'pointer') return a.to.kind === 'void' ? b : a;
  if (a.kind === 'pointer' && b.kind === 'int') return a;
  if (a.kind === 'int' && b.kind === 'pointer') return b;
  if (a.kind === 'void' && b.kind === 'void') return a;
  throw new Unknown(node, 'two types');
}

function call(node: CNode, names: Names): Expression {
  const callee = role(node, 'function');
  const word = names.text(callee);
  const entry = callee.type === 'identifier' && names.isLibrary(word) ? library.get(word) : undefined;
  if (entry === undefined) throw new Unknown(node, `the function ${word}`);
  if (entry.signOnly && !asksForSign(node, names)) throw new Unknown(node, `what ${word} gives`);
  const operands = role(node, 'arguments').children.map((operand) => expression(operand, names));
  const { parameters, more } = entry;
  if (operands.length < parameters.length || (operands.length > parameters.length && !more))
    throw new Unknown(node, `arguments of ${word}`);
  const types = operands.map((operand, i) => parameters[i] ?? passed(operand));
  const values = operands.map((operand, i) => converted(operand, types[i] as CType));
  return computed(node, entry.returns, operands, (machine) => {
    const args = values.map((value) => value(machine));
    machine.spend(4);
    machine.errno.cells[0] = undefined;
    return entry.run({ machine, node, name: word, args, types });
  });
}

/** Whether an expression is asked for no more than its sign, or whether it is 0. */
function asksForSign(node: CNode, names: Names): boolean {
  const { parent } = node;
  if (parent === null || node.field === 'condition') return true;
  switch (parent.type) {
    case 'expression_statement':
      return true;
    case 'parenthesized_expression':
      return asksForSign(parent, names);
    case 'unary_expression':
      return parent.operator === '!';
    case 'binary_expression': {
      if (parent.operator === '&&' || parent.operator === '||') return true;
      const other = parent.children.find((one) => one !== node);
      return other !== undefined && names.text(other) === '0' && comparisons[parent.operator] !== undefined;
    }
    default:
      return false;
  }
}

/** As an argument that the function's declaration gives no type. */
function passed(of: Expression): CType {
  const type = scalar(of);
  return type.kind === 'int' ? promoted(type) : type;
}

function sizeofExpression(node: CNode, names: Names): Expression {
  const type = child(node, 'type');
  if (type !== undefined) return sized(node, sizeOf(names.typeOf(type)));
  const of = expression(role(node, 'value'), names);
  return sized(node, of.bytes ?? sizeOf(of.type));
}

function sized(node: CNode, bytes: number | undefined): Expression {
  if (bytes === undefined || Number.isNaN(bytes)) throw new Unknown(node, 'a size');
  return fixed(node, size, BigInt(bytes));
}

function addressOf(node: CNode, of: Expression): Expression {
  if (of.address === undefined) throw new Unknown(node, 'the address of no object');
  return computed(node, pointerTo(of.type), [of], of.address);
}

function dereference(node: CNode, of: Expression): Expression {
  const type = pointed(of);
  const place = (machine: Machine): Place => machine.at(of.value(machine), 0, type, node);
  return object(node, type, [of], place, { address: of.value });
}

/** Members of `struct node`. */
const members: Readonly<Record<string, CType>> = { next: pointerTo(nodeType), key: long, pad: long, value: int };

function field(node: CNode, names: Names): Expression {
  const [base, member] = [part(node, 'argument', names), names.text(role(node, 'field'))];
  const type = Object.hasOwn(members, member) ? members[member] : undefined;
  const struct = node.operator === '->' ? pointed(base) : base.type;
  if (type === undefined || struct.kind !== 'struct') throw new Unknown(node, `the member ${member}`);
  const holder = node.operator === '->' ? base.value : base.address;
  if (holder === undefined) throw new Unknown(node, 'a member of no object');
  const place = (machine: Machine): Place => {
    const { memory } = machine.at(holder(machine), 0, struct, node);
    const found = memory.members?.get(member);
    if (found === undefined) return machine.unknown(node, `the member ${member}`);
    machine.note('read', memory);
    return { memory: found, index: 0 };
  };
  return object(node, type, [base], place);
}
