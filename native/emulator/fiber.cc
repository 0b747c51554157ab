#include <sys/mman.h>

#include "emulator/machine.h"

// Saves the callee-saved registers and the stack pointer, and goes on where `load` left off. 11 ns, against 340 for
// swapcontext, which asks the kernel for the signal mask.
extern "C" void srcode_emulator_switch(void** save, void* load);
asm(R"(.text
.globl srcode_emulator_switch
srcode_emulator_switch:
 pushq %rbp
 pushq %rbx
 pushq %r12
 pushq %r13
 pushq %r14
 pushq %r15
 movq %rsp, (%rdi)
 movq %rsi, %rsp
 popq %r15
 popq %r14
 popq %r13
 popq %r12
 popq %rbx
 popq %rbp
 ret
)");

namespace srcode::emulator {

Fiber* current;

namespace {

constexpr size_t kStack = 1 << 16, kMaxThreads = 1024;
constexpr uint64_t kCanary = 0xfeedfacecafebeef;

void* host_stack_pointer;
std::deque<Fiber*> ready;
char* stacks;
std::vector<char*> free_stacks;
uint64_t random_state;

// The next fiber to run: the one that became ready first, or one drawn by the seed.
Fiber* pick() {
  if (ready.empty()) return nullptr;
  if (options.seed != 0) std::swap(ready.front(), ready[random_below(ready.size())]);
  Fiber* next = ready.front();
  ready.pop_front();
  return next;
}

void entry() {
  block.call->run();
  Fiber* me = current;
  me->state = State::done;
  if (*reinterpret_cast<uint64_t*>(me->stack) != kCanary) fail_launch("a thread overran its stack of 64 KB");
  free_stacks.push_back(me->stack);
  thread_returned();
  wait();
  __builtin_unreachable();
}

// A first frame whose return goes to entry().
void start(Fiber* fiber) {
  fiber->stack = free_stacks.back();
  free_stacks.pop_back();
  *reinterpret_cast<uint64_t*>(fiber->stack) = kCanary;
  auto* top = reinterpret_cast<uint64_t*>(fiber->stack + kStack);
  top[-1] = 0;
  top[-2] = reinterpret_cast<uint64_t>(&entry);
  std::fill(top - 8, top - 2, 0);
  fiber->stack_pointer = top - 8;
}

void switch_from(void** save) {
  Fiber* next = pick();
  if (next != nullptr && next->stack_pointer == nullptr) start(next);
  const bool same = next == current && next != nullptr;
  current = next;
  if (!same) srcode_emulator_switch(save, next != nullptr ? next->stack_pointer : host_stack_pointer);
}

}  // namespace

void make_ready(Fiber* fiber) {
  fiber->state = State::ready;
  ready.push_back(fiber);
}

void run_fibers() {
  free_stacks.clear();
  for (size_t i = kMaxThreads; i-- > 0;) free_stacks.push_back(stacks + i * kStack);
  ready.clear();
  for (Fiber& fiber : block.fibers) make_ready(&fiber);
  switch_from(&host_stack_pointer);
  current = nullptr;
}

void wait() { switch_from(&current->stack_pointer); }

void fail_launch(const std::string& what) {
  const uint3 b = block.index, t = current->index;
  message = what + "; block (" + std::to_string(b.x) + "," + std::to_string(b.y) + "," + std::to_string(b.z) +
            ") thread (" + std::to_string(t.x) + "," + std::to_string(t.y) + "," + std::to_string(t.z) + ")";
  block.failed = true;
  current = nullptr;
  void* dropped;
  srcode_emulator_switch(&dropped, host_stack_pointer);
  __builtin_unreachable();
}

bool on_fiber_stack(const void* p) { return p >= stacks && p < stacks + kStack * kMaxThreads; }

void prepare_stacks() {
  if (stacks != nullptr) return;
  stacks = static_cast<char*>(
      mmap(nullptr, kStack * kMaxThreads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

void seed_random(uint64_t seed) { random_state = seed; }

// SplitMix64.
uint64_t random_below(uint64_t n) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return (z ^ z >> 31) % n;
}

}  // namespace srcode::emulator
