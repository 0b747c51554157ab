import type { CNode } from '../c/syntax.js';
import { nullable } from '../engine/library.js';
import type { RuleFamily } from '../engine/rule.js';
import type { Value } from '../engine/values.js';
import { Source } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';

/** Results that are ignored, or tested for what the function never gives. */
export const unchecked: RuleFamily = {
  rules: [
    {
      id: 'ignored-result',
      cwe: 'CWE-252',
      severity: 'low',
      kind: 'error',
      finds: 'the result of a call that must not fail unseen, ignored',
      discharge: 'a test of the result',
    },
    {
      id: 'wrong-test',
      cwe: 'CWE-253',
      severity: 'low',
      kind: 'error',
      finds:
        'a result compared with something that does not tell failure: malloc with −1, snprintf with 0, open with 0',
      discharge: 'the comparison that the function’s manual names',
    },
    {
      id: 'uninitialised',
      cwe: 'CWE-457',
      severity: 'medium',
      kind: 'initialisation',
      finds: 'a variable read that nothing was assigned to',
      discharge: 'an assignment on every way there',
    },
  ],

  call(walk, { node, name }) {
    if (node.parent?.type === 'expression_statement' && mustCheck.test(name)) {
      walk.report('ignored-result', node, `${name} may fail, and nothing looks at its result`);
    }
  },

  arithmetic(walk, { node, operator, left, right, state }) {
    if (!/^(==|!=|<|<=|>|>=)$/.test(operator)) return;
    const { lo, hi } = walk.range(right.number, state.facts);
    if (lo === hi && right.number.symbol === 0) compared(walk, node, operator, left, lo, right);
    const other = walk.range(left.number, state.facts);
    if (other.lo === other.hi && left.number.symbol === 0)
      compared(walk, node, flipped[operator] as string, right, other.lo, left);
  },

  read(walk, { node, value, state }) {
    if (
      !value.uninitialised ||
      node.type !== 'identifier' ||
      value.type.kind === 'array' ||
      value.type.kind === 'record' ||
      value.type.kind === 'unknown'
    )
      return;
    walk.report('uninitialised', node, `${walk.text(node)} is read before anything is assigned to it`);
    const variable = walk.lookup(walk.text(node));
    if (variable !== undefined) state.store.set(variable.key, { ...walk.fresh(value.type, Source.own) });
  },
};

const mustCheck =
  /^(setuid|setgid|seteuid|setegid|setreuid|setregid|setresuid|setresgid|chroot|chdir|setgroups|initgroups|mlock|ftruncate|RAND_bytes)$/;
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
