import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'srcode-tests-';

/** All that the suite writes goes into one folder that goes when it ends, whatever was killed in between. */
export default function setup(): (() => void) | undefined {
  // Each project of the suite calls this; a folder in a folder would be too long a path for the browser's sockets.
  if (tmpdir().includes(prefix)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), prefix));
  // The sandbox's unprivileged user passes through.
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
