// RingPool: io_uring instances for the reads of one file, one for each batch that is under way.
//
// A ring belongs to one thread for the length of a batch and goes back to the pool after it, so
// there are as many as there were threads reading at once.
//
// Forks: what the kernel shares of a ring, two processes must not both use. A child of a fork
// leaves its parent's rings alone, and makes its own as it reads.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_DEVICE_RING_POOL_H_
#define EBCACHE_LIB_DEVICE_RING_POOL_H_

#include <absl/functional/function_ref.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "lib/device/read_runs.h"

namespace ebcache {

class RingPool {
 public:
  // For reads of `fd`, which must stay open.
  RingPool(int fd, uint32_t depth);
  ~RingPool();
  RingPool(const RingPool&) = delete;
  RingPool& operator=(const RingPool&) = delete;

  // Reads the runs from number `first` on with up to `depth` of them under way, and calls
  // done(number, result) for each: the bytes read, or -errno. False, with nothing done, where there
  // is no io_uring to be had.
  bool Read(const ReadRuns& runs, size_t first, absl::FunctionRef<void(size_t, int)> done);

 private:
  class Ring;
  std::unique_ptr<Ring> Take();
  void GiveBack(std::unique_ptr<Ring> ring);

  const int fd_;
  const uint32_t depth_;
  sync::Mutex mutex_;
  std::vector<std::unique_ptr<Ring>> idle_ EBCACHE_GUARDED_BY(mutex_);
  // Set once and for ever when the kernel refuses. Relaxed: a thread that does not see it yet is
  // refused too.
  sync::Atomic<bool> unavailable_{false};
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_RING_POOL_H_
