#include "tools/check/space.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "ebcache/item_names.h"
#include "ebcache/items.h"
#include "tools/check/extent_scan.h"
#include "tools/check/runs.h"

namespace ebcache::tools {
namespace {

// One chunk, or what is between two.
class RangeCheck {
 public:
  RangeCheck(CheckState& state, const SpaceTrees& trees, const SpaceRange& range)
      : state_(state),
        trees_(trees),
        range_(range),
        at_(range.start),
        free_(state, trees.free_space, range.start, range.end),
        checksums_(state, trees.checksums, range.start, range.end, true) {
    next_free_ = free_.Next();
    next_checksums_ = checksums_.Next();
  }

  void Take(const ScannedExtent& extent);
  // `gaps`: there may be extents that were not taken.
  void Finish(bool gaps);
  uint64_t used() const { return used_; }

 private:
  void CheckPlace(const ScannedExtent& extent);
  void TakeFreeUpTo(uint64_t address);
  void TakeFree(const Run& run);
  void TakeChecksums(const ScannedExtent& extent);
  void CheckBlockGroup();
  void CheckFreeSpaceInfo();
  void FreeSpaceWrong(uint64_t start, uint64_t end, const char* found);
  void Orphan(uint64_t start, uint64_t end);

  CheckState& state_;
  const SpaceTrees& trees_;
  const SpaceRange& range_;
  uint64_t at_;  // all before it is known to be free or not
  uint64_t extents_end_ = 0;
  uint64_t used_ = 0;
  FreeRuns free_;
  ChecksumRuns checksums_;
  std::optional<Run> next_free_;
  std::optional<Run> next_checksums_;
};

void RangeCheck::FreeSpaceWrong(uint64_t start, uint64_t end, const char* found) {
  state_.findings.Add({.kind = FindingKind::kFreeSpaceWrong,
                       .tree = kFreeSpaceTreeId,
                       .key = {},
                       .address = start,
                       .found = absl::StrCat(end - start, " bytes ", found),
                       .expected = "free, or part of an extent"});
}

void RangeCheck::Orphan(uint64_t start, uint64_t end) {
  state_.findings.Add({.kind = FindingKind::kChecksumOrphan,
                       .tree = kCsumTreeId,
                       .key = {},
                       .address = start,
                       .found = absl::StrCat("checksums of ", end - start, " bytes"),
                       .expected = "an extent of data"});
}

void RangeCheck::CheckPlace(const ScannedExtent& extent) {
  const auto add = [&](FindingKind kind, std::string found, std::string expected) {
    state_.findings.Add({.kind = kind,
                         .tree = kExtentTreeId,
                         .key = extent.key,
                         .address = extent.start(),
                         .found = std::move(found),
                         .expected = std::move(expected)});
  };
  if (extent.start() < extents_end_) {
    add(FindingKind::kExtentOverlap, absl::StrCat("the extent before it ends at ", extents_end_),
        "");
  }
  if (!range_.chunk || extent.end > range_.end) {
    add(FindingKind::kExtentOutsideChunk, absl::StrCat("ends at ", extent.end),
        range_.chunk ? absl::StrCat("up to ", range_.end) : "in a chunk");
    return;
  }
  const uint64_t wanted = extent.data         ? kBlockGroupData
                          : extent.chunk_tree ? kBlockGroupSystem
                                              : kBlockGroupMetadata;
  if ((range_.chunk->type & wanted) == 0) {
    add(FindingKind::kExtentType, BlockGroupFlagNames(range_.chunk->type),
        BlockGroupFlagNames(wanted));
  }
}

void RangeCheck::TakeFree(const Run& run) {
  if (run.start < at_) FreeSpaceWrong(run.start, std::min(at_, run.end), "free and allocated");
  if (run.start > at_) FreeSpaceWrong(at_, run.start, "neither free nor allocated");
  at_ = std::max(at_, run.end);
}

void RangeCheck::TakeFreeUpTo(uint64_t address) {
  for (; next_free_ && next_free_->start < address; next_free_ = free_.Next()) {
    TakeFree(*next_free_);
  }
}

void RangeCheck::TakeChecksums(const ScannedExtent& extent) {
  uint64_t covered = 0;
  while (next_checksums_ && next_checksums_->start < extent.end) {
    Run& run = *next_checksums_;
    if (run.start < extent.start()) {
      const uint64_t end = std::min(run.end, extent.start());
      Orphan(run.start, end);
      run.start = end;
    }
    const uint64_t end = std::min(run.end, extent.end);
    if (end > run.start) covered += end - run.start;
    run.start = std::max(run.start, end);
    if (run.start < run.end) break;
    next_checksums_ = checksums_.Next();
  }
  if (covered < extent.end - extent.start()) state_.without_checksums.Insert(extent.start());
}

void RangeCheck::Take(const ScannedExtent& extent) {
  CheckPlace(extent);
  used_ += extent.end - extent.start();
  if (trees_.free_space && range_.chunk) {
    TakeFreeUpTo(extent.start());
    if (extent.start() > at_) FreeSpaceWrong(at_, extent.start(), "neither free nor allocated");
    if (extent.start() < at_ && extent.start() >= extents_end_) {
      FreeSpaceWrong(extent.start(), std::min(at_, extent.end), "free and allocated");
    }
    // What is behind the range is another finding, of CheckPlace.
    at_ = std::max(at_, std::min(extent.end, range_.end));
  }
  extents_end_ = std::max(extents_end_, extent.end);
  if (extent.data) TakeChecksums(extent);
}

void RangeCheck::CheckFreeSpaceInfo() {
  const uint64_t length = range_.end - range_.start;
  const bool there = free_.info() && free_.info_key()->objectid == range_.start &&
                     free_.info_key()->offset == length;
  if (there && free_.info()->extent_count == free_.runs() && !free_.odd_items()) return;
  state_.findings.Add(
      {.kind = FindingKind::kFreeSpaceInfo,
       .tree = kFreeSpaceTreeId,
       .key = free_.info_key() ? *free_.info_key() : Key{range_.start, kFreeSpaceInfoType, length},
       .address = range_.start,
       .found = free_.info()
                    ? absl::StrCat(free_.info()->extent_count, " runs, flags ", free_.info()->flags)
                    : "",
       .expected =
           absl::StrCat(free_.runs(), " runs in items of one form, of ", length, " bytes")});
}

void RangeCheck::CheckBlockGroup() {
  const uint64_t length = range_.chunk->length;
  const Key key{range_.chunk->logical, kBlockGroupItemType, length};
  const uint64_t tree = trees_.block_groups ? trees_.block_groups->root().id : kExtentTreeId;
  const auto add = [&](FindingKind kind, std::string found, std::string expected) {
    state_.findings.Add({.kind = kind,
                         .tree = tree,
                         .key = key,
                         .address = key.objectid,
                         .found = std::move(found),
                         .expected = std::move(expected)});
  };
  ItemStream items(state_, trees_.block_groups, {key, key});
  if (items.gaps() || !trees_.block_groups) return;
  if (!items.valid()) {
    add(FindingKind::kBlockGroupMissing, "", absl::StrCat("used ", used_));
    return;
  }
  const absl::StatusOr<BlockGroupItem> group = ParseItem<BlockGroupItem>(items.item().data());
  if (!group.ok()) return;
  if (group->used != used_) {
    add(FindingKind::kBlockGroupUsed, absl::StrCat(group->used), absl::StrCat(used_));
  }
  if (group->flags != range_.chunk->type) {
    add(FindingKind::kBlockGroupFlags, BlockGroupFlagNames(group->flags),
        BlockGroupFlagNames(range_.chunk->type));
  }
}

void RangeCheck::Finish(bool gaps) {
  if (gaps) return;  // the rest cannot be told
  while (next_checksums_) {
    if (next_checksums_->start < next_checksums_->end) {
      Orphan(next_checksums_->start, next_checksums_->end);
    }
    next_checksums_ = checksums_.Next();
  }
  // mkfs.btrfs leaves free space of chunks behind that are no more. Kernels do not look at it.
  if (!range_.chunk) return;
  TakeFreeUpTo(range_.end);
  if (trees_.free_space && !free_.gaps()) {
    if (at_ < range_.end) FreeSpaceWrong(at_, range_.end, "neither free nor allocated");
    if (at_ > range_.end) FreeSpaceWrong(range_.end, at_, "free behind the block group");
    CheckFreeSpaceInfo();
  }
  CheckBlockGroup();
}

}  // namespace

SpaceTrees FindSpaceTrees(CheckState& state) {
  const Superblock& superblock = state.superblock;
  SpaceTrees trees;
  trees.extents = FindTree(state, kExtentTreeId);
  trees.block_groups = superblock.has(CompatRoFlag::kBlockGroupTree)
                           ? FindTree(state, kBlockGroupTreeId)
                           : trees.extents;
  const bool free_space = superblock.has(CompatRoFlag::kFreeSpaceTree) &&
                          superblock.has(CompatRoFlag::kFreeSpaceTreeValid);
  if (free_space) trees.free_space = FindTree(state, kFreeSpaceTreeId);
  trees.checksums = FindTree(state, kCsumTreeId);
  return trees;
}

std::vector<SpaceRange> SpaceRanges(const Volume& volume) {
  std::vector<SpaceRange> ranges;
  uint64_t at = 0;
  for (const Chunk& chunk : volume.chunks()) {
    if (chunk.logical > at) ranges.push_back({at, chunk.logical, std::nullopt});
    ranges.push_back({chunk.logical, chunk.logical + chunk.length, chunk});
    at = chunk.logical + chunk.length;
  }
  ranges.push_back({at, ~uint64_t{0}, std::nullopt});
  return ranges;
}

uint64_t CheckSpace(CheckState& state, const SpaceTrees& trees, const SpaceRange& range,
                    SpaceWork work, FactSink& sink) {
  ExtentScan scan(state, trees.extents, range.start, range.end, work, sink);
  if (work == SpaceWork::kFactsAlone) {
    while (scan.Next()) continue;
    return 0;
  }
  RangeCheck check(state, trees, range);
  while (const std::optional<ScannedExtent> extent = scan.Next()) check.Take(*extent);
  check.Finish(scan.gaps() || !trees.extents);
  return check.used();
}

void CheckStrayBlockGroups(CheckState& state, const SpaceTrees& trees) {
  std::vector<Key> known;
  for (const Chunk& chunk : state.filesystem.volume().chunks()) {
    known.push_back({chunk.logical, kBlockGroupItemType, chunk.length});
  }
  if (!trees.block_groups || !state.superblock.has(CompatRoFlag::kBlockGroupTree)) return;
  for (ItemStream items(state, trees.block_groups, {}); items.valid(); items.Next()) {
    const Key& key = items.item().key();
    if (key.type != kBlockGroupItemType) continue;
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    state.findings.Add({.kind = FindingKind::kBlockGroupSurplus,
                        .tree = kBlockGroupTreeId,
                        .key = key,
                        .address = key.objectid,
                        .found = "a block group",
                        .expected = "a chunk of the same range"});
  }
}

uint64_t BytesWithoutChecksums(CheckState& state, const std::optional<BTree>& checksums,
                               uint64_t start, uint64_t length) {
  ChecksumRuns runs(state, checksums, start, start + length, false);
  uint64_t without = length;
  while (const std::optional<Run> run = runs.Next()) without -= run->end - run->start;
  return runs.gaps() ? 0 : without;
}

}  // namespace ebcache::tools
