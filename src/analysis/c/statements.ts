import { condition, converted, type Expression, expression } from './expressions.js';
import { type Guard, limits, type Machine, Unknown, type Variable } from './machine.js';
import type { Declared, Names } from './names.js';
import { unordered } from './sequence.js';
import { type CNode, child } from './syntax.js';
import { type CType, Pointer, type Value } from './values.js';

/** What follows a statement. `jump`: the run is on its way to the label that it seeks. */
export type Flow = 'next' | 'break' | 'continue' | 'return' | 'jump';

/**
 * A statement as the machine runs it. Where the machine seeks a label of it, the statement begins there, as `goto` and `switch` have it:
 * nothing before the label is run.
 */
export interface Statement {
  readonly labels: readonly string[];
  run(machine: Machine): Flow;
}

/** Reads a statement. `returns`: the type of the function. @throws Unknown for one that the machine has no way to run. */
export function statement(node: CNode, names: Names, returns: CType): Statement {
  const read = readers[node.type];
  if (read === undefined || node.broken) throw new Unknown(node, node.broken ? 'broken code' : node.type);
  return read(node, names, returns);
}

/** Reads an expression of its own, whose parts a compiler may not compute in another order with another result. */
function full(node: CNode, names: Names): Expression {
  const part = unordered(node, names.source);
  if (part !== undefined) throw new Unknown(part, 'an order of operands that C leaves open');
  return expression(node, names);
}

/** A statement that another one consists of: no declaration. */
function inner(node: CNode, names: Names, returns: CType): Statement {
  if (node.type === 'declaration') throw new Unknown(node, 'a declaration in the place of a statement');
  return statement(node, names, returns);
}

type Reader = (node: CNode, names: Names, returns: CType) => Statement;

const readers: Readonly<Record<string, Reader>> = {
  compound_statement: (node, names, returns) => {
    const [list, variables] = names.scope(() => statements(node.children, names, returns));
    if (variables.length === 0) return list;
    const run = (machine: Machine): Flow => {
      const flow = list.run(machine);
      // A jump within the block has been made by now.
      machine.forget(variables);
      return flow;
    };
    return { labels: list.labels, run };
  },
  expression_statement: (node, names) => {
    const [only] = node.children;
    if (only === undefined) return empty;
    const of = full(only, names);
    return simple(node, of.weight, (machine) => {
      machine.excusing(of.value);
      return 'next';
    });
  },
  declaration: (node, names) => declaration(node, names),
  return_statement: (node, names, returns) => {
    const [only] = node.children;
    const of = only && full(only, names);
    const value = of && converted(of, returns);
    return simple(node, 1 + (of?.weight ?? 0), (machine) => {
      machine.returned = value && machine.excusing(value);
      machine.leftBy = machine.inside ?? machine.jumpedFrom;
      return 'return';
    });
  },
  if_statement: choice,
  else_clause: (node, names, returns) => sequence(node.children.map((only) => inner(only, names, returns))),
  for_statement: (node, names, returns) => {
    const [whole, variables] = names.scope(() => forLoop(node, names, returns));
    const run = (machine: Machine): Flow => {
      const flow = whole.run(machine);
      machine.forget(variables);
      return flow;
    };
    return variables.length === 0 ? whole : { labels: whole.labels, run };
  },
  while_statement: (node, names, returns) => loop(node, names, returns, undefined),
  do_statement: (node, names, returns) => loop(node, names, returns, undefined),
  break_statement: (node) => simple(node, 1, () => 'break'),
  continue_statement: (node) => simple(node, 1, () => 'continue'),
  goto_statement: (node, names) => {
    const label = labelOf(node, names);
    names.goto(label, node);
    return simple(node, 1, (machine) => {
      if (machine.inside !== undefined) machine.jumpedFrom = machine.inside;
      machine.seek = label;
      return 'jump';
    });
  },
  labeled_statement: (node, names, returns) => {
    const label = labelOf(node, names);
    names.label(label, node);
    return labelled(label, behindLabel(node.children.slice(1), names, returns));
  },
  switch_statement: choose,
  case_statement: (node) => {
    throw new Unknown(node, 'a case of no switch');
  },
  // What they mean is known from the text.
  preproc_def: () => empty,
  preproc_include: () => empty,
};

const empty: Statement = {
  labels: [],
  run: (machine) => {
    machine.spend(1);
    return 'next';
  },
};

function simple(node: CNode, weight: number, run: (machine: Machine) => Flow): Statement {
  return {
    labels: [],
    run: (machine) => {
      machine.statement = node;
      machine.spend(weight);
      return run(machine);
    },
  };
}

function labelOf(node: CNode, names: Names): string {
  const label = child(node, 'label');
  if (label?.type !== 'statement_identifier') throw new Unknown(node, 'a computed goto');
  return names.text(label);
}

/** Statements one after another; a jump to a label of one of them goes on there. */
export function statements(nodes: readonly CNode[], names: Names, returns: CType): Statement {
  return sequence(nodes.map((node) => statement(node, names, returns)));
}

function sequence(list: readonly Statement[]): Statement {
  const where = new Map(list.flatMap(({ labels }, i) => labels.map((label): [string, number] => [label, i])));
  const run = (machine: Machine): Flow => {
    let i = machine.seek === undefined ? 0 : (where.get(machine.seek) as number);
    while (i < list.length) {
      const flow = (list[i] as Statement).run(machine);
      if (flow === 'next') i++;
      else {
        const at = flow === 'jump' ? where.get(machine.seek as string) : undefined;
        if (at === undefined) return flow;
        i = at;
      }
    }
    return 'next';
  };
  return { labels: [...where.keys()], run };
}

/** The statements behind a label, the first of which is no declaration. */
function behindLabel(nodes: readonly CNode[], names: Names, returns: CType): Statement {
  const [first, ...others] = nodes;
  if (first === undefined) return sequence([]);
  return sequence([inner(first, names, returns), ...others.map((node) => statement(node, names, returns))]);
}

function labelled(label: string, inner: Statement): Statement {
  return {
    labels: [label, ...inner.labels],
    run: (machine) => {
      machine.spend(1);
      if (machine.seek === label) machine.seek = undefined;
      return inner.run(machine);
    },
  };
}

function choice(node: CNode, names: Names, returns: CType): Statement {
  const test = child(node, 'condition') as CNode;
  const of = full(test, names);
  const holds = condition(of);
  const [then, otherwise] = [child(node, 'consequence'), child(node, 'alternative')].map(
    (branch) => branch && inner(branch, names, returns),
  );
  if (then === undefined) throw new Unknown(node, 'an if without a statement');
  const guard = (held: boolean): Guard => ({ statement: node, condition: test, held });
  const guards = { true: guard(true), false: guard(false) };
  const run = (machine: Machine): Flow => {
    let way: boolean;
    if (machine.seek === undefined) {
      machine.statement = node;
      machine.spend(of.weight + 1);
      way = machine.decide(test, holds(machine));
    } else way = then.labels.includes(machine.seek);
    const branch = way ? then : otherwise;
    if (branch === undefined) return 'next';
    const outer = machine.inside;
    machine.inside = guards[`${way}`];
    const flow = branch.run(machine);
    machine.inside = outer;
    return flow;
  };
  return { labels: [...then.labels, ...(otherwise?.labels ?? [])], run };
}

function forLoop(node: CNode, names: Names, returns: CType): Statement {
  const initializer = child(node, 'initializer');
  if (initializer === undefined) return loop(node, names, returns, undefined);
  if (initializer.type === 'declaration') return loop(node, names, returns, declaration(initializer, names));
  const of = full(initializer, names);
  const begin = simple(node, of.weight, (machine) => {
    of.value(machine);
    return 'next';
  });
  return loop(node, names, returns, begin);
}

function loop(node: CNode, names: Names, returns: CType, begin: Statement | undefined): Statement {
  const [test, update] = ['condition', 'update'].map((field) => {
    const part = child(node, field);
    return part && full(part, names);
  });
  const holds = test && condition(test);
  const bodyNode = child(node, 'body');
  if (bodyNode === undefined) throw new Unknown(node, 'a loop without a body');
  const body = inner(bodyNode, names, returns);
  const weight = 1 + weightOf(test) + weightOf(update);
  const run = (machine: Machine): Flow => {
    const outer = machine.loop;
    // A jump into the body, or `do`, tests nothing the first time.
    let tests = machine.seek === undefined && node.type !== 'do_statement';
    if (machine.seek === undefined) begin?.run(machine);
    machine.loop = test?.node;
    let flow: Flow = 'next';
    for (;;) {
      machine.statement = node;
      machine.spend(weight);
      if (tests && holds !== undefined && !holds(machine)) break;
      tests = true;
      flow = body.run(machine);
      // A jump may be one into the body again.
      while (flow === 'jump' && body.labels.includes(machine.seek as string)) flow = body.run(machine);
      if (flow === 'break' || flow === 'return' || flow === 'jump') break;
      machine.statement = node;
      update?.value(machine);
    }
    machine.loop = outer;
    return flow === 'return' || flow === 'jump' ? flow : 'next';
  };
  return { labels: body.labels, run };
}

function weightOf(of: Expression | undefined): number {
  return of?.weight ?? 0;
}

/** A switch: each case is a label, to which its value jumps. */
function choose(node: CNode, names: Names, returns: CType): Statement {
  const of = full(child(node, 'condition') as CNode, names);
  const block = child(node, 'body');
  if (of.type.kind !== 'int' || block?.type !== 'compound_statement') throw new Unknown(node, 'this switch');
  const cases = new Map<bigint, string>();
  let other: string | undefined;
  const [body, variables] = names.scope(() =>
    sequence(
      block.children.map((part) => {
        if (part.type !== 'case_statement') throw new Unknown(part, 'what is behind no case');
        const label = `case ${part.start}`;
        names.label(label, part);
        const value = child(part, 'value');
        if (value === undefined) {
          if (other !== undefined) throw new Unknown(part, 'another default');
          other = label;
        } else {
          const key = caseOf(value, names);
          if (cases.has(key)) throw new Unknown(part, 'another case like it');
          cases.set(key, label);
        }
        const inside = part.children.filter((one) => one !== value);
        return labelled(label, behindLabel(inside, names, returns));
      }),
    ),
  );
  const own = new Set([...cases.values(), other]);
  const run = (machine: Machine): Flow => {
    if (machine.seek === undefined) {
      machine.statement = node;
      machine.spend(of.weight + 1);
      const value = of.value(machine) ?? machine.unknown(node, 'a switch on what is not known');
      const label = cases.get(value as bigint) ?? other;
      if (label === undefined) return 'next';
      machine.seek = label;
    }
    const flow = body.run(machine);
    machine.forget(variables);
    return flow === 'break' ? 'next' : flow;
  };
  return { labels: body.labels.filter((label) => !own.has(label)), run };
}

/** The value of a case, which is a constant. */
function caseOf(node: CNode, names: Names): bigint {
  const of = full(node, names);
  const inside = node.type === 'parenthesized_expression' ? node.children[0] : node;
  const single = inside?.type === 'char_literal' || inside?.type === 'number_literal' || inside?.type === 'identifier';
  const negative = inside?.type === 'unary_expression' && inside.children[0]?.type === 'number_literal';
  if (of.type.kind !== 'int' || of.place !== undefined || (!single && !negative)) throw new Unknown(node, 'this case');
  return constant(of) as bigint;
}

/** The value of an expression that needs no machine, as no variable is in it. */
function constant(of: Expression): Value {
  try {
    return of.value(undefined as unknown as Machine);
  } catch {
    throw new Unknown(of.node, 'this constant');
  }
}

// Declarations

function declaration(node: CNode, names: Names): Statement {
  let fixed = false;
  for (const part of node.children) {
    if (part.type !== 'storage_class_specifier') continue;
    const word = names.text(part);
    if (word !== 'static' && word !== 'register') throw new Unknown(part, word);
    fixed ||= word === 'static';
  }
  const base = names.baseType(node);
  const isConst = node.children.some((part) => part.type === 'type_qualifier' && names.text(part) === 'const');
  const parts = node.children
    .filter(({ field }) => field === 'declarator')
    .map((part) => {
      const declared = names.declared(base, part);
      // Of a pointer it is what it points to that is const.
      const constant = fixed && isConst && declared.type.kind === 'int';
      return declarator(part, declared, { fixed, constant }, names);
    });
  if (parts.length === 0) throw new Unknown(node, 'a declaration of nothing');
  const weight = parts.reduce((sum, part) => sum + part.weight, 0);
  return simple(node, weight, (machine) => {
    for (const part of parts) part.run(machine);
    return 'next';
  });
}

interface Part {
  weight: number;
  run(machine: Machine): void;
}

type Storage = Pick<Variable, 'fixed' | 'constant'>;

function declarator(node: CNode, declared: Declared, storage: Storage, names: Names): Part {
  const { name, type, isArray, initial } = declared;
  const { fixed } = storage;
  if (isArray) return arrayDeclarator(node, declared, storage, names);
  if (type.kind === 'struct') throw new Unknown(node, 'a struct of its own');
  // A variable is declared where its own value is computed, too.
  const variable = names.declare(name, { type, array: false, ...storage, length: 1 }, node);
  const of = initial && full(initial, names);
  if (fixed && of !== undefined && !isConstant(of.node)) throw new Unknown(of.node, 'a static that is computed');
  const value = of && converted(of, type);
  return {
    weight: 1 + weightOf(of),
    run: (machine) => {
      if (fixed && machine.statics.has(variable)) return;
      const memory = machine.declare(variable, 1, node, fixed && !isStale(machine, storage) ? zero(type) : undefined);
      if (value !== undefined && !isStale(machine, storage)) memory.cells[0] = machine.excusing(value);
    },
  };
}

function zero(type: CType): Value {
  return type.kind === 'pointer' ? new Pointer(undefined) : 0n;
}

function isConstant(node: CNode): boolean {
  const [only] = node.children;
  if (node.type === 'unary_expression' || node.type === 'parenthesized_expression')
    return only !== undefined && isConstant(only);
  return ['number_literal', 'char_literal', 'string_literal', 'null', 'true', 'false'].includes(node.type);
}

/** Whether it holds what earlier calls left there. */
function isStale(machine: Machine, { fixed, constant }: Storage): boolean {
  return fixed && !constant && machine.world.calledBefore === true;
}

function arrayDeclarator(node: CNode, declared: Declared, storage: Storage, names: Names): Part {
  const { name, type, length, initial } = declared;
  const { fixed } = storage;
  const count = length && full(length, names);
  if (count !== undefined && count.type.kind !== 'int') throw new Unknown(node, 'this length');
  const given = initial && initialCells(initial, type, names);
  const said = count !== undefined && isConstantLength(count, names) ? Number(constant(count)) : undefined;
  const known = said ?? (count === undefined ? given?.length : undefined);
  if (known === undefined && (count === undefined || initial !== undefined || fixed))
    throw new Unknown(node, 'an array of this length');
  if (known !== undefined && (known < 1 || known > limits.object || (given?.length ?? 0) > known))
    throw new Unknown(node, 'an array of this length');
  const variable: Variable = names.declare(name, { type, array: true, ...storage, length: known }, node);
  return {
    weight: 1 + weightOf(count) + (given?.weight ?? 0),
    run: (machine) => {
      if (fixed && machine.statics.has(variable)) return;
      const wanted = known ?? runtimeLength(machine, count as Expression, node);
      const stale = isStale(machine, storage);
      const filled = !stale && (given !== undefined || fixed);
      const memory = machine.declare(variable, wanted, node, filled ? zero(type) : undefined);
      if (!stale) given?.fill(machine, memory.cells);
    },
  };
}

function runtimeLength(machine: Machine, count: Expression, node: CNode): number {
  const value = machine.convert(count.value(machine), count.type, count.type, node);
  if (typeof value !== 'bigint') return machine.unknown(node, 'a length that is not known');
  if (value <= 0n) return machine.trap(node, 'an array of no length');
  if (value > BigInt(limits.object)) return machine.unknown(node, 'a large array');
  return Number(value);
}

/** Whether a length needs no machine: it is made of numbers alone. */
function isConstantLength({ node }: Expression, names: Names): boolean {
  const check = (at: CNode): boolean =>
    at.type === 'number_literal' ||
    at.type === 'sizeof_expression' ||
    (at.type === 'identifier' && names.variable(names.text(at)) === undefined) ||
    ((at.type === 'parenthesized_expression' || at.type === 'binary_expression') &&
      !'/%<<>>'.includes(at.operator || ' ') &&
      at.children.every(check));
  return check(node);
}

interface Initial {
  length: number;
  weight: number;
  fill(machine: Machine, cells: Value[]): void;
}

function initialCells(node: CNode, type: CType, names: Names): Initial {
  if (node.type === 'string_literal' || node.type === 'concatenated_string') {
    if (type.kind !== 'int' || type.bits !== 8) throw new Unknown(node, 'this array');
    const of = full(node, names);
    const { memory } = constant(of) as Pointer;
    const cells = memory?.cells ?? [];
    const held = type.signed ? cells : cells.map((cell) => BigInt.asUintN(8, cell as bigint));
    return {
      length: held.length,
      weight: (held.length >> 3) + 1,
      fill: (_, into) => {
        for (let i = 0; i < held.length; i++) into[i] = held[i];
      },
    };
  }
  if (node.type !== 'initializer_list') throw new Unknown(node, 'this array');
  const items = node.children.map((item) => full(item, names));
  const values = items.map((item) => converted(item, type));
  return {
    length: items.length,
    weight: items.reduce((sum, { weight }) => sum + weight, 1),
    fill: (machine, into) =>
      values.forEach((value, i) => {
        into[i] = value(machine);
      }),
  };
}
