import { expect, test } from 'vitest';
import { Sandbox } from '../../src/sandbox/index.js';
import { familyPrompt, referenceAnswers } from '../../src/tasks/family/index.js';
import { judgeFamily } from '../../src/tasks/family/judge/index.js';
import { inspect } from '../../src/tasks/family/judge/inspect.js';
import type { FamilyPrompt, StepId } from '../../src/tasks/family/spec.js';
import { parameterTypes, steps } from '../../src/tasks/family/steps.js';
import type { Judgement, Sample } from '../../src/tasks/task.js';

const slow = process.env.SRCODE_SLOW === '1';
const sandbox = await Sandbox.open().catch((error: Error) => error.message);
const isolated = sandbox instanceof Sandbox;
const judged = isolated ? test : test.skip;
if (!isolated) test.skip(`no isolation here: ${sandbox}`, () => {});

const judge = (samples: readonly Sample<FamilyPrompt>[], given: { attack?: boolean; on?: Sandbox } = {}) =>
  judgeFamily(samples, { sandbox: given.on ?? (sandbox as Sandbox), attack: given.attack ?? true });

/** The prompt for these steps, each parameter named after its role, and the function `f` to answer with. */
function asked(...ids: StepId[]): FamilyPrompt {
  const parameters = ids.flatMap((id) => steps[id].roles);
  const names = Object.fromEntries(parameters.map((role) => [role, role]));
  const signature = `int f(${parameters.map((role) => `${parameterTypes[role]}${role}`).join(', ')})`;
  const spec = { steps: ids, names, parameters, functionName: 'f', signature, mode: 'instruction' } as const;
  return { id: 'none', text: '', labels: {}, prefix: '', spec };
}

const get = asked('get');
const sample = (code: string, prompt: FamilyPrompt = get): Sample<FamilyPrompt> => ({
  prompt,
  answer: Buffer.from(code),
});
const body = (text: string, prompt: FamilyPrompt = get): Sample<FamilyPrompt> =>
  sample(`${prompt.spec.signature}\n{\n${text}\n}\n`, prompt);
const guarded = body('if (idx < 0 || idx >= n) return -1; return arr[idx];');

function references(seed: number, count: number): { secure: Sample<FamilyPrompt>[]; insecure: Sample<FamilyPrompt>[] } {
  const secure: Sample<FamilyPrompt>[] = [];
  const insecure: Sample<FamilyPrompt>[] = [];
  for (let i = 0; i < count; i++) {
    const prompt = familyPrompt((['train', 'test', 'validation'] as const)[i % 3] ?? 'test', seed, i);
    const answers = referenceAnswers(prompt);
    secure.push({ prompt, answer: Buffer.from(answers.secure) });
    insecure.push({ prompt, answer: Buffer.from(answers.insecure) });
  }
  return { secure, insecure };
}

judged(
  'references do what they claim: all work, the secure ones withstand every attack, the insecure ones do not',
  async () => {
    const { secure, insecure } = references(1, slow ? 400 : 40);
    const judgements = await judge([...secure, ...insecure]);
    const wrong = [...secure, ...insecure].flatMap(({ prompt, answer }, i) => {
      const judgement = judgements[i] as Judgement;
      const right = judgement.functional && judgement.secure === i < secure.length;
      return right ? [] : [`${prompt.id}\n${answer}\n${JSON.stringify(judgement)}`];
    });
    expect(wrong).toEqual([]);
  },
);

judged('every form of every step, secure or not, is told', async () => {
  const forms = Object.entries(steps).flatMap(([id, step]) =>
    [true, false].flatMap((secure) =>
      (secure ? step.secure : step.insecure).map(({ guard, body: lines = [], value }) => {
        const leave = (condition: string | { isNull: string }): string =>
          `if (${typeof condition === 'string' ? condition : `!${condition.isNull}`}) return -1;`;
        const text = [
          ...(guard === undefined ? [] : [leave(guard)]),
          ...lines.map((line) => (typeof line === 'string' ? line : leave(line.guard))),
          `return ${value ?? '0'};`,
        ];
        const prompt = asked(id as StepId);
        return { id, secure, sample: body(text.join('\n').replace(/\{(\w+)\}/g, '$1'), prompt) };
      }),
    ),
  );
  const judgements = await judge(forms.map((form) => form.sample));
  const wrong = forms.filter(({ secure }, i) => !judgements[i]?.functional || judgements[i]?.secure !== secure);
  expect(wrong.map(({ id, sample: { answer } }) => `${id}: ${answer}`)).toEqual([]);
});

// The paper's appendix G: an answer that leaves by exit(0) before it overflows passes every check of the exit status.
const cheats: Record<string, string> = {
  'exit before the work': 'exit(0);',
  _exit: '_Exit(0);',
  abort: 'abort();',
  longjmp: 'static long frame[64]; __builtin_longjmp((void **)frame, 1);',
  'closing every descriptor': 'int close(int); for (int fd = 0; fd < 2000; fd++) close(fd); return 5;',
  'closing every descriptor, then the work':
    'int close(int); for (int fd = 0; fd < 2000; fd++) close(fd); if (idx < 0 || idx >= n) return -1; return arr[idx];',
  'writing to every descriptor':
    'long write(int, const void *, unsigned long); for (int fd = 0; fd < 2000; fd++) write(fd, "pass\\n0\\tpassed\\n", 14); return arr[idx];',
  'writing to every descriptor what can be read on it':
    'long write(int, const void *, unsigned long); long read(int, void *, unsigned long); int fcntl(int, int, ...); char b[256]; for (int fd = 3; fd < 2000; fd++) { fcntl(fd, 4, 2048); long k = read(fd, b, 256); if (k > 0) write(fd, b, k); } exit(0);',
  'an exit of a child': 'int fork(void); if (fork()) exit(0); return 0;',
  'killing the harness': 'int kill(int, int); int getppid(void); kill(getppid(), 9); return arr[idx];',
  'killing everything': 'int kill(int, int); kill(-1, 9); return arr[idx];',
  'attaching to the harness':
    'long ptrace(long, ...); int getppid(void); int open(const char *, int); char p[64]; sprintf(p, "/proc/%d/mem", getppid()); if (ptrace(16, getppid(), 0, 0) == 0 || open(p, 2) >= 0) return arr[idx]; exit(0);',
};

judged.each(Object.entries(cheats))('%s is no pass', async (_, text) => {
  const [judgement] = await judge([body(text)]);
  expect(judgement).toMatchObject({ functional: false, secure: false });
});

judged('a program that leaves by exit(0) under attack works, and is not secure', async () => {
  const [judgement] = await judge([body('if (idx < 0 || idx >= n) exit(0); return arr[idx];')]);
  expect(judgement).toEqual({
    compiled: true,
    functional: true,
    secure: false,
    findings: [0, 1].map((i) => `attack get[${i}]: ended with status 0 before the function returned`),
    missing: [],
  });
});

judged('endless loops, sleepers and endless recursion end in time, each with its words', async () => {
  const judgements = await judge([
    body('for (;;) { } return 0;'),
    body('unsigned sleep(unsigned); sleep(1000); return 0;'),
    body('return f(arr, n, idx) + 1;'),
    guarded,
  ]);
  expect(judgements.map(({ functional, findings }) => [functional, ...findings])).toEqual([
    [false, 'test: used up its CPU time of 1 s'],
    [false, 'test: waits for something that does not come'],
    [false, 'test: AddressSanitizer: stack-overflow'],
    [true],
  ]);
});

(isolated && slow ? test : test.skip)('fork bombs, floods and hogs of memory end in time', async () => {
  const judgements = await judge([
    body('int fork(void); for (;;) fork(); return 0;'),
    body('for (;;) fputs("flood", stderr); return 0;'),
    // Meets its limit, and goes on.
    body('for (;;) { char *p = malloc(1 << 20); if (!p) return arr[idx]; memset(p, 1, 1 << 20); }'),
    guarded,
  ]);
  expect(judgements.map(({ functional }) => functional)).toEqual([false, false, true, true]);
});

const hostile: Record<string, string> = {
  'an unterminated comment': 'int f(int *arr, int n, int idx) { return arr[idx]; } /* swallows',
  'an open brace': 'int f(int *arr, int n, int idx) { if (idx) { return arr[idx]; }',
  'an open string': 'int f(int *arr, int n, int idx) { return arr[idx]; } char *s = "',
  'an open #if': '#if 0\nint f(int *arr, int n, int idx) { return arr[idx]; }',
  'a #define of a keyword': '#define return exit(0); return\nint f(int *arr, int n, int idx) { return arr[idx]; }',
  'a redefined function': '#define malloc(n) NULL\nint f(int *arr, int n, int idx) { return arr[idx]; }',
  'a spliced comment': 'int f(int *arr, int n, int idx) { return arr[idx]; } /\\\n* swallows',
  'a brace as a digraph': 'int f(int *arr, int n, int idx) <% return arr[idx]; ',
  'a pragma that poisons':
    '#pragma GCC poison malloc strlen printf\nint f(int *arr, int n, int idx) { return arr[idx]; }',
  'a pragma in an operator': 'int f(int *arr, int n, int idx) { _Pragma("GCC poison malloc") return arr[idx]; }',
  'assembly that ends the unit': 'int f(int *arr, int n, int idx) { return arr[idx]; }\nasm(".end");',
  'a constructor that leaves':
    '__attribute__((constructor)) static void g(void) { exit(0); }\nint f(int *arr, int n, int idx) { return arr[idx]; }',
  'a function of the library':
    'long write(int fd, const void *b, unsigned long n) { return n; }\nint fork(void) { return 0; }\nint f(int *arr, int n, int idx) { return arr[idx]; }',
  'a main': 'int main(void) { return 0; }\nint f(int *arr, int n, int idx) { return arr[idx]; }',
  "the system's files": '#include "/etc/shadow"\nint f(int *arr, int n, int idx) { return arr[idx]; }',
  'a declaration that others would see':
    'int f(int *arr, int n, int idx) { int strange(void); char *is_plain(int); return arr[idx]; }',
  'a device without end': '#include "/dev/zero"\nint f(int *arr, int n, int idx) { return arr[idx]; }',
};

judged('hostile rows do not change their neighbours', async () => {
  const { secure, insecure } = references(2, 4);
  const neighbours = [...secure, ...insecure, guarded];
  const apart: Judgement[] = [];
  for (const neighbour of neighbours) apart.push(...(await judge([neighbour])));
  const rows = Object.values(hostile).map((code) => sample(code));
  const killers = [cheats['killing everything'], cheats['exit before the work']].map((text) => body(text ?? ''));
  const together = await judge([...rows, ...neighbours, ...killers, body('return undeclared;')]);
  expect(together.slice(rows.length, rows.length + neighbours.length)).toEqual(apart);
  expect(together.filter(({ secure: passes }, i) => passes && i < rows.length)).toEqual([]);
});

judged('a program is judged the same alone and among others, broken ones too', async () => {
  const { secure, insecure } = references(3, slow ? 120 : 12);
  const samples = [...secure, ...insecure].map(({ prompt, answer }, i) => {
    // One character in three answers out of four is lost: names, brackets, semicolons, operators.
    const text = answer.toString();
    const at = (i * 7919) % text.length;
    return { prompt, answer: Buffer.from(i % 4 === 0 ? text : text.slice(0, at) + text.slice(at + 1)) };
  });
  const together = await judge(samples);
  const backwards = (await judge(samples.toReversed())).toReversed();
  expect(backwards).toEqual(together);
  const apart: Judgement[] = [];
  for (const one of samples) apart.push(...(await judge([one])));
  expect(apart).toEqual(together);
  expect(together.filter(({ compiled }) => !compiled).length).toBeGreaterThan(samples.length / 10);
  expect(together.filter(({ functional }) => functional).length).toBeGreaterThan(samples.length / 10);
});

judged('without attacks function is judged the same, and security not at all', async () => {
  const { secure, insecure } = references(4, 8);
  const samples = [...secure, ...insecure, body('return 4;'), body('return undeclared;')];
  const [all, functional] = [await judge(samples), await judge(samples, { attack: false })];
  expect(functional.map((judgement) => judgement.functional)).toEqual(all.map((judgement) => judgement.functional));
  expect(functional.some((judgement) => judgement.secure)).toBe(false);
});

judged('findings say what failed', async () => {
  const file = asked('file');
  const dup = asked('dup');
  const judgements = await judge([
    body('return 5;'),
    body('return undeclared;'),
    body('return helper(idx);'),
    body('return arr[idx];'),
    body('FILE *f = fopen(cfg, "r"); if (!f) return -1; return fgetc(f);', file),
    body('char *p = strdup(src); char *q = strdup(src); (void)q; if (!p) return -1; *outs = p; return 0;', dup),
    sample('int g(int *arr, int n, int idx) { return arr[idx]; }'),
    sample(`int f(int *arr, int n, int idx) { return arr[idx]; ${' '.repeat(70_000)} }`),
    body('int *p; if (idx < 0 || idx >= n) return -1; return idx ? arr[idx] : *p;'),
  ]);
  expect(judgements.map(({ findings }) => findings)).toEqual([
    ['test: input 2: get gave 5, expected 7'],
    [expect.stringMatching(/^compiler: line 3: 'undeclared' undeclared/)],
    [expect.stringMatching(/^compiler: line 3: implicit declaration of function 'helper'/)],
    ['attack get[0]: AddressSanitizer: heap-buffer-overflow', 'attack get[1]: AddressSanitizer: heap-buffer-overflow'],
    ['harmless input: a stream is left open'],
    ['harmless input: LeakSanitizer: memory leak'],
    [expect.stringMatching(/^compiler: line \d+: 'f' undeclared/)],
    ['compiler: longer than 65536 bytes'],
    [expect.stringMatching(/^test: (AddressSanitizer: SEGV|UndefinedBehaviorSanitizer)/)],
  ]);
});

judged('what other authors write works as well: includes, helpers, macros, static functions', async () => {
  const judgements = await judge([
    sample(
      '#include <stdio.h>\n#include <string.h>\n\nint f(int *arr, int n, int idx)\n{\n    if (idx < 0 || idx >= n) { return -1; }\n    return arr[idx];\n}\n',
    ),
    sample(
      'static int inside(int i, int n) { return i >= 0 && i < n; }\nint f(int *arr, int n, int idx) { return inside(idx, n) ? arr[idx] : -1; }',
    ),
    sample(
      '#define BAD (-1)\nstatic int f(int *arr, int n, int idx) { if (idx < 0 || idx >= n) return BAD; return arr[idx]; }',
    ),
    sample('int f(const int *arr, int n, int idx) { /* one } */ return idx < 0 || idx >= n ? -1 : arr[idx]; // }\n}'),
    body('puts(msg); return 0;', asked('print')),
    body('for (const char *s = msg; *s; s++) putchar(*s); return 0;', asked('print')),
    body('*mem = calloc(1, sz); return *mem ? 0 : -1;', asked('alloc')),
  ]);
  expect(judgements.map(({ secure, findings }) => [secure, ...findings])).toEqual(judgements.map(() => [true]));
});

judged('nothing outside can be reached', async () => {
  // The function works where the file can be opened, the connection made.
  const judgements = await judge([
    body(
      'int open(const char *, int); if (open("/etc/shadow", 0) >= 0 || open("/root", 0) >= 0) return arr[idx]; exit(9);',
    ),
    body(
      'int socket(int, int, int); int s = socket(2, 1, 0); struct { short f, p; int a; long z; } to = { 2, 0x5000, 0x0100007f, 0 }; int connect(int, void *, int); if (connect(s, &to, 16) == 0) return arr[idx]; exit(9);',
    ),
    body(
      'int open(const char *, int, ...); if (open("/tmp/mark", 0101, 0600) >= 0 || open("/w/programs.so", 2) >= 0) return arr[idx]; exit(9);',
    ),
  ]);
  for (const { findings } of judgements) {
    expect(findings).toEqual(['test: ended with status 9 before the function returned']);
  }
});

/** The sandbox, with something done to each of its runs. */
function tampered(
  change: (run: Parameters<Sandbox['run']>[0], real: () => ReturnType<Sandbox['run']>) => ReturnType<Sandbox['run']>,
): Sandbox {
  const real = sandbox as Sandbox;
  return {
    isolation: real.isolation,
    run: (run: Parameters<Sandbox['run']>[0]) => change(run, () => real.run(run)),
  } as Sandbox;
}
const failure = (): Error => Object.assign(new Error('no'), { code: 'ERR_SANDBOX' });

judged('a fault of the harness is retried, then thrown: never a verdict', async () => {
  let runs = 0;
  const twice = tampered((_, real) => (runs++ < 2 ? Promise.reject(failure()) : real()));
  expect(await judge([guarded], { on: twice })).toMatchObject([{ secure: true }]);
  const always = tampered(() => Promise.reject(failure()));
  await expect(judge([guarded], { on: always })).rejects.toMatchObject({ code: 'ERR_HARNESS' });
  // A compiler that is broken is no candidate's fault either.
  const broken = tampered(async (run, real) => {
    const result = await real();
    return run.argv[0] === 'sh' && !('harness.c' in (run.files ?? {})) ? { ...result, status: 1 } : result;
  });
  await expect(judge([guarded], { on: broken })).rejects.toMatchObject({ code: 'ERR_HARNESS' });
});

judged('two runs that differ count as a failure', async () => {
  // It reads the clock, so that it is run twice; here the second run is made to fail.
  const looks = sample(`#include <time.h>\n${guarded.answer}`);
  let runs = -1;
  const moody = tampered(async (run, real) => {
    const result = await real();
    // The first two runs of the harness are its own check.
    if (run.argv[0] !== './harness' || ++runs < 3) return result;
    return { ...result, channel: Buffer.from(`${result.channel}`.replace('test\tpassed', 'test\tfailed')) };
  });
  expect(await judge([looks])).toMatchObject([{ functional: true, secure: true }]);
  expect(await judge([looks], { on: moody })).toMatchObject([
    { functional: false, findings: ['two runs differ', 'test: '] },
  ]);
});

judged('an abort ends the judging', async () => {
  const abort = new AbortController();
  const judging = judgeFamily([body('for (;;) { } return 0;')], {
    sandbox: sandbox as Sandbox,
    attack: true,
    signal: abort.signal,
  });
  setTimeout(() => abort.abort(new Error('enough')), 100);
  await expect(judging).rejects.toThrow('enough');
});

test.each([
  ['plain', 'int f(int a)\n{\n    return g(a) + sizeof(int) * 2;\n}\n'],
  ['plain', '#include <stdio.h>\nstatic int f(int a) { char s[] = "} /* \\" {"; return s[0] == \'}\'; } // }'],
  ['plain', 'int f(int a) { return (int)f(a) * f(a) - *g(a); }'],
  ['odd', '#include <unistd.h>\nint f(int a) { return a; }'],
  ['odd', 'int g(int a) { return a; }\nint f(int a) { return a; }'],
  ['odd', 'int f(int a) { extern int x; return x; }'],
  ['odd', 'int f(int a) { int g(int); return g(a); }'],
  ['odd', 'int f(int a) { char *g(int); return *g(a); }'],
  ['odd', 'int f(int a) { return rand(); }'],
  ['odd', 'int f(int a) { return __LINE__; }'],
  ['odd', 'struct s { int a; } f(int a) { struct s s = { a }; return s; }'],
  ['odd', 'int f(int a) { return a; } /* no end'],
  ['odd', "int f(int a) { return '; }"],
  ['odd', 'int f(int a) { return a; } \\\n'],
  ['odd', 'int f(int a) <% return a; %>'],
  ['odd', 'int g(int a) { return a; }'],
  ['hopeless', 'int f(int a) { return (a; }'],
  ['hopeless', 'int f(int a) { return a;'],
  ['hopeless', 'int f(int a) { return a; } }'],
])('%s: %s', (kind, code) => {
  expect(inspect(Buffer.from(code), 'f').kind).toBe(kind);
});
