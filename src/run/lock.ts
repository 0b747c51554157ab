import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { SrcodeError } from '../errors.js';
import { ioError } from '../files.js';

/** Who holds a lock: a process, told apart from a later one with the same number by its start time and boot. */
interface Holder {
  pid: number;
  /** Clock ticks from boot to the process's start (/proc/<pid>/stat, field 22). */
  started: string;
  boot: string;
  /** Process numbers mean something inside one PID namespace only. */
  namespace: string;
  host: string;
}

/**
 * Takes the lock file at `path`; returns the function that gives it back. The lock of a process that died is taken over.
 * @throws ERR_LOCKED when another live process holds it, ERR_IO when the folder cannot be written.
 */
export function lock(path: string): () => void {
  const own = JSON.stringify(self());
  const claim = `${path}.${process.pid}`;
  try {
    // A link in its place must not lead elsewhere.
    rmSync(claim, { force: true });
    writeFileSync(claim, own, { flag: 'wx' });
    // link() either creates the whole file or fails: nobody ever sees half a lock.
    while (!link(claim, path)) removeIfDead(path);
  } catch (cause) {
    throw ioError('lock', path, cause);
  } finally {
    rmSync(claim, { force: true });
  }
  return () => {
    if (read(path) === own) rmSync(path, { force: true });
  };
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  }
}

function removeIfDead(path: string): void {
  const text = read(path);
  if (text === undefined) return;
  const holder = parse(text);
  if (holder !== undefined && isAlive(holder)) {
    const elsewhere = holder.host === hostname() ? '' : ` on ${holder.host}; if it is gone, remove ${path}`;
    throw new SrcodeError('ERR_LOCKED', `The run is in use by process ${holder.pid}${elsewhere} (${path}).`);
  }
  // Two processes may both have found it dead: the rename has one winner, and it must have moved what was judged.
  const aside = `${path}.dead.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (read(aside) !== text) link(aside, path);
  rmSync(aside, { force: true });
}

function isAlive(holder: Holder): boolean {
  const here = self();
  // Another machine's processes cannot be seen from here: believed alive.
  if (holder.host !== here.host) return true;
  if (holder.boot !== here.boot || holder.namespace !== here.namespace) return false;
  return startTime(holder.pid) === holder.started;
}

function self(): Holder {
  return {
    pid: process.pid,
    started: startTime(process.pid) ?? '',
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    namespace: readlinkSync('/proc/self/ns/pid'),
    host: hostname(),
  };
}

function startTime(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The command, field 2, may itself hold spaces and brackets.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : rest[18];
}

function parse(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
