import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
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

  itHolds('the network is out of reach, the host itself included', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const connect = (address: string, to: number): string =>
      `use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or die; print connect(S, sockaddr_in(${to}, inet_aton("${address}"))) ? "in" : "out: $!";`;
    const results = [await perl(connect('127.0.0.1', port)), await perl(connect('192.0.2.1', 80))];
    server.close();
    expect(results.map(({ stdout }) => `${stdout}`)).toEqual([
      expect.stringMatching(/^out: (Connection refused|Network is unreachable)$/),
      'out: Network is unreachable',
    ]);
  });

  if (name === 'bubblewrap') {
    itHolds('the filter refuses what namespaces leave reachable', async () => {
      // AF_NETLINK, AF_INET6, AF_VSOCK; unshare(CLONE_NEWUSER), keyctl, bpf, io_uring_setup, memfd_create; ptrace(PTRACE_TRACEME) is allowed.
      const { stdout } = await perl(`
        for my $family (16, 10, 40) { print socket(S, $family, 2, 0) ? "in" : $!{EAFNOSUPPORT} ? "out" : "$!", " " }
        for my $call ([272, 0x10000000], [250, 0, 0, 0], [321, 0, 0, 0], [425, 1, 0]) { print syscall($call->[0], @$call[1..$#$call]) < 0 && $!{EPERM} ? "out" : "in: $!", " " }
        print syscall(56, 0x10000000, 0, 0, 0, 0) < 0 && $!{EPERM} ? "out" : "in", " ";
        print syscall(435, 0, 0) < 0 && $!{ENOSYS} ? "out" : "in", " ";
        print socket(S, 1, 1, 0) && socket(S, 2, 1, 0) ? "in" : "out: $!", " ";
        print syscall(101, 0, 0, 0, 0) == 0 ? "in" : "out: $!";`);
      expect(`${stdout}`).toBe('out out out out out out out out out in in');
    });
  }

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
    const source = new URL('../../src/sandbox/index.ts', import.meta.url).href;
    const folder = mkdtempSync(join(tmpdir(), 'srcode-sandbox-'));
    const script = join(folder, 'caller.test.ts');
    writeFileSync(
      script,
      `import { test } from 'vitest'; import { Sandbox } from '${source}';
       test('hangs', async () => { const s = await Sandbox.open({ only: '${name}' });
       await s.run({ argv: ['sh', '-c', 'sleep ${mark} & sleep ${mark}'], limits: ${JSON.stringify({ ...limits, wallSeconds: 600 })} }); });`,
    );
    const vitest = new URL('../../node_modules/vitest/vitest.mjs', import.meta.url).pathname;
    const caller = spawn(process.execPath, [vitest, 'run', '--root', folder, '--pool', 'forks', 'caller'], {
      stdio: 'ignore',
      detached: true,
    });
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
      message: expect.stringMatching(/bubblewrap: .*ENOENT[\s\S]*unshare: .*ENOENT[\s\S]*--unsafe/),
    });
    expect((await Sandbox.open({ unsafe: true })).isolation).toBe('none');
  } finally {
    vi.unstubAllEnvs();
  }
});

test('without isolation a run still has its limits and leaves nothing behind', async () => {
  const sandbox = await Sandbox.open({ only: 'none' });
  const mark = `93${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'srcode-sandbox-'));
  vi.stubEnv('TMPDIR', folder);
  const result = await sandbox.run({
    argv: ['sh', '-c', `sleep ${mark} & cat file; printf t >&3; : > $TMPDIR/x; while :; do :; done`],
    files: { file: Buffer.from('here') },
    limits: { ...limits, cpuSeconds: 1 },
  });
  expect([`${result.stdout}`, `${result.channel}`, result.timedOut]).toEqual(['here', 't', 'cpu']);
  await until(() => processes(mark).length === 0);
  vi.unstubAllEnvs();
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

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

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(holds()).toBe(true);
}
