#include "core/thread_pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

#include "core/cpu.h"
#include "core/error.h"

namespace srcode {
namespace {

using Word = std::atomic<uint32_t>;

void futex_wait(Word& word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void futex_wake(Word& word, int count) { syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0); }

// Ticks of the time-stamp counter (2 to 4 a nanosecond): longer than the serial code between two products of a decode
// step, shorter than the two system calls and the wake-up that it saves.
constexpr uint64_t kSpinTicks = 15'000;

// The gate of a job: a bit that lets workers in, a bit that asks the last one out to wake the caller, and how many are
// inside.
constexpr uint32_t kOpen = 1u << 31, kWaiting = 1u << 30, kInside = kWaiting - 1;

}  // namespace

// A job is open from the moment the caller announces it until the caller finds no task left. The caller waits only for
// the workers that came in by then: one that the machine was too busy to schedule holds nobody up, and finds the gate
// closed later. The job's fields are written only while the gate is closed and nobody is inside.
struct ThreadPool::State {
  explicit State(int count) : threads(count), spin_ticks(count <= usable_cpus() ? kSpinTicks : 0) {
    try {
      for (int i = 1; i < count; ++i) workers.emplace_back([this, i] { work(i); });
    } catch (const std::system_error& e) {
      stop();
      fail("ERR_OOM", "cannot start ", count, " threads: ", e.what(), "; ask for fewer");
    }
  }
  ~State() { stop(); }

  void run(int64_t count, FunctionRef<void(int64_t, int)> function) {
    if (gate.load(std::memory_order_relaxed) != 0)
      fail("ERR_INVALID_ARG", "ThreadPool::run was called while another run of the same pool is under way");
    body = &function;
    tasks = count;
    next.store(0, std::memory_order_relaxed);
    gate.store(kOpen, std::memory_order_release);
    announce(static_cast<int>(std::min<int64_t>(count, threads) - 1));
    claim(0);
    close();
    failed.store(false, std::memory_order_relaxed);
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }

 private:
  void announce(int helpers) {
    epoch.fetch_add(1);  // sequentially consistent, as in await_job: either we see it parked or it sees the new epoch
    if (parked.load() > 0) futex_wake(epoch, helpers);
  }

  void await_job(uint32_t seen) {
    if (spin([&] { return epoch.load(std::memory_order_acquire) != seen; })) return;
    parked.fetch_add(1);
    while (epoch.load() == seen) futex_wait(epoch, seen);
    parked.fetch_sub(1);
  }

  void work(int worker) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals belong to the host's threads
    pthread_setname_np(pthread_self(), "srcode-worker");
    set_flush_denormals();
    for (uint32_t seen = 0;;) {
      await_job(seen);
      seen = epoch.load(std::memory_order_acquire);
      if (stopping.load(std::memory_order_relaxed)) return;
      if (!enter()) continue;
      claim(worker);
      if (gate.fetch_sub(1, std::memory_order_acq_rel) == (kWaiting | 1)) futex_wake(gate, 1);
    }
  }

  bool enter() {
    uint32_t now = gate.load(std::memory_order_relaxed);
    while (now & kOpen)
      if (gate.compare_exchange_weak(now, now + 1, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    return false;
  }

  void claim(int worker) {
    try {
      for (int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) (*body)(task, worker);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
      next.store(tasks, std::memory_order_relaxed);  // the rest would be thrown away
    }
  }

  void close() {
    const auto empty = [&] { return (gate.load(std::memory_order_acquire) & kInside) == 0; };
    gate.fetch_and(~kOpen, std::memory_order_acq_rel);
    if (!spin(empty)) {
      gate.fetch_or(kWaiting, std::memory_order_relaxed);
      for (uint32_t now; (now = gate.load(std::memory_order_acquire)) & kInside;) futex_wait(gate, now);
    }
    gate.store(0, std::memory_order_relaxed);
  }

  template <class Condition>
  bool spin(Condition condition) const {
    if (condition()) return true;
    if (spin_ticks == 0) return false;
    for (const uint64_t start = __rdtsc(); __rdtsc() - start < spin_ticks; _mm_pause())
      if (condition()) return true;
    return false;
  }

  void stop() {
    stopping.store(true);
    epoch.fetch_add(1);
    futex_wake(epoch, threads);
    for (std::thread& worker : workers) worker.join();
  }

 public:
  const int threads;

 private:
  const uint64_t spin_ticks;
  FunctionRef<void(int64_t, int)>* body = nullptr;
  int64_t tasks = 0;
  std::exception_ptr error;
  std::atomic<bool> failed = false, stopping = false;
  alignas(64) Word epoch = 0;  // counts announcements; idle workers sleep on it
  Word parked = 0;             // how many do
  alignas(64) Word gate = 0;
  alignas(64) std::atomic<int64_t> next = 0;
  std::vector<std::thread> workers;
};

ThreadPool::ThreadPool(int threads) {
  if (threads < 1 || threads > 4096) fail("ERR_INVALID_ARG", "threads must be between 1 and 4096, received ", threads);
  state_ = std::make_unique<State>(threads);
}
ThreadPool::~ThreadPool() = default;

int ThreadPool::threads() const { return state_->threads; }

void ThreadPool::run(int64_t tasks, FunctionRef<void(int64_t task, int worker)> body) {
  if (tasks > 1 && state_->threads > 1) return state_->run(tasks, body);
  for (int64_t task = 0; task < tasks; ++task) body(task, 0);
}

}  // namespace srcode
