// 2Q: newcomers pass through a FIFO; those that come back soon after they left it enter an LRU.

#include <algorithm>

#include "bench/eviction/block_lists.h"
#include "bench/eviction/eviction_policy.h"

namespace ebcache::eviction {

namespace {

class TwoQueue : public EvictionPolicy {
 public:
  TwoQueue(uint32_t capacity, uint32_t blocks)
      : capacity_(capacity),
        in_blocks_(std::max(1u, capacity / 4)),
        out_blocks_(std::max(1u, capacity / 2)),
        lists_(blocks, 3) {}

  bool Touch(uint32_t block) override {
    const int list = lists_.ListOf(block);
    if (list == kMain) lists_.MoveToNewest(kMain, block);
    if (list == kMain || list == kIn) return true;
    lists_.Remove(block);  // so that it is not the ghost that has to go
    if (lists_.size(kIn) + lists_.size(kMain) == capacity_) Evict();
    lists_.MoveToNewest(list == kOut ? kMain : kIn, block);
    return false;
  }
  void Free(uint32_t block) override { lists_.Remove(block); }

 private:
  enum List { kIn, kMain, kOut };

  void Evict() {
    if (lists_.size(kIn) <= in_blocks_ && !lists_.empty(kMain)) {
      lists_.Remove(lists_.Oldest(kMain));
      return;
    }
    lists_.MoveToNewest(kOut, lists_.Oldest(kIn));
    if (lists_.size(kOut) > out_blocks_) lists_.Remove(lists_.Oldest(kOut));
  }

  const uint32_t capacity_;
  const uint32_t in_blocks_;
  const uint32_t out_blocks_;
  BlockLists lists_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeTwoQueue(uint32_t capacity, uint32_t blocks) {
  return std::make_unique<TwoQueue>(capacity, blocks);
}

}  // namespace ebcache::eviction
