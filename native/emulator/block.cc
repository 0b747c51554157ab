#include "emulator/machine.h"

namespace srcode::emulator {

Options options;
Block block;
std::string message;

namespace {

unsigned arrived;  // threads that wait at the barrier
Site barrier;
uint64_t launches;

void release_barrier() {
  arrived = 0;
  barrier_passed();
  for (Fiber& fiber : block.fibers)
    if (fiber.state == State::at_barrier) make_ready(&fiber);
}

std::string deadlock() {
  std::map<std::string, std::vector<unsigned>> waiting;
  for (const Fiber& f : block.fibers) {
    char lanes[32];
    snprintf(lanes, sizeof lanes, " for lanes %08x", f.mask);
    if (f.state == State::at_barrier) waiting["__syncthreads at " + text(f.site)].push_back(f.id);
    if (f.state == State::at_warp_operation) waiting["warp operation at " + text(f.site) + lanes].push_back(f.id);
  }
  std::string out = "deadlock: ";
  for (const auto& [where, ids] : waiting)
    out += std::to_string(ids.size()) + " threads (" + std::to_string(ids.front()) + ".." + std::to_string(ids.back()) +
           ") wait in " + where + "; ";
  return out + std::to_string(block.fibers.size() - block.live) + " have returned";
}

void run_block() {
  const auto threads = static_cast<unsigned>(block.fibers.size());
  begin_block_epoch(threads);
  reset_warps();
  arrived = 0;
  block.live = threads;
  block.failed = false;
  for (unsigned i = 0; i < threads; ++i) {
    block.fibers[i] = {};
    block.fibers[i].id = i;
    block.fibers[i].index = {i % block.size.x, i / block.size.x % block.size.y, i / block.size.x / block.size.y};
  }
  run_fibers();
  if (!block.failed && block.live > 0) {
    block.failed = true;
    message = deadlock() + "; block (" + std::to_string(block.index.x) + "," + std::to_string(block.index.y) + "," +
              std::to_string(block.index.z) + ")";
  }
}

}  // namespace

const std::string& failure() { return message; }
uint3 thread_index() { return current->index; }
uint3 block_index() { return block.index; }
uint3 block_size() { return {block.size.x, block.size.y, block.size.z}; }
uint3 grid_size() { return {block.grid.x, block.grid.y, block.grid.z}; }

void sync_threads(Site site) {
  if (arrived == 0)
    barrier = site;
  else if (barrier.line != site.line || std::strcmp(barrier.file, site.file) != 0)
    fail_launch("threads of one block meet at two barriers, " + text(barrier) + " and " + text(site));
  current->state = State::at_barrier;
  current->site = site;
  if (++arrived == block.live) release_barrier();
  wait();
}

// A thread that has returned is not waited for.
void thread_returned() {
  if (--block.live > 0 && arrived == block.live) release_barrier();
}

cudaError_t run_launch(const void* kernel, dim3 grid, dim3 size, Call* call) {
  prepare_stacks();
  prepare_memory();
  block.grid = grid;
  block.size = size;
  block.call = call;
  block.fibers.resize(size_t{size.x} * size.y * size.z);
  seed_random(options.seed * 0x9e3779b97f4a7c15 + ++launches);
  begin_launch_epoch();
  // Blocks in order, or from a drawn one up or down.
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  const uint64_t first = options.seed != 0 ? random_below(blocks) : 0;
  const uint64_t step = options.seed != 0 && blocks > 1 && random_below(2) == 1 ? blocks - 1 : 1;
  for (uint64_t i = 0, at = first; i < blocks; ++i, at = (at + step) % blocks) {
    block.index = {unsigned(at % grid.x), unsigned(at / grid.x % grid.y), unsigned(at / grid.x / grid.y)};
    run_block();
    if (!block.failed) continue;
    message += "; kernel " + function_of(kernel);
    return cudaErrorLaunchFailure;
  }
  return cudaSuccess;
}

}  // namespace srcode::emulator
