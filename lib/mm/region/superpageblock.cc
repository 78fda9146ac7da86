#include "lib/mm/region/superpageblock.h"

namespace ebcache {

SuperpageblockTable::SuperpageblockTable(const RegionGeometry& geometry)
    : frames_each_(geometry.superpageblock_frames()), table_(geometry.superpageblocks()) {
  for (auto& list : lists_) list.fill(kNone);
  // The first one ends up at the front of its list.
  for (uint32_t number = geometry.superpageblocks(); number-- > 0;) {
    table_[number].free_frames = frames_each_;
    table_[number].free_pageblocks = geometry.pageblocks_each();
    Insert(SuperpageblockNumber(number));
  }
}

SuperpageblockCategory SuperpageblockTable::CategoryOf(const Superpageblock& block) const {
  if (block.isolated) return SuperpageblockCategory::kIsolated;
  if (block.nonmovable_frames != 0) return SuperpageblockCategory::kTainted;
  if (block.free_frames == frames_each_) return SuperpageblockCategory::kEmpty;
  return SuperpageblockCategory::kClean;
}

int SuperpageblockTable::FullnessOf(const Superpageblock& block) const {
  if (block.free_frames == 0) return kFull;
  return static_cast<int>(uint64_t{frames_each_ - block.free_frames} * kFull / frames_each_);
}

void SuperpageblockTable::Insert(SuperpageblockNumber number) {
  Superpageblock& block = (*this)[number];
  block.category = CategoryOf(block);
  block.fullness = FullnessOf(block);
  SuperpageblockNumber& first =
      lists_[static_cast<size_t>(block.category)][static_cast<size_t>(block.fullness)];
  block.previous = kNone;
  block.next = first;
  if (first != kNone) (*this)[first].previous = number;
  first = number;
  ++counts_[static_cast<size_t>(block.category)];
}

void SuperpageblockTable::Remove(SuperpageblockNumber number) {
  const Superpageblock& block = (*this)[number];
  if (block.previous != kNone) {
    (*this)[block.previous].next = block.next;
  } else {
    lists_[static_cast<size_t>(block.category)][static_cast<size_t>(block.fullness)] = block.next;
  }
  if (block.next != kNone) (*this)[block.next].previous = block.previous;
  --counts_[static_cast<size_t>(block.category)];
}

void SuperpageblockTable::Relist(SuperpageblockNumber number) {
  const Superpageblock& block = (*this)[number];
  if (CategoryOf(block) == block.category && FullnessOf(block) == block.fullness) return;
  Remove(number);
  Insert(number);
}

}  // namespace ebcache
