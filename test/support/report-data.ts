import { RandomStream } from '../../src/dataset/random.js';
import { wilson } from '../../src/evaluation/statistics.js';
import type { ArmResult, Curve, ReportData, SampleView, Scores } from '../../src/report/data.js';

// A fixture: every number below is made up, so that the report has something to draw. None was measured.

const random = new RandomStream(4, 0);

function scores(functional: number, secure: number, n: number, rest: Partial<Scores> = {}): Scores {
  const working = Math.round(functional * n);
  const withstand = Math.round(secure * working);
  return {
    functional: wilson(working, n),
    secureOfValid: wilson(withstand, working),
    fs1: wilson(withstand, n),
    ...rest,
  };
}

const levels: [name: string, functional: number, secure: number, about: string][] = [
  ['SFT', 0.93, 0.33, 'The model before reinforcement learning.'],
  ['outcome', 0.91, 0.41, 'PPO with sequence rewards only: functional test and reward model at the last token; λ 1.'],
  ['same sum', 0.9, 0.47, "The rewards of the TLR arm, summed and delivered at the answer's last token; λ 1."],
  ['TLR', 0.88, 0.57, 'Token-level rewards for each obligation, gated by the functional test.'],
];

const arms: ArmResult[] = levels.map(([name, functional, secure, about], i) => ({
  name,
  about,
  seeds: 1,
  overall: scores(functional, secure, 300, { missing: 0.04 * i, repeated: 0.02 * i, length: 58 + 3 * i, kl: 0.9 * i }),
  groups: [
    ...[1, 2, 3].map((k) => ({
      by: 'k',
      group: String(k),
      scores: scores(functional * (1.06 - 0.06 * k), secure * (1.3 - 0.2 * k), 100, {
        length: 26 * k + 2 * i,
        kl: 0.3 * k * i,
      }),
    })),
    ...['seen steps', 'held-out steps', 'held-out phrasing'].map((group, g) => ({
      by: 'what was in RL prompts',
      group,
      scores: scores(functional * (1 - 0.03 * g), secure * (1 - 0.2 * (g % 2)), [200, 60, 40][g] as number),
    })),
  ],
}));

const curves: Curve[] = levels.slice(1).flatMap(([arm, , secure], i) =>
  [0, 1].map((seed) => ({
    arm,
    seed,
    rows: Array.from({ length: 21 }, (_, step) => {
      const learned = 1 - Math.exp(-step / 7);
      const noise = (size: number): number => size * random.normal();
      return {
        step,
        'rollout/fs': 0.3 + (0.9 * secure - 0.3) * learned + noise(0.03),
        'rollout/functional': 0.93 - 0.02 * i * learned + noise(0.02),
        'rollout/secure-of-valid': 0.33 + (secure - 0.33) * learned + noise(0.03),
        'rollout/reward': 0.4 + 0.5 * learned * (i + 1) + noise(0.1),
        'rollout/length': 57 + 3 * i * learned + noise(0.8),
        'rollout/kl': 0.9 * i * learned + 0.3 * learned + Math.abs(noise(0.1)),
        'critic/explained-variance': -0.1 + 0.35 * learned + noise(0.05),
        'gradient/secure-share': 0.12 + 0.06 * i ** 2 * learned + noise(0.01),
      };
    }),
  })),
);

const programs = [
  `\n    if (name == NULL || dst == NULL || cap == 0) {\n        return -1;\n    }\n    snprintf(dst, cap, "%s", name);\n    if (idx >= n) {\n        return -1;\n    }\n    return table[idx];\n}\n`,
  `\n    strcpy(dst, name);\n    if (n == 0) {\n        return 0;\n    }\n    total = total / n;\n    printf(msg);\n    return total;\n}\n`,
  `\n    struct node *p = malloc(sizeof *p);\n    if (p == NULL) {\n        return -1;\n    }\n    p->value = a + b;\n    *out = p;\n    free(p);\n    return 0;\n}\n`,
];

/** What a hostile model might write: markup, an end of script, controls and characters that turn the direction of writing. */
export const hostile: string = `\n    puts("</pre><script>document.title='owned'</script><img src=https://example.invalid/x onerror=alert(1)>");\n    /* \u202e } if (admin) \u2066 */ "'\`&amp;\0\x1b[31m\r"\n}`;

function sample(text: string, i: number): SampleView {
  const tokens = [...(text.match(/\n\s*|\s?[A-Za-z_]+|\s?[^\sA-Za-z_]+|\s+/g) ?? []), '<|endoftext|>'];
  const secure = tokens.map((token) => /NULL|return -1|cap|snprintf|idx|\bn\b/.test(token.trim()) && i % 3 !== 1);
  const zero = tokens.map(() => 0);
  const bonus = secure.map((credited) => (credited ? 0.12 : 0));
  const kl = tokens.map(() => -0.02 * Math.abs(random.normal()));
  const sequence = zero.with(-1, i % 3 === 1 ? -0.6 : 1.4);
  const reward = tokens.map((_, t) => (bonus[t] as number) + (kl[t] as number) + (sequence[t] as number));
  const advantage = tokens.map((_, t) => (i % 3 === 1 ? -0.7 : 0.4) + (secure[t] ? 1.1 : 0) + 0.4 * random.normal());
  const good = i % 3 === 0;
  return {
    id: `family-v1/test/7/${i}`,
    arm: ['TLR', 'same sum', 'outcome'][i % 3] as string,
    step: 20,
    prompt:
      'Complete this C function: copy name into dst (capacity cap) and return the entry of table at index idx.\n\nint f(char *dst, size_t cap, const char *name, const int *table, size_t n, size_t idx)\n{',
    prefix: 'int f(char *dst, size_t cap, const char *name, const int *table, size_t n, size_t idx)\n{',
    tokens,
    reward,
    advantage,
    weight: advantage.map((value) => Math.abs(value) / tokens.length),
    parts: { bonus, sequence, KL: kl },
    secure,
    compiled: i !== 3,
    functional: i % 3 !== 2 && i !== 3,
    secureVerdict: good && i !== 3,
    findings: good
      ? []
      : ['CWE-120 high: strcpy into dst without a bound', 'attack "long name": AddressSanitizer: heap-buffer-overflow'],
    missing: i % 3 === 2 ? ['return the entry of table'] : [],
  };
}

/** A whole report of made-up numbers. */
export const reportData: ReportData = {
  title: 'A fixture: secure C by token-level rewards',
  about: 'Every number on this page is made up: it is what the report is developed and tested with.',
  command: 'srcode quickstart --profile default',
  comparisons: [
    {
      arm: 'TLR',
      control: 'same sum',
      metric: 'FS@1',
      difference: { value: 0.08, low: 0.021, high: 0.139, n: 300, seeds: 1, covers: 'prompts' },
    },
    {
      arm: 'TLR',
      control: 'outcome',
      metric: 'FS@1',
      difference: { value: 0.13, low: 0.07, high: 0.19, n: 300, seeds: 1, covers: 'prompts' },
    },
    {
      arm: 'TLR',
      control: 'SFT',
      metric: 'functional rate',
      difference: { value: -0.05, low: -0.09, high: 0.004, n: 300, seeds: 1, covers: 'prompts' },
    },
  ],
  setup: {
    made: '2025-01-31T12:00:00Z',
    profile: 'default',
    machine: { Processor: 'Example CPU @ 2.00 GHz', Threads: '2', 'Instruction set': 'avx512_bf16', Memory: '8 GiB' },
    versions: {
      srcode: '0.1.0',
      Node: '20.20.2',
      'Native addon': '0.1.0-3f9a',
      Judge: 'family-judge 1',
      Teacher: 'family 1',
    },
    config: {
      seed: 7,
      ppo: { iterations: 20, prompts: 64, clip: 'ppo', beta: 0.1 },
      tlr: { normalize: 'obligation', functionalGate: true },
    },
    phases: [
      { name: 'SFT', seconds: 118 },
      { name: 'Reward model', seconds: 31.4 },
      { name: 'PPO, outcome', seconds: 92 },
      { name: 'PPO, same sum', seconds: 95 },
      { name: 'PPO, TLR', seconds: 99 },
      { name: 'Evaluation', seconds: 64 },
    ],
  },
  arms,
  sft: {
    method: 'full',
    detection: { before: wilson(151, 300), after: wilson(276, 300) },
    repair: { before: wilson(0, 300), after: wilson(213, 300) },
    functional: { before: wilson(282, 300), after: wilson(279, 300) },
  },
  rewardModel: { accuracy: wilson(412, 500), broken: wilson(121, 125) },
  gate: [
    {
      k: 1,
      functional: wilson(399, 400),
      secureOfValid: wilson(168, 399),
      atLeast: 0.98,
      secureWithin: [0.1, 0.45],
      met: true,
    },
    {
      k: 2,
      functional: wilson(381, 400),
      secureOfValid: wilson(121, 381),
      atLeast: 0.92,
      secureWithin: [0.1, 0.45],
      met: true,
    },
    {
      k: 3,
      functional: wilson(301, 400),
      secureOfValid: wilson(80, 301),
      atLeast: 0.8,
      secureWithin: [0.1, 0.45],
      met: false,
    },
  ],
  curves,
  credit: {
    causalPrecision: wilson(183, 196),
    byKind: [
      { kind: 'bounds', precision: wilson(92, 96) },
      { kind: 'null', precision: wilson(61, 66) },
      { kind: 'format', precision: wilson(30, 34) },
    ],
    agreement: wilson(288, 294),
  },
  trials: ['outcome', 'same sum', 'TLR'].flatMap((arm, a) =>
    [3e-4, 5e-4, 1e-3].map((lr, i) => ({
      arm,
      settings: { lr, beta: 0.1, λ: a < 2 ? 1 : 0.95 },
      fs1: wilson(Math.round(100 * (0.3 + 0.06 * a + 0.04 * (i % 2))), 100),
      chosen: i === 1,
    })),
  ),
  samples: [...programs, hostile, ...programs].map(sample),
  limits: [
    'That the gain outlasts twenty iterations: no arm was trained to convergence.',
    'Anything about larger models, or about C that the task family does not write: test prompts come from the family that the policies were trained on.',
    'An independent judgement of security: teacher and attack tests have the same specification for a source. The mutation audit above is the check on that.',
  ],
};
