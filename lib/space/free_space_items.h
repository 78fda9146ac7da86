// FreeSpaceItems: what the free space tree has of one block group, made at one go.
//
// Its form is the one that a kernel would write: an item for each run of free space, or bitmaps where
// there are more runs than ThresholdsOf allows. It takes no more memory than the items.

#ifndef EBCACHE_LIB_SPACE_FREE_SPACE_ITEMS_H_
#define EBCACHE_LIB_SPACE_FREE_SPACE_ITEMS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/space/item_store.h"
#include "lib/space/range.h"

namespace ebcache::space {

class FreeSpaceItems {
 public:
  // REQUIRES: `group` begins and ends with a sector.
  FreeSpaceItems(Range group, uint32_t sector_bytes);

  // The next run. InvalidArgument: it is no whole sectors of the group, or not behind the last one,
  // with something between them.
  absl::Status AddRun(const Range& run);

  // The items, in the order of keys.
  absl::StatusOr<std::vector<StoredItem>> Items() const;

 private:
  bool has_bitmaps() const { return !bits_.empty(); }
  void SetBits(const Range& run);

  const Range group_;
  const uint32_t sector_bytes_;
  const uint32_t bitmaps_above_;
  uint32_t count_ = 0;
  uint64_t end_ = 0;             // of the last run
  std::vector<Range> runs_;      // as long as there are few
  std::vector<std::byte> bits_;  // else: one a sector of the group
};

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_FREE_SPACE_ITEMS_H_
