import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Language, Parser, type Tree } from 'web-tree-sitter';
import { SrcodeError } from '../../errors.js';
import { type Cursor, startParser } from './cursor.js';
import { deepest, type SyntaxNode } from './node.js';

/** A kind of node, by the number that the grammar gives it. */
interface Kind {
  readonly type: string;
  readonly named: boolean;
  /** Whether it can have children with names, and its children can have roles. */
  readonly inner: boolean;
  readonly roles: boolean;
  /** The tokens that are its operator. */
  readonly operators: ReadonlySet<string>;
  /** The last marks of such a node, which follow its last child. */
  readonly closing: string;
}

/** An entry of a grammar's `node-types.json`. */
interface NodeType {
  type: string;
  named: boolean;
  fields?: Record<string, { types: { type: string; named: boolean }[] }>;
  children?: object;
}

/** A parser of one language, in this process; it has no state between two calls. */
export class Grammar {
  readonly #parser: Parser;
  readonly #kinds: readonly Kind[];
  readonly #fields: readonly (string | null)[];
  readonly #cursorAt: (tree: Tree) => Cursor;

  private constructor(language: Language, nodeTypes: readonly NodeType[], cursorAt: (tree: Tree) => Cursor) {
    this.#cursorAt = cursorAt;
    this.#parser = new Parser();
    this.#parser.setLanguage(language);
    this.#fields = language.fields;
    const described = new Map(nodeTypes.filter(({ named }) => named).map((entry) => [entry.type, entry]));
    this.#kinds = Array.from({ length: language.nodeTypeCount }, (_, id) => {
      const type = language.types[id] ?? '';
      const named = language.nodeTypeIsNamed(id);
      const entry = named ? described.get(type) : undefined;
      const { fields = {}, children } = entry ?? {};
      const { operator, ...roles } = fields;
      return {
        type,
        named,
        inner: children !== undefined || Object.keys(fields).length > 0,
        roles: Object.keys(roles).length > 0,
        operators: new Set(operator?.types.flatMap((one) => (one.named ? [] : [one.type]))),
        // A statement may be nothing but a semicolon.
        closing: /"(expression)?_?statement"/.test(JSON.stringify(entry) ?? '') ? closing : `;${closing}`,
      };
    });
  }

  /**
   * The grammar of an npm package such as `tree-sitter-c`.
   *
   * @throws ERR_IO where the package is not to be found.
   */
  static async load(name: string): Promise<Grammar> {
    try {
      const cursorAt = await startParser();
      const require = createRequire(import.meta.url);
      const language = await Language.load(require.resolve(`${name}/${name}.wasm`));
      const nodeTypes = JSON.parse(readFileSync(require.resolve(`${name}/src/node-types.json`), 'utf8'));
      return new Grammar(language, nodeTypes, cursorAt);
    } catch (cause) {
      throw new SrcodeError(
        'ERR_IO',
        `Cannot load the grammar ${name}: ${(cause as Error).message}. Run npm install --include=optional.`,
        {
          cause,
        },
      );
    }
  }

  /**
   * The tree of a text of any kind: what is broken is marked so. A broken one is not even copied where `instead` gives another. Null for
   * a text that takes more than two million steps, or has too many stray brackets: see {@link patience} and {@link mostStray}.
   *
   * @param position - Where a position of the text is in the code that it was made from.
   */
  parse(
    text: string,
    { position, instead }: { position?: (at: number) => number; instead?: () => SyntaxNode | undefined } = {},
  ): SyntaxNode | null {
    return this.#read(text, () => instead?.(), position);
  }

  /**
   * The tree of a text that parses; null for any other, and for one that takes more steps than `steps`, in hundreds.
   */
  parseWhole(text: string, steps: number = patience): SyntaxNode | null {
    return this.#read(text, () => null, undefined, steps);
  }

  #read(
    text: string,
    onBroken: () => SyntaxNode | null | undefined,
    position?: (at: number) => number,
    steps: number = patience,
  ): SyntaxNode | null {
    if (strayClosers(text) > mostStray) return null;
    let looks = 0;
    const tree = this.#parser.parse(text, null, { progressCallback: () => ++looks > steps });
    if (tree === null) {
      this.#parser.reset();
      return null;
    }
    try {
      const broken = tree.rootNode.hasError;
      const other = broken ? onBroken() : undefined;
      if (other !== undefined) return other;
      const cursor = this.#cursorAt(tree);
      const root = new Conversion(text, cursor, this.#kinds, this.#fields, broken).node(null, null, 0);
      cursor.delete();
      if (position !== undefined) relocate(root, position);
      return root;
    } finally {
      tree.delete();
    }
  }
}

/** The tree of a text that no tree was made of. */
export function unread({ length }: string): SyntaxNode {
  return {
    type: 'ERROR',
    start: 0,
    end: length,
    field: null,
    children: none,
    parent: null,
    operator: '',
    broken: true,
    text: undefined,
  };
}

/**
 * Looks at the parser, one in 100 of its steps, until it is stopped. A module never gives memory back, ends the process's parsing for good
 * when it has none left, and takes up to 24 kB for 100 steps: two million are half a gigabyte. Code that people write takes one step a byte.
 */
const patience = 20_000;

/** Closing brackets that nothing opened: at each the parser may look back at all before it; 1,600 times `(int))` take it four seconds. */
const mostStray = 256;

function strayClosers(text: string): number {
  let stray = 0;
  let [round, square, curly] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x28:
        round++;
        break;
      case 0x29:
        if (round === 0) stray++;
        else round--;
        break;
      case 0x5b:
        square++;
        break;
      case 0x5d:
        if (square === 0) stray++;
        else square--;
        break;
      case 0x7b:
        curly++;
        break;
      case 0x7d:
        if (curly === 0) stray++;
        else curly--;
    }
  }
  return stray;
}

/**
 * Copies a tree into plain data. A call into the parser's module costs more than all that is done with its answer, so what the numbers
 * of nodes tell is not asked for: names, which nodes have children or roles, and, in a tree without an error, that nothing is missing.
 */
class Conversion {
  readonly #text: string;
  readonly #cursor: Cursor;
  readonly #kinds: readonly Kind[];
  readonly #fields: readonly (string | null)[];
  readonly #broken: boolean;
  /** Children of the nodes that are being read, of which more may come. */
  readonly #pending: SyntaxNode[] = [];

  constructor(
    text: string,
    cursor: Cursor,
    kinds: readonly Kind[],
    fields: readonly (string | null)[],
    broken: boolean,
  ) {
    this.#text = text;
    this.#cursor = cursor;
    this.#kinds = kinds;
    this.#fields = fields;
    this.#broken = broken;
  }

  /** The cursor's node. Nodes below the deepest level are left out, and count as broken. */
  node(
    parent: SyntaxNode | null,
    field: string | null,
    depth: number,
    kind: Kind = this.#kind(),
    start: number = this.#cursor.startIndex,
  ): SyntaxNode {
    const cursor = this.#cursor;
    const missing = this.#broken && (kind === error || cursor.nodeIsMissing);
    const node: Open = {
      type: kind.type,
      start,
      end: cursor.endIndex,
      field,
      children: none,
      parent,
      operator: '',
      broken: missing,
      text: undefined,
    };
    if (!kind.inner && !this.#broken) return node;
    if (depth === deepest) {
      node.broken = true;
      return node;
    }
    if (!cursor.gotoFirstChild()) return node;
    const first = this.#pending.length;
    let from: number | undefined = parent === null ? undefined : start;
    do {
      const below = this.#kind();
      if (!below.named) {
        if (kind.operators.has(below.type)) node.operator = below.type;
        if (this.#broken && cursor.nodeIsMissing) node.broken = true;
      } else if (below.type !== 'comment') {
        const role = kind.roles ? (this.#fields[cursor.currentFieldId] ?? null) : null;
        const one = this.node(node, role, depth + 1, below, from);
        this.#pending.push(one);
        if (one.broken) node.broken = true;
        if (!this.#broken && this.#isLast(one.end, node.end, kind)) break;
      }
      from = undefined;
    } while (cursor.gotoNextSibling());
    cursor.gotoParent();
    if (first < this.#pending.length) node.children = this.#pending.splice(first);
    return node;
  }

  // Behind a child that ends with its parent, or but for a closing mark, there is nothing more to see.
  #isLast(end: number, whole: number, { closing }: Kind): boolean {
    return end === whole || (end === whole - 1 && closing.includes(this.#text[end] as string));
  }

  #kind(): Kind {
    return this.#kinds[this.#cursor.nodeTypeId] ?? error;
  }
}

type Open = { -readonly [K in keyof SyntaxNode]: SyntaxNode[K] };

function relocate(node: Open, position: (at: number) => number): void {
  node.start = position(node.start);
  node.end = position(node.end);
  for (const below of node.children) relocate(below, position);
}

const none: readonly SyntaxNode[] = [];

const closing = ')]}"\'';

const error: Kind = { type: 'ERROR', named: true, inner: true, roles: true, operators: new Set(), closing: '' };
