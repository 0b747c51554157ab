import { allowedCalls, newestCall, type Profile } from './system-calls.js';

/**
 * The system-call filter of a profile, as the bytes of classic BPF (`struct sock_filter[]`) that the kernel runs before every call. What
 * is not listed fails with EPERM, as if it were forbidden to this user; clone3, and what is newer than the lists, with ENOSYS, on which a
 * C library falls back to what is older.
 */
export function seccompFilter(profile: Profile): Buffer {
  const program: Instruction[] = [
    load(archOffset),
    [jumpIfEqual, 1, 0, auditArchX86_64],
    give(killProcess),
    load(numberOffset),
    // System calls of the x32 range carry this bit and would slip by the numbers below.
    ...when(jumpIfAtLeast, 0x4000_0000, give(failWith + errno.EPERM)),
    ...allowedCalls(profile).flatMap((number) => when(jumpIfEqual, number, give(allow))),
    ...looked[profile].flatMap(({ number, argument, verdict }) =>
      when(jumpIfEqual, number, load(argumentOffset + 8 * argument), ...verdict),
    ),
    // clone3's flags lie in memory, out of sight; clone's do not.
    ...when(jumpIfEqual, clone3, give(failWith + errno.ENOSYS)),
    ...when(jumpIfAtLeast, newestCall + 1, give(failWith + errno.ENOSYS)),
    give(failWith + errno.EPERM),
  ];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, [code, whenTrue, whenFalse, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(whenTrue, i * 8 + 2);
    bytes.writeUInt8(whenFalse, i * 8 + 3);
    bytes.writeUInt32LE(operand, i * 8 + 4);
  }
  return bytes;
}

/** Code, instructions to skip when true, when false, operand (linux/filter.h). */
type Instruction = readonly [number, number, number, number];

/** A call that depends on the low 32 bits of one of its arguments, which are all that the kernel reads of it. */
interface Looked {
  number: number;
  argument: number;
  /** Ends with an instruction that gives a verdict whatever the argument is. */
  verdict: readonly Instruction[];
}

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const give = (verdict: number): Instruction => [0x06, 0, 0, verdict];
const when = (test: number, operand: number, ...then: readonly Instruction[]): Instruction[] => [
  [test, 0, then.length, operand],
  ...then,
];
const jumpIfEqual = 0x15;
const jumpIfAtLeast = 0x35;
const jumpIfAnyBit = 0x45;

// struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6].
const numberOffset = 0;
const archOffset = 4;
const argumentOffset = 16;

const allow = 0x7fff_0000;
const failWith = 0x0005_0000;
const killProcess = 0x8000_0000;
const errno = { EPERM: 1, ENOTTY: 25, ENOSYS: 38, EAFNOSUPPORT: 97 };

const auditArchX86_64 = 0xc000_003e;
const clone3 = 435;

const oneOf = (values: readonly number[], otherwise: number): Instruction[] => [
  ...values.flatMap((value) => when(jumpIfEqual, value, give(allow))),
  give(failWith + otherwise),
];

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; time namespaces are out of clone's reach.
const clone: Looked = {
  number: 56,
  argument: 0,
  verdict: [...when(jumpIfAnyBit, 0x7e02_0000, give(failWith + errno.EPERM)), give(allow)],
};

// TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. To any other a descriptor is no device that knows it.
const ioctl: Looked = {
  number: 16,
  argument: 1,
  verdict: oneOf([0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451], errno.ENOTTY),
};

// PTRACE_CONT, KILL, GETREGS, ATTACH, DETACH, GETREGSET: so LeakSanitizer stops the threads of its own process. The process namespace, and
// what is done to hide its first process, bound whom it reaches.
const ptrace: Looked = { number: 101, argument: 0, verdict: oneOf([7, 8, 12, 16, 17, 0x4204], errno.EPERM) };

// AF_UNIX: within the sandbox's own network and files, where nobody else listens.
const localSockets: readonly Looked[] = [41, 53].map((number) => ({
  number,
  argument: 0,
  verdict: oneOf([1], errno.EAFNOSUPPORT),
}));

const looked: Readonly<Record<Profile, readonly Looked[]>> = {
  program: [clone, ioctl, ptrace],
  compiler: [clone, ioctl],
  analyser: [clone, ioctl, ...localSockets],
};
