import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { io, ioError, openInput } from '../files.js';
import { filesUnder, fsyncPath, writeDurably } from './durable.js';

/** What proves a checkpoint whole: every file with its size and hash. */
interface Manifest {
  files: { [path: string]: { bytes: number; sha256: string } };
}

export interface Checkpoint {
  step: number;
  path: string;
}

const manifestName = 'manifest.json';

/**
 * Writes `<folder>/step-<step>`: `write` fills a folder beside, every file and folder is fsynced, a rename publishes it.
 * A crash at any point leaves the finished checkpoints as they were.
 */
export async function writeCheckpoint(
  folder: string,
  step: number,
  write: (dir: string) => Promise<void>,
): Promise<Checkpoint> {
  const path = join(folder, `step-${step}`);
  const beside = join(folder, `.step-${step}.tmp`);
  try {
    rmSync(beside, { recursive: true, force: true });
    mkdirSync(beside, { recursive: true });
    await write(beside);
    const files = filesUnder(beside).map((file) => [file, describe(join(beside, file))] as const);
    const folders = new Set(files.flatMap(([file]) => parents(file)));
    for (const [file] of files) fsyncPath(join(beside, file));
    for (const inner of folders) fsyncPath(join(beside, inner));
    writeDurably(join(beside, manifestName), `${JSON.stringify({ files: Object.fromEntries(files) }, null, 1)}\n`);
    // A folder of that name can only be the remains of one that is not whole.
    discard(path);
    renameSync(beside, path);
    fsyncPath(folder);
  } catch (cause) {
    rmSync(beside, { recursive: true, force: true });
    throw ioError('write the checkpoint', path, cause);
  }
  return { step, path };
}

/** All folders named `step-<N>`, oldest first, whole or not. */
export function listCheckpoints(folder: string): Checkpoint[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const step = /^step-(\d+)$/.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

/** Why a checkpoint is not whole, or undefined when it is. */
export function damage({ path }: Checkpoint): string | undefined {
  let manifest: Manifest;
  try {
    const fd = openInput(join(path, manifestName));
    try {
      manifest = JSON.parse(readFileSync(fd, 'utf8')) as Manifest;
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    return `${manifestName}: ${(cause as Error).message}`;
  }
  for (const [file, expected] of Object.entries(manifest.files ?? {})) {
    try {
      const { bytes, sha256 } = describe(join(path, file));
      if (bytes !== expected.bytes) return `${file} has ${bytes} bytes, expected ${expected.bytes}`;
      if (sha256 !== expected.sha256) return `${file} is not what was written`;
    } catch (cause) {
      return `${file}: ${(cause as Error).message}`;
    }
  }
  return undefined;
}

/** Removes a checkpoint in one visible step: a kill in the middle leaves no half of it under its name. */
export function discard(path: string): void {
  if (!existsSync(path)) return;
  io('remove', path, () => {
    const aside = join(dirname(path), `.old-${process.pid}-${Date.now()}`);
    renameSync(path, aside);
    rmSync(aside, { recursive: true, force: true });
  });
}

/** Clears what killed processes left behind. */
export function sweep(folder: string): void {
  if (!existsSync(folder)) return;
  const leftovers = readdirSync(folder).filter((name) => /^\.(step-\d+\.tmp|old-\d+-\d+)$/.test(name));
  for (const name of leftovers) rmSync(join(folder, name), { recursive: true, force: true });
}

function parents(file: string): string[] {
  const parent = dirname(file);
  return parent === '.' ? ['.'] : [parent, ...parents(parent)];
}

function describe(path: string): { bytes: number; sha256: string } {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1 << 20);
  const fd = openInput(path);
  try {
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer))
      hash.update(buffer.subarray(0, count));
  } finally {
    closeSync(fd);
  }
  return { bytes: statSync(path).size, sha256: hash.digest('hex') };
}
