#include "examples/lost_blocks.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "ebcache/on_disk.h"

namespace ebcache::examples {

const char* CauseName(Cause cause) {
  switch (cause) {
    case Cause::kMissingDevice:
      return "missing device";
    case Cause::kNoMemory:
      return "no memory";
    case Cause::kDamage:
      break;
  }
  return "damage";
}

Cause CauseOf(const WalkDamage& damage, const Volume& volume) {
  if (absl::IsResourceExhausted(damage.status)) return Cause::kNoMemory;
  // What is wrong with an item was read, and so was a block that is not what its place asks for.
  const bool unread = absl::IsUnavailable(damage.status) && !damage.item;
  return unread && volume.OnMissingDevices(damage.logical) ? Cause::kMissingDevice : Cause::kDamage;
}

std::string TreeNameWithState(uint64_t tree, uint64_t key_offset, bool deleted) {
  return absl::StrCat(TreeRootName(tree, key_offset), deleted ? " (deleted)" : "");
}

std::string BlockDamage::ToString() const {
  std::string text = absl::StrCat("tree ", TreeNameWithState(tree, key_offset, tree_deleted),
                                  ", level ", level, ", block ", logical, ": ", reason);
  if (places > 1) absl::StrAppend(&text, " (", places, " pointers lead there)");
  return text;
}

bool LostBlocks::Note(const WalkDamage& damage, Cause cause, std::vector<MirrorDamage> mirrors) {
  const Key item = damage.item.value_or(Key{});
  const Subject subject{damage.logical, damage.item.has_value(), item.objectid, item.type,
                        item.offset};
  if (const auto told = told_.find(subject); told != told_.end()) {
    const auto& [first_cause, index] = told->second;
    List& list = lists_[static_cast<size_t>(first_cause)];
    if (index < list.kept.size()) ++list.kept[index].places;
    return false;
  }
  List& list = lists_[static_cast<size_t>(cause)];
  if (told_.size() < kMostSubjects) told_[subject] = {cause, list.count};
  if (list.count++ < kKept) {
    list.kept.push_back({.tree = damage.tree,
                         .key_offset = damage.key_offset,
                         .tree_deleted = damage.tree_deleted,
                         .level = damage.level,
                         .logical = damage.logical,
                         .reason = damage.reason(),
                         .mirrors = std::move(mirrors)});
  }
  return true;
}

}  // namespace ebcache::examples
