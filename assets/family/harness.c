// The program that tests others. It forks for every case and calls a function of a shared object with arguments made for the spec; the
// family's integers and pointers all travel in 64-bit slots, so that one call fits every signature.
//
// A pass is what the child's harness says after its last assertion, with a token that is drawn for the case: exit, _exit, abort, longjmp,
// closing descriptors and a crash say nothing, and what a program writes on the descriptor without the token spoils the message. While the
// program runs, the token and the number of its descriptor lie in memory that cannot be read. The parent alone holds the channel to the
// judge, and neither its memory nor its descriptors can be opened by the child. Not defended: code that knows this harness and calls into
// it by address, or that disarms the sanitizers in its own process.
//
// Harmless inputs come with 64 bytes of slack behind each buffer when function is tested, and end where they say they do otherwise.
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PARAMETERS = 16 }; // those of four steps, and where a second value goes

int __lsan_do_recoverable_leak_check(void);

const char *__asan_default_options(void) {
  return "detect_leaks=1:leak_check_at_exit=0:detect_stack_use_after_return=0:max_malloc_fill_size=1048576:malloc_fill_byte=190:"
         "allocator_may_return_null=1:symbolize=0:print_legend=0:quarantine_size_mb=16:handle_abort=0";
}

#define DECLARATIONS
#include "tests.h"
#undef DECLARATIONS

static long given[ROLES];
#define V(role) ((type_##role)given[role_##role])
static char *start_pp;

static int variant;      // which of the two harmless inputs
static int exact;        // buffers have no slack
static int failing;      // malloc gives NULL, but to the first few
static int spared;       // so many of them
static const char *taint; // no format may contain it
static const char *misuse;
static int opened, closed;
static char shell_line[256], removed[256], output[4096];
static void *freed[256];
static unsigned frees;
// What the harness made is no leak of the program. Nothing reads it, so that only volatile keeps it.
static void *volatile kept[256];
static unsigned keeps;

static void *keep(void *p) { return kept[keeps++ % 256] = p; }
static size_t with_slack(size_t n) { return exact || n > SIZE_MAX - 64 ? n : n + 64; }
static void *buffer(size_t n) { return keep(calloc(1, with_slack(n))); }
// Behind its string a buffer is full of something else where it ends exactly: an end that a program leaves out must show.
static char *roomy(size_t n, const char *s) {
  char *p = buffer(n);
  if (exact) memset(p, 0x7f, n);
  return strcpy(p, s);
}
static char *text(const char *s) { return roomy(strlen(s) + 1, s); }
static FILE *stream(const char *s) { return keep(fmemopen((void *)s, strlen(s), "r")); }
static int *integers(int n, ...) {
  int *p = buffer(n * sizeof *p);
  va_list list;
  va_start(list, n);
  for (int i = 0; i < n; i++) p[i] = va_arg(list, int);
  va_end(list);
  return p;
}
static struct node *node(int value) {
  struct node *p = buffer(sizeof *p);
  p->value = value;
  return p;
}
static void *pointer(void *to) {
  void **p = buffer(sizeof *p);
  *p = keep(to);
  return p;
}
static int was_freed(void *p) {
  for (unsigned i = 0; i < frees && i < 256; i++)
    if (freed[i] == p) return 1;
  return 0;
}
static int all_zero(const char *p, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (p[i]) return 0;
  return 1;
}
static int printed(const char *s) {
  fflush(stdout);
  size_t n = strlen(s);
  return !strncmp(output, s, n) && (!output[n] || (output[n] == '\n' && !output[n + 1]));
}

int is_plain(const char *s) {
  for (; *s; s++)
    if (!isalnum((unsigned char)*s) && *s != '.') return 0;
  return 1;
}

static int refused(void) { return failing && spared-- <= 0; }
void *__wrap_malloc(size_t n) { return refused() ? NULL : malloc(with_slack(n)); }
void *__wrap_calloc(size_t n, size_t size) {
  if (refused()) return NULL;
  return exact || (size && n > (SIZE_MAX - 64) / size) ? calloc(n, size) : calloc(1, n * size + 64);
}
void *__wrap_realloc(void *p, size_t n) { return refused() ? NULL : realloc(p, with_slack(n)); }
char *__wrap_strdup(const char *s) { return refused() ? NULL : strdup(s); }
char *__wrap_strndup(const char *s, size_t n) { return refused() ? NULL : strndup(s, n); }
void __wrap_free(void *p) {
  if (p) freed[frees++ % 256] = p;
  // A use after free is no matter of function.
  if (exact) free(p);
}

static int tainted(const char *format) {
  if (!taint || !strstr(format, taint)) return 0;
  misuse = "the input is used as a format";
  return 1;
}
#define FORMATTED(call)          \
  if (tainted(format)) return 0; \
  va_list list;                  \
  va_start(list, format);        \
  int result = call;             \
  va_end(list);                  \
  return result;
int __wrap_printf(const char *format, ...) { FORMATTED(vfprintf(stdout, format, list)) }
int __wrap_fprintf(FILE *f, const char *format, ...) { FORMATTED(vfprintf(f, format, list)) }
int __wrap_sprintf(char *s, const char *format, ...) { FORMATTED(vsprintf(s, format, list)) }
int __wrap_snprintf(char *s, size_t n, const char *format, ...) { FORMATTED(vsnprintf(s, n, format, list)) }

int __wrap_system(const char *line) {
  if (strpbrk(line, ";|&")) misuse = "the input is a command of the shell";
  snprintf(shell_line, sizeof shell_line, "%s", line);
  return 0;
}
int __wrap_remove(const char *path) {
  if (strstr(path, "..")) misuse = "the path leaves its folder";
  snprintf(removed, sizeof removed, "%s", path);
  return 0;
}
int __wrap_unlink(const char *path) { return __wrap_remove(path); }
static FILE *ours[64];
FILE *__wrap_fopen(const char *path, const char *mode) {
  const char *content = !strcmp(path, "cfg.ok") ? "Q" : !strcmp(path, "other.ok") ? "Z" : NULL;
  if (!content) return NULL;
  return ours[opened++ % 64] = fmemopen((void *)content, 1, "r");
}
int __wrap_fclose(FILE *f) {
  for (int i = 0; i < 64; i++)
    if (f && ours[i] == f) {
      closed++;
      ours[i] = NULL;
    }
  return fclose(f);
}

#include "tests.h"

struct row {
  int index, attack, parameters, order[MAX_PARAMETERS], steps, step[8];
};
struct message {
  char token[16];
  char text[200];
};
// Alone on its page, which cannot be read while a program runs.
struct secret {
  char token[16];
  int descriptor;
};
static struct secret *secret;
static const size_t page = 4096;

static void scribble(void) {
  volatile char stack[65536];
  for (size_t i = 0; i < sizeof stack; i++) stack[i] = (char)0xa5;
}

static int call(void *function, const struct row *row) {
  long a[MAX_PARAMETERS] = {0};
  for (int i = 0; i < row->parameters; i++) a[i] = given[row->order[i]];
  mprotect(secret, page, PROT_NONE);
  scribble();
  int result = ((int (*)(long, long, long, long, long, long, long, long, long, long, long, long, long, long, long, long))function)(
    a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]);
  mprotect(secret, page, PROT_READ);
  return result;
}

enum kind { FUNCTION, HARMLESS, ATTACK };
struct test {
  enum kind kind;
  int step, attack;
};

// An empty text says that it passed.
static void run(void *function, const struct row *row, struct test test, char *text, size_t size) {
  exact = test.kind != FUNCTION;
  for (variant = 0; variant < (test.kind == ATTACK ? 1 : 2); variant++) {
    output[0] = shell_line[0] = removed[0] = 0;
    stdout = keep(fmemopen(output, sizeof output, "w"));
    frees = 0;
    for (int i = 0; i < row->parameters; i++) prepare(row->order[i]);
    start_pp = given[role_pp] ? *V(pp) : NULL;
    if (test.kind == ATTACK) aim(test.step, test.attack);
    int result = call(function, row);
    failing = 0;
    if (given[role_outs]) keep(*V(outs));
    if (given[role_mem]) keep(*V(mem));
    if (test.kind == FUNCTION) {
      int last = row->step[row->steps - 1], value;
      if (!expects(last, &value) && result != 0) {
        snprintf(text, size, "input %d: returned %d, expected 0", variant + 1, result);
        return;
      }
      for (int i = 0; i < row->steps; i++) {
        int step = row->step[i], got = i == row->steps - 1 ? result : given[role_outp] ? *V(outp) : 0;
        const char *name = step_names[step];
        if (expects(step, &value) && got != value)
          snprintf(text, size, "input %d: %s gave %d, expected %d", variant + 1, name, got, value);
        else if (!done(step))
          snprintf(text, size, "input %d: %s is not done", variant + 1, name);
        if (text[0]) return;
      }
      continue;
    }
    for (int i = 0; i < row->steps; i++)
      if (test.kind == HARMLESS && row->step[i] == step_free && *V(pp)) free(*V(pp));
    if (misuse) snprintf(text, size, "%s", misuse);
    else if (opened > closed) snprintf(text, size, "a stream is left open");
    else if (test.kind == ATTACK && succeeded(test.step, test.attack)) snprintf(text, size, "the string has no end");
    if (text[0]) return;
  }
  if (test.kind == HARMLESS && __lsan_do_recoverable_leak_check()) snprintf(text, size, "LeakSanitizer: memory leak");
}

enum { CHANNEL = 3, CPU_SECONDS = 1, WALL_SECONDS = 5, MEMORY_MIB = 256 };
static int isolated;
static const char *library, *table_name;
static rlim_t address_space;

static void fault(const char *what) {
  dprintf(CHANNEL, "fault\t%s\n", what);
  _exit(70);
}

static void **load(void) {
  void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
  return handle ? dlsym(handle, table_name) : NULL;
}

static void limit(int resource, rlim_t value, rlim_t hard) {
  struct rlimit limits = {value, hard};
  setrlimit(resource, &limits);
}

static _Noreturn void child(void **table, const struct row *row, struct test test, int errors) {
  static struct message message;
  // LeakSanitizer reads its own process, which has to be readable for that.
  prctl(PR_SET_DUMPABLE, 1);
  setpgid(0, 0);
  dup2(errors, 2);
  for (int fd = CHANNEL; fd < 64; fd++) close(fd);
  rlim_t memory = address_space + ((rlim_t)MEMORY_MIB << 20);
  limit(RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1);
  limit(RLIMIT_AS, memory, memory);
  if (!table) {
    mprotect(secret, page, PROT_NONE);
    table = load();
    mprotect(secret, page, PROT_READ);
    if (!table) {
      const char *why = dlerror();
      dprintf(2, "unloadable: %s\n", why ? why : "no table");
      _exit(71);
    }
  }
  run(table[row->index], row, test, message.text, sizeof message.text);
  memcpy(message.token, secret->token, sizeof message.token);
  _exit(write(secret->descriptor, &message, sizeof message) != sizeof message);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

// Reads what is there, up to a limit; what is more is thrown away. 0 at the end of the file.
static int drain(int fd, char *into, size_t *length, size_t size) {
  char rest[4096];
  for (;;) {
    int room = *length < size;
    ssize_t n = room ? read(fd, into + *length, size - *length) : read(fd, rest, sizeof rest);
    if (n <= 0) return n < 0;
    if (room) *length += n;
  }
}

static void copy_line(char *text, size_t size, const char *from) {
  size_t n = strcspn(from, "\n");
  snprintf(text, size, "%.*s", (int)(n < size ? n : size - 1), from);
  for (char *p = text; *p; p++)
    if ((unsigned char)*p < ' ' || (unsigned char)*p > '~') *p = '?';
}

// What a sanitizer said last, without addresses.
static int reported(char *text, size_t size, char *errors) {
  char *at = strstr(errors, "ERROR: AddressSanitizer"), *name = "AddressSanitizer";
  if (at) at += strlen("ERROR: AddressSanitizer");
  else if ((at = strstr(errors, "runtime error: "))) {
    at += strlen("runtime error");
    name = "UndefinedBehaviorSanitizer";
  } else return 0;
  copy_line(text, size, at);
  char *cut = strstr(text, " on ");
  if (!cut) cut = strstr(text, " 0x");
  if (cut) *cut = 0;
  char what[160];
  snprintf(what, sizeof what, "%s", text);
  snprintf(text, size, "%s%s", name, what);
  return 1;
}

static int sleeps(pid_t pid) {
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *stat = fopen(path, "r");
  if (!stat) return 0;
  int read = fscanf(stat, "%*d (%*[^)]) %c", &state);
  fclose(stat);
  return read == 1 && (state == 'S' || state == 'T' || state == 't');
}

enum outcome { PASSED, FAILED, RAN_OUT, UNLOADABLE };

static enum outcome judge(void **table, const struct row *row, struct test test, char *text, size_t size) {
  int verdict[2], errors[2];
  if (pipe2(verdict, O_NONBLOCK) || pipe2(errors, 0)) fault("no pipes");
  fcntl(errors[0], F_SETFL, O_NONBLOCK);
  char token[16];
  unsigned short place;
  if (getrandom(token, sizeof token, 0) != sizeof token || getrandom(&place, sizeof place, 0) != sizeof place) fault("no random bytes");
  memcpy(secret->token, token, sizeof token);
  secret->descriptor = 64 + place % 900;
  pid_t pid = fork();
  if (pid < 0) fault("cannot fork");
  if (pid == 0) {
    if (dup2(verdict[1], secret->descriptor) < 0) _exit(72);
    fcntl(secret->descriptor, F_SETFL, 0);
    child(table, row, test, errors[1]);
  }
  setpgid(pid, pid);
  close(verdict[1]);
  close(errors[1]);
  int handle = syscall(SYS_pidfd_open, pid, 0);
  if (handle < 0) fault("no pidfd");
  char said[sizeof(struct message) + 1], printed[4097];
  size_t said_length = 0, printed_length = 0;
  double end = now() + WALL_SECONDS;
  int late = 0;
  struct pollfd wait[] = {{handle, POLLIN, 0}, {errors[0], POLLIN, 0}, {verdict[0], POLLIN, 0}};
  while (!(wait[0].revents & POLLIN)) {
    double left = end - now();
    if (left <= 0) {
      // On a busy machine a program may still be at it: its CPU time alone ends it.
      if (sleeps(pid)) {
        late = 1;
        break;
      }
      end += left = 1;
    }
    poll(wait, 3, (int)(left * 1000) + 1);
    if (wait[1].revents && !drain(errors[0], printed, &printed_length, sizeof printed - 1)) wait[1].fd = -1;
    if (wait[2].revents && !drain(verdict[0], said, &said_length, sizeof said)) wait[2].fd = -1;
  }
  kill(pid, SIGKILL);
  kill(-pid, SIGKILL);
  if (isolated) kill(-1, SIGKILL);
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) fault("lost a child");
  while (waitpid(-1, NULL, 0) > 0) {
  }
  drain(errors[0], printed, &printed_length, sizeof printed - 1);
  drain(verdict[0], said, &said_length, sizeof said);
  printed[printed_length] = 0;
  close(handle);
  close(errors[0]);
  close(verdict[0]);
  text[0] = 0;
  struct message message;
  memcpy(&message, said, sizeof message);
  if (!late && status == 0 && said_length == sizeof message && !memcmp(message.token, token, sizeof token)) {
    message.text[sizeof message.text - 1] = 0;
    copy_line(text, size, message.text);
    return text[0] ? FAILED : PASSED;
  }
  if (late) {
    snprintf(text, size, "waits for something that does not come");
    return RAN_OUT;
  }
  // Who ignores SIGXCPU meets SIGKILL a second later.
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)) {
    if (WTERMSIG(status) == SIGXCPU) snprintf(text, size, "used up its CPU time of %d s", CPU_SECONDS);
    else snprintf(text, size, "killed by signal %d", SIGKILL);
    return RAN_OUT;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 72) fault("cannot set a child up");
  if (!table && !strncmp(printed, "unloadable: ", 12)) {
    copy_line(text, size, printed + 12);
    return UNLOADABLE;
  }
  if (!reported(text, size, printed)) {
    if (WIFSIGNALED(status)) snprintf(text, size, "killed by signal %d", WTERMSIG(status));
    else snprintf(text, size, "ended with status %d before the function returned", WEXITSTATUS(status));
  }
  return FAILED;
}

static int numbers(char **at, int *into, int most) {
  int n = 0;
  while (n < most) {
    into[n++] = strtol(*at, at, 10);
    if (**at != ',') break;
    ++*at;
  }
  ++*at;
  return n;
}

// Tells the judge; says whether the row goes on.
static int tell(const struct row *row, const char *name, enum outcome outcome, const char *text) {
  static const char *const words[] = {"passed", "failed", "ran out", "unloadable"};
  dprintf(CHANNEL, "%d\t%s\t%s\t%s\n", row->index, name, words[outcome], text);
  return outcome == PASSED || (outcome == FAILED && strcmp(name, "test"));
}

static void judge_row(void **table, const struct row *row) {
  char text[240], name[64];
  dprintf(CHANNEL, "%d\tbegun\t\t\n", row->index);
  struct test test = {FUNCTION, 0, 0};
  enum outcome outcome = judge(table, row, test, text, sizeof text);
  if (!tell(row, "test", outcome, text) || !row->attack) return;
  test.kind = HARMLESS;
  outcome = judge(table, row, test, text, sizeof text);
  if (!tell(row, "harmless input", outcome, text)) return;
  test.kind = ATTACK;
  for (int i = 0; i < row->steps; i++) {
    test.step = row->step[i];
    for (test.attack = 0; test.attack < attacks(test.step); test.attack++) {
      outcome = judge(table, row, test, text, sizeof text);
      snprintf(name, sizeof name, "attack %s[%d]", step_names[test.step], test.attack);
      if (!tell(row, name, outcome, text)) return;
    }
  }
}

// harness LIBRARY TABLE early|late isolated|bare < rows. With late the children load the library, not the parent.
int main(int argc, char **argv) {
  if (argc != 5) return 64;
  library = argv[1];
  table_name = argv[2];
  isolated = !strcmp(argv[4], "isolated");
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  secret = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  FILE *statm = fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (secret == MAP_FAILED || !statm || fscanf(statm, "%lu", &pages) != 1) fault("cannot look at itself");
  fclose(statm);
  address_space = (rlim_t)pages * page;
  static char plan[1 << 20];
  size_t length = 0;
  for (ssize_t n; (n = read(0, plan + length, sizeof plan - 1 - length)) > 0;) length += n;
  int null = open("/dev/null", O_RDWR);
  dup2(null, 0);
  dup2(null, 1);
  void **table = NULL;
  if (!strcmp(argv[3], "early") && !(table = load())) {
    dprintf(CHANNEL, "unloadable\n");
    return 0;
  }
  for (char *at = plan; *at;) {
    struct row row = {0};
    numbers(&at, &row.index, 1);
    numbers(&at, &row.attack, 1);
    row.parameters = numbers(&at, row.order, MAX_PARAMETERS);
    row.steps = numbers(&at, row.step, 8);
    judge_row(table, &row);
  }
  dprintf(CHANNEL, "end\n");
  return 0;
}
