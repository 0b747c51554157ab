import { createRequire } from 'node:module';
import fc from 'fast-check';
import { beforeAll, expect, test, vi } from 'vitest';
import { Language, Parser, TreeCursor } from 'web-tree-sitter';
import { CParser } from '../../src/analysis/c/syntax.js';
import { PythonParser } from '../../src/analysis/python/syntax.js';
import { parserMemory, startParser } from '../../src/analysis/syntax/cursor.js';
import { Grammar } from '../../src/analysis/syntax/grammar.js';
import type { SyntaxNode } from '../../src/analysis/syntax/node.js';
import type { Source } from '../../src/analysis/syntax/source.js';
import { cases } from './cases.js';

let grammar: Grammar;
const parser = {} as { c: Parser };
beforeAll(async () => {
  grammar = await Grammar.load('tree-sitter-c');
  await Parser.init();
  parser.c = new Parser();
  parser.c.setLanguage(await Language.load(createRequire(import.meta.url).resolve('tree-sitter-c/tree-sitter-c.wasm')));
});

type Plain = Omit<SyntaxNode, 'parent' | 'children' | 'text'> & { children: Plain[] };

/** A tree read with every question asked that the cursor answers. */
function reference(text: string): Plain {
  const read = (cursor: TreeCursor): Plain => {
    const node = {
      type: cursor.nodeType,
      start: cursor.startIndex,
      end: cursor.endIndex,
      field: cursor.currentFieldName,
      operator: '',
      broken: cursor.nodeType === 'ERROR' || cursor.nodeIsMissing,
      children: [] as Plain[],
    };
    if (!cursor.gotoFirstChild()) return node;
    do {
      const below = read(cursor);
      if (cursor.nodeIsNamed && below.type !== 'comment') node.children.push(below);
      if (!cursor.nodeIsNamed && cursor.currentFieldName === 'operator') node.operator = below.type;
      if (below.type !== 'comment') node.broken ||= below.broken;
    } while (cursor.gotoNextSibling());
    cursor.gotoParent();
    return node;
  };
  const tree = parser.c.parse(text);
  if (tree === null) throw new Error('no tree');
  const cursor = tree.walk();
  const node = read(cursor);
  cursor.delete();
  tree.delete();
  return node;
}

function treeOf(text: string): SyntaxNode {
  const root = grammar.parse(text);
  if (root === null) throw new Error('no tree');
  return root;
}

function plain({ type, start, end, field, operator, broken, children }: SyntaxNode): Plain {
  return { type, start, end, field, operator, broken, children: children.map(plain) };
}

const corners = [
  'void f(int *p, char c[]) { while (*p++); if (c[0]); else; for (;;); do ; while (0); a: ; switch (1) case 1: ; }',
  'int x = sizeof(int *), y = -x, z = (char *)"a" "b" == 0; // end',
  'struct s { int a : 3; } /* between */ ; [[nodiscard]] int f() { return (1 /* one */ ); }',
  "#define A(x) x\n#if A(1)\nint a;\n#endif\nchar c = '\\n';",
  'int f( { x[; if ( }',
  'é ö; "ü',
  '',
];

test.each([...cases.map(({ code }) => code), ...corners])('the copy of a tree is the tree: %s', (code) => {
  expect(plain(treeOf(code))).toEqual(reference(code));
});

test('the copy of the tree of anything is that tree', () => {
  const pieces = cases.flatMap(({ code }) => code.split(/(?<=[\s;{}()])/));
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 })), { maxLength: 40 });
  fc.assert(
    fc.property(text, (parts) => {
      const code = parts.join('');
      expect(plain(treeOf(code))).toEqual(reference(code));
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("the steps over a tree are in the module, or the library's where that had been started before", async () => {
  const tree = parser.c.parse('int x;');
  if (tree === null) throw new Error('no tree');
  expect((await startParser())(tree)).not.toBeInstanceOf(TreeCursor);
  vi.resetModules();
  const again = await import('../../src/analysis/syntax/cursor.js');
  expect((await again.startParser())(tree)).toBeInstanceOf(TreeCursor);
});

// Without a bound, the first takes all memory that a module can have, and nothing parses behind it.
test('nothing is read of code that takes too many steps, and what follows it is read', async () => {
  expect(parserMemory()).toBeGreaterThan(0);
  const hostile: [{ parse(code: Uint8Array): Source }, string][] = [
    [await CParser.load('cpp'), 'a<'.repeat(2 ** 20)],
    [await CParser.load('c'), `int x = ${'(c)'.repeat(2 ** 20)};`],
    [await PythonParser.load(), 'a.'.repeat(2 ** 20)],
  ];
  for (const [parser, code] of hostile) {
    const { root, parseOk } = parser.parse(Buffer.from(code));
    expect([parseOk, root.broken, root.children]).toEqual([false, true, []]);
    expect(parser.parse(Buffer.from('x = 1;')).root.children).toHaveLength(1);
  }
  expect(parserMemory()).toBeLessThan(640 * 2 ** 20);
});

test('nesting without end is cut off, and broken', () => {
  const depth = (node: SyntaxNode): number => 1 + Math.max(0, ...node.children.map(depth));
  const root = treeOf(`int x = ${'('.repeat(5000)}1${')'.repeat(5000)};`);
  expect(root.broken).toBe(true);
  expect(depth(root)).toBeLessThan(1000);
});
