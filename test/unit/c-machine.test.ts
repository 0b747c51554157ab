import { beforeAll, describe, expect, test } from 'vitest';
import { literal } from '../../src/analysis/c/literals.js';
import { limits, Machine, Meter, type Run, Unknown, type World } from '../../src/analysis/c/machine.js';
import { readText } from '../../src/analysis/c/plain.js';
import { readFunction } from '../../src/analysis/c/program.js';
import { CParser } from '../../src/analysis/c/syntax.js';
import { char, Memory, nodeMemory, Pointer, streamMemory, textCells, type Value } from '../../src/analysis/c/values.js';

let parser: CParser;
beforeAll(async () => {
  parser = await CParser.load();
});

const headers: ReadonlySet<string> = new Set(['stdio.h', 'string.h']);

/** Runs a function of one parameter, `x`. */
function run(code: string, { type = 'int ', value = 7n as Value, world = {} as Partial<World> } = {}): Run {
  const source = parser.parseWhole(Buffer.from(code), () => true);
  const node = source.root.children.findLast((one) => one.type === 'function_definition');
  if (node === undefined) throw new Unknown(source.root, 'broken code');
  const wanted = { name: 'f', parameters: [type], headers };
  return Machine.run(readFunction(source, node, wanted), { parameters: [value], ...world });
}

const inBody = (body: string): string => `int f(int x)\n{\n${body}\n}\n`;
const returned = (body: string): unknown => {
  const { outcome, returned, trap, unknown } = run(inBody(body));
  return outcome === 'returned' && typeof returned === 'bigint' ? Number(returned) : (trap ?? unknown)?.why;
};
const why = (code: string): string => {
  try {
    return run(code).unknown?.why ?? 'understood';
  } catch (error) {
    if (error instanceof Unknown) return error.why;
    throw error;
  }
};

describe('integers', () => {
  test.each([
    ['char c = 200; return c;', -56],
    ['unsigned char c = 200; return c;', 200],
    ['unsigned char c = 255; c++; return c;', 0],
    ['char c = 127; c++; return c;', -128],
    ["return '\\xff';", -1],
    ['return -1 < 1u;', 0],
    ['return -1 < 1L;', 1],
    ['return (unsigned)-1 > 5;', 1],
    ['size_t a = 3, b = 5; return a - b > 100;', 1],
    ['unsigned u = 0; u--; return u == UINT_MAX;', 1],
    ['return 7 / -2;', -3],
    ['return -7 % 3;', -1],
    ['return 1 << 10 | 3;', 1027],
    ['return -8 >> 1;', -4],
    ['return 0x7fffffff + 1u > 0;', 1],
    ['return 010 + 0x10;', 24],
    ['return (1, 2) + 3;', 5],
    ['int a = 5; a += a * 2; a <<= 1; a ^= 3; return a;', 29],
    ['int a = 5; return a++ * 10 + a - a;', 'an order of operands that C leaves open'],
    ['int a = 5; int b = a++; return b * 10 + a;', 56],
    ['return x > 3 ? x < 5 ? 1 : 2 : 3;', 2],
    ['return !x + !!x * 2;', 2],
    ['return ~x & 0xf;', 8],
    ['bool b = 4; return b;', 1],
    ['short s = 40000; return s;', -25536],
    ['long long a = INT_MAX; return a + 1 > INT_MAX;', 1],
    ['return sizeof(int) + sizeof(char *) + sizeof(struct node) + sizeof "abc";', 48],
    ['char b[10]; int a[3]; return sizeof b * 100 + sizeof(a) + sizeof a[0] + sizeof *a;', 1020],
    ['char *p = NULL; return sizeof p + sizeof *p;', 9],
    ['return 2147483647 + x;', 'signed overflow'],
    ['int m = INT_MIN; return -m;', 'signed overflow'],
    ['int m = INT_MIN; return m / -1;', 'signed overflow'],
    ['return x / 0;', 'division by zero'],
    ['return 1 << 32;', 'shift out of range'],
    ['return 1 << 31;', 'shift out of range'],
    ['return -1 << 1;', 'shift out of range'],
  ])('%s', (body, expected) => {
    let result: unknown;
    try {
      result = returned(body);
    } catch (error) {
      result = (error as Unknown).why;
    }
    expect(result).toBe(expected);
  });

  test.each([
    ['2147483648', 64, true],
    ['0x80000000', 32, false],
    ['4294967295u', 32, false],
    ['1UL', 64, false],
    ['18446744073709551615', undefined, undefined],
    ['08', undefined, undefined],
    ['1.5', undefined, undefined],
    ["1'000", undefined, undefined],
  ])('the literal %s has %s bits', (text, bits, signed) => {
    expect(literal(text)?.type.bits).toBe(bits);
    expect(literal(text)?.type.signed).toBe(signed);
  });
});

describe('pointers and memory', () => {
  test.each([
    ['int a[4] = {1, 2}; int *p = a + 1; return *p * 10 + p[-1] + a[3] + (p - a) + (p > a) + (p == &a[1]);', 24],
    ['int a[3] = {4, 5, 6}; int *p = a; int s = 0; while (p != a + 3) s = s * 10 + *p++; return s;', 456],
    ['char s[] = "hi"; char *p = s; *p++ = \'H\'; return s[0] + p[1];', 72],
    ['char s[4] = "a"; return s[0] + s[1] + s[3];', 97],
    ['char b[3]; b[3] = 1; return 0;', 'out of bounds'],
    ['char b[3]; return b[0] == 1;', 'a condition on what is not known'.replace('a condition', 'a condition')],
    ['int *p = NULL; return *p;', 'null pointer'],
    ['char *p = "lit"; p[0] = 1; return 0;', 'write to a literal'],
    ['int *p; { int y = 3; p = &y; } return *p;', 'use after scope'],
    ['int *p = malloc(8); p[1] = 5; int *q = p + 1; return *q + (int)(q - p);', 6],
    ['int *p = malloc(8); p[2] = 5; return 0;', 'out of bounds'],
    ['int *p = calloc(2, sizeof *p); return p[0] + p[1];', 0],
    ['char *p = malloc(2); free(p); return p[0];', 'use after free'],
    ['char *p = malloc(2); free(p); free(p); return 0;', 'double free'],
    ['char *p = malloc(2); free(p + 1); return 0;', 'free of what was not allocated'],
    ['char b[2]; free(b); return 0;', 'free of what was not allocated'],
    ['free(NULL); return 3;', 3],
    ['char *p = malloc(2); p[0] = 1; p[1] = 2; p = realloc(p, 4); p[3] = 5; return p[0] + p[1] + p[3];', 8],
    ['char *p = malloc(2); char *q = realloc(p, 9); if (!q) return -1; return p[0];', 'use after free'],
    ['unsigned char b[2]; char *p = (char *)b; *p = -1; return b[0];', 255],
    ['int a[2] = {1, 2}; char *p = (char *)a; return *p;', 'memory of another type'],
    ['int a = 5; int *p = &a; *p += 2; return a;', 7],
    ['int n = 3; char b[n]; b[2] = 4; return sizeof(char) + b[2];', 5],
    ['int n = 0; char b[n]; return 0;', 'an array of no length'],
    ['char *p = NULL; return p + 1 == 0;', 'arithmetic on null'],
    ['char a[2], b[2]; return a < b;', 'the order of two objects'],
    ['char a[2], b[2]; return a == b;', 0],
  ])('%s', (body, expected) => {
    const result = returned(body);
    if (body.includes('b[0] == 1')) expect(run(inBody(body)).returned).toBeUndefined();
    else expect(result).toBe(expected);
  });

  test('a struct node has its members, which go with it', () => {
    const node = nodeMemory(42);
    const type = 'struct node *';
    const given = { type, value: new Pointer(node) };
    const code = (body: string): string => `int f(struct node *x)\n{\n${body}\n}\n`;
    expect(run(code('x->value += 1; return (*x).value + (x->next == NULL);'), given).returned).toBe(44n);
    expect(run(code('int *p = &x->value; free(x); return *p;'), given).trap?.why).toBe('use after free');
    expect(node.ended).toBe('freed');
  });
});

describe('control', () => {
  test.each([
    ['int i = 0; again: i++; if (i < 5) goto again; return i;', 5],
    ['if (x) goto out; return 1; out: return 2;', 2],
    ['goto in; { int y = 9; in: y = 3; return y; }', 3],
    ['for (int i = 0; i < 9; i++) { for (;;) { if (i == 4) goto out; break; } } out: return 8;', 8],
    ['int n = 0; goto mid; while (n < 10) { n += 5; mid: n += 2; } return n;', 16],
    ['switch (x) { case 1: return 1; case 7: x++; case 8: x += 2; break; default: x = 0; } return x;', 10],
    ['switch (x) { default: x = 100; case 3: x++; } return x;', 101],
    ['switch (x) { case 1: case 2: return 5; } return 6;', 6],
    ["switch ('a') { case 'a': for (;;) { break; } return 4; } return 5;", 4],
    ['int s = 0; for (int i = 0; i < 5; i++) { switch (i) { case 2: continue; } s += i; } return s;', 8],
    ['int i = 0; do { i++; if (i == 2) continue; } while (i < 4); return i;', 4],
    ['int s = 0, i; for (i = 0, s = 1; i < 3; i++, s *= 2) ; return s;', 8],
    ['if (x == 1) return 1; else if (x == 7) return 2; else return 3;', 2],
    ['static int k = 4; k++; return k;', 5],
    ['int y = 1; { int y = 2; y++; } return y;', 1],
    ['for (int i = 0; i < 3; i++) { int y; if (i == 0) y = 5; if (i == 1) return y == 5; } return 0;', undefined],
  ])('%s', (body, expected) => {
    if (expected === undefined) expect(run(inBody(body)).returned).toBeUndefined();
    else expect(returned(body)).toBe(expected);
  });

  test('the calls of one process share static variables', () => {
    const source = parser.parse(Buffer.from(inBody('static int k; return ++k;')));
    const node = source.root.children[0];
    if (node === undefined) throw new Error('no function');
    const program = readFunction(source, node, { name: 'f', parameters: ['int '], headers });
    const world: World = { parameters: [0n], statics: new Map() };
    expect([1, 2, 3].map(() => Machine.run(program, world).returned)).toEqual([1n, 2n, 3n]);
    expect(Machine.run(program, { parameters: [0n] }).returned).toBe(1n);
    expect(program.remembers).toBe(true);
    // Of what an earlier call left there, nothing is known.
    expect(Machine.run(program, { parameters: [0n], calledBefore: true }).returned).toBeUndefined();
  });

  test('where a function left, and what decided', () => {
    const { leftBy, decisions } = run(
      inBody('if (x == 3) return 1; if (x > 5) { if (x) goto out; } return 2; out: return -1;'),
    );
    expect(leftBy?.held).toBe(true);
    expect([...decisions.values()]).toEqual([false, true, true]);
    expect(run(inBody('if (x) exit(3); return 0;'))).toMatchObject({ outcome: 'left' });
  });

  test('a forced condition still has its side effects', () => {
    const source = parser.parse(Buffer.from(inBody('if (x++ > 3) return -1; return x;')));
    const node = source.root.children[0];
    const program = readFunction(source, node as NonNullable<typeof node>, {
      name: 'f',
      parameters: ['int '],
      headers,
    });
    const { leftBy } = Machine.run(program, { parameters: [7n] });
    const forced = new Map(leftBy === undefined ? [] : [[leftBy.condition, false] as const]);
    expect(Machine.run(program, { parameters: [7n], forced }).returned).toBe(8n);
  });
});

describe('library', () => {
  const s = 'char s[] = "a,b;c";';
  test.each([
    [`${s} return strlen(s);`, 5],
    ['return strnlen("abc", 2) + strnlen("abc", 9);', 5],
    ['return strcmp("a", "b") < 0;', 1],
    ['if (strncmp("abc", "abd", 2) == 0 && strncmp("abc", "abd", 3)) return 4; return 5;', 4],
    [`${s} return strchr(s, ',') - s;`, 1],
    [`${s} return strchr(s, '\\0') - s;`, 5],
    [`${s} return strchr(s, 'x') == NULL;`, 1],
    ['char s[] = "abca"; return strrchr(s, 97) - s;', 3],
    [`${s} return strstr(s, "b;") - s;`, 2],
    [`${s} return strpbrk(s, ";,") - s;`, 1],
    ['return strspn("aab1", "ab") * 10 + strcspn("aab1", "123");', 33],
    ['return strspn("", "a") + strcspn("abc", "");', 3],
    ['if (is_plain("a.1") && !is_plain("a b")) return 1; return 0;', 1],
    ['char d[4]; strcpy(d, "abc"); return d[2] + d[3];', 99],
    ['char d[3]; strcpy(d, "abc"); return 0;', 'out of bounds'],
    ['char d[4]; char *e = stpcpy(d, "ab"); return e - d;', 2],
    ['char d[4]; strncpy(d, "abcdef", 4); return d[3];', 100],
    ['char d[4]; strncpy(d, "a", 4); return d[1] + d[3];', 0],
    ['char d[4]; strncpy(d, "a", 5); return 0;', 'out of bounds'],
    ['char d[5] = "ab"; strcat(d, "cd"); return strlen(d);', 4],
    ['char d[4] = "ab"; strcat(d, "cd"); return 0;', 'out of bounds'],
    ['char d[5] = "ab"; strncat(d, "cdef", 2); return d[3] + d[4];', 100],
    ['char d[4] = "ab"; strncat(d, "cdef", 2); return 0;', 'out of bounds'],
    ['int a[2] = {1, 2}, b[2]; memcpy(b, a, sizeof a); return b[0] * 10 + b[1];', 12],
    ['int a[2] = {1, 2}, b[1]; memcpy(b, a, sizeof a); return 0;', 'out of bounds'],
    ['char a[2] = {1, 2}; memcpy(a, "abc", -1); return 0;', 'out of bounds'],
    ['char a[4] = "abc"; memcpy(a + 1, a, 2); return 0;', 'a copy onto itself'],
    ['char a[4] = "abc"; memmove(a + 1, a, 2); return a[2];', 98],
    ['int a[2]; memset(a, 1, sizeof a); return a[1];', 0x01010101],
    ['char a[2]; memset(a, 0, 3); return 0;', 'out of bounds'],
    ['return memcmp("abc", "abd", 2) == 0;', 1],
    ['return memcmp("abc", "abd", 3) < 0;', 1],
    ['char *p = "abc"; return (char *)memchr(p, 99, 3) - p;', 2],
    ['return memchr("ab", 0, 2) == NULL;', 1],
    ['return memchr("ab", 1, 4) == NULL;', 'out of bounds'],
    ['char *p = strdup("abc"); p[2] = 0; return strlen(p);', 2],
    ['char *p = strndup("abc", 2); return p[2];', 0],
    ['char *e; long v = strtol(" -12x", &e, 10); return v * 10 + (*e == 120);', -119],
    ['long v = strtol("0x1f", NULL, 0); return v + strtol("017", NULL, 0);', 46],
    ['char *s = "zz"; char *e; strtol(s, &e, 10); return e == s;', 1],
    ['return strtol("99999999999999999999", NULL, 10) == LONG_MAX;', 1],
    ['long v = strtoul("42", NULL, 10); return v + atoi("8q") + atol(" 3");', 53],
    [
      'if (isalnum(65) && !isalnum(46) && isdigit(57) && isspace(10) && isxdigit(70) && !isupper(97)) return 1; return 0;',
      1,
    ],
    [
      'if (isalpha(97) && islower(97) && ispunct(33) && isprint(32) && !isgraph(32) && iscntrl(9)) return 1; return 0;',
      1,
    ],
    ['if (isalpha(-1)) return 1; return tolower(65) + toupper(98);', 163],
    ['return isalpha(300) == 0;', 'no character'],
    ['return abs(-5);', 5],
    ['int r; return __builtin_mul_overflow(65536, 65536, &r) * 10 + r;', 10],
    ['int r = 0; if (__builtin_sub_overflow(1, 2, &r)) return 1; return r;', -1],
    ['char b[8]; int k = snprintf(b, 4, "%s-%d", "ab", 12); return k * 10 + strlen(b);', 53],
    ['char b[8]; snprintf(b, sizeof b, "%03d|%-2d", 7, 1); return strcmp(b, "007|1 ") == 0;', 1],
    ['char b[9]; sprintf(b, "%x %c%%", 255, 65); return strcmp(b, "ff A%") == 0;', 1],
    ['char b[9]; sprintf(b, "%.2s|%*d", "abc", 3, 5); return strcmp(b, "ab|  5") == 0;', 1],
    ['char b[9]; sprintf(b, "%zu %ld", (size_t)3, 4L); return strcmp(b, "3 4") == 0;', 1],
    ['char b[3]; sprintf(b, "%d", 1000); return 0;', 'out of bounds'],
    ['return snprintf(NULL, 0, "%d", 1000);', 4],
  ])('%s', (body, expected) => {
    expect(returned(body)).toBe(expected);
  });

  test('what is printed goes to stdout, and to stderr not', () => {
    const body =
      'printf("%d", x); puts("a"); fputs("b", stdout); putchar(67); fputc(68, stderr); fprintf(stderr, "e"); return 0;';
    expect(run(inBody(body)).printed).toBe('7a\nbC');
    expect(run(inBody('char m[] = "%d"; printf(m, 1); return 0;')).trap?.why).toBe('format from outside');
  });

  const reading = (body: string): unknown => {
    const code = `int f(FILE *x)\n{\n${body}\n}\n`;
    const { returned, trap } = run(code, { type: 'FILE *', value: new Pointer(streamMemory('ab\ncd e')) });
    return trap?.why ?? Number(returned as bigint);
  };
  test.each([
    ['return fgetc(x) * 1000 + 0;', 97000],
    ['int c = getc(x); ungetc(c, x); return fgetc(x);', 97],
    ['char b[9]; fgets(b, 9, x); return strlen(b);', 3],
    ['char b[9]; fgets(b, 3, x); return strlen(b);', 2],
    ['char b[2]; fgets(b, 9, x); return 0;', 'out of bounds'],
    ['char b[9]; int n = 0; while (fgets(b, 9, x)) n++; return n * 10 + !!feof(x);', 21],
    ['char b[9]; return fread(b, 2, 4, x);', 3],
    ['char b[4]; fread(b, 1, 7, x); return 0;', 'out of bounds'],
    ['char b[9]; return fscanf(x, "%3s", b) * 10 + (int)strlen(b);', 'an order of operands that C leaves open'],
    ['char b[9]; int k = fscanf(x, "%1s", b); return k * 10 + strlen(b);', 11],
    ['int c; int n = 0; while ((c = fgetc(x)) != EOF) n++; return n * 10 + !!feof(x) + ferror(x);', 71],
    ['fclose(x); return fgetc(x);', 'use after free'],
  ])('%s', (body, expected) => {
    let result: unknown;
    try {
      result = reading(body);
    } catch (error) {
      result = (error as Unknown).why;
    }
    expect(result).toBe(expected);
  });

  test('what reaches out of the program', () => {
    const { effects } = run(inBody('system("a b"); unlink("c"); return 0;'));
    const calls = effects.filter(({ kind }) => kind === 'call');
    expect(calls.map(({ kind, name, text }) => [kind, name, text])).toEqual([
      ['call', 'system', 'a b'],
      ['call', 'unlink', 'c'],
    ]);
    expect(run(inBody('execlp("ping", "ping", (char *)NULL); return 0;'))).toMatchObject({ outcome: 'left' });
    expect(run(inBody('FILE *f = fopen("a", "r"); return !f;'), { world: { file: null } }).returned).toBe(1n);
    const fails = { world: { allocationFails: () => true } };
    expect(run(inBody('return malloc(3) == NULL && calloc(1, 1) == NULL && strdup("") == NULL;'), fails).returned).toBe(
      1n,
    );
  });
});

describe('what is not understood', () => {
  test.each([
    ['a name that nothing declares', inBody('return y;')],
    ['an assignment to no object', inBody('int y = 1; -y = 2; return y;')],
    ['an assignment to no object', inBody('int y = 1; !y = 2; return y;')],
    ['an unknown function', inBody('return g(x);')],
    ['recursion', inBody('return f(x);')],
    ['dead code', inBody('return 1; asm("");')],
    ['a branch on what was never written', inBody('int y; if (y) return 1; return 2;')],
    ['a loop on it', inBody('char b[4]; int i = 0; while (b[i]) i++; return i;')],
    ['a nested function', inBody('int g(void) { return 1; } return 1;')],
    ['a function pointer', inBody('int (*g)(int) = f; return g(x);')],
    ['a computed goto', inBody('void *p = &&a; goto *p; a: return 1;')],
    ['a goto to no label', inBody('goto a; return 1;')],
    ['a break out of nothing', inBody('break; return 1;')],
    ['floats', inBody('double d = 1; return d;')],
    ['structs of its own', inBody('struct node n; return 1;')],
    ['typedefs', inBody('typedef int T; return 1;')],
    ['a variable of the program', `int y;\n${inBody('return 1;')}`],
    ['another function of that name', inBody('return 1;') + inBody('return 2;')],
    ['a library function of its own', `int strlen(const char *s) { return 1; }\n${inBody('return strlen("");')}`],
    ['another local of that name', inBody('int x = 5; return x;')],
    ['K&R', 'int f(x) int x; { return x; }'],
    ['another type of parameter', 'int f(unsigned x) { return x; }'],
    ['another type of function', 'long f(int x) { return x; }'],
    ['attributes', '__attribute__((x)) int f(int x) { return x; }'],
    ['directives', inBody('#if 1\nreturn 1;\n#endif\n')],
    ['a macro with arguments', `#define A(x) x\n${inBody('return 1;')}`],
    ['a macro of a parameter', `#define x 1\n${inBody('return x;')}`],
    ['a macro of a keyword', `#define return 1\n${inBody('return x;')}`],
    ['a macro of a function', `#define puts 1\n${inBody('return x;')}`],
    ['a macro behind its use', `${inBody('return A;\n#define A 1\n')}`],
    ['two of a name', `#define A 1\n#define A 2\n${inBody('return A;')}`],
    ['undef', `#undef A\n${inBody('return 1;')}`],
    ['a pragma', `#pragma once\n${inBody('return 1;')}`],
    ['a raw string', inBody('puts(R"(")"); return 1;')],
    ['a wide string', inBody('puts(L"a"); return 1;')],
    ['a spliced line', inBody('// \\\nreturn 2;\nreturn 1;')],
    ['a trigraph', inBody('// ??/\nreturn 2;\nreturn 1;')],
    ['a digraph', inBody('int a<:2:>; return 1;')],
    ['a comment without an end', `${inBody('return 1;')}/*`],
    ['the flag of isdigit', inBody("return isdigit('1');")],
    ['how far strings differ', inBody('return strcmp("a", "c") == -2;')],
    ['a declaration behind a label', inBody('a: int y = 1; return y;')],
    ['a program too long', inBody(`return 1;${' '.repeat(65536)}`)],
  ])('%s', (_, code) => {
    expect(why(code)).not.toBe('understood');
  });

  test.each([
    ['i = i++', true],
    ['a[i] = i++', true],
    ['i + (i = 3)', true],
    ['puts(strcpy(s, t)) + strlen(s)', true],
    ['i = i + 1', false],
    ['*p++ = *q++', false],
    ['acc += a[i++]', false],
    ['(i = 3) && i', false],
    ['(c = fgetc(f)) != EOF', false],
  ])('%s: %s', (expression, isOpen) => {
    const code = `int f(int x) { int i = 0, c, acc = 0; int a[3]; char s[4], *p = s; const char *t = "a", *q = t; FILE *f = stdout; ${expression}; return 0; }`;
    expect(why(code) === 'an order of operands that C leaves open').toBe(isOpen);
  });

  test('what is understood beside a function', () => {
    const around =
      '#include <stdio.h>\n#define LIMIT 7 // so many\n#define NO (-1)\nint g(int);\nstatic int h(int x) { return x; }\n';
    expect(run(`${around}/* é "( */\n${inBody('if (x == LIMIT) return NO; return 1;')}`).returned).toBe(-1n);
    expect(readText('#include "stdio.h"\n', headers).doubt).toBe('a directive');
    expect(readText('int a = \'\\\'\' + sizeof "\\"/*";', headers).doubt).toBeUndefined();
  });
});

describe('work is counted, never timed', () => {
  test.each([
    ['an empty loop', 'for (;;) ;'],
    ['a goto', 'a: goto a;'],
    ['arrays', 'for (;;) { char b[65536]; }'],
    ['arrays of any length', 'for (int i = 1; ; i++) { char b[i]; }'],
    ['memset', 'char b[65536]; for (;;) memset(b, 0, sizeof b);'],
    ['strlen', 'char b[4096]; memset(b, 65, 4095); b[4095] = 0; for (;;) strlen(b);'],
    ['malloc', 'for (;;) malloc(1000);'],
    ['calloc', 'for (;;) { int *p = calloc(1000, 4); *p = 1; }'],
    ['realloc', 'char *p = NULL; for (int i = 1; ; i++) p = realloc(p, i);'],
    ['text', 'for (;;) printf("%4000d", 1);'],
    ['system', 'for (;;) system("a");'],
    ['a long literal', `for (;;) puts("${'a'.repeat(20000)}");`],
    ['a long expression', `for (;;) x = ${'x ^ '.repeat(390)}x;`],
    ['a switch', 'for (;;) switch (x) { case 7: continue; }'],
    ['multiplication', 'long a = 3; for (;;) a = a * a % 1000003;'],
  ])('%s', (_, body) => {
    const meter = new Meter(1e9);
    const result = run(inBody(`${body}\nreturn 1;`), { world: { meter } });
    expect(result.outcome).toBe('unknown');
    expect(result.unknown?.why).toMatch(/patience|too much|too many/);
    expect(meter.spent).toBe(result.work);
    // Over by what the last thing it did cost, at most.
    expect(result.work).toBeLessThanOrEqual(limits.work + limits.object);
    const cells = result.effects.reduce((sum, { memory }) => sum + (memory?.cells.length ?? 0), 0);
    expect(cells).toBeLessThanOrEqual(limits.cells * 1.1);
    expect(result.effects.length).toBeLessThanOrEqual(limits.effects);
    expect(result.printed.length).toBeLessThanOrEqual(limits.printed + 4096);
  });

  test('work grows with what is touched', () => {
    const work = (body: string): number => run(inBody(`${body} return 0;`)).work;
    expect(work('char b[8000]; memset(b, 0, 8000);') - work('char b[8000]; memset(b, 0, 80);')).toBeGreaterThan(900);
    const text = (length: number): number => {
      const value = new Pointer(new Memory(textCells('a'.repeat(length)), char));
      return run('int f(const char *x) { return strlen(x); }', { type: 'const char *', value }).work;
    };
    expect(text(4096) - text(0)).toBe(2048);
  });

  test('a meter that several runs share ends them all', () => {
    const meter = new Meter(1000);
    const outcomes = Array.from(
      { length: 5 },
      () => run(inBody('for (int i = 0; i < 30; i++) ; return 1;'), { world: { meter } }).outcome,
    );
    expect(outcomes[0]).toBe('returned');
    expect(outcomes.at(-1)).toBe('unknown');
  });
});
