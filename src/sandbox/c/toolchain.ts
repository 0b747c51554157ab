import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { driverAssets } from '../../assets.js';
import { SrcodeError } from '../../errors.js';
import type { Sandbox, SandboxLimits } from '../sandbox.js';
import { wrapped } from './wrapped.js';

/** `plain`: the program as it is. `checked`: with AddressSanitizer and UBSan. */
export type Variant = 'plain' | 'checked';

/** What programs find, beside what the C library's headers declare. */
export interface Offer {
  /** C text that every program begins with: includes, types, prototypes. */
  prelude: string;
  /** C text that defines functions of the prelude. It is linked with the driver. */
  helpers: { code: string; names: readonly string[] };
  /** Symbols of the C library that programs may use: functions, and variables. */
  functions: readonly string[];
  variables: readonly string[];
}

/** Compiler, linker and driver, ready to be used. */
export interface Toolchain {
  drivers: Readonly<Record<Variant, Buffer>>;
  prelude: string;
  /** A library that has the names of all that programs may use, and nothing else. */
  offered: Buffer;
  flags: readonly string[];
  sanitizerFlags: readonly string[];
  linkerFlags: readonly string[];
  /** Of the compiler's version, and of all that above is made from. */
  id: string;
}

const sanitizerFlags = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
// Those of them that the compiler knows: variables without a value have a pattern; gcc 14 alone refuses `return;` where a value belongs.
const optionalFlags = ['-ftrivial-auto-var-init=pattern', '-Wno-error=return-mismatch'];
const flags = [
  ...['-std=c17', '-D_GNU_SOURCE', '-O0', '-fno-builtin', '-fPIC', '-fno-stack-protector', '-pipe'],
  // Each function can be taken without the others, and none is seen from outside.
  ...['-ffunction-sections', '-fdata-sections', '-fvisibility=hidden', '-fno-asynchronous-unwind-tables', '-fno-ident'],
  // What newer compilers refuse, older ones warn of: the same for all. A call of what is declared nowhere fails, as it would in linking.
  ...['int-conversion', 'incompatible-pointer-types', 'implicit-int'].map((name) => `-Wno-error=${name}`),
  ...['-Werror=implicit-function-declaration', '-fno-diagnostics-show-caret', '-fno-diagnostics-show-option'],
];
const linkerFlags = [
  '-shared',
  '-z',
  'now',
  '-z',
  'defs',
  '--gc-sections',
  '--build-id=none',
  ...wrapped.map((name) => `--wrap=${name}`),
];

/**
 * Builds the driver in the sandbox.
 * @throws ERR_HARNESS where there is no compiler, or it does not build.
 */
export async function openToolchain(sandbox: Sandbox, offer: Offer): Promise<Toolchain> {
  const sources = Object.fromEntries(
    await Promise.all(
      ['driver.c', 'world.c', 'protocol.h'].map(async (name) => [name, await readFile(join(driverAssets, name))]),
    ),
  );
  const { functions, variables, helpers, prelude } = offer;
  const offered = [
    ...functions.map((name) => `void ${name}(void) {}`),
    ...[...wrapped.map((name) => `__wrap_${name}`), ...helpers.names].map((name) => `void ${name}(void) {}`),
    ...variables.map((name) => `void *${name};`),
    '',
  ].join('\n');
  const common = 'gcc -std=gnu17 -O1 -fno-builtin -fno-stack-protector -w';
  const script = [
    's=$PWD; cd "$TMPDIR" || exit',
    `for flag in ${optionalFlags.join(' ')}; do gcc $flag -fsyntax-only -x c /dev/null 2>/dev/null && echo $flag; done`,
    `${common} -c $s/driver.c -o driver.o && ${common} -c $s/world.c -o world.o || exit`,
    `${common} -c $s/helpers.c -o helpers.o || exit`,
    `${common} ${sanitizerFlags.join(' ')} -c $s/world.c -o checked.o || exit`,
    'gcc -rdynamic driver.o world.o helpers.o -Wl,--no-as-needed -o plain -ldl -lm || exit',
    // Some linkers leave out what nothing refers to yet; programs that are loaded later do.
    `gcc -rdynamic ${sanitizerFlags[0]} -Wl,--no-as-needed driver.o checked.o helpers.o -o checked -ldl -lm || exit`,
    // Only what instrumented code calls, not the C library's functions that the sanitizers stand in for.
    `for l in libasan.so libubsan.so; do nm -D --defined-only "$(gcc -print-file-name=$l)"; done |`,
    `  sed -nE 's/^[0-9a-f]+ . (__(asan|ubsan)_[a-z0-9_]+)$/void \\1(void) {}/p' | sort -u >sanitizers.c || exit`,
    // By this name the library that is there already is found when a program is loaded.
    `cat $s/offered.c sanitizers.c >all.c; ${common} -shared -nostdlib -fPIC -Wl,-soname,libc.so.6 all.c -o offered || exit`,
    'gcc -dumpfullversion -dumpversion; ld --version | head -n 1',
    'for f in plain checked offered; do stat -c %s $f >&3; done; cat plain checked offered >&3',
  ].join('\n');
  const { status, stdout, stderr, channel } = await sandbox.run({
    argv: ['sh', '-c', script],
    profile: 'compiler',
    files: { ...sources, 'helpers.c': Buffer.from(helpers.code), 'offered.c': Buffer.from(offered) },
    limits: buildLimits,
  });
  if (status === 127 || /gcc: not found/.test(`${stderr}`)) {
    throw new SrcodeError(
      'ERR_HARNESS',
      'Programs are judged with gcc, which is not on PATH: bash scripts/setup installs it.',
    );
  }
  const sizes = channel.toString('latin1', 0, 64).split('\n', 3).map(Number);
  if (status !== 0 || sizes.length < 3) {
    throw new SrcodeError('ERR_HARNESS', `The driver does not build: ${stderr.toString('utf8').slice(0, 2000)}`);
  }
  let at = sizes.join('\n').length + 1;
  const [plain, checked, library] = sizes.map((size) => {
    at += size;
    return channel.subarray(at - size, at);
  }) as [Buffer, Buffer, Buffer];
  const said = `${stdout}`.split('\n').filter((line) => line !== '');
  const known = [...flags, ...said.filter((line) => line.startsWith('-'))];
  const id = createHash('sha256')
    .update(JSON.stringify([said, known, linkerFlags, prelude, offered, helpers.code]))
    .update(Object.values(sources).join('\0'))
    .digest('hex')
    .slice(0, 16);
  return { drivers: { plain, checked }, prelude, offered: library, flags: known, sanitizerFlags, linkerFlags, id };
}

const buildLimits: SandboxLimits = {
  cpuSeconds: 20,
  wallSeconds: 300,
  memoryMiB: 2048,
  processes: 32,
  fileMiB: 64,
  outputBytes: 2 ** 24,
};
