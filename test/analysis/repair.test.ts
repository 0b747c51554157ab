import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type CNode, CParser, child, descendants } from '../../src/analysis/c/syntax.js';
import { cases } from './cases.js';

let parser: CParser;
beforeAll(async () => {
  parser = await CParser.load();
});

const parse = (code: string) => parser.parse(Buffer.from(code));
const find = (root: CNode, type: string): CNode[] => [...descendants(root)].filter((node) => node.type === type);

// Macros and annotations that are declared elsewhere: what is left of the code must have this node, with this text.
const broken: [code: string, type: string, text: string][] = [
  ['static int __init foo(void)\n{\n\treturn 0;\n}', 'function_declarator', 'foo(void)'],
  ['int f(const char __user *buf, int n) { return n; }', 'parameter_declaration', 'const char __user *buf'],
  ['PyExport PyThing *f(void)\n{\n  return 0;\n}', 'pointer_declarator', '*f(void)'],
  ['static bool checked f(int *p) { return p; }', 'function_declarator', 'f(int *p)'],
  ['METHOD(name, int, "x")\n{\n  int x = 1;\n  g(x);\n}', 'call_expression', 'g(x)'],
  ['EXPORT(x)\nint f(int x) { return x; }', 'function_declarator', 'f(int x)'],
  ['static PRINTF(1, 2) void f(int x) { g(x); }', 'function_declarator', 'f(int x)'],
  ['f(struct s *a, int n)\n{\n  return a->x[n];\n}', 'parameter_declaration', 'struct s *a'],
  ['int f(a, b) int a; char *b; { return a; }\ng(a) int a; { return a; }', 'return_statement', 'return a;'],
  [
    'void f(void) {\n  list_for_each_entry(p, &list, link) {\n    if (p->x) break;\n  }\n}',
    'break_statement',
    'break;',
  ],
  ['void f(int x) {\n  x = READ(x)\n  g(x);\n}', 'assignment_expression', 'x = READ(x)'],
  ['void f(int x) {\n  if (x) g(NULL TSRMLS_CC);\n}', 'argument_list', '(NULL TSRMLS_CC)'],
  ['int f(pTHX_ int *n) { return *n; }', 'pointer_expression', '*n'],
  ['void f(void) {\n  SAVE_WARNINGS\n  g(1);\n  RESTORE_WARNINGS\n}', 'call_expression', 'g(1)'],
  ['int f(int c) { switch (c) { case 1 ... 9: return 1; } return 0; }', 'case_statement', 'case 1 ... 9: return 1;'],
  ['void f(struct w *w) { struct d *d = container_of(w, struct d, work); g(d); }', 'call_expression', 'g(d)'],
  ['void f(int x) {\nif (x\n#ifdef A\n  && g(x)\n#else\n  ) h(x\n#endif\n  ) k(x);\n}', 'call_expression', 'k(x)'],
  [
    'void f(int x) {\n  if (x) { g(1); }\n#if B\n  else if (x) { g(2); }\n#endif\n  else { g(3); }\n}',
    'call_expression',
    'g(3)',
  ],
];

test.each(broken)('%s', (code, type, text) => {
  const source = parse(code);
  expect(source.parseOk).toBe(false);
  expect(source.root.broken).toBe(false);
  expect(find(source.root, type).map((node) => source.text(node))).toContain(text);
});

test('a macro that loops is a loop over its block, which may change what the macro is given', () => {
  const source = parse('void f(void) {\n  list_for_each(p, q) {\n    g(p);\n  }\n}');
  const [loop] = find(source.root, 'for_statement') as [CNode];
  expect(source.text(loop)).toBe('list_for_each(p, q) {\n    g(p);\n  }');
  expect(source.text(child(loop, 'condition') as CNode)).toBe('list_for_each(p, q)');
  expect(find(loop, 'pointer_expression').map((node) => source.text(node))).toEqual(['p', 'q']);
});

test('what is whole stays as it is beside what is not', () => {
  const whole = 'int g(int __odd)\n{\n  return (int) MAX_X + __odd;\n}\n';
  const source = parse(`${whole}static int __init f(void)\n{\n  return 1;\n}\n`);
  expect(source.root.broken).toBe(false);
  expect(find(source.root, 'identifier').map((node) => source.text(node))).toEqual([
    'g',
    '__odd',
    'MAX_X',
    '__odd',
    'f',
  ]);
});

test('what is cut off ends with its last whole statement', () => {
  const source = parse('int f(char __user *p) {\n  g(p);\n  if (p) {\n    h(p);\n    k(p');
  expect(source.root.broken).toBe(false);
  expect(find(source.root, 'call_expression').map((node) => source.text(node))).toEqual(['g(p)', 'h(p)']);
});

test('of anything, nodes lie in the text, inside their parents, one behind the other', () => {
  const pieces = [...broken.map(([code]) => code), ...cases.map(({ code }) => code)].flatMap((code) =>
    code.split(/(?<=[\s;{}()])/),
  );
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 })), { maxLength: 60 });
  fc.assert(
    fc.property(text, (parts) => {
      const code = parts.join('');
      const check = (node: CNode): void => {
        let from = node.start;
        for (const below of node.children) {
          expect(below.start).toBeGreaterThanOrEqual(from);
          expect(below.end).toBeGreaterThanOrEqual(below.start);
          expect(below.end).toBeLessThanOrEqual(node.end);
          from = below.end;
          check(below);
        }
      };
      check(parse(code).root);
    }),
    { seed: 1, numRuns: 400 },
  );
});
