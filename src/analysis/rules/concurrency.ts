import type { CNode } from '../c/syntax.js';
import type { Argument, RuleFamily } from '../engine/rule.js';
import { intType } from '../engine/types.js';
import { Source, type State, type Value } from '../engine/values.js';
import type { Frame, Walk } from '../engine/walk.js';
import { names } from '../names.js';

/** What happens between threads and processes: shared data, and files that change between test and use. */
export const concurrency: RuleFamily = {
  rules: [
    {
      id: 'race',
      cwe: 'CWE-362',
      kind: 'lock',
      finds: 'a global variable or a shared file changed by a thread without a lock',
      discharge: 'a mutex held around it; an atomic type',
    },
    {
      id: 'unpaired-lock',
      cwe: 'CWE-667',
      kind: 'lock',
      finds: 'a mutex still locked when the function that locked it returns, or unlocked though nothing locked it',
      discharge: 'each lock with its unlock on every way out',
    },
    {
      id: 'check-then-use',
      cwe: 'CWE-367',
      kind: 'open flags',
      finds: 'a file tested by name and then used by name',
      discharge: 'open first, fstat afterwards; O_EXCL or O_NOFOLLOW',
    },
    {
      id: 'temporary-name',
      cwe: 'CWE-377',
      kind: 'temporary file',
      finds: 'a temporary file’s name made by mktemp, tmpnam or tempnam',
      discharge: 'mkstemp or tmpfile',
    },
  ],

  assign(walk, { node, target, key, state }) {
    if (!key.startsWith('@') || !threaded(walk, walk.frame) || locked(state)) return;
    const global = walk.program.globals.get(key.slice(1).replace(/[.[].*$/, ''));
    if (
      global === undefined ||
      /\b_Atomic|\batomic_|std::atomic|__thread|thread_local/i.test(walk.text(global.node.parent ?? global.node))
    )
      return;
    walk.report('race', node, `${walk.text(target)} is shared, and no lock is held`);
  },

  leave(walk, { node, frame, state }) {
    if (!state.store.has(lockKeys)) return;
    for (const [key, value] of state.store) {
      if (key.startsWith(`${lockKeys}${frame.id}:`) && isLocked(key, value))
        walk.report('unpaired-lock', node, `${key.slice(key.lastIndexOf(':') + 1)} is still locked here`);
    }
  },

  call(walk, { node, name, arguments: args, state }) {
    if (locks.test(name)) {
      walk.matters(node);
      if (walk.holds(node)) state.store.set('#locks', walk.constant(1));
    } else if (unlocks.test(name)) {
      state.store.set('#locks', walk.constant(0));
    }
    const pairs = pairing.get(name);
    if (pairs !== undefined) pair(walk, node, pairs, args, state);
    if (nameMakers.test(name))
      walk.report('temporary-name', node, `${name} gives a name that another process may take first`);
    // The safe form: without it the name would be made before the file.
    if (fileMakers.test(name) && !walk.holds(node))
      walk.report('temporary-name', node, 'another process may take the name first');
    const path = args[0];
    if (path === undefined) return;
    const mode = args[1] === undefined ? undefined : walk.stringOf(args[1].node);
    if (
      name === 'fopen' &&
      mode !== undefined &&
      /[aw+]/.test(mode) &&
      walk.stringOf(path.node) !== undefined &&
      threaded(walk, walk.frame) &&
      !locked(state)
    ) {
      walk.report('race', node, 'threads write to the same file, and no lock is held');
    }
    if (pathTests.test(name)) state.facts.mark(`tested:${pathKey(walk, path, state)}`);
    else if (pathUsers.test(name)) {
      const flags = args.map(({ node }) => walk.text(node)).join(' ');
      if (
        state.facts.has(`tested:${pathKey(walk, path, state)}`) &&
        !(/O_EXCL|O_NOFOLLOW/.test(flags) && walk.holds(node))
      ) {
        walk.report('check-then-use', node, 'the file may be another one than was tested');
      }
    }
  },
};

// Whether a mutex is locked is kept under a key of the activation that locked it: 1, or 0 where it is unlocked again.
function pair(walk: Walk, node: CNode, kind: Pairing, args: readonly Argument[], state: State): void {
  if (args[0] === undefined || wrapper.test(walk.frame.function.name)) return;
  const key = `${lockKeys}${walk.frame.id}:${walk.text(args[0].node).replace(/[\s&()]/g, '')}`;
  if (kind === 'tries') {
    state.store.set(key, walk.fresh(intType, Source.own));
    return;
  }
  walk.matters(node);
  if (kind === 'locks') {
    if (!walk.holds(node)) return;
    state.store.set(key, walk.constant(1));
    state.store.set(lockKeys, walk.constant(0));
    return;
  }
  const before = state.store.get(key);
  // Who is called with a mutex locked may unlock it: it may be any one then.
  const others = before === undefined ? [...state.store].filter(([other, value]) => isLocked(other, value)) : [];
  for (const [other] of others) state.store.set(other, walk.fresh(intType, Source.own));
  if (others.length === 0 && (before === undefined || (before.number.symbol === 0 && before.number.offset === 0)))
    walk.report('unpaired-lock', node, 'nothing locked this');
  if (walk.holds(node)) state.store.set(key, walk.constant(0));
}

const lockKeys = '#lock:';

function isLocked(key: string, { number }: Value): boolean {
  return key.startsWith(lockKeys) && number.symbol === 0 && number.offset === 1;
}

type Pairing = 'locks' | 'tries' | 'unlocks';

const pairing: ReadonlyMap<string, Pairing> = new Map([
  ...['pthread_mutex_lock', 'pthread_rwlock_rdlock', 'pthread_rwlock_wrlock', 'pthread_spin_lock', 'mtx_lock'].map(
    (name) => [name, 'locks'] as const,
  ),
  ...['pthread_mutex_trylock', 'pthread_mutex_timedlock', 'pthread_rwlock_tryrdlock', 'mtx_trylock'].map(
    (name) => [name, 'tries'] as const,
  ),
  ...['pthread_mutex_unlock', 'pthread_rwlock_unlock', 'pthread_spin_unlock', 'mtx_unlock'].map(
    (name) => [name, 'unlocks'] as const,
  ),
]);

/** Names of functions that lock or unlock for whoever calls them. */
const wrapper = /(^|_)(try|un)?lock|[a-z](Un)?Lock|mutex|enter|leave|acquire|release/;

function pathKey(
  walk: Walk,
  { node, value }: { node: Parameters<Walk['text']>[0]; value: Parameters<Walk['content']>[0] },
  state: State,
): string {
  const literal = value.targets[0]?.region.text;
  return literal ?? `${walk.text(node)}:${walk.content(value, state).number.symbol}`;
}

function threaded(walk: Walk, frame: Frame): boolean {
  for (let at: Frame | null = frame; at !== null; at = at.caller)
    if (walk.program.threads.has(at.function.name)) return true;
  return false;
}

function locked(state: State): boolean {
  const locks = state.store.get('#locks');
  return locks !== undefined && !(locks.number.symbol === 0 && locks.number.offset === 0);
}

const locks = names(
  /^(pthread_mutex_(lock|trylock)|mtx_lock|pthread_(rwlock_wrlock|spin_lock)|sem_wait|flockfile|flock)$/,
);
const unlocks = names(/^(pthread_mutex_unlock|mtx_unlock|pthread_(rwlock_unlock|spin_unlock)|sem_post|funlockfile)$/);
const nameMakers = names(/^(mktemp|tmpnam|tempnam)$/);
const fileMakers = names(/^(mkstemp|mkostemp|mkdtemp|tmpfile)$/);
const pathTests = names(/^(access|l?stat)$/);
const pathUsers = names(/^(fopen|open|creat|unlink|remove|chmod|chown|rename|mkdir|rmdir|execl|execv|execvp|freopen)$/);
