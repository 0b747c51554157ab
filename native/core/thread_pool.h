#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace srcode {

// A borrowed callable: no allocation, valid while the callable lives.
template <class>
class FunctionRef;
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
  FunctionRef(F&& f) noexcept
      : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}
  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

// Worker threads that park between jobs. The caller's thread takes part, so a pool of 1 starts no thread.
// Each worker runs with denormals flushed to zero (set_flush_denormals in cpu.h); the caller sets its own.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;
  // Calls body(task, worker) once for each task in [0, tasks), worker in [0, threads()). Tasks are claimed in any
  // order, so a body writes only what its task owns. Returns when all are done. The first exception is rethrown here.
  // Not reentrant.
  void run(int64_t tasks, FunctionRef<void(int64_t task, int worker)> body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace srcode
