import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';

/** What keeps a program in: bubblewrap; unshare, which comes with every Linux but cannot install the system-call filter; or nothing. */
export type Isolation = 'bubblewrap' | 'unshare' | 'none';

/** Where the files of a run are inside, and the program's working directory; without isolation they are in a temporary folder. */
export const workFolder = '/w';

/** The descriptors that a sandboxed program is started with, 0 to 2 aside. */
export const descriptors: { channel: 3; filter: 4; firstFile: 5 } = { channel: 3, filter: 4, firstFile: 5 };

interface Layout {
  /** Names of the files; the bytes of number i are read from descriptor `firstFile + i`. */
  files: readonly string[];
  /** Bytes that /tmp can hold; 0 makes it read-only. */
  scratchBytes: number;
  env: Readonly<Record<string, string>>;
}

/** The command that starts `inner` isolated. */
export function isolate(isolation: Isolation, layout: Layout, inner: readonly string[]): [string, ...string[]] {
  if (isolation === 'bubblewrap') return ['bwrap', ...bubblewrapOptions(layout), ...inner];
  if (isolation === 'unshare') return unshareCommand(layout, inner);
  return ['env', '-i', ...Object.entries(layout.env).map((pair) => pair.join('=')), ...inner];
}

/**
 * The user whom a caller that is root runs programs as: `nobody`. Undefined for others, and for a root that is none outside its container
 * (it has no second user to be).
 */
export function unprivilegedUser(): number | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const maps = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
  const mapped = maps.some((map) => {
    const [inside = 0, , count = 0] = map.trim().split(/\s+/).map(Number);
    return inside <= nobody && nobody < inside + count;
  });
  return mapped ? nobody : undefined;
}

const nobody = 65534;

// Beside /usr: where it is not merged these are folders, else links into /usr.
const systemFolders = ['/bin', '/sbin', '/lib', '/lib64', '/lib32', '/libx32'].filter((path) => existsSync(path));
const systemFiles = ['/etc/alternatives', '/etc/ld.so.cache', '/etc/ssl/openssl.cnf'].filter((path) =>
  existsSync(path),
);
const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();

function bubblewrapOptions({ files, scratchBytes, env }: Layout): string[] {
  return [
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--die-with-parent', '--new-session'],
    ...['--cap-drop', 'ALL', '--hostname', 'box', '--seccomp', String(descriptors.filter)],
    ...['--ro-bind', '/usr', '/usr'],
    ...systemFolders.flatMap((path) =>
      isLink(path) ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path],
    ),
    ...systemFiles.flatMap((path) => ['--ro-bind', path, path]),
    // Started by root, a program inside could else write the kernel settings of the host.
    ...['--proc', '/proc', '--ro-bind', '/proc/sys', '/proc/sys'],
    ...['--dev', '/dev', '--remount-ro', '/dev'],
    ...(scratchBytes > 0 ? ['--size', String(scratchBytes), '--tmpfs', '/tmp'] : ['--dir', '/tmp']),
    ...['--dir', workFolder],
    ...files.flatMap((name, i) => [
      ...['--perms', '0555', '--file', String(descriptors.firstFile + i), `${workFolder}/${name}`],
    ]),
    // Without this the sandbox's own root takes files: memory that no limit counts.
    ...['--remount-ro', '/', '--chdir', workFolder],
    ...['--clearenv', ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value])],
  ];
}

/**
 * The same layout by hand: a shell that is root in a user namespace of its own builds it, then gives up its capabilities for good.
 * unshare's death kills the namespace, the caller's death unshare.
 */
function unshareCommand({ files, scratchBytes, env }: Layout, inner: readonly string[]): [string, ...string[]] {
  const readOnly = (path: string): string =>
    `mount --rbind ${path} $r${path}; mount -o remount,bind,ro,nosuid $r${path}`;
  const script = [
    'set -e; r=/tmp; mount --make-rprivate /; mount -t tmpfs -o mode=755,size=64m none $r',
    `mkdir -p $r/usr $r/etc/ssl $r/proc $r/dev $r/tmp $r${workFolder} $r/old`,
    readOnly('/usr'),
    ...systemFolders.map((path) =>
      isLink(path) ? `ln -s ${readlinkSync(path)} $r${path}` : `mkdir $r${path}; ${readOnly(path)}`,
    ),
    ...systemFiles.map((path) => {
      const make = lstatSync(path).isDirectory() ? `mkdir $r${path}` : `: > $r${path}`;
      return `${make}; ${readOnly(path)}`;
    }),
    'mount -t proc proc $r/proc; mount --bind $r/proc/sys $r/proc/sys; mount -o remount,bind,ro $r/proc/sys',
    ...['null', 'zero', 'full', 'random', 'urandom'].map(
      (name) => `: > $r/dev/${name}; mount --bind /dev/${name} $r/dev/${name}`,
    ),
    'ln -s /proc/self/fd $r/dev/fd',
    ...(scratchBytes > 0 ? [`mount -t tmpfs -o mode=1777,size=${scratchBytes} none $r/tmp`] : []),
    ...files.map((name, i) => {
      const descriptor = descriptors.firstFile + i;
      return `cat <&${descriptor} >$r${workFolder}/${name}; exec ${descriptor}<&-; chmod 555 $r${workFolder}/${name}`;
    }),
    `exec ${descriptors.filter}<&-; hostname box; cd $r; pivot_root . old; umount -l /old; rmdir /old; mount -o remount,bind,ro /`,
    // Not exec: signals do not end the first process of a namespace. The shell would report them on stderr.
    `cd ${workFolder}; exec 9>&2 2>/dev/null; set +e`,
    'setpriv --bounding-set -all --inh-caps -all --ambient-caps -all --no-new-privs "$@" 2>&9 9>&-; exit $?',
  ].join('\n');
  const environment = ['env', '-i', ...Object.entries(env).map((pair) => pair.join('='))];
  const namespaces = ['--user', '--map-root-user', '--mount', '--net', '--pid', '--ipc', '--uts', '--cgroup'];
  return [
    ...(['setpriv', '--pdeathsig', 'KILL', 'unshare', ...namespaces, '--fork', '--kill-child'] as const),
    ...['sh', '-c', script, 'sh', ...environment, ...inner],
  ];
}
