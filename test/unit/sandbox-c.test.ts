import { expect, test } from 'vitest';
import {
  type Call,
  type CaseReport,
  compileAll,
  type Offer,
  openToolchain,
  type Program,
  runCases,
  type Variant,
} from '../../src/sandbox/c/index.js';
import { libraryFacts } from '../../src/sandbox/c/library.js';
import { type CallRow, decodeReport, encodePlan } from '../../src/sandbox/c/plan.js';
import { Sandbox } from '../../src/sandbox/index.js';

const sandbox = await Sandbox.open().catch((error: Error) => error.message);
const isolated = sandbox instanceof Sandbox;
const boxed = isolated ? test : test.skip;
if (!isolated) test.skip(`no isolation here: ${sandbox}`, () => {});

// Far more than any task offers: what the process itself may do must not rest on the linker alone.
const reaching =
  'open read write close kill getppid getpid fork waitpid mprotect mmap socket pipe ptrace syscall signal raise sleep pause dup2 prctl setrlimit personality execv';
const offer: Offer = {
  prelude: [
    ...['stdio', 'stdlib', 'string', 'unistd', 'fcntl', 'signal', 'errno', 'sys/mman', 'sys/wait', 'sys/socket'].map(
      (name) => `#include <${name}.h>`,
    ),
    '#include <sys/prctl.h>\n#include <sys/resource.h>\n#include <sys/ptrace.h>\n#include <sys/personality.h>\n#include <sys/syscall.h>\n',
  ].join('\n'),
  helpers: { code: '', names: [] },
  functions: `${reaching} strlen strcpy memcpy memset fputs puts fgetc abort __errno_location`.split(' '),
  variables: ['stdin', 'stdout', 'stderr', 'environ'],
};
const toolchain = isolated ? await openToolchain(sandbox, offer) : undefined;

const program = (body: string, alone = true): Program => ({
  code: Buffer.from(`int f(char *p, long n) { ${body} }`),
  name: 'f',
  alone,
});

async function libraries(programs: readonly Program[], variant: Variant = 'plain'): Promise<Buffer[]> {
  const compiled = await compileAll(sandbox as Sandbox, toolchain as NonNullable<typeof toolchain>, programs, variant);
  return (compiled ?? []).map((one) => {
    if ('error' in one) throw new Error(one.error);
    return one.library;
  });
}

async function run(rows: readonly CallRow[], variant: Variant = 'plain'): Promise<CaseReport[][]> {
  const reports = await runCases(sandbox as Sandbox, toolchain as NonNullable<typeof toolchain>, rows, variant);
  if ('fault' in reports) throw new Error(reports.fault);
  return reports;
}

const bytes = (size: number, kind: 'end' | 'start' | 'heap' = 'end', n = 0): Call => ({
  objects: [{ kind, size, bytes: Buffer.alloc(size, 'a') }],
  args: [{ address: 0 }, { number: BigInt(n) }],
});

/** What one program does with one call. */
async function once(
  body: string,
  call: Call = bytes(4),
  variant: Variant = 'plain',
  lenient = false,
): Promise<CaseReport> {
  const [library] = await libraries([program(body)], variant);
  const [[report] = []] = await run([{ library: library as Buffer, cases: [{ calls: [call], lenient }] }], variant);
  return report as CaseReport;
}

boxed('a call gets its arguments, and what it leaves behind is reported', async () => {
  const call: Call = {
    objects: [
      { kind: 'end', size: 6, bytes: Buffer.from('ab'), fill: 0x21 },
      { kind: 'start', size: 8 },
      { kind: 'heap', size: 5, fill: 0x7a },
    ],
    links: [{ object: 1, offset: 0, target: 2 }],
    args: [{ address: 0 }, { number: -5n }, { address: 1 }, { stream: 0 }],
    watches: [{ object: 1, offset: 0, most: 9 }],
    files: { name: Buffer.from('Q') },
  };
  const code = Buffer.from(
    `int f(char *p, int n, char **q, FILE *s) {
      p[5] = fgetc(s);
      FILE *o = fopen("name", "r");
      printf("%c%d", fgetc(o), n);
      system("ls");
      free(*q);
      *q = malloc(3);
      memcpy(*q, "xyz", 3);
      return fopen("none", "r") == NULL ? n : 0;
    }`,
  );
  const [library] = await libraries([{ code, name: 'f', alone: true }]);
  const [[report] = []] = await run([{ library: library as Buffer, cases: [{ calls: [call] }] }]);
  expect(report).toMatchObject({ end: 'ended', leftovers: [] });
  expect(report?.calls[0]).toMatchObject({
    result: -5,
    intact: true,
    printed: 'Q-5',
    events: [
      { name: 'fopen', text: 'name' },
      { name: 'format', text: '%c%d' },
      { name: 'system', text: 'ls' },
      { name: 'fopen', text: 'none' },
    ],
    watches: [{ kind: 'block', size: 3, bytes: Buffer.from('xyz') }],
    freed: [true],
    open: 1,
  });
  expect(report?.calls[0]?.objects[0]).toEqual(Buffer.from('ab!!!a'));
});

boxed.each([
  ['one byte over the end', 'p[4] = 1; return 0;', 'end'],
  ['one byte before the start', 'p[-1] = 1; return 0;', 'start'],
  ['far over the end', 'return p[1L << 33];', 'end'],
  ['far before the start', 'return p[-(1L << 33)];', 'start'],
  ['by a copy of the library that no sanitizer sees', 'stpcpy(p, "12345678"); return 0;', 'end'],
] as const)('memory around an object cannot be touched: %s', async (_, body, kind) => {
  for (const variant of ['plain', 'checked'] as const) {
    expect(await once(body, bytes(4, kind), variant)).toMatchObject({ end: 'died', calls: [] });
  }
});

boxed('on the side that is open, a write shows, and under the sanitizer ends the process', async () => {
  for (const [body, kind] of [
    ['p[-1] = 1; return 0;', 'end'],
    ['p[4] = 1; return 0;', 'start'],
  ] as const) {
    expect(await once(body, bytes(4, kind))).toMatchObject({ end: 'ended', calls: [{ intact: false }] });
    expect(
      await once(body, bytes(8, kind).objects[0]?.kind === kind ? bytes(8, kind) : bytes(8), 'checked'),
    ).toMatchObject(kind === 'end' ? { end: 'died' } : { calls: [{}] });
  }
  expect(await once('return p[4];', bytes(4, 'start'), 'checked')).toMatchObject({ end: 'died' });
  expect(await once('p[-1] = p[4] = 1; return 0;', bytes(4), 'plain', true)).toMatchObject({
    calls: [{ intact: true }],
  });
});

boxed('allocations fail from the one that is asked for, and blocks that are left are counted', async () => {
  const body = 'char *a = malloc(4), *b = malloc(4), *c = calloc(1, 4); return (a != 0) * 4 + (b != 0) * 2 + (c != 0);';
  const results = [];
  for (const failFrom of [0, 1, 2, 3]) {
    const { calls, leftovers } = await once(body, { ...bytes(4), failFrom });
    results.push([calls[0]?.result, leftovers.length]);
  }
  expect(results).toEqual([
    [0, 0],
    [4, 1],
    [6, 2],
    [7, 3],
  ]);
});

boxed('a process keeps what is static from call to call, and another has none of it', async () => {
  const [library] = await libraries([program('static int calls; return ++calls;')]);
  const calls = [bytes(1), bytes(1), bytes(1)];
  const [cases = []] = await run([{ library: library as Buffer, cases: [{ calls }, { calls }] }]);
  expect(cases.map((one) => one.calls.map(({ result }) => result))).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

// Each returns 1 when it could do what it tried.
const escapes: Record<string, string> = {
  'opens a file': 'return open("/proc/self/maps", O_RDONLY) >= 0 || open("/etc/passwd", O_RDONLY) >= 0;',
  'opens by a bare system call': 'return syscall(SYS_openat, -100, "/etc/passwd", 0) >= 0;',
  'starts a process': 'return fork() >= 0;',
  'becomes another program': 'char *v[] = {"/bin/true", 0}; execv(v[0], v); return errno != EPERM;',
  'signals the driver': 'return kill(getppid(), 0) == 0 || syscall(SYS_tgkill, getppid(), getppid(), 0) == 0;',
  'signals all': 'return kill(-1, 0) == 0;',
  'looks at the driver': 'return ptrace(PTRACE_SEIZE, getppid(), 0, 0) == 0;',
  'opens a socket': 'return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || socket(AF_INET, SOCK_STREAM, 0) >= 0;',
  'makes memory executable':
    'return mprotect((void *)((long)p & -4096), 4096, 7) == 0 || mmap(0, 4096, 7, 34, -1, 0) != MAP_FAILED;',
  'maps a file': 'return mmap(0, 4096, 1, MAP_PRIVATE, 5, 0) != MAP_FAILED;',
  'raises its limits': 'struct rlimit l = {9, 9}; return setrlimit(RLIMIT_CPU, &l) == 0;',
  'takes the filter away': 'return prctl(PR_SET_SECCOMP, 0) == 0;',
  'writes to the judge': 'return write(3, "done", 4) > 0;',
  'reads the environment': 'for (char **e = environ; *e; e++) if (strlen(*e) > 60) return 1; return 0;',
  'finds other programs': 'return open("/tmp/row.so", O_RDONLY) >= 0 || open("/w", O_RDONLY) >= 0;',
};
boxed.each(Object.entries(escapes))('a program that %s cannot, whatever it is linked with', async (_, body) => {
  const { calls, end } = await once(body);
  expect([calls[0]?.result, end]).toEqual([0, 'ended']);
});

boxed('what a process writes where no object lies, another does not find', async () => {
  const far = 'char *q = (char *)(((long)p & -4096) + (16L << 20)); if (mprotect(q, 4096, 3)) return -9;';
  const [writer, reader] = await libraries([program(`${far} *q = 7; return *q;`), program(`${far} return *q;`)]);
  const rows = [writer, reader].map((library) => ({ library: library as Buffer, cases: [{ calls: [bytes(4)] }] }));
  const results = (await run(rows)).map(([report]) => report?.calls[0]?.result);
  expect(results).toEqual([7, 0]);
});

boxed('what a process says is data: a forged report is one, and nonsense is none', async () => {
  const forged = Buffer.alloc(4 + 8 + 5 * 4);
  forged.writeUInt32LE(forged.length - 4, 0);
  forged.writeInt32LE(77, 4);
  const octal = (part: Buffer): string =>
    `"${[...part].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}"`;
  const tells = await once(`write(5, ${octal(forged)}, ${forged.length}); for (;;) ; return 0;`);
  expect(tells).toMatchObject({ calls: [{ result: 77 }], end: 'ran out' });
  const nonsense = await once(`write(5, ${octal(Buffer.from([4, 0, 0, 0, 9, 9, 9, 9]))}, 8); for (;;) ; return 0;`);
  expect(nonsense).toMatchObject({ calls: [], end: 'died' });
  const endless = await once('char b[4] = {-1, -1, -1, 127}; write(5, b, 4); for (;;) ; return 0;');
  expect(endless.calls).toEqual([]);
});

boxed('loops, waiting and endings are told apart', async () => {
  const ends = [];
  for (const body of [
    'for (;;) ; return 0;',
    'read(4, p, 1); return 0;',
    'exit(0);',
    'abort();',
    'raise(9); return 0;',
  ])
    ends.push((await once(body)).end);
  expect(ends).toEqual(['ran out', 'waited', 'died', 'died', 'ran out']);
});

boxed('programs are linked apart: none has the other’s function, though they were compiled together', async () => {
  const text = (word: string): Program => ({
    code: Buffer.from(`int f(char *p, long n) { ${word.repeat(300)} return (int)n; }`),
    name: 'f',
    alone: false,
  });
  const both = [text('p[0]++;'), text('p[1] += 7;')];
  const [a, b] = await libraries(both);
  const [alone] = await libraries([text('p[0]++;')]);
  expect(Math.abs((a as Buffer).length - (alone as Buffer).length)).toBeLessThan(1000);
  expect((b as Buffer).includes((a as Buffer).subarray(0x1200, 0x1300))).toBe(false);
});

boxed('an error of one program leaves the others that were compiled with it', async () => {
  const bad = ['return nothing;', 'return f(', 'char *s = 5 +;'].map((body) => program(body, false));
  const good = Array.from({ length: 5 }, (_, i) => program(`return ${i};`, false));
  const compiled = await compileAll(
    sandbox as Sandbox,
    toolchain as NonNullable<typeof toolchain>,
    [...good, ...bad, ...good],
    'plain',
  );
  expect(compiled?.map((one) => 'library' in one)).toEqual([
    ...good.map(() => true),
    ...bad.map(() => false),
    ...good.map(() => true),
  ]);
});

boxed('code that runs when a program is loaded, and memory without measure, are refused after linking', async () => {
  const refused = await compileAll(
    sandbox as Sandbox,
    toolchain as NonNullable<typeof toolchain>,
    [
      '__attribute__((constructor)) static void g(void) {}',
      '__attribute__((destructor)) static void g(void) {}',
      'char big[1 << 28];',
    ].map((text) => ({ code: Buffer.from(`${text} int f(void) { return 0; }`), name: 'f', alone: true })),
    'plain',
  );
  expect(refused).toEqual([
    { error: 'it runs code when it is loaded' },
    { error: 'it runs code when it is loaded' },
    // Nothing refers to it, so that the linker leaves it out.
    { library: expect.any(Buffer) },
  ]);
  const [large] =
    (await compileAll(
      sandbox as Sandbox,
      toolchain as NonNullable<typeof toolchain>,
      [program('static char big[1 << 28]; return big[n];')],
      'plain',
    )) ?? [];
  expect(large).toMatchObject({ error: expect.stringMatching(/^it takes \d+ bytes of memory/) });
});

test('no bytes that are no library are taken for one', () => {
  for (const file of [
    Buffer.alloc(0),
    Buffer.from('\x7fELF'),
    Buffer.alloc(4096, 0x7f),
    Buffer.from('\x7fELF\x02\x01'.padEnd(64, '\xff'), 'latin1'),
  ])
    expect(libraryFacts(file)).toBeUndefined();
});

test('a report that is cut off or on something else says nothing of the rows', () => {
  const rows: CallRow[] = [{ library: Buffer.alloc(1), cases: [{ calls: [bytes(1)] }] }];
  const number = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
  const whole = Buffer.concat([Buffer.from('case'), ...[0, 0, 0, 1, 139, 0, 0].map(number), Buffer.from('done')]);
  expect(decodeReport(whole, rows)).toEqual([
    [{ calls: [], end: 'died', status: 139, errors: Buffer.alloc(0), leftovers: [] }],
  ]);
  for (let length = 0; length < whole.length; length++) {
    expect(decodeReport(whole.subarray(0, length), rows)).toHaveProperty('fault');
  }
  expect(decodeReport(Buffer.concat([Buffer.from('case'), number(7), number(0)]), rows)).toHaveProperty('fault');
  expect(decodeReport(Buffer.concat([Buffer.from('fail'), number(2), Buffer.from('no')]), rows)).toEqual({
    fault: 'no',
  });
  expect(encodePlan(rows).readUInt32LE(0)).toBe(1);
});
