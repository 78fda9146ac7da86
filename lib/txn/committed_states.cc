#include "lib/txn/committed_states.h"

#include <utility>

#include "lib/base/check.h"

namespace ebcache::txn {
namespace {

void UniteAll(const space::RangeSet& from, space::RangeSet& to) {
  for (const auto& [start, end] : from.ends()) to.Unite({start, end - start});
}

}  // namespace

void CommittedStates::Hold(uint64_t generation) {
  sync::MutexLock lock(mutex_);
  held_.insert(generation);
}

void CommittedStates::LetGo(uint64_t generation) {
  sync::MutexLock lock(mutex_);
  const auto at = held_.find(generation);
  EBCACHE_CHECK(at != held_.end(), "a state is let go as often as it was held");
  held_.erase(at);
}

void CommittedStates::Freed(uint64_t generation, space::RangeSet ranges) {
  if (ranges.empty()) return;
  sync::MutexLock lock(mutex_);
  freed_.emplace_back(generation, std::move(ranges));
}

void CommittedStates::TakeBack(uint64_t generation) {
  sync::MutexLock lock(mutex_);
  if (!freed_.empty() && freed_.back().first == generation) freed_.pop_back();
}

space::RangeSet CommittedStates::TakeReleased() {
  space::RangeSet released;
  sync::MutexLock lock(mutex_);
  while (!freed_.empty() && (held_.empty() || *held_.begin() >= freed_.front().first)) {
    UniteAll(freed_.front().second, released);
    freed_.pop_front();
  }
  return released;
}

space::RangeSet CommittedStates::Kept() const {
  space::RangeSet kept;
  sync::MutexLock lock(mutex_);
  for (const auto& [generation, ranges] : freed_) UniteAll(ranges, kept);
  return kept;
}

}  // namespace ebcache::txn
