import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** All that the suite writes goes into one folder that goes when it ends, whatever was killed in between. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'srcode-tests-'));
  // The sandbox's unprivileged user passes through.
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
