#include "lib/txn/log_space.h"

#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/item_codec.h"
#include "ebcache/items_file.h"
#include "ebcache/on_disk.h"
#include "lib/base/messages.h"
#include "lib/base/status_number.h"
#include "lib/fs/tree_roots.h"

namespace ebcache::txn {
namespace {

class LogVisitor : public TreeVisitor {
 public:
  LogVisitor(const Volume& volume, uint32_t node_bytes)
      : volume_(volume), node_bytes_(node_bytes) {}

  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    ranges.Unite({block.start(), node_bytes_});
    if (Header(block).level() > 0) return true;
    ForEachItemOfType(block, kExtentDataType, [&](const Key&, absl::Span<const std::byte> data) {
      const absl::StatusOr<FileExtentItem> item = ParseItem<FileExtentItem>(data);
      if (!item.ok() || !item->place || item->place->disk_bytenr == 0) return;
      const space::Range range{item->place->disk_bytenr, item->place->disk_bytes};
      if (range.length > 0 && range.end() > range.start) ranges.Unite(range);
    });
    return true;
  }

  void VisitDamage(const WalkDamage& damage) override {
    const bool may_be_good =
        absl::IsResourceExhausted(damage.status) || volume_.OnMissingDevices(damage.logical);
    if (unread_.ok() && may_be_good) unread_ = Reworded(damage.status, damage.ToString());
  }

  const absl::Status& unread() const { return unread_; }
  space::RangeSet ranges;

 private:
  const Volume& volume_;
  const uint32_t node_bytes_;
  absl::Status unread_;
};

}  // namespace

absl::StatusOr<space::RangeSet> FindLog(Filesystem& filesystem) {
  const Superblock superblock = filesystem.superblock();
  if (superblock.log_root == 0) return space::RangeSet();
  LogVisitor visitor(filesystem.volume(), superblock.node_bytes);
  std::vector<WalkDamage> damage;
  for (const TreeRoot& root : filesystem.Trees(&damage)) {
    if (root.id == kTreeLogId) WalkTree(filesystem.cache(), root, visitor);
  }
  for (const WalkDamage& one : damage) {
    if (one.tree == kTreeLogId) visitor.VisitDamage(one);
  }
  if (!visitor.unread().ok()) return visitor.unread();
  return std::move(visitor.ranges);
}

}  // namespace ebcache::txn
