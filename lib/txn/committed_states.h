// CommittedStates: which states of the filesystem are still wanted, and what must not be given out for
// their sake.
//
// A state is that of a commit, and called by its generation. It is wanted by the readers that hold it
// and, where a session has a way back, by that. An extent that the commit of generation `made` has made
// and that of `freed` has freed, is in the states from `made` to `freed` - 1.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_TXN_COMMITTED_STATES_H_
#define EBCACHE_LIB_TXN_COMMITTED_STATES_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "ebcache/internal/sync.h"
#include "lib/space/range.h"

namespace ebcache::txn {

// Ranges, by the generation that made what was there.
using FreedRanges = std::map<uint64_t, space::RangeSet>;

class CommittedStates {
 public:
  // Begins, or ends, to want a state: that of the last commit, or one that is held already.
  void Hold(uint64_t generation);
  void LetGo(uint64_t generation);

  // The commit of `generation` has freed these.
  void Freed(uint64_t generation, FreedRanges ranges);
  // That commit, the last that was told of, has not happened. Needs no memory.
  void TakeBack(uint64_t generation);
  // Takes what no state has any more that is wanted. Where memory is out some of it may be lost: it is
  // in Kept() neither.
  space::RangeSet TakeReleased();
  // What some state has that is wanted, or what was not taken yet.
  space::RangeSet Kept() const;

 private:
  struct FreedByCommit {
    uint64_t generation = 0;
    FreedRanges ranges;
  };
  // The first and the last state that is wanted, of those that have something.
  using Wanted = std::pair<uint64_t, uint64_t>;

  // Those of the states from `made` to `freed` - 1; the first is behind the last where there is none.
  Wanted WantedOf(uint64_t made, uint64_t freed) const EBCACHE_REQUIRES(mutex_);

  mutable sync::Mutex mutex_;
  std::multiset<uint64_t> held_ EBCACHE_GUARDED_BY(mutex_);
  std::deque<FreedByCommit> freed_ EBCACHE_GUARDED_BY(mutex_);  // by generation, rising
  // What was looked at. A state that begins to be wanted has none of it: it is of a later commit.
  std::map<Wanted, space::RangeSet> kept_ EBCACHE_GUARDED_BY(mutex_);
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_COMMITTED_STATES_H_
