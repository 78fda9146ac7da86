// LIRS: keeps the blocks whose last two touches were closest together, in terms of other blocks
// touched between them.

#include <algorithm>
#include <vector>

#include "bench/eviction/block_lists.h"
#include "bench/eviction/eviction_policy.h"

namespace ebcache::eviction {

namespace {

class Lirs : public EvictionPolicy {
 public:
  Lirs(uint32_t capacity, uint32_t blocks)
      : capacity_(capacity),
        low_target_(capacity - std::max(1u, capacity / 100)),
        recency_(blocks, 1),
        others_(blocks, 2),
        low_(blocks, false) {}

  bool Touch(uint32_t block) override {
    if (low_[block]) {
      recency_.MoveToNewest(0, block);
      Prune();
      return true;
    }
    const bool hit = others_.ListOf(block) == kQueue;
    if (!hit) {
      others_.Remove(block);  // it is no ghost any more
      if (low_count_ + others_.size(kQueue) == capacity_) Evict();
    }
    // In the stack: touched again before the least recent of the low ones was.
    if (recency_.ListOf(block) == 0 || (!hit && low_count_ < low_target_)) {
      others_.Remove(block);
      low_[block] = true;
      ++low_count_;
    } else {
      others_.MoveToNewest(kQueue, block);
    }
    recency_.MoveToNewest(0, block);
    if (low_count_ > low_target_) Demote();
    return hit;
  }

  void Free(uint32_t block) override {
    if (low_[block]) --low_count_;
    low_[block] = false;
    recency_.Remove(block);
    others_.Remove(block);
    Prune();
  }

 private:
  // Of blocks with long reuse distances: the cached ones, and ghosts, which are in the stack.
  enum List { kQueue, kGhost };

  // The stack ends with a low one.
  void Prune() {
    while (!recency_.empty(0) && !low_[recency_.Oldest(0)]) {
      const uint32_t block = recency_.Oldest(0);
      recency_.Remove(block);
      if (others_.ListOf(block) == kGhost) others_.Remove(block);
    }
  }
  void Demote() {
    Prune();
    const uint32_t block = recency_.Oldest(0);
    low_[block] = false;
    --low_count_;
    recency_.Remove(block);
    others_.MoveToNewest(kQueue, block);
    Prune();
  }
  void Evict() {
    if (others_.empty(kQueue)) Demote();
    const uint32_t block = others_.Oldest(kQueue);
    if (recency_.ListOf(block) != 0) {
      others_.Remove(block);
      return;
    }
    others_.MoveToNewest(kGhost, block);
    if (others_.size(kGhost) > 2 * capacity_) {
      const uint32_t oldest = others_.Oldest(kGhost);
      others_.Remove(oldest);
      recency_.Remove(oldest);
    }
  }

  const uint32_t capacity_;
  const uint32_t low_target_;
  BlockLists recency_;  // the stack
  BlockLists others_;
  std::vector<bool> low_;  // cached, and of low reuse distance
  uint32_t low_count_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeLirs(uint32_t capacity, uint32_t blocks) {
  return std::make_unique<Lirs>(capacity, blocks);
}

}  // namespace ebcache::eviction
