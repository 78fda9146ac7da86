#include "lib/txn/extent_updates.h"

#include <absl/strings/str_cat.h>

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_space.h"
#include "lib/base/messages.h"
#include "lib/format/checksum.h"
#include "lib/space/data_checksums.h"
#include "lib/space/free_space_tree.h"

namespace ebcache::txn {
namespace {

// Ranges that may wait for the free space tree: more are told before the end.
constexpr size_t kMostRanges = 16384;

std::string NameOf(const space::ExtentChange& change) {
  return absl::StrCat("extent ", change.bytenr, " of ", change.bytes, " bytes");
}

}  // namespace

SpaceForm SpaceForm::Of(const Superblock& superblock, space::ExtentRules::Existing existing) {
  return {.rules = {.node_bytes = superblock.node_bytes,
                    .skinny_metadata = superblock.has(IncompatFlag::kSkinnyMetadata),
                    .existing = existing},
          .sector_bytes = superblock.sector_bytes,
          .checksum_bytes = static_cast<uint32_t>(ChecksumBytes(superblock.checksum_type)),
          .free_space_tree = superblock.has(CompatRoFlag::kFreeSpaceTree) &&
                             superblock.has(CompatRoFlag::kFreeSpaceTreeValid),
          .block_group_tree = superblock.has(CompatRoFlag::kBlockGroupTree)};
}

absl::StatusOr<bool> ExtentUpdates::RunSome(uint64_t most) {
  for (uint64_t told = 0; told < most; ++told) {
    // Ranges come behind the extents: what allocates and frees by then has joined, or cancelled.
    std::optional<space::ExtentChange> change;
    if (free_space_.size() <= kMostRanges) change = NextExtent();
    if (!change) {
      if (free_space_.empty()) return false;
      if (absl::Status status = TellFreeSpace(); !status.ok()) return status;
      continue;
    }
    if (absl::Status status = Tell(*change); !status.ok()) return Prefixed(NameOf(*change), status);
    ++extents_told_;
  }
  return !delayed_.empty() || !free_space_.empty();
}

// In the order of addresses, so that a leaf of the extent tree is met once; and from the front again,
// because to tell makes more to be told.
std::optional<space::ExtentChange> ExtentUpdates::NextExtent() {
  std::optional<space::ExtentChange> change = delayed_.Take(position_);
  if (!change) change = delayed_.Take();
  position_ = change ? change->bytenr + 1 : 0;
  return change;
}

absl::Status ExtentUpdates::Tell(const space::ExtentChange& change) {
  BlockGroup* group = space_.Find(change.bytenr);
  const space::Range range{change.bytenr, change.bytes};
  if (group == nullptr || range.end() > group->range.end()) {
    return absl::DataLossError("there is no block group that has all of it");
  }
  absl::StatusOr<TreeStore> extents = trees_.Store(kExtentTreeId);
  if (!extents.ok()) return extents.status();
  const absl::StatusOr<space::ExtentState> state =
      space::ChangeExtent(*extents, change, form_.rules);
  if (!state.ok()) return state.status();
  if (change.is_new) {
    group->used += change.bytes;
    if (absl::Status status = NoteFreeSpace(*group, range, false); !status.ok()) return status;
  }
  if (state->references != 0) return absl::OkStatus();
  group->used -= change.bytes;
  // The item may be damaged, and say that what the way back leads to came after it. Data is always
  // older than the session.
  space_.Pin(range, change.data ? 0 : change.generation);
  if (change.data) {
    if (absl::Status status = RemoveChecksums(range); !status.ok()) return status;
  }
  return NoteFreeSpace(*group, range, true);
}

absl::Status ExtentUpdates::NoteFreeSpace(const BlockGroup& group, const space::Range& range,
                                          bool free) {
  if (!form_.free_space_tree) return absl::OkStatus();
  return free ? free_space_.Freed(group.range.start, range)
              : free_space_.Allocated(group.range.start, range);
}

absl::Status ExtentUpdates::TellFreeSpace() {
  const std::optional<space::FreeSpaceChanges::Change> change = free_space_.Take();
  if (!change) return absl::OkStatus();
  absl::StatusOr<TreeStore> store = trees_.Store(kFreeSpaceTreeId);
  if (!store.ok()) return store.status();
  space::FreeSpaceTree tree(&*store, space_.Find(change->group)->range, form_.sector_bytes);
  return change->free ? tree.Free(change->range) : tree.Allocate(change->range);
}

absl::StatusOr<bool> ExtentUpdates::UpdateGroupItems() {
  bool any = false;
  absl::StatusOr<TreeStore> store = trees_.Store(form_.block_group_tree_id());
  if (!store.ok()) return store.status();
  for (auto& [start, group] : space_.groups()) {
    if (group.used == group.stored_used) continue;
    const Key key{start, kBlockGroupItemType, group.range.length};
    const absl::StatusOr<std::optional<space::StoredItem>> stored = store->Find(key);
    if (!stored.ok()) return stored.status();
    if (!stored->has_value()) {
      return absl::DataLossError(absl::StrCat("there is no item ", key.ToString()));
    }
    absl::StatusOr<BlockGroupItem> item = ParseItem<BlockGroupItem>((*stored)->data);
    if (!item.ok()) return item.status();
    item->used = group.used;
    std::vector<std::byte> data;
    absl::Status status = AppendItem(*item, data);
    if (status.ok()) status = store->Replace(key, data);
    if (!status.ok()) return status;
    group.stored_used = item->used;
    any = true;
  }
  return any;
}

absl::Status ExtentUpdates::RunAll() {
  while (true) {
    absl::StatusOr<bool> more = RunSome(std::numeric_limits<uint64_t>::max());
    if (!more.ok()) return more.status();
    absl::StatusOr<bool> changed = UpdateGroupItems();
    if (!changed.ok()) return Prefixed("block group items", changed.status());
    more = trees_.UpdateRootItems();
    if (!more.ok()) return more.status();
    if (!*more && !*changed && delayed_.empty()) return absl::OkStatus();
  }
}

absl::Status ExtentUpdates::RemoveChecksums(const space::Range& range) {
  absl::StatusOr<TreeStore> store = trees_.Store(kCsumTreeId);
  if (absl::IsNotFound(store.status())) return absl::OkStatus();
  if (!store.ok()) return store.status();
  return space::RemoveChecksums(*store, range, form_.sector_bytes, form_.checksum_bytes);
}

}  // namespace ebcache::txn
