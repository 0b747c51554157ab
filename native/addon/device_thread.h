#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace srcode::addon {

// The one thread on which models compute, in the order in which work was posted. It is shared by all environments (main
// thread and workers) of the process, so that two models never fight over the cores, and it never ends: it must outlive
// every environment.
class DeviceThread {
 public:
  static DeviceThread& instance();
  void post(std::function<void()> work);

 private:
  DeviceThread();
  std::mutex mutex_;
  std::condition_variable waiting_;
  std::deque<std::function<void()>> queue_;
};

}  // namespace srcode::addon
