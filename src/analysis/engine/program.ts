import { type CNode, type CSource, child, descendants } from '../c/syntax.js';
import { deepest, levelOf } from '../syntax/node.js';
import { byName, type CType, declared, specifier, type TypeNames } from './types.js';

export interface Parameter {
  name: string;
  type: CType;
  node: CNode;
  /** What it points to is declared const. */
  constant: boolean;
}

export interface CFunction {
  name: string;
  node: CNode;
  body: CNode;
  parameters: Parameter[];
  result: CType;
}

export interface Global {
  name: string;
  type: CType;
  value: CNode | undefined;
  constant: boolean;
  node: CNode;
}

/** What a translation unit declares. */
export class Program {
  readonly source: CSource;
  readonly names: TypeNames = { typedefs: new Map(), records: new Map() };
  readonly functions: Map<string, CFunction> = new Map();
  readonly globals: Map<string, Global> = new Map();
  /** Macros without parameters, as text. */
  readonly macros: Map<string, string> = new Map();
  /** Macros with parameters. */
  readonly functionMacros: Map<string, { parameters: string[]; body: string }> = new Map();
  readonly enumerators: Map<string, number> = new Map();
  /** Functions that code calls by name. */
  readonly called: Set<string> = new Set();
  /** Functions that code passes on as values: to a thread, as a callback. */
  readonly passed: Set<string> = new Set();
  /** Functions that run in a thread of their own. */
  readonly threads: Set<string> = new Set();

  readonly #types = new WeakMap<CNode, CType>();

  readonly #parse: (code: Uint8Array) => CSource;
  readonly #expansions = new Map<CNode, CNode | null>();
  readonly #expanded: { base: number; source: CSource }[] = [];
  #end: number;
  /** Characters that macros with parameters may still become: they can double at every step. */
  #budget: number;

  /** @param parse - For what macros with parameters become. */
  constructor(source: CSource, parse: (code: Uint8Array) => CSource) {
    this.source = source;
    this.#parse = parse;
    this.#end = source.end;
    this.#budget = 16_384 + 4 * source.root.end;
    this.#collect(source.root);
    this.#references(source.root);
  }

  /** Functions that are called from outside, as far as the code shows. */
  roots(): CFunction[] {
    return [...this.functions.values()].filter(
      ({ name }) => name === 'main' || !this.called.has(name) || this.passed.has(name),
    );
  }

  text = (at: Pick<CNode, 'start' | 'end'> & { text?: string | undefined }): string => {
    at.text ??= this.#read(at);
    return at.text;
  };

  #read({ start, end }: Pick<CNode, 'start' | 'end'>): string {
    const from = start < this.source.root.end + 1 ? undefined : this.#expanded.findLast(({ base }) => base <= start);
    return from === undefined
      ? this.source.text({ start, end })
      : from.source.text({ start: start - from.base, end: end - from.base });
  }

  /** Where a node is in the code: what a macro became is where the macro is used. */
  origin(node: CNode): CNode {
    let at = node;
    while (!this.source.has(at) && at.parent !== null) at = at.parent;
    return at;
  }

  /** The expression that a macro with parameters becomes; undefined for a call that is none. */
  expand(call: CNode): CNode | undefined {
    const kept = this.#expansions.get(call);
    if (kept !== undefined) return kept ?? undefined;
    const callee = child(call, 'function');
    const macro = callee === undefined ? undefined : this.functionMacros.get(this.text(callee));
    const given = child(call, 'arguments')?.children.map((argument) => this.text(argument)) ?? [];
    this.#expansions.set(call, null);
    if (macro === undefined || macro.parameters.length !== given.length || macro.body.includes('#')) return undefined;
    const body = macro.body.replace(/\\\n/g, ' ').replace(/[A-Za-z_]\w*/g, (word) => {
      const at = macro.parameters.indexOf(word);
      return at < 0 ? word : (given[at] as string);
    });
    this.#budget -= body.length;
    if (this.#budget < 0) return undefined;
    const source = this.#parse(Buffer.from(`int x = ${body};`));
    const declarator = source.root.children[0]?.children.find(({ type }) => type === 'init_declarator');
    const value = declarator === undefined ? undefined : child(declarator, 'value');
    if (!source.parseOk || value === undefined || levelOf(call) + heightOf(value) > deepest) return undefined;
    const base = this.#end;
    this.#expanded.push({ base, source });
    this.#end += source.end;
    const expansion = moved(value, base, call);
    this.#expansions.set(call, expansion);
    return expansion;
  }

  type(node: CNode | undefined): CType {
    if (node === undefined) return specifier(node, this.text, this.names);
    let type = this.#types.get(node);
    if (type === undefined) {
      type = specifier(node, this.text, this.names);
      // A record that is still to come has no type yet.
      if (type.kind !== 'unknown') this.#types.set(node, type);
    }
    return type;
  }

  /** A `type_descriptor`, as in a cast or `sizeof(int *)`. */
  described(node: CNode): CType {
    let type = this.type(child(node, 'type'));
    for (let at = child(node, 'declarator'); at !== undefined; at = child(at, 'declarator')) {
      if (at.type === 'abstract_pointer_declarator') type = { kind: 'pointer', to: type };
      else if (at.type === 'abstract_array_declarator')
        type = { kind: 'array', of: type, length: child(at, 'size') ?? null };
      else if (at.type === 'abstract_function_declarator') type = { kind: 'function' };
    }
    return type;
  }

  /** The type of a name. */
  named(name: string): CType {
    return byName(name, this.names);
  }

  /** A name that a macro stands for, else itself. */
  resolve(name: string): string {
    let at = name;
    for (let i = 0; i < 4; i++) {
      const macro = this.macros.get(at);
      if (macro === undefined || !/^[A-Za-z_]\w*$/.test(macro)) return at;
      at = macro;
    }
    return at;
  }

  #collect(node: CNode): void {
    for (const item of node.children) {
      switch (item.type) {
        case 'function_definition':
          this.#function(item);
          break;
        case 'declaration':
          this.#records(item);
          this.#globals(item);
          break;
        case 'type_definition':
          this.#records(item);
          this.#typedef(item);
          break;
        case 'class_specifier':
        case 'struct_specifier':
        case 'union_specifier':
        case 'enum_specifier':
          this.#records(item);
          this.#members(item);
          break;
        case 'field_declaration':
          this.#globals(item);
          break;
        case 'preproc_def': {
          const name = child(item, 'name');
          const value = child(item, 'value');
          if (name !== undefined) {
            const text =
              value === undefined
                ? ''
                : this.text(value)
                    .replace(/\/\*.*?\*\/|\/\/.*$/gs, '')
                    .trim();
            this.macros.set(this.text(name), text);
          }
          break;
        }
        case 'preproc_function_def': {
          const [name, parameters, value] = ['name', 'parameters', 'value'].map((field) => child(item, field));
          if (name !== undefined && parameters !== undefined && value !== undefined) {
            const names = parameters.children.map((parameter) => this.text(parameter));
            this.functionMacros.set(this.text(name), { parameters: names, body: this.text(value).trim() });
          }
          break;
        }
        case 'preproc_if':
        case 'preproc_ifdef':
        case 'preproc_else':
        case 'preproc_elif':
        case 'linkage_specification':
        case 'namespace_definition':
        case 'declaration_list':
        case 'template_declaration':
        case 'ERROR':
          this.#collect(item);
          break;
      }
    }
  }

  // The functions of a class, and its fields, which they name as if they were global.
  #members(node: CNode): void {
    const body = child(node, 'body');
    if (body === undefined) return;
    if (node.type === 'class_specifier' || body.children.some(({ type }) => type === 'function_definition'))
      this.#collect(body);
  }

  #records(node: CNode): void {
    for (const at of descendants(node)) {
      if (at.type === 'enum_specifier') this.#enumerators(at);
      if (at.type !== 'struct_specifier' && at.type !== 'union_specifier' && at.type !== 'class_specifier') continue;
      const body = child(at, 'body');
      if (body === undefined) continue;
      const name = child(at, 'name');
      const key = name === undefined ? `@${at.start}` : this.text(name);
      const fields = new Map<string, CType>();
      this.names.records.set(key, { kind: 'record', name: key, union: at.type === 'union_specifier', fields });
      for (const field of body.children) {
        if (field.type !== 'field_declaration') continue;
        const base = this.type(child(field, 'type'));
        for (const declarator of field.children) {
          if (declarator.field !== 'declarator') continue;
          const found = declared(declarator, base, this.text);
          if (found !== undefined) fields.set(found.name, found.type);
        }
      }
    }
  }

  #enumerators(node: CNode): void {
    let next = 0;
    for (const item of child(node, 'body')?.children ?? []) {
      const name = child(item, 'name');
      if (item.type !== 'enumerator' || name === undefined) continue;
      const value = child(item, 'value');
      const given = value === undefined ? Number.NaN : Number(this.text(value));
      if (!Number.isNaN(given)) next = given;
      else if (value !== undefined) continue;
      this.enumerators.set(this.text(name), next++);
    }
  }

  #typedef(node: CNode): void {
    const base = this.type(child(node, 'type'));
    for (const declarator of node.children) {
      if (declarator.field !== 'declarator') continue;
      const found = declared(declarator, base, this.text);
      if (found !== undefined) this.names.typedefs.set(found.name, found.type);
    }
  }

  #globals(node: CNode): void {
    const base = this.type(child(node, 'type'));
    const constant = node.children.some((at) => at.type === 'type_qualifier' && this.text(at) === 'const');
    for (const declarator of node.children) {
      if (declarator.field !== 'declarator') continue;
      const found = declared(declarator, base, this.text);
      if (found === undefined || found.type.kind === 'function') continue;
      const value = declarator.type === 'init_declarator' ? child(declarator, 'value') : undefined;
      this.globals.set(found.name, { name: found.name, type: found.type, value, constant, node: declarator });
    }
  }

  #function(node: CNode): void {
    const body = child(node, 'body');
    let declarator = child(node, 'declarator');
    let result = this.type(child(node, 'type'));
    while (declarator !== undefined && declarator.type !== 'function_declarator') {
      if (declarator.type === 'pointer_declarator') result = { kind: 'pointer', to: result };
      declarator =
        child(declarator, 'declarator') ?? declarator.children.find(({ type }) => type.endsWith('_declarator'));
    }
    const nameNode = declarator === undefined ? undefined : child(declarator, 'declarator');
    if (body === undefined) return;
    // A macro may declare it: `TEST(name) {`.
    const name = this.text(nameNode ?? { start: node.start, end: body.start }).trim();
    const parameters: Parameter[] = [];
    for (const parameter of (declarator && child(declarator, 'parameters')?.children) ?? []) {
      if (parameter.type !== 'parameter_declaration') continue;
      const inner = child(parameter, 'declarator');
      const found = inner === undefined ? undefined : declared(inner, this.type(child(parameter, 'type')), this.text);
      const constant = parameter.children.some((at) => at.type === 'type_qualifier' && this.text(at) === 'const');
      // An array as a parameter is a pointer.
      const type = found?.type.kind === 'array' ? ({ kind: 'pointer', to: found.type.of } as const) : found?.type;
      if (found !== undefined && type !== undefined)
        parameters.push({ name: found.name, type, node: found.node, constant });
      else parameters.push({ name: '', type: this.type(child(parameter, 'type')), node: parameter, constant });
    }
    // Another one of that name, of another class or under another condition, is none that is called.
    const key = this.functions.has(name) ? `${name}@${node.start}` : name;
    this.functions.set(key, { name: key, node, body, parameters, result });
  }

  #references(node: CNode): void {
    if (node.type === 'identifier') this.#reference(node);
    else for (const below of node.children) this.#references(below);
  }

  #reference(node: CNode): void {
    const name = this.text(node);
    if (!this.functions.has(name)) return;
    if (node.field === 'function') this.called.add(name);
    else if (node.field !== 'declarator') {
      this.passed.add(name);
      const list = node.parent?.type === 'argument_list' ? node.parent : node.parent?.parent;
      const callee = list?.parent?.children[0];
      if (callee !== undefined && /^(pthread_create|thrd_create)$/.test(this.text(callee))) this.threads.add(name);
    }
  }
}

function heightOf({ children }: CNode): number {
  return children.reduce((most, below) => Math.max(most, 1 + heightOf(below)), 0);
}

function moved(node: CNode, by: number, parent: CNode): CNode {
  const children: CNode[] = [];
  const copy: CNode = { ...node, start: node.start + by, end: node.end + by, parent, children };
  for (const below of node.children) children.push(moved(below, by, copy));
  return copy;
}
