import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { quoteBigIntegers } from '../../src/dataset/big-integers.js';
import { type JsonlOptions, readJsonl } from '../../src/dataset/jsonl.js';
import { SrcodeError } from '../../src/errors.js';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'srcode-jsonl-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const schema = z.object({ a: z.number() });

async function read(content: string | Uint8Array, options: JsonlOptions = {}, rowSchema: z.ZodType = schema) {
  const path = join(scratch, 'rows.jsonl');
  await writeFile(path, content);
  const rows: { value: unknown; line: number }[] = [];
  let problem = '';
  try {
    for await (const row of readJsonl(path, rowSchema, options)) rows.push(row);
  } catch (error) {
    expect(error).toBeInstanceOf(SrcodeError);
    expect((error as SrcodeError).code).toBe('ERR_DATA');
    problem = (error as Error).message.replaceAll(path, 'F');
  }
  return { rows, problem };
}

describe('readJsonl', () => {
  test('accepts a byte order mark, CRLF, blank lines and a last line without a break', async () => {
    expect(await read('\ufeff{"a":1}\r\n\r\n  \n{"a":2}\n{"a":3}')).toEqual({
      rows: [
        { value: { a: 1 }, line: 1 },
        { value: { a: 2 }, line: 4 },
        { value: { a: 3 }, line: 5 },
      ],
      problem: '',
    });
  });

  test('yields the good rows and says all problems with file and line', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":1}\n{"a":\n{"a":"x"}\n'),
      Buffer.from([0x7b, 0xff, 0x7d, 0x0a]),
      Buffer.from(`{"a":4,"pad":"${'x'.repeat(100)}"}\n[]\n{"a":7}\n`),
    ]);
    const { rows, problem } = await read(bytes, { maxLineBytes: 60 });
    expect(rows.map((row) => row.line)).toEqual([1, 7]);
    const lines = problem.split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^F:2: is not JSON: /);
    expect(lines[1]).toMatch(/^F:3: a: .*expected number/);
    expect(lines[2]).toBe('F:4: is not valid UTF-8');
    expect(lines[3]).toBe('F:5: is longer than 60 bytes');
    expect(lines[4]).toMatch(/^F:6: .*expected object/);
  });

  test('stops at the bound of problems', async () => {
    const { problem } = await read('x\n'.repeat(100), { maxProblems: 3 });
    expect(problem.split('\n')).toHaveLength(4);
    expect(problem).toMatch(/reading stopped here$/);
  });

  test('does not hold a line that is too long', async () => {
    const { rows, problem } = await read(`${'x'.repeat(5_000_000)}\n{"a":1}\n`, { maxLineBytes: 1000 });
    expect(rows).toEqual([{ value: { a: 1 }, line: 2 }]);
    expect(problem).toBe('F:1: is longer than 1000 bytes');
  });

  test('survives JSON that is nested a million deep', async () => {
    const { problem } = await read(`${'['.repeat(1_000_000)}\n{"a":1}`);
    expect(problem).toMatch(/^F:1: /);
  });

  test('names a file that cannot be read, and stops for a signal', async () => {
    const drain = async (path: string, options?: JsonlOptions) => {
      for await (const _ of readJsonl(path, schema, options));
    };
    await expect(drain(join(scratch, 'none'))).rejects.toMatchObject({
      code: 'ERR_IO',
      message: expect.stringContaining('none'),
    });
    await expect(drain(scratch)).rejects.toMatchObject({ code: 'ERR_IO' });
    const path = join(scratch, 'rows.jsonl');
    await writeFile(path, '{"a":1}\n');
    const reason = new Error('enough');
    await expect(drain(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('a fault of the reader of the rows passes through untouched', async () => {
    const path = join(scratch, 'rows.jsonl');
    await writeFile(path, '{"a":1}\n');
    const fault = new TypeError('in the loop');
    await expect(
      (async () => {
        for await (const _ of readJsonl(path, schema)) throw fault;
      })(),
    ).rejects.toBe(fault);
  });

  // Whatever the bytes: rows or one coded error, and no row is lost or made up.
  test('reads any bytes without another failure (fuzz)', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '{"a":1}',
        '{"a":1',
        '{"a":',
        '"',
        '\\',
        '\n',
        '\r\n',
        '\r',
        '\ufeff',
        '[',
        '{}',
        'null',
        '1e999',
        '-',
        '12345678901234567890',
        ',',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    const bytes = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(''))),
      fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.integer({ min: 1, max: 50 }), async (content, maxLineBytes) => {
        const { rows, problem } = await read(content, { maxLineBytes, maxProblems: 1000 });
        const lines = content.toString('latin1').split('\n');
        const filled = lines.filter(
          (line) =>
            Buffer.from(line, 'latin1')
              .toString()
              .replace(/^\ufeff/, '')
              .trim() !== '',
        );
        const failed = new Set(problem.split('\n').flatMap((line) => /^F:(\d+): /.exec(line)?.[1] ?? []));
        expect(rows.length + failed.size).toBeLessThanOrEqual(lines.length);
        expect(rows.length + failed.size).toBeGreaterThanOrEqual(filled.length - 1); // a BOM behind the first line may or may not count as blank
        for (const row of rows) expect(typeof (row.value as { a: unknown }).a).toBe('number');
      }),
      { numRuns: 200 },
    );
  });

  test('returns rows as they were written, whatever the chunk borders (property)', async () => {
    const row = fc.record({ a: fc.double({ noDefaultInfinity: true, noNaN: true }), s: fc.string({ unit: 'binary' }) });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 20 }), fc.constantFrom('\n', '\r\n'), async (values, end) => {
        const { rows, problem } = await read(
          values.map((value) => JSON.stringify(value) + end).join(''),
          {},
          z.unknown(),
        );
        expect(problem).toBe('');
        expect(rows.map(({ value }) => JSON.stringify(value))).toEqual(
          values.map((value) => bigAsString(JSON.stringify(value))),
        );
      }),
      { numRuns: 100 },
    );
  });
  const bigAsString = (json: string) => JSON.stringify(JSON.parse(quoteBigIntegers(json)));

  test('reads a file of many chunks', async () => {
    const count = 30_000;
    const { rows, problem } = await read(
      Array.from({ length: count }, (_, i) => `{"a":${i},"pad":"é${'x'.repeat(i % 97)}"}\n`).join(''),
    );
    expect(problem).toBe('');
    expect(rows.map((row) => (row.value as { a: number }).a)).toEqual(Array.from({ length: count }, (_, i) => i));
  });
});

describe('quoteBigIntegers', () => {
  test.each([
    ['{"h":129874219982869280745344416210936380070}', '{"h":"129874219982869280745344416210936380070"}'],
    [
      '[1234567890123456, -1234567890123456,123456789012345]',
      '["1234567890123456", "-1234567890123456",123456789012345]',
    ],
    [
      '{"s":"1234567890123456789 \\" 1234567890123456789","h":12345678901234567}',
      '{"s":"1234567890123456789 \\" 1234567890123456789","h":"12345678901234567"}',
    ],
    ['[1234567890123456.5, 1234567890123456e3, 1234567890123456E+2, 0.1234567890123456]', null],
    ['{"\\\\":12345678901234567}', '{"\\\\":"12345678901234567"}'],
    ['1234567890123456', '"1234567890123456"'],
    ['{"open: 1234567890123456', null],
  ])('%s', (json, expected) => {
    expect(quoteBigIntegers(json)).toBe(expected ?? json);
  });

  test('changes nothing but the big integers of any JSON value (property)', () => {
    const big = fc.bigInt({ min: 10n ** 15n, max: 2n ** 128n - 1n });
    fc.assert(
      fc.property(fc.jsonValue(), big, (value, integer) => {
        const parsed = JSON.parse(
          quoteBigIntegers(`{"v":${JSON.stringify({ s: JSON.stringify(value) })},"h":${integer}}`),
        );
        expect(parsed).toEqual({ v: { s: JSON.stringify(value) }, h: integer.toString() });
      }),
    );
  });
});
