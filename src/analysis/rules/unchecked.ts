import { type CNode, child } from '../c/syntax.js';
import { negated } from '../engine/arithmetic.js';
import { owed, settle, unread } from '../engine/duties.js';
import { nullable, readsText } from '../engine/functions.js';
import { coveredBy } from '../engine/joins.js';
import { awaited, mustSucceed, opens } from '../engine/results.js';
import type { Argument, RuleFamily } from '../engine/rule.js';
import { addLinear, constant, Facts, type Origin, type State, type Value } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';
import { names } from '../names.js';

/** Results that are ignored, tested for what the function never gives, or used untested. */
export const unchecked: RuleFamily = {
  rules: [
    {
      id: 'ignored-result',
      cwe: 'CWE-252',
      kind: 'error',
      finds: 'the result of a call that must not fail unseen, ignored',
      discharge: 'a test of the result',
    },
    {
      id: 'wrong-test',
      cwe: 'CWE-253',
      kind: 'error',
      finds:
        'a result compared with something that does not tell failure: malloc with −1, snprintf with 0, open with 0',
      discharge: 'the comparison that the function’s manual names',
    },
    {
      id: 'unchecked-result',
      cwe: 'CWE-252',
      kind: 'error',
      finds: 'a file descriptor used that may be −1, as nothing tested whether open, socket or mkstemp failed',
      discharge: 'a test of the result',
    },
    {
      id: 'unchecked-input',
      cwe: 'CWE-252',
      kind: 'error',
      finds:
        'what fgets, fread, scanf, fstat, realpath or sqlite3_prepare should have filled, used without a test whether they did',
      discharge: 'a test of the result',
    },
    {
      id: 'unchecked-number',
      cwe: 'CWE-20',
      kind: 'parse',
      finds: 'a number of strtol and its like taken without a look at where it ends',
      discharge: 'a test of what the end pointer leads to, or of errno; without an end pointer, of the number',
    },
    {
      id: 'empty-number',
      cwe: 'CWE-20',
      kind: 'parse',
      finds: 'zero taken for a number, as strtol and its like give it for a text without one',
      discharge:
        'a comparison of the end pointer with the start; a test that the text is not empty, or the number not zero',
    },
    {
      id: 'rest-of-number',
      cwe: 'CWE-20',
      kind: 'parse',
      finds: 'a number that strtol and its like take from the start of a text, whatever comes behind it',
      discharge: 'a test of what the end pointer leads to; what is read on from there',
    },
    {
      id: 'truncated-text',
      cwe: 'CWE-252',
      kind: 'truncation',
      finds: 'text that snprintf may have cut off, used as a path, a command or a statement',
      discharge: 'a test of snprintf’s result against the size of the buffer',
    },
  ],

  call(walk, { node, name, arguments: args, state }) {
    const alone = node.parent?.type === 'expression_statement';
    if (alone && mustSucceed.test(name) && !toTerminal(walk, name, args)) ignored(walk, { node, callee: name });
    for (const { value } of args) settle('ignored-result', value, state);
    const descriptor = args[name === 'mmap' ? 4 : 0]?.value;
    if (descriptor !== undefined && takesDescriptor.test(name)) {
      const { origin } = descriptor;
      if (origin !== undefined && opens.test(origin.callee) && walk.range(descriptor.number, state.facts).lo < 0)
        walk.report('unchecked-result', origin.node, `${origin.callee} may fail, and ${name} takes what it gave`);
    }
    for (const [i, { value }] of args.entries()) {
      if (readsText(name, i)) missing(walk, walk.content(value, state), state);
    }
    const text = Object.hasOwn(whole, name) ? args[whole[name] as number]?.value : undefined;
    const cut = text === undefined ? undefined : walk.content(text, state).cut;
    if (cut !== undefined && !walk.atMost(cut.written, addLinear(cut.room, constant(-1)) ?? cut.room, state.facts))
      walk.report('truncated-text', node, `${cut.origin.callee} may have cut this text off`);
  },

  access(walk, { pointer, index, write, state }) {
    // `b[n] = 0;`: what was read ends where it ends.
    if (write && index !== null && state.duties.size > 0) settle('unchecked-input', index, state);
    if (!write && pointer.targets.length > 0) missing(walk, walk.content(pointer, state), state);
  },

  read(walk, { node, value, state }) {
    missing(walk, value, state);
    const base = node.type === 'field_expression' && node.operator === '.' ? child(node, 'argument') : undefined;
    if (base === undefined) return;
    const place = walk.quietly(() => walk.locate(base, state));
    if (place !== undefined) missing(walk, state.store.get(place.key), state);
  },

  arithmetic(walk, { node, operator, left, right, state }) {
    if (!Object.hasOwn(negated, operator)) return;
    const { lo, hi } = walk.range(right.number, state.facts);
    if (lo === hi && right.number.symbol === 0) compared(walk, node, operator, left, lo, right);
    const other = walk.range(left.number, state.facts);
    if (other.lo === other.hi && left.number.symbol === 0)
      compared(walk, node, flipped[operator] as string, right, other.lo, left);
  },

  assign(_walk, { key, value, state }) {
    // Whoever reads it there has the result to test.
    if (state.duties.size === 0) return;
    if (/^[*@]|\./.test(key))
      for (const rule of ['ignored-result', 'unchecked-number', unread.start]) settle(rule, value, state);
    // `at = end;`: what comes next is read on.
    settle(unread.rest, value, state);
  },

  leave(walk, { value, frame, state }) {
    const duties = owed(state, frame.id);
    const due = (rule: string, of: Origin): boolean => duties.some((duty) => duty.rule === rule && duty.origin === of);
    for (const { rule, origin, symbol } of duties) {
      if (value !== null && coveredBy(value).includes(symbol)) continue;
      if (rule === 'unchecked-number')
        walk.report(rule, origin.node, `nothing tests whether ${origin.callee} read a number`);
      else if (rule === unread.start && !due(unread.rest, origin) && mayBeZero(origin, state))
        walk.report('empty-number', origin.node, `text without a number is zero to ${origin.callee}`);
      else if (rule === unread.rest && !due(unread.start, origin) && !due('unchecked-number', origin))
        walk.report('rest-of-number', origin.node, `nothing looks at what ${origin.callee} left of the text`);
      // Behind a join a variable may stand for another result.
      else if (rule === 'ignored-result' && (!isKept(origin.node) || holds(symbol, state))) ignored(walk, origin);
    }
  },
};

/** Calls whose first argument is a file descriptor; mmap's fifth is. */
const takesDescriptor = names(
  /^(p?read|p?write|fstat|fchmod|fchown|ftruncate|lseek|fcntl|ioctl|dup2|send(to|msg)?|recv(from|msg)?|bind|listen|accept4?|connect|[gs]etsockopt|dprintf|fdopen|flock|fsync|mmap)$/,
);

/** Calls for which text that is cut off is another text: which argument it is. */
const whole: Readonly<Record<string, number>> = {
  fopen: 0,
  open: 0,
  openat: 1,
  unlink: 0,
  remove: 0,
  opendir: 0,
  rename: 0,
  mkdir: 0,
  rmdir: 0,
  chmod: 0,
  stat: 0,
  lstat: 0,
  realpath: 0,
  dlopen: 0,
  system: 0,
  popen: 0,
  sqlite3_exec: 1,
  sqlite3_prepare: 1,
  sqlite3_prepare_v2: 1,
  mysql_query: 1,
  PQexec: 1,
};

// Whether the number may be what is given where there is none.
function mayBeZero({ node }: Origin, { store, facts }: State): boolean {
  for (const { number, origin } of store.values()) {
    if (origin?.node !== node || number.symbol === 0) continue;
    const { lo, hi } = facts.range(number.symbol) ?? { lo: -Infinity, hi: Infinity };
    if (lo > 0 || hi <= 0 || facts.has(`ne:${number.symbol}:0`)) return false;
  }
  return true;
}

function ignored(walk: Walk, { node, callee }: Origin): void {
  walk.report('ignored-result', node, `${callee} may fail, and nothing looks at its result`);
}

function toTerminal(walk: Walk, name: string, args: readonly Argument[]): boolean {
  const [to] = args;
  return name === 'write' && to !== undefined && walk.range(to.value.number, new Facts()).hi <= 2;
}

function missing(walk: Walk, value: Value | undefined, state: State): void {
  const origin = awaited(value, state);
  if (origin !== undefined)
    walk.report('unchecked-input', origin.node, `${origin.callee} may fail, and what it should have filled is used`);
}

// Whether a variable gets what a call gives.
function isKept(call: CNode): boolean {
  for (let at: CNode | null = call; at !== null && !at.type.endsWith('_statement'); at = at.parent)
    if (at.type === 'assignment_expression' || at.type === 'init_declarator') return true;
  return false;
}

function holds(symbol: number, { store }: State): boolean {
  return [...store.values()].some(({ number }) => number.symbol === symbol);
}

const flipped: Readonly<Record<string, string>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '==': '==',
  '!=': '!=',
};

function compared(walk: Walk, node: CNode, operator: string, value: Value, against: number, other: Value): void {
  const callee = value.origin?.callee;
  if (callee === undefined) return;
  if (!wrong(callee, operator, against, other)) return;
  walk.report('wrong-test', node, `${callee} does not tell failure this way`);
}

function wrong(callee: string, operator: string, against: number, other: Value): boolean {
  const equality = operator === '==' || operator === '!=';
  if (nullable.has(callee) && other.type.kind !== 'pointer') {
    return (equality && against !== 0) || ((operator === '<' || operator === '>=') && against === 0);
  }
  if (/^(v?f?printf|v?sn?printf|dprintf)$/.test(callee)) return equality && against === 0;
  if (/^(f?puts|fputs)$/.test(callee)) return equality && against === 0;
  if (/^f?putc(har)?$|^putchar$|^f?getc(har)?$|^getchar$/.test(callee))
    return equality && against === 0 && other.type.kind === 'pointer';
  if (/^(open|openat|creat|socket|accept|dup|mkstemp)$/.test(callee)) return equality && against === 0;
  if (
    /^(close|unlink|remove|rename|mkdir|rmdir|chdir|stat|lstat|fstat|bind|listen|connect|setuid|setgid|setsockopt|fseek|fclose|fflush|pipe|kill|atexit|setvbuf|access|chmod|chown)$/.test(
      callee,
    )
  ) {
    return (equality && against === 1) || (operator === '>' && against === 0);
  }
  if (/^pthread_(create|join|mutex_lock|mutex_init|mutex_unlock|detach)$/.test(callee))
    return (operator === '<' && against === 0) || (equality && against === -1);
  if (/^(fread|fwrite)$/.test(callee)) return (operator === '<' && against === 0) || (equality && against === -1);
  if (/^f?s?scanf$/.test(callee)) return equality && against === 0;
  if (/^(str(case)?cmp|strncmp|strncasecmp|memcmp)$/.test(callee)) return equality && (against === 1 || against === -1);
  if (callee === 'fork') return operator === '==' && against === 1;
  return false;
}
