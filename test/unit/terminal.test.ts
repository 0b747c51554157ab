import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Progress } from '../../src/run/progress.js';
import { paintOf, printable, printableJson } from '../../src/terminal.js';

const steering = 'a\x1b]0;t\x07\x1b[2J\x9b31m\x7f\r\u202eb\u2066\u200b\u2028\u{e0041}';
const shown = 'a\\x1b]0;t\\x07\\x1b[2J\\x9b31m\\x7f\\x0d\\u{202e}b\\u{2066}\\u{200b}\\u{2028}\\u{e0041}';

test('what steers a terminal is shown, and only our own colours are colours', () => {
  expect(printable(`${steering}\n\tx\r\ny`)).toBe(`${shown}\n\tx\ny`);
  const paint = paintOf(true);
  expect(printable(paint.red(`\x1b[32m${paint.bold('b')}`))).toBe('\x1b[31m\\x1b[32m\x1b[1mb\x1b[22m\x1b[39m');
  expect(printable(paintOf(false).red('plain'))).toBe('plain');
  expect(printable('colour 000000000000000000000000 31mx')).not.toContain('\x1b');
});

test('JSON for a terminal is the same value, without such characters', () => {
  const json = printableJson({ [steering]: [steering, 'é𝒙\n'] }) as string;
  expect(JSON.parse(json)).toEqual({ [steering]: [steering, 'é𝒙\n'] });
  expect(json).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(printableJson(undefined)).toBeUndefined();
});

test('notes are printed so', () => {
  const written: string[] = [];
  new Progress({ isTTY: true, write: (text) => written.push(text) }).note(steering, 'error');
  expect(written.join('')).toBe(`\x1b[31merror: \x1b[39m${shown}\n`);
});

// Nothing may print but by these two.
test('no other file writes to the terminal', () => {
  const printing = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => /process\.std(?:out|err)\.write|console\.\w+\(/.test(readFileSync(join('src', name), 'utf8')));
  expect(printing).toEqual(['cli/command.ts']);
});

const main = 'dist/cli/main.js';
// Where CI is set, it paints whatever it writes to.
const plainly = { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } } as const;

test.skipIf(!existsSync(main))('files and names that would steer it are shown by a command, and by its errors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'srcode-terminal-'));
  const file = join(folder, 'a\x1b[2J.c');
  writeFileSync(file, 'int f(int i) { int a[4] = {0}; return a[i]; /* \x1b]0;t\x07\u202e */ }\n');
  const { stdout, stderr } = spawnSync(process.execPath, [main, 'analyze', file], plainly);
  expect(stdout).toContain('a\\x1b[2J.c');
  expect(stdout).toContain('\\x1b]0;t\\x07\\u{202e}');
  expect(stdout + stderr).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}]/u);
  const failed = spawnSync(process.execPath, [main, 'analyze', `${file}\x1b[31m`], plainly);
  expect(failed.stderr).toContain('\\x1b[31m');
  expect(failed.stderr).not.toContain('\x1b');
  execFileSync('rm', ['-r', folder]);
});
