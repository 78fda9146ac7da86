// The free space tree, kept exact: what one range that is allocated or freed changes in it.
//
// A block group has an info item and either an item for each run of free space, or bitmaps that
// cover all of it. It goes over from one form to the other where the kernel does, so that a kernel
// finds what it would have written.
//
// Every function plans first: an error leaves the tree as it was. Errors: DataLoss, what is there
// cannot be (a range that is free twice, an info item that counts wrong, bitmaps with a hole); or
// what the store says. They name the block group and the range.

#ifndef EBCACHE_LIB_SPACE_FREE_SPACE_TREE_H_
#define EBCACHE_LIB_SPACE_FREE_SPACE_TREE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstdint>

#include "lib/space/item_store.h"
#include "lib/space/range.h"

namespace ebcache::space {

// From how many runs on a block group has bitmaps, and below how many it has none again.
struct FormThresholds {
  uint32_t bitmaps_above = 0;
  uint32_t extents_below = 0;
};
FormThresholds ThresholdsOf(uint64_t group_bytes, uint32_t sector_bytes);

// One block group's part of the free space tree.
class FreeSpaceTree {
 public:
  // REQUIRES: `group` begins and ends with a sector; `store`, of the free space tree, outlives
  // this.
  FreeSpaceTree(ItemStore* store, Range group, uint32_t sector_bytes)
      : store_(*store), group_(group), sector_bytes_(sector_bytes) {}

  // A block group that is new, with all of it free.
  absl::Status Create();
  // One that goes: all of its items, whatever they say.
  absl::Status Drop();

  // Takes `range` from what is free; gives it back. REQUIRES: whole sectors (InvalidArgument).
  absl::Status Allocate(const Range& range);
  absl::Status Free(const Range& range);

  // Calls run(range) with each run of free space, in order. DataLoss also where the info item
  // counts other than there are.
  absl::Status ForEachRun(absl::FunctionRef<void(const Range&)> run);

 private:
  absl::Status Change(const Range& range, bool free);

  ItemStore& store_;
  const Range group_;
  const uint32_t sector_bytes_;
};

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_FREE_SPACE_TREE_H_
