#include "lib/space/range.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <iterator>

namespace ebcache::space {
namespace {

absl::Status CheckRange(const Range& range) {
  if (range.length != 0 && range.end() > range.start) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a range of ", range.length, " bytes at ", range.start));
}

}  // namespace

std::string Range::ToString() const { return absl::StrCat("[", start, ", ", end(), ")"); }

RangeSet::Iterator RangeSet::EndsBehind(uint64_t address) const {
  auto at = ends_.upper_bound(address);
  if (at != ends_.begin() && std::prev(at)->second > address) --at;
  return at;
}

bool RangeSet::Contains(const Range& range) const {
  const auto at = EndsBehind(range.start);
  return at != ends_.end() && at->first <= range.start && at->second >= range.end();
}

bool RangeSet::Intersects(const Range& range) const {
  const auto at = EndsBehind(range.start);
  return at != ends_.end() && at->first < range.end();
}

absl::Status RangeSet::Add(const Range& range) {
  if (absl::Status status = CheckRange(range); !status.ok()) return status;
  if (Intersects(range)) {
    return absl::DataLossError(
        absl::StrCat(range.ToString(), " is there already, or a part of it"));
  }
  Unite(range);
  return absl::OkStatus();
}

absl::Status RangeSet::Remove(const Range& range) {
  if (absl::Status status = CheckRange(range); !status.ok()) return status;
  if (!Contains(range)) {
    return absl::DataLossError(absl::StrCat(range.ToString(), " is not there, or a part of it"));
  }
  Subtract(range);
  return absl::OkStatus();
}

void RangeSet::Unite(const Range& range) {
  uint64_t start = range.start;
  uint64_t end = range.end();
  // Those that it reaches or touches become one with it.
  auto at = EndsBehind(start);
  if (at != ends_.begin() && std::prev(at)->second == start) --at;
  while (at != ends_.end() && at->first <= end) {
    start = std::min(start, at->first);
    end = std::max(end, at->second);
    bytes_ -= at->second - at->first;
    at = ends_.erase(at);
  }
  ends_.emplace_hint(at, start, end);
  bytes_ += end - start;
}

void RangeSet::Subtract(const Range& range) {
  auto at = EndsBehind(range.start);
  while (at != ends_.end() && at->first < range.end()) {
    const auto [start, end] = *at;
    bytes_ -= end - start;
    at = ends_.erase(at);
    if (start < range.start) {
      ends_.emplace(start, range.start);
      bytes_ += range.start - start;
    }
    if (end > range.end()) {
      ends_.emplace(range.end(), end);
      bytes_ += end - range.end();
    }
  }
}

std::optional<uint64_t> RangeSet::Find(uint64_t bytes, uint64_t alignment, uint64_t from) const {
  for (auto at = EndsBehind(from); at != ends_.end(); ++at) {
    const uint64_t start = std::max(at->first, from);
    const uint64_t rest = start % alignment;
    const uint64_t skip = rest == 0 ? 0 : alignment - rest;
    const uint64_t room = at->second - start;
    if (skip <= room && bytes <= room - skip) return start + skip;
  }
  return std::nullopt;
}

std::optional<Range> RangeSet::Longest() const {
  std::optional<Range> longest;
  for (const auto& [start, end] : ends_) {
    if (!longest || end - start > longest->length) longest = Range{start, end - start};
  }
  return longest;
}

}  // namespace ebcache::space
