#include "lib/space/free_space_changes.h"

#include <absl/strings/str_cat.h>

namespace ebcache::space {

absl::Status FreeSpaceChanges::Allocated(uint64_t group, const Range& range) {
  return Add(group, range, &OfGroup::allocated, &OfGroup::freed);
}

absl::Status FreeSpaceChanges::Freed(uint64_t group, const Range& range) {
  return Add(group, range, &OfGroup::freed, &OfGroup::allocated);
}

absl::Status FreeSpaceChanges::Add(uint64_t group, const Range& range, RangeSet OfGroup::*to,
                                   RangeSet OfGroup::*opposite) {
  OfGroup& changes = groups_[group];
  size_ -= changes.size();
  absl::Status status;
  if ((changes.*to).Intersects(range)) {
    status = absl::DataLossError(absl::StrCat(range.ToString(), " was so before, or a part of it"));
  } else if (!(changes.*opposite).Intersects(range)) {
    status = (changes.*to).Add(range);
  } else if ((changes.*opposite).Contains(range)) {
    (changes.*opposite).Subtract(range);
  } else {
    RangeSet rest;
    rest.Unite(range);
    for (const auto& [start, end] : (changes.*opposite).ends()) {
      if (start < range.end()) rest.Subtract({start, end - start});
    }
    (changes.*opposite).Subtract(range);
    for (const auto& [start, end] : rest.ends()) (changes.*to).Unite({start, end - start});
  }
  size_ += changes.size();
  if (changes.size() == 0) groups_.erase(group);
  return status;
}

std::optional<FreeSpaceChanges::Change> FreeSpaceChanges::Take() {
  if (groups_.empty()) return std::nullopt;
  const auto first = groups_.begin();
  OfGroup& changes = first->second;
  Change change{.group = first->first, .range = {}, .free = changes.allocated.empty()};
  RangeSet& ranges = change.free ? changes.freed : changes.allocated;
  const auto [start, end] = *ranges.ends().begin();
  change.range = {start, end - start};
  ranges.Subtract(change.range);
  --size_;
  if (changes.size() == 0) groups_.erase(first);
  return change;
}

}  // namespace ebcache::space
