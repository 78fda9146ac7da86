// CommittedStates: which states of the filesystem are still read, and what must not be given out for
// their sake.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_TXN_COMMITTED_STATES_H_
#define EBCACHE_LIB_TXN_COMMITTED_STATES_H_

#include <cstdint>
#include <deque>
#include <set>
#include <utility>

#include "ebcache/internal/sync.h"
#include "lib/space/range.h"

namespace ebcache::txn {

class CommittedStates {
 public:
  // A reader begins, or ends, to use the state of a commit.
  void Hold(uint64_t generation);
  void LetGo(uint64_t generation);

  // The commit of `generation` has freed these: states of earlier ones have them.
  void Freed(uint64_t generation, space::RangeSet ranges);
  // That commit has not happened. Needs no memory.
  void TakeBack(uint64_t generation);
  // Takes what no reader can reach any more.
  space::RangeSet TakeReleased();
  // What some reader still can, or what was not taken yet.
  space::RangeSet Kept() const;

 private:
  mutable sync::Mutex mutex_;
  std::multiset<uint64_t> held_ EBCACHE_GUARDED_BY(mutex_);
  // By generation, rising.
  std::deque<std::pair<uint64_t, space::RangeSet>> freed_ EBCACHE_GUARDED_BY(mutex_);
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_COMMITTED_STATES_H_
