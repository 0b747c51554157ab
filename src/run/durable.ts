import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { SrcodeError } from '../errors.js';

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
  const code = (cause as NodeJS.ErrnoException).code ?? '';
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

/** Makes a finished file or a folder's entries survive a power cut. */
export function fsyncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces a file's content whole: readers and crashes see the old bytes or the new ones. */
export function writeDurably(path: string, content: string): void {
  io('write', path, () => {
    const beside = `${path}.tmp-${process.pid}`;
    const fd = openSync(beside, 'w');
    try {
      writeAll(fd, Buffer.from(content));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, path);
    fsyncPath(dirname(path));
  });
}

/** Paths of all files under a folder, relative to it, sorted. */
export function filesUnder(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => statSync(join(folder, name)).isFile()).sort();
}

/** An append-only log of whole lines. */
export class LineLog {
  readonly path: string;
  readonly #fd: number;
  #size: number;

  constructor(path: string) {
    this.path = path;
    this.#fd = io('open', path, () => openSync(path, 'a+'));
    this.#size = statSync(path).size;
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    io('append to', this.path, () => writeAll(this.#fd, bytes));
    this.#size += bytes.length;
  }

  sync(): void {
    io('sync', this.path, () => fdatasyncSync(this.#fd));
  }

  /** Cuts the log to its first `size` bytes. */
  cut(size: number): void {
    if (size >= this.#size) return;
    io('cut', this.path, () => {
      ftruncateSync(this.#fd, size);
      fsyncSync(this.#fd);
    });
    this.#size = size;
  }

  read(): string {
    const bytes = Buffer.alloc(this.#size);
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(this.#fd, bytes, at, bytes.length - at, at);
      if (count === 0) break;
      at += count;
    }
    return bytes.toString('utf8');
  }

  close(): void {
    closeSync(this.#fd);
  }
}

// A write may be short, at a full disk for one: only the next one says why.
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
