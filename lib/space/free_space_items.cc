#include "lib/space/free_space_items.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "ebcache/item_codec.h"
#include "ebcache/items_space.h"
#include "lib/base/rounding.h"
#include "lib/space/free_space_tree.h"

namespace ebcache::space {

FreeSpaceItems::FreeSpaceItems(Range group, uint32_t sector_bytes)
    : group_(group),
      sector_bytes_(sector_bytes),
      bitmaps_above_(ThresholdsOf(group.length, sector_bytes).bitmaps_above) {}

void FreeSpaceItems::SetBits(const Range& run) {
  const uint64_t end = (run.end() - group_.start) / sector_bytes_;
  for (uint64_t at = (run.start - group_.start) / sector_bytes_; at < end; ++at) {
    SetFree(absl::MakeSpan(bits_), at, true);
  }
}

absl::Status FreeSpaceItems::AddRun(const Range& run) {
  const bool inside = run.length != 0 && run.start >= group_.start && run.start < group_.end() &&
                      run.length <= group_.end() - run.start;
  const bool whole = run.start % sector_bytes_ == 0 && run.length % sector_bytes_ == 0;
  if (!inside || !whole || (count_ > 0 && run.start <= end_)) {
    return absl::InvalidArgumentError(absl::StrCat("run ", run.start, " of ", run.length,
                                                   " bytes, of block group ", group_.start));
  }
  ++count_;
  end_ = run.end();
  if (!has_bitmaps() && count_ <= bitmaps_above_) {
    runs_.push_back(run);
    return absl::OkStatus();
  }
  if (!has_bitmaps()) {
    bits_.resize(UnitsFor(group_.length / sector_bytes_, 8));
    for (const Range& earlier : runs_) SetBits(earlier);
    runs_ = {};
  }
  SetBits(run);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredItem>> FreeSpaceItems::Items() const {
  std::vector<StoredItem> items(1);
  items[0].key = {group_.start, kFreeSpaceInfoType, group_.length};
  const FreeSpaceInfo info{.extent_count = count_,
                           .flags = has_bitmaps() ? kFreeSpaceUsesBitmaps : 0};
  if (absl::Status status = AppendItem(info, items[0].data); !status.ok()) return status;
  for (const Range& run : runs_) {
    items.push_back({.key = {run.start, kFreeSpaceExtentType, run.length}, .data = {}});
  }
  if (!has_bitmaps()) return items;
  const uint64_t span = FreeSpaceBitmap::kMostSectors * uint64_t{sector_bytes_};
  for (uint64_t at = 0; at < group_.length; at += span) {
    const uint64_t length = std::min(span, group_.length - at);
    const auto first = bits_.begin() + static_cast<ptrdiff_t>(at / sector_bytes_ / 8);
    const auto bytes = static_cast<ptrdiff_t>(UnitsFor(length / sector_bytes_, 8));
    items.push_back(
        {.key = {group_.start + at, kFreeSpaceBitmapType, length}, .data = {first, first + bytes}});
  }
  return items;
}

}  // namespace ebcache::space
