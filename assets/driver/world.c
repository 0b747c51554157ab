// What a program finds in its process in place of the C library's own: an allocator that can fail and that knows its blocks, formats and
// commands that are noted, a file system of the case's, and the copying functions that no sanitizer looks at, written out so that it does.
// The linker sends a program's references to these (--wrap). In a lenient case, which asks for function alone, blocks have room to spare
// and are never given back, so that careless code still works.
#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

const char *__asan_default_options(void) {
  return "detect_leaks=0:detect_stack_use_after_return=0:max_malloc_fill_size=1048576:malloc_fill_byte=190:"
         "allocator_may_return_null=1:symbolize=0:print_legend=0:quarantine_size_mb=16:handle_abort=0:malloc_context_size=0:"
         "print_module_map=0:dump_instruction_bytes=0:dump_registers=0:print_scariness=0:print_full_thread_history=0";
}

int world_lenient;
static uint32_t call_number, fail_from, allocations;
static const struct call *world;

// ---- blocks

enum { SPARE = 64, MOST_BLOCKS = 1 << 14 };
static const size_t most_memory = 192u << 20;
enum state { LIVE, FREED };
struct block {
  char *at;
  size_t size;
  uint32_t call;
  enum state state;
  int given;
};
static struct block blocks[MOST_BLOCKS];
static uint32_t block_count;
static size_t memory_used;

static struct block *block_of(const void *at) {
  for (uint32_t i = block_count; at && i > 0; i--)
    if (blocks[i - 1].at == at) return &blocks[i - 1];
  return NULL;
}

/** The block that this call was given at the address, whatever came there later. */
static struct block *given_block(const void *at) {
  for (uint32_t i = block_count; i > 0; i--)
    if (blocks[i - 1].at == at && blocks[i - 1].given) return &blocks[i - 1];
  return NULL;
}

/** Drops the blocks that were freed, but those that calls were given. */
static void forget(void) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < block_count; i++)
    if (blocks[i].state == LIVE || blocks[i].given) blocks[kept++] = blocks[i];
  block_count = kept;
}

static struct block *note(void *at, size_t size) {
  if (!at) return NULL;
  // An address that comes again is another block: what is known of the first stays known.
  if (block_count == MOST_BLOCKS) forget();
  // So many at once are a leak, and more would not be seen.
  if (block_count == MOST_BLOCKS) _exit(75);
  blocks[block_count] = (struct block){at, size, call_number, LIVE, 0};
  memory_used += size;
  return &blocks[block_count++];
}

static int refused(size_t size) {
  if (allocations++ >= fail_from || size > most_memory || memory_used + size > most_memory) {
    errno = ENOMEM;
    return 1;
  }
  return 0;
}

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
/** AddressSanitizer gives one byte to who asks for none. */
static void close_empty(char *at) { ASAN_POISON_MEMORY_REGION(at, 1); }
#else
static void close_empty(char *at) { (void)at; }
#endif

static void *allocate(size_t size, int fill) {
  char *at = malloc(world_lenient ? size + SPARE : size);
  if (at) memset(at, fill, world_lenient ? size + SPARE : size);
  if (at && size == 0 && !world_lenient) close_empty(at);
  note(at, size);
  return at;
}

void *world_give(size_t size) {
  char *at = malloc(world_lenient ? size + SPARE : size);
  struct block *block = note(at, size);
  if (block) block->given = 1;
  return at;
}

void *__wrap_malloc(size_t size) { return refused(size) ? NULL : allocate(size, 0xbe); }
void *__wrap_calloc(size_t count, size_t size) {
  size_t whole;
  if (__builtin_mul_overflow(count, size, &whole)) whole = SIZE_MAX;
  return refused(whole) ? NULL : allocate(whole, 0);
}

void __wrap_free(void *at) {
  struct block *block = block_of(at);
  if (block && block->state == LIVE) {
    block->state = FREED;
    // What is not given back is still there.
    if (!world_lenient) memory_used -= block->size;
  }
  // A second free is not this function's to forgive.
  if (!world_lenient) free(at);
}

void *__wrap_realloc(void *old, size_t size) {
  if (refused(size)) return NULL;
  struct block *block = block_of(old);
  if (old && !block) return realloc(old, size);
  size_t kept = block ? block->size : 0;
  char *at = allocate(size, 0xbe);
  if (at && old) memcpy(at, old, kept < size ? kept : size);
  if (at) __wrap_free(old);
  return at;
}
void *__wrap_reallocarray(void *old, size_t count, size_t size) {
  size_t whole;
  if (__builtin_mul_overflow(count, size, &whole)) whole = SIZE_MAX;
  return __wrap_realloc(old, whole);
}

char *__wrap_strndup(const char *s, size_t most) {
  size_t n = 0;
  while (n < most && s[n]) n++;
  if (refused(n + 1)) return NULL;
  char *at = allocate(n + 1, 0);
  for (size_t i = 0; i < n; i++) at[i] = s[i];
  return at;
}
char *__wrap_strdup(const char *s) { return __wrap_strndup(s, SIZE_MAX); }

// ---- events

static char events[1 << 18];
static uint32_t event_count;
static size_t events_length;

/** Whether the same was put down before. */
static int known(const char *name, size_t n, const char *text, size_t m) {
  for (const char *at = events; at < events + events_length;) {
    uint32_t first, second;
    memcpy(&first, at, 4);
    memcpy(&second, at + 4 + first, 4);
    const char *said = at + 8 + first;
    if (first == n && second == m && !memcmp(at + 4, name, n) && !memcmp(said, text, m)) return 1;
    at = said + second;
  }
  return 0;
}

static void put_down(const char *name, const char *text) {
  size_t n = strlen(name), m = strlen(text);
  // Formats may be used again and again: what matters is which.
  if (!strcmp(name, "format") && known(name, n, text, m)) return;
  // A full log would hide later events, so the process ends instead.
  if (events_length + n + m + 8 > sizeof events) _exit(75);
  struct report to = {events, events_length, sizeof events};
  put_bytes(&to, name, n);
  put_bytes(&to, text, m);
  events_length = to.length;
  event_count++;
}

// ---- formats

// A format is noted before it is used: what it does with arguments that are not there may be anything.
#define FORMATTED(call)       \
  put_down("format", format); \
  va_list list;               \
  va_start(list, format);     \
  int result = call;          \
  va_end(list);               \
  return result;
int __wrap_printf(const char *format, ...) { FORMATTED(vfprintf(stdout, format, list)) }
int __wrap_fprintf(FILE *f, const char *format, ...) { FORMATTED(vfprintf(f, format, list)) }
int __wrap_sprintf(char *s, const char *format, ...) { FORMATTED(vsprintf(s, format, list)) }
int __wrap_snprintf(char *s, size_t n, const char *format, ...) { FORMATTED(vsnprintf(s, n, format, list)) }
int __wrap_vprintf(const char *format, va_list list) {
  put_down("format", format);
  return vfprintf(stdout, format, list);
}
int __wrap_vfprintf(FILE *f, const char *format, va_list list) {
  put_down("format", format);
  return vfprintf(f, format, list);
}
int __wrap_vsprintf(char *s, const char *format, va_list list) {
  put_down("format", format);
  return vsprintf(s, format, list);
}
int __wrap_vsnprintf(char *s, size_t n, const char *format, va_list list) {
  put_down("format", format);
  return vsnprintf(s, n, format, list);
}
int __wrap_vasprintf(char **to, const char *format, va_list list) {
  put_down("format", format);
  va_list again;
  va_copy(again, list);
  int length = vsnprintf(NULL, 0, format, list);
  char *at = length < 0 || refused((size_t)length + 1) ? NULL : allocate((size_t)length + 1, 0);
  if (at) vsnprintf(*to = at, (size_t)length + 1, format, again);
  va_end(again);
  return at ? length : -1;
}
int __wrap_asprintf(char **to, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int length = __wrap_vasprintf(to, format, list);
  va_end(list);
  return length;
}

// ---- commands and files

int __wrap_system(const char *line) {
  put_down("system", line ? line : "");
  return 0;
}

enum { MOST_STREAMS = 256 };
static FILE *streams[MOST_STREAMS];
static int32_t open_streams;

static FILE *opened(FILE *f) {
  if (!f) return NULL;
  for (int i = 0; i < MOST_STREAMS; i++)
    if (!streams[i]) {
      streams[i] = f;
      open_streams++;
      return f;
    }
  fclose(f);
  errno = EMFILE;
  return NULL;
}
static FILE *reading(struct text content) {
  static char blank = ' ';
  FILE *f = fmemopen(content.length > 0 ? (void *)content.at : &blank, content.length > 0 ? content.length : 1, "r");
  if (f && content.length == 0) fgetc(f);
  return f;
}

FILE *__wrap_popen(const char *line, const char *mode) {
  (void)mode;
  put_down("popen", line);
  return opened(reading((struct text){"", 0}));
}
FILE *__wrap_fopen(const char *path, const char *mode) {
  put_down("fopen", path);
  size_t length = strlen(path);
  for (uint32_t i = 0; i < world->files; i++)
    if (world->file[i].name.length == length && !memcmp(world->file[i].name.at, path, length) && mode[0] == 'r')
      return opened(reading(world->file[i].content));
  errno = ENOENT;
  return NULL;
}
int __wrap_fclose(FILE *f) {
  for (int i = 0; f && i < MOST_STREAMS; i++)
    if (streams[i] == f) {
      streams[i] = NULL;
      open_streams--;
    }
  return fclose(f);
}
int __wrap_pclose(FILE *f) { return __wrap_fclose(f); }
FILE *__wrap_fmemopen(void *at, size_t size, const char *mode) {
  // What is written to the stream the library copies there unseen: all of the memory has to be there now.
  volatile char *p = at;
  // Memory of its own it never tells of.
  if (!p && refused(size)) return NULL;
  if (!p) memory_used += size;
  for (size_t i = 0; p && !world_lenient && i < size; i++)
    if (mode[0] != 'r' || mode[1] == '+') p[i] = p[i];
    else (void)p[i];
  return opened(fmemopen(at, size, mode));
}
#define NAMED(function)                \
  int __wrap_##function(const char *path) { \
    put_down(#function, path);         \
    return 0;                          \
  }
NAMED(remove)
NAMED(unlink)
int __wrap_rename(const char *from, const char *to) {
  put_down("rename", from);
  put_down("rename", to);
  return 0;
}

/** The path without `.`, `..` and doubled slashes. Every name exists, and none is a link. */
char *__wrap_realpath(const char *path, char *to) {
  static char whole[8192];
  size_t n = 0;
  if (!path || !*path || strlen(path) > 4000) {
    errno = path && *path ? ENAMETOOLONG : path ? ENOENT : EINVAL;
    return NULL;
  }
  if (path[0] != '/') n = (size_t)sprintf(whole, "/here");
  for (const char *at = path; *at;) {
    size_t length = strcspn(at, "/");
    if (length == 2 && at[0] == '.' && at[1] == '.') {
      while (n > 0 && whole[--n] != '/') {
      }
    } else if (length > 0 && !(length == 1 && at[0] == '.')) {
      whole[n++] = '/';
      memcpy(whole + n, at, length);
      n += length;
    }
    at += length + (at[length] == '/');
  }
  if (n == 0) whole[n++] = '/';
  whole[n] = 0;
  if (!to) return __wrap_strdup(whole);
  for (size_t i = 0; i <= n; i++) to[i] = whole[i];
  return to;
}

_Noreturn void __wrap_exit(int status) { _exit(status); }

// ---- reading and copying, in code that the sanitizer sees

char *__wrap_fgets(char *s, int size, FILE *f) {
  if (size <= 0) return NULL;
  int i = 0;
  for (int c; i < size - 1 && (c = fgetc(f)) != EOF;) {
    s[i++] = (char)c;
    if (c == '\n') break;
  }
  if (i == 0 && size > 1) return NULL;
  s[i] = 0;
  return s;
}
size_t __wrap_fread(void *to, size_t size, size_t count, FILE *f) {
  unsigned char *p = to;
  size_t done = 0;
  if (size == 0) return 0;
  for (; done < count; done++)
    for (size_t i = 0; i < size; i++) {
      int c = fgetc(f);
      if (c == EOF) return done;
      *p++ = (unsigned char)c;
    }
  return done;
}
ssize_t __wrap_getdelim(char **line, size_t *size, int end, FILE *f) {
  size_t n = 0;
  for (int c; (c = fgetc(f)) != EOF;) {
    if (!*line || n + 2 > *size) {
      size_t larger = *line && *size >= 60 ? *size * 2 : 120;
      char *at = __wrap_realloc(*line, larger);
      if (!at) return -1;
      *line = at;
      *size = larger;
    }
    (*line)[n++] = (char)c;
    if (c == end) break;
  }
  if (n == 0) return -1;
  (*line)[n] = 0;
  return (ssize_t)n;
}
ssize_t __wrap_getline(char **line, size_t *size, FILE *f) { return __wrap_getdelim(line, size, '\n', f); }

void *__wrap_memccpy(void *to, const void *from, int end, size_t n) {
  char *t = to;
  const char *s = from;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)(t[i] = s[i]) == (unsigned char)end) return t + i + 1;
  return NULL;
}
void *__wrap_mempcpy(void *to, const void *from, size_t n) { return (char *)memcpy(to, from, n) + n; }
void __wrap_bcopy(const void *from, void *to, size_t n) { memmove(to, from, n); }
void __wrap_bzero(void *at, size_t n) { memset(at, 0, n); }
void __wrap_explicit_bzero(void *at, size_t n) { memset(at, 0, n); }
char *__wrap_stpcpy(char *to, const char *from) {
  while ((*to = *from++)) to++;
  return to;
}
char *__wrap_stpncpy(char *to, const char *from, size_t n) {
  size_t i = 0, end;
  for (; i < n && from[i]; i++) to[i] = from[i];
  for (end = i; i < n; i++) to[i] = 0;
  return to + end;
}
// Newer headers send programs here. What reads binary constants as well is nothing that sanitizers know yet.
extern int older_vfscanf(FILE *f, const char *format, va_list list) __asm__("__isoc99_vfscanf");
extern int older_vsscanf(const char *s, const char *format, va_list list) __asm__("__isoc99_vsscanf");
int __wrap___isoc23_fscanf(FILE *f, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int result = older_vfscanf(f, format, list);
  va_end(list);
  return result;
}
int __wrap___isoc23_sscanf(const char *s, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int result = older_vsscanf(s, format, list);
  va_end(list);
  return result;
}

// ---- the sanitizer

#ifdef __SANITIZE_ADDRESS__
void world_fence(const struct object *o, int closed) {
  if (!closed) {
    ASAN_UNPOISON_MEMORY_REGION(o->pages, o->page_bytes);
    return;
  }
  ASAN_POISON_MEMORY_REGION(o->pages, (size_t)(o->address - o->pages));
  ASAN_POISON_MEMORY_REGION(o->address + o->size, (size_t)(o->pages + o->page_bytes - (o->address + o->size)));
}
#else
void world_fence(const struct object *o, int closed) {
  (void)o;
  (void)closed;
}
#endif

// ---- reports

void put(struct report *to, uint32_t number) {
  if (to->length + sizeof number > to->size) _exit(76);
  memcpy(to->at + to->length, &number, sizeof number);
  to->length += sizeof number;
}
void put_bytes(struct report *to, const void *at, size_t length) {
  put(to, (uint32_t)length);
  if (to->length + length > to->size) _exit(76);
  memcpy(to->at + to->length, at, length);
  to->length += length;
}

static char printed[1 << 14];

void world_begin(const struct call *call, uint32_t number, int lenient) {
  world = call;
  world_lenient = lenient;
  call_number = number;
  fail_from = call->fail_from;
  allocations = 0;
  event_count = 0;
  events_length = 0;
  for (int i = 0; i < MOST_STREAMS; i++) streams[i] = NULL;
  open_streams = 0;
  memset(printed, 0, sizeof printed);
  stdout = fmemopen(printed, sizeof printed, "w");
  static char sunk[4096];
  stderr = fmemopen(sunk, sizeof sunk, "w");
}

/** Bytes from any address, up to the first that cannot be read. */
static size_t copied(void *into, const char *from, size_t length) {
  size_t done = 0;
  while (done < length) {
    size_t room = 4096 - ((uintptr_t)(from + done) & 4095), n = length - done < room ? length - done : room;
    struct iovec here = {(char *)into + done, n}, there = {(void *)(from + done), n};
    if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)n) break;
    done += n;
  }
  return done;
}

void world_report(const struct call *call, int64_t result, struct report *to) {
  fflush(stdout);
  put(to, (uint32_t)result);
  put(to, (uint32_t)((uint64_t)result >> 32));
  put(to, event_count);
  if (to->length + events_length > to->size) _exit(76);
  memcpy(to->at + to->length, events, events_length);
  to->length += events_length;
  long length = ftell(stdout);
  put_bytes(to, printed, length > 0 && (size_t)length < sizeof printed ? (size_t)length : strlen(printed));
  // Before what the watches find is handed over.
  int freed[MOST_OBJECTS];
  for (uint32_t i = 0; i < call->objects; i++) {
    struct block *block = call->object[i].kind == ON_HEAP ? given_block(call->object[i].address) : NULL;
    freed[i] = block && block->state == FREED;
  }
  put(to, call->watches);
  for (uint32_t i = 0; i < call->watches; i++) {
    static char text[1 << 17];
    char *at = NULL;
    memcpy(&at, call->object[call->watch[i].object].address + call->watch[i].offset, sizeof at);
    struct block *block = block_of(at);
    uint32_t most = call->watch[i].most < sizeof text ? call->watch[i].most : sizeof text;
    uint32_t kind = !at ? IS_NULL : block ? (block->state == LIVE ? IS_BLOCK : IS_FREED) : IS_ELSEWHERE;
    size_t size = kind == IS_BLOCK ? block->size : 0, room = world_lenient ? size + SPARE : size;
    size_t got = kind == IS_BLOCK ? copied(text, at, room < most ? room : most) : kind == IS_ELSEWHERE ? copied(text, at, most) : 0;
    if (kind == IS_ELSEWHERE && got == 0) kind = IS_UNREADABLE;
    put(to, kind);
    put(to, (uint32_t)(size < NONE ? size : NONE));
    put_bytes(to, text, got);
    // It has been handed over, and is the caller's now.
    if (kind == IS_BLOCK) __wrap_free(at);
  }
  for (uint32_t i = 0; i < call->objects; i++) {
    if (call->object[i].kind != ON_HEAP) continue;
    put(to, (uint32_t)freed[i]);
    struct block *block = given_block(call->object[i].address);
    if (block && block->state == LIVE) __wrap_free(block->at);
  }
  put(to, (uint32_t)open_streams);
  fclose(stdout);
  fclose(stderr);
}

void world_leftovers(struct report *to) {
  uint32_t left = 0;
  for (uint32_t i = 0; i < block_count; i++) left += blocks[i].state == LIVE && !blocks[i].given;
  put(to, left);
  for (uint32_t i = 0; i < block_count; i++)
    if (blocks[i].state == LIVE && !blocks[i].given) put(to, blocks[i].call);
}
