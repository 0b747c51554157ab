import { library } from './library/index.js';
import { constants, exactCharacters, literal, type Typed } from './literals.js';
import { Unknown, type Variable } from './machine.js';
import type { Reading } from './plain.js';
import { type CNode, type CSource, child } from './syntax.js';
import { type CType, charOf, int, pointerTo, typeNamed } from './values.js';

/** What a declaration declares. */
export interface Declared {
  name: string;
  /** Of one cell. */
  type: CType;
  isArray: boolean;
  /** Of an array, where it is said. */
  length: CNode | undefined;
  initial: CNode | undefined;
}

// What stands beside the type in a declaration or definition.
const besideType: ReadonlySet<string> = new Set(['declarator', 'body', 'type_qualifier', 'storage_class_specifier']);

// Each statement keeps the labels in it.
const mostLabels = 256;

/** The names of a function while it is read: its scopes, the macros before it, what the headers declare. */
export class Names {
  readonly source: CSource;
  readonly macros: Reading['macros'];
  readonly #labels = new Set<string>();
  readonly #gotos = new Map<string, CNode>();
  readonly #scopes: Map<string, Variable>[] = [new Map()];
  /** What the program declares outside of the function. */
  readonly #foreign: ReadonlySet<string>;
  slots = 0;
  /** It has static variables that it can change. */
  remembers = false;

  constructor(source: CSource, macros: Reading['macros'], foreign: ReadonlySet<string>) {
    this.source = source;
    this.macros = macros;
    this.#foreign = foreign;
  }

  text(node: CNode): string {
    return this.source.text(node);
  }

  /** The variables of the function as a whole. */
  get outermost(): Variable[] {
    return [...(this.#scopes[0]?.values() ?? [])];
  }

  /** Runs `read` in a scope of its own; gives the variables that it declared, too. */
  scope<T>(read: () => T): [T, Variable[]] {
    const scope = new Map<string, Variable>();
    this.#scopes.push(scope);
    const result = read();
    this.#scopes.pop();
    return [result, [...scope.values()]];
  }

  declare(name: string, about: Omit<Variable, 'slot'>, node: CNode): Variable {
    const scope = this.#scopes.at(-1) as Map<string, Variable>;
    if (scope.has(name) || constants.has(name) || this.macros.has(name) || name === 'errno')
      throw new Unknown(node, `another ${name}`);
    const variable = { ...about, slot: this.slots++ };
    this.remembers ||= about.fixed && !about.constant;
    scope.set(name, variable);
    return variable;
  }

  variable(name: string): Variable | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i]?.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  label(name: string, node: CNode): void {
    if (this.#labels.has(name)) throw new Unknown(node, `another label ${name}`);
    if (this.#labels.size >= mostLabels) throw new Unknown(node, 'too many labels');
    this.#labels.add(name);
  }

  goto(label: string, node: CNode): void {
    this.#gotos.set(label, node);
  }

  /** @throws Unknown where a goto has no label. */
  checkGotos(): void {
    for (const [label, node] of this.#gotos)
      if (!this.#labels.has(label)) throw new Unknown(node, `the label ${label}`);
  }

  /** Whether a name is the library's. */
  isLibrary(name: string): boolean {
    return library.has(name) && !this.#foreign.has(name) && this.variable(name) === undefined;
  }

  /** A constant of the headers, or a macro for a literal. */
  constant(node: CNode): Typed {
    const name = this.text(node);
    if (this.#foreign.has(name)) throw new Unknown(node, `${name} of another place`);
    const macro = this.macros.get(name);
    const known = macro === undefined ? constants.get(name) : this.#expanded(macro, node);
    if (known === undefined) throw new Unknown(node, `the name ${name}`);
    return known;
  }

  #expanded({ value, start }: { value: string; start: number }, node: CNode): Typed | undefined {
    if (node.start < start) return undefined;
    if (value.startsWith("'")) {
      const codes = exactCharacters(value.slice(1, -1));
      return codes?.length === 1 ? { type: int, value: charOf(codes[0] as number) } : undefined;
    }
    return literal(value.replace(/[()\s]/g, ''));
  }

  /** The type of a cast, a parameter or a declaration, before its declarators. */
  baseType(node: CNode): CType {
    const words: string[] = [];
    for (const part of node.children) {
      if (part.field === 'type') words.push(this.text(part));
      else if (!besideType.has(part.field ?? part.type)) throw new Unknown(part, part.type);
    }
    const name = words.join(' ');
    const type = typeNamed(name);
    if (type === undefined || this.variable(name) !== undefined || this.#foreign.has(name))
      throw new Unknown(node, `the type ${name}`);
    return type;
  }

  /** A type as it stands in a cast or sizeof: of stars only. */
  typeOf(node: CNode): CType {
    let type = this.baseType(node);
    let declarator = child(node, 'declarator');
    while (declarator !== undefined) {
      if (declarator.type !== 'abstract_pointer_declarator') throw new Unknown(declarator, declarator.type);
      type = pointerTo(type);
      declarator = child(declarator, 'declarator');
    }
    return type;
  }

  declared(base: CType, part: CNode): Declared {
    const initial = part.type === 'init_declarator' ? child(part, 'value') : undefined;
    let at: CNode | undefined = part.type === 'init_declarator' ? child(part, 'declarator') : part;
    let type = base;
    let array: CNode | undefined;
    for (; at !== undefined && at.type !== 'identifier'; at = child(at, 'declarator') ?? inner(at)) {
      if (at.type === 'pointer_declarator' && array === undefined) type = pointerTo(type);
      else if (at.type === 'array_declarator' && array === undefined) array = at;
      else if (at.type !== 'parenthesized_declarator' || array !== undefined) throw new Unknown(at, at.type);
    }
    if (at === undefined) throw new Unknown(part, 'a declaration without a name');
    if (type.kind === 'void' || type.kind === 'file') throw new Unknown(part, 'an object of no type');
    const length = array && child(array, 'size');
    return { name: this.text(at), type, isArray: array !== undefined, length, initial };
  }
}

// Inside of parentheses; `int *(p[3])` and its like are left alone.
function inner({ type, children }: CNode): CNode | undefined {
  const [only, ...more] = children;
  return type === 'parenthesized_declarator' && only?.type === 'identifier' && more.length === 0 ? only : undefined;
}
