import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { findHierarchy } from '../../src/sandbox/control-groups.js';
import { type Isolation, Sandbox, type SandboxRun } from '../../src/sandbox/index.js';

const limits = { cpuSeconds: 2, wallSeconds: 30, processes: 16, fileMiB: 4, outputBytes: 65536 };
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

// Opened here, not in a hook: what does not work on this machine is reported as skipped, with the reason.
const sandboxes: Record<string, Sandbox | string> = {};
for (const only of ['bubblewrap', 'unshare'] as const satisfies readonly Isolation[]) {
  sandboxes[only] = await Sandbox.open({ only }).catch((error: Error) => error.message);
}

describe.each(['bubblewrap', 'unshare'])('%s', (name) => {
  const sandbox = sandboxes[name] as Sandbox;
  const works = sandbox instanceof Sandbox;
  const itHolds = works ? test : test.skip;
  if (!works) test.skip(`no ${name} here: ${sandboxes[name]}`, () => {});

  const run = (given: Omit<SandboxRun, 'limits'> & Partial<SandboxRun>): ReturnType<Sandbox['run']> =>
    sandbox.run({ limits, ...given });
  const shell = (script: string, given: Partial<SandboxRun> = {}): ReturnType<Sandbox['run']> =>
    run({ argv: ['sh', '-c', script], ...given });
  const perl = (script: string): ReturnType<Sandbox['run']> =>
    run({ argv: ['perl', '-e', script], limits: { ...limits, cpuSeconds: 5 } });

  itHolds('what a program says and how it ended come back', async () => {
    const result = await shell('cat; cat two; echo bad >&2; printf token >&3; exit 7', {
      stdin: Buffer.from('in '),
      files: { one: Buffer.from('1'), two: Buffer.from('file') },
    });
    expect({ ...result, stdout: `${result.stdout}`, stderr: `${result.stderr}`, channel: `${result.channel}` }).toEqual(
      {
        status: 7,
        signal: null,
        timedOut: undefined,
        stdout: 'in file',
        stderr: 'bad\n',
        channel: 'token',
        truncated: false,
      },
    );
    expect(await shell('kill -SEGV $$')).toMatchObject({ status: null, signal: 'SIGSEGV' });
  });

  itHolds('files can be executed but not written', async () => {
    const result = await run({
      argv: ['./tool'],
      files: { tool: Buffer.from('#!/bin/sh\necho ran\necho x >> tool || echo refused\n') },
    });
    expect(`${result.stdout}`).toBe('ran\nrefused\n');
  });

  itHolds('nothing of the caller comes in: environment, files, processes', async () => {
    vi.stubEnv('SRCODE_TEST_SECRET', 'secret');
    const { stdout } = await shell('env; ls /; ls /home /root /tmp 2>&1; ls -d /proc/[0-9]* | wc -l');
    vi.unstubAllEnvs();
    expect(`${stdout}`).not.toContain('secret');
    expect(`${stdout}`).toMatch(/cannot access '\/home'/);
    expect(Number(`${stdout}`.trim().split('\n').at(-1))).toBeLessThan(7);
    expect(`${(await shell('cat /etc/shadow || echo refused')).stdout}`).toBe('refused\n');
  });

  itHolds('the system is read-only, /tmp is not and has an end', async () => {
    const { stdout } = await shell(
      'for f in /x /usr/x /etc/x /dev/x /dev/shm/x /w/x /proc/sys/x; do (: > $f) 2>/dev/null && echo wrote $f; done; echo ok > /tmp/x && cat /tmp/x',
    );
    expect(`${stdout}`).toBe('ok\n');
    const full = await shell('for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero > /tmp/$i || echo full; done');
    expect(`${full.stdout}`).toContain('full');
    const none = await shell('(: > /tmp/x) 2>/dev/null || echo refused', { limits: { ...limits, fileMiB: 0 } });
    expect(`${none.stdout}`).toBe('refused\n');
  });

  itHolds('kernel settings cannot be opened for writing', async () => {
    // Opened only: a sandbox that failed here must not change the host.
    const { stdout } = await perl('print open(F, "+<", "/proc/sys/kernel/core_pattern") ? "opened" : "refused"');
    expect(`${stdout}`).toBe('refused');
  });

  itHolds('there is no capability, and none can be had', async () => {
    const { stdout } = await shell(
      'grep -E "Cap(Prm|Eff|Bnd)|NoNewPrivs" /proc/self/status; mount -t tmpfs none /tmp 2>/dev/null && echo mounted; chroot / true 2>/dev/null && echo chrooted; true',
    );
    expect(`${stdout}`.split('\n')).toEqual(
      [
        'NoNewPrivs:\t1',
        'CapPrm:\t0000000000000000',
        'CapEff:\t0000000000000000',
        'CapBnd:\t0000000000000000',
        '',
      ].sort((a, b) => order(a) - order(b)),
    );
  });

  itHolds(
    'the network is out of reach: no socket can be made, and there is no device but the unused loopback',
    async () => {
      const { stdout } = await perl(
        'use Socket; for ([1, 1], [2, 1], [2, 2], [10, 1], [16, 3], [40, 1]) { print socket(S, $_->[0], $_->[1], 0) ? "in " : "$! " } print socketpair(A, B, 1, 1, 0) ? "in" : "$!"',
      );
      expect(`${stdout}`).toBe(`${'Operation not permitted '.repeat(6)}Operation not permitted`);
      const devices = await shell('tail -n +3 /proc/net/dev | cut -d: -f1');
      expect(`${devices.stdout}`.trim()).toBe('lo');
    },
  );

  itHolds('analysers have sockets among themselves, and no others', async () => {
    const { stdout } = await run({
      argv: [
        'perl',
        '-e',
        'use Socket; print socket(S, $_, 1, 0) ? "in " : "$! " for 1, 2, 10; print socketpair(A, B, 1, 1, 0) ? "in" : "$!"',
      ],
      profile: 'analyser',
    });
    const no = 'Address family not supported by protocol';
    expect(`${stdout}`).toBe(`in ${no} ${no} in`);
  });

  itHolds('system calls that no list has are refused', async () => {
    const { stdout } = await perl(refusedCalls);
    expect(`${stdout}`).toBe('');
  });

  itHolds('nothing that the caller left open is reachable', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'srcode-sandbox-'));
    writeFileSync(join(folder, 'secret'), 'a secret');
    const script = 'cat /proc/[0-9]*/fd/50 /proc/[0-9]*/fd/7; ls -l /proc/self/fd';
    const [command, ...args] = calling(name, folder, { argv: ['sh', '-c', script], files: { a: '1', b: '2' } });
    // Node closes its own descriptors: only a process that was started with one has one to pass on.
    const opened = ['-c', `exec 50<${folder}/secret 7<${folder}/secret; exec "$@"`, 'bash', command, ...args];
    const caller = spawnSync('bash', opened, { encoding: 'utf8' });
    expect(`${caller.stdout}${caller.stderr}`).toContain('1 passed');
    const result = readFileSync(join(folder, 'said'), 'utf8');
    rmSync(folder, { recursive: true });
    expect(result).not.toContain('secret');
    // What was inherited is /dev/null in its place.
    expect(result.match(/ -> (?!socket:|\/dev\/null$|\/proc\/).*/gm)).toBeNull();
    expect(result).toMatch(/ 3 -> socket:/);
  });

  itHolds('no other process can be looked into, and none has the environment of the caller', async () => {
    vi.stubEnv('SRCODE_TEST_SECRET', 'a secret');
    const { stdout, status } = await perl(`
      for my $process (grep { $_ ne "/proc/$$" } glob "/proc/[0-9]*") {
        for my $file ("environ", "maps", "mem", "auxv") { print "$process/$file " if open F, "<", "$process/$file" and defined sysread F, my $byte, 1 or $file eq "mem" and open F, "<", "$process/$file" }
        print "$process/fd " if grep { readlink } glob "$process/fd/*";
      }`);
    const environments = await shell("tr '\\0' '\\n' < /proc/1/environ; cat /proc/[0-9]*/environ");
    vi.unstubAllEnvs();
    expect([`${stdout}`, status]).toEqual(['', 0]);
    expect(`${environments.stdout}`).toContain('HOME=/tmp');
    expect(`${environments.stdout}`).not.toContain('secret');
  });

  const bounded = works && sandbox.controlGroups !== undefined ? test : test.skip;
  if (works && sandbox.controlGroups === undefined) test.skip('no control groups can be made here', () => {});

  bounded('the memory of all processes and of /tmp together has an end', async () => {
    const total = { ...limits, cpuSeconds: 10, fileMiB: 200, totalMiB: 64 };
    const within = await shell('head -c 20000000 /dev/zero > /tmp/a && echo ok', { limits: total });
    expect(`${within.stdout}`).toBe('ok\n');
    const beyond = await shell('head -c 100000000 /dev/zero > /tmp/a && echo ok', { limits: total });
    expect(`${beyond.stdout}`).toBe('');
    const hold = '$x = "a" x 30000000; sleep 2; print "held "';
    const together = await shell(`for i in 1 2 3 4; do perl -e '${hold}' & done; wait`, { limits: total });
    expect(`${together.stdout}`.split(' ').length - 1).toBeLessThan(3);
  });

  bounded('a run leaves no control group, however it ends', async () => {
    await shell('sleep 60 & exit 3');
    await shell('sleep 60', { limits: { ...limits, wallSeconds: 1 } });
    await expect(run({ argv: ['sleep', '60'], signal: AbortSignal.timeout(200) })).rejects.toThrow('timeout');
    expect(groupsOf(process.pid)).toEqual([]);
  });

  bounded('the control groups of a caller that was killed are removed by the next', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'srcode-sandbox-'));
    const mark = `95${process.pid}`;
    const [command, ...args] = calling(name, folder, { argv: ['sleep', mark] });
    const caller = spawn(command, args, { stdio: 'ignore', detached: true });
    await until(() => processes(mark).length > 0);
    process.kill(-(caller.pid as number), 'SIGKILL');
    await until(() => processes(mark).length === 0);
    rmSync(folder, { recursive: true });
    await Sandbox.open({ only: name as Isolation });
    expect(groupsOf()).toEqual([]);
  });

  itHolds('an endless loop ends by its CPU time, a sleeper by the wall clock', async () => {
    const [loop, deaf, sleeper] = await Promise.all([
      shell('while :; do :; done', { limits: { ...limits, cpuSeconds: 1 } }),
      shell('trap "" XCPU; while :; do :; done', { limits: { ...limits, cpuSeconds: 1 } }),
      shell('sleep 60', { limits: { ...limits, wallSeconds: 1 } }),
    ]);
    expect([loop.timedOut, deaf.signal, sleeper.timedOut]).toEqual(['cpu', 'SIGKILL', 'wall']);
  });

  itHolds('a flood of output ends in time', async () => {
    const result = await shell('yes', { limits: { ...limits, cpuSeconds: 20 } });
    expect(result.truncated).toBe(true);
    expect(result.stdout.length).toBe(limits.outputBytes);
  });

  itHolds('a fork bomb stays within its processes, and nothing of it is left', async () => {
    const mark = `bomb${process.pid}${name}`;
    const script = `b() { b ${mark} | b & }; b; sleep 1`;
    await run({ argv: ['sh', '-c', script, mark], limits: { ...limits, wallSeconds: 5 } });
    expect(processes(mark)).toEqual([]);
  });

  itHolds('an abort ends it and rejects with the reason', async () => {
    const mark = `91${process.pid}`;
    const abort = new AbortController();
    const running = run({ argv: ['sleep', mark], signal: abort.signal });
    await until(() => processes(mark).length > 0);
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await until(() => processes(mark).length === 0);
  });

  itHolds('an abort while the sandbox is being built leaves nothing either', async () => {
    const mark = `94${process.pid}`;
    for (let delay = 0; delay < 16; delay++) {
      const signal = AbortSignal.timeout(delay);
      await expect(run({ argv: ['sleep', mark], signal })).rejects.toThrow('timeout');
    }
    await until(() => processes(mark).length === 0);
  });

  itHolds('the death of the caller leaves no process', async () => {
    const mark = `92${process.pid}`;
    const folder = mkdtempSync(join(tmpdir(), 'srcode-sandbox-'));
    const script = `sleep ${mark} & sleep ${mark}`;
    const [command, ...args] = calling(name, folder, { argv: ['sh', '-c', script] });
    const caller = spawn(command, args, { stdio: 'ignore', detached: true });
    try {
      await until(() => processes(mark).length >= 2);
    } finally {
      process.kill(-(caller.pid as number), 'SIGKILL');
      rmSync(folder, { recursive: true });
    }
    await until(() => processes(mark).length === 0);
  });

  itHolds('runs beside each other do not meet', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, i) => shell(`echo ${i} > /tmp/x; sleep 0.1; cat /tmp/x`)),
    );
    expect(results.map(({ stdout }) => `${stdout}`.trim())).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  });

  itHolds('a program that is not there is its own failure, not one of the sandbox', async () => {
    expect(await run({ argv: ['no-such-program'] })).toMatchObject({ status: 127 });
  });

  const compiles = works && has('gcc') ? test : test.skip;
  const gcc = async (source: string, argv: string): ReturnType<Sandbox['run']> =>
    shell(`gcc -fsanitize=address,undefined -o /tmp/a a.c && ${argv}`, {
      files: { 'a.c': Buffer.from(source) },
      limits: { ...limits, cpuSeconds: 20, wallSeconds: 60, fileMiB: 16 },
    });

  compiles('LeakSanitizer works inside: a clean program passes, a leak does not', async () => {
    const clean = await gcc('#include <stdlib.h>\nint main(void) { free(malloc(9)); return 0; }', '/tmp/a');
    expect([clean.status, `${clean.stderr}`]).toEqual([0, '']);
    const leak = await gcc('#include <stdlib.h>\nint main(void) { return malloc(9) == 0; }', '/tmp/a');
    expect(leak.status).not.toBe(0);
    expect(`${leak.stderr}`).toContain('LeakSanitizer: detected memory leaks');
  });

  const calls = { cpuSeconds: 30, wallSeconds: 120, processes: 200, fileMiB: 64, outputBytes: 65536 };
  const make = works && has('gcc') && has('make') ? test : test.skip;
  make('compilers have what they need: make, gcc with its assembler and linker, link-time optimisation', async () => {
    const makefile =
      'all: a b.o\n%: %.c\n\tgcc -O2 -flto -o /tmp/$@ $<\n%.o: %.c\n\tgcc -pipe -fanalyzer -c $< -o /tmp/$@\n';
    const main = Buffer.from('#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n');
    const { stdout, status, stderr } = await run({
      argv: ['sh', '-c', 'make -sj2 && ar rc /tmp/b.a /tmp/b.o && /tmp/a'],
      files: { Makefile: Buffer.from(makefile), 'a.c': main, 'b.c': main },
      profile: 'compiler',
      limits: calls,
    });
    expect([`${stdout}`, `${stderr}`, status]).toEqual(['compiled\n', '', 0]);
  });

  const python = works && has('/usr/bin/python3') ? test : test.skip;
  python('analysers in Python have what they need: processes with queues, threads, an event loop', async () => {
    const script = `
import asyncio, multiprocessing, subprocess, tempfile, threading
queue = multiprocessing.Queue()
worker = multiprocessing.Process(target=queue.put, args=(5,))
worker.start()
print(queue.get(), subprocess.check_output(['echo', 'child']), bool(tempfile.mkdtemp()))
worker.join()
thread = threading.Thread(target=print, args=('thread',))
thread.start()
thread.join()
asyncio.run(asyncio.sleep(0))
`;
    const { stdout, stderr } = await run({
      argv: ['/usr/bin/python3', '-c', script],
      profile: 'analyser',
      limits: calls,
    });
    expect([`${stdout}`, `${stderr}`]).toEqual(["5 b'child\\n' True\nthread\n", '']);
  });

  // Debian's has its settings in /etc; that of CodeQL lies in its distribution.
  const settings = existsSync('/etc') ? readdirSync('/etc').filter((entry) => /^java-\d+-openjdk$/.test(entry)) : [];
  const java = works && has('java') && has('javac') ? test : test.skip;
  java(
    'analysers in Java have what they need: threads, collection, child processes, selectors, mapped files',
    async () => {
      const source = `import java.nio.channels.*; import java.nio.file.*; import java.util.concurrent.*;
public class A {
  public static void main(String[] given) throws Exception {
    var pool = Executors.newFixedThreadPool(4);
    long sum = 0;
    for (var part : pool.invokeAll(java.util.Collections.nCopies(8, (Callable<Long>) () -> 5L))) sum += part.get();
    pool.shutdown();
    System.gc();
    var child = new ProcessBuilder("echo", "child").start();
    Selector.open().close();
    var file = Files.writeString(Path.of("/tmp/x"), "mapped");
    try (var channel = FileChannel.open(file)) { channel.map(FileChannel.MapMode.READ_ONLY, 0, 6); }
    System.out.println(sum + " " + new String(child.getInputStream().readAllBytes()).trim());
  }
}`;
      const { stdout, stderr } = await run({
        argv: ['java', 'A.java'],
        files: { 'A.java': Buffer.from(source) },
        folders: Object.fromEntries(settings.map((entry) => [`/etc/${entry}`, `/etc/${entry}`])),
        profile: 'analyser',
        limits: calls,
      });
      expect([`${stdout}`, `${stderr}`]).toEqual(['40 child\n', '']);
    },
  );

  itHolds('folders of the host can be read where they are asked for, and not be written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'srcode-sandbox-'));
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'rule'), 'a rule');
    const script = `cat '${folder}/rule' ~/.tool/rules/rule; for f in ${folder}/x ~/.tool/rules/x; do (: > $f) 2>/dev/null && echo wrote; done; : > ~/.tool/x && echo ' own'`;
    const { stdout } = await shell(script, { folders: { [folder]: folder, '.tool/rules': folder } });
    rmSync(folder, { recursive: true });
    expect(`${stdout}`).toBe('a rulea rule own\n');
  });

  itHolds('it takes dozens of files', async () => {
    const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, Buffer.from(`${i} `)]));
    expect(`${(await shell('cat $(ls | sort -V)', { files })).stdout}`).toBe(
      Array.from({ length: 60 }, (_, i) => `${i} `).join(''),
    );
  });

  compiles('addresses are the same in every run', async () => {
    const source =
      '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { int x; void *p = malloc(9); printf("%p %p %p\\n", (void *)&x, p, (void *)main); free(p); return 0; }';
    const { stdout } = await gcc(source, '/tmp/a && /tmp/a && /tmp/a');
    expect(new Set(`${stdout}`.trim().split('\n')).size).toBe(1);
  });
});

test('without isolation it refuses with the reasons and the remedy, unless told to insist', async () => {
  vi.stubEnv('PATH', '/nonexistent');
  try {
    await expect(Sandbox.open()).rejects.toMatchObject({
      code: 'ERR_SANDBOX',
      message: expect.stringMatching(/bubblewrap: bwrap is not on PATH\n[\s\S]*unshare: .* on PATH\n[\s\S]*--unsafe/),
    });
    expect((await Sandbox.open({ unsafe: true })).isolation).toBe('none');
  } finally {
    vi.unstubAllEnvs();
  }
});

test('a bubblewrap that is too old gives way to unshare', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'srcode-sandbox-'));
  writeFileSync(join(folder, 'bwrap'), '#!/bin/sh\necho "bwrap: Unknown option --disable-userns" >&2; exit 1\n');
  chmodSync(join(folder, 'bwrap'), 0o755);
  chmodSync(folder, 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  const opened = await Sandbox.open().catch((error: Error) => error.message);
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  expect(opened instanceof Sandbox ? opened.isolation : opened).toEqual(
    sandboxes.unshare instanceof Sandbox ? 'unshare' : expect.stringContaining('Unknown option'),
  );
});

describe('without isolation', async () => {
  const sandbox = await Sandbox.open({ only: 'none' });
  const shell = (script: string, given: Partial<SandboxRun> = {}): ReturnType<Sandbox['run']> =>
    sandbox.run({ argv: ['sh', '-c', script], limits, ...given });

  test('a run still has its limits and leaves nothing behind', async () => {
    const mark = `93${process.pid}`;
    const result = await shell(`sleep ${mark} & cat file; printf t >&3; : > $TMPDIR/x; pwd; while :; do :; done`, {
      files: { file: Buffer.from('here ') },
      limits: { ...limits, cpuSeconds: 1 },
    });
    const [text, folder] = `${result.stdout}`.trim().split(' ');
    expect([text, `${result.channel}`, result.timedOut]).toEqual(['here', 't', 'cpu']);
    await until(() => processes(mark).length === 0);
    expect(folder).toMatch(/^\/.*\/srcode-run-/);
    expect(existsSync(folder as string)).toBe(false);
    expect(groupsOf(process.pid)).toEqual([]);
  });

  test.each([
    ['its program has ended', 'exit 4', 4],
    ['its time is over', 'sleep 60', null],
  ])('what left its session and its parents is gone when %s', async (_, end, status) => {
    const mark = `96${process.pid}`;
    const begun = `setsid sh -c 'setsid env -i sleep ${mark} >/dev/null 2>&1 </dev/null 3>&- &' & sleep 0.3; echo begun; ${end}`;
    const result = await shell(begun, { limits: { ...limits, wallSeconds: 2 } });
    expect([`${result.stdout}`, result.status]).toEqual(['begun\n', status]);
    expect(processes(mark)).toEqual([]);
  });

  test('what it starts has the environment of a run, and the filter', async () => {
    vi.stubEnv('SRCODE_TEST_SECRET', 'a secret');
    // A caller that is not root runs it as itself, whose processes it can read: docs/sandbox.md.
    const others = process.getuid?.() === 0 ? '/proc/[0-9]*/environ' : '/proc/self/environ /proc/$PPID/environ';
    const { stdout } = await shell(`env; cat ${others} 2>/dev/null; grep Seccomp: /proc/self/status`);
    vi.unstubAllEnvs();
    expect(`${stdout}`).not.toContain('secret');
    expect(`${stdout}`).toMatch(/^PATH=\/usr\/local\/bin:\/usr\/bin:\/bin$/m);
    expect(`${stdout}`).toMatch(/Seccomp:\s2\n/);
    const calls = await sandbox.run({ argv: ['perl', '-e', refusedCalls], limits });
    expect(`${calls.stdout}`).toBe('');
  });

  test('what was left open does not come in, and how it ends comes out', async () => {
    expect(await shell('kill -SEGV $$')).toMatchObject({ status: null, signal: 'SIGSEGV' });
    const abort = shell('sleep 60', { signal: AbortSignal.timeout(300) });
    await expect(abort).rejects.toThrow('timeout');
    expect(await sandbox.run({ argv: ['no-such-program'], limits })).toMatchObject({ status: 127 });
  });
});

// Of each kind that the lists leave out, by number and arguments; what is not refused as it should be is printed.
const refusedCalls = `
  my %calls = (unshare => [272, 0x10000000], clone_newuser => [56, 0x10000000, 0, 0, 0, 0], setns => [308, 0, 0], mount => [165, 0, 0, 0, 0, 0],
    umount2 => [166, 0, 0], chroot => [161, 0], pivot_root => [155, 0, 0], open_tree => [428, 0, 0, 0], keyctl => [250, 0, 0, 0], add_key => [248, 0, 0, 0, 0, 0],
    request_key => [249, 0, 0, 0, 0], bpf => [321, 0, 0, 0], perf_event_open => [298, 0, 0, 0, 0, 0], io_uring_setup => [425, 1, 0], userfaultfd => [323, 0],
    memfd_create => [319, 0, 0], memfd_secret => [447, 0], shmget => [29, 0, 4096, 0666 | 01000], semget => [64, 0, 1, 0666 | 01000], msgget => [68, 0, 0666 | 01000],
    mq_open => [240, 0, 0, 0, 0], name_to_handle_at => [303, 0, 0, 0, 0, 0], open_by_handle_at => [304, 0, 0, 0], pidfd_getfd => [438, 0, 0, 0],
    process_vm_writev => [311, 0, 0, 0, 0, 0, 0], fanotify_init => [300, 0, 0], vmsplice => [278, 0, 0, 0, 0], splice => [275, 0, 0, 0, 0, 0, 0],
    socket_netlink => [41, 16, 3, 0], modify_ldt => [154, 0, 0, 0], kexec_load => [246, 0, 0, 0, 0], mknod => [133, 0, 0, 0], ptrace_seize => [101, 0x4206, 1, 0, 0],
    ptrace_poke => [101, 4, 1, 0, 0], x32_getpid => [39 | 0x40000000]);
  for my $name (sort keys %calls) { $! = 0; my ($number, @given) = @{$calls{$name}}; print "$name: $! " unless syscall($number, @given) < 0 and $!{EPERM} }
  for (["clone3", 435, 0, 0], ["newer", 462, 0, 0]) { my ($name, $number, @given) = @$_; print "$name: $! " unless syscall($number, @given) < 0 and $!{ENOSYS} }
  print "ioctl: $!" unless syscall(16, 0, 0x5412, 0) < 0 and $!{ENOTTY};`;

const fields = ['CapPrm', 'CapEff', 'CapBnd', 'NoNewPrivs', ''];
function order(line: string): number {
  return fields.indexOf(line.split(':')[0] ?? '');
}

/** Processes with a word among their arguments, this one and shells that only mention it aside. */
function processes(word: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(word);
    } catch {
      return false;
    }
  });
}

/** The command of a process that runs something in a sandbox of its own and leaves what it said in `said`. */
function calling(
  isolation: string,
  folder: string,
  { argv, files = {} }: { argv: readonly string[]; files?: Record<string, string> },
): [string, ...string[]] {
  const source = new URL('../../src/sandbox/index.ts', import.meta.url).href;
  const given = { argv, files, limits: { ...limits, wallSeconds: 600 } };
  writeFileSync(
    join(folder, 'caller.test.ts'),
    `import { writeFileSync } from 'node:fs'; import { test } from 'vitest'; import { Sandbox } from '${source}';
     test('calls', async () => { const s = await Sandbox.open({ only: '${isolation}' }); const run = ${JSON.stringify(given)};
     for (const name in run.files) run.files[name] = Buffer.from(run.files[name]);
     writeFileSync('${folder}/said', (await s.run(run)).stdout); }, 60_000);`,
  );
  const vitest = new URL('../../node_modules/vitest/vitest.mjs', import.meta.url).pathname;
  return [process.execPath, vitest, 'run', '--root', folder, '--pool', 'forks', 'caller'];
}

/** The control groups of runs of a process, or of those that are gone. */
function groupsOf(pid?: number): string[] {
  const { folders = [] } = findHierarchy() ?? {};
  return folders.flatMap((folder) =>
    readdirSync(folder).filter((name) => {
      const owner = Number(/^srcode-\d+-(\d+)-/.exec(name)?.[1]);
      return pid === undefined ? owner > 0 && !existsSync(`/proc/${owner}`) : owner === pid;
    }),
  );
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(holds()).toBe(true);
}
