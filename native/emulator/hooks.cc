// What g++ -fsanitize=thread calls before each access. libtsan is not linked: these take its place. This file is never
// built with that flag itself.
#include "emulator/machine.h"

namespace {
void on_access(void* p, size_t bytes, bool write, void* pc) { srcode::emulator::access(p, bytes, write, pc); }
}  // namespace

#define PC __builtin_return_address(0)
#define HOOK(prefix, n)                                                  \
  void __tsan_##prefix##read##n(void* p) { on_access(p, n, false, PC); } \
  void __tsan_##prefix##write##n(void* p) { on_access(p, n, true, PC); }

extern "C" {
void __tsan_init() { srcode::emulator::hooks_present = true; }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* p, size_t n) { on_access(p, n, false, PC); }
void __tsan_write_range(void* p, size_t n) { on_access(p, n, true, PC); }
HOOK(, 1)
HOOK(, 2)
HOOK(, 4)
HOOK(, 8)
HOOK(, 16)
HOOK(unaligned_, 2)
HOOK(unaligned_, 4)
HOOK(unaligned_, 8)
HOOK(unaligned_, 16)
HOOK(volatile_, 1)
HOOK(volatile_, 2)
HOOK(volatile_, 4)
HOOK(volatile_, 8)
HOOK(volatile_, 16)
}
