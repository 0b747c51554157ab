import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SrcodeError } from './errors.js';

/** Runs a file operation; a system error becomes ERR_IO with the path and, where it is known, the remedy. */
export function io<T>(what: string, path: string, operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    throw ioError(what, path, cause);
  }
}

export function ioError(what: string, path: string, cause: unknown): SrcodeError {
  if (cause instanceof SrcodeError) return cause;
  const { code = '', path: at = path } = cause as NodeJS.ErrnoException;
  // What may not be read is often something below the path.
  if (/^read\b/.test(what) && /^(EACCES|EPERM)$/.test(code))
    return new SrcodeError('ERR_IO', `Cannot ${what} ${at}: no permission. Change its mode or its owner`, {
      cause,
    });
  const remedy = remedies[code] ?? (cause as Error).message;
  return new SrcodeError('ERR_IO', `Cannot ${what} ${path}: ${remedy}`, { cause });
}

const remedies: { [code: string]: string } = {
  ENOSPC: 'the disk is full. Finished checkpoints are intact; free some space and resume',
  EDQUOT: 'the disk quota is used up. Finished checkpoints are intact; free some space and resume',
  EFBIG: 'the file would pass the size limit (ulimit -f). Finished checkpoints are intact; raise it and resume',
  EACCES: 'no permission. Choose a folder that can be written',
  EPERM: 'no permission. Choose a folder that can be written',
  EROFS: 'the file system is read-only. Choose another folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  ENOENT: 'it does not exist',
};

/**
 * Makes a folder and its missing parents. Not mkdir's own `recursive`, which never returns where a parent exists and nothing can be made in
 * it, as in /proc.
 */
export function makeFolder(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  // A parent that is a file is left for mkdir to refuse: ENOTDIR says what is wrong, EEXIST of the parent would not.
  const parent = dirname(path);
  if (!existsSync(parent)) makeFolder(parent);
  mkdirSync(path);
}
