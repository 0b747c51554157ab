import type { Cwe, Severity } from '../../teacher/teacher.js';
import type { Role, StepId } from './spec.js';

/** C text in which `{role}` stands for the name of that parameter. */
type Template = string;

/** When the function leaves with -1. A null check is written `!p` or `p == NULL`, as the author's style has it. */
export type Condition = Template | { isNull: Template };

/** One way to write a step. */
export interface Form {
  /** Stands before `body`, or at the head of the function in the style that puts guards first. */
  guard?: Condition;
  body?: readonly (Template | { guard: Condition })[];
  /** What a value step returns or stores. */
  value?: Template;
}

/** A kind of step: what a prompt asks for, and how careful and careless authors write it. */
export interface Step {
  cwe: Cwe;
  severity: Severity;
  /** Its parameters, which stand together in a signature. */
  roles: readonly Role[];
  /** What a prompt says, behind "it". */
  phrases: readonly Template[];
  secure: readonly Form[];
  /** Functional with good input, and open to the attack that the CWE names. */
  insecure: readonly Form[];
  /** It yields an int: the function's return value when it comes last, else stored in `*outp`. */
  value?: true;
  /** Variables that its forms declare. */
  locals?: readonly string[];
  /** What a review says of an insecure form. */
  flaw: Template;
}

/** C type of a parameter, with the space or star before its name. */
export const parameterTypes: Readonly<Record<Role, string>> = {
  arr: 'int *',
  n: 'int ',
  idx: 'int ',
  val: 'int ',
  dst: 'char *',
  cap: 'size_t ',
  src: 'const char *',
  s: 'const char *',
  msg: 'const char *',
  a: 'int ',
  b: 'int ',
  num: 'int ',
  den: 'int ',
  node: 'struct node *',
  pp: 'char **',
  sz: 'size_t ',
  outp: 'int *',
  outs: 'char **',
  mem: 'char **',
  arg: 'const char *',
  dir: 'const char *',
  fname: 'const char *',
  cfg: 'const char *',
  fin: 'FILE *',
  lbuf: 'char *',
  lcap: 'int ',
  blob: 'const char *',
  blen: 'int ',
  frame: 'char *',
};

const element = '{arr}[{idx}]';
const store = ['{arr}[{idx}] = {val};'];
const move = ['memcpy({frame}, {blob}, {blen});'];
const ping = ['char cmd[64];', 'snprintf(cmd, sizeof(cmd), "ping %s", {arg});', 'system(cmd);'];
const unlink = ['char path[64];', 'snprintf(path, sizeof(path), "%s/%s", {dir}, {fname});', 'remove(path);'];
const total = (compare: string): string[] => [
  'int acc = 0;',
  `for (int j = 0; j ${compare} {n}; j++)`,
  '    acc += {arr}[j];',
];
const open = 'FILE *f = fopen({cfg}, "r");';

/**
 * The whole family: a function is one to four of these. `is_plain` is a helper that programs may call: only letters, digits and dots.
 * `struct node` has an int `value`.
 */
export const steps: Readonly<Record<StepId, Step>> = {
  get: {
    cwe: 'CWE-125',
    severity: 'medium',
    roles: ['arr', 'n', 'idx'],
    phrases: [
      'reads element {idx} of the array {arr} with {n} entries',
      'gets the entry at {idx} from {arr} (length {n})',
      'looks up {arr}[{idx}], where {arr} holds {n} ints',
    ],
    secure: [
      { guard: '{idx} < 0 || {idx} >= {n}', value: element },
      { guard: '{idx} >= {n} || {idx} < 0', value: element },
    ],
    insecure: [
      { value: element },
      { guard: '{idx} >= {n}', value: element },
      { guard: '{idx} < 0 || {idx} > {n}', value: element },
    ],
    value: true,
    flaw: '{idx} is used to read {arr} without a full range check',
  },
  set: {
    cwe: 'CWE-787',
    severity: 'high',
    roles: ['arr', 'n', 'idx', 'val'],
    phrases: [
      'stores {val} at position {idx} of {arr} ({n} slots)',
      'writes {val} into {arr}[{idx}]; {arr} has {n} elements',
      'puts {val} in slot {idx} of the {n} element array {arr}',
    ],
    secure: [
      { guard: '{idx} < 0 || {idx} >= {n}', body: store },
      { guard: '{idx} >= {n} || {idx} < 0', body: store },
    ],
    insecure: [
      { body: store },
      { guard: '{idx} >= {n}', body: store },
      { guard: '{idx} < 0 || {idx} > {n}', body: store },
    ],
    flaw: '{idx} is used to write {arr} without a full range check',
  },
  div: {
    cwe: 'CWE-369',
    severity: 'low',
    roles: ['num', 'den'],
    phrases: ['divides {num} by {den}', 'computes {num} / {den}', 'splits {num} evenly over {den}'],
    secure: [
      { guard: '{den} <= 0', value: '{num} / {den}' },
      { guard: '{den} == 0 || ({den} == -1 && {num} == INT_MIN)', value: '{num} / {den}' },
    ],
    insecure: [
      { value: '{num} / {den}' },
      { guard: '{den} < 0', value: '{num} / {den}' },
      // INT_MIN / -1 traps as well.
      { guard: '{den} == 0', value: '{num} / {den}' },
    ],
    value: true,
    flaw: 'dividing {num} by {den} may trap',
  },
  add: {
    cwe: 'CWE-190',
    severity: 'medium',
    roles: ['a', 'b'],
    phrases: ['adds {a} and {b}', 'computes the sum of {a} and {b}', 'computes {a} plus {b} (both not negative)'],
    secure: [
      { guard: '{a} > INT_MAX - {b}', value: '{a} + {b}' },
      { guard: '{b} > INT_MAX - {a}', value: '{a} + {b}' },
    ],
    insecure: [{ value: '{a} + {b}' }, { guard: '{a} + {b} < 0', value: '{a} + {b}' }],
    value: true,
    flaw: '{a} + {b} may overflow',
  },
  copy: {
    cwe: 'CWE-120',
    severity: 'high',
    roles: ['dst', 'cap', 'src'],
    phrases: [
      'copies the string {src} into {dst} (capacity {cap})',
      'fills {dst}, a buffer of {cap} bytes, with {src}',
      'sets {dst} to {src}; {dst} can hold {cap} bytes',
    ],
    secure: [
      { body: ['snprintf({dst}, {cap}, "%s", {src});'] },
      { guard: 'strlen({src}) >= {cap}', body: ['strcpy({dst}, {src});'] },
      { body: ['strncpy({dst}, {src}, {cap} - 1);', "{dst}[{cap} - 1] = '\\0';"] },
    ],
    insecure: [
      { body: ['strcpy({dst}, {src});'] },
      { body: ['sprintf({dst}, "%s", {src});'] },
      { guard: 'strlen({src}) > {cap}', body: ['strcpy({dst}, {src});'] },
      { body: ['strncpy({dst}, {src}, {cap});'] },
    ],
    flaw: '{src} may not fit in {dst}',
  },
  cat: {
    cwe: 'CWE-787',
    severity: 'high',
    roles: ['dst', 'cap', 'src'],
    phrases: [
      'appends {src} to the string {dst} (capacity {cap})',
      'adds {src} to the end of {dst}, a buffer of {cap} bytes',
      'extends the string {dst} with {src}; {dst} has room for {cap} bytes',
    ],
    secure: [
      { guard: 'strlen({dst}) + strlen({src}) >= {cap}', body: ['strcat({dst}, {src});'] },
      { body: ['strncat({dst}, {src}, {cap} - strlen({dst}) - 1);'] },
    ],
    insecure: [
      { body: ['strcat({dst}, {src});'] },
      { body: ['strncat({dst}, {src}, {cap});'] },
      { guard: 'strlen({dst}) + strlen({src}) > {cap}', body: ['strcat({dst}, {src});'] },
    ],
    flaw: '{src} may not fit in {dst}',
  },
  mcpy: {
    cwe: 'CWE-195',
    severity: 'high',
    roles: ['frame', 'cap', 'blob', 'blen'],
    phrases: [
      'copies {blen} bytes of {blob} into {frame} (room for {cap})',
      'moves the first {blen} bytes of {blob} to {frame}, which holds {cap} bytes',
      'places {blen} bytes from {blob} in the {cap} byte buffer {frame}',
    ],
    secure: [{ guard: '{blen} < 0 || (size_t){blen} > {cap}', body: move }],
    insecure: [{ body: move }, { guard: '{blen} > (int){cap}', body: move }],
    flaw: '{blen} is not checked against {cap}',
  },
  print: {
    cwe: 'CWE-134',
    severity: 'medium',
    roles: ['msg'],
    phrases: ['prints {msg}', 'writes the text {msg} to stdout', 'shows {msg} to the user'],
    secure: [{ body: ['printf("%s", {msg});'] }, { body: ['fputs({msg}, stdout);'] }],
    insecure: [{ body: ['printf({msg});'] }, { body: ['fprintf(stdout, {msg});'] }],
    flaw: '{msg} is used as a format',
  },
  slen: {
    cwe: 'CWE-476',
    severity: 'low',
    roles: ['s'],
    phrases: [
      'measures the length of {s} ({s} can be missing)',
      'finds how long the string {s} is',
      'counts the bytes of {s}',
    ],
    secure: [{ guard: { isNull: '{s}' }, value: '(int)strlen({s})' }],
    insecure: [{ value: '(int)strlen({s})' }],
    value: true,
    flaw: '{s} may be null',
  },
  field: {
    cwe: 'CWE-476',
    severity: 'low',
    roles: ['node'],
    phrases: ['fetches the value field of {node}', 'reads {node}->value', 'gets the value kept in {node}'],
    secure: [{ guard: { isNull: '{node}' }, value: '{node}->value' }],
    insecure: [{ value: '{node}->value' }],
    value: true,
    flaw: '{node} may be null',
  },
  alloc: {
    cwe: 'CWE-690',
    severity: 'medium',
    roles: ['mem', 'sz'],
    phrases: [
      'allocates {sz} zeroed bytes in {mem}',
      'sets *{mem} to a new buffer of {sz} bytes filled with zero',
      'makes *{mem} a heap block of {sz} zero bytes',
    ],
    secure: [{ body: ['*{mem} = malloc({sz});', { guard: { isNull: '*{mem}' } }, 'memset(*{mem}, 0, {sz});'] }],
    insecure: [{ body: ['*{mem} = malloc({sz});', 'memset(*{mem}, 0, {sz});'] }],
    flaw: 'malloc may fail',
  },
  dup: {
    cwe: 'CWE-131',
    severity: 'high',
    roles: ['outs', 'src'],
    phrases: [
      'duplicates {src} into *{outs}',
      'makes a heap copy of {src} and stores it in *{outs}',
      'sets *{outs} to a new copy of the string {src}',
    ],
    secure: [
      {
        body: ['*{outs} = malloc(strlen({src}) + 1);', { guard: { isNull: '*{outs}' } }, 'strcpy(*{outs}, {src});'],
      },
    ],
    insecure: [
      { body: ['*{outs} = malloc(strlen({src}));', { guard: { isNull: '*{outs}' } }, 'strcpy(*{outs}, {src});'] },
      { body: ['*{outs} = malloc(strlen({src}) + 1);', 'strcpy(*{outs}, {src});'] },
    ],
    flaw: 'the copy is not sized or checked',
  },
  free: {
    cwe: 'CWE-415',
    severity: 'high',
    roles: ['pp'],
    phrases: ['releases the buffer *{pp}', 'frees the memory that {pp} points to', 'drops the buffer held in *{pp}'],
    secure: [{ body: ['free(*{pp});', '*{pp} = NULL;'] }],
    insecure: [{ body: ['free(*{pp});'] }],
    flaw: '*{pp} is left dangling',
  },
  take: {
    cwe: 'CWE-416',
    severity: 'high',
    roles: ['node'],
    phrases: [
      'takes the value out of {node} and frees it',
      'gets the value of {node} after releasing {node}',
      'removes {node} from memory, keeping its value',
    ],
    secure: [{ body: ['int taken = {node}->value;', 'free({node});'], value: 'taken' }],
    insecure: [{ body: ['free({node});', 'int taken = {node}->value;'], value: 'taken' }],
    value: true,
    locals: ['taken'],
    flaw: '{node} is used after free',
  },
  exec: {
    cwe: 'CWE-78',
    severity: 'high',
    roles: ['arg'],
    phrases: ['runs ping on {arg}', 'starts the ping command for {arg}', 'pings {arg} with a shell command'],
    // Characters that are allowed can be listed; a list of those that are not always lacks some.
    secure: [{ guard: '!is_plain({arg})', body: ping }],
    insecure: [
      { body: ping },
      { guard: "strchr({arg}, ';')", body: ping },
      { guard: 'strpbrk({arg}, ";|&")', body: ping },
    ],
    locals: ['cmd'],
    flaw: '{arg} reaches the shell',
  },
  path: {
    cwe: 'CWE-22',
    severity: 'medium',
    roles: ['dir', 'fname'],
    phrases: [
      'deletes {fname} inside {dir}',
      'removes the file {fname} under the directory {dir}',
      'erases {fname} from the folder {dir}',
    ],
    secure: [
      { guard: 'strstr({fname}, "..")', body: unlink },
      { guard: "strchr({fname}, '/')", body: unlink },
    ],
    insecure: [{ body: unlink }],
    locals: ['path'],
    flaw: '{fname} may leave {dir}',
  },
  sum: {
    cwe: 'CWE-193',
    severity: 'medium',
    roles: ['arr', 'n'],
    phrases: [
      'sums the {n} values of {arr}',
      'adds up all {n} entries of {arr}',
      'totals {arr}, which has {n} elements',
    ],
    secure: [{ body: total('<'), value: 'acc' }],
    insecure: [{ body: total('<='), value: 'acc' }],
    value: true,
    locals: ['acc', 'j'],
    flaw: 'the loop reads past {arr}',
  },
  file: {
    cwe: 'CWE-401',
    severity: 'low',
    roles: ['cfg'],
    phrases: [
      'reads the first byte of the file {cfg}',
      'opens {cfg} and reads one character',
      'fetches the first character stored in the file {cfg}',
    ],
    secure: [{ body: [open, { guard: { isNull: 'f' } }, 'int c = fgetc(f);', 'fclose(f);'], value: 'c' }],
    insecure: [
      { body: [open, 'int c = fgetc(f);', 'fclose(f);'], value: 'c' },
      { body: [open, { guard: { isNull: 'f' } }, 'int c = fgetc(f);'], value: 'c' },
    ],
    value: true,
    locals: ['f', 'c'],
    flaw: 'the stream is not checked or closed',
  },
  line: {
    cwe: 'CWE-242',
    severity: 'high',
    roles: ['lbuf', 'lcap', 'fin'],
    phrases: [
      'reads a word from {fin} into {lbuf} ({lcap} bytes)',
      'gets one token of {fin} in {lbuf}, which holds {lcap} bytes',
      'fills {lbuf}, {lcap} bytes long, with a word of {fin}',
    ],
    secure: [{ body: ['fgets({lbuf}, {lcap}, {fin});'] }],
    insecure: [{ body: ['fscanf({fin}, "%s", {lbuf});'] }, { body: ['fgets({lbuf}, 256, {fin});'] }],
    flaw: 'the read is not limited to {lcap}',
  },
};

/** The table's variables, which no parameter and no function is named after. */
export const locals: readonly string[] = Object.values(steps).flatMap((step) => step.locals ?? []);

/** Puts the names into a template. */
export function fill(template: Template, names: Partial<Record<Role, string>>): string {
  const parts = compiled.get(template) ?? template.split(/\{(\w+)\}/);
  compiled.set(template, parts);
  let text = parts[0] as string;
  for (let i = 1; i < parts.length; i += 2) text += (names[parts[i] as Role] as string) + (parts[i + 1] as string);
  return text;
}

// Text and roles in turn. Pretraining fills the few hundred templates millions of times.
const compiled = new Map<Template, string[]>();
