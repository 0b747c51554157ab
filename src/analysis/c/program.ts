import { library } from './library/index.js';
import { constants } from './literals.js';
import { type Machine, type Runnable, Unknown, type Variable } from './machine.js';
import { Names } from './names.js';
import { readText } from './plain.js';
import { statements } from './statements.js';
import { type CNode, type CSource, child, descendants } from './syntax.js';
import { type CType, int, pointerTo, same, typeNamed } from './values.js';

/** The function that is asked for. */
export interface Wanted {
  name: string;
  /** Types of its parameters, as C writes them, `const` or not. */
  parameters: readonly string[];
  /** Headers that declare nothing beyond what the library here has, or what is not understood anyway. */
  headers: ReadonlySet<string>;
}

/**
 * Reads an int function of a program for the machine. All of it is read, dead code too: where any of it is not understood, or may be
 * something else to a compiler than to the parser, it is not run. That goes for a program with two functions of the name, for one that
 * gives names of the library or of types another meaning, and for one that does not parse.
 * @throws Unknown for such a program.
 */
export function readFunction(source: CSource, node: CNode, wanted: Wanted): Runnable {
  const { root } = source;
  const code = source.text({ start: 0, end: source.end - 1 });
  const { doubt, macros } = readText(code, wanted.headers);
  if (doubt !== undefined) throw new Unknown(root, doubt);
  if (!source.parseOk || root.broken) throw new Unknown(root, 'broken code');
  const foreign = namesOutside(source, node, wanted.name);
  checkMacros(source, macros, foreign, wanted.name);
  const names = new Names(source, macros, foreign);
  const parameters = readParameters(node, wanted, names);
  const body = child(node, 'body') as CNode;
  const read = statements(body.children, names, int);
  names.checkGotos();
  const outermost = names.outermost;
  const run = (machine: Machine): void => {
    const flow = read.run(machine);
    if (flow !== 'next' && flow !== 'return') machine.unknown(body, `a ${flow} out of the function`);
    machine.forget(outermost);
  };
  return { body, parameters, slots: names.slots, remembers: names.remembers, run };
}

/** What else the program declares: functions, whose names mean nothing to the machine then, and nothing more. */
function namesOutside(source: CSource, wanted: CNode, name: string): Set<string> {
  const names = new Set<string>();
  for (const node of source.root.children) {
    if (node === wanted || node.type === 'preproc_include' || node.type === 'preproc_def') continue;
    const declarator = child(node, 'declarator');
    const isFunction = node.type === 'function_definition' || node.type === 'declaration';
    const declared = declarator && functionName(declarator);
    if (!isFunction || declared === undefined || node.children.filter(({ field }) => field === 'declarator').length > 1)
      throw new Unknown(node, `${node.type} outside of a function`);
    const word = source.text(declared);
    // A prototype of a function of the library, or of the helper, changes nothing.
    if (node.type === 'declaration' && library.get(word) !== undefined) continue;
    if (node.type === 'function_definition' && word === name) throw new Unknown(node, `another ${name}`);
    names.add(word);
  }
  return names;
}

function functionName(declarator: CNode): CNode | undefined {
  if (declarator.type === 'pointer_declarator') {
    const inner = child(declarator, 'declarator');
    return inner && functionName(inner);
  }
  const name = declarator.type === 'function_declarator' ? child(declarator, 'declarator') : undefined;
  return name?.type === 'identifier' ? name : undefined;
}

/** A macro may stand where a name stands for a value, and nowhere else. */
function checkMacros(
  source: CSource,
  macros: ReadonlyMap<string, unknown>,
  foreign: ReadonlySet<string>,
  functionName: string,
): void {
  if (macros.size === 0) return;
  for (const name of macros.keys()) {
    const taken = constants.has(name) || library.has(name) || foreign.has(name) || name === functionName;
    if (taken || keywords.has(name) || typeNamed(name) !== undefined) throw new Unknown(source.root, `a macro ${name}`);
  }
  for (const node of descendants(source.root)) {
    if (node.children.length > 0 || node.type === 'identifier') continue;
    if (macros.has(source.text(node))) throw new Unknown(node, 'a macro in another place than an expression');
  }
}

const keywords: ReadonlySet<string> = new Set(
  (
    'auto break case char const continue default do double else enum extern float for goto if inline int long ' +
    'register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while errno'
  ).split(' '),
);

function readParameters(node: CNode, { parameters }: Wanted, names: Names): Variable[] {
  const declarator = child(node, 'declarator');
  const list = declarator && child(declarator, 'parameters');
  const unusual = node.children.find(
    (part) =>
      !['type', 'declarator', 'body'].includes(part.field ?? '') &&
      !(part.type === 'storage_class_specifier' && ['static', 'inline'].includes(names.text(part))),
  );
  if (unusual !== undefined || declarator?.type !== 'function_declarator' || declarator.children.length !== 2)
    throw new Unknown(unusual ?? node, 'this kind of definition');
  if (!same(names.baseType(node), int)) throw new Unknown(node, 'a function of another type');
  return (list?.children ?? []).map((parameter, i) => {
    const part = child(parameter, 'declarator');
    if (parameter.type !== 'parameter_declaration' || part === undefined) throw new Unknown(parameter, parameter.type);
    const declared = names.declared(names.baseType(parameter), part);
    const type = declared.isArray ? pointerTo(declared.type) : declared.type;
    if (!same(type, typeOf(parameters[i] as string))) throw new Unknown(parameter, 'a parameter of another type');
    return names.declare(declared.name, { type, array: false, fixed: false, constant: false, length: 1 }, parameter);
  });
}

/** The type that a declaration such as `const char *` says. */
export function typeOf(words: string): CType {
  const base = typeNamed(words.replace(/\bconst\b|\*/g, ''));
  if (base === undefined) throw new TypeError(`no type: ${words}`);
  let type: CType = base;
  for (let stars = words.split('*').length - 1; stars > 0; stars--) type = pointerTo(type);
  return type;
}
