import { createRequire } from 'node:module';
import { Language, Parser, type TreeCursor } from 'web-tree-sitter';
import { SrcodeError } from '../../errors.js';
import type { Span } from '../../teacher/teacher.js';
import { type DecodedBytes, decodeBytes } from './bytes.js';

/** A node of a syntax tree, as plain data. Comments and punctuation are left out. */
export interface CNode {
  /** tree-sitter-c's name of the node. */
  readonly type: string;
  /** UTF-16 units of the decoded code; {@link CSource.span} gives bytes. */
  readonly start: number;
  readonly end: number;
  /** Its role in its parent, such as `condition`. */
  readonly field: string | null;
  readonly children: readonly CNode[];
  readonly parent: CNode | null;
  /** The operator of an expression, such as `<=`. */
  readonly operator: string;
  /** Something in it does not parse. */
  readonly broken: boolean;
}

/** Parsed C. */
export class CSource {
  readonly root: CNode;
  /** Whether all of it parses, as it came. */
  readonly parseOk: boolean;
  readonly #decoded: DecodedBytes;

  constructor(decoded: DecodedBytes, root: CNode, parseOk: boolean) {
    this.#decoded = decoded;
    this.root = root;
    this.parseOk = parseOk;
  }

  text({ start, end }: Pick<CNode, 'start' | 'end'>): string {
    return this.#decoded.text.slice(start, end);
  }

  /** UTF-8 bytes of the code that was parsed. */
  span({ start, end }: Pick<CNode, 'start' | 'end'>): Span {
    return { start: this.#decoded.byteAt(start), end: this.#decoded.byteAt(end) };
  }
}

/** A C parser in this process. Code of any kind parses: what is broken is marked so. */
export class CParser {
  static #shared: Promise<CParser> | undefined;
  readonly #parser: Parser;

  private constructor(parser: Parser) {
    this.#parser = parser;
  }

  /** The process's parser; it has no state between two calls. @throws ERR_IO where the grammar is not to be found. */
  static load(): Promise<CParser> {
    CParser.#shared ??= CParser.#load();
    return CParser.#shared;
  }

  static async #load(): Promise<CParser> {
    try {
      await Parser.init();
      const grammar = createRequire(import.meta.url).resolve('tree-sitter-c/tree-sitter-c.wasm');
      const parser = new Parser();
      parser.setLanguage(await Language.load(grammar));
      return new CParser(parser);
    } catch (cause) {
      throw new SrcodeError(
        'ERR_IO',
        `Cannot load the C grammar of tree-sitter-c: ${(cause as Error).message}. Run npm install.`,
        {
          cause,
        },
      );
    }
  }

  /**
   * Parses code as it comes from a model. Code that was cut off inside a block is read up to its last whole statement, as if the open
   * blocks ended there.
   */
  parse(code: Uint8Array): CSource {
    const decoded = decodeBytes(code);
    const whole = this.#tree(decoded.text);
    if (!whole.broken) return new CSource(decoded, whole, true);
    const closed = closeBlocks(decoded.text);
    return new CSource(decoded, closed === decoded.text ? whole : this.#tree(closed), false);
  }

  #tree(text: string): CNode {
    const tree = this.#parser.parse(text);
    if (tree === null) throw new SrcodeError('ERR_INTERNAL', 'The C parser gave no tree.');
    const cursor = tree.walk();
    try {
      return convert(cursor, null);
    } finally {
      cursor.delete();
      tree.delete();
    }
  }
}

/** The first child in a role. */
export function child(node: CNode, field: string): CNode | undefined {
  return node.children.find((candidate) => candidate.field === field);
}

/** Itself and all below it, in the order of the text. */
export function* descendants(node: CNode): Generator<CNode> {
  yield node;
  for (const below of node.children) yield* descendants(below);
}

function convert(cursor: TreeCursor, parent: CNode | null): CNode {
  const children: CNode[] = [];
  const node = {
    type: cursor.nodeType,
    start: cursor.startIndex,
    end: cursor.endIndex,
    field: cursor.currentFieldName,
    children,
    parent,
    operator: '',
    broken: cursor.nodeType === 'ERROR' || cursor.nodeIsMissing,
  };
  if (cursor.gotoFirstChild()) {
    do {
      const type = cursor.nodeType;
      if (cursor.nodeIsNamed && type !== 'comment') {
        const below = convert(cursor, node);
        children.push(below);
        node.broken ||= below.broken;
      } else if (!cursor.nodeIsNamed) {
        if (cursor.nodeIsMissing) node.broken = true;
        if (cursor.currentFieldName === 'operator') node.operator = type;
      }
    } while (cursor.gotoNextSibling());
    cursor.gotoParent();
  }
  return node;
}

/** Cuts back to the last whole statement and closes the open blocks; what is balanced stays as it is. */
function closeBlocks(text: string): string {
  const open: string[] = [];
  let cut = 0;
  let blocks = 0;
  let i = 0;
  while (i < text.length) {
    const after = skipQuiet(text, i);
    if (after === null) break; // a comment or a literal without an end
    if (after > i) {
      i = after;
      continue;
    }
    const char = text[i++] as string;
    if (char === '(' || char === '[' || char === '{') open.push(char);
    else if (char === ')' || char === ']' || char === '}') open.pop();
    if ((char === ';' || char === '{' || char === '}') && open.every((bracket) => bracket === '{')) {
      cut = i;
      blocks = open.length;
    }
  }
  if (i >= text.length && open.length === 0) return text;
  return `${text.slice(0, cut)}${'}'.repeat(blocks)}`;
}

/** Behind a comment or literal that begins at `i`, `i` where none does, null where it has no end. */
function skipQuiet(text: string, i: number): number | null {
  const ending = (mark: string, from: number): number | null => {
    const at = text.indexOf(mark, from);
    return at < 0 ? null : at + mark.length;
  };
  if (text.startsWith('//', i)) return ending('\n', i);
  if (text.startsWith('/*', i)) return ending('*/', i + 2);
  const quote = text[i];
  if (quote !== '"' && quote !== "'") return i;
  for (let j = i + 1; j < text.length && text[j] !== '\n'; j++) {
    if (text[j] === '\\') j++;
    else if (text[j] === quote) return j + 1;
  }
  return null;
}
