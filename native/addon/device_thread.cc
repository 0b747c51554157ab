#include "addon/device_thread.h"

#include <pthread.h>

#include "core/cpu.h"

namespace srcode::addon {

DeviceThread& DeviceThread::instance() {
  // Never destroyed: a static destructor would run while the thread may still be inside a kernel.
  static DeviceThread* thread = new DeviceThread();
  return *thread;
}

DeviceThread::DeviceThread() {
  std::thread([this] {
    pthread_setname_np(pthread_self(), "srcode-device");
    set_flush_denormals();
    for (;;) {
      std::function<void()> work;
      {
        std::unique_lock lock(mutex_);
        waiting_.wait(lock, [this] { return !queue_.empty(); });
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }).detach();
}

void DeviceThread::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  waiting_.notify_one();
}

}  // namespace srcode::addon
