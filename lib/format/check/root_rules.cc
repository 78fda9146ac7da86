// Roots of trees.

#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"

namespace ebcache {
namespace {

// A relocation tree is known by the tree whose blocks it moves. Kernels refuse the one of data,
// which balances of old left behind; `btrfs check` reads it, and so do we.
bool IsRootKey(const CheckedItem& item) {
  if (item.objectid() == kTreeRelocId) {
    return IsFsTree(item.offset()) || item.offset() == kDataRelocTreeId;
  }
  return item.objectid() != 0;
}

absl::Status CheckRootGenerations(const CheckedItem& item, const RootItem& root) {
  const uint64_t second = root.extension ? root.extension->generation_v2 : 0;
  if (!item.TooNew(root.generation) && !item.TooNew(root.last_snapshot) && !item.TooNew(second))
      [[likely]] {
    return absl::OkStatus();
  }
  return Reject(Rejection::kRootGeneration, "generation ", root.generation, " and ", second,
                ", last snapshot ", root.last_snapshot, ", the newest is ",
                item.limits().newest_generation);
}

}  // namespace

absl::Status CheckRoot(const CheckedItem& item) {
  if (!IsRootKey(item)) [[unlikely]]
    return Reject(Rejection::kRootKey, "not the key of a root");
  absl::StatusOr<RootItem> root = ParseRootItem(item.data());
  if (!root.ok()) [[unlikely]] {
    return Reject(Rejection::kRootItem, root.status().message());
  }
  if (!item.Aligned(root->bytenr)) [[unlikely]] {
    return Reject(Rejection::kRootItem, "block ", root->bytenr, " is not sector-aligned");
  }
  absl::Status status = CheckRootGenerations(item, *root);
  if (!status.ok()) [[unlikely]]
    return status;
  if ((root->flags & ~(kRootReadOnly | kRootDead)) != 0) [[unlikely]] {
    return Reject(Rejection::kRootFlags, "flags 0x", absl::Hex(root->flags));
  }
  return absl::OkStatus();
}

}  // namespace ebcache
