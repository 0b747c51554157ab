import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ColumnUnit, SourceLines } from '../../src/analysis/external/source-lines.js';

const characters = ['a', '_', ' ', '\n', 'é', '€', '😀'];
const text = fc.array(fc.constantFrom(...characters), { maxLength: 900 }).map((all) => all.join(''));

/** The column of a byte, character by character. */
function column(line: string, byte: number, unit: ColumnUnit): number {
  let at = 0;
  let units = 1;
  for (const character of line) {
    if (at >= byte) break;
    at += Buffer.byteLength(character);
    units += unit === 'bytes' ? Buffer.byteLength(character) : unit === 'utf16' ? character.length : 1;
  }
  return units;
}

test.each(['bytes', 'codePoints', 'utf16'] as const)(
  'columns of %s lead back to the bytes that they are of',
  (unit) => {
    fc.assert(
      fc.property(text, fc.nat(), (said, seed) => {
        const lines = said.split('\n');
        const at = seed % lines.length;
        const line = [...(lines[at] as string)];
        const before = Buffer.byteLength(lines.slice(0, at).join('\n')) + (at > 0 ? 1 : 0);
        const from = line.length === 0 ? 0 : seed % line.length;
        if (line.length === 0) return;
        const [start, end] = [0, 1].map((more) => Buffer.byteLength(line.slice(0, from + more).join('')));
        const source = new SourceLines(Buffer.from(said));
        const [startColumn, endColumn] = [start, end].map((byte) => column(lines[at] as string, byte as number, unit));
        const span = source.span(
          { startLine: at + 1, startColumn: startColumn as number, endLine: at + 1, endColumn: endColumn as number },
          unit,
        );
        expect(span).toEqual({ start: before + (start as number), end: before + (end as number) });
        if (unit === 'codePoints')
          expect(source.region(span)).toMatchObject({ startLine: at + 1, startColumn, endColumn });
      }),
      { numRuns: 300 },
    );
  },
);

test('many places of one long line are found without reading it for each', () => {
  const code = Buffer.from('x = 1; '.repeat(100_000));
  const source = new SourceLines(code);
  for (let byte = 0; byte < code.length; byte += 7) {
    const region = source.region({ start: byte, end: byte + 1 });
    expect(source.span(region, 'utf16')).toEqual({ start: byte, end: byte + 1 });
  }
});
