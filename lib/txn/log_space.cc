#include "lib/txn/log_space.h"

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
  LogVisitor(const Volume& volume, uint32_t node_bytes, BlockSpace& space)
      : volume_(volume), node_bytes_(node_bytes), space_(space) {}

  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    space_.Withhold({block.start(), node_bytes_});
    if (Header(block).level() > 0) return true;
    ForEachItemOfType(block, kExtentDataType, [&](const Key&, absl::Span<const std::byte> data) {
      const absl::StatusOr<FileExtentItem> item = ParseItem<FileExtentItem>(data);
      if (!item.ok() || !item->place || item->place->disk_bytenr == 0) return;
      const space::Range range{item->place->disk_bytenr, item->place->disk_bytes};
      if (range.length > 0 && range.end() > range.start) space_.Withhold(range);
    });
    return true;
  }

  void VisitDamage(const WalkDamage& damage) override {
    const bool may_be_good =
        absl::IsResourceExhausted(damage.status) || volume_.OnMissingDevices(damage.logical);
    if (unread_.ok() && may_be_good) unread_ = Reworded(damage.status, damage.ToString());
  }

  const absl::Status& unread() const { return unread_; }

 private:
  const Volume& volume_;
  const uint32_t node_bytes_;
  BlockSpace& space_;
  absl::Status unread_;
};

}  // namespace

absl::Status WithholdLog(Filesystem& filesystem, BlockSpace& space) {
  const Superblock superblock = filesystem.superblock();
  if (superblock.log_root == 0) return absl::OkStatus();
  LogVisitor visitor(filesystem.volume(), superblock.node_bytes, space);
  std::vector<WalkDamage> damage;
  for (const TreeRoot& root : filesystem.Trees(&damage)) {
    if (root.id == kTreeLogId) WalkTree(filesystem.cache(), root, visitor);
  }
  for (const WalkDamage& one : damage) {
    if (one.tree == kTreeLogId) visitor.VisitDamage(one);
  }
  return visitor.unread();
}

}  // namespace ebcache::txn
