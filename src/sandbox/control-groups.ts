import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
} from 'node:fs';
import { rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SrcodeError } from '../errors.js';

/** What the kernel counts of all processes of a run together, its own memory for them (sockets, /tmp) among it. */
export interface GroupLimits {
  /** Undefined for as much as there is. */
  memoryBytes: number | undefined;
  processes: number;
}

/** Where control groups for memory and processes can be made. */
export interface Hierarchy {
  version: 1 | 2;
  /** One folder, or one for each of the two controllers. */
  folders: readonly string[];
}

/**
 * Where this process may make control groups: below its own group for version 1, whose limits then hold too; for version 2, where a group
 * with processes has no groups with limits below it, beside the group or farther up. Nothing of the system's is changed.
 */
export function findHierarchy(
  mounts: string = read('/proc/self/mountinfo'),
  groups: string = read('/proc/self/cgroup'),
): Hierarchy | undefined {
  if (!existsSync(childrenOf('self', process.pid))) return undefined;
  const second = ownFolder(mounts, groups, 'cgroup2', '');
  const delegated = second && climb(second.folder, second.top).find(givesLimits);
  if (delegated !== undefined) return { version: 2, folders: [delegated] };
  const first = ['memory', 'pids'].map((controller) => ownFolder(mounts, groups, 'cgroup', controller)?.folder);
  const folders = [...new Set(first.filter((folder) => folder !== undefined))];
  return first.every((folder) => folder !== undefined && writable(folder)) ? { version: 1, folders } : undefined;
}

/** The processes that a process of one thread started, and those that these did. */
export function descendants(pid: number): number[] {
  const path = childrenOf(pid, pid);
  const children = (existing(() => read(path))?.match(/\d+/g) ?? []).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

// Not every kernel is built with it.
const childrenOf = (pid: number | 'self', thread: number): string => `/proc/${pid}/task/${thread}/children`;

/** The control group of one run. */
export class ControlGroup {
  readonly #hierarchy: Hierarchy;
  readonly #folders: readonly string[];

  private constructor(hierarchy: Hierarchy, name: string) {
    this.#hierarchy = hierarchy;
    this.#folders = hierarchy.folders.map((folder) => join(folder, name));
  }

  static async create(hierarchy: Hierarchy, limits: GroupLimits): Promise<ControlGroup> {
    made++;
    const group = new ControlGroup(hierarchy, `${ownPrefix()}${made}`);
    try {
      for (const folder of group.#folders) mkdirSync(folder);
      await group.#limit(limits);
      return group;
    } catch (cause) {
      await group.remove();
      throw new SrcodeError('ERR_SANDBOX', `control group: ${(cause as Error).message}`, { cause });
    }
  }

  /** Moves processes in; those that they start from then on are born in it. */
  async add(pids: readonly number[]): Promise<void> {
    for (const folder of this.#folders) {
      const list = join(folder, 'cgroup.procs');
      // To move one that is there already takes as long.
      const present = new Set(read(list).split('\n').map(Number));
      for (const pid of pids.filter((one) => !present.has(one))) {
        await writeFile(list, String(pid)).catch((error: NodeJS.ErrnoException) => {
          // It has ended meanwhile.
          if (error.code !== 'ESRCH') throw error;
        });
      }
    }
  }

  /** Kills whatever is in it, until nothing is, and removes it. */
  async remove(): Promise<void> {
    for (let wait = 0; this.#folders.some((folder) => existsSync(folder)) && wait < 100; wait++) {
      await this.kill();
      for (const folder of this.#folders) await rmdir(folder).catch(() => {});
      // A process that was killed leaves the group a moment later.
      if (this.#folders.some((folder) => existsSync(folder))) await sleep(wait);
    }
  }

  async kill(): Promise<void> {
    // With this no process in it can start another: none outruns the killing.
    await this.#write('pids.max', 0);
    for (const folder of this.#folders) {
      if (existsSync(join(folder, 'cgroup.kill'))) await this.#write('cgroup.kill', 1);
      else killMembers(folder);
    }
  }

  /** What runs of callers that have died left behind. */
  static async sweep(hierarchy: Hierarchy): Promise<void> {
    const beside = hierarchy.folders.flatMap((folder) => [folder, ...subfolders(dirname(folder))]);
    const names = beside.flatMap((folder) => subfolders(folder)).map((path) => path.slice(dirname(path).length + 1));
    for (const name of new Set(names.filter(isLeftover))) {
      for (const parent of beside) await new ControlGroup({ ...hierarchy, folders: [parent] }, name).remove();
    }
  }

  async #limit({ memoryBytes, processes }: GroupLimits): Promise<void> {
    await this.#write('pids.max', processes);
    if (this.#hierarchy.version === 2) {
      await this.#write('memory.max', memoryBytes ?? 'max');
      await this.#write('memory.swap.max', 0);
      await this.#write('memory.oom.group', 1);
    } else if (memoryBytes !== undefined) {
      await this.#write('memory.limit_in_bytes', memoryBytes);
      // Memory and swap together; and that of TCP, which version 1 counts apart.
      await this.#write('memory.memsw.limit_in_bytes', memoryBytes);
      await this.#write('memory.kmem.tcp.limit_in_bytes', memoryBytes);
    }
  }

  // A setting belongs to the folder that has it: each controller its own in version 1, and none where the kernel leaves one out.
  async #write(name: string, value: number | string): Promise<void> {
    for (const folder of this.#folders) {
      const path = join(folder, name);
      if (existsSync(path)) await writeFile(path, String(value));
    }
  }
}

let made = 0;

// A number alone may be another process's by now, or another container's: the namespace and the time of its start tell.
function ownPrefix(): string {
  return `srcode-${processNamespace()}-${process.pid}-${startOf(process.pid)}-`;
}

function isLeftover(name: string): boolean {
  const [, namespace, pid, start] = /^srcode-(\d+)-(\d+)-(\d+)-\d+$/.exec(name) ?? [];
  return namespace === processNamespace() && startOf(Number(pid)) !== start;
}

const processNamespace = (): string => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';

/** When a process began, in ticks since the machine did (field 22 of its stat, counted behind its name); undefined when it is gone. */
function startOf(pid: number): string | undefined {
  const stat = existing(() => read(`/proc/${pid}/stat`));
  return stat?.replace(/^.*\)/s, '').trim().split(' ')[19];
}

function killMembers(folder: string): void {
  const members = existing(() => read(join(folder, 'cgroup.procs'))) ?? '';
  for (const pid of members.split('\n').map(Number)) {
    // 0 stands for a process of another namespace, and to kill for the caller's own group.
    if (pid > 0) existing(() => process.kill(pid, 'SIGKILL'));
  }
}

/** The folder of this process's own group, and the topmost that is mounted. Of version 1 the one of a controller. */
function ownFolder(
  mounts: string,
  groups: string,
  type: 'cgroup' | 'cgroup2',
  controller: string,
): { folder: string; top: string } | undefined {
  const has = (list: string): boolean => controller === '' || list.split(',').includes(controller);
  const path = groups
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .find((found) => found !== null && (type === 'cgroup2' ? found[1] === '' : has(found[1] as string)))?.[2];
  for (const line of mounts.split('\n')) {
    const [before, after = ''] = line.split(' - ');
    const [, , , root = '', top = ''] = (before as string).split(' ');
    const [kind, , options = ''] = after.split(' ');
    if (path === undefined || kind !== type || !has(options)) continue;
    if (root === '/') return { folder: join(top, path), top };
    if (path === root || path.startsWith(`${root}/`)) return { folder: join(top, path.slice(root.length)), top };
  }
  return undefined;
}

function climb(folder: string, top: string): string[] {
  return folder === top || folder === '/' ? [folder] : [folder, ...climb(dirname(folder), top)];
}

function givesLimits(folder: string): boolean {
  try {
    const given = read(join(folder, 'cgroup.subtree_control')).trim().split(' ');
    return given.includes('memory') && given.includes('pids') && writable(folder);
  } catch {
    return false;
  }
}

// Also its list of processes: who moves one between two groups must be allowed to write the list of one that is above both.
function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    accessSync(join(folder, 'cgroup.procs'), constants.W_OK);
    const probe = join(folder, `${ownPrefix()}0`);
    mkdirSync(probe);
    rmdirSync(probe);
    return true;
  } catch {
    return false;
  }
}

function subfolders(folder: string): string[] {
  const entries = existing(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.flatMap((entry) => (entry.isDirectory() ? [join(folder, entry.name)] : []));
}

/** Undefined where what it looks at is gone: processes and groups end at any time. */
function existing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  return readFileSync(path, 'utf8');
}
