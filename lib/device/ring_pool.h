// RingPool: io_uring instances for the reads and writes of one file, one for each batch that is under way.
//
// A ring belongs to one thread for the length of a batch and goes back to the pool after it, so
// there are as many as there were threads that had batches at once.
//
// Forks: what the kernel shares of a ring, two processes must not both use. A child of a fork
// leaves its parent's rings alone, and makes its own as it needs them.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_DEVICE_RING_POOL_H_
#define EBCACHE_LIB_DEVICE_RING_POOL_H_

#include <absl/functional/function_ref.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "lib/device/transfer_runs.h"

namespace ebcache {

class RingPool {
 public:
  enum class Direction { kRead, kWrite };

  // For reads of `read_fd` and writes of `write_fd`, which must stay open.
  RingPool(int read_fd, int write_fd, uint32_t depth);
  ~RingPool();
  RingPool(const RingPool&) = delete;
  RingPool& operator=(const RingPool&) = delete;

  // Transfers the runs from number `first` on with up to `depth` of them under way, in any order,
  // and calls done(number, result) for each: the bytes moved, or -errno. False, with nothing done,
  // where there is no io_uring to be had.
  bool Transfer(Direction direction, const TransferRuns& runs, size_t first,
                absl::FunctionRef<void(size_t, int)> done);

 private:
  class Ring;
  std::unique_ptr<Ring> Take();
  void GiveBack(std::unique_ptr<Ring> ring);

  const std::array<int, 2> fds_;  // by direction
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
