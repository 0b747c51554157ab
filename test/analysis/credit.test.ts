import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { analyze, loadEngine } from '../../src/analysis/analysis.js';
import { CParser } from '../../src/analysis/c/syntax.js';
import { judge } from '../../src/analysis/credit.js';
import { Program } from '../../src/analysis/engine/program.js';
import { type Guard, type RawFinding, Walk } from '../../src/analysis/engine/walk.js';
import { listeners } from '../../src/analysis/rules/index.js';
import { cases } from './cases.js';

let parser: CParser;
beforeAll(async () => {
  parser = await CParser.load();
  await loadEngine();
});

/** Each guard left out by itself, the last one first, over the whole unit every time: `guard finding` of those that are missed. */
function oneByOne(program: Program): string[] {
  const findings = new Map<string, RawFinding>();
  const guards = new Map<string, Guard>();
  const started = new Set<string>();
  const unit = new Walk(program, listeners);
  for (const listener of listeners.unit) listener(unit);
  const roots = [...program.roots(), ...program.functions.values()].filter((root) => {
    if (started.has(root.name)) return false;
    const walk = new Walk(program, listeners).run(root);
    for (const name of walk.started) started.add(name);
    for (const [key, finding] of walk.findings) findings.set(key, finding);
    for (const [key, guard] of walk.guards) if (!guards.has(key)) guards.set(key, guard);
    return true;
  });
  for (const [key, finding] of unit.findings) findings.set(key, finding);
  const off = new Set<string>();
  const paid = new Set<string>();
  const credits: string[] = [];
  for (const { key } of [...guards.values()].reverse()) {
    off.add(key);
    const news = roots
      .flatMap((root) => [...new Walk(program, listeners, off).run(root).findings.keys()])
      .filter((found) => !findings.has(found));
    const finding = news.find((found) => !paid.has(found)) ?? news[0];
    if (finding === undefined) continue;
    off.delete(key);
    paid.add(finding);
    credits.push(`${key} ${finding}`);
  }
  return credits.sort();
}

function credits(program: Program): string[] {
  return judge(program, listeners)
    .credits.map(({ guard, finding }) => `${guard.key} ${finding.key}`)
    .sort();
}

function unitOf(code: string): Program {
  return new Program(parser.parse(Buffer.from(code)), (expansion) => parser.parse(expansion));
}

test.each(cases)('credits whom leaving out one by one credits: $name', ({ code }) => {
  const program = unitOf(code);
  expect(credits(program)).toEqual(oneByOne(program));
});

const castle = '../shared/data/castle/castle-c250.jsonl';

test.skipIf(!existsSync(castle))(
  `credits whom leaving out one by one credits, in ${castle}`,
  () => {
    const rows = readFileSync(castle, 'utf8')
      .trim()
      .split('\n')
      .map((line): { name: string; code: string } => JSON.parse(line))
      .filter(({ name }) => (createHash('sha256').update(`castle:1:${name}`).digest()[0] as number) % 2 === 0);
    for (const { name, code } of rows) {
      const program = unitOf(code);
      expect(credits(program), name).toEqual(oneByOne(program));
    }
  },
  60_000,
);

test('what walks without guards cost grows with the code, not with its square', () => {
  const code = (n: number): string =>
    `void f(char *p, int n) { ${'if (n > 7 && p[n] == 0) return; '.repeat(n)} char *q = malloc(n); q[0] = p[n]; }`;
  let steps = 0;
  const run = Walk.prototype.run;
  Walk.prototype.run = function (root) {
    run.call(this, root);
    steps += this.steps;
    return this;
  };
  try {
    judge(unitOf(code(40)), listeners);
    const short = steps;
    steps = 0;
    judge(unitOf(code(400)), listeners);
    expect(steps / short).toBeLessThan(20);
  } finally {
    Walk.prototype.run = run;
  }
});

const idle = (code: string): string[] =>
  analyze(Buffer.from(code), { language: 'c' }).idle.map(({ span: { start, end } }) => code.slice(start, end));

test('a guard that repeats what others have said is idle', () => {
  const twice = 'void f(void) { char *p = malloc(10); if (!p) return; if (p == NULL) return; p[0] = 1; free(p); }';
  expect(idle(twice)).toEqual(['if (p == NULL) return;']);
  const weaker = 'int f(unsigned n) { int a[9]; if (n > 8) return 0; if (n > 80) return 0; a[n] = 1; return a[n]; }';
  expect(idle(weaker)).toEqual(['if (n > 80) return 0;']);
});

test.each([
  ['once', 'void f(void) { char *p = malloc(10); if (!p) return; p[0] = 1; free(p); }'],
  [
    'that is tighter',
    'int f(unsigned n) { int a[9]; if (n > 80) return 0; if (n > 8) return 0; a[n] = 1; return a[n]; }',
  ],
  ['on another variable', 'void f(char *p, char *q) { if (!p) return; if (!q) return; *p = *q; }'],
  ['behind an assignment', 'void f(char *p) { if (!p) return; p = strchr(p, 47); if (!p) return; *p = 0; }'],
  ['on a constant', 'int f(void) { int n = 3; if (n > 5) return 1; return 0; }'],
  [
    'that one of two callers needs',
    'static int g(char *p) { if (!p) return 0; return *p; } int f(char *a, char *b) { if (!a) return 0; return g(a) + g(b); }',
  ],
])('a guard %s is not idle', (_, code) => {
  expect(idle(code)).toEqual([]);
});
