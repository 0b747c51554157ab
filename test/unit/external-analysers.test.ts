import { afterAll, describe, expect, test, vi } from 'vitest';
import type { Analyser, SourceCode } from '../../src/analysis/analyser.js';
import { openBandit, readBandit } from '../../src/analysis/external/bandit.js';
import { clangCheckers, openClang, readClang } from '../../src/analysis/external/clang.js';
import type { Reading } from '../../src/analysis/external/compiler.js';
import { openCppcheck, readCppcheck } from '../../src/analysis/external/cppcheck.js';
import { findGcc, gccWarnings, openGcc, readGccJson, readGccSarif } from '../../src/analysis/external/gcc.js';
import { Prelude, wholePrelude } from '../../src/analysis/external/prelude.js';
import { SourceLines } from '../../src/analysis/external/source-lines.js';
import type { Candidate, Unit } from '../../src/analysis/external/units.js';
import { Sandbox } from '../../src/sandbox/index.js';
import { analyserFixture } from '../support/analysers.js';
import { noIsolation } from '../support/sandbox.js';

/** The recorded unit: its two parts, found by the lines that name them. */
function recordedUnit(): Unit {
  const text = analyserFixture('recorded.unit.c');
  const lines = text.split('\n');
  const parts = [0, 1].map((index) => {
    const firstLine = lines.indexOf(`#line 1 "source${index}"`) + 2;
    const count = lines.indexOf('#undef take', firstLine) + 1 - firstLine;
    const own = lines.slice(firstLine - 1, firstLine - 1 + count).join('\n');
    const source = Buffer.from(own).toString('latin1');
    const candidate: Candidate = {
      index,
      language: 'c',
      text: source,
      shared: undefined,
      entries: [],
      hasMain: false,
    };
    return { candidate, firstLine, lines: count };
  });
  return { text, extension: 'c', parts };
}

/** `source place weakness text`, of what a compiler's output says. */
function listed({ diagnostics }: Reading): string[] {
  return diagnostics.flatMap(({ candidate, region, unit, cwe, rule }) => {
    const code = Buffer.from(candidate.text, 'latin1');
    const { start, end } = new SourceLines(code).span(region, unit);
    const weakness = typeof cwe === 'function' ? cwe(candidate.text.slice(start)) : cwe;
    return weakness === undefined ? [] : [`${candidate.index} ${weakness} ${rule} ${code.subarray(start, end)}`];
  });
}

describe('what was recorded of the tools', () => {
  const unit = recordedUnit();

  const gccSaid = [
    '0 CWE-416 gcc/-Wanalyzer-use-after-free p[0]',
    '0 CWE-416 gcc/-Wuse-after-free p[0]',
    '1 CWE-119 gcc/-Warray-bounds strcpy(small, "longer than four")',
  ];

  test("gcc's JSON: bytes of the candidate, behind a character of two bytes too", () => {
    expect(listed(readGccJson(analyserFixture('recorded.gcc-12.2.json'), unit) as Reading)).toEqual(gccSaid);
    const older = gccSaid.filter((finding) => !finding.includes('-Wuse-after-free'));
    const said = analyserFixture('recorded.gcc-11.3.json');
    expect(listed(readGccJson(said, unit) as Reading)).toEqual(older);
    // As 10 says it, by its documentation.
    const oldest = said.replace(/"(?:byte|display)-column": \d+, /g, '');
    expect(listed(readGccJson(oldest, unit) as Reading)).toEqual(older);
  });

  test.each(['14.0', '16.0', '19.1'])(
    "the SARIF of clang %s keeps to the unit's lines: they are led back",
    (version) => {
      expect(listed(readClang(analyserFixture(`recorded.clang-${version}.sarif`), unit) as Reading)).toEqual([
        '0 CWE-416 clang/unix.Malloc p[0]',
        '1 CWE-787 clang/alpha.unix.cstring.OutOfBounds strcpy(small, "longer than four")',
      ]);
    },
  );

  test('errors are laid at the door of the source that has them', () => {
    const errors = (reading: Reading | undefined) =>
      reading?.errors.map(({ candidate, message }) => [candidate?.index, message]);
    for (const version of ['11.3', '12.2']) {
      expect(errors(readGccJson(analyserFixture(`recorded.gcc-${version}.errors`), unit))).toEqual([
        [0, "line 1: expected declaration specifiers or '...' before '{' token"],
        [1, 'line 1: no-such.h: No such file or directory'],
      ]);
    }
    for (const version of ['14.0', '16.0', '19.1']) {
      expect(errors(readClang(analyserFixture(`recorded.clang-${version}.errors`), unit))).toEqual([
        [0, 'line 1: expected parameter declarator'],
        [0, "line 1: expected ')'"],
        [1, "line 1: 'no-such.h' file not found"],
      ]);
    }
    const unknown = "error: no analyzer checkers or packages are associated with 'optin.taint'";
    expect(errors(readClang(`${unknown}\n1 error generated.\n`, unit))).toEqual([
      [undefined, unknown.replace('error: ', '')],
    ]);
  });

  test.each([
    ['14.0', ['optin.taint'], 5],
    ['16.0', ['optin.taint'], 4],
    ['19.1', [], 0],
  ] as const)('clang %s is asked for the checkers that it has', (version, unasked, lacking) => {
    const help = analyserFixture(`recorded.clang-${version}.checkers`);
    const { flags, lacks } = clangCheckers(help);
    const named = (option: string): string[] =>
      flags.flatMap((flag) => new RegExp(`^-analyzer-${option}=(.*)$`).exec(flag)?.slice(1) ?? []);
    const packages = ['core', 'unix', 'security', 'alpha.security', 'alpha.unix.cstring', 'optin.taint'];
    expect(named('checker')).toEqual(packages.filter((name) => !(unasked as readonly string[]).includes(name)));
    for (const name of [...named('checker'), ...named('disable-checker')])
      expect(help).toMatch(new RegExp(`^  ${name.replaceAll('.', '\\.')}[. \n]`, 'm'));
    expect(lacks).toHaveLength(lacking);
    for (const name of lacks) expect(help).not.toContain(`  ${name} `);
  });

  test('gcc is told of the warnings that it has', () => {
    const [older, newer] = ['11.3', '12.2'].map((v) => gccWarnings(analyserFixture(`recorded.gcc-${v}.warnings`)));
    const flags = ['implicit-function-declaration', 'int-conversion', 'incompatible-pointer-types', 'implicit-int'].map(
      (name) => `-Wno-error=${name}`,
    );
    expect([older?.flags, newer?.flags]).toEqual([flags, flags]);
    // 14's are known to it alone.
    expect(gccWarnings('  -Wreturn-mismatch           Warn …\n').flags).toEqual(['-Wno-error=return-mismatch']);
    const unseen = ['-Wanalyzer-out-of-bounds', '-Wanalyzer-allocation-size', '-Wanalyzer-fd-use-after-close'];
    expect(newer?.lacks).toEqual(unseen);
    expect(older?.lacks).toEqual([
      ...['-Wuse-after-free', '-Wdangling-pointer', '-Wanalyzer-use-of-uninitialized-value'],
      ...['-Wanalyzer-tainted-allocation-size', ...unseen],
    ]);
  });

  test('output that breaks off is no analysis', () => {
    const said = analyserFixture('recorded.gcc-12.2.json');
    expect(readGccJson(said.slice(0, 900), unit)).toBeUndefined();
    expect(readGccJson('gcc: internal compiler error: Killed signal terminated program cc1\n', unit)).toBeUndefined();
    expect(readClang('clang: error: clang frontend command failed\n', unit)).toBeUndefined();
  });

  // Written by hand in the form of gcc 13's documentation.
  test("gcc's SARIF has weaknesses as taxa", () => {
    const said = JSON.stringify(JSON.parse(analyserFixture('documented-form.gcc-13.sarif')));
    expect(listed(readGccSarif(said, unit) as Reading)).toEqual([
      '0 CWE-416 gcc/-Wanalyzer-use-after-free p[0]',
      '1 CWE-787 gcc/-Wstringop-overflow= strcpy(small, "longer than four")',
    ]);
  });

  test("cppcheck's XML", () => {
    const sources = unit.parts.map(
      ({ candidate }): SourceCode => ({ code: Buffer.from(candidate.text, 'latin1'), language: 'c' }),
    );
    const names = ['source0.c', 'source1.c'];
    const [first, second] = readCppcheck(analyserFixture('recorded.cppcheck-2.10.xml'), sources, names);
    expect(first).toEqual({ findings: [], failure: undefined });
    expect(second?.findings.map(({ cwe, rule, message }) => [cwe, rule, message])).toEqual([
      ['CWE-788', 'cppcheck/bufferAccessOutOfBounds', 'Buffer is accessed out of bounds: small'],
    ]);
    const broken =
      '<error id="syntaxError" severity="error" msg="&apos;a&apos; &lt; &quot;&#x62;&quot;"><location file="source0.c" line="2" column="1"/></error>';
    expect(readCppcheck(broken, sources, names)[0]?.failure).toBe(`line 2: 'a' < "b"`);
  });

  test("Bandit's JSON: a version without weaknesses gets ours; one that names them is believed", () => {
    const code = Buffer.from(
      'import pickle\ndef load(data, name):\n    subprocess.call("ls " + name, shell=True)\n    return pickle.loads(data)\n',
    );
    const sources: SourceCode[] = [
      { code, language: 'python' },
      { code: Buffer.from('def f(:\n'), language: 'python' },
    ];
    const names = ['source0.py', 'source1.py'];
    const report = analyserFixture('recorded.bandit-1.6.2.json');
    const read = (text: string) => {
      const analyses = readBandit(text, sources, names);
      const found = analyses[0]?.findings.map(({ cwe, severity, span }) => [
        cwe,
        severity,
        `${code.subarray(span.start, span.end)}`,
      ]);
      return { found, failure: analyses[1]?.failure };
    };
    expect(read(report)).toEqual({
      found: [
        ['CWE-78', 'high', 'subprocess.call("ls " + name, shell=True)'],
        ['CWE-502', 'medium', 'return pickle.loads(data)'],
      ],
      failure: 'syntax error while parsing AST from file',
    });
    const newer = JSON.parse(report);
    Object.assign(newer.results[2], { issue_cwe: { id: 20, link: '' }, col_offset: 11 });
    expect(read(JSON.stringify(newer)).found?.[1]).toEqual(['CWE-20', 'medium', 'pickle']);
  });
});

const c = (text: string): SourceCode => ({ code: Buffer.from(text), language: 'c' });

/** Sources that use each other's names, or would spoil each other, with what gcc and clang agree on. */
const sources: (SourceCode & { about: string })[] = Object.entries({
  useAfterFree: 'struct node { int v; };\nint take(struct node *p) {\n    free(p);\n    return p->v;\n}\n',
  doubleFree:
    'typedef long node;\nstatic void take(node *p) {\n    free(p);\n    free(p);\n}\nvoid run(node *p) { take(p); }\n',
  leak: 'enum { node = 3 };\nint take(void) {\n    char *p = malloc(node);\n    if (p == NULL) return -1;\n    p[0] = 1;\n    return p[0];\n}\n',
  division: '#define ZERO 0\nint take(int a) {\n    int zero = ZERO;\n    return a / zero;\n}\n',
  fine: 'int take(const char *s) { return s != NULL && s[0] != 0; }\n',
  program:
    '#include <stdio.h>\nint main(void) {\n    char *p = malloc(9);\n    if (p == NULL) return 1;\n    puts("kept");\n    return 0;\n}\n',
  otherProgram: 'int main(void) {\n    int *p = NULL;\n    return *p;\n}\n',
  inlined:
    '#include <stdio.h>\nvoid show(int *a) {\n    printf("%d\\n", *a * *a);\n    free(a);\n}\nint main() {\n    int *a = malloc(sizeof(int));\n    if (a == NULL) return 1;\n    int *p = a;\n    *a = 5;\n    *p = 6;\n    show(a);\n    show(p);\n    return 0;\n}\n',
  undeclared: 'int go(int n) { return helper(n) + missing_thing(n); }\n',
  helper: 'static char *helper(void) { return NULL; }\nchar go(void) {\n    char *p = helper();\n    return *p;\n}\n',
  redefines: '#define malloc(n) NULL\nint *go(void) {\n    int *p = malloc(4);\n    *p = 1;\n    return p;\n}\n',
  unterminated: 'int go(void) { return 1; } /* no end\n',
  openIf: '#if 1\nint go(void) { return 1; }\n',
  pragma:
    '#pragma GCC diagnostic ignored "-Wanalyzer-use-after-free"\nint go(int *p) {\n    free(p);\n    return *p;\n}\n',
  badSyntax: 'int go( { return 1; }\n',
  badTypes: 'int go(void) { struct nowhere s; return s.x; }\n',
  misspelt: 'int total = 1;\nint go(int count) {\n    return coutn + total;\n}\n',
  guessed: 'int coutn = 3;\nint go(void) { return conutn; }\n',
  unknownType: 'int go(lenght_t n) { return n; }\n',
  undefinedTag: 'int go(struct item *n) { return n->v; }\n',
  definesTag: 'struct item { int v; };\nint go(struct item *n) { return n->w; }\n',
  noHeader: '#include <no/such/header.h>\nint go(void) { return 1; }\n',
  openBrace: 'int go(int *p) {\n    free(p);\n    return *p;\n',
  ownFree: 'void free(void *p) { (void)p; }\nint go(int *p) { free(p); return *p; }\n',
  again: 'int take(char *é) {\n    free(é); /* 𝒙 */ return é[0];\n}\n',
}).map(([about, text]) => ({ ...c(text), about }));

/** `about weakness line`, or the failure. */
async function verdicts(analyser: Analyser): Promise<string[]> {
  const analyses = await analyser.analyze(sources);
  return analyses.flatMap(({ findings, failure }, i) => {
    const { about, code } = sources[i] as (typeof sources)[number];
    if (failure !== undefined) return [`${about} failed`];
    return findings.map(({ cwe, span }) => `${about} ${cwe} ${new SourceLines(code).lineOf(span.start)}`);
  });
}

const sandbox = noIsolation === undefined ? await Sandbox.open() : undefined;
const opened = async (open: (sandbox: Sandbox, options: { batchSize?: number }) => Promise<Analyser | undefined>) =>
  sandbox && (await open(sandbox, {}));
/** One for each version that is installed, by its name, such as `clang 14.0.6`; the one that is opened by default is the first. */
async function versions(
  open: (sandbox: Sandbox, options: { command?: string }) => Promise<Analyser | undefined>,
  commands: readonly string[],
): Promise<Map<string, Analyser>> {
  const found = new Map<string, Analyser>();
  for (const command of sandbox === undefined ? [] : commands) {
    const analyser = await open(sandbox as Sandbox, { command });
    const name = analyser?.id.replace(/ rules \d+$/, '');
    if (analyser !== undefined && name !== undefined && !found.has(name)) found.set(name, analyser);
  }
  return found;
}
const numbered = (name: string, from: number, to: number): string[] => [
  name,
  ...Array.from({ length: to - from + 1 }, (_, i) => `${name}-${from + i}`),
];
const gccs = await versions(openGcc, numbered('gcc', 10, 15));
const clangs = await versions(openClang, numbered('clang', 13, 22));
const cppcheck = await opened(openCppcheck);
const bandit = await opened(openBandit);
const missing = (name: string): string => noIsolation ?? `${name} is not on PATH`;

const skipped: string[] = [];
afterAll(() => {
  if (skipped.length > 0) console.warn(`left out: ${skipped.join('; ')}`);
});
/** Tests of each version, or one that is left out. */
function liveVersions(found: ReadonlyMap<string, Analyser>, name: string, tests: (analyser: Analyser) => void): void {
  if (found.size === 0) live(undefined, name)(name, () => test.skip(missing(name), () => {}));
  for (const [version, analyser] of found) describe(version, () => tests(analyser));
}
function live(analyser: Analyser | undefined, name: string) {
  if (analyser === undefined) skipped.push(missing(name));
  return describe.skipIf(analyser === undefined);
}

const failing = [
  'unterminated failed',
  'openIf failed',
  'badSyntax failed',
  'badTypes failed',
  'misspelt failed',
  'guessed failed',
  'unknownType failed',
  'undefinedTag failed',
  'definesTag failed',
  'noHeader failed',
  'openBrace failed',
];

liveVersions(gccs, 'gcc', (gcc) => {
  test('finds what is there, whatever its neighbours do', async () => {
    const said = await verdicts(gcc);
    const expected = [
      'useAfterFree CWE-416 4',
      'doubleFree CWE-415 4',
      'leak CWE-401 4',
      'otherProgram CWE-476 3',
      'helper CWE-476 4',
      'pragma CWE-416 4',
    ];
    expect(said).toEqual(expect.arrayContaining([...expected, 'redefines CWE-476 4', 'again CWE-416 2', ...failing]));
    // `main` leaves its memory to the system.
    expect(said.filter((one) => /^(?:fine|program|undeclared|ownFree) /.test(one))).toEqual([]);
  });

  test("a caller's arguments are an attacker's: an index that is not checked is found by the taint pass", async () => {
    const [open, checked] = await gcc.analyze([
      c('static int table[4];\nint at(int i) {\n    return table[i];\n}\n'),
      c('static int table[4];\nint at(int i) {\n    if (i < 0 || i >= 4) return -1;\n    return table[i];\n}\n'),
    ]);
    // Parameters can be marked since the version that has this warning, too.
    const marked = gcc.lacks?.includes('-Wanalyzer-tainted-allocation-size') === false;
    expect(open?.findings.map(({ cwe, rule }) => [cwe, rule])).toEqual(
      marked ? [['CWE-129', 'gcc/-Wanalyzer-tainted-array-index']] : [],
    );
    expect(checked?.findings).toEqual([]);
  });

  test('a copy that strncpy cuts off has no end; strncat gives it one', async () => {
    const [copied, appended] = await gcc.analyze([
      c('void go(char *to) { strncpy(to, "eight ch", 8); }\n'),
      c('void go(char *to) { strncat(to, "eight ch", 8); }\n'),
    ]);
    expect(copied?.findings.map(({ cwe, rule }) => [cwe, rule])).toEqual([['CWE-170', 'gcc/-Wstringop-truncation']]);
    expect(appended?.findings.filter(({ cwe }) => cwe === 'CWE-170')).toEqual([]);
  });
});

describe.skipIf(gccs.size === 0)('the part of the prelude that a unit needs', () => {
  /** A use of each kind of name: functions, macros, objects, types, tags, enumerators, inline functions. */
  const uses = {
    calls:
      'char *s = strdup("a"); printf("%zu %s", strlen(s), s); free(s); qsort(s, 1, 1, (int (*)(const void *, const void *))strcmp);',
    macros:
      'int a = INT_MAX; bool b = true; assert(b && a > 0 && EINVAL && isalpha(a) && SIZE_MAX && !isnan(1.0)); (void)a;',
    objects: 'fprintf(stderr, "%d", errno); char **e = environ; (void)e;',
    types:
      'FILE *f; size_t n = 0; struct stat st; struct timespec t; uint64_t u = 0; pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; sigset_t g; (void)f; (void)n; (void)st.st_mtime; (void)t.tv_nsec; (void)u; (void)m; (void)g;',
    functionPointers:
      'struct sigaction act = { .sa_handler = SIG_IGN }; sigaction(SIGPIPE, &act, NULL); __sighandler_t h = signal(1, SIG_DFL); (void)h;',
    enumerators:
      'pthread_attr_t a; pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED); int c = fpclassify(0.5) == FP_NORMAL; (void)c;',
    inline: 'uint32_t n = atoi("1"); double d = sqrt(n) + lround(1.5); (void)d; (void)strtol("1", NULL, 10);',
    waiting:
      'int status; pid_t p = fork(); if (p > 0 && waitpid(p, &status, 0) > 0 && WIFEXITED(status)) _exit(WEXITSTATUS(status)); (void)open("/", O_RDONLY | O_CLOEXEC, S_IRUSR);',
  };

  test.each(['-O0', '-O2'])('says what a source names, and little else (%s)', async (level) => {
    const { command } = (await findGcc(sandbox as Sandbox)) as { command: string };
    const run = (flags: string[], text: string) =>
      (sandbox as Sandbox).run({
        argv: [command, '-std=gnu17', level, ...flags, '-x', 'c', '-'],
        stdin: Buffer.from(text),
        limits: { cpuSeconds: 20, wallSeconds: 300, processes: 32, fileMiB: 64, outputBytes: 2 ** 26 },
      });
    const whole = (await run(['-E', '-dD'], wholePrelude)).stdout.toString('utf8');
    const prelude = new Prelude(whole);
    for (const [about, body] of Object.entries(uses)) {
      const part = prelude.of(body.match(/\w+/g) ?? []);
      const { stderr } = await run(['-fsyntax-only', '-Wall', '-Werror'], `${part}void use(void) { ${body} }\n`);
      expect({ about, said: stderr.toString('utf8') }).toEqual({ about, said: '' });
      expect(part.length).toBeLessThan(whole.length / 20);
    }
  });
});

liveVersions(clangs, 'clang', (clang) => {
  test('finds what is there, whatever its neighbours do', async () => {
    const said = await verdicts(clang);
    const expected = [
      'useAfterFree CWE-416 4',
      'doubleFree CWE-415 4',
      'leak CWE-401 6',
      'division CWE-369 4',
      'otherProgram CWE-476 3',
    ];
    expect(said).toEqual(expect.arrayContaining([...expected, 'again CWE-416 2', ...failing]));
    expect(said.filter((one) => /^(?:fine|undeclared|ownFree) /.test(one))).toEqual([]);
  });

  test("an index that was read is an attacker's; a place in a text that was read, and a class of characters, are not", async () => {
    const read = (body: string) =>
      c(`int table[4];\nint at(void) {\n    char line[8];\n    int i = 0;\n    ${body}\n    return i;\n}\n`);
    const analyses = await clang.analyze([
      read('if (scanf("%d", &i) == 1) return table[i];'),
      read('if (fgets(line, sizeof line, stdin) == NULL) return 1;\n    line[strcspn(line, "\\n")] = 0;'),
      read('if (scanf("%7s", line) == 1 && isalpha((unsigned char)line[0])) return 1;'),
    ]);
    const [open, ...rest] = analyses.map(({ findings }) => findings.map(({ cwe }) => cwe));
    expect(rest).toEqual([[], []]);
    // Of an index that was read 16 says nothing yet; 17 and 18 were not run.
    const major = Number(/^clang (\d+)/.exec(clang.id)?.[1]);
    if (major <= 16) expect(open).toEqual([]);
    if (major >= 19) expect(open).toEqual(['CWE-129']);
  });

  test('nothing in a source keeps it from saying what it finds', async () => {
    const flaw = (mark: string): string =>
      `void ok(void);\nvoid go(int *p) {\n    free(p);\n    ok();\n    ${mark} { *p = 1; }\n}\n`;
    const texts = [
      `#line 1 "other"\n${flaw('')}`,
      flaw('__attribute__((suppress))'),
      `#define X(a, b) a##b\n#undef suppress\n${flaw('[[clang::X(supp, ress)]]')}`,
      `#ifdef __clang_analyzer__\n#define free(p)\n#endif\n${flaw('')}`,
      `void ok(void) __attribute__((analyzer_noreturn));\n${flaw('')}`,
      `//\r#pragma clang system_header\n${flaw('')}`,
    ];
    const analyses = await (clang as Analyser).analyze(texts.map(c));
    const said = analyses.map(({ findings, failure }) =>
      failure === undefined ? findings.map(({ cwe }) => cwe) : 'failed',
    );
    // Until 17, attributes in two brackets are no C17: such a source is not clean either.
    const known = texts.map((text) => (text.includes('[[') && said[2] === 'failed' ? 'failed' : ['CWE-416']));
    expect(said).toEqual(known);
  });

  test('C++ is analysed, one source at a time', async () => {
    const code = Buffer.from(
      '#include <vector>\nint f(std::vector<int> v) {\n  int *p = new int(1);\n  delete p;\n  return *p + v.at(0);\n}\n',
    );
    const [analysis] = await clang.analyze([{ code, language: 'cpp' }]);
    expect(analysis?.failure).toBeUndefined();
  });
});

live(cppcheck, 'cppcheck')('cppcheck', () => {
  test('finds what is there, whatever its neighbours do', async () => {
    const said = await verdicts(cppcheck as Analyser);
    expect(said).toEqual(
      expect.arrayContaining(['doubleFree CWE-415 4', 'leak CWE-401 6', 'helper CWE-476 4', 'openBrace failed']),
    );
  });
});

for (const [name, analyser] of [...gccs, ...clangs]) {
  describe(`${name}, of many that do not compile`, () => {
    test('asks again about the others alone', async () => {
      const broken = Array.from({ length: 12 }, (_, i) => c(`int go(int n) {\n    return n + limit${i};\n}\n`));
      const run = vi.spyOn(sandbox as Sandbox, 'run');
      const analyses = await analyser.analyze([...broken, ...sources.slice(0, 4)]);
      expect(run.mock.calls.length).toBeLessThan(8);
      run.mockRestore();
      expect(analyses.map(({ failure }) => failure?.replace(/: .*('limit\d+').*$/, ': $1'))).toEqual([
        ...broken.map((_, i) => `line 2: 'limit${i}'`),
        ...Array(4).fill(undefined),
      ]);
      const [first] = analyses.slice(12);
      expect(first?.findings.map(({ cwe }) => cwe)).toEqual(['CWE-416']);
    });
  });
}

for (const [name, analyser] of [
  ...gccs,
  ...clangs,
  ...(cppcheck === undefined ? [] : [['cppcheck', cppcheck] as const]),
]) {
  describe(`${name}, batched`, () => {
    test('findings are those of single runs', { timeout: 300_000 }, async () => {
      const together = await analyser.analyze(sources);
      for (const [i, source] of sources.entries()) {
        const [alone] = await analyser.analyze([source]);
        expect({ about: source.about, ...together[i] }).toEqual({ about: source.about, ...alone });
      }
    });
  });
}

live(bandit, 'bandit')('Bandit', () => {
  test('finds a shell and a pickle, and says what it cannot read', async () => {
    const [found, broken] = await (bandit as Analyser).analyze([
      {
        code: Buffer.from(
          'import pickle, subprocess\nsubprocess.call("ls " + n, shell=True) # nosec\npickle.loads(d)\n',
        ),
        language: 'python',
      },
      { code: Buffer.from('def f(:\n'), language: 'python' },
    ]);
    expect(found?.findings.map(({ cwe }) => cwe)).toEqual(['CWE-78', 'CWE-502']);
    expect(broken?.failure).toMatch(/syntax error/);
  });
});
