// Steering: out of which part of the region a request is served. The two policies; see
// movable_region.h for what they mean.
//
// Thread safety: under the region's lock.

#ifndef EBCACHE_LIB_MM_REGION_STEERING_H_
#define EBCACHE_LIB_MM_REGION_STEERING_H_

#include <array>
#include <cstdint>
#include <optional>

#include "ebcache/movable_region.h"
#include "lib/mm/region/region_state.h"

namespace ebcache {

// How far an allocation may go.
enum class Effort {
  kNowhere,          // there is no destination: release, or stay
  kCleanOnly,        // a destination for what is moved out of tainted superpageblocks
  kWithoutTainting,  // fail rather than taint a superpageblock beyond the reserve
  kAnything
};

// Where a request may go when the lists of its own kind are empty, the least harmful first.
constexpr std::array<Mobility, 2> FallbacksOf(Mobility user) {
  switch (user) {
    case Mobility::kUnmovable:
      return {Mobility::kReclaimable, Mobility::kMovable};
    case Mobility::kReclaimable:
      return {Mobility::kUnmovable, Mobility::kMovable};
    default:
      return {Mobility::kReclaimable, Mobility::kUnmovable};
  }
}

struct SteeringCounters {
  uint64_t stolen_pageblocks = 0;
  uint64_t mixed_allocations = 0;
  uint64_t partial_fallbacks = 0;
};

class Steering {
 public:
  Steering(RegionState* state, const MovableRegionOptions& options)
      : state_(*state),
        policy_(options.policy),
        tainted_reserve_(options.tainted_reserve),
        rules_(options.pageblock_rules) {}

  // A block of 2^order frames for a request of mobility `user`; kNoFrame when there is none within
  // that effort.
  FrameNumber Take(Mobility user, int order, Effort effort);

  const SteeringCounters& counters() const { return counters_; }

 private:
  // Which of a kind of superpageblocks a search looks at, and in which order.
  struct Search {
    SuperpageblockCategory category;
    bool fullest_first = true;
    int limit = 0;  // 0: all
  };
  // The first result of `take(superpageblock)` that is a frame.
  template <typename TakeFrom>
  FrameNumber FirstOf(const Search& search, TakeFrom take);

  // steering.cc
  FrameNumber TakeMovable(int order, Effort effort);
  FrameNumber TakeNonmovable(Mobility user, int order, Effort effort);
  FrameNumber TakeFromAnyList(ZoneNumber zone, Mobility user, int order);
  FrameNumber TakeFromTainted(Mobility user, int order, int limit);
  FrameNumber Taint(Mobility user, int order);

  // pageblock_fallback.cc
  FrameNumber TakeByPageblock(Mobility user, int order);
  // What a request takes out of another kind: a block of 2^found frames.
  struct Fallback {
    Mobility from = Mobility::kMovable;
    int found = -1;        // -1: there is none
    bool may_claim = false;  // the page block along with it
  };
  Fallback FindFallback(Mobility user, int order) const;
  std::optional<Mobility> FallbackWith(Mobility user, int exactly) const;
  FrameNumber TakeFallback(const Fallback& fallback, Mobility user, int order);
  bool FairToClaim(PageblockNumber pageblock, Mobility was, Mobility user) const;

  RegionState& state_;
  const MovableRegionOptions::Policy policy_;
  const uint32_t tainted_reserve_;
  const MovableRegionOptions::PageblockRules rules_;
  SteeringCounters counters_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_STEERING_H_
