// Gate: where threads of a test wait until the test lets them go on.

#ifndef EBCACHE_TESTS_SUPPORT_GATE_H_
#define EBCACHE_TESTS_SUPPORT_GATE_H_

#include <condition_variable>
#include <mutex>

namespace ebcache {

// Thread safety: everything may be called from any thread.
class Gate {
 public:
  // Waits until the gate is open.
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  // Waits until a thread has come to the gate.
  void AwaitArrival() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ > 0; });
  }
  // For good.
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;    // guarded by mutex_
  bool open_ = false;  // guarded by mutex_
};

}  // namespace ebcache

#endif  // EBCACHE_TESTS_SUPPORT_GATE_H_
