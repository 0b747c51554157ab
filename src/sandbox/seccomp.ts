/**
 * The system-call filter of the sandbox, as the bytes of classic BPF (`struct sock_filter[]`) that the kernel runs before every call.
 * Namespaces leave reachable what it refuses: socket families that they do not cover (vsock, netlink), key rings, io_uring, bpf, perf
 * events, memory that no limit counts, and all that a new user namespace would allow. ptrace stays allowed: LeakSanitizer stops its own
 * process with it, and the process namespace bounds whom it reaches.
 */
export function seccompFilter(): Buffer {
  const program: Instruction[] = [
    load(archOffset),
    [jumpIfEqual, 1, 0, auditArchX86_64],
    give(killProcess),
    load(numberOffset),
    // System calls of the x32 range carry this bit and would slip by the numbers below.
    ...refuse(jumpIfAtLeast, 0x4000_0000, errno.EPERM),
    ...Object.values(refused).flatMap((number) => refuse(jumpIfEqual, number, errno.EPERM)),
    // clone3's flags lie in memory, out of sight. ENOSYS makes glibc fall back on clone, whose flags do not.
    ...refuse(jumpIfEqual, clone3, errno.ENOSYS),
    [jumpIfEqual, 0, 4, clone],
    load(argumentOffset),
    ...refuse(jumpIfAnyBit, namespaceFlags, errno.EPERM),
    give(allow),
    [jumpIfEqual, 1, 0, socket],
    [jumpIfEqual, 0, 5, socketpair],
    load(argumentOffset),
    [jumpIfEqual, 1, 0, familyUnix],
    [jumpIfEqual, 0, 1, familyInet],
    give(allow),
    give(failWith + errno.EAFNOSUPPORT),
    give(allow),
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

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const give = (verdict: number): Instruction => [0x06, 0, 0, verdict];
const refuse = (test: number, operand: number, error: number): Instruction[] => [
  [test, 0, 1, operand],
  give(failWith + error),
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
const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 };

const auditArchX86_64 = 0xc000_003e;
const clone = 56;
const clone3 = 435;
const socket = 41;
const socketpair = 53;
const familyUnix = 1;
const familyInet = 2;
// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; time namespaces are out of clone's reach.
const namespaceFlags = 0x7e02_0000;

/** System calls of x86-64 that fail with EPERM. */
const refused = {
  // What the file system looks like.
  mount: 165,
  umount2: 166,
  pivot_root: 155,
  chroot: 161,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
  open_tree_attr: 467,
  name_to_handle_at: 303,
  open_by_handle_at: 304,
  quotactl: 179,
  quotactl_fd: 443,
  fanotify_init: 300,
  // New and other namespaces.
  unshare: 272,
  setns: 308,
  // The machine.
  create_module: 174,
  init_module: 175,
  delete_module: 176,
  finit_module: 313,
  kexec_load: 246,
  kexec_file_load: 320,
  reboot: 169,
  swapon: 167,
  swapoff: 168,
  acct: 163,
  syslog: 103,
  iopl: 172,
  ioperm: 173,
  settimeofday: 164,
  adjtimex: 159,
  clock_settime: 227,
  clock_adjtime: 305,
  sethostname: 170,
  setdomainname: 171,
  vhangup: 153,
  // Kernel interfaces with a history of holes.
  bpf: 321,
  perf_event_open: 298,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  userfaultfd: 323,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  // Memory that outlives its process, or that no limit counts.
  shmget: 29,
  semget: 64,
  msgget: 68,
  mq_open: 240,
  memfd_create: 319,
  memfd_secret: 447,
};
