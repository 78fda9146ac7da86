// Superpageblocks: what each 1 GiB unit holds, and the lists that allocation is steered by.
//
//   empty     all of it is free
//   clean     free memory and movable pages, nothing else
//   tainted   holds an unmovable or reclaimable page
//   isolated  being emptied as a whole, for a contiguous allocation
//
// Clean and tainted ones are in lists by fullness, in eighths, with a list of their own for those
// that have no free frame: so the fullest with room is found without a walk.
//
// Thread safety: under the region's lock.

#ifndef EBCACHE_LIB_MM_REGION_SUPERPAGEBLOCK_H_
#define EBCACHE_LIB_MM_REGION_SUPERPAGEBLOCK_H_

#include <array>
#include <cstdint>
#include <vector>

#include "ebcache/movable_region.h"
#include "lib/mm/region/region_geometry.h"

namespace ebcache {

struct Superpageblock {
  uint32_t free_frames = 0;
  uint32_t nonmovable_frames = 0;  // in use, or in page lists
  uint32_t free_pageblocks = 0;    // that are entirely free
  bool isolated = false;
  bool whole = false;  // in use as one folio

  // The defragmenter's: which page block it looks at next, how many it could not get anything out
  // of in a row, whether it has given up until something changes, and whether it is at work here
  // (between the start and the stop trigger).
  uint32_t defrag_next = 0;
  uint32_t fruitless = 0;
  bool futile = false;
  bool defragmenting = false;

  // Where it is listed.
  SuperpageblockCategory category = SuperpageblockCategory::kEmpty;
  int fullness = 0;
  SuperpageblockNumber previous = kNoSuperpageblock;
  SuperpageblockNumber next = kNoSuperpageblock;
};

class SuperpageblockTable {
 public:
  // Fullness 0 to 7 by eighths in use; 8 without a free frame.
  static constexpr int kFullnesses = 9;
  static constexpr int kFull = kFullnesses - 1;
  static constexpr SuperpageblockNumber kNone = kNoSuperpageblock;

  // All are empty.
  explicit SuperpageblockTable(const RegionGeometry& geometry);

  Superpageblock& operator[](SuperpageblockNumber number) { return table_[number.value()]; }
  const Superpageblock& operator[](SuperpageblockNumber number) const {
    return table_[number.value()];
  }

  // To be called after a change of what a superpageblock holds.
  void Relist(SuperpageblockNumber number);

  // The first of a list, the one listed last; kNone when there is none.
  SuperpageblockNumber First(SuperpageblockCategory category, int fullness) const {
    return lists_[static_cast<size_t>(category)][static_cast<size_t>(fullness)];
  }
  SuperpageblockNumber Next(SuperpageblockNumber number) const { return (*this)[number].next; }
  uint32_t CountOf(SuperpageblockCategory category) const {
    return counts_[static_cast<size_t>(category)];
  }

 private:
  SuperpageblockCategory CategoryOf(const Superpageblock& block) const;
  int FullnessOf(const Superpageblock& block) const;
  void Insert(SuperpageblockNumber number);
  void Remove(SuperpageblockNumber number);

  const uint32_t frames_each_;
  std::vector<Superpageblock> table_;
  std::array<std::array<SuperpageblockNumber, kFullnesses>, kSuperpageblockCategories> lists_;
  std::array<uint32_t, kSuperpageblockCategories> counts_{};
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_SUPERPAGEBLOCK_H_
