#include <absl/strings/str_cat.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "ebcache/item_codec.h"
#include "ebcache/items_extent.h"
#include "ebcache/items_space.h"
#include "lib/space/free_space_tree.h"
#include "lib/space/range.h"
#include "lib/txn/tree_store.h"
#include "tests/crash/disk_state.h"

namespace ebcache::testing {
namespace {

class BlockCollector : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    blocks.insert(block.start());
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { complaint = damage.ToString(); }
  std::set<uint64_t> blocks;
  std::string complaint;
};

class SpaceChecker {
 public:
  explicit SpaceChecker(Filesystem* filesystem)
      : filesystem_(*filesystem), superblock_(filesystem->superblock()) {}

  std::string Check() {
    std::string complaint = CollectBlocks();
    if (complaint.empty()) complaint = CollectExtents();
    for (const Chunk& chunk : filesystem_.volume().chunks()) {
      if (complaint.empty()) complaint = CheckGroup(chunk);
    }
    if (complaint.empty()) complaint = CheckTrees();
    if (complaint.empty() && used_.bytes() != superblock_.bytes_used) {
      complaint = absl::StrCat(used_.bytes(), " bytes are used, not ", superblock_.bytes_used);
    }
    return complaint;
  }

 private:
  std::string CollectBlocks() {
    BlockCollector collector;
    std::vector<WalkDamage> damage;
    for (const TreeRoot& tree : filesystem_.Trees(&damage)) {
      WalkTree(filesystem_.cache(), tree, collector);
    }
    blocks_ = std::move(collector.blocks);
    return damage.empty() ? collector.complaint : damage[0].ToString();
  }

  // Every extent of a block is one of a block that was reached, and the other way round.
  std::string CollectExtents() {
    const absl::StatusOr<BTree> tree = filesystem_.Tree(kExtentTreeId);
    if (!tree.ok()) return tree.status().ToString();
    std::set<uint64_t> told;
    ItemRange items = tree->Items();
    for (const Item& item : items) {
      const Key& key = item.key();
      if (key.type != kExtentItemType && key.type != kMetadataItemType) continue;
      const absl::StatusOr<ExtentItem> extent = ParseExtentItem(key.type, item.data());
      if (!extent.ok()) return extent.status().ToString();
      const uint64_t bytes = key.type == kMetadataItemType ? superblock_.node_bytes : key.offset;
      if (absl::Status added = used_.Add({key.objectid, bytes}); !added.ok()) {
        return added.ToString();
      }
      if ((extent->head.flags & kExtentTreeBlock) != 0) told.insert(key.objectid);
    }
    if (!items.status().ok()) return items.status().ToString();
    if (told == blocks_) return "";
    return absl::StrCat("the extent tree tells of ", told.size(), " blocks, of ", blocks_.size());
  }

  std::string CheckGroup(const Chunk& chunk) {
    const space::Range range{chunk.logical, chunk.length};
    space::RangeSet free;
    free.Unite(range);
    // A run may go over the border of two groups.
    for (const auto& [start, end] : used_.ends()) {
      const uint64_t from = std::max(start, range.start);
      const uint64_t to = std::min(end, range.end());
      if (from < to) free.Subtract({from, to - from});
    }
    const uint64_t groups =
        superblock_.has(CompatRoFlag::kBlockGroupTree) ? kBlockGroupTreeId : kExtentTreeId;
    const absl::StatusOr<BTree> tree = filesystem_.Tree(groups);
    if (!tree.ok()) return tree.status().ToString();
    const auto stored =
        txn::ReadStore(*tree).Find({range.start, kBlockGroupItemType, range.length});
    if (!stored.ok() || !stored->has_value()) return "a block group has no item";
    const absl::StatusOr<BlockGroupItem> item = ParseItem<BlockGroupItem>((*stored)->data);
    if (!item.ok()) return item.status().ToString();
    if (item->used + free.bytes() != range.length) {
      return absl::StrCat("block group ", range.ToString(), " says that ", item->used,
                          " bytes are used");
    }
    return CheckFree(range, free);
  }

  bool InAGroup(uint64_t address) {
    for (const Chunk& chunk : filesystem_.volume().chunks()) {
      if (address >= chunk.logical && address - chunk.logical < chunk.length) return true;
    }
    return false;
  }

  // Items of a type in a tree, those that are in no block group not counted: mkfs.btrfs leaves free
  // space of block groups that are gone. nullopt where there is no such tree.
  std::optional<uint64_t> Count(uint64_t tree, std::optional<uint8_t> type) {
    const absl::StatusOr<BTree> opened = filesystem_.Tree(tree);
    if (!opened.ok()) return std::nullopt;
    uint64_t count = 0;
    ItemRange items = opened->Items();
    for (const Item& item : items) {
      const bool counts = !type || item.key().type == *type;
      count += counts && InAGroup(item.key().objectid) ? 1 : 0;
    }
    return items.status().ok() ? std::optional(count) : std::nullopt;
  }

  // No items are left where another form of keeping space has them.
  std::string CheckTrees() {
    const bool groups_apart = superblock_.has(CompatRoFlag::kBlockGroupTree);
    const uint64_t groups = filesystem_.volume().chunks().size();
    const uint64_t in_extents = Count(kExtentTreeId, kBlockGroupItemType).value_or(0);
    if (in_extents != (groups_apart ? 0 : groups)) {
      return absl::StrCat("the extent tree has ", in_extents, " block groups");
    }
    const std::optional<uint64_t> apart = Count(kBlockGroupTreeId, std::nullopt);
    if (apart != (groups_apart ? std::optional(groups) : std::nullopt)) {
      return absl::StrCat("the block group tree has ", apart.value_or(0), " items");
    }
    const std::optional<uint64_t> free = Count(kFreeSpaceTreeId, std::nullopt);
    if (free == (superblock_.has(CompatRoFlag::kFreeSpaceTree) ? std::optional(free_space_items_)
                                                               : std::nullopt)) {
      return "";
    }
    return absl::StrCat("the free space tree has ", free.value_or(0), " items");
  }

  // How many items its form takes.
  std::string CountFreeSpaceItems(txn::ReadStore& store, const space::Range& range, uint64_t runs) {
    const auto stored = store.Find({range.start, kFreeSpaceInfoType, range.length});
    if (!stored.ok() || !stored->has_value()) return "a block group has no free space info";
    const absl::StatusOr<FreeSpaceInfo> info = ParseItem<FreeSpaceInfo>((*stored)->data);
    if (!info.ok()) return info.status().ToString();
    const space::FormThresholds form = space::ThresholdsOf(range.length, superblock_.sector_bytes);
    const bool bitmaps = (info->flags & kFreeSpaceUsesBitmaps) != 0;
    if (bitmaps ? runs < form.extents_below : runs > form.bitmaps_above) {
      return absl::StrCat(runs, " runs of free space in a form that no kernel gives them");
    }
    const uint64_t span = FreeSpaceBitmap::kMostSectors * uint64_t{superblock_.sector_bytes};
    free_space_items_ += 1 + (bitmaps ? (range.length + span - 1) / span : runs);
    return "";
  }

  std::string CheckFree(const space::Range& range, const space::RangeSet& free) {
    if (!superblock_.has(CompatRoFlag::kFreeSpaceTree)) return "";
    const absl::StatusOr<BTree> tree = filesystem_.Tree(kFreeSpaceTreeId);
    if (!tree.ok()) return tree.status().ToString();
    txn::ReadStore store(*tree);
    space::RangeSet told;
    const absl::Status read =
        space::FreeSpaceTree(&store, range, superblock_.sector_bytes)
            .ForEachRun([&told](const space::Range& run) { told.Unite(run); });
    if (!read.ok()) return read.ToString();
    if (told.ends() == free.ends()) return CountFreeSpaceItems(store, range, told.size());
    return absl::StrCat("the free space tree has something else free in ", range.ToString());
  }

  Filesystem& filesystem_;
  const Superblock superblock_;
  std::set<uint64_t> blocks_;
  space::RangeSet used_;
  uint64_t free_space_items_ = 0;  // that the free space tree is to have
};

}  // namespace

std::string SpaceComplaintOf(const Disks& disks) {
  const auto filesystem = OpenDisks(disks);
  if (!filesystem.ok()) return filesystem.status().ToString();
  return SpaceComplaintOf(**filesystem);
}

std::string SpaceComplaintOf(Filesystem& filesystem) { return SpaceChecker(&filesystem).Check(); }

}  // namespace ebcache::testing
