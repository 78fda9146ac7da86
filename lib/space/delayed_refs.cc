#include "lib/space/delayed_refs.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "lib/base/check.h"

namespace ebcache::space {

DelayedRefs::Entry& DelayedRefs::EntryOf(const ExtentChange& extent) {
  const auto [at, is_first] = extents_.try_emplace(extent.bytenr);
  if (is_first) {
    at->second.extent = extent;
    at->second.extent.is_new = false;
    at->second.extent.set_full_backref = false;
    at->second.extent.deltas.clear();
  }
  return at->second;
}

bool DelayedRefs::IsNothing(const Entry& entry) {
  return entry.deltas.empty() && (entry.extent.is_new || !entry.extent.set_full_backref);
}

absl::Status DelayedRefs::AddNew(const ExtentChange& change) {
  EBCACHE_CHECK(change.is_new && change.deltas.size() == 1 && change.deltas[0].count == 1,
                "a new extent has one reference");
  const auto [at, is_first] = extents_.try_emplace(change.bytenr);
  Entry& entry = at->second;
  if (!is_first) {
    return absl::AlreadyExistsError(
        absl::StrCat("extent ", change.bytenr, ": changes of what was there are pending"));
  }
  entry.extent = change;
  entry.extent.deltas.clear();
  entry.deltas.emplace(change.deltas[0].ref, 1);
  return absl::OkStatus();
}

DelayedRefs::Outcome DelayedRefs::Add(const ExtentChange& extent, const ExtentRef& ref,
                                      int64_t count) {
  Entry& entry = EntryOf(extent);
  const auto [delta, is_first] = entry.deltas.try_emplace(ref, 0);
  delta->second += count;
  if (delta->second == 0) entry.deltas.erase(delta);
  if (!IsNothing(entry)) return Outcome::kPending;
  const bool was_new = entry.extent.is_new;
  extents_.erase(extent.bytenr);
  return was_new ? Outcome::kCancelled : Outcome::kNothing;
}

void DelayedRefs::SetFullBackref(const ExtentChange& extent) {
  EntryOf(extent).extent.set_full_backref = true;
}

std::optional<DelayedRefs::Pending> DelayedRefs::Find(uint64_t bytenr) const {
  const auto at = extents_.find(bytenr);
  if (at == extents_.end()) return std::nullopt;
  Pending pending{.is_new = at->second.extent.is_new,
                  .full_backref = at->second.extent.set_full_backref};
  for (const auto& [ref, count] : at->second.deltas) pending.references += count;
  return pending;
}

std::optional<ExtentChange> DelayedRefs::Take(uint64_t from) {
  const auto at = extents_.lower_bound(from);
  if (at == extents_.end()) return std::nullopt;
  ExtentChange change = ChangeOf(at->second);
  extents_.erase(at);
  return change;
}

ExtentChange DelayedRefs::ChangeOf(const Entry& entry) {
  ExtentChange change = entry.extent;
  for (const auto& [ref, count] : entry.deltas) change.deltas.push_back({ref, count});
  return change;
}

ExtentChange DelayedRefs::With(const ExtentChange& extent, const ExtentRef& ref,
                               int64_t count) const {
  Entry entry{.extent = extent, .deltas = {}};
  if (const auto at = extents_.find(extent.bytenr); at != extents_.end()) entry = at->second;
  const auto [delta, is_first] = entry.deltas.try_emplace(ref, 0);
  delta->second += count;
  if (delta->second == 0) entry.deltas.erase(delta);
  return ChangeOf(entry);
}

}  // namespace ebcache::space
