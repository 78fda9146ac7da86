#include "examples/damage_log.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/on_disk.h"

namespace ebcache::examples {

void DamageLog::NoteMirror(const MirrorDamage& damage) {
  // Another copy was good, and of this one nothing is known: there was no damage to recover from.
  if (damage.no_memory && damage.recovered) return;
  std::lock_guard lock(mutex_);
  std::vector<MirrorDamage>& mirrors = mirrors_[damage.logical];
  // A block that left the cache and is read again has the same to say.
  const bool noted = std::any_of(mirrors.begin(), mirrors.end(), [&](const MirrorDamage& other) {
    return other.mirror == damage.mirror;
  });
  if (!noted) mirrors.push_back(damage);
}

std::vector<MirrorDamage> DamageLog::TakeMirrors(uint64_t logical) {
  std::lock_guard lock(mutex_);
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

}  // namespace ebcache::examples
