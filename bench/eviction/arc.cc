// ARC: an LRU of blocks touched once and one of blocks touched again; ghosts of each decide how
// large the other may be.

#include <algorithm>

#include "bench/eviction/block_lists.h"
#include "bench/eviction/eviction_policy.h"

namespace ebcache::eviction {

namespace {

class Arc : public EvictionPolicy {
 public:
  Arc(uint32_t capacity, uint32_t blocks) : capacity_(capacity), lists_(blocks, 4) {}

  bool Touch(uint32_t block) override {
    const int list = lists_.ListOf(block);
    if (list == kOnce || list == kAgain) {
      lists_.MoveToNewest(kAgain, block);
      return true;
    }
    if (list == BlockLists::kNone) {
      MakeRoomForNew();
      lists_.MoveToNewest(kOnce, block);
      return false;
    }
    Adapt(list);
    if (cached() == capacity_) Evict(list == kAgainGhost);
    lists_.MoveToNewest(kAgain, block);
    return false;
  }
  void Free(uint32_t block) override { lists_.Remove(block); }

 private:
  enum List { kOnce, kAgain, kOnceGhost, kAgainGhost };

  uint32_t cached() const { return lists_.size(kOnce) + lists_.size(kAgain); }

  // A ghost came back: its list would better have been larger.
  void Adapt(int ghost_list) {
    const double once = lists_.size(kOnceGhost);
    const double again = lists_.size(kAgainGhost);
    if (ghost_list == kOnceGhost) {
      once_target_ = std::min<double>(capacity_, once_target_ + std::max(1.0, again / once));
    } else {
      once_target_ = std::max(0.0, once_target_ - std::max(1.0, once / again));
    }
  }
  void Evict(bool for_again_ghost) {
    const double once = lists_.size(kOnce);
    const bool from_once =
        once > 0 &&
        (once > once_target_ || (for_again_ghost && once == once_target_) || lists_.empty(kAgain));
    const List from = from_once ? kOnce : kAgain;
    lists_.MoveToNewest(from_once ? kOnceGhost : kAgainGhost, lists_.Oldest(from));
  }
  void MakeRoomForNew() {
    if (lists_.size(kOnce) + lists_.size(kOnceGhost) == capacity_) {
      if (lists_.empty(kOnceGhost)) {
        lists_.Remove(lists_.Oldest(kOnce));
        return;
      }
      lists_.Remove(lists_.Oldest(kOnceGhost));
    } else if (cached() + lists_.size(kOnceGhost) + lists_.size(kAgainGhost) == 2 * capacity_) {
      lists_.Remove(lists_.Oldest(kAgainGhost));
    }
    if (cached() == capacity_) Evict(false);
  }

  const uint32_t capacity_;
  double once_target_ = 0;
  BlockLists lists_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeArc(uint32_t capacity, uint32_t blocks) {
  return std::make_unique<Arc>(capacity, blocks);
}

}  // namespace ebcache::eviction
