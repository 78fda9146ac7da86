// CommittedStates: which states of the filesystem are still read, and what must not be given out for
// their sake.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_TXN_COMMITTED_STATES_H_
#define EBCACHE_LIB_TXN_COMMITTED_STATES_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <set>

#include "ebcache/internal/sync.h"
#include "lib/space/range.h"

namespace ebcache::txn {

class CommittedStates {
 public:
  // The state of a commit is one to go back to: what it has stays, until it is settled. What was made
  // after it and freed again is none of it.
  void KeepBase(uint64_t generation);
  void Settle();
  std::optional<uint64_t> base() const;

  // A reader begins, or ends, to use the state of a commit.
  void Hold(uint64_t generation);
  void LetGo(uint64_t generation);

  // The commit of `generation` has freed these: states of earlier ones have them. `of_base`: those of
  // them that the base has.
  void Freed(uint64_t generation, space::RangeSet ranges, space::RangeSet of_base);
  // That commit has not happened. Needs no memory.
  void TakeBack(uint64_t generation);
  // Takes what no reader can reach any more.
  space::RangeSet TakeReleased();
  // What some reader still can, or what was not taken yet.
  space::RangeSet Kept() const;

 private:
  struct FreedByCommit {
    uint64_t generation = 0;
    space::RangeSet ranges;
    space::RangeSet of_base;
  };

  mutable sync::Mutex mutex_;
  std::optional<uint64_t> base_ EBCACHE_GUARDED_BY(mutex_);
  std::multiset<uint64_t> held_ EBCACHE_GUARDED_BY(mutex_);
  std::deque<FreedByCommit> freed_ EBCACHE_GUARDED_BY(mutex_);  // by generation, rising
  // What no reader reaches and the base has.
  space::RangeSet kept_for_base_ EBCACHE_GUARDED_BY(mutex_);
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_COMMITTED_STATES_H_
