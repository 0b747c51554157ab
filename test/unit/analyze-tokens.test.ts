import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import yargs from 'yargs';
import { analyzeCommand } from '../../src/cli/analyze.js';
import { markedTokens } from '../../src/reward/index.js';
import { Tokenizer } from '../../src/tokenizer/index.js';
import { LlmServer, say } from '../support/llm-server.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/tokenizer/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'srcode-tokens-'));
const code = `#include <stdlib.h>
int *make(size_t n) {
  int *p = malloc(n * sizeof *p);
  if (p == NULL) return NULL;
  p[0] = 1;
  free(p);
  return NULL;
}
`;
const file = join(folder, 'make.c');
writeFileSync(file, code);

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

/** What `srcode analyze` prints on stdout. */
async function analyze(...args: string[]): Promise<string> {
  let printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
  await yargs(['analyze', ...args])
    .command(analyzeCommand)
    .parseAsync();
  vi.restoreAllMocks();
  return printed;
}

describe('a program as tokens', () => {
  test.each(['code', 'qwen', 'llama2'])(
    'of the kind %s: whole, in order, marked where ink lies in a span',
    async (name) => {
      const tokenizer = await Tokenizer.load(fixture(name));
      const program = Buffer.from('if (n >= 9) {\n\treturn -1; // é <|endoftext|> </s>\n}');
      const start = program.indexOf('n >= 9');
      const tokens = markedTokens(program, [{ start, end: start + 6 }], tokenizer);
      let at = 0;
      for (const token of tokens) {
        expect(token.start).toBe(at);
        at = token.end;
        const inside = program.subarray(Math.max(token.start, start), Math.min(token.end, start + 6)).toString();
        expect(token.secure, inside).toBe(token.end > start && token.start < start + 6 && inside.trim() !== '');
      }
      expect(at).toBe(program.length);
    },
  );

  test('bytes that are no UTF-8 keep their places', async () => {
    const tokenizer = await Tokenizer.load(fixture('code'));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(markedTokens(bytes, [{ start: 0, end: bytes.length }], tokenizer).at(-1)?.end ?? 0).toBe(bytes.length);
      }),
    );
  });
});

describe('srcode analyze', () => {
  test('--tokens marks the tokens of the credited code, and only those', async () => {
    const printed = await analyze(file, '--tokens', fixture('code'), '--json');
    const [report] = JSON.parse(printed) as {
      spans: { start: number; end: number }[];
      tokens: { start: number; end: number; secure: boolean }[];
    }[];
    const secure = (report?.tokens ?? []).filter((token) => token.secure);
    expect(report?.spans.length).toBeGreaterThan(0);
    expect(secure.length).toBeGreaterThan(3);
    for (const { start, end } of secure) {
      expect(report?.spans.some((span) => start < span.end && end > span.start)).toBe(true);
    }
    const listed = await analyze(file, '--tokens', fixture('code'));
    expect(listed).toContain('⟦');
    expect(await analyze(file)).not.toContain('⟦');
  });

  test('asks another teacher, keeps what it says, and replays it', async () => {
    const answer = { secure: [{ quote: 'p[0] = 1;', why: 'w' }], vulnerabilities: [] };
    await using server = await LlmServer.listen((_, response) => say(response, JSON.stringify(answer)));
    const journal = join(folder, 'journal.jsonl');
    const said = await analyze(file, '--teacher', `llm:m@${server.baseUrl}`, '--journal', journal, '--json');
    expect(JSON.parse(said)).toMatchObject([
      { spans: [{ start: code.indexOf('p[0] = 1;'), kind: 'quoted' }], parseOk: true },
    ]);
    expect(await analyze(file, '--teacher', `replay:${journal}`, '--json')).toBe(said);
    expect(server.calls).toHaveLength(1);
    expect(readFileSync(journal, 'utf8')).toContain('p[0] = 1;');
  });

  test('says what is wrong with an option of a teacher', async () => {
    const printed = await analyze(file, '--set', 'llm.buget.tokens=5', '--json');
    expect(JSON.parse(printed).error.message).toContain('did you mean "llm.budget"?');
    expect(process.exitCode).toBe(2);
  });
});
