import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Layout, scratchFolder } from './layout.js';

/** Where a program runs that nothing isolates: a temporary folder, removed in the end. */
export class WorkFolder {
  readonly #base: string;
  readonly path: string;

  constructor(user: number | undefined) {
    // Another user may be unable to pass through a temporary folder of the caller's own.
    this.#base = mkdtempSync(join(user === undefined ? tmpdir() : scratchFolder, 'srcode-run-'));
    this.path = join(this.#base, 'w');
    chmodSync(this.#base, 0o755);
    mkdirSync(this.path);
    if (user !== undefined) chownSync(this.path, user, user);
  }

  fill({ files, folders }: Layout, launcher: Uint8Array, user: number | undefined): { path: string; launch: string } {
    const write = (path: string, bytes: Uint8Array): void => {
      writeFileSync(path, bytes);
      chmodSync(path, 0o555);
      if (user !== undefined) chownSync(path, user, user);
    };
    const launch = join(this.#base, 'launch');
    write(launch, launcher);
    for (const [name, bytes] of Object.entries(files)) write(join(this.path, name), bytes);
    // Those with absolute paths are where they are.
    for (const [inside, outside] of Object.entries(folders).filter(([place]) => !place.startsWith('/'))) {
      const link = join(this.path, inside);
      mkdirSync(dirname(link), { recursive: true });
      // The program may put folders of its own beside it.
      if (user !== undefined) chownSync(dirname(link), user, user);
      symlinkSync(outside, link);
    }
    return { path: this.path, launch };
  }

  [Symbol.dispose](): void {
    rmSync(this.#base, { recursive: true, force: true });
  }
}
