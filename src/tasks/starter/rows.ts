import { detectionAnswer, detectionPrompt, fenced, repairPrompt } from '../../dataset/prompts.js';
import { permutation } from '../../dataset/random.js';

/** A row as `srcode train sft --data` reads it, and what it teaches. */
export interface StarterRow {
  prompt: string;
  response: string;
  task: 'completion' | 'detection' | 'repair';
}

/** One small C function with a secure and an insecure body. `{role}` is a name drawn from {@link names}. */
interface Kind {
  cwe: number;
  ask: string;
  signature: string;
  secure: string;
  insecure: string;
}

const kinds: readonly Kind[] = [
  {
    cwe: 125,
    ask: 'Return element {i} of {a} with {n} elements, or -1',
    signature: 'int {get}(const int *{a}, int {n}, int {i})',
    secure: 'if ({i} < 0 || {i} >= {n})\n    return -1;\n  return {a}[{i}];',
    insecure: 'if ({i} > {n})\n    return -1;\n  return {a}[{i}];',
  },
  {
    cwe: 787,
    ask: 'Store {v} as element {i} of {a} with {n} elements',
    signature: 'void {set}(int *{a}, int {n}, int {i}, int {v})',
    secure: 'if ({i} < 0 || {i} >= {n})\n    return;\n  {a}[{i}] = {v};',
    insecure: '{a}[{i}] = {v};',
  },
  {
    cwe: 369,
    ask: 'Divide {x} by {y}, or return -1',
    signature: 'int {div}(unsigned {x}, unsigned {y})',
    secure: 'if ({y} == 0)\n    return -1;\n  return {x} / {y};',
    insecure: 'return {x} / {y};',
  },
  {
    cwe: 190,
    ask: 'Add {x} and {y}, or return 0 when the sum is too large',
    signature: 'unsigned {add}(unsigned {x}, unsigned {y})',
    secure: 'if ({x} > UINT_MAX - {y})\n    return 0;\n  return {x} + {y};',
    insecure: 'return {x} + {y};',
  },
  {
    cwe: 120,
    ask: 'Copy {s} to {d}, which has room for {n} bytes',
    signature: 'void {copy}(char *{d}, size_t {n}, const char *{s})',
    secure: 'snprintf({d}, {n}, "%s", {s});',
    insecure: 'strcpy({d}, {s});',
  },
  {
    cwe: 134,
    ask: 'Print {s}',
    signature: 'void {print}(const char *{s})',
    secure: 'printf("%s", {s});',
    insecure: 'printf({s});',
  },
  {
    cwe: 476,
    ask: 'Return what {p} points to, or -1',
    signature: 'int {get}(const int *{p})',
    secure: 'if (!{p})\n    return -1;\n  return *{p};',
    insecure: 'return *{p};',
  },
  {
    cwe: 415,
    ask: 'Release the buffer that {p} points to',
    signature: 'void {release}(char **{p})',
    secure: 'free(*{p});\n  *{p} = NULL;',
    insecure: 'free(*{p});',
  },
  {
    cwe: 242,
    ask: 'Read a line into {d}, which has room for {n} bytes',
    signature: 'void {read}(char *{d}, int {n})',
    secure: 'fgets({d}, {n}, stdin);',
    insecure: 'gets({d});',
  },
  {
    cwe: 690,
    ask: 'Allocate {n} bytes of zeros',
    signature: 'char *{alloc}(size_t {n})',
    secure: 'char *{p} = malloc({n});\n  if (!{p})\n    return NULL;\n  memset({p}, 0, {n});\n  return {p};',
    insecure: 'char *{p} = malloc({n});\n  memset({p}, 0, {n});\n  return {p};',
  },
];

const names: { readonly [role: string]: readonly string[] } = {
  a: ['a', 'data', 'list', 'items'],
  i: ['i', 'index', 'at', 'k'],
  n: ['n', 'size', 'count', 'length'],
  v: ['v', 'value'],
  x: ['x', 'left', 'first'],
  y: ['y', 'right', 'second'],
  s: ['s', 'text', 'source'],
  d: ['d', 'out', 'buffer'],
  p: ['p', 'ptr', 'pointer'],
  get: ['get', 'fetch', 'load'],
  set: ['set', 'store', 'put'],
  div: ['div', 'divide', 'ratio'],
  add: ['add', 'sum', 'plus'],
  copy: ['copy', 'copy_text', 'assign'],
  print: ['print', 'show', 'log_line'],
  release: ['release', 'drop', 'clear'],
  read: ['read_line', 'input', 'ask'],
  alloc: ['alloc', 'make', 'reserve'],
};

/**
 * All different rows about these functions (completion of the secure body, detection on both bodies, repair), in an order that the seed
 * decides; at most `count`. Ten kinds of function under many names: enough to see a model learn, not enough to learn C.
 */
export function starterRows(count: number, seed: number): StarterRow[] {
  const rows = new Map<string, StarterRow>();
  for (let draw = 0; rows.size < count && draw < 4 * count; draw++) {
    const kind = kinds[draw % kinds.length] as Kind;
    for (const row of rowsOf(kind, namesOf(kind, seed, draw))) rows.set(row.prompt, row);
  }
  const all = [...rows.values()];
  return Array.from(permutation(all.length, seed, 0), (i) => all[i] as StarterRow).slice(0, count);
}

function rowsOf(kind: Kind, fill: (text: string) => string): StarterRow[] {
  const signature = fill(kind.signature);
  const code = (body: string) => ({ code: `${signature} {\n  ${fill(body)}\n}`, language: 'c' as const });
  const cwe = [`CWE-${kind.cwe}`];
  const [secure, insecure] = [code(kind.secure), code(kind.insecure)];
  return [
    { prompt: `// ${fill(kind.ask)}.\n${signature} {\n`, response: `  ${fill(kind.secure)}\n}\n`, task: 'completion' },
    { prompt: detectionPrompt(insecure), response: detectionAnswer(cwe), task: 'detection' },
    { prompt: detectionPrompt(secure), response: detectionAnswer(null), task: 'detection' },
    { prompt: repairPrompt({ ...insecure, cwe }), response: fenced(secure), task: 'repair' },
  ];
}

function namesOf(kind: Kind, seed: number, draw: number): (text: string) => string {
  const chosen = new Map<string, string>();
  const roles = new Set(`${kind.signature}${kind.secure}`.match(/\{\w+\}/g)?.map((role) => role.slice(1, -1)));
  for (const [place, role] of [...roles].entries()) {
    const list = names[role] ?? [];
    chosen.set(role, list[permutation(list.length, seed, 1 + draw * 16 + place)[0] ?? 0] ?? role);
  }
  return (text) => text.replace(/\{(\w+)\}/g, (_, role: string) => chosen.get(role) ?? role);
}
