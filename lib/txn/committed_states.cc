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

void CommittedStates::KeepBase(uint64_t generation) {
  sync::MutexLock lock(mutex_);
  base_ = generation;
}

void CommittedStates::Settle() {
  sync::MutexLock lock(mutex_);
  base_.reset();
  // It goes with the next that is released.
  if (!kept_for_base_.empty()) freed_.push_front({.ranges = std::move(kept_for_base_)});
  kept_for_base_ = {};
}

std::optional<uint64_t> CommittedStates::base() const {
  sync::MutexLock lock(mutex_);
  return base_;
}

void CommittedStates::Freed(uint64_t generation, space::RangeSet ranges, space::RangeSet of_base) {
  if (ranges.empty()) return;
  sync::MutexLock lock(mutex_);
  freed_.push_back({generation, std::move(ranges), std::move(of_base)});
}

void CommittedStates::TakeBack(uint64_t generation) {
  sync::MutexLock lock(mutex_);
  if (!freed_.empty() && freed_.back().generation == generation) freed_.pop_back();
}

space::RangeSet CommittedStates::TakeReleased() {
  space::RangeSet released;
  sync::MutexLock lock(mutex_);
  while (!freed_.empty() && (held_.empty() || *held_.begin() >= freed_.front().generation)) {
    FreedByCommit& first = freed_.front();
    if (base_) {
      for (const auto& [start, end] : first.of_base.ends()) {
        first.ranges.Subtract({start, end - start});
      }
      UniteAll(first.of_base, kept_for_base_);
    }
    UniteAll(first.ranges, released);
    freed_.pop_front();
  }
  return released;
}

space::RangeSet CommittedStates::Kept() const {
  space::RangeSet kept;
  sync::MutexLock lock(mutex_);
  for (const FreedByCommit& freed : freed_) UniteAll(freed.ranges, kept);
  UniteAll(kept_for_base_, kept);
  return kept;
}

}  // namespace ebcache::txn
