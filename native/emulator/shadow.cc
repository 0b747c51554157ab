#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include "emulator/machine.h"

// For each byte that threads share: who wrote it last and who has read it since, and when. "When" is an epoch, which
// every barrier, block and launch advances, and within an epoch the thread's own clock, which __syncwarp joins with
// those of the other lanes. (Shuffles order no memory.) Two accesses are ordered when they are of one thread, of two
// epochs of one block, of two launches, or by clock within a warp.
namespace srcode::emulator {

struct Shadow {
  uint64_t write, read, other;  // stamps; 0: never
};

bool hooks_present;

namespace {

constexpr int kEpochShift = 30, kThreadShift = 20;
constexpr uint64_t kHostWrite = uint64_t{1} << kEpochShift;

uint64_t epoch = 1, block_first = 1, launch_first = 1;
std::vector<uint32_t> clocks;  // [threads, 32]: what each thread knows of the lanes of its warp
Region statics;                // the program's writable data: __shared__ variables are static

uint32_t* clock_of(const Fiber& fiber) { return clocks.data() + size_t{fiber.id} * 32; }

uint64_t stamp() {
  const uint64_t clock = clock_of(*current)[current->lane()] & 0xfffff;
  return epoch << kEpochShift | uint64_t{current->id} << kThreadShift | clock;
}

unsigned thread_of(uint64_t s) { return s >> kThreadShift & 1023; }

bool ordered(uint64_t s, bool shared) {
  const uint64_t e = s >> kEpochShift;
  const unsigned thread = thread_of(s);
  if (e < epoch) return e >= block_first || e < launch_first || shared;  // blocks of one launch are never ordered
  if (thread == current->id) return true;
  return thread / 32 == current->warp() && clock_of(*current)[thread % 32] >= (s & 0xfffff);
}

[[noreturn]] void race(const char* what, uint64_t other, void* pc, bool shared, size_t byte) {
  const std::string thread = std::to_string(thread_of(other));
  const bool far = (other >> kEpochShift) < block_first;
  fail_launch("race in " + std::string(shared ? "shared" : "global") + " memory at byte " + std::to_string(byte) +
              ": " + what + (far ? " a thread of another block (its thread " + thread + ")" : " thread " + thread) +
              " with no barrier between; now at " + line_of(pc));
}

// The segment of the program that holds the variables of this file holds the kernels' static ones too.
void find_statics() {
  if (statics.base != nullptr) return;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void*) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& header = info->dlpi_phdr[i];
          char* base = reinterpret_cast<char*>(info->dlpi_addr + header.p_vaddr);
          char* own = reinterpret_cast<char*>(&epoch);
          if (header.p_type != PT_LOAD || (header.p_flags & PF_W) == 0 || own < base || own >= base + header.p_memsz)
            continue;
          statics = {base, header.p_memsz, make_shadow(header.p_memsz), false};
          return 1;
        }
        return 0;
      },
      nullptr);
}

void check_write(Shadow& s, uint64_t mine, bool shared, void* pc, size_t byte) {
  if (s.write != 0 && !ordered(s.write, shared)) race("also written by", s.write, pc, shared, byte);
  for (const uint64_t reader : {s.read, s.other})
    if (reader != 0 && !ordered(reader, shared)) race("overwrites what was read by", reader, pc, shared, byte);
  s = {mine, 0, 0};
}

void check_read(Shadow& s, uint64_t mine, bool shared, void* pc, size_t byte) {
  const bool written = shared ? (s.write >> kEpochShift) >= block_first : s.write != 0;
  if (!written)
    fail_launch("read of uninitialised " + std::string(shared ? "shared" : "global") + " memory (byte " +
                std::to_string(byte) + ") at " + line_of(pc));
  if (!ordered(s.write, shared)) race("reads what was written by", s.write, pc, shared, byte);
  // Two readers are kept: one may be forgotten when it is ordered before this one, or is this thread.
  if (s.read == 0 || s.read >> kThreadShift == mine >> kThreadShift || ordered(s.read, shared))
    s.read = mine;
  else
    s.other = mine;
}

}  // namespace

bool checked() { return hooks_present; }

void begin_launch_epoch() { launch_first = ++epoch; }

void begin_block_epoch(unsigned threads) {
  block_first = ++epoch;
  if (!hooks_present) return;
  find_statics();
  clocks.assign(size_t{threads} * 32, 0);
  for (unsigned i = 0; i < threads; ++i) clocks[size_t{i} * 32 + i % 32] = 1;
}

void barrier_passed() { ++epoch; }

void order_lanes(unsigned first, unsigned mask) {
  if (!hooks_present) return;
  uint32_t latest[32] = {};
  for (unsigned lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1) != 0)
      for (int i = 0; i < 32; ++i) latest[i] = std::max(latest[i], clock_of(block.fibers[first + lane])[i]);
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    uint32_t* clock = clock_of(block.fibers[first + lane]);
    std::copy_n(latest, 32, clock);
    ++clock[lane];
  }
}

Shadow* make_shadow(size_t bytes) {
  return static_cast<Shadow*>(mmap(nullptr, bytes * sizeof(Shadow), PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

void free_shadow(Region& region) {
  if (region.shadow != nullptr) munmap(region.shadow, region.size * sizeof(Shadow));
  region.shadow = nullptr;
}

void mark_host_write(void* p, size_t bytes) {
  if (!hooks_present || !on_device(p)) return;
  Region* region = find_allocation(p);
  std::fill_n(region->shadow + (static_cast<char*>(p) - region->base), bytes, Shadow{kHostWrite, 0, 0});
}

void access(const void* q, size_t bytes, bool write, void* pc) {
  if (current == nullptr || on_fiber_stack(q)) return;
  const char* p = static_cast<const char*>(q);
  const char* verb = write ? "write" : "read";
  const auto* call = reinterpret_cast<const char*>(block.call);
  if (p >= call && p < call + block.call->bytes) return;  // the kernel's arguments

  const bool shared = !on_device(p);
  Region* region = shared ? &statics : find_allocation(p);
  const bool inside =
      region != nullptr && !region->freed && p >= region->base && p + bytes <= region->base + region->size;
  if (!inside && !shared)
    fail_launch(std::string(verb) + " of " + std::to_string(bytes) + " bytes " + describe(p, bytes) + " at " +
                line_of(pc));
  if (!inside) {
    Dl_info info;
    if (!write && dladdr(p, &info) != 0) return;  // constants of the program
    fail_launch(std::string("kernel ") + verb + "s host memory at " + line_of(pc));
  }
  if ((bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16) && (reinterpret_cast<uintptr_t>(p) & (bytes - 1)) != 0)
    fail_launch("misaligned access of " + std::to_string(bytes) + " bytes at " + line_of(pc));

  const auto first = static_cast<size_t>(p - region->base);
  const uint64_t mine = stamp();
  for (size_t byte = first; byte < first + bytes; ++byte) {
    if (write)
      check_write(region->shadow[byte], mine, shared, pc, byte);
    else
      check_read(region->shadow[byte], mine, shared, pc, byte);
  }
}

}  // namespace srcode::emulator
