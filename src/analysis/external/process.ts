import { spawn } from 'node:child_process';

export interface ProcessResult {
  /** null when a signal ended it. */
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program that we trust, outside of the sandbox. Undefined when there is none of this name on PATH that may be run. */
export function runProcess(
  command: string,
  args: readonly string[],
  { cwd, signal, env = process.env }: { cwd?: string; signal?: AbortSignal | undefined; env?: NodeJS.ProcessEnv } = {},
): Promise<ProcessResult | undefined> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd, env, signal, killSignal: 'SIGTERM' });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => out.push(part));
    child.stderr.on('data', (part: Buffer) => err.push(part));
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'EACCES') resolve(undefined);
      else reject(signal?.aborted ? signal.reason : error);
    });
    child.on('close', (status) => {
      resolve({ status, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') });
    });
  });
}
