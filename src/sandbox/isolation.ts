import { readFileSync } from 'node:fs';
import { bubblewrapCommand } from './bubblewrap.js';
import { descriptors } from './descriptors.js';
import { launcher } from './launcher.js';
import type { Layout } from './layout.js';
import { seccompFilter } from './seccomp.js';
import { unshareCommand } from './unshare.js';
import type { WorkFolder } from './work-folder.js';

/** What keeps a program in: bubblewrap; unshare, which comes with every Linux but needs a C compiler for the filter; or nothing. */
export type Isolation = 'bubblewrap' | 'unshare' | 'none';

/** How a run is started. */
export interface Start {
  argv: readonly [string, ...string[]];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** What is read from descriptors, from {@link descriptors.filter} on. */
  inputs: readonly Uint8Array[];
}

/** What starts `inner` isolated. `work` is where it runs without isolation; `user` whom it runs as there. */
export async function isolate(
  isolation: Isolation,
  layout: Layout,
  inner: readonly string[],
  { work, user }: { work: WorkFolder | undefined; user: number | undefined },
): Promise<Start> {
  const filter = seccompFilter(layout.profile);
  const files = Object.values(layout.files);
  // The isolating program itself gets no environment: what is inside can read that of its own first process.
  if (isolation === 'bubblewrap') {
    return { argv: bubblewrapCommand(layout, inner), cwd: '/', env: {}, inputs: [filter, ...files] };
  }
  const program = await launcher();
  if (isolation === 'unshare') {
    const argv = unshareCommand(layout, program.length, inner);
    return { argv, cwd: '/', env: {}, inputs: [filter, Buffer.concat([program, ...files])] };
  }
  const { path, launch } = (work as WorkFolder).fill(layout, program, user);
  const argv = [launch, 'watch', String(descriptors.filter), user === undefined ? 'same' : String(user)] as const;
  return { argv: [...argv, ...inner], cwd: path, env: layout.env, inputs: [filter] };
}

/**
 * The user whom a caller that is root runs programs as: `nobody`. Undefined for others, and for a root that is none outside its container
 * (it has no second user to be) or may not become another.
 */
export function unprivilegedUser(): number | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const maps = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
  const mapped = maps.some((map) => {
    const [inside = 0, , count = 0] = map.trim().split(/\s+/).map(Number);
    return inside <= nobody && nobody < inside + count;
  });
  const capabilities = /^CapEff:\s+([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const may = (BigInt(`0x${capabilities}`) & changeUser) === changeUser;
  return mapped && may ? nobody : undefined;
}

const nobody = 65534;
// CAP_SETGID, CAP_SETUID.
const changeUser = (1n << 6n) | (1n << 7n);
