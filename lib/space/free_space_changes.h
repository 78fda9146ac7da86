// FreeSpaceChanges: what was allocated and freed, of which the free space tree has not heard.
//
// What a transaction allocates lies side by side, and so does much of what it frees: told at one go,
// thousands of blocks are a few runs. What was allocated and is free again cancels.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_SPACE_FREE_SPACE_CHANGES_H_
#define EBCACHE_LIB_SPACE_FREE_SPACE_CHANGES_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "lib/space/range.h"

namespace ebcache::space {

class FreeSpaceChanges {
 public:
  // A range of the block group that begins at `group`. Errors: those of RangeSet::Add, and nothing
  // has changed: to allocate, or to free, what was that before is DataLoss.
  absl::Status Allocated(uint64_t group, const Range& range);
  absl::Status Freed(uint64_t group, const Range& range);

  struct Change {
    uint64_t group = 0;
    Range range;
    bool free = false;  // else it was allocated
  };
  // The first change of the first group, those that allocate before those that free; nullopt when
  // there is none. It is the caller's from then on.
  std::optional<Change> Take();

  // How many Take would give.
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct OfGroup {
    RangeSet allocated;
    RangeSet freed;
    size_t size() const { return allocated.size() + freed.size(); }
  };
  absl::Status Add(uint64_t group, const Range& range, RangeSet OfGroup::*to,
                   RangeSet OfGroup::*opposite);

  std::map<uint64_t, OfGroup> groups_;  // by start; none of them is empty
  size_t size_ = 0;
};

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_FREE_SPACE_CHANGES_H_
