#include "core/thread_pool.h"

#include <doctest/doctest.h>
#include <time.h>
#include <xmmintrin.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"

using namespace srcode;

namespace {
double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}
double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

TEST_CASE("thread pool: each task runs once, whatever the numbers of tasks and threads") {
  for (int threads : {1, 2, 3, 16}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (int64_t tasks : {0, 1, 2, 3, 7, 100, 1000}) {
      std::vector<int> runs(tasks);  // plain ints: the sanitizer would see two owners
      std::atomic<bool> worker_in_range = true;
      pool.run(tasks, [&](int64_t task, int worker) {
        runs[task]++;
        if (worker < 0 || worker >= threads) worker_in_range = false;
      });
      CHECK(runs == std::vector<int>(tasks, 1));
      CHECK(worker_in_range);
    }
  }
}

TEST_CASE("thread pool: a worker number is used by one thread at a time, so it may index scratch memory") {
  ThreadPool pool(4);
  std::vector<int64_t> scratch(4);
  for (int round = 0; round < 2000; ++round) pool.run(8, [&](int64_t, int worker) { scratch[worker]++; });
  int64_t sum = 0;
  for (int64_t n : scratch) sum += n;
  CHECK(sum == 16000);
}

TEST_CASE("thread pool: what tasks wrote is visible to the caller, and its writes to the next tasks") {
  ThreadPool pool(3);
  std::vector<int64_t> values(3, 0);
  for (int round = 0; round < 20000; ++round) {
    pool.run(3, [&](int64_t task, int) { values[task] += 1; });
    const int64_t first = values[0];
    values = {values[1], values[2], first};
  }
  CHECK(values == std::vector<int64_t>(3, 20000));
}

TEST_CASE("thread pool: two long tasks run on two threads") {
  ThreadPool pool(2);
  std::atomic<int> arrived = 0;
  std::atomic<bool> met = true;
  pool.run(2, [&](int64_t, int) {
    arrived++;
    for (double end = wall_seconds() + 10; arrived < 2; std::this_thread::yield())
      if (wall_seconds() > end) {
        met = false;
        return;
      }
  });
  CHECK(met);
}

TEST_CASE("thread pool: the first exception reaches the caller and the pool goes on") {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      const auto run = [&] {
        pool.run(64, [&](int64_t task, int) {
          if (task % 8 == 3) throw std::runtime_error("task failed");
        });
      };
      CHECK_THROWS_WITH_AS(run(), "task failed", std::runtime_error);
      std::atomic<int> count = 0;
      pool.run(64, [&](int64_t, int) { count++; });
      CHECK(count == 64);
    }
  }
}

TEST_CASE("thread pool: a run inside a run is refused, not deadlocked") {
  ThreadPool pool(2);
  CHECK_THROWS_AS(pool.run(2, [&](int64_t, int) { pool.run(2, [](int64_t, int) {}); }), Error);
  int done = 0;
  pool.run(1, [&](int64_t, int) { done++; });
  CHECK(done == 1);
}

TEST_CASE("thread pool: workers flush denormals") {
  ThreadPool pool(2);
  std::atomic<unsigned> worker_csr = 0;
  for (double end = wall_seconds() + 10; worker_csr == 0 && wall_seconds() < end;)
    pool.run(64, [&](int64_t, int worker) {
      if (worker == 1) worker_csr = _mm_getcsr();
      std::this_thread::yield();
    });
  CHECK((worker_csr & 0x8040) == 0x8040);
}

TEST_CASE("thread pool: idle workers use no processor time") {
  ThreadPool pool(4);
  pool.run(16, [](int64_t, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(cpu_seconds() - before < 0.02);
}

TEST_CASE("thread pool: bad thread counts are refused") {
  CHECK_THROWS_AS(ThreadPool(0), Error);
  CHECK_THROWS_AS(ThreadPool(-1), Error);
  CHECK_THROWS_AS(ThreadPool(1 << 20), Error);
}

TEST_CASE("thread pool: made and unmade without work") {
  for (int i = 0; i < 200; ++i) ThreadPool pool(1 + i % 4);
}

// Run by hand: srcode_native_tests -tc='*dispatch latency*' --no-skip
TEST_CASE("thread pool: dispatch latency" * doctest::skip()) {
  for (int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    for (int gap_us : {0, 1, 3, 10, 50}) {
      constexpr int rounds = 5000;
      double inside = 0;
      for (int i = 0; i < rounds; ++i) {
        for (double end = wall_seconds() + 1e-6 * gap_us; gap_us && wall_seconds() < end;) {
        }
        const double start = wall_seconds();
        pool.run(threads, [](int64_t, int) {});
        inside += wall_seconds() - start;
      }
      MESSAGE(threads << " threads, " << gap_us << " us between: " << 1e6 * inside / rounds << " us a run");
    }
  }
}
