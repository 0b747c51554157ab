import type { RuleFamily } from '../engine/rule.js';
import type { State } from '../engine/values.js';
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

  call(walk, { node, name, arguments: args, state }) {
    if (locks.test(name)) {
      walk.matters(node);
      if (walk.holds(node)) state.store.set('#locks', walk.constant(1));
    } else if (unlocks.test(name)) {
      state.store.set('#locks', walk.constant(0));
    }
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
