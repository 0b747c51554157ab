import { existsSync, lstatSync } from 'node:fs';
import type { Profile } from './system-calls.js';

/** What a program finds inside. */
export interface Layout {
  profile: Profile;
  /** In {@link workFolder}, by name. */
  files: Readonly<Record<string, Uint8Array>>;
  /** Folders of the host, by where they are inside: an absolute path, or one below {@link scratchFolder}. */
  folders: Readonly<Record<string, string>>;
  /** Bytes that /tmp can hold; 0 makes it read-only. */
  scratchBytes: number;
  env: Readonly<Record<string, string>>;
}

/** Where the files of a run are inside, and the program's working directory; without isolation they are in a temporary folder. */
export const workFolder = '/w';

/** The folder that can be written; without isolation it is the working directory, too. */
export const scratchFolder = '/tmp';

/** Where a folder is inside. */
export const placeOf = (inside: string): string => (inside.startsWith('/') ? inside : `${scratchFolder}/${inside}`);

/** Bytes that /dev/shm can hold, where analysers' runtimes keep semaphores. */
export const sharedBytes: number = 16 * 2 ** 20;

// Beside /usr: where it is not merged these are folders, else links into /usr.
export const systemFolders: readonly string[] = ['/bin', '/sbin', '/lib', '/lib64', '/lib32', '/libx32'].filter(
  (path) => existsSync(path),
);
export const systemFiles: readonly string[] = ['/etc/alternatives', '/etc/ld.so.cache', '/etc/ssl/openssl.cnf'].filter(
  (path) => existsSync(path),
);

export const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();
