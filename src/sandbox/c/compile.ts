import type { Sandbox, SandboxLimits } from '../sandbox.js';
import { libraryFacts } from './library.js';
import type { Toolchain, Variant } from './toolchain.js';

/** A program to compile. */
export interface Program {
  code: Uint8Array;
  /** The function that is to be called. */
  name: string;
  /**
   * It is one function and nothing else, which can be compiled together with others of the kind: nothing in it reaches beyond the function's
   * end, and it has no object whose bounds the sanitizer would have to know of when it is loaded.
   */
  alone: boolean;
}

/** A program that was compiled, or why it was not. The library's entry point is the address of the function's. */
export type Compiled = { library: Buffer } | { error: string };

/** What the compiler may take for a unit, and a program in memory. */
const cpuSeconds = 10;
const mostBytes = 48 * 2 ** 20;
const mostMemory = 24 * 2 ** 20;

/**
 * Compiles programs, and links each to a library of its own, in which no other's function is.
 * @returns one for each program; or undefined where compiling itself failed, which says nothing of the programs.
 */
export async function compileAll(
  sandbox: Sandbox,
  toolchain: Toolchain,
  programs: readonly Program[],
  variant: Variant,
  signal?: AbortSignal,
): Promise<Compiled[] | undefined> {
  const compiled: (Compiled | undefined)[] = programs.map(() => undefined);
  let together = programs.flatMap(({ alone }, i) => (alone ? [] : [i]));
  const apart = programs.flatMap(({ alone }, i) => (alone ? [i] : []));
  // A unit fails as a whole. The compiler's words tell whom to try alone; each program's own attempt decides.
  while (together.length > 0) {
    const unit: Unit = { members: together, alone: together.length === 1 };
    const [result] = (await compileUnits(sandbox, toolchain, programs, [unit], variant, signal)) ?? [undefined];
    if (result === undefined) return undefined;
    const failed = together.filter((i) => 'error' in (result.compiled.get(i) as Compiled));
    for (const i of together) if (!failed.includes(i)) compiled[i] = result.compiled.get(i);
    const suspects = failed.length < together.length ? failed : failed.filter((i) => result.named.has(i));
    const alone = suspects.length === 0 ? failed : suspects;
    apart.push(...alone);
    together = failed.filter((i) => !alone.includes(i));
  }
  const units = apart.map((i) => ({ members: [i], alone: programs[i]?.alone === true }));
  if (units.length > 0) {
    const results = await compileUnits(sandbox, toolchain, programs, units, variant, signal);
    if (results === undefined) return undefined;
    for (const [k, i] of apart.entries()) compiled[i] = results[k]?.compiled.get(i);
  }
  return compiled as Compiled[];
}

interface Unit {
  /** Indices of programs. */
  members: readonly number[];
  alone: boolean;
}
interface UnitResult {
  compiled: Map<number, Compiled>;
  /** The programs that the compiler's messages name. */
  named: Set<number>;
}

async function compileUnits(
  sandbox: Sandbox,
  { offered, flags, linkerFlags, sanitizerFlags, prelude }: Toolchain,
  programs: readonly Program[],
  units: readonly Unit[],
  variant: Variant,
  signal: AbortSignal | undefined,
): Promise<UnitResult[] | undefined> {
  const checks = variant === 'checked' ? sanitizerFlags : [];
  const lines = units.flatMap(({ members, alone }, u) => {
    // Where programs are together, none has a global variable, and the table of them would tie all programs to each.
    const globals = variant === 'checked' && !alone ? ['--param', 'asan-globals=0'] : [];
    return [`unit ${u} ${[...checks, ...globals].join(' ')}`, ...members.map((i) => `entry ${u} ${i}`)];
  });
  const script = `
ulimit -t ${cpuSeconds}
ulimit -f ${mostBytes / 512}
cd "$TMPDIR" || exit
unit() {
  u=$1
  shift
  gcc ${flags.join(' ')} "$@" -c "$OLDPWD/unit$u.c" -o unit$u.o 2>unit$u.e || rm -f unit$u.o
}
entry() {
  [ -f unit$1.o ] && ld ${linkerFlags.join(' ')} --require-defined=entry_$2 -e entry_$2 unit$1.o "$OLDPWD/offered.so" -o $2.so 2>$2.e || rm -f $2.so
}
${lines.join('\n')}
set -- *.e *.so
stat -c '%n %s' "$@" >&3
echo >&3
cat "$@" >&3
printf end >&3`;
  const { channel } = await sandbox.run({
    argv: ['sh', '-c', script],
    profile: 'compiler',
    files: {
      'offered.so': offered,
      ...Object.fromEntries(units.map((unit, u) => [`unit${u}.c`, sourceOf(prelude, programs, unit)])),
    },
    limits: compilerLimits(programs.length),
    signal,
  });
  const files = unpack(channel);
  if (files === undefined) return undefined;
  return units.map(({ members }, u) => {
    const messages = files.get(`unit${u}.e`)?.toString('latin1') ?? '';
    const named = new Set([...messages.matchAll(/^answer(\d+)\.c:/gm)].map(([, i]) => Number(i)));
    const results = members.map((i): [number, Compiled] => {
      const library = files.get(`${i}.so`);
      if (library !== undefined) return [i, admitted(library, variant)];
      return [i, { error: firstError(messages + (files.get(`${i}.e`)?.toString('latin1') ?? ''), i) }];
    });
    return { compiled: new Map(results), named };
  });
}

/** Functions of programs that are together have names of their own. An entry is a pointer to the function, `static` or not. */
function sourceOf(prelude: string, programs: readonly Program[], { members, alone }: Unit): Buffer {
  const parts: Uint8Array[] = [Buffer.from(prelude)];
  for (const i of members) {
    const { name, code } = programs[i] as Program;
    const rename = alone ? '' : `#define ${name} program_${i}\n`;
    parts.push(Buffer.from(`${rename}#line 1 "answer${i}.c"\n`), code);
    parts.push(Buffer.from(`\n#line 1 "the end of answer${i}.c"\nvoid *const entry_${i} = (void *)${name};\n`));
    if (!alone) parts.push(Buffer.from(`#undef ${name}\n`));
  }
  return Buffer.concat(parts);
}

/** Files with their names and sizes before them; undefined where they are not whole. */
function unpack(channel: Buffer): Map<string, Buffer> | undefined {
  const head = channel.indexOf('\n\n');
  if (head < 0) return undefined;
  const files = new Map<string, Buffer>();
  let at = head + 2;
  for (const line of channel.toString('latin1', 0, head).split('\n')) {
    const [name, size] = line.split(' ');
    if (name === undefined || size === undefined) return undefined;
    files.set(name, channel.subarray(at, at + Number(size)));
    at += Number(size);
  }
  return channel.toString('latin1', at) === 'end' ? files : undefined;
}

/** A backstop behind the check of the source: what a linker's output shows cannot be hidden by how it was written. */
function admitted(library: Buffer, variant: Variant): Compiled {
  const facts = libraryFacts(library);
  if (facts === undefined) return { error: 'the linker wrote no library' };
  if (facts.memory > mostMemory) return { error: `it takes ${facts.memory} bytes of memory, of ${mostMemory} at most` };
  // AddressSanitizer has a function run when a library is loaded, and one when it is unloaded.
  if (facts.initialisers > (variant === 'checked' ? 2 : 0)) return { error: 'it runs code when it is loaded' };
  return { library };
}

/** The first error's place and words, for a reader. */
function firstError(messages: string, program: number): string {
  const place = new RegExp(`^(?:the end of )?answer${program}\\.c:(\\d+):\\d+: (?:fatal )?error: (.*)$`, 'm');
  const [whole, line, error] = place.exec(messages) ?? [];
  const name = /undefined reference to `([^']+)'/.exec(messages)?.[1]?.replace(/^__wrap_/, '');
  const words =
    error !== undefined
      ? `${whole?.startsWith('the') ? 'at the end' : `line ${line}`}: ${error.replace(/; did you mean .*/, '')}`
      : name !== undefined
        ? `${name} is no function that programs are offered`
        : 'the compiler gave up';
  return words
    .replaceAll(`program_${program}`, 'the function')
    .replace(/[^ -~]/g, '?')
    .slice(0, 200);
}

const compilerLimits = (programs: number): SandboxLimits => ({
  cpuSeconds: 60,
  wallSeconds: 60 + 30 * programs,
  memoryMiB: 1024,
  processes: 32,
  fileMiB: 256,
  outputBytes: 2 ** 24 + programs * 2 ** 21,
});
