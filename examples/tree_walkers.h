// Threads that walk all trees of a filesystem, again and again.

#ifndef EBCACHE_EXAMPLES_TREE_WALKERS_H_
#define EBCACHE_EXAMPLES_TREE_WALKERS_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"

namespace ebcache::examples {

// What the walkers have come to, all together.
struct WalkCounts {
  uint64_t blocks = 0;       // visited: each was asked from the cache once
  uint64_t passes = 0;       // finished
  uint64_t lost_blocks = 0;  // that could not be read, each counted once
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

  // Starts them. The filesystem must outlive this.
  TreeWalkers(Filesystem& filesystem, const Options& options);
  // Stops them, and waits until they have ended.
  ~TreeWalkers();
  TreeWalkers(const TreeWalkers&) = delete;
  TreeWalkers& operator=(const TreeWalkers&) = delete;

  // Ends the walks early; returns at once.
  void Stop();
  // Returns when all have ended, or after that time: whether they have.
  bool WaitFor(std::chrono::milliseconds time);

  WalkCounts counts() const;

 private:
  class Visitor;
  void Walk(uint64_t first, uint64_t passes);
  void NoteLost(uint64_t logical);

  Filesystem& filesystem_;
  std::vector<TreeRoot> roots_;
  // Counters and a request that order nothing: relaxed throughout.
  std::atomic<uint64_t> blocks_ = 0;
  std::atomic<uint64_t> passes_ = 0;
  std::atomic<bool> stop_ = false;

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  uint64_t running_;         // guarded by mutex_
  std::set<uint64_t> lost_;  // guarded by mutex_; bounded
  std::vector<std::thread> threads_;
};

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_TREE_WALKERS_H_
