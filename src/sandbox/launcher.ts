import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { launcherSource } from '../assets.js';
import { SrcodeError } from '../errors.js';
import { locate } from './programs.js';

let built: Promise<Buffer> | undefined;

/**
 * The program of assets/sandbox/launch.c, which installs the system-call filter where no bubblewrap does. It is compiled once a process;
 * it is a text of ours, so the compiler needs no isolation.
 * @throws ERR_SANDBOX where there is no C compiler.
 */
export function launcher(): Promise<Buffer> {
  built ??= build();
  built.catch(() => {
    built = undefined;
  });
  return built;
}

async function build(): Promise<Buffer> {
  const compiler = ['gcc', 'cc', 'clang'].map(locate).find((path) => path !== undefined);
  if (compiler === undefined) {
    throw new SrcodeError(
      'ERR_SANDBOX',
      'without bubblewrap the system-call filter needs a small C program, and neither gcc, cc nor clang is on PATH',
    );
  }
  const folder = await mkdtemp(join(tmpdir(), 'srcode-launch-'));
  try {
    const program = join(folder, 'launch');
    // Compilers look for assembler and linker on PATH.
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin', TMPDIR: folder };
    await promisify(execFile)(compiler, ['-O1', '-o', program, launcherSource], { env });
    return await readFile(program);
  } catch (cause) {
    const { message } = cause as Error;
    throw new SrcodeError('ERR_SANDBOX', `${compiler} does not compile ${launcherSource}: ${message}`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
