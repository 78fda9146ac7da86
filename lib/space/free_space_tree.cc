#include "lib/space/free_space_tree.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_space.h"
#include "ebcache/on_disk.h"
#include "lib/base/messages.h"
#include "lib/base/rounding.h"

namespace ebcache::space {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

template <typename... Pieces>
absl::Status Damage(const Pieces&... pieces) {
  return absl::DataLossError(absl::StrCat(pieces...));
}

// What is planned for one block group: its form is known, its info item is written at the end.
class GroupChange {
 public:
  GroupChange(ItemStore* store, Range group, uint32_t sector_bytes)
      : plan_(store), group_(group), sector_bytes_(sector_bytes) {}

  absl::Status LoadInfo() {
    absl::StatusOr<std::optional<StoredItem>> item = plan_.Find(InfoKey());
    if (!item.ok()) return item.status();
    if (!item->has_value()) return Damage("it has no info item");
    absl::StatusOr<FreeSpaceInfo> info = ParseItem<FreeSpaceInfo>((*item)->data);
    if (!info.ok()) return info.status();
    info_ = *info;
    return absl::OkStatus();
  }

  bool has_bitmaps() const { return (info_.flags & kFreeSpaceUsesBitmaps) != 0; }
  const FreeSpaceInfo& info() const { return info_; }

  absl::Status Change(const Range& range, bool free) {
    absl::Status status = has_bitmaps() ? ChangeBits(range, free)
                          : free        ? AddRun(range)
                                        : TakeFromRun(range);
    if (!status.ok()) return status;
    if (status = Reform(); !status.ok()) return status;
    std::vector<std::byte> bytes;
    if (status = AppendItem(info_, bytes); !status.ok()) return status;
    if (status = plan_.Replace(InfoKey(), bytes); !status.ok()) return status;
    return plan_.Apply();
  }

  absl::Status ForEachRun(absl::FunctionRef<void(const Range&)> visit) {
    return has_bitmaps() ? ForEachRunOfBits(visit) : ForEachExtent(visit);
  }

 private:
  Key InfoKey() const { return {group_.start, kFreeSpaceInfoType, group_.length}; }
  static Key ExtentKey(const Range& run) { return {run.start, kFreeSpaceExtentType, run.length}; }
  uint64_t bitmap_span() const { return FreeSpaceBitmap::kMostSectors * uint64_t{sector_bytes_}; }

  absl::Status Count(int64_t difference) {
    const int64_t count = int64_t{info_.extent_count} + difference;
    if (count < 0 || count > std::numeric_limits<uint32_t>::max()) {
      return Damage("its info item counts ", info_.extent_count, " runs");
    }
    info_.extent_count = static_cast<uint32_t>(count);
    return absl::OkStatus();
  }

  // ---- Runs as items of their own ----

  // The run that begins last at or before `at`, the first that begins at or behind it.
  absl::StatusOr<std::optional<Range>> RunBefore(uint64_t at) {
    return RunOf(plan_.AtOrBefore({at, kFreeSpaceExtentType, kMost}));
  }
  absl::StatusOr<std::optional<Range>> RunBehind(uint64_t at) {
    absl::StatusOr<std::optional<StoredItem>> item = plan_.AtOrAfter({at, kFreeSpaceExtentType, 0});
    if (item.ok() && item->has_value() && (*item)->key.objectid < group_.end() &&
        (*item)->key.type != kFreeSpaceExtentType) {
      return Damage("item ", (*item)->key.ToString(), " among runs");
    }
    return RunOf(std::move(item));
  }
  absl::StatusOr<std::optional<Range>> RunOf(absl::StatusOr<std::optional<StoredItem>> item) const {
    if (!item.ok()) return item.status();
    if (!item->has_value()) return std::optional<Range>();
    const Key& key = (*item)->key;
    if (key.type != kFreeSpaceExtentType || key.objectid < group_.start ||
        key.objectid >= group_.end()) {
      return std::optional<Range>();
    }
    if (key.offset > group_.end() - key.objectid) {
      return Damage("run ", key.ToString(), " leaves it");
    }
    return std::optional<Range>({key.objectid, key.offset});
  }

  absl::Status TakeFromRun(const Range& range) {
    absl::StatusOr<std::optional<Range>> run = RunBefore(range.start);
    if (!run.ok()) return run.status();
    if (!run->has_value() || (*run)->end() < range.end()) return Damage("not free");
    const Range whole = **run;
    if (absl::Status status = plan_.Remove(ExtentKey(whole)); !status.ok()) return status;
    int64_t pieces = 0;
    for (const Range& piece : {Range{whole.start, range.start - whole.start},
                               Range{range.end(), whole.end() - range.end()}}) {
      if (piece.length == 0) continue;
      if (absl::Status status = plan_.Insert(ExtentKey(piece), {}); !status.ok()) return status;
      ++pieces;
    }
    return Count(pieces - 1);
  }

  absl::Status AddRun(const Range& range) {
    absl::StatusOr<std::optional<Range>> before = RunBefore(range.start);
    if (!before.ok()) return before.status();
    absl::StatusOr<std::optional<Range>> behind = RunBehind(range.start);
    if (!behind.ok()) return behind.status();
    Range run = range;
    int64_t joined = 0;
    if (before->has_value() && (*before)->end() >= range.start) {
      if ((*before)->end() > range.start) return Damage("free already");
      run = {(*before)->start, (*before)->length + run.length};
      ++joined;
      if (absl::Status status = plan_.Remove(ExtentKey(**before)); !status.ok()) return status;
    }
    if (behind->has_value() && (*behind)->start <= range.end()) {
      if ((*behind)->start < range.end()) return Damage("free already");
      run.length += (*behind)->length;
      ++joined;
      if (absl::Status status = plan_.Remove(ExtentKey(**behind)); !status.ok()) return status;
    }
    if (absl::Status status = plan_.Insert(ExtentKey(run), {}); !status.ok()) return status;
    return Count(1 - joined);
  }

  absl::Status ForEachExtent(absl::FunctionRef<void(const Range&)> visit) {
    uint64_t at = group_.start;
    bool first = true;
    while (at < group_.end()) {
      absl::StatusOr<std::optional<Range>> run = RunBehind(at);
      if (!run.ok()) return run.status();
      if (!run->has_value()) break;
      // Runs that touch would be one.
      if ((*run)->length == 0 || (!first && (*run)->start == at)) {
        return Damage("run ", (*run)->ToString(), " is none of its own");
      }
      visit(**run);
      at = (*run)->end();
      first = false;
    }
    return absl::OkStatus();
  }

  // ---- Runs as bits ----

  // The bitmap that has the sector at `address`.
  struct Bitmap {
    Key key;
    std::vector<std::byte> bits;
  };
  absl::StatusOr<Bitmap> BitmapAt(uint64_t address) {
    absl::StatusOr<std::optional<StoredItem>> item =
        plan_.AtOrBefore({address, kFreeSpaceBitmapType, kMost});
    if (!item.ok()) return item.status();
    if (!item->has_value() || (*item)->key.type != kFreeSpaceBitmapType ||
        (*item)->key.objectid < group_.start ||
        address - (*item)->key.objectid >= (*item)->key.offset) {
      return Damage("no bitmap at ", address);
    }
    const Key& key = (*item)->key;
    const uint64_t bytes = UnitsFor(key.offset / sector_bytes_, 8);
    if (key.offset > group_.end() - key.objectid || (*item)->data.size() != bytes ||
        bytes > FreeSpaceBitmap::kMostBytes) {
      return Damage("bitmap ", key.ToString(), " of ", (*item)->data.size(), " bytes");
    }
    return Bitmap{key, std::move((*item)->data)};
  }
  absl::StatusOr<bool> IsFree(uint64_t address) {
    if (address < group_.start || address >= group_.end()) return false;
    absl::StatusOr<Bitmap> bitmap = BitmapAt(address);
    if (!bitmap.ok()) return bitmap.status();
    return FreeSpaceBitmap{bitmap->bits}.free((address - bitmap->key.objectid) / sector_bytes_);
  }

  absl::Status ChangeBits(const Range& range, bool free) {
    int64_t neighbours = 0;
    for (const uint64_t address : {range.start - sector_bytes_, range.end()}) {
      absl::StatusOr<bool> is_free = IsFree(address);
      if (!is_free.ok()) return is_free.status();
      neighbours += *is_free ? 1 : 0;
    }
    for (uint64_t at = range.start; at < range.end();) {
      absl::StatusOr<Bitmap> bitmap = BitmapAt(at);
      if (!bitmap.ok()) return bitmap.status();
      const uint64_t end = std::min(range.end(), bitmap->key.objectid + bitmap->key.offset);
      for (; at < end; at += sector_bytes_) {
        const size_t sector = (at - bitmap->key.objectid) / sector_bytes_;
        if (FreeSpaceBitmap{bitmap->bits}.free(sector) == free) {
          return Damage(free ? "free already" : "not free");
        }
        SetFree(absl::MakeSpan(bitmap->bits), sector, free);
      }
      absl::Status status = plan_.Replace(bitmap->key, bitmap->bits);
      if (!status.ok()) return status;
    }
    return Count(free ? 1 - neighbours : neighbours - 1);
  }

  absl::Status ForEachRunOfBits(absl::FunctionRef<void(const Range&)> visit) {
    Range run;
    for (uint64_t at = group_.start; at < group_.end();) {
      absl::StatusOr<Bitmap> bitmap = BitmapAt(at);
      if (!bitmap.ok()) return bitmap.status();
      if (bitmap->key.objectid != at) return Damage("no bitmap begins at ", at);
      for (const uint64_t end = at + bitmap->key.offset; at < end; at += sector_bytes_) {
        const size_t sector = (at - bitmap->key.objectid) / sector_bytes_;
        if (FreeSpaceBitmap{bitmap->bits}.free(sector)) {
          if (run.length == 0) run.start = at;
          run.length += sector_bytes_;
        } else if (run.length != 0) {
          visit(std::exchange(run, {}));
        }
      }
    }
    if (run.length != 0) visit(run);
    return absl::OkStatus();
  }

  // ---- From one form to the other ----

  absl::Status Reform() {
    const FormThresholds thresholds = ThresholdsOf(group_.length, sector_bytes_);
    if (!has_bitmaps() && info_.extent_count > thresholds.bitmaps_above) return ToBitmaps();
    if (has_bitmaps() && info_.extent_count < thresholds.extents_below) return ToExtents();
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Range>> Runs() {
    std::vector<Range> runs;
    absl::Status status = ForEachRun([&runs](const Range& run) { runs.push_back(run); });
    if (!status.ok()) return status;
    if (runs.size() != info_.extent_count) {
      return Damage("its info item counts ", info_.extent_count, " runs, it has ", runs.size());
    }
    return runs;
  }

  absl::Status ToBitmaps() {
    absl::StatusOr<std::vector<Range>> runs = Runs();
    if (!runs.ok()) return runs.status();
    for (const Range& run : *runs) {
      if (absl::Status status = plan_.Remove(ExtentKey(run)); !status.ok()) return status;
    }
    auto run = runs->begin();
    for (uint64_t start = group_.start; start < group_.end(); start += bitmap_span()) {
      const uint64_t length = std::min(bitmap_span(), group_.end() - start);
      std::vector<std::byte> bits(UnitsFor(length / sector_bytes_, 8));
      for (uint64_t at = start; at < start + length; at += sector_bytes_) {
        while (run != runs->end() && run->end() <= at) ++run;
        if (run == runs->end()) break;
        if (at >= run->start) SetFree(absl::MakeSpan(bits), (at - start) / sector_bytes_, true);
      }
      absl::Status status = plan_.Insert({start, kFreeSpaceBitmapType, length}, bits);
      if (!status.ok()) return status;
    }
    info_.flags |= kFreeSpaceUsesBitmaps;
    return absl::OkStatus();
  }

  absl::Status ToExtents() {
    absl::StatusOr<std::vector<Range>> runs = Runs();
    if (!runs.ok()) return runs.status();
    for (uint64_t at = group_.start; at < group_.end();) {
      absl::StatusOr<Bitmap> bitmap = BitmapAt(at);
      if (!bitmap.ok()) return bitmap.status();
      if (absl::Status status = plan_.Remove(bitmap->key); !status.ok()) return status;
      at += bitmap->key.offset;
    }
    for (const Range& run : *runs) {
      if (absl::Status status = plan_.Insert(ExtentKey(run), {}); !status.ok()) return status;
    }
    info_.flags &= ~kFreeSpaceUsesBitmaps;
    return absl::OkStatus();
  }

  PlannedChanges plan_;
  const Range group_;
  const uint32_t sector_bytes_;
  FreeSpaceInfo info_;
};

absl::Status Named(const Range& group, absl::Status status) {
  return Prefixed(absl::StrCat("free space of block group ", group.start), std::move(status));
}

}  // namespace

FormThresholds ThresholdsOf(uint64_t group_bytes, uint32_t sector_bytes) {
  // Bitmaps are better where the items of runs, which are heads alone, would take more room.
  constexpr uint64_t kPerBitmap = kItemBytes + FreeSpaceBitmap::kMostBytes;
  const uint64_t span = FreeSpaceBitmap::kMostSectors * uint64_t{sector_bytes};
  const uint64_t bitmaps = UnitsFor(group_bytes, span);
  const uint64_t above = bitmaps * kPerBitmap / kItemBytes;
  return {.bitmaps_above = static_cast<uint32_t>(above),
          .extents_below = static_cast<uint32_t>(above > 100 ? above - 100 : 0)};
}

absl::Status FreeSpaceTree::Create() {
  PlannedChanges plan(&store_);
  std::vector<std::byte> info;
  absl::Status status = AppendItem(FreeSpaceInfo{.extent_count = 1}, info);
  if (status.ok()) status = plan.Insert({group_.start, kFreeSpaceInfoType, group_.length}, info);
  if (status.ok()) status = plan.Insert({group_.start, kFreeSpaceExtentType, group_.length}, {});
  if (status.ok()) status = plan.Apply();
  return Named(group_, std::move(status));
}

absl::Status FreeSpaceTree::Drop() {
  PlannedChanges plan(&store_);
  for (;;) {
    absl::StatusOr<std::optional<StoredItem>> item = plan.AtOrAfter({group_.start, 0, 0});
    if (!item.ok()) return Named(group_, item.status());
    if (!item->has_value() || (*item)->key.objectid >= group_.end()) break;
    if (absl::Status status = plan.Remove((*item)->key); !status.ok()) {
      return Named(group_, std::move(status));
    }
  }
  return Named(group_, plan.Apply());
}

absl::Status FreeSpaceTree::Allocate(const Range& range) { return Change(range, false); }
absl::Status FreeSpaceTree::Free(const Range& range) { return Change(range, true); }

absl::Status FreeSpaceTree::Change(const Range& range, bool free) {
  const bool inside = range.length != 0 && range.start >= group_.start &&
                      range.start < group_.end() && range.length <= group_.end() - range.start;
  if (!inside || range.start % sector_bytes_ != 0 || range.length % sector_bytes_ != 0) {
    return Named(group_, absl::InvalidArgumentError(
                             absl::StrCat("range ", range.start, " of ", range.length, " bytes")));
  }
  GroupChange change(&store_, group_, sector_bytes_);
  absl::Status status = change.LoadInfo();
  if (status.ok()) status = change.Change(range, free);
  return Named(group_, Prefixed(absl::StrCat(free ? "freeing " : "allocating ", range.ToString()),
                                std::move(status)));
}

absl::Status FreeSpaceTree::ForEachRun(absl::FunctionRef<void(const Range&)> run) {
  GroupChange group(&store_, group_, sector_bytes_);
  absl::Status status = group.LoadInfo();
  uint64_t runs = 0;
  if (status.ok()) {
    status = group.ForEachRun([&](const Range& range) {
      ++runs;
      run(range);
    });
  }
  if (status.ok() && runs != group.info().extent_count) {
    status = Damage("its info item counts ", group.info().extent_count, " runs, it has ", runs);
  }
  return Named(group_, std::move(status));
}

}  // namespace ebcache::space
