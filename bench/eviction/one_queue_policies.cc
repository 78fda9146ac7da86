// The orders that keep one queue and no ghosts: LRU, CLOCK, SIEVE.

#include <vector>

#include "bench/eviction/block_lists.h"
#include "bench/eviction/eviction_policy.h"

namespace ebcache::eviction {

namespace {

class Lru : public EvictionPolicy {
 public:
  Lru(uint32_t capacity, uint32_t blocks) : capacity_(capacity), lists_(blocks, 1) {}

  bool Touch(uint32_t block) override {
    const bool hit = lists_.ListOf(block) == 0;
    if (!hit && lists_.size(0) == capacity_) lists_.Remove(lists_.Oldest(0));
    lists_.MoveToNewest(0, block);
    return hit;
  }
  void Free(uint32_t block) override { lists_.Remove(block); }

 private:
  const uint32_t capacity_;
  BlockLists lists_;
};

class Clock : public EvictionPolicy {
 public:
  Clock(uint32_t capacity, uint32_t blocks)
      : capacity_(capacity), lists_(blocks, 1), touched_(blocks, false) {}

  bool Touch(uint32_t block) override {
    if (lists_.ListOf(block) == 0) {
      touched_[block] = true;
      return true;
    }
    if (lists_.size(0) == capacity_) {
      while (touched_[lists_.Oldest(0)]) {
        touched_[lists_.Oldest(0)] = false;
        lists_.MoveToNewest(0, lists_.Oldest(0));
      }
      lists_.Remove(lists_.Oldest(0));
    }
    touched_[block] = false;
    lists_.MoveToNewest(0, block);
    return false;
  }
  void Free(uint32_t block) override { lists_.Remove(block); }

 private:
  const uint32_t capacity_;
  BlockLists lists_;
  std::vector<bool> touched_;
};

class Sieve : public EvictionPolicy {
 public:
  Sieve(uint32_t capacity, uint32_t blocks)
      : capacity_(capacity), lists_(blocks, 1), touched_(blocks, false) {}

  bool Touch(uint32_t block) override {
    if (lists_.ListOf(block) == 0) {
      touched_[block] = true;
      return true;
    }
    if (lists_.size(0) == capacity_) {
      if (hand_ == kNowhere) hand_ = lists_.Oldest(0);
      while (touched_[hand_]) {
        touched_[hand_] = false;
        hand_ = lists_.NewerOrOldest(0, hand_);
      }
      Take(hand_);
    }
    touched_[block] = false;
    lists_.MoveToNewest(0, block);
    return false;
  }
  void Free(uint32_t block) override {
    if (lists_.ListOf(block) == 0) Take(block);
  }

 private:
  // The hand goes on from a block that leaves. Beyond the newest it starts anew with the oldest, at
  // the time when it is needed.
  void Take(uint32_t block) {
    if (hand_ == block) {
      hand_ = block == lists_.Newest(0) ? kNowhere : lists_.NewerOrOldest(0, block);
    }
    lists_.Remove(block);
  }

  static constexpr uint32_t kNowhere = ~uint32_t{0};

  const uint32_t capacity_;
  BlockLists lists_;
  std::vector<bool> touched_;
  uint32_t hand_ = kNowhere;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeLru(uint32_t capacity, uint32_t blocks) {
  return std::make_unique<Lru>(capacity, blocks);
}
std::unique_ptr<EvictionPolicy> MakeClock(uint32_t capacity, uint32_t blocks) {
  return std::make_unique<Clock>(capacity, blocks);
}
std::unique_ptr<EvictionPolicy> MakeSieve(uint32_t capacity, uint32_t blocks) {
  return std::make_unique<Sieve>(capacity, blocks);
}

}  // namespace ebcache::eviction
