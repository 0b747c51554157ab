/** What kind of program runs, which says what system calls it may make. */
export type Profile = 'program' | 'compiler' | 'analyser';

/** The numbers of the system calls of x86-64 that a profile may make whatever their arguments are. */
export function allowedCalls(profile: Profile): number[] {
  const names = profile === 'compiler' ? base : [...base, ...(profile === 'program' ? ofPrograms : ofAnalysers)];
  const numbers = names.flatMap((line) => line.split(',').flatMap((call) => call.match(/\d+$/)?.map(Number) ?? []));
  return [...new Set(numbers)];
}

/** The last number that the lists below were chosen from: what came later is unknown here, and says so (ENOSYS). */
export const newestCall: number = 450;

// Left out on purpose, among others: sockets (program, compiler), System V IPC and message queues, key rings, io_uring, bpf, perf events,
// userfaultfd, memfd, all of mounts, namespaces and modules, file handles, splicing, owners, device nodes, and other processes'
// descriptors (pidfd_getfd). Calls that no C library makes are left out without a reason of their own.

/** What every program needs. */
const base = [
  // Files and folders.
  'read 0, write 1, open 2, close 3, stat 4, fstat 5, lstat 6, lseek 8, pread64 17, pwrite64 18, readv 19, writev 20, preadv 295,',
  'pwritev 296, preadv2 327, pwritev2 328, access 21, faccessat 269, faccessat2 439, openat 257, openat2 437, newfstatat 262,',
  'statx 332, creat 85, dup 32, dup2 33, dup3 292, pipe 22, pipe2 293, fcntl 72, flock 73, fsync 74, fdatasync 75, truncate 76,',
  'ftruncate 77, fallocate 285, fadvise64 221, sendfile 40, copy_file_range 326, getdents 78, getdents64 217, getcwd 79, chdir 80,',
  'fchdir 81, rename 82, renameat 264, renameat2 316, mkdir 83, mkdirat 258, rmdir 84, link 86, linkat 265, unlink 87, unlinkat 263,',
  'symlink 88, symlinkat 266, readlink 89, readlinkat 267, chmod 90, fchmod 91, fchmodat 268, umask 95, utime 132, utimes 235,',
  'utimensat 280, futimesat 261, statfs 137, fstatfs 138, getxattr 191, lgetxattr 192, fgetxattr 193, listxattr 194, llistxattr 195,',
  'flistxattr 196, close_range 436,',
  // Waiting for descriptors.
  'poll 7, ppoll 271, select 23, pselect6 270,',
  // Memory.
  'brk 12, mmap 9, munmap 11, mprotect 10, mremap 25, madvise 28, msync 26,',
  // Processes and threads; clone is looked at more closely.
  'fork 57, vfork 58, execve 59, exit 60, exit_group 231, wait4 61, waitid 247, kill 62, tkill 200, tgkill 234, getpid 39,',
  'gettid 186, getppid 110, getpgrp 111, getpgid 121, setpgid 109, getsid 124, setsid 112, set_tid_address 218, set_robust_list 273,',
  'get_robust_list 274, futex 202, rseq 334, arch_prctl 158, prctl 157, personality 135, getrlimit 97, setrlimit 160, prlimit64 302,',
  'getrusage 98, times 100, sched_yield 24, sched_getaffinity 204, sched_getscheduler 145, sched_getparam 143,',
  'sched_get_priority_max 146, sched_get_priority_min 147, sched_rr_get_interval 148, getpriority 140, getcpu 309,',
  'restart_syscall 219,',
  // Signals.
  'rt_sigaction 13, rt_sigprocmask 14, rt_sigreturn 15, rt_sigpending 127, rt_sigtimedwait 128, rt_sigqueueinfo 129,',
  'rt_tgsigqueueinfo 297, rt_sigsuspend 130, sigaltstack 131, pause 34,',
  // Time.
  'nanosleep 35, clock_nanosleep 230, clock_gettime 228, clock_getres 229, gettimeofday 96, time 201, alarm 37, getitimer 36,',
  'setitimer 38, timer_create 222, timer_settime 223, timer_gettime 224, timer_getoverrun 225, timer_delete 226,',
  // Who and where it is. Without capabilities one can become only whom one is, which make does before each command.
  'setuid 105, setgid 106, setreuid 113, setregid 114, setresuid 117, setresgid 119,',
  'getuid 102, geteuid 107, getgid 104, getegid 108, getresuid 118, getresgid 120, getgroups 115, capget 125, uname 63, sysinfo 99,',
  'getrandom 318,',
];

/** Beside these, a driver that puts its children under filters of their own and reads their memory. */
const ofPrograms = ['seccomp 317, process_vm_readv 310, pidfd_open 434, pidfd_send_signal 424,'];

/** Beside these, a runtime with threads and an event loop: the JVM, CPython, Node. */
const ofAnalysers = [
  'epoll_create 213, epoll_create1 291, epoll_ctl 233, epoll_wait 232, epoll_pwait 281, epoll_pwait2 441, eventfd 284, eventfd2 290,',
  'timerfd_create 283, timerfd_settime 286, timerfd_gettime 287, signalfd 282, signalfd4 289, inotify_init1 294,',
  'inotify_add_watch 254, inotify_rm_watch 255, sched_setaffinity 203, sched_setscheduler 144, setpriority 141, membarrier 324,',
  'mincore 27, get_mempolicy 239, pidfd_open 434, pidfd_send_signal 424,',
  // Of local sockets, which alone can be made.
  'connect 42, bind 49, listen 50, accept 43, accept4 288, getsockname 51, getpeername 52, getsockopt 55, setsockopt 54, shutdown 48,',
  'sendto 44, recvfrom 45, sendmsg 46, recvmsg 47,',
];
