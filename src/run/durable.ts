import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { io, openOwn } from '../files.js';

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
    rmSync(beside, { force: true });
    const fd = openSync(beside, 'wx');
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
  return names.filter((name) => lstatSync(join(folder, name)).isFile()).sort();
}

/** An append-only log of whole lines. */
export class LineLog {
  readonly path: string;
  readonly #fd: number;
  #bytes: number;
  #lines: number;

  constructor(path: string) {
    this.path = path;
    this.#fd = openOwn(path, 'append');
    this.#bytes = fstatSync(this.#fd).size;
    this.#lines = this.#ends().length;
  }

  /** Whole lines written so far. */
  get lines(): number {
    return this.#lines;
  }

  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    io('append to', this.path, () => writeAll(this.#fd, bytes));
    this.#bytes += bytes.length;
    this.#lines++;
  }

  sync(): void {
    io('sync', this.path, () => fdatasyncSync(this.#fd));
  }

  /** Cuts the log to its first `lines` lines, the torn one at its end included. */
  cut(lines: number): void {
    const end = lines === 0 ? 0 : (this.#ends()[lines - 1] ?? this.#ends().at(-1) ?? 0);
    if (end === this.#bytes) return;
    io('cut', this.path, () => {
      ftruncateSync(this.#fd, end);
      fsyncSync(this.#fd);
    });
    this.#bytes = end;
    this.#lines = this.#ends().length;
  }

  read(): Buffer {
    const bytes = Buffer.alloc(this.#bytes);
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(this.#fd, bytes, at, bytes.length - at, at);
      if (count === 0) break;
      at += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }

  // The offset behind each line break.
  #ends(): number[] {
    const bytes = this.read();
    const ends: number[] = [];
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) ends.push(at + 1);
    return ends;
  }
}

// A write may be short, at a full disk for one: only the next one says why.
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
