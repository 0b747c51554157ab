// What driver.c (which starts processes and talks to the judge) and world.c (what a program finds in its process) share.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Numbers are little-endian u32 unless said otherwise; bytes are a length and so many bytes.
//
// The judge's plan, on standard input:
//   rows; a row: number, bytes of a shared object, whose entry point is a pointer to the function, cases; a case: flags, calls; a call: bytes of
//     objects (kind, size, fill, bytes it begins with, and how many bytes they are repeated for), links (object, offset, target object), arguments (kind, i64), fail_from,
//     files (bytes of the name, bytes of the content), watches (object, offset, most bytes)
// The driver's report, on descriptor 3, for each case:
//   'case', row, case, reports; a report: bytes of what the process says of the call, intact, objects (bytes after the call) but those that are untold
//   end, wait status, bytes of standard error
// and last 'done', or 'fail' and bytes that say why.
// What the process says of a call: i64 the result, events (bytes of the name, bytes of the text), bytes that it printed,
//   watches (kind, size, bytes), heap objects (freed), open streams; after the last call: blocks that are left (number of the call).

enum object_kind { AT_END, AT_START, ON_HEAP };
enum { UNTOLD = 0x100 }; // with an object's kind: what it holds after the call is of no interest
enum argument_kind { NUMBER, ADDRESS, STREAM };
enum watch_kind { IS_NULL, IS_BLOCK, IS_FREED, IS_ELSEWHERE, IS_UNREADABLE };
enum end_kind { ENDED, DIED, RAN_OUT, WAITED, UNLOADABLE };
enum { LENIENT = 1 };
enum { MOST_OBJECTS = 32, MOST_ARGUMENTS = 16, MOST_FILES = 8, MOST_WATCHES = 8, NONE = 0xffffffff };

struct text {
  const char *at;
  uint32_t length;
};
struct object {
  uint32_t kind, size, fill;
  int told;
  struct text begins;
  uint32_t repeated;
  char *address, *pages; // in the arena: the object, and the pages that hold it alone
  size_t page_bytes;
};
struct call {
  uint32_t objects, links, arguments, fail_from, files, watches;
  struct object object[MOST_OBJECTS];
  struct { uint32_t object, offset, target; } link[MOST_OBJECTS];
  struct { uint32_t kind; int64_t value; } argument[MOST_ARGUMENTS];
  struct { struct text name, content; } file[MOST_FILES];
  struct { uint32_t object, offset, most; } watch[MOST_WATCHES];
};

// world.c
struct report {
  char *at;
  size_t length, size;
};
void world_begin(const struct call *call, uint32_t number, int lenient);
/** Memory from the heap that is given to the program. */
void *world_give(size_t size);
/** Lets the sanitizer, where there is one, see where an object ends within its pages. */
void world_fence(const struct object *object, int closed);
/** Writes the state after the call to the report. */
void world_report(const struct call *call, int64_t result, struct report *to);
/** Puts down which blocks are left of which call. */
void world_leftovers(struct report *to);
void put(struct report *to, uint32_t number);
void put_bytes(struct report *to, const void *at, size_t length);
extern int world_lenient;
