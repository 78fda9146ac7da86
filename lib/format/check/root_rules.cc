// Roots of trees.

#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"

namespace ebcache {
namespace {

constexpr uint64_t kReadOnlyFlag = 1;
constexpr uint64_t kDeadFlag = uint64_t{1} << 48;
// Where items of the old size end.
constexpr uint32_t kSecondGenerationOffset = 239;

// A relocation tree is known by the tree whose blocks it moves. Kernels refuse the one of data,
// which balances of old left behind; `btrfs check` reads it, and so do we.
bool IsRootKey(const CheckedItem& item) {
  if (item.objectid() == kTreeRelocId) {
    return IsFsTree(item.offset()) || item.offset() == kDataRelocTreeId;
  }
  return item.objectid() != 0;
}

absl::Status CheckRootGenerations(const CheckedItem& item, uint64_t generation) {
  const uint64_t last_snapshot = item.Load<uint64_t>(200);
  const uint64_t second =
      item.size() > kSecondGenerationOffset ? item.Load<uint64_t>(kSecondGenerationOffset) : 0;
  if (!item.TooNew(generation) && !item.TooNew(last_snapshot) && !item.TooNew(second)) [[likely]] {
    return absl::OkStatus();
  }
  return Reject(Rejection::kRootGeneration, "generation ", generation, " and ", second,
                ", last snapshot ", last_snapshot, ", the newest is ",
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
  absl::Status status = CheckRootGenerations(item, root->generation);
  if (!status.ok()) [[unlikely]]
    return status;
  const uint64_t flags = item.Load<uint64_t>(208);
  if ((flags & ~(kReadOnlyFlag | kDeadFlag)) != 0) [[unlikely]] {
    return Reject(Rejection::kRootFlags, "flags 0x", absl::Hex(flags));
  }
  return absl::OkStatus();
}

}  // namespace ebcache
