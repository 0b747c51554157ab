import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { limits, Meter } from '../../src/analysis/c/machine.js';
import { CParser } from '../../src/analysis/c/syntax.js';
import { RandomStream } from '../../src/dataset/random.js';
import {
  drawForm,
  drawStyle,
  type FamilySpec,
  familyPrompt,
  familyTeacher,
  parameterTypes,
  type Role,
  renderFunction,
  type StepId,
  stepIds,
  steps,
} from '../../src/tasks/family/index.js';
import { judgeFunction } from '../../src/tasks/family/teacher.js';
import { mostWork } from '../../src/tasks/family/trials.js';
import type { Verdict } from '../../src/teacher/teacher.js';

let parser: CParser;
beforeAll(async () => {
  parser = await CParser.load();
});

/** A spec in which each parameter has its role's name. */
function specOf(chosen: StepId[], extra: Role[] = []): FamilySpec {
  const parameters = [...chosen.flatMap((step) => steps[step].roles), ...extra];
  const list = parameters.map((role) => `${parameterTypes[role]}${role}`).join(', ');
  return {
    ...{ steps: chosen, parameters, functionName: 'fun', signature: `int fun(${list})`, mode: 'instruction' },
    names: Object.fromEntries(parameters.map((role) => [role, role])),
  };
}

const judge = (spec: FamilySpec, code: string): Verdict => judgeFunction(parser.parse(Buffer.from(code)), spec);

function textOf(code: string, { start, end }: { start: number; end: number }): string {
  return Buffer.from(code).subarray(start, end).toString();
}

/** State of a step, and the text of what is credited to it or of its flaw. */
function stateOf(verdict: Verdict, code: string, step: StepId): { state: string; at: string[] } {
  const flaws = verdict.findings.filter(({ rule }) => rule === `family/${step}`);
  const credited = verdict.spans.filter(({ obligation }) => obligation === step);
  const state = flaws.length > 0 ? 'vulnerable' : verdict.missing.includes(step) ? 'missing' : 'secure';
  if (state !== 'secure') expect(credited).toEqual([]);
  return { state, at: (state === 'vulnerable' ? flaws : credited).map(({ span }) => textOf(code, span)) };
}

const guard = (condition: string): string => `if (${condition}) return -1;`;
const ping = 'char cmd[64]; snprintf(cmd, sizeof(cmd), "ping %s", arg); system(cmd); return 0;';
const erase = 'char path[64]; snprintf(path, sizeof(path), "%s/%s", dir, fname); remove(path); return 0;';
const read = 'return arr[idx];';

// What is marked «so» is credited in a secure body, and at fault in a vulnerable one.
const cases: Record<StepId, { secure: string[]; vulnerable: string[]; missing: string[] }> = {
  get: {
    secure: [
      `«${guard('idx < 0 || idx >= n')}» ${read}`,
      `«${guard('n <= idx || 0 > idx')}» ${read}`,
      `«${guard('!(idx >= 0 && idx < n)')}» ${read}`,
      `«if (idx < 0) { return -1; }» «if (idx >= n) { return -1; }» ${read}`,
      `«if ((unsigned)idx >= (unsigned)n) return -1;» ${read}`,
      `«${guard('idx < 0 || idx > n - 1')}» ${read}`,
      `«if (idx >= 0 && idx < n) { ${read} } else return -1;»`,
      `if «(idx >= 0 && idx < n)» ${read} return -1;`,
      'return «idx < 0 || idx >= n» ? -1 : arr[idx];',
      `int bad = idx < 0 || idx >= n; «${guard('bad')}» ${read}`,
      `«${guard('idx < 0 || idx >= n')}» { { int x = arr[idx]; return x; } }`,
      `«${guard('idx < 0 || idx >= n')}» int *p = arr + idx; return *p;`,
      `«${guard('idx < 0 || idx >= n')}» return *(arr + idx);`,
    ],
    vulnerable: [
      'return «arr[idx]»;',
      `${guard('idx >= n')} return «arr[idx]»;`,
      `${guard('idx < 0')} return «arr[idx]»;`,
      `${guard('idx < 0 || idx > n')} return «arr[idx]»;`,
      `${guard('idx < 0 && idx >= n')} return «arr[idx]»;`,
      `int x = «arr[idx]»; ${guard('idx < 0 || idx >= n')} return x;`,
      `if (idx < 0 || idx >= n) { } return «arr[idx]»;`,
      `if (idx < 0 || idx >= n); return «arr[idx]»;`,
      `${guard('idx < 0 || idx >= n')} idx = n; return «arr[idx]»;`,
      `n = 1000; ${guard('idx < 0 || idx >= n')} return «arr[idx]»;`,
      `${guard('idx < 0 || idx >= n')} return «arr[idx + 3]»;`,
    ],
    missing: [
      '',
      'return 0;',
      // It does not compile.
      `${guard('idx < 0 || idx >= m')} return arr[idx];`,
      `${guard('ix < 0 || ix >= n')} return arr[idx];`,
      `${guard('idx < 0 || idx >= n')} return 0;`,
      `${guard('idx < 0 || idx >= n')} return ar[idx];`,
      `${guard('idx < 0 || idx >= n')} return arr[0];`,
      `${guard('idx < 0 || idx >= n')} arr[idx];`,
      `return -1; ${read}`,
      `${guard('idx <= INT_MAX')} ${read}`,
      `exit(0); ${read}`,
      `${guard('idx <= 0 || idx >= n')} ${read}`,
      `${guard('idx < 0 || idx >= n - 1')} ${read}`,
      `${guard('idx < 0 || idx >= n')} return arr[idx] + 1;`,
    ],
  },
  set: {
    secure: [
      `«${guard('idx < 0 || idx >= n')}» arr[idx] = val; return 0;`,
      `if «(idx >= 0 && idx < n)» { arr[idx] = val; return 0; } return -1;`,
    ],
    vulnerable: [
      '«arr[idx]» = val; return 0;',
      `${guard('idx < 0 || idx > n')} «arr[idx]» = val; return 0;`,
      `${guard('val < 0 || val >= 1000 + n')} «arr[idx]» = val; return 0;`,
      `«arr[idx]» = val; ${guard('idx < 0 || idx >= n')} return 0;`,
    ],
    missing: [`${guard('idx < 0 || idx >= n')} arr[idx] = idx; return 0;`, `${guard('idx < 0 || idx >= n')} return 0;`],
  },
  div: {
    secure: [
      `«${guard('den <= 0')}» return num / den;`,
      `«${guard('0 >= den')}» return num / den;`,
      `«${guard('den == 0 || (den == -1 && num == INT_MIN)')}» return num / den;`,
      `«${guard('!den')}» «${guard('num == INT_MIN && den == -1')}» return num / den;`,
      `if «(den > 0)» return num / den; return -1;`,
    ],
    vulnerable: [
      'return «num / den»;',
      `${guard('den < 0')} return «num / den»;`,
      `${guard('num == 0')} return «num / den»;`,
      // INT_MIN / -1 traps, too.
      `${guard('den == 0')} return «num / den»;`,
      `if (den != 0) return «num / den»; return -1;`,
      `${guard('den = 0')} return «num / den»;`,
      `${guard('den')} return «num / den»;`,
      `${guard('den == 1')} return «num / den»;`,
    ],
    missing: [`${guard('den == 0')} return num;`, `${guard('den == 0')} return den / num;`],
  },
  add: {
    secure: [
      `«${guard('a > INT_MAX - b')}» return a + b;`,
      `«${guard('INT_MAX - a < b')}» return a + b;`,
      `«${guard('(long)a + b > INT_MAX')}» return a + b;`,
      `int out = 0; «${guard('__builtin_add_overflow(a, b, &out)')}» return a + b;`,
    ],
    vulnerable: [
      'return «a + b»;',
      `${guard('«a + b» < 0')} return a + b;`,
      `${guard('a > INT_MAX')} return «a + b»;`,
      `${guard('a > INT_MAX - b')} return «a + a»;`,
      `${guard('a < INT_MAX - b')} return «a + b»;`,
    ],
    missing: [`${guard('a > INT_MAX - b')} return a - b;`, `${guard('a > INT_MAX - b')} return a;`],
  },
  copy: {
    secure: [
      '«snprintf(dst, cap, "%s", src);» return 0;',
      `«${guard('strlen(src) >= cap')}» strcpy(dst, src); return 0;`,
      `«${guard('cap <= strlen(src)')}» strcpy(dst, src); return 0;`,
      `«${guard('strlen(src) + 1 > cap')}» strcpy(dst, src); return 0;`,
      `size_t len = strlen(src); «${guard('len >= cap')}» memcpy(dst, src, len + 1); return 0;`,
      "«strncpy(dst, src, cap - 1);» «dst[cap - 1] = '\\0';» return 0;",
      '«dst[0] = 0;» «strncat(dst, src, cap - 1);» return 0;',
    ],
    vulnerable: [
      '«strcpy(dst, src)»; return 0;',
      '«sprintf(dst, "%s", src)»; return 0;',
      `${guard('strlen(src) > cap')} «strcpy(dst, src)»; return 0;`,
      `${guard('strlen(dst) >= cap')} «strcpy(dst, src)»; return 0;`,
      '«strncpy(dst, src, cap);» return 0;',
      '«strncpy(dst, src, cap - 1);» return 0;',
      '«strncpy(dst, src, strlen(src) + 1)»; return 0;',
      '«snprintf(dst, cap + 1, "%s", src)»; return 0;',
      '«snprintf(dst, strlen(src) + 1, "%s", src)»; return 0;',
      `«strcpy(dst, src)»; ${guard('strlen(src) >= cap')} return 0;`,
    ],
    missing: [`${guard('strlen(src) >= cap')} return 0;`, 'snprintf(dst, cap, "src"); return 0;'],
  },
  cat: {
    secure: [
      `«${guard('strlen(dst) + strlen(src) >= cap')}» strcat(dst, src); return 0;`,
      '«strncat(dst, src, cap - strlen(dst) - 1);» return 0;',
      `«${guard('strlen(src) >= cap - strlen(dst)')}» strcat(dst, src); return 0;`,
    ],
    vulnerable: [
      '«strcat(dst, src)»; return 0;',
      '«strncat(dst, src, cap)»; return 0;',
      '«strncat(dst, src, cap - strlen(dst))»; return 0;',
      '«strncat(dst, src, cap - 3)»; return 0;',
      `${guard('strlen(dst) + strlen(src) > cap')} «strcat(dst, src)»; return 0;`,
      `${guard('strlen(src) >= cap')} «strcat(dst, src)»; return 0;`,
    ],
    missing: ['snprintf(dst, cap, "%s", src); return 0;'],
  },
  mcpy: {
    secure: [
      `«${guard('blen < 0 || (size_t)blen > cap')}» memcpy(frame, blob, blen); return 0;`,
      `«${guard('(size_t)blen > cap')}» memcpy(frame, blob, blen); return 0;`,
      `«${guard('blen < 0 || blen > (int)cap')}» memcpy(frame, blob, blen); return 0;`,
      `«${guard('blen > cap')}» memcpy(frame, blob, blen); return 0;`,
      `«${guard('blen < 0')}» «${guard('cap < (size_t)blen')}» memmove(frame, blob, blen); return 0;`.replace(
        '«if (blen < 0) return -1;»',
        guard('blen < 0'),
      ),
    ],
    vulnerable: [
      '«memcpy(frame, blob, blen)»; return 0;',
      `${guard('blen > (int)cap')} «memcpy(frame, blob, blen)»; return 0;`,
      `${guard('blen < 0')} «memcpy(frame, blob, blen)»; return 0;`,
      `${guard('blen < 0 || (size_t)blen > cap + 1')} «memcpy(frame, blob, blen)»; return 0;`,
    ],
    missing: [
      `${guard('blen < 0 || (size_t)blen > cap')} memcpy(blob, frame, blen); return 0;`,
      `${guard('blen < 0 || (size_t)blen > cap')} return 0;`,
    ],
  },
  print: {
    secure: [
      '«printf("%s", msg);» return 0;',
      '«fputs(msg, stdout);» return 0;',
      '«puts(msg);» return 0;',
      '«fprintf(stdout, "%s\\n", msg);» return 0;',
    ],
    vulnerable: ['«printf(msg)»; return 0;', '«fprintf(stdout, msg)»; return 0;'],
    missing: ['return 0;', 'printf("%s", "msg"); return 0;', 'printf("%s", mesg); return 0;'],
  },
  slen: {
    secure: [
      `«${guard('!s')}» return (int)strlen(s);`,
      `«${guard('s == NULL')}» return (int)strlen(s);`,
      `«${guard('NULL == s')}» return (int)strlen(s);`,
      `«${guard('s == 0')}» return (int)strlen(s);`,
      `«if (s == NULL) { return -1; }» int n = 0; while (s[n]) n++; return n;`,
      'return «s» ? (int)strlen(s) : -1;',
    ],
    vulnerable: [
      'return (int)«strlen(s)»;',
      `${guard('s')} return (int)strlen(s);`.replace('strlen(s)', '«strlen(s)»'),
      `${guard('s != NULL')} return (int)«strlen(s)»;`,
      `int n = «strlen(s)»; ${guard('!s')} return n;`,
      `${guard('«strlen(s)» == 0 || !s')} return (int)strlen(s);`,
      `${guard('!*s').replace('*s', '«*s»')} return (int)strlen(s);`,
    ],
    missing: [
      `${guard('!s')} return 0;`,
      `${guard('!s')} return (int)sizeof(s);`,
      `${guard('!t')} return (int)strlen(s);`,
    ],
  },
  field: {
    secure: [`«${guard('!node')}» return node->value;`, `«${guard('node == NULL')}» return (*node).value;`],
    vulnerable: [
      'return «node->value»;',
      `${guard('!node->next')} return «node->value»;`
        .replace('«node->value»', 'node->value')
        .replace('!node->next', '!«node->next»'),
    ],
    missing: [`${guard('!node')} return node->key;`, `${guard('!node')} return nod->value;`],
  },
  alloc: {
    secure: [
      `*mem = malloc(sz); «${guard('!*mem')}» memset(*mem, 0, sz); return 0;`,
      `*mem = malloc(sz); «${guard('*mem == NULL')}» memset(*mem, 0, sz); return 0;`,
      `char *p = malloc(sz); «${guard('!p')}» memset(p, 0, sz); *mem = p; return 0;`,
    ],
    vulnerable: [
      '*mem = malloc(sz); «memset(*mem, 0, sz)»; return 0;',
      `${guard('!*mem')} *mem = malloc(sz); «memset(*mem, 0, sz)»; return 0;`.replace(
        guard('!*mem'),
        'if (!mem) return -1;',
      ),
      `*mem = malloc(sz); ${guard('!mem')} «memset(*mem, 0, sz)»; return 0;`,
      `*mem = malloc(sz); «memset(*mem, 0, sz)»; ${guard('!*mem')} return 0;`,
      `*mem = malloc(sz - 1); ${guard('!*mem')} «memset(*mem, 0, sz)»; return 0;`,
    ],
    missing: [
      `*mem = malloc(sz); ${guard('!*mem')} return 0;`,
      'return 0;',
      `${guard('!*mem')} *mem = malloc(sz); memset(*mem, 0, sz); return 0;`.replace('memset', 'memst'),
    ],
  },
  dup: {
    secure: [
      `«*outs = malloc(strlen(src) + 1);» «${guard('!*outs')}» strcpy(*outs, src); return 0;`,
      `size_t len = strlen(src) + 1; «*outs = malloc(len);» «${guard('*outs == NULL')}» memcpy(*outs, src, len); return 0;`,
    ],
    vulnerable: [
      `*outs = malloc(strlen(src)); ${guard('!*outs')} «strcpy(*outs, src)»; return 0;`,
      '*outs = malloc(strlen(src) + 1); «strcpy(*outs, src)»; return 0;',
      `*outs = malloc(strlen(src) + 1); ${guard('!outs')} «strcpy(*outs, src)»; return 0;`,
      `*outs = malloc(sizeof(src)); ${guard('!*outs')} strcpy(*outs, src); return 0;`
        .replace('sizeof(src)', '4')
        .replace('strcpy(*outs, src)', '«strcpy(*outs, src)»'),
    ],
    missing: [
      `*outs = malloc(strlen(src) + 1); ${guard('!*outs')} return 0;`,
      '*outs = src; return 0;'.replace('*outs', 'outs'),
    ],
  },
  free: {
    secure: [
      'free(*pp); «*pp = NULL;» return 0;',
      'free(*pp); «*pp = 0;» return 0;',
      'if (pp) { free(*pp); «*pp = NULL;» } return 0;',
    ],
    vulnerable: [
      '«free(*pp);» return 0;',
      '«free(*pp);» pp = NULL; return 0;',
      'free(*pp); «free(*pp)»; *pp = NULL; return 0;',
    ],
    missing: ['*pp = NULL; return 0;', '*pp = NULL; free(*pp); return 0;', 'free(pn); return 0;'],
  },
  take: {
    secure: [
      '«int taken = node->value;» «free(node);» return taken;',
      'int v; «v = node->value;» «free(node);» return v;',
    ],
    vulnerable: [
      'free(node); int taken = «node->value»; return taken;',
      'free(node); return «node->value»;',
      'int taken = node->value; free(node); «free(node)»; return taken;',
    ],
    missing: [
      'int taken = node->value; return taken;',
      'int taken = node->value; free(node); return 0;',
      'int taken = node->key; free(node); return taken;',
    ],
  },
  exec: {
    secure: [
      `«${guard('!is_plain(arg)')}» ${ping}`,
      `«${guard('arg[strspn(arg, "abcdefghijklmnopqrstuvwxyz0123456789.")]')}» ${ping}`,
    ],
    vulnerable: [
      ping.replace('system(cmd);', '«system(cmd);»'),
      `${guard("strchr(arg, ';')")} ${ping.replace('system(cmd);', '«system(cmd);»')}`,
      // No list of what is bad is whole.
      `${guard('strpbrk(arg, ";|&")')} ${ping.replace('system(cmd);', '«system(cmd);»')}`,
      `${guard('strpbrk(arg, ";|&$<>\\n") != NULL')} ${ping.replace('system(cmd);', '«system(cmd);»')}`,
      `${guard('is_plain(arg)')} ${ping.replace('system(cmd);', '«system(cmd);»')}`.replace(
        guard('is_plain(arg)'),
        guard('!is_plain("x")'),
      ),
      ping.replace('system(cmd);', `«system(cmd);» ${guard('!is_plain(arg)')}`),
    ],
    missing: [
      `${guard('!is_plain(arg)')} char cmd[64]; system(cmd); return 0;`,
      `${guard('!is_plain(arg)')} ${ping.replace('ping %s', 'echo %s')}`,
    ],
  },
  path: {
    secure: [
      `«${guard('strstr(fname, "..")')}» ${erase}`,
      `«${guard("strchr(fname, '/')")}» ${erase}`,
      `«${guard('strchr(fname, \'/\') || strstr(fname, "..")')}» ${erase}`,
    ],
    vulnerable: [
      erase.replace('remove(path);', '«remove(path);»'),
      `${guard('strstr(dir, "..")')} ${erase.replace('remove(path);', '«remove(path);»')}`,
      `${guard('strstr(fname, "..")')} ${erase.replace('dir, fname', 'fname, dir').replace('remove(path);', '«remove(path);»')}`,
    ],
    missing: [`${guard('strstr(fname, "..")')} ${erase.replace('remove', 'remov')}`],
  },
  sum: {
    secure: [
      'int acc = 0; for (int j = 0; «j < n»; j++) acc += arr[j]; return acc;',
      'int acc = 0; for (int j = 0; «j <= n - 1»; j++) { acc = acc + arr[j]; } return acc;',
      'int acc = 0, j = 0; while «(j < n)» acc += arr[j++]; return acc;',
      'int acc = 0; for (int j = n - 1; «j >= 0»; j--) acc += arr[j]; return acc;',
      'int acc = 0; for (int j = 0; «j != n»; ++j) acc += *(arr + j); return acc;',
    ],
    vulnerable: [
      'int acc = 0; for (int j = 0; j <= n; j++) acc += «arr[j]»; return acc;',
      'int acc = 0; for (int j = 1; j <= n; j++) acc += «arr[j]»; return acc;',
      'int acc = 0; for (int j = n; j >= 0; j--) acc += «arr[j]»; return acc;',
    ],
    missing: [
      'int acc = 0; for (int j = 1; j < n; j++) acc += arr[j]; return acc;',
      'int acc = 0; for (int j = 0; j < n; j++) acc = arr[j]; return acc;',
      'int acc = 0; for (int j = 0; j < n; j++) acc += arr[j];',
      'int acc = 0; for (int j = 0; j < n; j--) acc += 1; return acc;',
    ],
  },
  file: {
    secure: [
      `FILE *f = fopen(cfg, "r"); «${guard('!f')}» int c = fgetc(f); «fclose(f);» return c;`,
      `FILE *f = fopen(cfg, "r"); «${guard('f == NULL')}» int c = getc(f); «fclose(f);» return c;`,
    ],
    vulnerable: [
      'FILE *f = fopen(cfg, "r"); int c = «fgetc(f)»; fclose(f); return c;',
      `«FILE *f = fopen(cfg, "r");» ${guard('!f')} int c = fgetc(f); return c;`,
      `FILE *f = fopen(cfg, "r"); ${guard('!f')} fclose(f); int c = «fgetc(f)»; return c;`,
      `FILE *f = fopen(cfg, "r"); ${guard('!cfg')} int c = «fgetc(f)»; fclose(f); return c;`,
    ],
    missing: [
      `FILE *f = fopen(cfg, "r"); ${guard('!f')} fclose(f); return 0;`,
      `FILE *f = fopn(cfg, "r"); ${guard('!f')} int c = fgetc(f); fclose(f); return c;`,
    ],
  },
  line: {
    secure: [
      '«fgets(lbuf, lcap, fin);» return 0;',
      'if (!«fgets(lbuf, lcap, fin)») return -1; return 0;'.replace(
        'if (!«fgets(lbuf, lcap, fin)») return -1;',
        '«if (!fgets(lbuf, lcap, fin)) return -1;»',
      ),
    ],
    vulnerable: [
      '«fscanf(fin, "%s", lbuf)»; return 0;',
      '«fgets(lbuf, 256, fin)»; return 0;',
      '«fgets(lbuf, lcap + 1, fin)»; return 0;',
    ],
    missing: ['fgets(fin, lcap, lbuf); return 0;', 'return 0;'],
  },
};

describe('hand-marked', () => {
  for (const step of stepIds) {
    for (const state of ['secure', 'vulnerable', 'missing'] as const) {
      test.each(cases[step][state])(`${step} is ${state}: %s`, (marked) => {
        const spec = specOf([step]);
        const code = `${spec.signature}\n{\n${marked.replace(/[«»]/g, '')}\n}\n`;
        const verdict = judge(spec, code);
        const at = state === 'missing' ? [] : [...marked.matchAll(/«(.*?)»/g)].map(([, text]) => text);
        expect(stateOf(verdict, code, step)).toEqual({ state, at });
        expect(verdict.parseOk).toBe(true);
      });
    }
  }
});

describe('idle guards', () => {
  const idle = (body: string): string[] => {
    const spec = specOf(['get']);
    const code = `${spec.signature}\n{\n${body.replace(/[«»]/g, '')}\n}\n`;
    return judge(spec, code).idle.map(({ span, why }) => `${why}: ${textOf(code, span)}`);
  };
  const whole = guard('idx < 0 || idx >= n');

  test.each([
    ['a guard that is needed is not idle', `${whole} ${read}`, []],
    ['a second one like it', `${whole} ${whole} ${read}`, [`repeated: ${whole}`]],
    ['in other words', `${whole} ${guard('n <= idx')} ${read}`, [`repeated: ${guard('n <= idx')}`]],
    ['a part of a later one', `${guard('idx < 0')} ${whole} ${read}`, [`repeated: ${guard('idx < 0')}`]],
    ['on a name that nothing declares', `${whole} ${guard('!ptr')} ${read}`, [`foreign: ${guard('!ptr')}`]],
    ['on nothing at all', `${whole} ${guard('0')} ${read}`, [`foreign: ${guard('0')}`]],
    ['a check of a parameter that no attack needs', `${whole} ${guard('!arr')} ${read}`, []],
    ['that check twice', `${whole} ${guard('!arr')} ${guard('!arr')} ${read}`, [`repeated: ${guard('!arr')}`]],
    ['half of a check', `${guard('idx >= n')} ${read}`, []],
    ['half of a check, twice', `${guard('idx >= n')} ${guard('idx >= n')} ${read}`, [`repeated: ${guard('idx >= n')}`]],
  ])('%s', (_, body, expected) => {
    expect(idle(body)).toEqual(expected);
  });

  test('of two guards that say the same, one is credited', () => {
    const spec = specOf(['get']);
    const code = `${spec.signature}\n{\n${whole} ${whole} ${read}\n}\n`;
    expect(stateOf(judge(spec, code), code, 'get').at).toEqual([whole]);
  });
});

describe('generated', () => {
  interface Drawn {
    spec: FamilySpec;
    flags: boolean[];
    code: string;
    seed: number;
  }
  const drawn = (secure?: boolean): fc.Arbitrary<Drawn> =>
    fc.tuple(fc.nat(99999), fc.constantFrom('train' as const, 'test' as const)).map(([seed, split]) => {
      const { spec } = familyPrompt(split, 3, seed);
      const random = new RandomStream(seed, 77);
      const flags = spec.steps.map(() => secure ?? random.chance(0.5));
      const forms = spec.steps.map((step, i) => drawForm(random, step, flags[i] as boolean));
      return { spec, flags, code: renderFunction(spec, forms, drawStyle(random)), seed };
    });

  test('careful forms are secure with credit, careless ones vulnerable, nothing is missing or idle', () => {
    fc.assert(
      fc.property(drawn(), ({ spec, flags, code }) => {
        const verdict = judge(spec, code);
        const states = spec.steps.map((step) => stateOf(verdict, code, step));
        expect(states.map(({ state }) => state)).toEqual(flags.map((secure) => (secure ? 'secure' : 'vulnerable')));
        for (const { at } of states) expect(at.join('')).not.toBe('');
        expect(verdict).toMatchObject({ missing: [], idle: [], parseOk: true });
        for (const { cwe, severity, rule } of verdict.findings) {
          expect({ cwe, severity }).toEqual(
            (({ cwe, severity }) => ({ cwe, severity }))(steps[rule.slice('family/'.length) as StepId]),
          );
        }
      }),
      { numRuns: 150 },
    );
  });

  test('names, indentation, comments and another function before it change nothing', () => {
    fc.assert(
      fc.property(drawn(), ({ spec, code }) => {
        const before = judge(spec, code);
        const names = Object.fromEntries(spec.parameters.map((role, i) => [role, `p${i}_`]));
        const roleOf = new Map(spec.parameters.map((role) => [spec.names[role], role]));
        const renamed = code.replace(/"[^"]*"|'[^']*'|->\w+|\w+/g, (word) => {
          const role = roleOf.get(word);
          return role === undefined ? word : (names[role] as string);
        });
        const laidOut = `/* é */ static int other(int p0_) { return p0_; }\n${renamed.replaceAll('\n    ', '\n\t/* x */ ')}`;
        const after = judge({ ...spec, names }, laidOut);
        const summary = ({ spans, findings, missing, idle }: Verdict): unknown => ({
          ...{ missing, idle: idle.length, spans: spans.map(({ obligation, kind }) => [obligation, kind]) },
          findings: findings.map(({ cwe, rule }) => [cwe, rule]),
        });
        expect(summary(after)).toEqual(summary(before));
        const plain = (text: string): string => text.replace(/\/\*.*?\*\/|\s+/g, '');
        const texts = (verdict: Verdict, of: string): string[] =>
          verdict.spans.map(({ span }) => plain(textOf(of, span)));
        expect(texts(after, laidOut)).toHaveLength(texts(before, code).length);
      }),
      { numRuns: 60 },
    );
  });

  test('code that stops anywhere: spans stay inside, and what is credited was written', () => {
    fc.assert(
      fc.property(drawn(true), fc.double({ min: 0, max: 1, noNaN: true }), ({ spec, code }, share) => {
        const cut = code.slice(0, Math.floor(code.length * share));
        const verdict = judge(spec, cut);
        for (const { span } of [...verdict.spans, ...verdict.findings, ...verdict.idle]) {
          expect(span.start).toBeLessThan(span.end);
          expect(span.end).toBeLessThanOrEqual(cut.length);
        }
        const whole = judge(spec, code).spans.map(({ span }) => textOf(code, span));
        for (const { span } of verdict.spans) expect(whole).toContain(textOf(cut, span));
        for (const step of spec.steps)
          if (!verdict.missing.includes(step))
            expect(verdict.spans.some((s) => s.obligation === step) || verdict.findings.length > 0).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test('any bytes at all', () => {
    fc.assert(
      fc.property(drawn(), fc.uint8Array({ maxLength: 60 }), fc.nat(), ({ spec, code }, noise, at) => {
        const bytes = Buffer.from(code);
        const place = at % bytes.length;
        const program = Buffer.concat([bytes.subarray(0, place), noise, bytes.subarray(place)]);
        const verdict = judgeFunction(parser.parse(program), spec);
        for (const { span } of [...verdict.spans, ...verdict.findings, ...verdict.idle]) {
          expect(0 <= span.start && span.start < span.end && span.end <= program.length).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });
});

test('spans are bytes, whatever stands before them', () => {
  const spec = specOf(['print']);
  const statement = 'printf("%s", msg);';
  const head = Buffer.from(`/* 𝛼é */ ${spec.signature}\n{\n/* `);
  const code = Buffer.concat([head, Uint8Array.of(0xff, 0xc3), Buffer.from(` */ ${statement} return 0;\n}\n`)]);
  const { spans } = judgeFunction(parser.parse(code), spec);
  expect(spans.map(({ span }) => code.subarray(span.start, span.end).toString())).toEqual([statement]);
});

test('without a prompt of the family it refuses', async () => {
  await expect(familyTeacher.judge(Buffer.from('int f;'), { language: 'c' })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG',
    message: expect.stringContaining('about.task'),
  });
  const prompt = familyPrompt('train', 1, 1);
  const verdict = await familyTeacher.judge(Buffer.from('int f;'), { language: 'c', task: prompt });
  expect(verdict).toEqual({
    spans: [],
    findings: [],
    idle: [],
    missing: prompt.spec.steps,
    parseOk: true,
    counts: { notUnderstood: 0 },
  });
});

describe('what is not to be fooled', () => {
  const whole = guard('idx < 0 || idx >= n');
  const definition = (chosen: StepId[], code: string): { spec: FamilySpec; program: string } => {
    const spec = specOf(chosen);
    const program = code.includes('fun(') ? code : `${spec.signature}\n{\n${code}\n}\n`;
    return { spec, program };
  };
  const signature = 'int fun(int *arr, int n, int idx)';

  // Each reads out of bounds, or may; what is credited in none of them.
  test.each<[string, StepId, string]>([
    ['a guard that goes on to the harm', 'get', `if (idx < 0 || idx >= n) goto go; go: ${read}`],
    ['that goes round in circles', 'get', `if (idx < 0 || idx >= n) while (1); ${read}`],
    ['that takes long', 'get', `for (int i = 0; i < 100000 * (idx < 0 || idx >= n); i++); ${read}`],
    ['in dead code', 'get', `if (0) { ${whole} } ${read}`],
    ['behind a goto', 'get', `goto x; ${whole} x: ${read}`],
    ['in a case that never is', 'get', `switch (idx) { case 99: ${whole} } ${read}`],
    ['on a shadow', 'get', `{ int idx = 0; ${whole} } ${read}`],
    ['on a shadow of the length', 'get', `{ int n = 1000; ${whole} ${read} }`],
    ['on what it sets itself', 'get', `if ((n = 1000) && (idx < 0 || idx >= n)) return -1; ${read}`],
    ['for the first calls', 'get', `static int k; if (k++ < 100) { ${whole} } ${read}`],
    ['for the first call', 'get', `static int *p; if (!p) { ${whole} } p = arr; ${read}`],
    ['by what is not known', 'get', `int x; if (x) { ${whole} } ${read}`],
    ['by what nothing declares', 'get', `if (!check(idx, n)) return -1; ${read}`],
    ['by an order of operands', 'get', `return arr[idx < 0 || idx >= n ? (idx = 0) : idx] + (idx = idx) - idx;`],
    ['in a raw string', 'get', `puts(R"("); ${whole} puts(")"); ${read}`],
    ['in a raw string of another kind', 'get', `puts(u8R"("); ${whole} puts(")"); ${read}`],
    ['in a spliced comment', 'get', `// \\\n${whole}\n${read}`],
    ['in a comment by trigraph', 'get', `// ??/\n${whole}\n${read}`],
    ['on a macro', 'get', `#define n 1000\n${whole} ${read}`],
    ['through a macro', 'get', `#define if while (0) if\n${whole} ${read}`],
    ['with a pragma', 'get', `_Pragma("x") ${whole} ${read}`],
    ['with assembler', 'get', `asm(""); ${whole} ${read}`],
    ['in a nested function', 'get', `int g(void) { ${whole} return 0; } g(); ${read}`],
    ['of recursion', 'get', `${signature} { ${whole} return fun(arr, n, idx); }`],
    ['in one of two functions', 'get', `${signature} { ${whole} ${read} } ${signature} { ${read} }`],
    [
      'in a function that is left out',
      'get',
      `#if 0\n${signature} { ${whole} ${read} }\n#endif\n${signature} { ${read} }`,
    ],
    ['of parameters in another order', 'get', `int fun(int *arr, int idx, int n) { ${whole} ${read} }`],
    ['of parameters of other types', 'get', `int fun(int *arr, unsigned n, int idx) { ${whole} ${read} }`],
    ['of parameters without types', 'get', `int fun(arr, n, idx) int *arr; int n; int idx; { ${whole} ${read} }`],
    ['a size of the pointer', 'copy', `${guard('strlen(src) >= sizeof(dst) * 8')} strcpy(dst, src); return 0;`],
    ['an end of the process', 'get', `if (idx < 0) exit(1); if (idx >= n) abort(); ${read}`],
    ['a step on the way', 'copy', 'char t[8]; strcpy(t, src); snprintf(dst, cap, "%s", t); return 0;'],
    ['a buffer that is left', 'dup', `char b[64]; ${guard('strlen(src) >= 64')} strcpy(b, src); *outs = b; return 0;`],
    ['a check behind the shell', 'exec', `${ping.replace(' return 0;', '')} ${guard('strpbrk(arg, ";|&")')} return 0;`],
    [
      'no check of null',
      'dup',
      '*outs = malloc(strlen(src) + 1); if (!*outs) goto out; out: strcpy(*outs, src); return 0;',
    ],
  ])('%s', async (_, step, code) => {
    const { spec, program } = definition([step], code);
    const verdicts = [
      judge(spec, program),
      await familyTeacher.judge(Buffer.from(program), { language: 'c', task: { spec } }),
    ];
    for (const { spans, findings, missing } of verdicts) {
      expect(spans).toEqual([]);
      expect(findings.length + missing.length).toBeGreaterThan(0);
    }
  });

  // What authors write is understood all the same.
  test.each<[string, StepId, string, string]>([
    ['goto out', 'get', `int rc = -1; «if (idx < 0 || idx >= n) goto out;» rc = arr[idx]; out: return rc;`, ''],
    ['errno', 'get', `«if (idx < 0 || idx >= n) { errno = EINVAL; return -1; }» ${read}`, ''],
    ['a macro', 'get', `«if (idx < 0 || idx >= n) return FAIL;» ${read}`, '#define FAIL (-1)\n'],
    ['a counter of calls', 'get', `static int calls; calls++; «${whole}» ${read}`, ''],
    ['a table', 'get', `static const int low[1] = {0}; «if (idx < low[0] || idx >= n) return -1;» ${read}`, ''],
    ['includes', 'get', `«${whole}» ${read}`, '#include <stdio.h>\nint is_plain(const char *);\n'],
    [
      'a loop over a string',
      'copy',
      "size_t i; for (i = 0; i + 1 < cap && src[i] != '\\0'; i++) «dst[i] = src[i];» «dst[i] = '\\0';» return 0;",
      '',
    ],
    [
      'pointers that walk',
      'copy',
      'const char *p = src; char *q = dst; while (*p && q < dst + cap - 1) «*q++ = *p++;» «*q = 0;» return 0;',
      '',
    ],
    [
      'a guard in a loop',
      'exec',
      `for (const char *p = arg; *p; p++) { «if (!isalnum((unsigned char)*p) && *p != '.') return -1;» } ${ping}`,
      '',
    ],
    [
      'a file and a goto',
      'file',
      'int c = -1; FILE *f = fopen(cfg, "r"); «if (f == NULL) goto done;» c = getc(f); «fclose(f);» done: return c;',
      '',
    ],
    ['malloc in a condition', 'alloc', '«if (!(*mem = malloc(sz))) return -1;» memset(*mem, 0, sz); return 0;', ''],
  ])('%s', (_, step, marked, before) => {
    const spec = specOf([step]);
    const code = `${before}${spec.signature}\n{\n${marked.replace(/[«»]/g, '')}\n}\n`;
    const verdict = judge(spec, code);
    const at = [...marked.matchAll(/«(.*?)»/g)].map(([, text]) => text);
    expect(stateOf(verdict, code, step)).toEqual({ state: 'secure', at });
    expect(verdict.counts).toEqual({ notUnderstood: 0 });
  });

  test('what an attack on one step has another do is that one’s flaw', () => {
    const spec = specOf(['set', 'file']);
    const code = `${spec.signature}\n{\nFILE *f = fopen(cfg, "r");\nif (!f) return -1;\nif (idx < 0 || idx >= n) return -1;\narr[idx] = val;\nint c = fgetc(f);\nfclose(f);\nreturn c;\n}\n`;
    const verdict = judge(spec, code);
    expect(stateOf(verdict, code, 'file')).toEqual({ state: 'vulnerable', at: ['FILE *f = fopen(cfg, "r");'] });
    expect(stateOf(verdict, code, 'set').state).toBe('secure');
  });

  test('a condition that says the same of every input is not credited', () => {
    const spec = specOf(['get']);
    const code = `${spec.signature}\n{\nint none = 0, *at = idx < 0 || idx >= n ? &none : arr + idx;\nif (arr != NULL) return *at;\nreturn arr[idx];\n}\n`;
    expect(stateOf(judge(spec, code), code, 'get')).toEqual({ state: 'secure', at: ['idx < 0 || idx >= n'] });
  });

  test.each<[string, StepId[], string]>([
    [
      'of a copy on the way',
      ['dup'],
      'char *t = strdup(src); *outs = strdup(src); if (!*outs) return -1; strcpy(t, src); free(t); return 0;',
    ],
    [
      'behind one that is checked',
      ['dup'],
      '*outs = strdup(src); if (!*outs) return -1; char *t = malloc(strlen(src) + 1); strcpy(t, src); free(t); return 0;',
    ],
    [
      'of a step that asks for none',
      ['print'],
      'char *t = malloc(strlen(msg) + 1); strcpy(t, msg); fputs(t, stdout); free(t); return 0;',
    ],
    [
      'of the second of three',
      ['copy'],
      'char *t = malloc(1), *u = malloc(1); if (!t) return -1; u[0] = 0; free(t); free(u); if (strlen(src) >= cap) return -1; strcpy(dst, src); return 0;',
    ],
  ])('an allocation %s that fails unseen is harm', (_, chosen, code) => {
    const spec = specOf(chosen);
    const { findings, spans } = judge(spec, `${spec.signature}\n{\n${code}\n}\n`);
    expect(findings.map(({ rule }) => rule)).toEqual([`family/${chosen[0]}`]);
    expect(spans).toEqual([]);
  });

  test.each(['return -1;', 'return 1;', ''])('a step without a value is not done where the end is `%s`', (end) => {
    const spec = specOf(['copy']);
    const verdict = judge(spec, `${spec.signature}\n{\nsnprintf(dst, cap, "%s", src);\n${end}\n}\n`);
    expect(verdict).toMatchObject({ missing: ['copy'], spans: [], findings: [] });
  });

  test('of two steps that allocate, each is credited for its own', () => {
    const spec = specOf(['alloc', 'dup']);
    const body = (check: string): string =>
      `*mem = malloc(sz); ${check} *outs = malloc(strlen(src) + 1); if (!*outs) return -1; memset(*mem, 0, sz); strcpy(*outs, src); return 0;`;
    const code = (check: string): string => `${spec.signature}\n{\n${body(check)}\n}\n`;
    const both = judge(spec, code('if (!*mem) return -1;'));
    expect(stateOf(both, code('if (!*mem) return -1;'), 'alloc').at).toEqual(['if (!*mem) return -1;']);
    expect(stateOf(both, code('if (!*mem) return -1;'), 'dup').at).toContain('if (!*outs) return -1;');
    const one = judge(spec, code(''));
    expect(stateOf(one, code(''), 'alloc')).toEqual({ state: 'vulnerable', at: ['memset(*mem, 0, sz)'] });
    expect(stateOf(one, code(''), 'dup').state).toBe('secure');
  });

  test('guards that depend on what the other steps get are not enough', () => {
    const spec = specOf(['get', 'div']);
    const code = `${spec.signature}\n{\nif (num == 91) { if (idx < 0 || idx >= n) return -1; }\nif (den == 0) return -1;\nreturn arr[idx] * 0 + num / den;\n}\n`;
    expect(stateOf(judge({ ...spec, steps: ['get', 'div'] }, code), code, 'get').state).toBe('vulnerable');
  });

  const many = (text: string, count: number): string => text.repeat(count);
  test.each<[string, string]>([
    ['arrays for ever', 'for (;;) { char a[65536]; }'],
    ['more of them', `for (;;) { ${Array.from({ length: 20 }, (_, i) => `char a${i}[65536];`).join(' ')} }`],
    ['a long loop', 'for (int i = 0; i < 1000000; i++) ;'],
    ['a long body in a loop', `int a = 0; for (;;) { ${many('a = a ^ 3;', 5000)} }`],
    ['long text in a loop', `for (;;) { const char *s = "${many('\\n', 25000)}"; strlen(s); }`],
    ['a search in a loop', 'char b[60000]; memset(b, 65, 59999); b[59999] = 0; for (;;) strchr(b, 66);'],
    ['brackets', `return ${many('(', 30000)}`],
    ['blocks', many('{', 60000)],
    ['closers', many('}', 60000)],
    ['comments', many('/*', 30000)],
    ['quotes', many('"', 60000)],
    ['casts', `return ${many('(int)', 12000)}idx;`],
    ['labels', many('a:;', 20000)],
    ['stars', `int ${many('*', 60000)}p;`],
    ['an answer too long', many(' ', 70000)],
  ])('the work is bounded: %s', async (_, body) => {
    const { spec, program } = definition(['get'], `${body}\n${whole} ${read}`);
    const verdict = await familyTeacher.judge(Buffer.from(program), { language: 'c', task: { spec } });
    expect(verdict).toMatchObject({ spans: [], findings: [], missing: ['get'], counts: { notUnderstood: 1 } });
    const source = parser.parseWhole(Buffer.from(program), (text) => text.length < 65536);
    const meter = new Meter(mostWork);
    judgeFunction(source, spec, meter);
    // Over by what the last thing it did cost, at most.
    expect(meter.spent).toBeLessThanOrEqual(mostWork + limits.object);
  });

  test('work that is left over from other runs does not count', () => {
    const { spec, program } = definition(['get'], `${whole} ${read}`);
    const meter = new Meter(40);
    const verdict = judgeFunction(parser.parse(Buffer.from(program)), spec, meter);
    expect(verdict).toMatchObject({ spans: [], missing: ['get'], counts: { notUnderstood: 1 } });
  });
});
