import type { CNode } from '../c/syntax.js';
import { formatOf } from '../engine/functions.js';
import type { Argument, RuleFamily } from '../engine/rule.js';
import { partsOf } from '../engine/symbols.js';
import { characterSet, Source, type State, type Value } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';
import { names } from '../names.js';

/** Text from outside where something else reads it: a shell, a database, the file system, printf. */
export const injection: RuleFamily = {
  rules: [
    {
      id: 'command',
      cwe: 'CWE-78',
      kind: 'allow-list',
      finds: 'a shell command with text from outside in it',
      discharge:
        'a loop or strspn that allows harmless characters only; a comparison with fixed words; exec without a shell',
    },
    {
      id: 'sql',
      cwe: 'CWE-89',
      kind: 'allow-list',
      finds: 'an SQL statement with text from outside in it',
      discharge: 'a statement with placeholders; a loop that allows harmless characters only',
    },
    {
      id: 'unbound',
      cwe: 'CWE-665',
      kind: 'binding',
      finds: 'an SQL statement stepped through while a placeholder of it has no value',
      discharge: 'sqlite3_bind_* for each placeholder',
    },
    {
      id: 'path',
      cwe: 'CWE-22',
      kind: 'path',
      finds: 'a file opened at a path with text from outside in it',
      discharge: 'a test for "..", for separators, or of the resolved path’s start',
    },
    {
      id: 'format',
      cwe: 'CWE-134',
      kind: 'format',
      finds: 'text from outside as the format of printf and its like',
      discharge: '"%s", with the text as its argument',
    },
  ],

  call(walk, { node, name, arguments: args, state }) {
    const format = formatOf(name);
    if (format !== undefined) formatted(walk, node, args, format, state);
    if (name === 'system' || name === 'popen') {
      const command = args[0]?.value;
      if (command !== undefined && open(walk, command, state, shell).length > 0) {
        walk.report('command', node, 'text from outside gets to a shell');
      }
    }
    if (executes.test(name)) {
      const bad = args.slice(1).some(({ value }) => open(walk, value, state, shell).length > 0);
      const told = args.length > 2 && args.some(({ node }) => walk.stringOf(node) === '-c');
      // The safe form: without it a shell would read what it is given.
      if (bad && (told || !walk.holds(node))) walk.report('command', node, 'text from outside gets to a shell');
    }
    if (queries.test(name)) {
      const statement = args[1]?.value;
      if (statement !== undefined && open(walk, statement, state, quotes).length > 0) {
        walk.report('sql', node, 'text from outside gets into an SQL statement');
      }
    }
    if (name.startsWith('sqlite3_')) placeholders(walk, node, name, args, state);
    const at = Object.hasOwn(openers, name) ? (openers[name] as number) : undefined;
    const path = at === undefined ? undefined : args[at];
    if (path !== undefined) checkPath(walk, node, path.value, state);
  },
};

const openers: Readonly<Record<string, number>> = {
  fopen: 0,
  open: 0,
  openat: 1,
  freopen: 0,
  unlink: 0,
  remove: 0,
  opendir: 0,
  creat: 0,
  rmdir: 0,
  rename: 0,
  chmod: 0,
  dlopen: 0,
  // Of C++: what its constructor and open() do.
  fstream: 0,
};

const shell: bigint = characterSet((code) => !/[\w ./,:@%+=-]/.test(String.fromCharCode(code)));
const quotes: bigint = characterSet((code) => /['";\\-]/.test(String.fromCharCode(code)));
const separator: bigint = characterSet((code) => code === 47);
const dot: bigint = characterSet((code) => code === 46);

// How many values a prepared statement still waits for, under a key of its handle's variable.
function placeholders(walk: Walk, node: CNode, name: string, args: readonly Argument[], state: State): void {
  const prepares = /^sqlite3_prepare(_v2|_v3)?$/.exec(name);
  if (prepares !== null) {
    const handle = args[prepares[1] === '_v3' ? 4 : 3]?.value.targets[0]?.region;
    const literal =
      args[1] === undefined
        ? undefined
        : (walk.stringOf(args[1].node) ?? walk.content(args[1].value, state).literalText);
    if (handle === undefined || literal === undefined) return;
    const wanted =
      literal
        .replace(/'[^']*'/g, '')
        .match(/\?\d*|[:@$]\w+/g)
        ?.filter((one) => one !== '').length ?? 0;
    state.store.set(`?${handle.id}`, walk.constant(wanted));
    return;
  }
  const [statement] = args;
  const place = statement === undefined ? undefined : walk.quietly(() => walk.locate(statement.node, state));
  const key = `?${place?.key}`;
  const open = state.store.get(key);
  if (open === undefined) return;
  if (/^sqlite3_bind_/.test(name)) {
    walk.matters(node);
    if (walk.holds(node)) state.store.set(key, { ...open, number: { ...open.number, offset: open.number.offset - 1 } });
  } else if (name === 'sqlite3_step' && walk.range(open.number, state.facts).hi > 0)
    walk.report('unbound', node, 'a placeholder of this statement has no value');
}

/** The parts of a text that come from outside and may hold one of the characters. */
function open(walk: Walk, text: Value, state: State, dangerous: bigint): readonly number[] {
  const content = walk.content(text, state);
  if (content.source === Source.own) return [];
  const whole = state.facts.characters(content.number.symbol);
  if ((whole & dangerous) === 0n) return [];
  return partsOf(content).filter((part) => (state.facts.characters(part) & dangerous) !== 0n);
}

function checkPath(walk: Walk, node: CNode, path: Value, state: State): void {
  const content = walk.content(path, state);
  if (content.source === Source.own) return;
  const { facts } = state;
  const own = content.number.symbol;
  const joined = partsOf(content).some((part) => part !== own);
  // A function that is given a path may open it.
  if (content.source === Source.parameter && !joined) return;
  if (facts.has(`inside:${own}`) || facts.has(`no dots:${own}`)) return;
  const bad = open(walk, path, state, separator).filter(
    (part) => (facts.characters(part) & dot) !== 0n && !facts.has(`no dots:${part}`) && !facts.has(`inside:${part}`),
  );
  if (bad.length > 0) walk.report('path', node, 'text from outside says which file this is');
}

function formatted(
  walk: Walk,
  node: CNode,
  args: readonly { node: CNode; value: Value }[],
  at: number,
  state: State,
): void {
  const format = args[at];
  if (format === undefined) return;
  const literal = walk.stringOf(format.node) ?? walk.content(format.value, state).literalText;
  if (literal === undefined) {
    const content = walk.content(format.value, state);
    if (content.source !== Source.own) walk.report('format', node, 'text from outside is the format');
    return;
  }
  // The safe form: without it the text itself would be the format.
  const text = args[at + 1];
  if (/^%s\n?$/.test(literal) && text !== undefined && args.length === at + 2) {
    const { source } = walk.content(text.value, state);
    if (source !== Source.own && !walk.holds(node)) walk.report('format', node, 'text from outside is the format');
  }
}

const executes = names(/^exec(l|lp|le|v|vp|ve)$/);
const queries = names(
  /^(mysql_(real_)?query|sqlite3_(exec|prepare(_v2|_v3)?)|PQexec|PQprepare|mysql_stmt_prepare|SQLExecDirect)$/,
);
