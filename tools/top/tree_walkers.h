// Threads that walk all trees of a filesystem, again and again.

#ifndef EBCACHE_TOOLS_TOP_TREE_WALKERS_H_
#define EBCACHE_TOOLS_TOP_TREE_WALKERS_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <thread>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "tools/damage.h"
#include "tools/mutex.h"

namespace ebcache::tools {

// What the walkers have come to, all together.
struct WalkCounts {
  uint64_t blocks = 0;         // visited: each was asked from the cache once
  uint64_t passes = 0;         // finished
  uint64_t lost_blocks = 0;    // damaged, each counted once
  uint64_t unread_blocks = 0;  // for want of a device or of memory; each counted once
  double seconds = 0;          // from Start to now, or to the end of the last walk
};

// Each thread walks every tree in each of its passes; threads begin with different trees.
//
// Thread safety: all methods belong to the thread that made it.
class TreeWalkers {
 public:
  struct Options {
    uint64_t threads = 1;
    uint64_t passes = 1;  // of each thread; 0: until they are stopped
  };

  // Looks for the trees. The filesystem must outlive this.
  TreeWalkers(Filesystem& filesystem, const Options& options);
  // Stops them, and waits until they have ended.
  ~TreeWalkers();
  TreeWalkers(const TreeWalkers&) = delete;
  TreeWalkers& operator=(const TreeWalkers&) = delete;

  // Begins the walks, and the time that counts() tells: nothing is counted that was done outside of
  // it. To be called once. Throws std::system_error when a thread is not to be had.
  void Start();
  // Ends the walks early; returns at once.
  void Stop();
  // Returns when all have ended, or after that time: whether they have.
  bool WaitFor(std::chrono::milliseconds time);

  WalkCounts counts() const;
  // What could not be read, in the order in which it was met.
  LostBlocks lost() const;

 private:
  using Clock = std::chrono::steady_clock;
  class Visitor;
  void Walk(uint64_t first, uint64_t passes);
  void NoteLost(const WalkDamage& damage);

  Filesystem& filesystem_;
  const Options options_;
  std::vector<TreeRoot> roots_;
  // Counters and a request that order nothing: relaxed throughout.
  std::atomic<uint64_t> blocks_ = 0;
  std::atomic<uint64_t> passes_ = 0;
  std::atomic<bool> stop_ = false;

  mutable Mutex mutex_;
  std::condition_variable_any ended_;
  uint64_t running_ ABSL_GUARDED_BY(mutex_);
  Clock::time_point began_ ABSL_GUARDED_BY(mutex_);     // set by Start
  Clock::time_point ended_at_ ABSL_GUARDED_BY(mutex_);  // set by the last walk
  LostBlocks lost_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TOP_TREE_WALKERS_H_
