import { randomBytes } from 'node:crypto';
import { SrcodeError } from '../../errors.js';
import type { Sandbox, SandboxLimits, SandboxResult } from '../../sandbox/index.js';

/** A program that was found, and what it says its version is. */
export interface Tool {
  /** As it is called, such as `clang-19`. */
  command: string;
  version: string;
}

/** The first of the commands that is on the sandbox's PATH and answers `--version` with a number. */
export async function findTool(
  sandbox: Sandbox,
  commands: readonly string[],
  signal?: AbortSignal | undefined,
): Promise<Tool | undefined> {
  const script =
    'for tool; do command -v "$tool" >/dev/null && printf "%s\\n" "$tool" && exec "$tool" --version; done; exit 127';
  const { status, stdout } = await sandbox.run({
    argv: ['sh', '-c', script, 'sh', ...commands],
    profile: 'analyser',
    limits: toolLimits,
    signal,
  });
  const [command, ...answer] = stdout.toString('utf8').split('\n');
  const version = /\b\d+(?:\.\d+)+[-+~.\w]*/.exec(answer.join('\n'))?.[0];
  return status === 0 && command && version !== undefined ? { command, version } : undefined;
}

/** A name for a file that lies beside files of others, none of which can name it. */
export function unguessable(name: string, extension: string | undefined): string {
  return `${name}${randomBytes(8).toString('hex')}.${extension}`;
}

/** Time for one process, memory and output of a tool that reads some dozens of small sources. */
export const toolLimits: SandboxLimits = {
  cpuSeconds: 30,
  wallSeconds: 300,
  memoryMiB: 4096,
  processes: 32,
  fileMiB: 64,
  outputBytes: 2 ** 26,
};

/** @throws ERR_ANALYSER with what a tool that failed as a whole said last. */
export function toolFailed(name: string, { status, signal, timedOut, stderr }: SandboxResult): SrcodeError {
  const how =
    timedOut === undefined ? (status === null ? `signal ${signal}` : `status ${status}`) : `${timedOut} time limit`;
  const words = stderr.toString('utf8').trim().split('\n').slice(-3).join('\n');
  return new SrcodeError('ERR_ANALYSER', `${name} failed (${how})${words === '' ? '' : `: ${words}`}`);
}
