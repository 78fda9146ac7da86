#include "lib/txn/committed_states.h"

#include <iterator>

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

void CommittedStates::Freed(uint64_t generation, FreedRanges ranges) {
  if (ranges.empty()) return;
  sync::MutexLock lock(mutex_);
  freed_.push_back({generation, std::move(ranges)});
}

void CommittedStates::TakeBack(uint64_t generation) {
  sync::MutexLock lock(mutex_);
  if (!freed_.empty() && freed_.back().generation == generation) freed_.pop_back();
}

CommittedStates::Wanted CommittedStates::WantedOf(uint64_t made, uint64_t freed) const {
  const auto behind = held_.lower_bound(freed);
  if (behind == held_.begin()) return {1, 0};
  const auto first = held_.lower_bound(made);
  return first == behind ? Wanted{1, 0} : Wanted{*first, *std::prev(behind)};
}

// What goes to another place is there before it leaves its own, so that nothing that is wanted can be
// lost where memory is out.
space::RangeSet CommittedStates::TakeReleased() {
  space::RangeSet released;
  sync::MutexLock lock(mutex_);
  // Gives the place of the ranges. A lambda that looked at kept_ would need the lock in the analysis's eyes.
  const auto place_of = [&](const Wanted& wanted, auto& kept) -> space::RangeSet& {
    return wanted.first > wanted.second ? released : kept[wanted];
  };
  for (; !freed_.empty(); freed_.pop_front()) {
    const FreedByCommit& commit = freed_.front();
    for (const auto& [made, ranges] : commit.ranges) {
      UniteAll(ranges, place_of(WantedOf(made, commit.generation), kept_));
    }
  }
  // Of what was kept, those states are looked at anew that are not wanted any more.
  for (auto at = kept_.begin(); at != kept_.end();) {
    const Wanted wanted = WantedOf(at->first.first, at->first.second + 1);
    if (wanted == at->first) {
      ++at;
      continue;
    }
    UniteAll(at->second, place_of(wanted, kept_));
    at = kept_.erase(at);
  }
  return released;
}

space::RangeSet CommittedStates::Kept() const {
  space::RangeSet kept;
  sync::MutexLock lock(mutex_);
  for (const FreedByCommit& commit : freed_) {
    for (const auto& [made, ranges] : commit.ranges) UniteAll(ranges, kept);
  }
  for (const auto& [wanted, ranges] : kept_) UniteAll(ranges, kept);
  return kept;
}

}  // namespace ebcache::txn
