import type { Constant } from './constants.js';
import { libraryTypes, libraryValues } from './names.js';
import { type Type, unknownType } from './types.js';

/** What a name stands for. */
export type Meaning = { is: 'type'; type: Type } | { is: 'value'; constant: Constant } | { is: 'function' };

export type Scope = Map<string, Meaning>;

/** The names that are visible, innermost first; behind the answer's own those of the library. */
export class Scopes {
  readonly #own: Scope[] = [new Map()];
  readonly #tags: ReadonlySet<string>;

  /** @param tags - Of structures that the task defines. */
  constructor(tags: readonly string[]) {
    this.#tags = new Set(tags);
  }

  get outermost(): boolean {
    return this.#own.length === 1;
  }

  enter(scope: Scope = new Map()): void {
    this.#own.push(scope);
  }

  leave(): Scope {
    return this.#own.pop() as Scope;
  }

  declare(name: string, meaning: Meaning): void {
    this.#own.at(-1)?.set(name, meaning);
  }

  /** Of the answer's own names. */
  own(name: string): Meaning | undefined {
    for (let i = this.#own.length - 1; i >= 0; i--) {
      const meaning = this.#own[i]?.get(name);
      if (meaning !== undefined) return meaning;
    }
    return undefined;
  }

  meaning(name: string): Meaning | undefined {
    return this.own(name) ?? ofLibrary.get(name);
  }

  isType(name: string): boolean {
    return this.meaning(name)?.is === 'type';
  }

  defineTag(tag: string, type: Type): void {
    this.declare(`#${tag}`, { is: 'type', type });
  }

  /** Of `struct tag`, `union tag` or `enum tag`. */
  tagged(tag: string): Type {
    const meaning = this.own(`#${tag}`);
    if (meaning?.is === 'type') return meaning.type;
    return this.#tags.has(tag) ? ofTask : unknownType;
  }
}

// Structures of tasks are small. What they hold is not known here.
const ofTask: Type = { size: 256, align: 16, exact: false };

const constants: Readonly<Record<string, number>> = {
  true: 1,
  false: 0,
  CHAR_BIT: 8,
  SCHAR_MAX: 127,
  UCHAR_MAX: 255,
  SHRT_MAX: 32767,
  USHRT_MAX: 65535,
  INT_MAX: 2 ** 31 - 1,
  PATH_MAX: 4096,
  FILENAME_MAX: 4096,
  NAME_MAX: 255,
  LINE_MAX: 2048,
  BUFSIZ: 8192,
};

const exact = /^(?:u?int(?:\d+|ptr|max|_least\d+|_fast\d+)_t|s?size_t|ptrdiff_t|off_t|wchar_t|bool)$/;

const ofLibrary: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ...[...libraryTypes].map(([name, size]): [string, Meaning] => [
    name,
    { is: 'type', type: exact.test(name) ? { size, align: size, exact: true } : { size, align: 16, exact: false } },
  ]),
  ...[...libraryValues].map((name): [string, Meaning] => [name, { is: 'value', constant: constants[name] }]),
]);
