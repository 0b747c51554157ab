import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Lexeme, lexemes } from '../../src/analysis/lexemes.js';

const kinds = (text: string, language: 'c' | 'cpp' | 'python' = 'c'): string[] =>
  lexemes(text, language).map(({ kind, text, whole }) => `${kind} ${text}${whole ? '' : ' …'}`);

test('C: words, numbers, marks, literals and comments', () => {
  expect(kinds('x->y <<= 0x1fU; // a "b"\nf(\'\\\'\', L"a\\"b" /* c */);')).toEqual([
    ...['word x', 'mark ->', 'word y', 'mark <<=', 'number 0x1fU', 'mark ;', 'comment // a "b"'],
    ...['word f', 'mark (', "string '\\''", 'mark ,', 'string L"a\\"b"', 'comment /* c */', 'mark )', 'mark ;'],
  ]);
  expect(kinds('1.5e-3f + .5 - a...b\\\nc')).toEqual([
    ...['number 1.5e-3f', 'mark +', 'number .5', 'mark -', 'word a', 'mark ...', 'word b', 'word c'],
  ]);
});

test('what does not end says so', () => {
  expect(kinds('a "bc\nd')).toEqual(['word a', 'string "bc …', 'word d']);
  expect(kinds("I can't")).toEqual(['word I', 'word can', "string 't …"]);
  expect(kinds('a /* b')).toEqual(['word a', 'comment /* b …']);
  expect(kinds('/*/')).toEqual(['comment /*/ …']);
  expect(kinds('"a\\"')).toEqual(['string "a\\" …']);
  expect(kinds('"')).toEqual(['string " …']);
  expect(kinds('a // b')).toEqual(['word a', 'comment // b']);
});

test('C++ has raw strings; Python its own comments and long strings', () => {
  expect(kinds('R"x(a ")" b)x" + 1', 'cpp')).toEqual(['string R"x(a ")" b)x"', 'mark +', 'number 1']);
  expect(kinds('R"x(a)y"', 'cpp')).toEqual(['string R"x(a)y" …']);
  expect(kinds('a = f"""b\n"c" """ # d\n\'e\'', 'python')).toEqual([
    ...['word a', 'mark =', 'string f"""b\n"c" """', 'comment # d', "string 'e'"],
  ]);
  expect(kinds('"""a', 'python')).toEqual(['string """a …']);
});

test('any text comes back from its lexemes, but for white space and backslashes', () => {
  const text = fc.string({ unit: fc.constantFrom(...'ab1_ \n\t"\'/*\\#(){};.+-<=>RL', 'é') });
  fc.assert(
    fc.property(text, fc.constantFrom('c' as const, 'cpp' as const, 'python' as const), (code, language) => {
      let at = 0;
      for (const { start, end, text } of lexemes(code, language) as Lexeme[]) {
        expect(code.slice(at, start)).toMatch(/^[\s\\]*$/);
        expect(code.slice(start, end)).toBe(text);
        at = end;
      }
      expect(code.slice(at)).toMatch(/^[\s\\]*$/);
    }),
  );
});
