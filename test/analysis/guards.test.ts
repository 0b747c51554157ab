import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Analysis, analyze, loadEngine } from '../../src/analysis/analysis.js';
import { type CNode, CParser, descendants } from '../../src/analysis/c/syntax.js';

const folder = join(import.meta.dirname, 'guards');
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.c'))
  .map((name) => ({ name, code: readFileSync(join(folder, name), 'utf8') }));
const parser = await CParser.load();

beforeAll(() => loadEngine());

const judge = (code: string): Analysis => analyze(Buffer.from(code), { language: 'c' });
const counts = ({ findings, spans }: Analysis): string[] => [
  ...findings.map(({ rule }) => rule).sort(),
  ...spans.map(({ kind }) => kind).sort(),
];
const lineAt = (code: string, at: number): number => code.slice(0, at).split('\n').length;

/** Parameters and local variables, but for those whose name says that they hold a secret. */
function localNames(root: CNode, code: string): Set<string> {
  const names = new Set<string>();
  for (const at of descendants(root)) {
    if (at.type !== 'parameter_declaration' && at.type !== 'declaration') continue;
    let inside: CNode | null = at;
    while (inside !== null && inside.type !== 'function_definition') inside = inside.parent;
    if (inside === null) continue;
    for (const declarator of at.children.filter(({ field }) => field === 'declarator')) {
      let node: CNode | undefined = declarator;
      while (node !== undefined && node.type !== 'identifier') {
        const outer: CNode = node;
        node = outer.children.find(({ field }) => field === 'declarator') ?? outer.children[0];
      }
      const name = node === undefined ? '' : code.slice(node.start, node.end);
      if (name !== '' && !/pass|pwd|secret|token|salt/i.test(name)) names.add(name);
    }
  }
  return names;
}

/** The code with another name for each of its local names. */
function renamed(code: string): string {
  const { root } = parser.parse(Buffer.from(code));
  const names = localNames(root, code);
  let text = code;
  const places = [...descendants(root)].filter(({ type }) => type === 'identifier').sort((a, b) => b.start - a.start);
  for (const { start, end } of places)
    if (names.has(code.slice(start, end))) text = `${text.slice(0, start)}my_${text.slice(start)}`;
  return text;
}

test('most of what is marked as a guard is credited', () => {
  let marked = 0;
  let credited = 0;
  for (const { code } of files) {
    const lines = new Set(judge(code).spans.map(({ span }) => lineAt(code, span.start)));
    for (const [i, line] of code.split('\n').entries()) {
      if (!/\/\/ guard CWE-\d+$/.test(line)) continue;
      marked++;
      if (lines.has(i + 1)) credited++;
    }
  }
  expect(marked).toBeGreaterThanOrEqual(130);
  expect(credited / marked).toBeGreaterThanOrEqual(0.75);
});

test.each(files)('comments and white space change nothing: $name', ({ code }) => {
  const spread = code
    .replace(/ \/\/ guard CWE-\d+$/gm, '')
    .replace(/^( {4})+/gm, (spaces) => '\t'.repeat(spaces.length / 4))
    .replace(/;$/gm, '; /* so */\n')
    .replace(/ \{$/gm, '\n{');
  expect(counts(judge(spread))).toEqual(counts(judge(code)));
});

test.each(files)('local names change nothing: $name', ({ code }) => {
  expect(renamed(code)).not.toEqual(code);
  expect(counts(judge(renamed(code)))).toEqual(counts(judge(code)));
});

test('code cut off at 95 % keeps three quarters of its credit', () => {
  const spans = (share: number): number =>
    files.reduce((sum, { code }) => sum + judge(code.slice(0, Math.floor(code.length * share))).spans.length, 0);
  expect(spans(0.95) / spans(1)).toBeGreaterThanOrEqual(0.75);
});
