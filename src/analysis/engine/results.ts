import { type Names, names } from '../names.js';
import { owe, settle, unclosed, unread } from './duties.js';
import { isFiller } from './functions.js';
import type { Argument, CallEvent } from './rule.js';
import type { Origin, State, Value } from './values.js';
import type { Walk } from './walk.js';

/** Functions that give a file descriptor, or −1. */
export const opens: Names = names(
  /^(open|openat|creat|socket|accept4?|dup|mkstemp|mkostemp|memfd_create|shm_open|epoll_create1?|inotify_init1?)$/,
);
const streams = names(/^(fopen|fdopen|popen|freopen|tmpfile|opendir)$/);
const closes = names(/^(close|fclose|pclose|closedir)$/);
/** Functions whose failure must not pass unseen. */
export const mustSucceed: Names = names(
  /^(set(e|re|res)?[ug]id|setgroups|initgroups|chroot|chdir|mlock|ftruncate|RAND_bytes|write|send|sendto|pthread_create)$/,
);
const parses = names(/^strto(l|ll|ul|ull|d|f|ld|imax|umax)$/);

/** What a function writes to the memory that it is given, if it succeeds: the arguments. */
const outputs: Readonly<Record<string, readonly number[]>> = {
  fgets: [0],
  read: [1],
  pread: [1],
  recv: [1],
  recvfrom: [1],
  fread: [0],
  stat: [1],
  lstat: [1],
  fstat: [1],
  realpath: [1],
  getcwd: [0],
  pipe: [0],
  clock_gettime: [1],
};
/** The same for handles, which are nothing before: however they were initialised. */
const handles: Readonly<Record<string, readonly number[]>> = {
  sqlite3_open: [1],
  sqlite3_open_v2: [1],
  sqlite3_prepare: [3],
  sqlite3_prepare_v2: [3],
  sqlite3_prepare_v3: [4],
  getaddrinfo: [3],
  pthread_create: [0],
};

/** Whether a call's result says whether it did what it should. */
export function isFallible(name: string): boolean {
  return mustSucceed.test(name) || Object.hasOwn(outputs, name) || Object.hasOwn(handles, name);
}

/** The memory that a call is to fill and that nothing is in yet, by its key in the store. */
export function unfilled({ name, arguments: args, state }: CallEvent): string[] {
  const at = Object.hasOwn(outputs, name)
    ? outputs[name]
    : scanners.test(name)
      ? args.map((_, i) => i).slice(name === 'scanf' ? 1 : 2)
      : undefined;
  const keys: string[] = [];
  for (const i of at ?? []) {
    const pointer = args[i]?.value;
    const region = pointer?.targets[0]?.region;
    if (pointer === undefined) continue;
    if (region === undefined || region.kind === 'outside') {
      const key = `${region?.id ?? `*${pointer.number.symbol}`}[]`;
      if (isFiller(name) && pointer.number.symbol !== 0 && !state.store.has(key)) keys.push(key);
      continue;
    }
    const whole = state.store.get(region.id);
    const content = state.store.get(`${region.id}[]`);
    const array = region.kind !== 'variable' || region.type.kind === 'array';
    if (whole?.uninitialised || (array && content?.uninitialised)) keys.push(array ? `${region.id}[]` : region.id);
  }
  for (const i of Object.hasOwn(handles, name) ? (handles[name] as readonly number[]) : []) {
    const region = args[i]?.value.targets[0]?.region;
    if (region?.kind === 'variable') keys.push(region.id);
  }
  return keys;
}

/**
 * What a call leaves the path to do, behind what it did.
 * @param filled - What {@link unfilled} said before it.
 */
export function leaveDuties(
  walk: Walk,
  { node, name, arguments: args, state }: CallEvent,
  result: Value,
  filled: readonly string[],
): void {
  const { symbol } = result.number;
  const origin: Origin = { node, callee: name };
  if (closes.test(name)) {
    const [handle] = args;
    if (handle !== undefined && walk.holds(node) && settle(unclosed, handle.value, state)) walk.matters(node);
    return;
  }
  if (symbol === 0) return;
  if (opens.test(name) || streams.test(name)) owe(walk, unclosed, origin, symbol, state);
  if (mustSucceed.test(name)) owe(walk, 'ignored-result', origin, symbol, state);
  if (parses.test(name)) {
    const end = args[1];
    const region = end?.value.targets[0]?.region;
    const rest = region === undefined ? undefined : state.store.get(region.id);
    // Whose end is the caller's is the caller's to test.
    if (rest !== undefined) {
      for (const rule of ['unchecked-number', unread.rest]) owe(walk, rule, origin, rest.number.symbol, state);
      if (!lookedAt(walk, args[0])) owe(walk, unread.start, origin, rest.number.symbol, state);
    } else if (end !== undefined && walk.isNull(end.value, state.facts) === 'yes')
      owe(walk, 'unchecked-number', origin, symbol, state);
  }
  if (filled.length > 0) {
    const awaits = owe(walk, 'unchecked-input', origin, symbol, state);
    for (const key of filled) {
      const value = state.store.get(key);
      if (value !== undefined) state.store.set(key, { ...value, awaits });
    }
  }
}

// Whether anything before looks at the text's first character or its length: it need not be empty then.
function lookedAt(walk: Walk, text: Argument | undefined): boolean {
  if (text === undefined) return false;
  const name = walk.text(text.node);
  const before = walk.text({ start: walk.frame.function.node.start, end: text.node.start });
  return [`${name}[0]`, `!*${name}`, `*${name} ==`, `*${name} !=`, `strlen(${name})`].some((look) =>
    before.includes(look),
  );
}

/** Whether a value is there only if a call succeeded that this path has not tested. */
export function awaited(value: Value | undefined, { duties }: State): Origin | undefined {
  return value?.awaits === undefined ? undefined : duties.get(value.awaits)?.origin;
}

const scanners = names(/^(f|s)?scanf$/);
