// S3-FIFO: a small FIFO for newcomers, a main FIFO in which blocks go round as often as they were
// touched, and a FIFO of ghosts.

#include <algorithm>
#include <vector>

#include "bench/eviction/block_lists.h"
#include "bench/eviction/eviction_policy.h"

namespace ebcache::eviction {

namespace {

class S3Fifo : public EvictionPolicy {
 public:
  S3Fifo(uint32_t capacity, uint32_t blocks)
      : capacity_(capacity),
        small_blocks_(std::max(1u, capacity / 10)),
        ghosts_(capacity - small_blocks_),
        lists_(blocks, 3),
        touches_(blocks, 0) {}

  bool Touch(uint32_t block) override {
    const int list = lists_.ListOf(block);
    if (list == kSmall || list == kMain) {
      touches_[block] = static_cast<uint8_t>(std::min(touches_[block] + 1, kMostTouches));
      return true;
    }
    lists_.Remove(block);
    if (lists_.size(kSmall) + lists_.size(kMain) == capacity_) Evict();
    touches_[block] = 0;
    lists_.MoveToNewest(list == kGhost ? kMain : kSmall, block);
    return false;
  }
  void Free(uint32_t block) override { lists_.Remove(block); }

 private:
  enum List { kSmall, kMain, kGhost };
  static constexpr int kMostTouches = 3;
  static constexpr int kTouchesForMain = 2;

  void Evict() {
    while (!EvictFromSmall() && !EvictFromMain()) {
    }
  }
  bool EvictFromSmall() {
    if (lists_.size(kSmall) < small_blocks_ && !lists_.empty(kMain)) return false;
    while (!lists_.empty(kSmall)) {
      const uint32_t block = lists_.Oldest(kSmall);
      if (touches_[block] < kTouchesForMain) {
        lists_.MoveToNewest(kGhost, block);
        if (lists_.size(kGhost) > ghosts_) lists_.Remove(lists_.Oldest(kGhost));
        return true;
      }
      touches_[block] = 0;
      lists_.MoveToNewest(kMain, block);
    }
    return false;
  }
  bool EvictFromMain() {
    while (!lists_.empty(kMain)) {
      const uint32_t block = lists_.Oldest(kMain);
      if (touches_[block] == 0) {
        lists_.Remove(block);
        return true;
      }
      --touches_[block];
      lists_.MoveToNewest(kMain, block);
    }
    return false;
  }

  const uint32_t capacity_;
  const uint32_t small_blocks_;
  const uint32_t ghosts_;
  BlockLists lists_;
  std::vector<uint8_t> touches_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeS3Fifo(uint32_t capacity, uint32_t blocks) {
  return std::make_unique<S3Fifo>(capacity, blocks);
}

}  // namespace ebcache::eviction
