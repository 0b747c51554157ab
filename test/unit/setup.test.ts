import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const setup = fileURLToPath(new URL('../../scripts/setup', import.meta.url));

// scripts/setup sees only this folder's programs: the real bash, sed and grep, and whatever a test puts beside them.
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'srcode setup '));
  mkdirSync(join(folder, 'doctest'));
  writeFileSync(join(folder, 'doctest', 'doctestConfig.cmake'), '');
  for (const name of ['bash', 'sed', 'grep']) {
    const real = ['/bin', '/usr/bin'].map((bin) => join(bin, name)).find((file) => existsSync(file));
    if (real) symlinkSync(real, join(folder, name));
  }
  program('uname', 'echo Linux x86_64');
  program('id', 'echo 1000');
});

afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, body: string): void {
  const file = join(folder, name);
  rmSync(file, { force: true });
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
}

function tools(): void {
  program('g++', 'echo 12.2.0');
  program('cmake', 'echo "cmake version 3.25.1"');
  program('ninja', 'echo 1.11');
  program('gcc', 'true');
  program('bwrap', 'true');
  program('chromium', 'true');
}

// An apt-get that records its arguments and whose `install` brings a cmake.
function aptGet(): void {
  const cmake = join(folder, 'cmake');
  const install = `printf '#!/bin/sh\\necho cmake version 3.25.1\\n' > '${cmake}'; /bin/chmod +x '${cmake}'`;
  program('apt-get', `echo "$*" >> '${folder}/apt.log'; if [ "$1" = install ]; then ${install}; fi`);
}
const aptLog = (): string => {
  const file = join(folder, 'apt.log');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
};

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: folder, doctest_DIR: join(folder, 'doctest'), OS_RELEASE: join(folder, 'os-release') };
  return spawnSync(join(folder, 'bash'), [setup, ...args], { env, encoding: 'utf8' });
}

test('nothing is asked of apt when all is there', () => {
  tools();
  aptGet();
  const { status, stdout } = run();
  expect(stdout).toBe('setup: g++ 12.2.0, cmake 3.25.1, ninja, gcc, bubblewrap, doctest, a browser\n');
  expect(status).toBe(0);
  expect(aptLog()).toBe('');
});

test('make does where ninja is missing', () => {
  tools();
  rmSync(join(folder, 'ninja'));
  program('make', 'true');
  expect(run()).toMatchObject({
    status: 0,
    stdout: 'setup: g++ 12.2.0, cmake 3.25.1, make, gcc, bubblewrap, doctest, a browser\n',
  });
});

test('root installs what is missing, and only that', () => {
  tools();
  rmSync(join(folder, 'cmake'));
  aptGet();
  program('id', 'echo 0');
  expect(run()).toMatchObject({ status: 0 });
  expect(aptLog()).toBe('update -q\ninstall -y --no-install-recommends cmake\n');
});

test('sudo is used when it asks for no password', () => {
  tools();
  rmSync(join(folder, 'cmake'));
  aptGet();
  program('sudo', `echo sudo >> '${folder}/apt.log'; shift; "$@"`);
  expect(run()).toMatchObject({ status: 0 });
  expect(aptLog()).toContain('sudo\ninstall -y --no-install-recommends cmake\n');
});

test('without rights it prints the line to type', () => {
  tools();
  rmSync(join(folder, 'cmake'));
  rmSync(join(folder, 'ninja'));
  aptGet();
  program('sudo', 'exit 1');
  const { status, stderr } = run();
  expect(status).toBe(1);
  expect(stderr).toContain('  sudo apt-get install -y --no-install-recommends cmake ninja-build\n');
  expect(aptLog()).toBe('');
});

test('without apt it names the tools', () => {
  program('g++', 'echo 12.2.0');
  const { status, stderr } = run('--no-tests');
  expect(status).toBe(1);
  expect(stderr).toContain('missing (by their Debian names): cmake ninja-build gcc bubblewrap');
  expect(stderr).toContain('cmake >= 3.22');
});

test.each([
  ['g++', 'echo 10.2.1', 'g++ 10.2.1 (needs 11 or newer'],
  ['cmake', 'echo "cmake version 3.18.4"', 'cmake 3.18.4 (needs 3.22 or newer)'],
])('an old %s is named', (name, body, message) => {
  tools();
  program(name, body);
  const { status, stderr } = run();
  expect(status).toBe(1);
  expect(stderr).toContain(message);
});

test.each([
  ['debian', 'update -q\ninstall -y --no-install-recommends chromium\n'],
  ['ubuntu', ''],
])('a browser is welcome but not needed: %s', (id, asked) => {
  tools();
  rmSync(join(folder, 'chromium'));
  program('id', 'echo 0');
  program('apt-get', `echo "$*" >> '${folder}/apt.log'; [ "$1" = update ]`);
  writeFileSync(join(folder, 'os-release'), `PRETTY_NAME="x"\nID=${id}\n`);
  const { status, stdout } = run();
  expect(stdout).toContain('setup: no browser; the tests that look at the report are skipped');
  expect(status).toBe(0);
  expect(aptLog()).toBe(asked);
});

test('an apt-get that fails ends with one message', () => {
  tools();
  rmSync(join(folder, 'cmake'));
  program('id', 'echo 0');
  program('apt-get', 'exit 100');
  const { status, stderr } = run();
  expect(status).toBe(1);
  expect(stderr).toContain('apt-get could not install cmake');
});

test('bubblewrap and gcc are needed without the tests too', () => {
  tools();
  rmSync(join(folder, 'bwrap'));
  rmSync(join(folder, 'gcc'));
  aptGet();
  const { status, stderr } = run('--no-tests');
  expect(status).toBe(1);
  expect(stderr).toContain('  sudo apt-get install -y --no-install-recommends gcc bubblewrap\n');
});

test('doctest is needed for the tests alone', () => {
  tools();
  rmSync(join(folder, 'doctest'), { recursive: true });
  const { status, stdout } = run('--no-tests');
  expect(status).toBe(0);
  expect(stdout).toBe('setup: g++ 12.2.0, cmake 3.25.1, ninja, gcc, bubblewrap\n');
});
