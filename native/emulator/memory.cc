#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdio>

#include "emulator/machine.h"

// The device heap: an address range of its own, where memory is filled with 0xff (NaN) and never used again after it is
// freed. In the plain build an allocation ends at a guard page; in the checked build the shadow knows its exact bounds.
namespace srcode::emulator {
namespace {

constexpr size_t kHeap = size_t{1} << 36, kPage = 4096;
char *heap, *heap_top;
std::map<const char*, Region> regions;
Region* last_found;

// A fault in a kernel becomes a failed launch: the handler sends the fiber here, on its own stack.
std::string fault;
void land() { fail_launch(fault); }

void on_fault(int, siginfo_t* info, void* context) {
  const char* p = static_cast<char*>(info->si_addr);
  if (current == nullptr) {  // host code: die as one would without the emulator, but say why
    fprintf(stderr, "emulator: host code touched %p%s\n", static_cast<const void*>(p),
            on_device(p) ? ", which is device memory" : "");
    signal(SIGSEGV, SIG_DFL);
    return;
  }
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  fault = on_device(p) ? "access " + describe(p, 1) : "access to a bad address (or a misaligned vector)";
  fault += " at " + line_of(reinterpret_cast<char*>(registers[REG_RIP]) + 1);
  registers[REG_RSP] = ((registers[REG_RSP] - 256) & ~15LL) - 8;
  registers[REG_RIP] = reinterpret_cast<long long>(&land);
}

}  // namespace

void prepare_memory() {
  if (heap != nullptr) return;
  heap = heap_top =
      static_cast<char*>(mmap(nullptr, kHeap, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  static char alternate[1 << 16];
  stack_t stack{};
  stack.ss_sp = alternate;
  stack.ss_size = sizeof alternate;
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
}

bool on_device(const void* p) { return p >= heap && p < heap + kHeap; }

Region* find_allocation(const void* q) {
  const char* p = static_cast<const char*>(q);
  if (last_found != nullptr && p >= last_found->base && p < last_found->base + last_found->size) return last_found;
  auto it = regions.upper_bound(p);
  return it == regions.begin() ? nullptr : last_found = &std::prev(it)->second;
}

std::string describe(const void* q, size_t bytes) {
  const char* p = static_cast<const char*>(q);
  const Region* region = find_allocation(p);
  if (region == nullptr) return "outside of every allocation";
  if (region->freed) return "in freed memory (an allocation of " + std::to_string(region->size) + " bytes)";
  const auto past = p + bytes - (region->base + region->size);
  return std::to_string(past) + " bytes past the end of an allocation of " + std::to_string(region->size) + " bytes";
}

size_t allocations() {
  size_t count = 0;
  for (const auto& [base, region] : regions) count += !region.freed;
  return count;
}

// Used by stream.cc for cudaMalloc and cudaFree.
void* allocate(size_t bytes) {
  prepare_memory();
  const size_t pages = (bytes + kPage - 1) / kPage * kPage;
  if (pages == 0 || heap_top + pages + kPage > heap + kHeap) return nullptr;
  char* base = heap_top;
  heap_top += pages + kPage;
  mprotect(base, pages, PROT_READ | PROT_WRITE);
  std::memset(base, 0xff, pages);
  char* user = hooks_present ? base : base + pages - (bytes + 15) / 16 * 16;
  regions[user] = {user, bytes, hooks_present ? make_shadow(bytes) : nullptr, false};
  last_found = nullptr;
  return user;
}

bool release(void* p) {
  const auto it = regions.find(static_cast<char*>(p));
  if (it == regions.end() || it->second.freed) return false;
  Region& region = it->second;
  region.freed = true;
  char* base = reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(region.base) & ~(kPage - 1));
  const size_t pages = (static_cast<size_t>(region.base + region.size - base) + kPage - 1) / kPage * kPage;
  madvise(base, pages, MADV_DONTNEED);
  mprotect(base, pages, PROT_NONE);
  free_shadow(region);
  return true;
}

}  // namespace srcode::emulator
