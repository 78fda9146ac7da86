#include "lib/txn/space_loader.h"

#include <absl/strings/str_cat.h>

#include <optional>
#include <utility>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_space.h"
#include "lib/base/messages.h"
#include "lib/space/free_space_tree.h"
#include "lib/space/superblock_stripes.h"
#include "lib/txn/tree_store.h"

namespace ebcache::txn {
namespace {

absl::StatusOr<BlockGroup> LoadGroup(space::ItemStore& groups, const Chunk& chunk) {
  const Key key{chunk.logical, kBlockGroupItemType, chunk.length};
  const absl::StatusOr<std::optional<space::StoredItem>> stored = groups.Find(key);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) {
    return absl::DataLossError(
        absl::StrCat("the chunk at ", chunk.logical, " has no item ", key.ToString()));
  }
  const absl::StatusOr<BlockGroupItem> item = ParseItem<BlockGroupItem>((*stored)->data);
  if (!item.ok()) return Prefixed(key.ToString(), item.status());
  if (item->flags != chunk.type || item->used > chunk.length) {
    return absl::DataLossError(absl::StrCat(key.ToString(), ": flags ", item->flags, " and ",
                                            item->used, " bytes used, of a chunk with flags ",
                                            chunk.type, " and ", chunk.length, " bytes"));
  }
  return BlockGroup{.range = {chunk.logical, chunk.length},
                    .flags = chunk.type,
                    .used = item->used,
                    .stored_used = item->used,
                    .chunk_objectid = item->chunk_objectid};
}

absl::Status LoadFreeFromFreeSpaceTree(const BTree& tree, uint32_t sector_bytes,
                                       BlockGroup& group) {
  ReadStore store(tree);
  return space::FreeSpaceTree(&store, group.range, sector_bytes)
      .ForEachRun([&group](const space::Range& run) { group.free.Unite(run); });
}

absl::Status LoadFreeFromExtents(const BTree& extents, uint32_t node_bytes, BlockGroup& group) {
  group.free.Unite(group.range);
  ItemRange items = extents.Items(
      {.from = {group.range.start, 0, 0}, .to = {group.range.end() - 1, 0xff, kMaxKey.offset}});
  for (const Item& item : items) {
    const Key& key = item.key();
    if (key.type != kExtentItemType && key.type != kMetadataItemType) continue;
    const uint64_t bytes = key.type == kExtentItemType ? key.offset : node_bytes;
    absl::Status status = group.free.Remove({key.objectid, bytes});
    if (!status.ok()) return Prefixed(absl::StrCat("extent ", key.ToString()), status);
  }
  return items.status();
}

}  // namespace

absl::Status LoadSpace(Filesystem& filesystem, const SpaceForm& form, BlockSpace& space) {
  const absl::StatusOr<BTree> extents = filesystem.Tree(kExtentTreeId);
  if (!extents.ok()) return extents.status();
  const absl::StatusOr<BTree> groups = filesystem.Tree(form.block_group_tree_id());
  if (!groups.ok()) return groups.status();
  std::optional<BTree> free_space;
  if (form.free_space_tree) {
    absl::StatusOr<BTree> tree = filesystem.Tree(kFreeSpaceTreeId);
    if (!tree.ok()) return tree.status();
    free_space = *std::move(tree);
  }
  ReadStore group_items(*groups);
  for (const Chunk& chunk : filesystem.volume().chunks()) {
    absl::StatusOr<BlockGroup> group = LoadGroup(group_items, chunk);
    if (!group.ok()) return group.status();
    if (group->holds_blocks()) {
      absl::Status status = free_space
                                ? LoadFreeFromFreeSpaceTree(*free_space, form.sector_bytes, *group)
                                : LoadFreeFromExtents(*extents, form.rules.node_bytes, *group);
      if (!status.ok()) return status;
      if (group->free.bytes() + group->used != group->range.length) {
        return absl::DataLossError(absl::StrCat("block group ", group->range.ToString(), ": ",
                                                group->used, " bytes used and ",
                                                group->free.bytes(), " free"));
      }
      const absl::StatusOr<std::vector<space::Range>> reserved = space::SuperblockStripes(chunk);
      if (!reserved.ok()) return reserved.status();
      for (const space::Range& range : *reserved) group->free.Subtract(range);
    }
    if (absl::Status status = space.AddGroup(*std::move(group)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace ebcache::txn
