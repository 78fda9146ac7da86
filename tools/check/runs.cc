#include "tools/check/runs.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "ebcache/items.h"

namespace ebcache::tools {
namespace {

KeyRange FreeSpaceItems(uint64_t start, uint64_t end) {
  return {{start, 0, 0}, {end - 1, kMaxKey.type, kMaxKey.offset}};
}

// From the item that begins before `start` and may reach into the range.
KeyRange ChecksumItems(const std::optional<BTree>& tree, uint64_t start, uint64_t end) {
  Key from{kDataChecksumsObjectId, kExtentCsumType, start};
  if (tree) {
    const absl::StatusOr<Path> path = tree->SearchBackward(from);
    if (path.ok() && path->key().objectid == from.objectid && path->key().type == from.type) {
      from = path->key();
    }
  }
  return {from, {kDataChecksumsObjectId, kExtentCsumType, end - 1}};
}

}  // namespace

size_t ChecksumBytes(ChecksumType type) {
  switch (type) {
    case ChecksumType::kCrc32c:
      return 4;
    case ChecksumType::kXxhash64:
      return 8;
    case ChecksumType::kSha256:
    case ChecksumType::kBlake2b:
      return 32;
  }
  return 32;
}

FreeRuns::FreeRuns(CheckState& state, const std::optional<BTree>& tree, uint64_t start,
                   uint64_t end)
    : sector_bytes_(state.sector_bytes()), items_(state, tree, FreeSpaceItems(start, end)) {}

void FreeRuns::Append(uint64_t start, uint64_t end) {
  if (!ready_.empty() && ready_.back().end == start) {
    ready_.back().end = end;
  } else {
    ready_.push_back({start, end});
  }
}

void FreeRuns::TakeBitmap(const Key& key, const FreeSpaceBitmap& bitmap) {
  const uint64_t sectors =
      std::min<uint64_t>(key.offset / sector_bytes_, bitmap.bits.size() * uint64_t{8});
  for (uint64_t sector = 0; sector < sectors; ++sector) {
    if (!bitmap.free(sector)) continue;
    uint64_t end = sector + 1;
    while (end < sectors && bitmap.free(end)) ++end;
    Append(key.objectid + sector * sector_bytes_, key.objectid + end * sector_bytes_);
    sector = end;
  }
}

void FreeRuns::Fill() {
  // One run more than the next: the last one may go on in the item behind.
  while (ready_.size() < 2 && items_.valid()) {
    const Key& key = items_.item().key();
    if (key.type == kFreeSpaceInfoType) {
      if (const auto info = ParseItem<FreeSpaceInfo>(items_.item().data()); info.ok()) {
        odd_items_ = odd_items_ || info_.has_value();
        info_ = *info;
        info_key_ = key;
      }
    } else if (key.type == kFreeSpaceExtentType) {
      odd_items_ = odd_items_ || !info_ || (info_->flags & kFreeSpaceUsesBitmaps) != 0;
      Append(key.objectid, key.objectid + key.offset);
    } else if (key.type == kFreeSpaceBitmapType) {
      odd_items_ = odd_items_ || !info_ || (info_->flags & kFreeSpaceUsesBitmaps) == 0;
      TakeBitmap(key, {items_.item().data()});
    } else {
      odd_items_ = true;
    }
    items_.Next();
  }
}

std::optional<Run> FreeRuns::Next() {
  Fill();
  if (ready_.empty()) return std::nullopt;
  const Run run = ready_.front();
  ready_.pop_front();
  ++runs_;
  return run;
}

ChecksumRuns::ChecksumRuns(CheckState& state, const std::optional<BTree>& tree, uint64_t start,
                           uint64_t end, bool tell)
    : state_(state),
      start_(start),
      end_(end),
      tell_(tell),
      checksum_bytes_(ChecksumBytes(state.superblock.checksum_type)),
      items_(state, tree, ChecksumItems(tree, start, end)) {}

std::optional<Run> ChecksumRuns::Next() {
  for (; items_.valid(); items_.Next()) {
    const Key key = items_.item().key();
    if (key.objectid != kDataChecksumsObjectId || key.type != kExtentCsumType) continue;
    const uint64_t sectors = items_.item().data().size() / checksum_bytes_;
    const uint64_t end = key.offset + sectors * state_.sector_bytes();
    if (tell_ && key.offset >= start_ && key.offset < last_end_) {
      state_.findings.Add({.kind = FindingKind::kChecksumOverlap,
                           .tree = kCsumTreeId,
                           .key = key,
                           .address = key.offset,
                           .found = absl::StrCat("the item before it ends at ", last_end_),
                           .expected = {}});
    }
    const Run run{std::max({key.offset, start_, last_end_}), std::min(end, end_)};
    last_end_ = std::max(last_end_, end);
    if (run.start >= run.end) continue;
    items_.Next();
    return run;
  }
  return std::nullopt;
}

}  // namespace ebcache::tools
