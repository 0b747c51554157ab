import { binary, type Constant, characterOf, numberOf, strength, unary } from './constants.js';
import { Cursor } from './cursor.js';
import type { Token } from './lexer.js';
import { allowedBuiltins } from './library.js';
import { calledMacros, functionsOfLibrary, type Given, keywords, libraryValues, refuseName } from './names.js';
import { refuse } from './refused.js';
import { Scopes } from './scopes.js';
import type { Type } from './types.js';

/** Which arguments of library functions are functions that they call. */
const callbacks: ReadonlyMap<string, number> = new Map([
  ['qsort', 3],
  ['bsearch', 4],
]);

const builtins: ReadonlySet<string> = new Set(allowedBuiltins);
const assignments: ReadonlySet<string> = new Set(['=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>=']);

/**
 * Reads expressions. Functions are called by their names alone, and are no values: there are no pointers to them. Types of values are
 * not followed, so that more passes here than the compiler takes.
 */
export abstract class Expressions extends Cursor {
  protected readonly given: Given;
  protected readonly scopes: Scopes;
  /** Functions that are called without a declaration; with their lines. */
  protected readonly called: Map<string, number> = new Map();

  constructor(tokens: readonly Token[], given: Given) {
    super(tokens);
    this.given = given;
    this.scopes = new Scopes(given.types ?? []);
  }

  protected abstract beginsType(count?: number): boolean;
  protected abstract typeName(): Type;
  /** A `{…}` behind `(type)`. */
  protected abstract literalOf(type: Type): void;

  protected expression(): Constant {
    let value = this.assignment();
    while (this.accept(',')) value = this.assignment();
    return value;
  }

  protected assignment(): Constant {
    let value = this.conditional();
    while (assignments.has(this.ahead())) {
      this.take();
      this.conditional();
      value = undefined;
    }
    return value;
  }

  protected conditional(): Constant {
    const condition = this.#binary(1);
    if (!this.accept('?')) return condition;
    return this.nested(() => {
      // GNU C lets the middle be left out.
      const middle = this.ahead() === ':' ? condition : this.expression();
      this.expect(':');
      const last = this.conditional();
      return condition === undefined ? undefined : condition !== 0 ? middle : last;
    });
  }

  #binary(least: number): Constant {
    let left = this.#unary();
    for (;;) {
      const operator = this.ahead();
      const power = strength.get(operator);
      if (power === undefined || power < least) return left;
      this.take();
      left = binary(operator, left, this.#binary(power + 1));
    }
  }

  #unary(): Constant {
    return this.nested(() => {
      const operator = this.ahead();
      switch (operator) {
        case '&&':
          return refuse(this.next.line, 'the address of a label');
        case '++':
        case '--':
        case '&':
        case '*':
        case '+':
        case '-':
        case '~':
        case '!':
          this.take();
          return unary(operator, this.#unary());
        case 'sizeof':
        case '_Alignof':
          this.take();
          return this.#size(operator);
        case '(':
          if (this.beginsType(1)) return this.#cast();
      }
      return this.#postfix(this.#primary());
    });
  }

  #cast(): Constant {
    this.expect('(');
    const type = this.typeName();
    this.expect(')');
    if (this.ahead() === '{') {
      this.literalOf(type);
      return this.#postfix(undefined);
    }
    this.#unary();
    return undefined;
  }

  #size(operator: string): Constant {
    if (this.ahead() === '(' && this.beginsType(1)) {
      this.expect('(');
      const type = this.typeName();
      this.expect(')');
      if (this.ahead() === '{') {
        this.literalOf(type);
        this.#postfix(undefined);
        return undefined;
      }
      return operator === 'sizeof' && type.exact && type.size < 2 ** 31 ? type.size : undefined;
    }
    this.#unary();
    return undefined;
  }

  #postfix(primary: Constant): Constant {
    let value = primary;
    for (;;) {
      switch (this.ahead()) {
        case '(':
          refuse(this.next.line, 'a call of anything but a function by its name');
          break;
        case '[':
          this.take();
          this.expression();
          this.expect(']');
          break;
        case '.':
        case '->':
          this.take();
          this.name();
          break;
        case '++':
        case '--':
          this.take();
          break;
        default:
          return value;
      }
      value = undefined;
    }
  }

  /** A name in a place of its own: of a member, a label, … */
  protected name(): Token {
    if (this.next.kind !== 'word' || keywords.has(this.next.text)) this.unexpected('a name');
    const token = this.take();
    refuseName(token);
    return token;
  }

  #primary(): Constant {
    const { kind, text, line } = this.next;
    if (kind === 'number') return numberOf(this.take().text);
    if (kind === 'char') return characterOf(this.take().text);
    if (this.#isString()) {
      while (this.#isString()) this.take();
      return undefined;
    }
    if (kind === 'word' && !keywords.has(text)) {
      if (this.ahead(1) === '(') {
        this.#call();
        return undefined;
      }
      this.take();
      return this.#value(text, line);
    }
    if (text !== '(') return this.unexpected('an expression');
    this.take();
    if (this.ahead() === '{') refuse(line, 'a statement in an expression');
    const value = this.expression();
    this.expect(')');
    return value;
  }

  // Formats of inttypes.h are strings.
  #isString(): boolean {
    const { kind, text } = this.next;
    return kind === 'string' || (kind === 'word' && /^(?:PRI|SCN)/.test(text) && libraryValues.has(text));
  }

  #value(name: string, line: number): Constant {
    const meaning = this.scopes.meaning(name);
    if (meaning?.is === 'value') return meaning.constant;
    if (meaning?.is === 'type') refuse(line, `the type \`${name}\` in place of a value`);
    if (meaning?.is === 'function' || this.#isFunction(name)) refuse(line, `the function \`${name}\` as a value`);
    return refuse(line, `\`${name}\`, which is neither declared nor allowed`);
  }

  #isFunction(name: string): boolean {
    const own = this.scopes.own(name);
    if (own !== undefined) return own.is === 'function';
    return functionsOfLibrary.has(name) || this.given.helpers?.includes(name) === true;
  }

  #call(): void {
    const { text: name, line } = this.take();
    const meaning = this.scopes.meaning(name);
    if (meaning?.is === 'value') refuse(line, `a call through the pointer \`${name}\``);
    if (meaning?.is === 'type') refuse(line, `\`${name} (…)\`, where \`${name}\` is a type`);
    const known = this.#isFunction(name) || calledMacros.has(name) || builtins.has(name);
    if (!known && !this.called.has(name)) this.called.set(name, line);
    this.expect('(');
    if (name === 'offsetof') this.#offset();
    else if (!this.accept(')')) this.#arguments(name);
  }

  #arguments(name: string): void {
    const callback = callbacks.get(name);
    for (let i = 0; ; i++) {
      if (i === callback) this.#callback(name);
      else if (name === 'va_arg' && i === 1) this.typeName();
      else this.assignment();
      if (this.accept(')')) return;
      this.expect(',');
    }
  }

  // Any number would do as an address: nothing but the name of a function stands here.
  #callback(caller: string): void {
    this.accept('&');
    const { text, line } = this.take();
    if (!this.#isFunction(text)) refuse(line, `\`${text}\` as what \`${caller}\` calls: only the name of a function`);
    if (this.ahead() !== ',' && this.ahead() !== ')') this.unexpected('`,` or `)`');
  }

  #offset(): void {
    this.typeName();
    this.expect(',');
    this.name();
    this.#postfix(undefined);
    this.expect(')');
  }
}
