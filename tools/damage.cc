#include "tools/damage.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <utility>

#include "ebcache/on_disk.h"

namespace ebcache::tools {

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

void DamageLog::NoteMirror(const MirrorDamage& damage) {
  // Another copy was good, and of this one nothing is known: there was no damage to recover from.
  if (damage.no_memory && damage.recovered) return;
  const MutexLock lock(mutex_);
  std::vector<MirrorDamage>& mirrors = mirrors_[damage.logical];
  // A block that left the cache and is read again has the same to say.
  const bool noted = std::any_of(mirrors.begin(), mirrors.end(), [&](const MirrorDamage& other) {
    return other.mirror == damage.mirror;
  });
  if (!noted) mirrors.push_back(damage);
}

std::vector<MirrorDamage> DamageLog::TakeMirrors(uint64_t logical) {
  const MutexLock lock(mutex_);
  const auto found = mirrors_.find(logical);
  if (found == mirrors_.end()) return {};
  std::vector<MirrorDamage> mirrors = std::move(found->second);
  mirrors_.erase(found);
  return mirrors;
}

void DamageLog::NoteGoodBlock(const TreeRoot& tree, const ExtentBuffer& block) {
  std::vector<MirrorDamage> mirrors = TakeMirrors(block.start());
  if (mirrors.empty() || !recovered_blocks_.insert(block.start()).second) return;
  if (recovered_.size() == kKept) return;
  const auto describe = [](std::string* out, const MirrorDamage& mirror) {
    absl::StrAppend(out, mirror.ToString());
  };
  recovered_.push_back({.tree = tree.id,
                        .key_offset = tree.key_offset,
                        .tree_deleted = tree.deleted(),
                        .level = Header(block).level(),
                        .logical = block.start(),
                        .reason = absl::StrCat("recovered from mirror ", block.mirror(), ": ",
                                               absl::StrJoin(mirrors, "; ", describe)),
                        .recovered = true,
                        .mirrors = std::move(mirrors)});
}

void DamageLog::NoteDamage(const WalkDamage& damage, Cause cause) {
  lost_.Note(damage, cause, TakeMirrors(damage.logical));
}

}  // namespace ebcache::tools
