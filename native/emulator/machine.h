#pragma once
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "emulator/cuda.h"
#include "emulator/emulator.h"

// State that the emulator's files share. One launch runs at a time, on the thread that waits for it.
namespace srcode::emulator {

// --- fiber.cc
// ---------------------------------------------------------------------------------------------------------------
enum class State : uint8_t { ready, at_barrier, at_warp_operation, done };

// A CUDA thread.
struct Fiber {
  unsigned id = 0;  // in its block
  uint3 index{};
  State state = State::ready;
  void* stack_pointer = nullptr;  // null: not started
  char* stack = nullptr;
  Site site{};        // where it waits
  unsigned mask = 0;  // of the warp operation it waits in
  void* data = nullptr;

  unsigned lane() const { return id % 32; }
  unsigned warp() const { return id / 32; }
};
extern Fiber* current;  // null: the host runs

void make_ready(Fiber* fiber);
// Runs fibers until all have returned, none is ready, or one fails.
void run_fibers();
// Leaves the current fiber, which must have been put where something will make it ready.
void wait();
bool on_fiber_stack(const void* p);
void prepare_stacks();

// Ends the launch with a message; never returns. Called on a fiber.
[[noreturn]] void fail_launch(const std::string& what);

uint64_t random_below(uint64_t n);
void seed_random(uint64_t seed);

// --- block.cc
// ---------------------------------------------------------------------------------------------------------------
struct Block {
  uint3 index{};
  dim3 grid, size;
  std::vector<Fiber> fibers;
  unsigned live = 0;  // threads that have not returned
  Call* call = nullptr;
  bool failed = false;
};
extern Block block;
extern std::string message;  // of the last failure

cudaError_t run_launch(const void* kernel, dim3 grid, dim3 size, Call* call);
void thread_returned();

// --- warp.cc
// ----------------------------------------------------------------------------------------------------------------
void reset_warps();

// --- memory.cc
// --------------------------------------------------------------------------------------------------------------
struct Shadow;
struct Region {
  char* base;
  size_t size;
  Shadow* shadow;
  bool freed;
};
void prepare_memory();
bool on_device(const void* p);
Region* find_allocation(const void* p);
// "4 bytes past the end of an allocation of 40 bytes", and the like.
std::string describe(const void* p, size_t bytes);

// --- shadow.cc
// --------------------------------------------------------------------------------------------------------------
extern bool hooks_present;
void begin_launch_epoch();
void begin_block_epoch(unsigned threads);
void barrier_passed();
// __syncwarp: what each lane of the mask did before is ordered before what any does after.
void order_lanes(unsigned first, unsigned mask);
Shadow* make_shadow(size_t bytes);
void free_shadow(Region& region);
void mark_host_write(void* p, size_t bytes);
void access(const void* p, size_t bytes, bool write, void* pc);

// --- where.cc
// ---------------------------------------------------------------------------------------------------------------
std::string line_of(const void* pc);
std::string function_of(const void* pc);
std::string text(Site site);

}  // namespace srcode::emulator
