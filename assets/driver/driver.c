// Runs functions of programs that nobody has read, one process for each case, and says what came of it. It judges nothing: what is to be
// expected of a call the judge alone knows, in a process of its own.
//
// The driver never loads a program. It forks the process of a case before it reads the case, so that nothing of it or of other rows is in
// the memory of that process; the calls are handed over one by one. In there the program is loaded under a filter that leaves it hardly a
// system call: it starts no process, signals none but itself, opens nothing, and writes to two pipes. What it says of itself is data.
// The driver itself reads the buffers, in memory that both share, and checks that nothing around them was written; the page right after (or
// right before) a buffer is closed.
#define _GNU_SOURCE
#include "protocol.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHANNEL = 3, ORDERS = 4, REPORTS = 5 };
enum { CPU_SECONDS = 1, WALL_SECONDS = 5, MOST_ERRORS = 4096, MOST_REPORT = 1 << 20 };
static const size_t page = 4096;
static const uintptr_t reserved_at = 0x200000000000;
static const size_t reserved = 24ull << 30, arena_bytes = 64ull << 20, mailbox_bytes = 4ull << 20;

static char *arena;   // shared with the process of a case; the driver's view of it is always writable
static char *mailbox; // shared as well: the call at hand
// What a forked process does not have in its memory: the plan at hand, what was said last, and the call as the driver reads it.
static struct private {
  struct call call;
  char said[MOST_REPORT], plan[64 << 20];
} *own;

// ---- talking to the judge

static void send_all(int fd, const void *at, size_t length) {
  for (const char *p = at; length > 0;) {
    ssize_t n = write(fd, p, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(70);
    p += n;
    length -= n;
  }
}
static void say(uint32_t number) { send_all(CHANNEL, &number, sizeof number); }
static void say_bytes(const void *at, uint32_t length) {
  say(length);
  send_all(CHANNEL, at, length);
}
static _Noreturn void fault(const char *what) {
  send_all(CHANNEL, "fail", 4);
  say_bytes(what, strlen(what));
  _exit(70);
}

static void read_exactly(int fd, void *into, size_t length) {
  for (char *p = into; length > 0;) {
    ssize_t n = read(fd, p, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fault("the plan is cut off");
    p += n;
    length -= n;
  }
}
static uint32_t next_number(void) {
  uint32_t number;
  read_exactly(0, &number, sizeof number);
  return number;
}
static size_t next_bytes(void) {
  size_t length = next_number();
  if (length > sizeof own->plan) fault("the plan is too large");
  read_exactly(0, own->plan, length);
  return length;
}

// ---- calls

struct reader {
  const char *at, *end;
};
static uint32_t number(struct reader *from) {
  uint32_t value = 0;
  if (from->end - from->at < 4) fault("a call is cut off");
  memcpy(&value, from->at, 4);
  from->at += 4;
  return value;
}
static int64_t wide(struct reader *from) {
  uint64_t low = number(from), high = number(from);
  return (int64_t)(low | high << 32);
}
static struct text bytes(struct reader *from) {
  struct text text = {NULL, number(from)};
  if ((size_t)(from->end - from->at) < text.length) fault("a call is cut off");
  text.at = from->at;
  from->at += text.length;
  return text;
}
static uint32_t few(struct reader *from, uint32_t most) {
  uint32_t value = number(from);
  if (value > most) fault("a call has too many parts");
  return value;
}

/** Reads a call, and lays its objects out in the arena from `*cursor` on: each on pages of its own, with one between that stays closed. */
static void decode(struct text text, struct call *call, char **cursor, int lenient) {
  struct reader from = {text.at, text.at + text.length};
  call->objects = few(&from, MOST_OBJECTS);
  for (uint32_t i = 0; i < call->objects; i++) {
    struct object *o = &call->object[i];
    o->kind = number(&from);
    o->told = !(o->kind & UNTOLD);
    o->kind &= ~(uint32_t)UNTOLD;
    o->size = number(&from);
    o->fill = number(&from);
    o->begins = bytes(&from);
    o->repeated = number(&from);
    o->address = o->pages = NULL;
    o->page_bytes = 0;
    if (o->begins.length > o->size || o->repeated > o->size) fault("an object begins with more than it holds");
    if (o->begins.length == 0) o->repeated = 0;
    if (o->kind == ON_HEAP) continue;
    size_t slack = lenient ? 512 : 0;
    o->page_bytes = (o->size + slack + page - 1) / page * page;
    if (o->page_bytes == 0) o->page_bytes = page;
    o->pages = *cursor + page;
    *cursor = o->pages + o->page_bytes;
    if (*cursor + page > arena + arena_bytes) fault("the objects of a case are too large");
    o->address = lenient ? o->pages + 256 : o->kind == AT_END ? o->pages + o->page_bytes - o->size : o->pages;
  }
  call->links = few(&from, call->objects > 0 ? MOST_OBJECTS : 0);
  for (uint32_t i = 0; i < call->links; i++) {
    call->link[i].object = few(&from, call->objects - 1);
    call->link[i].offset = number(&from);
    call->link[i].target = few(&from, call->objects - 1);
  }
  call->arguments = few(&from, MOST_ARGUMENTS);
  for (uint32_t i = 0; i < call->arguments; i++) {
    call->argument[i].kind = number(&from);
    call->argument[i].value = wide(&from);
  }
  call->fail_from = number(&from);
  call->files = few(&from, MOST_FILES);
  for (uint32_t i = 0; i < call->files; i++) {
    call->file[i].name = bytes(&from);
    call->file[i].content = bytes(&from);
  }
  call->watches = few(&from, call->objects > 0 ? MOST_WATCHES : 0);
  for (uint32_t i = 0; i < call->watches; i++) {
    call->watch[i].object = few(&from, call->objects - 1);
    call->watch[i].offset = number(&from);
    call->watch[i].most = number(&from);
  }
}

enum { CANARY = 0xa7 };
static int intact(const struct object *o) {
  for (const char *p = o->pages; p < o->address; p++)
    if ((unsigned char)*p != CANARY) return 0;
  for (const char *p = o->address + o->size; p < o->pages + o->page_bytes; p++)
    if ((unsigned char)*p != CANARY) return 0;
  return 1;
}

// ---- the process of a case

// Offsets into struct seccomp_data.
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define GIVE(verdict) BPF_STMT(BPF_RET | BPF_K, verdict)
#define ALLOWED GIVE(SECCOMP_RET_ALLOW)
#define REFUSED GIVE(SECCOMP_RET_ERRNO | EPERM)
// Allows a call whatever it is given.
#define PERMIT(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), ALLOWED
// Allows a call whose argument n is the value.
#define PERMIT_IF(call, n, value)                                                                                                    \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 5), ARGUMENT(n), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1), ALLOWED,      \
    REFUSED, REFUSED
// Allows a call whose argument n has none of these bits.
#define PERMIT_WITHOUT(call, n, bits)                                                                                                \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 5), ARGUMENT(n), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0), ALLOWED,      \
    REFUSED, REFUSED
#define WHERE                                                                                                                        \
  LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), GIVE(SECCOMP_RET_KILL_PROCESS), LOAD(nr)

// What memory, endings and the two pipes need. What a process may signal is itself.
#define COMMON(self)                                                                                                                 \
  PERMIT(exit_group), PERMIT(exit), PERMIT(brk), PERMIT(munmap), PERMIT(mremap), PERMIT(madvise), PERMIT(futex),                      \
    PERMIT(rt_sigprocmask), PERMIT(rt_sigaction), PERMIT(rt_sigreturn), PERMIT(sigaltstack), PERMIT(getpid), PERMIT(gettid),           \
    PERMIT(clock_gettime), PERMIT(sched_yield), PERMIT(fstat), PERMIT(newfstatat), PERMIT_IF(tgkill, 0, self),                         \
    PERMIT_IF(process_vm_readv, 0, self), PERMIT_IF(read, 0, ORDERS)

static void filter(struct sock_filter *program, size_t length) {
  struct sock_fprog code = {(unsigned short)(length / sizeof *program), program};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &code)) {
    dprintf(2, "driver: no filter of system calls: %s\n", strerror(errno));
    _exit(73);
  }
}

static void filter_loading(uint32_t self) {
  struct sock_filter program[] = {
    WHERE,
    PERMIT(write),
    PERMIT(read),
    PERMIT(pread64),
    PERMIT(close),
    PERMIT(lseek),
    PERMIT(mmap),
    PERMIT(mprotect),
    PERMIT(prctl),
    PERMIT(readlink),
    PERMIT_WITHOUT(openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
    COMMON(self),
    REFUSED,
  };
  filter(program, sizeof program);
}
static void filter_running(uint32_t self) {
  struct sock_filter program[] = {
    WHERE,
    // Two descriptors can be written to, nothing can be made executable, and no file mapped.
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 5),
    ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REPORTS, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
    ALLOWED,
    REFUSED,
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6),
    ARGUMENT(2),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 3, 0),
    ARGUMENT(3),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 1),
    ALLOWED,
    REFUSED,
    PERMIT_WITHOUT(mprotect, 2, PROT_EXEC),
    COMMON(self),
    REFUSED,
  };
  filter(program, sizeof program);
}

static void limit(int resource, rlim_t value, rlim_t hard) {
  struct rlimit limits = {value, hard};
  setrlimit(resource, &limits);
}

typedef long (*function)(long, long, long, long, long, long, long, long, long, long, long, long, long, long, long, long);

// The same bytes lie below every call.
static __attribute__((noinline)) void scribble(void) {
  char stack[65536];
  memset(stack, 0xa5, sizeof stack);
  __asm__ volatile("" : : "r"(stack) : "memory");
}

static void build(struct call *call) {
  for (uint32_t i = 0; i < call->objects; i++) {
    struct object *o = &call->object[i];
    if (o->kind == ON_HEAP) o->address = world_give(o->size);
    else {
      mprotect(o->pages, o->page_bytes, PROT_READ | PROT_WRITE);
      memset(o->pages, world_lenient ? 0 : CANARY, o->page_bytes);
    }
    memset(o->address, (int)o->fill, o->size);
    memcpy(o->address, o->begins.at, o->begins.length);
    for (size_t done = o->begins.length; done < o->repeated;) {
      size_t more = done < o->repeated - done ? done : o->repeated - done;
      memcpy(o->address + done, o->address, more);
      done += more;
    }
    if (o->pages && !world_lenient) world_fence(o, 1);
  }
  for (uint32_t i = 0; i < call->links; i++) {
    struct object *from = &call->object[call->link[i].object], *to = &call->object[call->link[i].target];
    memcpy(from->address + call->link[i].offset, &to->address, sizeof to->address);
  }
}

/** A stream of these bytes; of none, one that is read to its end. */
static FILE *stream_of(char *at, size_t length) {
  static char blank = ' ';
  FILE *f = fmemopen(length > 0 ? at : &blank, length > 0 ? length : 1, "r");
  if (f && length == 0) fgetc(f);
  return f;
}

static int64_t perform(function run, struct call *call) {
  long a[MOST_ARGUMENTS] = {0};
  for (uint32_t i = 0; i < call->arguments; i++) {
    a[i] = call->argument[i].value;
    if (call->argument[i].kind == NUMBER) continue;
    struct object *o = &call->object[a[i]];
    a[i] = (long)o->address;
    if (call->argument[i].kind == STREAM) a[i] = (long)stream_of(o->address, o->size);
  }
  scribble();
  int result = (int)run(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]);
  return result;
}

static _Noreturn void live(const char *library, int lenient) {
  uint32_t self = (uint32_t)getpid();
  // The calls that are to come are not here; those that were, the process has had.
  mprotect(arena, arena_bytes, PROT_NONE);
  limit(RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1);
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_NOFILE, 64, 64);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) _exit(73);
  static struct call call;
  static char said[MOST_REPORT];
  filter_loading(self);
  struct link_map *map = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!map) {
    dprintf(2, "%s\n", dlerror());
    _exit(71);
  }
  function run = *(function *)(map->l_addr + ((ElfW(Ehdr) *)map->l_addr)->e_entry);
  filter_running(self);
  char *cursor = arena;
  char order = 0;
  for (uint32_t number = 0; read(ORDERS, &order, 1) == 1; number++) {
    struct report report = {said, 4, sizeof said};
    if (order == 'c') {
      uint32_t length;
      memcpy(&length, mailbox, sizeof length);
      decode((struct text){mailbox + sizeof length, length}, &call, &cursor, lenient);
      world_begin(&call, number, lenient);
      build(&call);
      int64_t result = perform(run, &call);
      world_report(&call, result, &report);
      for (uint32_t i = 0; i < call.objects; i++) {
        if (!call.object[i].pages) continue;
        world_fence(&call.object[i], 0);
        mprotect(call.object[i].pages, call.object[i].page_bytes, PROT_NONE);
      }
    } else {
      world_leftovers(&report);
    }
    uint32_t length = (uint32_t)(report.length - 4);
    memcpy(said, &length, 4);
    for (size_t done = 0; done < report.length;) {
      ssize_t n = write(REPORTS, said + done, report.length - done);
      if (n <= 0) _exit(74);
      done += (size_t)n;
    }
  }
  _exit(0);
}

// ---- the driver's side of a case

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct process {
  pid_t pid;
  int orders, reports, errors;
  char error[MOST_ERRORS];
  size_t error_length;
};

static void drain_errors(struct process *p) {
  char rest[4096];
  for (;;) {
    size_t room = sizeof p->error - p->error_length;
    ssize_t n = read(p->errors, room > 0 ? p->error + p->error_length : rest, room > 0 ? room : sizeof rest);
    if (n <= 0) return;
    if (room > 0) p->error_length += (size_t)n;
  }
}

static int sleeps(pid_t pid) {
  char path[64], stat[512] = {0};
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, stat, sizeof stat - 1);
  close(fd);
  char *state = n > 0 ? strrchr(stat, ')') : NULL;
  return state && (state[2] == 'S' || state[2] == 'T' || state[2] == 't');
}

/** Waits for `length` bytes of reports. 1: they are there; 0: the process ended, or closed the pipe; -1: it waits for something. */
static int receive(struct process *p, char *into, size_t length) {
  double end = now() + WALL_SECONDS;
  for (size_t have = 0; have < length;) {
    struct pollfd wait[] = {{p->reports, POLLIN, 0}, {p->errors, POLLIN, 0}};
    double left = end - now();
    if (left <= 0) {
      // On a busy machine it may still be at it: its CPU time alone ends it.
      if (sleeps(p->pid)) return -1;
      end += left = 1;
    }
    poll(wait, 2, (int)(left * 1000) + 1);
    if (wait[1].revents) drain_errors(p);
    if (wait[0].revents) {
      ssize_t n = read(p->reports, into + have, length - have);
      if (n == 0) return 0;
      if (n < 0 && errno != EAGAIN && errno != EINTR) return 0;
      if (n > 0) have += (size_t)n;
    }
  }
  return 1;
}

static void closed_pipe(int pair[2], int size) {
  if (pipe2(pair, O_CLOEXEC)) fault("no pipes");
  if (size > 0) fcntl(pair[1], F_SETPIPE_SZ, size);
}

static struct process begin(const char *library, int lenient) {
  struct process p = {0};
  int orders[2], reports[2], errors[2];
  closed_pipe(orders, 0);
  closed_pipe(reports, 0);
  closed_pipe(errors, 0);
  p.pid = fork();
  if (p.pid < 0) fault("cannot fork");
  if (p.pid == 0) {
    // Away from the numbers that they are to get.
    int from[] = {fcntl(orders[0], F_DUPFD, 100), fcntl(reports[1], F_DUPFD, 100), fcntl(errors[1], F_DUPFD, 100)};
    if (dup2(from[2], 2) < 0 || dup2(from[0], ORDERS) < 0 || dup2(from[1], REPORTS) < 0) _exit(73);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    close(CHANNEL);
    for (int fd = REPORTS + 1; fd < 256; fd++) close(fd);
    live(library, lenient);
  }
  close(orders[0]);
  close(reports[1]);
  close(errors[1]);
  p.orders = orders[1];
  p.reports = reports[0];
  p.errors = errors[0];
  fcntl(p.reports, F_SETFL, O_NONBLOCK);
  fcntl(p.errors, F_SETFL, O_NONBLOCK);
  return p;
}

/** What one order brings: the length of what the process says, which is in `into`; or NONE. */
static uint32_t ask(struct process *p, char order, char *into, int *waited) {
  uint32_t length = 0;
  // A process that is gone breaks the pipe, which its report shows.
  if (write(p->orders, &order, 1) != 1) return NONE;
  int came = receive(p, (char *)&length, sizeof length);
  if (came == 1 && length > MOST_REPORT) came = 0;
  if (came == 1) came = receive(p, into, length);
  if (came < 0) *waited = 1;
  return came == 1 ? length : NONE;
}

/** Empties memory that the process of a case had as well, wherever it may have written: the next one finds nothing there. */
static void forget(char *at, size_t length, size_t used) {
  if (madvise(at, length, MADV_REMOVE)) memset(at, 0, used);
}

/** Runs a case and tells the judge. Says whether the row goes on. */
static int run_case(uint32_t row, uint32_t number, const char *library) {
  struct call *call = &own->call;
  char *said = own->said;
  uint32_t flags = next_number(), calls = next_number();
  int lenient = (flags & LENIENT) != 0, waited = 0;
  char *cursor = arena;
  struct process p = begin(library, lenient);
  send_all(CHANNEL, "case", 4);
  say(row);
  say(number);
  uint32_t answered = 0;
  int alive = 1;
  for (uint32_t i = 0; i < calls; i++) {
    uint32_t length = (uint32_t)next_bytes();
    if (!alive) continue;
    if (length + 4 > mailbox_bytes) fault("a call is too large");
    memcpy(mailbox, &length, 4);
    memcpy(mailbox + 4, own->plan, length);
    uint32_t told = ask(&p, 'c', said, &waited);
    memset(mailbox, 0, length + 4);
    if (told == NONE) {
      alive = 0;
      continue;
    }
    decode((struct text){own->plan, length}, call, &cursor, lenient);
    answered++;
    say(1);
    say_bytes(said, told);
    int whole = 1;
    uint32_t shared = 0;
    for (uint32_t o = 0; o < call->objects; o++) {
      if (!call->object[o].pages) continue;
      shared += call->object[o].told != 0;
      if (!lenient && !intact(&call->object[o])) whole = 0;
    }
    say((uint32_t)whole);
    say(shared);
    for (uint32_t o = 0; o < call->objects; o++)
      if (call->object[o].pages && call->object[o].told) say_bytes(call->object[o].address, call->object[o].size);
  }
  say(0);
  uint32_t left = alive ? ask(&p, 'e', said, &waited) : NONE;
  if (left == NONE) alive = 0;
  close(p.orders);
  int status = 0;
  // One that has said all that it had to say, or waits for what does not come.
  if (alive || waited) kill(p.pid, SIGKILL);
  // One that closed its pipe may go on for as long as its CPU time lasts, and one that sleeps without end is ended.
  for (double end = now() + WALL_SECONDS;;) {
    pid_t done = waitpid(p.pid, &status, alive || waited ? 0 : WNOHANG);
    if (done == p.pid) break;
    if (done < 0) fault("lost a process");
    struct pollfd wait = {p.errors, POLLIN, 0};
    poll(&wait, 1, 20);
    drain_errors(&p);
    if (now() > end && sleeps(p.pid)) {
      waited = 1;
      kill(p.pid, SIGKILL);
    }
  }
  drain_errors(&p);
  close(p.reports);
  close(p.errors);
  forget(arena, arena_bytes, (size_t)(cursor - arena));
  forget(mailbox, mailbox_bytes, 0);
  uint32_t end = DIED;
  if (alive) end = ENDED;
  else if (waited) end = WAITED;
  else if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)) end = RAN_OUT;
  else if (answered == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 71) end = UNLOADABLE;
  say(end);
  say((uint32_t)status);
  say_bytes(p.error, (uint32_t)p.error_length);
  say_bytes(said, left == NONE ? 0 : left);
  return end == ENDED || end == DIED;
}

static void skip_case(void) {
  next_number();
  for (uint32_t calls = next_number(); calls > 0; calls--) next_bytes();
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_DUMPABLE, 0);
  const int closed = PROT_NONE, open_to = PROT_READ | PROT_WRITE;
  char *place = mmap((void *)reserved_at, reserved, closed, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) fault("no room for the arena");
  arena = mmap(place + reserved / 2, arena_bytes, open_to, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  mailbox = mmap(NULL, mailbox_bytes, open_to, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  own = mmap(NULL, sizeof *own, open_to, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (arena == MAP_FAILED || mailbox == MAP_FAILED || own == MAP_FAILED) fault("no memory");
  if (madvise(own, sizeof *own, MADV_DONTFORK)) fault("cannot keep the plan to itself");
  const char *scratch = getenv("TMPDIR");
  static char library[4096];
  snprintf(library, sizeof library, "%s/row.so", scratch ? scratch : "/tmp");
  for (uint32_t rows = next_number(); rows > 0; rows--) {
    uint32_t row = next_number();
    size_t length = next_bytes();
    unlink(library);
    int fd = open(library, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500);
    if (fd < 0) fault("cannot write a program down");
    send_all(fd, own->plan, length);
    close(fd);
    uint32_t cases = next_number();
    int goes_on = 1;
    for (uint32_t i = 0; i < cases; i++) {
      if (goes_on) goes_on = run_case(row, i, library);
      else skip_case();
    }
  }
  unlink(library);
  send_all(CHANNEL, "done", 4);
  return 0;
}
