import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { SrcodeError } from '../errors.js';
import { ControlGroup, descendants, findHierarchy, type Hierarchy } from './control-groups.js';
import { descriptors, inheritedDescriptors, Nothing } from './descriptors.js';
import { type Isolation, isolate, type Start, unprivilegedUser } from './isolation.js';
import { scratchFolder } from './layout.js';
import type { Profile } from './system-calls.js';
import { WorkFolder } from './work-folder.js';

export interface SandboxLimits {
  /** Of each process. Verdicts should rest on this one: it does not depend on what else the machine does. */
  cpuSeconds: number;
  /** Of the whole run: a safety net, several times the CPU time that is expected. */
  wallSeconds: number;
  /** Address space of each process. Leave it out for programs under AddressSanitizer, which reserves terabytes. */
  memoryMiB?: number;
  /**
   * Memory of all processes together, what the kernel holds for them and /tmp included, where there are control groups. Left out, it is
   * `memoryMiB` and `fileMiB` and 16 more, or without a limit where `memoryMiB` is left out, too.
   */
  totalMiB?: number;
  /** Processes and threads alive at once. */
  processes: number;
  /** Of each file, and of /tmp as a whole; 0 leaves nothing writable. */
  fileMiB: number;
  /** Of stdout, stderr and the channel, each: a program that writes more is killed. */
  outputBytes: number;
}

export interface SandboxRun {
  argv: readonly string[];
  /** Read-only files in the working directory, by name; each can be executed. */
  files?: Readonly<Record<string, Uint8Array>>;
  /**
   * Folders of the host that can be read, by where they are inside: their own absolute path, or a path relative to HOME. The user whom
   * programs run as (of root's: nobody) must be able to read them.
   */
  folders?: Readonly<Record<string, string>>;
  /** Which system calls it may make; default `program`: those of C programs, without sockets. */
  profile?: Profile;
  stdin?: Uint8Array;
  /** Beside PATH, HOME, LC_ALL and TMPDIR, the one folder that can be written; nothing of the caller's is passed on. */
  env?: Readonly<Record<string, string>>;
  limits: SandboxLimits;
  signal?: AbortSignal | undefined;
}

export interface SandboxResult {
  /** The exit status; null when a signal ended the program. A status over 128 reads as a signal, as it does in a shell. */
  status: number | null;
  signal: NodeJS.Signals | null;
  /** Which limit on time ended it. */
  timedOut: 'cpu' | 'wall' | undefined;
  stdout: Buffer;
  stderr: Buffer;
  /** What was written on descriptor 3: the place for verdicts, since a program prints what it likes. */
  channel: Buffer;
  /** It wrote more than `outputBytes` and was killed for that. */
  truncated: boolean;
}

/**
 * Runs programs that nobody has read. Inside there is no network, a read-only system, a /tmp of its own, no capability, no other process,
 * nothing of the caller's environment and descriptors, and only the system calls of a list; when the run ends, however it ends, or when
 * the caller dies, every process in it is killed. Address randomisation is off. docs/sandbox.md says what is not defended.
 */
export class Sandbox {
  readonly isolation: Isolation;
  /** The control groups that limit the memory and the processes of a run as a whole; undefined where none can be made. */
  readonly controlGroups: Hierarchy | undefined;
  readonly #user: number | undefined;

  private constructor(isolation: Isolation, controlGroups: Hierarchy | undefined) {
    this.isolation = isolation;
    this.controlGroups = controlGroups;
    this.#user = unprivilegedUser();
  }

  /**
   * Finds the isolation that works here: bubblewrap, else unshare. `only` asks for one of them.
   * @throws ERR_SANDBOX with the reasons when there is none, unless `unsafe` insists.
   */
  static async open({ unsafe = false, only }: { unsafe?: boolean; only?: Isolation } = {}): Promise<Sandbox> {
    const groups = findHierarchy();
    if (groups !== undefined) await ControlGroup.sweep(groups);
    const reasons: string[] = [];
    for (const isolation of only === undefined ? (['bubblewrap', 'unshare'] as const) : [only]) {
      const sandbox = new Sandbox(isolation, groups);
      try {
        const limits = { cpuSeconds: 5, wallSeconds: 60, processes: 16, fileMiB: 1, outputBytes: 65536 };
        const { status, stderr } = await sandbox.run({ argv: ['true'], limits });
        if (status === 0) return sandbox;
        reasons.push(`${isolation}: ${lastLine(stderr) || `status ${status}`}`);
      } catch (error) {
        reasons.push(`${isolation}: ${(error as Error).message}`);
      }
    }
    if (unsafe) return new Sandbox('none', groups);
    throw new SrcodeError(
      'ERR_SANDBOX',
      [
        'Programs that a model wrote run only in isolation, and none works here.',
        ...reasons.map((reason) => `  ${reason}`),
        'Install bubblewrap (bash scripts/setup does), and let user namespaces be made: in Docker --security-opt seccomp=unconfined',
        '--security-opt systempaths=unconfined; on Ubuntu 24.04 and newer sysctl kernel.apparmor_restrict_unprivileged_userns=0.',
        '--unsafe runs them without isolation: anything that you may do, they may do.',
      ].join('\n'),
    );
  }

  /**
   * Runs one program to its end.
   * @throws ERR_SANDBOX when the sandbox itself failed, never for what the program did; `signal`'s reason when it is aborted.
   */
  async run(run: SandboxRun): Promise<SandboxResult> {
    run.signal?.throwIfAborted();
    using work = this.isolation === 'none' ? new WorkFolder(this.#user) : undefined;
    const { limits, files = {}, folders = {}, profile = 'program' } = run;
    const scratch = work?.path ?? scratchFolder;
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: scratch, TMPDIR: scratch, LC_ALL: 'C', ...run.env };
    const layout = { profile, files, folders, scratchBytes: limits.fileMiB * 2 ** 20, env };
    const start = await isolate(this.isolation, layout, this.#limited(run), { work, user: this.#user });
    const group = await this.#group(limits);
    try {
      const child = this.#spawn(start);
      feed(child.stdio[0], run.stdin);
      for (const [i, bytes] of start.inputs.entries()) feed(child.stdio[descriptors.filter + i], bytes);
      return await this.#watch(child, run, this.#admission(child, group));
    } finally {
      await group?.remove();
    }
  }

  async #group({ memoryMiB, totalMiB, fileMiB, processes }: SandboxLimits): Promise<ControlGroup | undefined> {
    if (this.controlGroups === undefined) return undefined;
    const total = totalMiB ?? (memoryMiB === undefined ? undefined : memoryMiB + fileMiB + 16);
    const memoryBytes = total === undefined ? undefined : total * 2 ** 20;
    // Three are isolation's own.
    return ControlGroup.create(this.controlGroups, { memoryBytes, processes: processes + 3 });
  }

  #spawn({ argv: [command, ...args], cwd, env, inputs }: Start): ChildProcess {
    using nothing = new Nothing();
    const own = descriptors.filter + inputs.length;
    const stdio: ('pipe' | 'ignore' | number)[] = Array.from({ length: own }, () => 'pipe');
    for (const descriptor of inheritedDescriptors()) {
      if (descriptor >= own) stdio[descriptor] = nothing.descriptor;
    }
    // Those between are not open: to ignore them leaves them so.
    const places = Array.from(stdio, (place) => place ?? 'ignore');
    // Without isolation the launcher keeps the caller's user, so that the program cannot end it, and gives the program another.
    const user = this.isolation === 'none' ? undefined : this.#user;
    return spawn(command, args, {
      ...{ cwd, env, stdio: places, detached: this.isolation === 'none' },
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
  }

  // The kernel takes some 13 ms to move a process into a group, unless it has just moved another: that begins while the sandbox is built.
  #admission(child: ChildProcess, group: ControlGroup | undefined): () => Promise<void> {
    const { pid } = child;
    // It has none when it could not be started.
    if (group === undefined || pid === undefined) return async () => {};
    const first = group.add([pid]).then(() => group.add(descendants(pid)));
    first.catch(() => {});
    return async () => {
      await first;
      await group.add(descendants(pid));
      feed(child.stdio[descriptors.channel], Buffer.from('\n'));
    };
  }

  // Says that it was reached, waits until it is in its group, then becomes the program under its limits; a caller that died while the
  // sandbox was built hears nothing, and the program does not begin. The hard CPU limit, a second behind the soft one, kills those who ignore SIGXCPU.
  #limited({ argv, limits, profile }: SandboxRun): string[] {
    const wait = this.controlGroups === undefined ? '' : `read -r go <&${descriptors.channel} && `;
    return [
      ...['sh', '-c', `printf . >&${descriptors.channel} && ${wait}exec "$@"`, 'sh', 'prlimit'],
      ...[`--cpu=${limits.cpuSeconds}:${limits.cpuSeconds + 1}`, `--fsize=${limits.fileMiB * 2 ** 20}`],
      ...['--core=0', `--nofile=${profile === 'analyser' ? 8192 : 1024}`, `--stack=${8 * 2 ** 20}`],
      // Without a namespace this counts all processes of the user.
      ...(this.isolation === 'none' ? [] : [`--nproc=${limits.processes}`]),
      ...(limits.memoryMiB === undefined ? [] : [`--as=${limits.memoryMiB * 2 ** 20}`]),
      ...['setarch', '-R', '--', ...argv],
    ];
  }

  async #watch(
    child: ChildProcess,
    { limits, signal, argv }: SandboxRun,
    admit: () => Promise<void>,
  ): Promise<SandboxResult> {
    let refused: Error | undefined;
    let ended: 'wall' | 'output' | 'abort' | undefined;
    let began = false;
    let insisting: NodeJS.Timeout | undefined;
    const kill = (): void => {
      // bubblewrap and unshare take their process namespace with them; the launcher ends what it watches, unless the program stopped it.
      if (this.isolation !== 'none') child.kill('SIGKILL');
      else {
        child.kill('SIGTERM');
        insisting ??= setTimeout(() => child.kill('SIGKILL'), 2000);
      }
    };
    const end = (why: typeof ended): void => {
      ended ??= why;
      // A sandbox that is still being built does not yet die with the process that builds it.
      if (began) kill();
    };
    (child.stdio[descriptors.channel] as Readable).once('data', () => {
      began = true;
      if (ended !== undefined) kill();
      else {
        admit().catch((error: Error) => {
          refused = error;
          kill();
        });
      }
    });
    const abort = (): void => end('abort');
    const timer = setTimeout(() => end('wall'), limits.wallSeconds * 1000);
    signal?.addEventListener('abort', abort);
    // It may have come while the run was prepared.
    if (signal?.aborted) abort();
    const read = (descriptor: number, limit: number): (() => Buffer) =>
      collect(child.stdio[descriptor] as Readable, limit, () => end('output'));
    const stdout = read(1, limits.outputBytes);
    const stderr = read(2, limits.outputBytes);
    const channel = read(descriptors.channel, limits.outputBytes + 1);
    try {
      const exited = new Promise<{ code: number | null; by: NodeJS.Signals | null }>((resolve, reject) => {
        child.once('error', (cause) =>
          reject(new SrcodeError('ERR_SANDBOX', `${cause.message} (starting ${argv[0]} in it)`, { cause })),
        );
        // What is left of a program that killed the launcher, as only one of the caller's own user can, may hold the pipes open.
        child.once('exit', () => {
          if (this.isolation !== 'none') return;
          clearTimeout(insisting);
          insisting = setTimeout(() => release(child), 1000);
        });
        child.once('close', (code, by) => resolve({ code, by }));
      });
      const { code, by } = await exited;
      signal?.throwIfAborted();
      if (!began) {
        const how = code === null ? `signal ${by}` : `status ${code}`;
        throw new SrcodeError(
          'ERR_SANDBOX',
          `The sandbox ended before its program began (${how}): ${lastLine(stderr())}`,
        );
      }
      // One that was killed meanwhile cannot be moved.
      if (refused !== undefined && ended === undefined) {
        throw new SrcodeError('ERR_SANDBOX', `control group: ${refused.message}`, { cause: refused });
      }
      const number = code !== null && code > 128 ? code - 128 : undefined;
      const killer = by ?? (number === undefined ? null : signalNames.get(number)) ?? null;
      return {
        status: killer === null ? code : null,
        signal: killer,
        timedOut: ended === 'wall' ? 'wall' : killer === 'SIGXCPU' ? 'cpu' : undefined,
        stdout: stdout(),
        stderr: stderr(),
        channel: channel().subarray(1),
        truncated: ended === 'output',
      };
    } finally {
      clearTimeout(timer);
      clearTimeout(insisting);
      signal?.removeEventListener('abort', abort);
    }
  }
}

// A program that does not read its input closes the pipe: no error of ours.
function feed(stream: Readable | Writable | null | undefined, bytes: Uint8Array | undefined): void {
  stream?.on('error', () => {});
  (stream as Writable | null)?.end(bytes);
}

function collect(stream: Readable, limit: number, overflow: () => void): () => Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  stream.on('error', () => {});
  stream.on('data', (part: Buffer) => {
    const room = limit - length;
    if (room > 0) parts.push(part.subarray(0, room));
    length += part.length;
    if (length > limit) overflow();
  });
  return () => Buffer.concat(parts);
}

function release(child: ChildProcess): void {
  for (const stream of child.stdio) stream?.destroy();
}

function lastLine(text: Buffer): string {
  return text.toString('utf8').trim().split('\n').at(-1) ?? '';
}

const signalNames = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]),
);
