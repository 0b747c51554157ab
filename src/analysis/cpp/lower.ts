import { child, descendants, type SyntaxNode } from '../syntax/node.js';

/** A tree of C, and the words in it that the code does not have, which lie behind the code from `end` on. */
export interface Lowered {
  readonly root: SyntaxNode;
  readonly words: string;
}

/**
 * Puts C++ into the words of C, as far as a judgement of C says something of it: text that owns its memory is a `char *`, a vector a
 * pointer, `new` a call that allocates, a method of text the function of C that does the same. What has no such counterpart stays, and is
 * walked as an expression of unknown effect.
 *
 * @param end - Behind all positions of the tree.
 */
export function lower(root: SyntaxNode, text: string, end: number): Lowered {
  const lowering = new Lowering(text, end);
  const lowered = lowering.unit(root);
  adopt(lowered);
  return { root: lowered as SyntaxNode, words: lowering.words };
}

/** A node that is still to be put into its place. */
interface Draft extends Omit<SyntaxNode, 'children' | 'parent' | 'field'> {
  field: string | null;
  children: readonly Draft[];
  parent: SyntaxNode | null;
}

type Place = Pick<SyntaxNode, 'start' | 'end'>;

function adopt(node: Draft): void {
  for (const below of node.children) {
    below.parent = node as SyntaxNode;
    adopt(below);
  }
}

/** Types that hold text, or gather it. */
const texts = /^(basic_)?(w|u8|u16|u32)?string(_view)?$|^o?stringstream$/;
/** Types of templates that lead to elements, or to one thing. */
const owners = /^(vector|deque|span|initializer_list|unique_ptr|shared_ptr)$/;
const casts = /^(static|reinterpret|const|dynamic)_cast$/;
/** Functions of C that are given values: a variable without one is no place for their result. */
const library =
  /^(v?[fs]?n?printf|str\w+|mem\w+|is[a-z]+|to[a-z]+|malloc|calloc|realloc|free|exit|abort|assert|system|f?puts|f?putc(har)?|abs|sqrt|pow|read|write|send|recv|f\w+|open|close)$/;
const inputs = /^(i?f?stream|istringstream|cin)$/;

class Lowering {
  words = '';
  readonly #text: string;
  readonly #end: number;
  readonly #known = new Map<string, Place>();
  /** Variables that text is written to with `<<`, and those that something is read from with `>>`. */
  readonly #gathered = new Set<string>();
  readonly #read = new Set(['cin']);
  /** Arrays of characters. */
  readonly #buffers = new Set<string>();
  /** Functions of this unit, and which of their parameters are references that they may write to. */
  readonly #functions = new Map<string, readonly boolean[]>();
  readonly #texts = new Set<string>();
  /** Local variables without a value. */
  readonly #bare = new Set<string>();
  /** Parameters of the function at hand that are references: pointers, in the words of C. */
  #references = new Set<string>();

  constructor(text: string, end: number) {
    this.#text = text;
    this.#end = end;
  }

  // ---- building

  #of({ start, end }: Place): string {
    return start >= this.#end ? this.words.slice(start - this.#end, end - this.#end) : this.#text.slice(start, end);
  }

  #make(type: string, at: Place, children: readonly Draft[] = [], operator = ''): Draft {
    const { start, end } = at;
    return { type, start, end, field: null, children, parent: null, operator, broken: false, text: undefined };
  }

  #word(type: string, word: string): Draft {
    let place = this.#known.get(word);
    if (place === undefined) {
      const start = this.#end + this.words.length;
      this.words += word;
      place = { start, end: start + word.length };
      this.#known.set(word, place);
    }
    return this.#make(type, place);
  }

  #call(name: string, at: Place, args: readonly Draft[]): Draft {
    const list = args.map((argument) => as(argument, null));
    return this.#make('call_expression', at, [
      as(this.#word('identifier', name), 'function'),
      as(this.#make('argument_list', at, list), 'arguments'),
    ]);
  }

  #binary(operator: string, at: Place, left: Draft, right: Draft): Draft {
    return this.#make('binary_expression', at, [as(left, 'left'), as(right, 'right')], operator);
  }

  #cast(at: Place, type: Draft, value: Draft): Draft {
    return this.#make('cast_expression', at, [as(type, 'type'), as(value, 'value')]);
  }

  #statement(expression: Draft): Draft {
    return this.#make('expression_statement', expression, [as(expression, null)]);
  }

  // ---- walking

  unit(root: SyntaxNode): Draft {
    const declared = new Set<string>();
    const followed = new Set<string>();
    for (const node of descendants(root)) {
      if (node.type === 'function_definition') this.#functions.set(this.#nameOf(node), this.#writable(node));
      if (!/identifier$/.test(node.type) || node.parent === null) continue;
      const { type, operator } = node.parent;
      if (node.field === 'declarator' || /declarator|binding|capture/.test(type)) declared.add(this.#of(node));
      else if (node.type === 'identifier' && operator === '->' && node.field === 'argument')
        followed.add(this.#of(node));
    }
    const lowered = this.#same(root);
    // What is declared elsewhere, a field above all, is one thing wherever it is named.
    const elsewhere = [...followed].filter((name) => !declared.has(name));
    const declarations = elsewhere.map((name) => {
      const type = this.#word('type_identifier', 'elsewhere');
      const declarator = this.#wrapped(this.#word('identifier', name), 'pointer_declarator');
      return this.#make('declaration', type, [as(type, 'type'), as(declarator, 'declarator')]);
    });
    return { ...lowered, children: [...declarations, ...lowered.children] };
  }

  #parametersOf(definition: SyntaxNode): readonly SyntaxNode[] {
    let at = child(definition, 'declarator');
    while (at !== undefined && at.type !== 'function_declarator')
      at = child(at, 'declarator') ?? at.children.find(({ type }) => /declarator$/.test(type));
    return (at && child(at, 'parameters')?.children) ?? [];
  }

  #writable(definition: SyntaxNode): boolean[] {
    return this.#parametersOf(definition).map((parameter) => this.#isReference(parameter));
  }

  // Text and what owns things lead to them anyway.
  #isReference(parameter: SyntaxNode): boolean {
    const { name } = this.#typeName(child(parameter, 'type'));
    return (
      child(parameter, 'declarator')?.type === 'reference_declarator' &&
      !texts.test(name) &&
      !owners.test(name) &&
      name !== 'array' &&
      !parameter.children.some((item) => item.type === 'type_qualifier' && this.#of(item) === 'const')
    );
  }

  /** What a node becomes: nothing, one or several nodes in its role. */
  node(node: SyntaxNode): Draft[] {
    const found = this.#lowered(node);
    return (Array.isArray(found) ? found : [found]).map((draft) => as(draft, node.field));
  }

  #one(node: SyntaxNode): Draft {
    return this.node(node)[0] ?? this.#make('comma_expression', node);
  }

  #all(nodes: readonly SyntaxNode[]): Draft[] {
    return nodes.flatMap((below) => this.node(below));
  }

  #same(node: SyntaxNode): Draft {
    return { ...node, children: this.#all(node.children), parent: null };
  }

  #lowered(node: SyntaxNode): Draft | Draft[] {
    switch (node.type) {
      case 'qualified_identifier': {
        const name = child(node, 'name');
        return name === undefined ? this.#same(node) : this.#one(name);
      }
      case 'identifier':
        if (this.#of(node) === 'npos') return this.#word('identifier', 'NULL');
        return this.#references.has(this.#of(node)) && node.field !== 'declarator'
          ? this.#make('pointer_expression', node, [as(this.#same(node), 'argument')], '*')
          : this.#same(node);
      case 'reference_declarator':
        return node.children[0] === undefined ? [] : this.#one(node.children[0]);
      case 'abstract_reference_declarator':
      case 'field_initializer_list':
      case 'noexcept':
      case 'trailing_return_type':
        return [];
      case 'parameter_declaration':
      case 'optional_parameter_declaration': {
        const lowered = this.#declaration({ ...node, type: 'parameter_declaration' });
        if (!this.#isReference(node)) return lowered;
        const children = lowered.children.map((below) =>
          below.field === 'declarator' ? as(this.#wrapped(below, 'pointer_declarator'), 'declarator') : below,
        );
        return { ...lowered, children };
      }
      case 'function_definition': {
        const outer = this.#references;
        const names = this.#parametersOf(node).filter((parameter) => this.#isReference(parameter));
        const lowered = this.#declaration({ ...node, children: node.children.filter(({ field }) => field !== 'body') });
        this.#references = new Set(
          names.map((parameter) => this.#of(child(parameter, 'declarator')?.children[0] ?? parameter)),
        );
        const body = this.#all(node.children.filter(({ field }) => field === 'body'));
        this.#references = outer;
        return { ...lowered, children: [...lowered.children, ...body] };
      }
      case 'declaration':
      case 'field_declaration':
        return this.#declaration(node);
      case 'subscript_expression': {
        const [base, index] = [child(node, 'argument'), child(node, 'indices')?.children[0]];
        if (base === undefined || index === undefined) return this.#same(node);
        const children = [as(this.#one(base), 'argument'), as(this.#one(index), 'index')];
        return this.#make('subscript_expression', node, children);
      }
      case 'new_expression':
        return this.#new(node);
      case 'delete_expression': {
        const array = /^(::)?\s*delete\s*\[/.test(this.#of(node));
        return this.#call(array ? 'operator delete[]' : 'operator delete', node, this.#all(node.children.slice(-1)));
      }
      case 'call_expression':
        return this.#called(node);
      case 'binary_expression':
        return this.#operation(node);
      case 'throw_statement':
        return this.#statement(this.#call('abort', node, []));
      case 'try_statement':
        return this.#try(node);
      case 'for_range_loop':
        return this.#each(node);
      case 'lambda_expression':
        return this.#make('lambda_expression', node);
      case 'condition_clause':
        return this.#make(
          'parenthesized_expression',
          node,
          this.#all(node.children).map((one) => as(one, null)),
        );
      case 'if_statement':
        return this.#if(node);
      case 'template_type':
      case 'template_function':
      case 'dependent_name': {
        const name = child(node, 'name') ?? node.children[0];
        return name === undefined ? this.#same(node) : this.#one(name);
      }
      default:
        return this.#same(node);
    }
  }

  // Either all of it happens, or a handler does.
  #try(node: SyntaxNode): Draft {
    const body = child(node, 'body');
    let whole = body === undefined ? this.#make('compound_statement', node) : this.#one(body);
    for (const handler of node.children.filter(({ type }) => type === 'catch_clause').reverse()) {
      const instead = child(handler, 'body');
      if (instead === undefined) continue;
      const condition = this.#call('caught', { start: handler.start, end: instead.start }, []);
      const parts = [as(condition, 'condition'), as(this.#one(instead), 'consequence'), as(whole, 'alternative')];
      whole = this.#make('if_statement', node, parts);
    }
    return whole;
  }

  // `if (auto p = f(); p != end)` and `if (auto p = f())` declare first.
  #if(node: SyntaxNode): Draft {
    const condition = child(node, 'condition');
    const [first, value] = [condition && child(condition, 'initializer'), condition && child(condition, 'value')];
    const declaration = value?.type === 'declaration' ? value : undefined;
    if (first === undefined && declaration === undefined) return this.#same(node);
    const [declared] = this.#all(declaration === undefined ? (first as SyntaxNode).children : [declaration]);
    const tested = declaration === undefined ? value && this.#one(value) : this.#declaredName(declaration);
    const rest = this.#all(node.children.filter((below) => below !== condition));
    const parts = tested === undefined ? rest : [as(tested, 'condition'), ...rest];
    const test = this.#make('if_statement', node, parts);
    return this.#make('compound_statement', node, declared === undefined ? [test] : [as(declared, null), test]);
  }

  #declaredName(declaration: SyntaxNode): Draft | undefined {
    let at = child(declaration, 'declarator');
    while (at !== undefined && at.type !== 'identifier') at = child(at, 'declarator') ?? at.children[0];
    return at && this.#make('identifier', at);
  }

  #each(node: SyntaxNode): Draft {
    const [type, declarator, right, body] = ['type', 'declarator', 'right', 'body'].map((role) => child(node, role));
    if (type === undefined || declarator === undefined || right === undefined || body === undefined)
      return this.#same(node);
    const from = this.#one(right);
    const element = /^(identifier|field_expression)$/.test(from.type)
      ? this.#make('pointer_expression', right, [as(from, 'argument')], '*')
      : this.#call('element', right, [from]);
    const named = this.#make('init_declarator', declarator, [
      as(this.#one(declarator), 'declarator'),
      as(element, 'value'),
    ]);
    const declaration = this.#make('declaration', { start: type.start, end: right.end }, [
      as(this.#one(type), 'type'),
      as(named, 'declarator'),
    ]);
    const block = this.#make('compound_statement', body, [declaration, as(this.#one(body), null)]);
    const condition = this.#call('more', right, []);
    return this.#make('for_statement', node, [as(condition, 'condition'), as(block, 'body')]);
  }

  // ---- declarations

  /** The part of a type that names it, without scope and template. */
  #nameNode(type: SyntaxNode): SyntaxNode {
    let at = type;
    while (/^(qualified_identifier|template_type)$/.test(at.type)) {
      const name = child(at, 'name');
      if (name === undefined) break;
      at = name;
    }
    return at;
  }

  /** The name of a type without its scope, and what its template is given. */
  #typeName(type: SyntaxNode | undefined): { name: string; given: readonly SyntaxNode[] } {
    let at = type;
    while (at?.type === 'qualified_identifier') at = child(at, 'name');
    if (at === undefined) return { name: '', given: [] };
    if (at.type !== 'template_type') return { name: this.#of(at), given: [] };
    const name = child(at, 'name');
    return { name: name === undefined ? '' : this.#of(name), given: child(at, 'arguments')?.children ?? [] };
  }

  #declaration(node: SyntaxNode): Draft {
    const type = child(node, 'type');
    const { name, given } = this.#typeName(type);
    const isText = texts.test(name);
    const [element, length] = given;
    const owner = owners.test(name) && element !== undefined;
    const array = name === 'array' && length !== undefined;
    const elements = owner || array ? child(element as SyntaxNode, 'type') : undefined;
    const ofTexts = texts.test(this.#typeName(elements).name);
    const stars = (isText || owner ? 1 : 0) + (ofTexts ? 1 : 0);
    const inBody = node.type === 'declaration' && node.parent?.type === 'compound_statement';
    return {
      ...node,
      parent: null,
      children: node.children.flatMap((below): Draft[] => {
        if (below.field === 'default_value') return [];
        if (below === type) {
          if (isText || ofTexts) return [as(this.#word('primitive_type', 'char'), 'type')];
          return elements === undefined ? this.node(below) : [as(this.#one(elements), 'type')];
        }
        if (below.field !== 'declarator') return this.node(below);
        this.#note(name, below);
        let declarator = inBody && type !== undefined ? this.#initialised(below, type, name) : this.#one(below);
        if (array)
          declarator = this.#wrapped(declarator, 'array_declarator', as(this.#one(length as SyntaxNode), 'size'));
        for (let i = 0; i < stars; i++) declarator = this.#wrapped(declarator, 'pointer_declarator');
        return [as(declarator, 'declarator')];
      }),
    };
  }

  #wrapped(declarator: Draft, type: string, extra?: Draft): Draft {
    if (declarator.type === 'init_declarator') {
      const children = declarator.children.map((below) =>
        below.field === 'declarator' ? as(this.#wrapped(below, type, extra), 'declarator') : below,
      );
      return { ...declarator, children };
    }
    return this.#make(type, declarator, [as(declarator, 'declarator'), ...(extra === undefined ? [] : [extra])]);
  }

  #note(type: string, declarator: SyntaxNode): void {
    let at: SyntaxNode | undefined = declarator;
    let array = false;
    while (at !== undefined && !/identifier$/.test(at.type)) {
      array ||= at.type === 'array_declarator';
      at = child(at, 'declarator') ?? at.children[0];
    }
    if (at === undefined) return;
    const name = this.#of(at);
    if (texts.test(type)) this.#texts.add(name);
    if (/^o?stringstream$/.test(type)) this.#gathered.add(name);
    if (inputs.test(type)) this.#read.add(name);
    if (array && type === 'char') this.#buffers.add(name);
  }

  /** A local variable with the value that its constructor gives it. */
  #initialised(node: SyntaxNode, type: SyntaxNode, name: string): Draft {
    const place = { start: type.start, end: node.end };
    let target = node;
    let given: SyntaxNode[] | undefined;
    if (node.type === 'init_declarator') {
      const [declarator, value] = [child(node, 'declarator'), child(node, 'value')];
      if (declarator === undefined || value === undefined) return this.#one(node);
      target = declarator;
      const plain = [declarator, child(declarator, 'declarator')].every((at) => at?.type !== 'array_declarator');
      if (value.type === 'argument_list' || (value.type === 'initializer_list' && plain && name !== 'array'))
        given = [...value.children];
      else if (name !== 'unique_ptr') return this.#one(node);
      else given = [value];
    } else if (node.type === 'function_declarator') {
      // `std::string s(name);`: parsed as a function, and hardly ever one.
      const [declarator, parameters] = [child(node, 'declarator'), child(node, 'parameters')?.children ?? []];
      const values = parameters.map((parameter) => this.#asValue(parameter));
      if (declarator === undefined || parameters.length === 0 || values.includes(undefined)) return this.#one(node);
      return this.#valued(this.#one(declarator), this.#constructed(name, place, values as Draft[]), node);
    } else if (node.type !== 'identifier') return this.#one(node);
    if (given === undefined) {
      const builtIn = type.type !== 'qualified_identifier' && !/^[A-Z]\w*[a-z]\w*$/.test(name);
      if (builtIn && !texts.test(name) && !owners.test(name)) {
        this.#bare.add(this.#of(node));
        return this.#one(node);
      }
      given = [];
    }
    return this.#valued(this.#one(target), this.#constructed(name, place, this.#all(given)), node);
  }

  #valued(declarator: Draft, value: Draft, at: Place): Draft {
    return this.#make('init_declarator', at, [as(declarator, 'declarator'), as(value, 'value')]);
  }

  // A parameter that is an expression: `name`, `argv[1]`.
  #asValue(parameter: SyntaxNode): Draft | undefined {
    const [type, declarator] = [child(parameter, 'type'), child(parameter, 'declarator')];
    if (type?.type !== 'type_identifier' || parameter.type !== 'parameter_declaration') return undefined;
    const base = this.#make('identifier', type);
    if (declarator === undefined) return base;
    const size = child(declarator, 'size');
    if (declarator.type !== 'abstract_array_declarator' || size === undefined) return undefined;
    return this.#make('subscript_expression', parameter, [as(base, 'argument'), as(this.#one(size), 'index')]);
  }

  #constructed(type: string, at: Place, given: readonly Draft[]): Draft {
    const [first] = given;
    if (texts.test(type)) {
      if (first === undefined) return this.#word('string_literal', '""');
      return given.length === 1 ? first : this.#call('constructed', at, given);
    }
    if (/^[io]?fstream$/.test(type) && first !== undefined) return this.#call('fstream', at, [first]);
    if (type === 'unique_ptr' && given.length === 1) return this.#call('unique_ptr', at, given);
    if (/^(lock_guard|unique_lock|scoped_lock)$/.test(type) && first !== undefined) {
      const address = this.#make('pointer_expression', first, [as(first, 'argument')], '&');
      return this.#call('pthread_mutex_lock', at, [address]);
    }
    if (owners.test(type) || given.length > 1) return this.#call('constructed', at, given);
    const known = /^(unsigned|signed|char|short|int|long|float|double|bool|auto|size_t|u?int\d+_t)\b/.test(type);
    if (!known) return this.#call('constructed', at, given);
    return first ?? this.#word('number_literal', '0');
  }

  #nameOf(definition: SyntaxNode): string {
    let at = child(definition, 'declarator');
    while (at !== undefined && !/^(field_)?identifier$|^qualified/.test(at.type))
      at = child(at, 'declarator') ?? at.children.find(({ type }) => /declarator$/.test(type));
    while (at?.type === 'qualified_identifier') at = child(at, 'name');
    return at === undefined ? '' : this.#of(at);
  }

  // ---- expressions

  #new(node: SyntaxNode): Draft {
    const [type, declarator, given] = ['type', 'declarator', 'arguments'].map((role) => child(node, role));
    if (type === undefined) return this.#same(node);
    const placement = child(node, 'placement');
    if (placement !== undefined && !/nothrow/.test(this.#of(placement)))
      return this.#call('constructed', node, this.#all(placement.children));
    const length = declarator && child(declarator, 'length');
    const plain = /^(primitive_type|type_identifier|sized_type_specifier)$/.test(type.type)
      ? type
      : this.#nameNode(type);
    const typed = (): Draft => this.#make(plain.type === 'primitive_type' ? plain.type : 'type_identifier', plain);
    const described = this.#make('type_descriptor', type, [as(typed(), 'type')]);
    const size = this.#make('sizeof_expression', type, [as(described, 'type')]);
    const constructs = given !== undefined || !/^primitive_type$|^sized_type/.test(type.type);
    const name = `operator new${length === undefined ? '' : '[]'}${placement === undefined ? '' : ' nothrow'}${constructs ? ' 0' : ''}`;
    const call = this.#call(name, node, [
      size,
      ...(length === undefined ? [] : [this.#one(length)]),
      ...this.#all(given?.children ?? []),
    ]);
    const pointer = this.#make('type_descriptor', type, [
      as(typed(), 'type'),
      as(this.#make('abstract_pointer_declarator', type), 'declarator'),
    ]);
    return this.#cast(node, pointer, call);
  }

  #called(node: SyntaxNode): Draft {
    let callee = child(node, 'function');
    const given = child(node, 'arguments')?.children ?? [];
    if (callee === undefined) return this.#same(node);
    while (callee.type === 'qualified_identifier') {
      const name = child(callee, 'name');
      if (name === undefined) return this.#same(node);
      callee = name;
    }
    if (callee.type === 'field_expression') return this.#method(node, callee, given);
    if (callee.type === 'template_function') {
      const name = child(callee, 'name');
      const [type] = child(callee, 'arguments')?.children ?? [];
      const [value] = given;
      if (name !== undefined && casts.test(this.#of(name)) && type?.type === 'type_descriptor' && value !== undefined)
        return this.#cast(node, this.#one(type), this.#one(value));
    }
    const [first, second] = given;
    if (callee.type === 'primitive_type') {
      if (first === undefined) return this.#word('number_literal', '0');
      const type = this.#make('type_descriptor', callee, [as({ ...this.#same(callee) }, 'type')]);
      return this.#cast(node, type, this.#one(first));
    }
    const name = this.#of(callee);
    if (texts.test(name) && given.length < 2)
      return first === undefined ? this.#word('string_literal', '""') : this.#one(first);
    if (/^(move|forward|ref|cref|as_const)$/.test(name) && first !== undefined && given.length === 1)
      return this.#one(first);
    if (
      name === 'getline' &&
      second !== undefined &&
      second.type === 'identifier' &&
      first?.type !== 'pointer_expression'
    )
      return this.#input(node, [this.#one(second)]);
    const list = child(node, 'arguments');
    const references = this.#functions.get(name) ?? [];
    const known = this.#functions.has(name) || library.test(name);
    const args = given.map((argument, i) => {
      const value = this.#one(argument);
      const written =
        references[i] === true || (!known && argument.type === 'identifier' && this.#bare.has(this.#of(argument)));
      return written ? this.#make('pointer_expression', argument, [as(value, 'argument')], '&') : as(value, null);
    });
    return this.#make('call_expression', node, [
      as(this.#one(callee), 'function'),
      as(this.#make('argument_list', list ?? node, args), 'arguments'),
    ]);
  }

  #input(at: Place, targets: readonly Draft[]): Draft {
    const reads = targets.map((target) => {
      if (target.type === 'identifier' && this.#buffers.has(this.#of(target)))
        return this.#call('scanf', at, [this.#word('string_literal', '"%s"'), target]);
      return this.#call('operator>>', at, [this.#make('pointer_expression', target, [as(target, 'argument')], '&')]);
    });
    return reads.length === 1
      ? (reads[0] as Draft)
      : this.#make(
          'comma_expression',
          at,
          reads.map((read) => as(read, null)),
        );
  }

  /** A method as the function of C that does the same; one of this unit as that function. */
  #method(node: SyntaxNode, callee: SyntaxNode, given: readonly SyntaxNode[]): Draft {
    const [receiver, field] = [child(callee, 'argument'), child(callee, 'field')];
    if (receiver === undefined || field === undefined) return this.#same(node);
    const name = this.#of(field).replace(/<.*/s, '');
    const self = (): Draft => this.#one(receiver);
    const [first, second, third] = given;
    const args = (): Draft[] => this.#all(given);
    const call = (callee: string, ...values: Draft[]): Draft => this.#call(callee, node, values);
    if (this.#functions.has(name)) return call(name, ...args());
    const isText =
      (receiver.type === 'identifier' && this.#texts.has(this.#of(receiver))) ||
      /^(string|char)_literal$/.test(first?.type ?? '');
    const called = `${name}/${given.length}`;
    if (!isText && /^(find|rfind|contains|append|compare|starts_with|find_first_of)\//.test(called))
      return this.#same(node);
    switch (called) {
      case 'c_str/0':
      case 'data/0':
      case 'get/0':
      case 'str/0':
      case 'substr/1':
      case 'substr/2':
        return self();
      case 'size/0':
      case 'length/0':
        return call('strlen', self());
      case 'empty/0':
        return this.#make('unary_expression', node, [as(call('strlen', self()), 'argument')], '!');
      case 'at/1':
        return call('at', ...args());
      case 'append/1':
        return this.#make(
          'assignment_expression',
          node,
          [as(self(), 'left'), as(this.#one(first as SyntaxNode), 'right')],
          '+=',
        );
      case 'find/1':
      case 'rfind/1':
      case 'contains/1':
        return call(first?.type === 'char_literal' ? 'strchr' : 'strstr', self(), ...args());
      case 'find_first_of/1':
        return call('strpbrk', self(), ...args());
      case 'compare/1':
        return call('strcmp', self(), ...args());
      case 'compare/3':
        return call('strncmp', self(), this.#one(third as SyntaxNode), this.#one(second as SyntaxNode));
      case 'starts_with/1':
        return this.#binary(
          '==',
          node,
          call('strncmp', self(), ...args(), this.#word('number_literal', '1')),
          this.#word('number_literal', '0'),
        );
      case 'rfind/2':
        return call('strncmp', self(), this.#one(first as SyntaxNode), this.#word('number_literal', '1'));
      case 'open/1':
      case 'open/2':
        return call('fstream', this.#one(first as SyntaxNode));
      default:
        return this.#same(node);
    }
  }

  #operation(node: SyntaxNode): Draft {
    const { operator } = node;
    if (operator === '<<' || operator === '>>') {
      const operands = this.#chain(node, operator);
      const [head, ...rest] = operands as [SyntaxNode, ...SyntaxNode[]];
      const name = this.#of(head).replace(/^.*::/s, '');
      if (operator === '>>' && this.#read.has(name)) return this.#input(node, this.#all(rest));
      if (operator === '<<' && this.#gathered.has(name)) {
        const additions = rest.map((operand) =>
          this.#make(
            'assignment_expression',
            operand,
            [as(this.#one(head), 'left'), as(this.#one(operand), 'right')],
            '+=',
          ),
        );
        return this.#make(
          'comma_expression',
          node,
          additions.map((addition) => as(addition, null)),
        );
      }
      const writes =
        /^(cout|cerr|clog|wcout|os|out|ofs|log)$/.test(name) || rest.some(({ type }) => /string/.test(type));
      if (operator === '<<' && writes)
        return this.#make(
          'comma_expression',
          node,
          this.#all(rest).map((one) => as(one, null)),
        );
    }
    const [left, right] = [child(node, 'left'), child(node, 'right')];
    if (left === undefined || right === undefined || !/^[=!]=$/.test(operator)) return this.#same(node);
    const method = left.type === 'call_expression' ? child(left, 'function') : undefined;
    const field = method?.type === 'field_expression' ? child(method, 'field') : undefined;
    const receiver = method && child(method, 'argument');
    if (
      field !== undefined &&
      receiver?.type === 'identifier' &&
      this.#of(field) === 'find_first_not_of' &&
      /\bnpos$/.test(this.#of(right))
    ) {
      const allowed = this.#all(child(left, 'arguments')?.children ?? []);
      const self = this.#one(receiver);
      const whole = this.#call('strlen', right, [this.#one(receiver)]);
      return this.#binary(operator, node, this.#call('strspn', left, [self, ...allowed]), whole);
    }
    if (left.type === 'string_literal' || right.type === 'string_literal') {
      const compared = this.#call('strcmp', node, [this.#one(left), this.#one(right)]);
      return this.#binary(operator, node, compared, this.#word('number_literal', '0'));
    }
    return this.#same(node);
  }

  #chain(node: SyntaxNode, operator: string): SyntaxNode[] {
    const [left, right] = [child(node, 'left'), child(node, 'right')];
    if (node.type !== 'binary_expression' || node.operator !== operator || left === undefined || right === undefined)
      return [node];
    return [...this.#chain(left, operator), right];
  }
}

function as(node: Draft, field: string | null): Draft {
  return node.field === field ? node : { ...node, field };
}
