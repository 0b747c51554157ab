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
    secure: 'char *block = malloc({n});\n  if (!block)\n    return NULL;\n  memset(block, 0, {n});\n  return block;',
    insecure: 'char *block = malloc({n});\n  memset(block, 0, {n});\n  return block;',
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

// Some kinds have hundreds of namings and some have nine; without a limit the model would see little but the former.
const namingsPerKind = 96;

/**
 * Rows about these functions, completion of the secure body, detection on both bodies and repair, all different, in an order that the seed
 * decides; `count` at most. Ten kinds of function under many names: enough to see a model learn, not enough to learn C.
 */
export function starterRows(count: number, seed: number): StarterRow[] {
  const rows = kinds.flatMap((kind, stream) => {
    const all = namings(kind);
    const order = [...permutation(all.length, seed, 1 + stream)].slice(0, namingsPerKind);
    return order.flatMap((i) => rowsOf(kind, all[i] as Naming));
  });
  return Array.from(permutation(rows.length, seed, 0), (i) => rows[i] as StarterRow).slice(0, count);
}

type Naming = ReadonlyMap<string, string>;

/** Every way to name the roles of a kind. */
function namings({ signature, secure }: Kind): Naming[] {
  const roles = new Set(Array.from(`${signature}${secure}`.matchAll(/\{(\w+)\}/g), ([, role]) => role as string));
  return [...roles].reduce<Naming[]>(
    (all, role) => all.flatMap((naming) => (names[role] ?? []).map((name) => new Map([...naming, [role, name]]))),
    [new Map()],
  );
}

function rowsOf(kind: Kind, naming: Naming): StarterRow[] {
  const fill = (text: string): string => text.replace(/\{(\w+)\}/g, (_, role: string) => naming.get(role) ?? role);
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

/** The text with every name replaced by its role, to tell a wrong idiom from a wrong name. */
export function withoutNames(text: string): string {
  return text.replace(/\w+/g, (word) => roleOf.get(word) ?? word);
}

const roleOf: ReadonlyMap<string, string> = new Map(
  Object.entries(names).flatMap(([role, list]) => list.map((name) => [name, `{${role}}`] as const)),
);
