import { readlinkSync } from 'node:fs';
import { descriptors } from './descriptors.js';
import { isLink, type Layout, placeOf, sharedBytes, systemFiles, systemFolders, workFolder } from './layout.js';
import { located } from './programs.js';

/** Starts `inner` in bubblewrap, 0.8 or newer; the filter and each file are read from a descriptor of their own. */
export function bubblewrapCommand(layout: Layout, inner: readonly string[]): [string, ...string[]] {
  return [located('bwrap'), ...options(layout), ...inner];
}

function options({ profile, files, folders, scratchBytes, env }: Layout): string[] {
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
    // bubblewrap's own process, which has the capabilities of those inside, so that they may read its memory and descriptors.
    ...['--perms', '0000', '--size', '4096', '--tmpfs', '/proc/1', '--remount-ro', '/proc/1'],
    ...['--dev', '/dev'],
    ...(profile === 'analyser' ? ['--size', String(sharedBytes), '--tmpfs', '/dev/shm'] : []),
    ...['--remount-ro', '/dev'],
    ...(scratchBytes > 0 ? ['--size', String(scratchBytes), '--tmpfs', '/tmp'] : ['--dir', '/tmp']),
    ...Object.entries(folders).flatMap(([inside, outside]) => ['--ro-bind', outside, placeOf(inside)]),
    ...['--dir', workFolder],
    ...Object.keys(files).flatMap((name, i) => [
      ...['--perms', '0555', '--file', String(descriptors.firstFile + i), `${workFolder}/${name}`],
    ]),
    // Without this the sandbox's own root takes files: memory that no limit counts.
    ...['--remount-ro', '/', '--chdir', workFolder],
    ...['--clearenv', ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value])],
  ];
}
