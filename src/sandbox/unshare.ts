import { lstatSync, readlinkSync } from 'node:fs';
import { descriptors } from './descriptors.js';
import { isLink, type Layout, placeOf, sharedBytes, systemFiles, systemFolders, workFolder } from './layout.js';
import { located } from './programs.js';
import { quoted } from './quote.js';

/**
 * The layout of bubblewrap by hand: a shell that is root in a user namespace of its own builds it, then gives up its capabilities for good
 * and has the filter installed by a launcher. That one and the files are read one after the other from a single descriptor, since a shell
 * knows no number above 9. unshare's death kills the namespace, the caller's death unshare.
 */
export function unshareCommand(layout: Layout, launcherBytes: number, inner: readonly string[]): [string, ...string[]] {
  const environment = ['env', '-i', ...Object.entries(layout.env).map((pair) => pair.join('='))];
  const namespaces = ['--user', '--map-root-user', '--mount', '--net', '--pid', '--ipc', '--uts', '--cgroup'];
  return [
    ...([
      located('setpriv'),
      '--pdeathsig',
      'KILL',
      located('unshare'),
      ...namespaces,
      '--fork',
      '--kill-child',
    ] as const),
    ...[located('sh'), '-c', script(layout, launcherBytes), 'sh', ...environment, ...inner],
  ];
}

function script({ profile, files, folders, scratchBytes }: Layout, launcherBytes: number): string {
  const readOnly = (path: string, inside = path): string =>
    `mount --rbind ${quoted(path)} $r${quoted(inside)}; mount -o remount,bind,ro,nosuid $r${quoted(inside)}`;
  const receive = (bytes: number, path: string): string =>
    `head -c ${bytes} <&${descriptors.firstFile} >$r${quoted(path)}; chmod 555 $r${quoted(path)}`;
  return [
    `set -e; PATH=/usr/sbin:/usr/bin:/sbin:/bin; r=${newRoot(Object.values(folders))}`,
    'mount --make-rprivate /; mount -t tmpfs -o mode=755,size=64m none $r',
    `mkdir -p $r/usr $r/etc/ssl $r/proc $r/dev $r/tmp $r${workFolder} $r/old`,
    readOnly('/usr'),
    ...systemFolders.map((path) =>
      isLink(path) ? `ln -s ${readlinkSync(path)} $r${path}` : `mkdir $r${path}; ${readOnly(path)}`,
    ),
    ...systemFiles.map((path) => {
      const make = lstatSync(path).isDirectory() ? `mkdir $r${path}` : `: > $r${path}`;
      return `${make}; ${readOnly(path)}`;
    }),
    // The first process is this shell. Its capabilities keep those inside from its memory and descriptors.
    'mount -t proc proc $r/proc; mount --bind $r/proc/sys $r/proc/sys; mount -o remount,bind,ro $r/proc/sys',
    ...['null', 'zero', 'full', 'random', 'urandom'].map(
      (name) => `: > $r/dev/${name}; mount --bind /dev/${name} $r/dev/${name}`,
    ),
    'ln -s /proc/self/fd $r/dev/fd',
    ...(profile === 'analyser'
      ? [`mkdir $r/dev/shm; mount -t tmpfs -o mode=1777,size=${sharedBytes} none $r/dev/shm`]
      : []),
    ...(scratchBytes > 0 ? [`mount -t tmpfs -o mode=1777,size=${scratchBytes} none $r/tmp`] : []),
    ...Object.entries(folders).map(([inside, outside]) => {
      const make = lstatSync(outside).isDirectory()
        ? `mkdir -p $r${quoted(placeOf(inside))}`
        : makeFile(placeOf(inside));
      return `${make}; ${readOnly(outside, placeOf(inside))}`;
    }),
    receive(launcherBytes, '/launch'),
    ...Object.entries(files).map(([name, bytes]) => receive(bytes.length, `${workFolder}/${name}`)),
    `exec ${descriptors.firstFile}<&-; hostname box; cd $r; pivot_root . old; umount -l /old; rmdir /old; mount -o remount,bind,ro /`,
    // Not exec: signals do not end the first process of a namespace. The shell would report them on stderr.
    `cd ${workFolder}; exec 9>&2 2>/dev/null; set +e`,
    `setpriv --bounding-set -all --inh-caps -all --ambient-caps -all --no-new-privs /launch exec ${descriptors.filter} "$@" 2>&9 9>&-; exit $?`,
  ].join('\n');
}

// What is mounted on a folder hides what lies in it, folders that are to be seen inside among it.
function newRoot(needed: readonly string[]): string {
  const roots = ['/tmp', '/mnt', '/media', '/srv'];
  return roots.find((root) => !needed.some((path) => path.startsWith(`${root}/`))) ?? '/tmp';
}

const makeFile = (path: string): string => `mkdir -p "$(dirname $r${quoted(path)})"; : > $r${quoted(path)}`;
