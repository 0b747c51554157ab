import { beforeAll, expect, test } from 'vitest';
import { CParser } from '../../src/analysis/c/syntax.js';
import { Program } from '../../src/analysis/engine/program.js';
import { Walk } from '../../src/analysis/engine/walk.js';
import { listeners } from '../../src/analysis/rules/index.js';
import { cases } from './cases.js';

let parser: CParser;
beforeAll(async () => {
  parser = await CParser.load('c');
});

/**
 * The only way out of a loop or a switch stands behind a guard; a rule looks a block up, behind another guard once more; what is allocated
 * before a loop is the same on the way around it.
 */
const others = [
  `int f(int fd, const int *at, int i) {
  int n;
  for (;;) {
    n = read(fd, 0, 4);
    if (i < 0)
      return -1;
    if (n == at[i])
      break;
  }
  return at[n];
}
`,
  `int f(int kind, const int *at, int i) {
  int n;
  switch (kind) {
    case 1: {
      n = 2;
      if (i < 0)
        return -1;
      break;
    }
    default:
      return 0;
  }
  return at[n] + at[i];
}
`,
  `int f(int fd, char *to, unsigned size) {
  char *p = malloc(8);
  do {
    { if (size > 8) continue; }
    if (p == 0)
      break;
    read(fd, p, size);
    if (*p == 1)
      break;
  } while (1);
  return p[size];
}
`,
  `int f(const int *at, int n, int i) {
  if (n > 5)
    return -1;
  switch (n) {
    case 1:
      assert(n < ({ 9; }));
      {
        int m = at[1];
        if (i < 0)
          return -1;
        if (i > 4)
          return -1;
        n = at[m];
      }
  }
  return n;
}
`,
  `int f(const int *at, int n, int i) {
  char *p;
  char *q;
  for (p = malloc(40), q = p; n > 0; n--) {
    n = at[n];
    if (i < 0)
      return -1;
    n = at[i];
  }
  if (q == NULL)
    return -1;
  p[2] = 1;
  free(p);
  return 0;
}
`,
];

test('a walk that follows another one up to the guard is the same as one from the start', () => {
  let compared = 0;
  let spared = 0;
  for (const code of [...cases.map(({ code }) => code), ...others]) {
    const program = new Program(parser.parse(Buffer.from(code)), (expansion) => parser.parse(expansion));
    for (const root of program.roots()) {
      const first = new Walk(program, listeners).run(root);
      const told = ({ findings, steps, frames }: Walk): unknown => ({
        findings: [...findings.keys()].filter((key) => !first.findings.has(key)).sort(),
        steps,
        frames,
      });
      for (const key of first.guards.keys()) {
        const off = new Set([key]);
        const again = first.again(root, off, () => false);
        const whole = new Walk(program, listeners, off).run(root);
        expect(told(again), code).toEqual(told(whole));
        for (const consulted of whole.consulted) expect(again.consulted, code).toContain(consulted);
        compared++;
        spared += again.spared;
      }
    }
  }
  expect(compared).toBeGreaterThan(100);
  expect(spared).toBeGreaterThan(compared);
});
