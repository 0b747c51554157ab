import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { SrcodeError } from '../errors.js';
import { descriptors, type Isolation, isolate, unprivilegedUser } from './isolation.js';
import { seccompFilter } from './seccomp.js';

export interface SandboxLimits {
  /** Of each process. Verdicts should rest on this one: it does not depend on what else the machine does. */
  cpuSeconds: number;
  /** Of the whole run: a safety net, several times the CPU time that is expected. */
  wallSeconds: number;
  /** Address space of each process. Leave it out for programs under AddressSanitizer, which reserves terabytes. */
  memoryMiB?: number;
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
 * Runs programs that nobody has read. Inside there is no network, a read-only system, a /tmp of its own, no capability and no other
 * process; when the run ends, however it ends, or when the caller dies, every process in it is killed. Address randomisation is off.
 *
 * Not defended: holes of the kernel itself, timing between runs on one machine, and the sum of memory (each process is limited, their
 * number too). `unshare` lacks the system-call filter; without isolation only the limits hold, that on processes aside.
 */
export class Sandbox {
  readonly isolation: Isolation;
  readonly #user: number | undefined;

  private constructor(isolation: Isolation) {
    this.isolation = isolation;
    this.#user = isolation === 'none' ? undefined : unprivilegedUser();
  }

  /**
   * Finds the isolation that works here: bubblewrap, else unshare. `only` asks for one of them.
   * @throws ERR_SANDBOX with the reasons when there is none, unless `unsafe` insists.
   */
  static async open({ unsafe = false, only }: { unsafe?: boolean; only?: Isolation } = {}): Promise<Sandbox> {
    const reasons: string[] = [];
    for (const isolation of only === undefined ? (['bubblewrap', 'unshare'] as const) : [only]) {
      const sandbox = new Sandbox(isolation);
      try {
        const limits = { cpuSeconds: 5, wallSeconds: 60, processes: 16, fileMiB: 1, outputBytes: 65536 };
        const { status, stderr } = await sandbox.run({ argv: ['true'], limits });
        if (status === 0) return sandbox;
        reasons.push(`${isolation}: ${lastLine(stderr) || `status ${status}`}`);
      } catch (error) {
        reasons.push(`${isolation}: ${(error as Error).message}`);
      }
    }
    if (unsafe) return new Sandbox('none');
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
    using folder = this.isolation === 'none' ? new WorkFolder(run.files ?? {}) : undefined;
    const files = folder === undefined ? Object.entries(run.files ?? {}) : [];
    const scratch = folder?.path ?? '/tmp';
    const [command, ...args] = isolate(
      this.isolation,
      {
        files: files.map(([name]) => name),
        scratchBytes: run.limits.fileMiB * 2 ** 20,
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: scratch, TMPDIR: scratch, LC_ALL: 'C', ...run.env },
      },
      this.#limited(run),
    );
    const child = spawn(command, args, {
      cwd: folder?.path ?? '/',
      stdio: Array.from({ length: descriptors.firstFile + files.length }, () => 'pipe' as const),
      // A group of its own, to be killed as a whole where no namespace does it.
      detached: this.isolation === 'none',
      ...(this.#user === undefined ? {} : { uid: this.#user, gid: this.#user }),
    });
    const inputs = [run.stdin, seccompFilter(), ...files.map(([, bytes]) => bytes)];
    const places = [0, descriptors.filter, ...files.map((_, i) => descriptors.firstFile + i)];
    for (const [i, place] of places.entries()) feed(child.stdio[place] as Writable, inputs[i]);
    return await this.#watch(child, run);
  }

  // Says that it was reached, then becomes the program under its limits; a caller that died while the sandbox was built hears nothing, and
  // the program does not begin. The hard CPU limit, a second behind the soft one, kills those who ignore SIGXCPU.
  #limited({ argv, limits }: SandboxRun): string[] {
    return [
      ...['sh', '-c', `printf . >&${descriptors.channel} && exec "$@"`, 'sh', 'prlimit'],
      ...[`--cpu=${limits.cpuSeconds}:${limits.cpuSeconds + 1}`, `--fsize=${limits.fileMiB * 2 ** 20}`],
      ...['--core=0', '--nofile=1024', `--stack=${8 * 2 ** 20}`],
      // Without a namespace this counts all processes of the user.
      ...(this.isolation === 'none' ? [] : [`--nproc=${limits.processes}`]),
      ...(limits.memoryMiB === undefined ? [] : [`--as=${limits.memoryMiB * 2 ** 20}`]),
      ...['setarch', '-R', '--', ...argv],
    ];
  }

  async #watch(child: ChildProcess, { limits, signal, argv }: SandboxRun): Promise<SandboxResult> {
    let ended: 'wall' | 'output' | 'abort' | undefined;
    let began = false;
    const kill = (): void => {
      // bubblewrap and unshare take their process namespace with them.
      if (this.isolation !== 'none') child.kill('SIGKILL');
      else killGroup(child.pid);
    };
    const end = (why: typeof ended): void => {
      ended ??= why;
      // A sandbox that is still being built does not yet die with the process that builds it.
      if (began) kill();
    };
    (child.stdio[descriptors.channel] as Readable).once('data', () => {
      began = true;
      if (ended !== undefined) kill();
    });
    const abort = (): void => end('abort');
    const timer = setTimeout(() => end('wall'), limits.wallSeconds * 1000);
    signal?.addEventListener('abort', abort);
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
        // Without isolation, what a program left behind in its group holds the pipes open.
        child.once('exit', () => this.isolation === 'none' && killGroup(child.pid));
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
      signal?.removeEventListener('abort', abort);
    }
  }
}

// A program that does not read its input closes the pipe: no error of ours.
function feed(stream: Writable, bytes: Uint8Array | undefined): void {
  stream.on('error', () => {});
  stream.end(bytes);
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

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone.
  }
}

class WorkFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), 'srcode-run-'));

  constructor(files: Readonly<Record<string, Uint8Array>>) {
    for (const [name, bytes] of Object.entries(files)) {
      writeFileSync(join(this.path, name), bytes);
      chmodSync(join(this.path, name), 0o555);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function lastLine(text: Buffer): string {
  return text.toString('utf8').trim().split('\n').at(-1) ?? '';
}

const signalNames = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]),
);
