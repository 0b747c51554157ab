import { beforeAll, expect, test } from 'vitest';
import { analyze, loadEngine } from '../../src/analysis/analysis.js';
import { expectInside } from '../support/analysis.js';
import { cases } from './cases.js';
import { cppCases } from './cpp-cases.js';

beforeAll(() => loadEngine(['c', 'cpp']));

const judge = (code: string | Uint8Array, language: 'c' | 'cpp' = 'cpp') => analyze(Buffer.from(code), { language });

test('C judged as C++ gives what it gives as C', () => {
  const counts = ({ findings, spans }: ReturnType<typeof judge>): string[] => [
    ...findings.map(({ rule, span }) => `${rule} ${span.start}-${span.end}`),
    ...spans.map(({ kind, span }) => `${kind} ${span.start}-${span.end}`),
  ];
  // What is no C++: a type that is no name, a word that C++ reserves, a function declared without its parameters' types.
  const both = cases.filter(({ code }) => judge(code, 'c').parseOk && judge(code).parseOk);
  expect(both.length).toBeGreaterThan(50);
  const other = both.filter(({ code }) => counts(judge(code)).join() !== counts(judge(code, 'c')).join());
  expect(other.map(({ name }) => name)).toEqual([]);
});

test('what is said of any bytes lies inside them', () => {
  const pieces = cppCases.flatMap(({ code }) => code.split(/(?<=[;{}()<>:])/));
  expectInside(judge, pieces, { maxPieces: 40, numRuns: 300 });
});

test('a method of a name that objects have is no method', () => {
  expect(() => judge('int f() { return a.constructor(1) + b.toString() + c.__proto__(2); }')).not.toThrow();
});

// Lowered twice at every level, each of them would take 2^60 steps.
test('what is nested is lowered once', () => {
  const nested = (open: string, close: string): string => `void f() { ${open.repeat(60)}x${close.repeat(60)}; }`;
  for (const code of [
    nested('a.rfind(', ', 0)'),
    nested('a.insert(', ')'),
    nested('new decltype(', ')'),
    nested('(', '.find_first_not_of("a") == npos)'),
    nested('if (int a = ({ ', ' })) { b(); }'),
  ]) {
    expect(judge(code).spans).toEqual([]);
  }
});
