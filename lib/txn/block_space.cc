#include "lib/txn/block_space.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>

#include "lib/base/status_number.h"

namespace ebcache::txn {

absl::Status BlockSpace::AddGroup(BlockGroup group) {
  const auto next = groups_.lower_bound(group.range.start);
  const bool over_next = next != groups_.end() && next->first < group.range.end();
  const bool over_last =
      next != groups_.begin() && std::prev(next)->second.range.end() > group.range.start;
  if (over_next || over_last) {
    return absl::DataLossError(
        absl::StrCat("block group ", group.range.ToString(), " overlaps another"));
  }
  groups_.emplace_hint(next, group.range.start, std::move(group));
  return absl::OkStatus();
}

BlockGroup* BlockSpace::Find(uint64_t bytenr) {
  auto at = groups_.upper_bound(bytenr);
  if (at == groups_.begin()) return nullptr;
  BlockGroup& group = std::prev(at)->second;
  return bytenr < group.range.end() ? &group : nullptr;
}

std::optional<uint64_t> BlockSpace::AllocateIn(BlockGroup& group, uint64_t from,
                                               absl::FunctionRef<bool(uint64_t)> usable) {
  while (const std::optional<uint64_t> at = group.free.Find(node_bytes_, node_bytes_, from)) {
    from = *at + node_bytes_;
    if (!usable(*at)) continue;
    group.free.Subtract({*at, node_bytes_});
    return at;
  }
  return std::nullopt;
}

absl::StatusOr<uint64_t> BlockSpace::Allocate(bool system,
                                              absl::FunctionRef<bool(uint64_t)> usable) {
  uint64_t& cursor = cursors_[system ? 1 : 0];
  const auto fits = [&](const BlockGroup& group) {
    return group.holds_blocks() && group.system() == system && group.free.bytes() >= node_bytes_;
  };
  // From the cursor to the end, and then from the front.
  for (const uint64_t from : {cursor, uint64_t{0}}) {
    for (auto& [start, group] : groups_) {
      if (group.range.end() <= from || !fits(group)) continue;
      if (const std::optional<uint64_t> at = AllocateIn(group, from, usable)) {
        cursor = *at + node_bytes_;
        return *at;
      }
    }
  }
  return WithNumber(absl::ResourceExhaustedError(
                        absl::StrCat("no room for a block of ", node_bytes_, " bytes in the ",
                                     system ? "system" : "metadata", " block groups")),
                    ENOSPC);
}

void BlockSpace::GiveBack(uint64_t bytenr) {
  BlockGroup* group = Find(bytenr);
  if (group != nullptr && group->holds_blocks()) group->free.Unite({bytenr, node_bytes_});
}

FreedRanges BlockSpace::TakePinned() { return std::exchange(pinned_, {}); }

// Two groups may have been freed up to their common border.
template <typename Visit>
void BlockSpace::ForEachPart(const space::Range& range, Visit visit) {
  for (uint64_t from = range.start; from < range.end();) {
    BlockGroup* group = Find(from);
    if (group == nullptr) return;
    const uint64_t to = std::min(range.end(), group->range.end());
    if (group->holds_blocks()) visit(*group, space::Range{from, to - from});
    from = to;
  }
}

void BlockSpace::Withhold(const space::Range& range) {
  ForEachPart(range,
              [](BlockGroup& group, const space::Range& part) { group.free.Subtract(part); });
}

void BlockSpace::Release(const space::RangeSet& ranges) {
  for (const auto& [start, end] : ranges.ends()) {
    ForEachPart({start, end - start},
                [](BlockGroup& group, const space::Range& part) { group.free.Unite(part); });
  }
}

uint64_t BlockSpace::FreeBytes(bool system) const {
  uint64_t bytes = 0;
  for (const auto& [start, group] : groups_) {
    if (group.holds_blocks() && group.system() == system) bytes += group.free.bytes();
  }
  return bytes;
}

uint64_t BlockSpace::UsedBytes() const {
  uint64_t bytes = 0;
  for (const auto& [start, group] : groups_) bytes += group.used;
  return bytes;
}

}  // namespace ebcache::txn
