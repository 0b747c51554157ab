import type { Constant } from './constants.js';
import { Expressions } from './expressions.js';
import type { Token } from './lexer.js';
import { functionsOfLibrary, keywords, libraryTypes, refuseName, refuseOuterName, truths } from './names.js';
import { refuse } from './refused.js';
import type { Scope } from './scopes.js';
import { arrayOf, basicType, pointer, recordOf, scalar, type Type, unknownType } from './types.js';

/** Bytes of all static objects of an answer, and of any single object. */
export const mostStatic: number = 16 * 2 ** 20;

/** Elements that all `[a ... b] =` fill together: compilers write them one by one. */
const mostFilled = 2 ** 18;

const mostDerivations = 256;

const storage: ReadonlySet<string> = new Set(['typedef', 'extern', 'static', 'auto', 'register', 'inline']);
const qualifiers: ReadonlySet<string> = new Set(['const', 'volatile', 'restrict']);
const basic: ReadonlySet<string> = new Set([
  'void',
  'char',
  'short',
  'int',
  'long',
  'float',
  'double',
  'signed',
  'unsigned',
  '_Bool',
]);
const tagged: ReadonlySet<string> = new Set(['struct', 'union', 'enum']);

interface Specifiers {
  type: Type;
  storage: ReadonlySet<string>;
}

/** What a declarator makes of a type, from its name outwards. */
type Derivation =
  | { is: 'pointer' }
  /** A count of NaN is not known; undefined stands for `[]`. */
  | { is: 'array'; count: number | undefined }
  | { is: 'function'; parameters: Scope };

interface Declarator {
  name: Token | undefined;
  derivations: readonly Derivation[];
}

/** Reads declarations. */
export abstract class Declarations extends Expressions {
  /** Functions that are declared; with their lines. */
  protected readonly declared: Map<string, number> = new Map();
  protected readonly defined: Set<string> = new Set();
  #static = 0;
  #filled = 0;

  protected abstract body(): void;

  protected override beginsType(count = 0): boolean {
    if (this.kindAhead(count) !== 'word') return false;
    const text = this.ahead(count);
    return (
      basic.has(text) ||
      qualifiers.has(text) ||
      tagged.has(text) ||
      storage.has(text) ||
      (!keywords.has(text) && this.scopes.isType(text))
    );
  }

  protected beginsDeclaration(): boolean {
    return this.beginsType() || this.#beginsAssertion();
  }

  #beginsAssertion(): boolean {
    return this.ahead() === '_Static_assert' || this.ahead() === 'static_assert';
  }

  /** A declaration up to its `;`, or a function. */
  protected declaration(): void {
    if (this.#beginsAssertion()) {
      this.#assertion();
      return;
    }
    const specifiers = this.#specifiers();
    if (this.accept(';')) return;
    for (let first = true; ; first = false) {
      const { name, derivations } = this.#declarator();
      if (name === undefined) this.unexpected('a name');
      if (specifiers.storage.has('typedef')) this.#typedef(name, specifiers, derivations);
      else if (derivations[0]?.is === 'function') {
        refusePointersToFunctions(derivations.slice(1), name);
        this.#function(name);
        if (this.ahead() === '{' && first) {
          this.#definition(name, derivations[0].parameters);
          return;
        }
      } else this.#object(name, specifiers, derivations);
      if (this.accept(';')) return;
      this.expect(',');
    }
  }

  #assertion(): void {
    this.take();
    this.expect('(');
    this.conditional();
    if (this.accept(',')) {
      if (this.next.kind !== 'string') this.unexpected('a string');
      while (this.next.kind === 'string') this.take();
    }
    this.expect(')');
    this.expect(';');
  }

  #typedef(name: Token, { type }: Specifiers, derivations: readonly Derivation[]): void {
    const { text, line } = name;
    if (!this.scopes.outermost) refuse(line, `the type \`${text}\` inside a function`);
    refuseName(name);
    // Some call unsigned integers by names that are the library's on some systems.
    if (libraryTypes.has(text) && !/^u[a-z]+$/.test(text)) refuse(line, `the type \`${text}\`, which is the library's`);
    if (functionsOfLibrary.has(text) || this.given.helpers?.includes(text) || this.declared.has(text))
      refuse(line, `the type \`${text}\`, which is a function's name`);
    refusePointersToFunctions(derivations, name);
    this.scopes.declare(text, { is: 'type', type: typeOf(type, derivations, Number.NaN) });
  }

  #function(name: Token): void {
    const { text, line } = name;
    refuseName(name);
    this.#refuseShadow(name);
    if (!this.declared.has(text)) this.declared.set(text, line);
    this.scopes.declare(text, { is: 'function' });
  }

  #definition(name: Token, parameters: Scope): void {
    if (!this.scopes.outermost) refuse(name.line, `the function \`${name.text}\` inside a function`);
    refuseOuterName(name, this.given);
    this.defined.add(name.text);
    this.scopes.enter(parameters);
    this.body();
    this.scopes.leave();
  }

  #object(name: Token, { type, storage: words }: Specifiers, derivations: readonly Derivation[]): void {
    const { text, line } = name;
    refusePointersToFunctions(derivations, name);
    if (text === 'main') refuse(line, 'an object `main`');
    if (words.has('extern')) refuse(line, `\`${text}\`, an object from elsewhere`);
    if (this.scopes.outermost) refuseOuterName(name, this.given);
    else refuseName(name);
    this.#refuseShadow(name);
    this.scopes.declare(text, { is: 'value', constant: undefined });
    const count = this.accept('=') ? this.#initializer() : Number.NaN;
    const whole = typeOf(type, derivations, count);
    this.#occupy(whole, this.scopes.outermost || words.has('static'), text, line);
  }

  // One name, one meaning: readers of code without a compiler's knowledge of types take one for the other.
  #refuseShadow({ text, line }: Token): void {
    if (this.scopes.isType(text)) refuse(line, `\`${text}\`, which is a type, as another thing's name`);
  }

  #occupy({ size }: Type, isStatic: boolean, name: string, line: number): void {
    if (isStatic && Number.isNaN(size)) refuse(line, `\`${name}\`, whose size cannot be told here`);
    if (isStatic) this.#static += size;
    if (size > mostStatic || this.#static > mostStatic)
      refuse(line, `\`${name}\`: objects of more than ${mostStatic} bytes`);
  }

  protected override literalOf(type: Type): void {
    const { line } = this.next;
    this.#initializer();
    this.#occupy(type, this.scopes.outermost, '(type){…}', line);
  }

  /** The number of elements, at most, of an array that it is for. */
  #initializer(times = 1): number {
    return this.nested(() => {
      if (!this.accept('{')) {
        const { kind, text } = this.next;
        this.assignment();
        return kind === 'string' ? text.length : 1;
      }
      let count = 0;
      let most = 0;
      while (!this.accept('}')) {
        const { index = count, repeated } = this.#designators(times);
        count = index + 1;
        most = Math.max(most, count);
        this.#initializer(repeated);
        if (this.ahead() !== '}') this.expect(',');
      }
      return most;
    });
  }

  /** Reads `.a[1][2 ... 5] =`, if any: the last index of the outermost, and how many elements what follows is for. */
  #designators(times: number): { index?: number; repeated: number } {
    const indices: (number | undefined)[] = [];
    let repeated = times;
    while (this.ahead() === '.' || this.ahead() === '[') {
      const { text, line } = this.take();
      if (text === '.') {
        this.name();
        indices.push(undefined);
        continue;
      }
      const from = this.conditional();
      const to = this.accept('...') ? this.conditional() : from;
      this.expect(']');
      if (from === undefined || to === undefined || from < 0 || to > mostStatic)
        refuse(line, 'an index of an initialiser that is not a small constant');
      indices.push(to);
      if (to > from) {
        repeated *= to - from + 1;
        this.#filled += repeated;
        if (this.#filled > mostFilled) refuse(line, `ranges of initialisers for more than ${mostFilled} elements`);
      }
    }
    if (indices.length > 0) this.expect('=');
    const [index] = indices;
    return index === undefined ? { repeated } : { index, repeated };
  }

  #specifiers(): Specifiers {
    const words = new Set<string>();
    const keywordsSeen: string[] = [];
    let type: Type | undefined;
    const { line } = this.next;
    for (;;) {
      const text = this.next.kind === 'word' ? this.next.text : '';
      if (storage.has(text) || qualifiers.has(text)) words.add(this.take().text);
      else if (basic.has(text)) {
        keywordsSeen.push(this.take().text);
        if (keywordsSeen.length > 5) refuse(line, 'a type of more than five words');
      } else if (type !== undefined || keywordsSeen.length > 0) break;
      else if (text === 'enum') type = this.#enumeration();
      else if (tagged.has(text)) type = this.#record();
      else {
        const meaning = keywords.has(text) ? undefined : this.scopes.meaning(text);
        if (meaning?.is !== 'type') break;
        this.take();
        type = meaning.type;
      }
    }
    if (keywordsSeen.length > 0) {
      if (type !== undefined) refuse(line, 'two types in one declaration');
      type = basicType(keywordsSeen);
    }
    if (type === undefined) this.unexpected('a type');
    return { type, storage: words };
  }

  #record(): Type {
    return this.nested(() => {
      const union = this.take().text === 'union';
      const tag = this.#tag();
      if (!this.accept('{')) {
        if (tag === undefined) this.unexpected('`{`');
        return this.scopes.tagged(tag);
      }
      const members: Type[] = [];
      let bits = false;
      while (!this.accept('}')) {
        if (this.#beginsAssertion()) this.#assertion();
        else if (!this.accept(';')) bits = this.#members(members) || bits;
      }
      const type = recordOf(members, union, bits);
      if (tag !== undefined) this.scopes.defineTag(tag, type);
      return type;
    });
  }

  #tag(): string | undefined {
    return this.next.kind === 'word' ? this.name().text : undefined;
  }

  /** Members of one declaration; whether any is a bit-field. */
  #members(members: Type[]): boolean {
    const { type, storage: words } = this.#specifiers();
    for (const word of words) if (storage.has(word)) refuse(this.next.line, `\`${word}\` in a structure`);
    let bits = false;
    if (this.accept(';')) {
      members.push(type);
      return bits;
    }
    for (;;) {
      if (this.ahead() === ':') members.push(type);
      else {
        const { name, derivations } = this.#declarator();
        if (name === undefined) return this.unexpected('a name');
        refuseName(name);
        refusePointersToFunctions(derivations, name);
        // The last member may be an array without a size.
        members.push(typeOf(type, derivations, 0));
      }
      if (this.accept(':')) {
        this.conditional();
        bits = true;
      }
      if (this.accept(';')) return bits;
      this.expect(',');
    }
  }

  #enumeration(): Type {
    this.take();
    const tag = this.#tag();
    if (!this.accept('{')) {
      if (tag === undefined) this.unexpected('`{`');
      return scalar(4);
    }
    let constant: Constant = 0;
    while (!this.accept('}')) {
      const name = truths.has(this.next.text) ? this.take() : this.name();
      if (functionsOfLibrary.has(name.text) || this.given.helpers?.includes(name.text))
        refuse(name.line, `the constant \`${name.text}\`, which is a function's name`);
      this.#refuseShadow(name);
      if (this.accept('=')) constant = this.conditional();
      const truth = truths.get(name.text);
      if (truth !== undefined && `${constant}` !== truth)
        refuse(name.line, `\`${name.text}\` as anything but ${truth}`);
      this.scopes.declare(name.text, { is: 'value', constant });
      constant = constant === undefined ? undefined : constant + 1;
      if (this.ahead() !== '}') this.expect(',');
    }
    return scalar(4);
  }

  protected override typeName(): Type {
    const { type, storage: words } = this.#specifiers();
    for (const word of words) if (storage.has(word)) refuse(this.next.line, `\`${word}\` in the name of a type`);
    const { name, derivations } = this.#declarator();
    if (name !== undefined) refuse(name.line, `\`${name.text}\` in the name of a type`);
    refusePointersToFunctions(derivations, this.next);
    return typeOf(type, derivations, Number.NaN);
  }

  /** With a name or without. */
  #declarator(): Declarator {
    return this.nested(() => {
      let stars = 0;
      while (this.accept('*')) {
        stars++;
        while (qualifiers.has(this.ahead())) this.take();
      }
      let name: Token | undefined;
      let inner: readonly Derivation[] = [];
      if (this.next.kind === 'word' && !keywords.has(this.next.text)) name = this.take();
      else if (this.ahead() === '(' && this.ahead(1) !== ')' && !this.beginsType(1)) {
        const { line } = this.take();
        ({ name, derivations: inner } = this.#declarator());
        this.expect(')');
        if (inner.length === 0 || (this.ahead() !== '[' && this.ahead() !== '('))
          refuse(line, 'a declared name between parentheses that it does not need');
      }
      const derivations = [...inner];
      for (;;) {
        if (this.ahead() === '[') derivations.push(this.#array());
        else if (this.ahead() === '(') derivations.push({ is: 'function', parameters: this.#parameters() });
        else break;
      }
      for (let i = 0; i < stars; i++) derivations.push({ is: 'pointer' });
      if (derivations.length > mostDerivations) refuse(this.next.line, 'a type of too many parts');
      return { name, derivations };
    });
  }

  #array(): Derivation {
    const { line } = this.take();
    if (this.ahead() === '[') refuse(line, 'an attribute: `[[`');
    while (this.ahead() === 'static' || qualifiers.has(this.ahead())) this.take();
    if (this.accept(']')) return { is: 'array', count: undefined };
    if (this.ahead() === '*' && this.ahead(1) === ']') {
      this.take();
      this.take();
      return { is: 'array', count: Number.NaN };
    }
    const count = this.assignment();
    this.expect(']');
    return { is: 'array', count: count === undefined || count < 0 ? Number.NaN : count };
  }

  #parameters(): Scope {
    this.expect('(');
    this.scopes.enter();
    if (!this.accept(')')) {
      for (;;) {
        if (this.accept('...')) {
          this.expect(')');
          break;
        }
        this.#parameter();
        if (this.accept(')')) break;
        this.expect(',');
      }
    }
    return this.scopes.leave();
  }

  #parameter(): void {
    const { storage: words } = this.#specifiers();
    for (const word of words)
      if (storage.has(word) && word !== 'register') refuse(this.next.line, `\`${word}\` at a parameter`);
    const { name, derivations } = this.#declarator();
    refusePointersToFunctions(derivations, name ?? this.next);
    if (name === undefined) return;
    refuseName(name);
    this.#refuseShadow(name);
    this.scopes.declare(name.text, { is: 'value', constant: undefined });
  }
}

function refusePointersToFunctions(derivations: readonly Derivation[], { text, line }: Token): void {
  if (derivations.some(({ is }) => is === 'function'))
    refuse(line, `a pointer to a function, or a function's type: \`${text}\``);
}

/** @param open - The count of elements of `[]`. */
function typeOf(base: Type, derivations: readonly Derivation[], open: number): Type {
  let type = base;
  for (let i = derivations.length - 1; i >= 0; i--) {
    const derivation = derivations[i] as Derivation;
    if (derivation.is === 'pointer') type = pointer;
    else type = derivation.is === 'array' ? arrayOf(type, derivation.count ?? open) : unknownType;
  }
  return type;
}
