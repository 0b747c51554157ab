import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
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
  ELOOP: 'it is a link. Remove it, or choose another place',
  ENXIO: 'it is no file',
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

/** What something is that is no file, in words; undefined for a file. */
export function notAFile(
  stats: Pick<Stats, 'isFile' | 'isDirectory' | 'isFIFO' | 'isSocket' | 'isSymbolicLink'>,
): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'a folder';
  if (stats.isSymbolicLink()) return 'a link';
  return stats.isFIFO() ? 'a FIFO' : stats.isSocket() ? 'a socket' : 'a device';
}

/**
 * Checks that what is to be read is a file: a FIFO, a socket or a device may never end, and opening one may never return.
 * @throws ERR_IO naming what it is.
 */
export function checkInput(path: string, what = 'read'): void {
  const is = notAFile(io(what, path, () => statSync(path)));
  if (is !== undefined) throw new SrcodeError('ERR_IO', `Cannot ${what} ${path}: it is ${is}, expected a file`);
}

/** Opens a file to read, and nothing that would be waited for. @throws a system error, or ERR_IO for what is no file. */
export function openInput(path: string): number {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const is = notAFile(fstatSync(file));
  if (is === undefined) return file;
  closeSync(file);
  throw new SrcodeError('ERR_IO', `Cannot read ${path}: it is ${is}, expected a file`);
}

/** The bytes of a file. @throws ERR_IO for what is none, at once, or cannot be read. */
export function readInput(path: string): Buffer {
  return io('read', path, () => {
    checkInput(path);
    const file = openInput(path);
    try {
      return readFileSync(file);
    } finally {
      closeSync(file);
    }
  });
}

/**
 * Opens a file of our own to write or append to. What lies in its place must be a file under this one name: through a link, what is written
 * would reach a file elsewhere.
 * @throws ERR_IO naming the link, or what it is.
 */
export function openOwn(path: string, how: 'append' | 'replace'): number {
  return io('write', path, () => {
    const { O_RDWR, O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;
    const mode = how === 'append' ? O_RDWR | O_APPEND : O_WRONLY;
    const file = openSync(path, mode | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o666);
    try {
      const stats = fstatSync(file);
      checkOwn(path, stats);
      if (how === 'replace') ftruncateSync(file);
      return file;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  });
}

/** Replaces the content of a file of our own. @throws as {@link openOwn}. */
export function writeOwn(path: string, content: string | Uint8Array): void {
  const file = openOwn(path, 'replace');
  try {
    io('write', path, () => writeFileSync(file, content));
  } finally {
    closeSync(file);
  }
}

/** @throws ERR_IO where what lies in the place of a file of our own is none, or has another name too. */
export function checkOwn(path: string, stats: Stats): void {
  const is = notAFile(stats) ?? (stats.nlink > 1 ? 'a file with another name elsewhere (a hard link)' : undefined);
  if (is !== undefined)
    throw new SrcodeError(
      'ERR_IO',
      `Cannot write ${path}: it is ${is}, and would be overwritten. Remove it, or choose another place`,
    );
}

/** Checks files of a folder before others open them: those whose names match are files, or links to some. @throws ERR_IO naming one that is not. */
export function checkFolder(folder: string, names: RegExp): void {
  for (const name of io('read', folder, () => readdirSync(folder))) {
    const path = join(folder, name);
    if (names.test(name) && existsSync(path) && !statSync(path).isDirectory()) checkInput(path);
  }
}

/** Checks the places of files of our own before others write them. @throws as {@link checkOwn}. */
export function checkOwnFiles(folder: string, names: readonly string[]): void {
  for (const path of names.map((name) => join(folder, name))) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats !== undefined) checkOwn(path, stats);
  }
}
