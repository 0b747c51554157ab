import { Declarations } from './declarations.js';
import { functionsOfLibrary } from './names.js';
import { refuse } from './refused.js';

/** The widest `case a ... b`. */
const mostCases = 65536;

/** Reads a whole text, whose directives were carried out and whose macros were replaced. */
export class Program extends Declarations {
  check(): void {
    while (!this.atEnd) if (!this.accept(';')) this.declaration();
    const helpers = this.given.helpers ?? [];
    const ours = (name: string): boolean => this.defined.has(name) || helpers.includes(name);
    for (const [name, line] of this.declared)
      if (!ours(name) && !functionsOfLibrary.has(name))
        refuse(line, `a declaration of \`${name}\`, which is neither defined here nor allowed`);
    for (const [name, line] of this.called)
      if (!ours(name)) refuse(line, `a call of \`${name}\`, which is neither defined here nor allowed`);
  }

  // Parameters and the body's names share a scope.
  protected override body(): void {
    this.expect('{');
    while (!this.accept('}')) this.#item();
  }

  #block(): void {
    this.#scoped(() => this.body());
  }

  #scoped(read: () => void): void {
    this.scopes.enter();
    read();
    this.scopes.leave();
  }

  #item(): void {
    const label = this.kindAhead(0) === 'word' && this.ahead(1) === ':';
    if (!label && this.beginsDeclaration()) this.declaration();
    else this.#statement();
  }

  #statement(): void {
    this.nested(() => {
      this.#labels();
      switch (this.ahead()) {
        case '{':
          return this.#block();
        case 'if':
          return this.#choice();
        case 'switch':
        case 'while':
          return this.#scoped(() => {
            this.take();
            this.#condition();
            this.#part();
          });
        case 'do':
          return this.#scoped(() => {
            this.take();
            this.#part();
            this.expect('while');
            this.#condition();
            this.expect(';');
          });
        case 'for':
          return this.#scoped(() => this.#loop());
        case 'goto':
          this.take();
          this.name();
          break;
        case 'break':
        case 'continue':
          this.take();
          break;
        case 'return':
          this.take();
          if (this.ahead() !== ';') this.expression();
          break;
        case ';':
          break;
        case '}':
          // A label may stand at the end of a block.
          return;
        default:
          this.#effect();
      }
      this.expect(';');
    });
  }

  #labels(): void {
    for (;;) {
      if (this.ahead() === 'case') {
        const { line } = this.take();
        const from = this.conditional();
        if (this.accept('...')) {
          const to = this.conditional();
          if (from === undefined || to === undefined || to - from >= mostCases)
            refuse(line, `a range of cases that are not constants or more than ${mostCases}`);
        }
        this.expect(':');
      } else if (this.ahead() === 'default') {
        this.take();
        this.expect(':');
      } else if (this.kindAhead(0) === 'word' && this.ahead(1) === ':') {
        this.name();
        this.expect(':');
      } else return;
    }
  }

  #choice(): void {
    // A long row of `else if` is no nesting.
    let scopes = 0;
    do {
      this.take();
      this.scopes.enter();
      scopes++;
      this.#condition();
      this.#part();
    } while (this.ahead() === 'else' && this.ahead(1) === 'if' && this.accept('else'));
    if (this.accept('else')) this.#part();
    for (; scopes > 0; scopes--) this.scopes.leave();
  }

  #condition(): void {
    this.expect('(');
    this.expression();
    this.expect(')');
  }

  #part(): void {
    this.#scoped(() => this.#statement());
  }

  #loop(): void {
    this.take();
    this.expect('(');
    if (this.beginsDeclaration()) this.declaration();
    else {
      if (this.ahead() !== ';') this.#effect();
      this.expect(';');
    }
    if (this.ahead() !== ';') this.expression();
    this.expect(';');
    if (this.ahead() !== ')') this.expression();
    this.expect(')');
    this.#part();
  }

  /** An expression as a statement. */
  #effect(): void {
    const { text, line } = this.next;
    // Without knowing types one reads `a * b;` as a declaration.
    if (this.kindAhead(0) === 'word' && this.ahead(1) === '*' && this.scopes.meaning(text)?.is === 'value')
      refuse(line, `\`${text} * …\` as a statement`);
    this.expression();
  }
}
