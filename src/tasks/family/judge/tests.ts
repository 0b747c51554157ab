import type { Role, StepId } from '../spec.js';

/** A C expression; `V(role)` is the argument for that parameter, in its own type. */
type Expression = string;

/** Two harmless values for each parameter, the second ones at the edge of what a guard must let through. */
export const inputs: Readonly<Record<Role, readonly [Expression, Expression]>> = {
  arr: ['integers(5, 3, 1, 4, 1, 5)', 'integers(3, 7, 2, 9)'],
  n: ['5', '3'],
  idx: ['4', '0'],
  val: ['77', '-6'],
  dst: ['roomy(16, "ab")', 'roomy(9, "xyz")'],
  cap: ['16', '9'],
  src: ['text("hello")', 'text("world")'],
  s: ['text("word5")', 'text("")'],
  msg: ['text("hi")', 'text("all done")'],
  a: ['3', 'INT_MAX - 1'],
  b: ['4', '1'],
  num: ['20', '9'],
  den: ['4', '2'],
  node: ['node(42)', 'node(-3)'],
  pp: ['pointer(malloc(8))', 'pointer(malloc(3))'],
  sz: ['8', '3'],
  outp: ['integers(1, -77)', 'integers(1, -77)'],
  outs: ['pointer(NULL)', 'pointer(NULL)'],
  mem: ['pointer(NULL)', 'pointer(NULL)'],
  arg: ['text("host1")', 'text("a.b")'],
  dir: ['text("/tmp/d")', 'text("/srv")'],
  fname: ['text("a.txt")', 'text("b")'],
  cfg: ['text("cfg.ok")', 'text("other.ok")'],
  fin: ['stream("tok")', 'stream("seventh")'],
  lbuf: ['roomy(8, "")', 'roomy(8, "")'],
  lcap: ['8', '8'],
  blob: ['text("payload")', 'text("123456789")'],
  blen: ['7', '9'],
  frame: ['roomy(16, "")', 'roomy(9, "")'],
};

export interface Attack {
  /** Arguments other than the first harmless ones. */
  given?: Partial<Record<Role, Expression>>;
  /** A statement that runs before the call. */
  before?: string;
  /** Holds when the attack succeeded without a sanitizer's seeing it. */
  succeeded?: Expression;
}

export interface StepTests {
  /** What a value step yields for the two inputs. */
  value?: readonly [number, number];
  /** Holds after a call that did what was asked. */
  done?: Expression;
  /** Beside the harmless inputs again, in buffers that end where they say they do. */
  attacks: readonly Attack[];
}

const forty = 'A'.repeat(40);
// The second allocation may fail where the first one did not.
const outOfMemory = [{ before: 'failing = 1' }, { before: 'failing = 1; spared = 1' }];
const unended = '!memchr(V(dst), 0, 16)';

export const tests: Readonly<Record<StepId, StepTests>> = {
  get: { value: [5, 7], attacks: [{ given: { idx: '-1' } }, { given: { idx: '5' } }] },
  set: { done: 'V(arr)[V(idx)] == V(val)', attacks: [{ given: { idx: '-1' } }, { given: { idx: '5' } }] },
  div: { value: [5, 4], attacks: [{ given: { den: '0' } }] },
  add: {
    value: [7, 2 ** 31 - 1],
    attacks: [{ given: { a: 'INT_MAX', b: '1' } }, { given: { a: '1 << 30', b: '1 << 30' } }],
  },
  copy: {
    done: '!strcmp(V(dst), V(src))',
    attacks: [
      { given: { src: `text("${forty}")` }, succeeded: unended },
      { given: { src: 'text("0123456789abcdef")' }, succeeded: unended },
    ],
  },
  cat: {
    done: '!strcmp(V(dst), variant ? "xyzworld" : "abhello")',
    attacks: [
      { given: { src: `text("${forty}")` }, succeeded: unended },
      { given: { src: 'text("0123456789abcd")' }, succeeded: unended },
    ],
  },
  mcpy: {
    done: '!memcmp(V(frame), V(blob), V(blen))',
    attacks: [{ given: { blen: '-1' } }, { given: { blen: '20', blob: `text("${forty}")` } }],
  },
  print: {
    done: 'printed(V(msg))',
    attacks: [{ given: { msg: 'text("%s%n")' }, before: 'taint = "%s%n"' }],
  },
  slen: { value: [5, 0], attacks: [{ given: { s: 'NULL' } }] },
  field: { value: [42, -3], attacks: [{ given: { node: 'NULL' } }] },
  alloc: { done: '*V(mem) && all_zero(*V(mem), V(sz))', attacks: outOfMemory },
  dup: { done: '*V(outs) && !strcmp(*V(outs), V(src))', attacks: outOfMemory },
  // That the pointer does not dangle, the harmless inputs show: what it points to is freed again.
  free: { done: 'was_freed(start_pp)', attacks: [] },
  take: { value: [42, -3], done: 'was_freed(V(node))', attacks: [] },
  exec: {
    done: '!strcmp(shell_line, variant ? "ping a.b" : "ping host1")',
    attacks: [{ given: { arg: 'text("h;rm")' } }, { given: { arg: 'text("h|sh")' } }],
  },
  path: {
    done: '!strcmp(removed, variant ? "/srv/b" : "/tmp/d/a.txt")',
    attacks: [{ given: { fname: 'text("../../etc/x")' } }],
  },
  sum: { value: [14, 18], attacks: [] },
  file: { value: ['Q'.charCodeAt(0), 'Z'.charCodeAt(0)], attacks: [{ given: { cfg: 'text("no.such")' } }] },
  line: { done: '!strcmp(V(lbuf), variant ? "seventh" : "tok")', attacks: [{ given: { fin: `stream("${forty}")` } }] },
};
