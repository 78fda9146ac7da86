// Roots of trees, and the names of subvolumes.

#include <absl/strings/str_cat.h>

#include "lib/disk/item_rules.h"
#include "lib/disk/rejection.h"

namespace ebcache {
namespace {

constexpr uint64_t kReadOnlyFlag = 1;
constexpr uint64_t kDeadFlag = uint64_t{1} << 48;
// In front of the name.
constexpr uint32_t kRootReferenceBytes = 18;

}  // namespace

absl::Status CheckRoot(const CheckedItem& item) {
  if (item.objectid() == 0) [[unlikely]]
    return Reject(Rejection::kRootKey, "tree 0");
  absl::StatusOr<RootItem> root = ParseRootItem(item.data());
  if (!root.ok()) [[unlikely]] {
    return Reject(Rejection::kRootItem, root.status().message());
  }
  if (item.TooNew(root->generation)) [[unlikely]] {
    return Reject(Rejection::kRootGeneration, "generation ", root->generation, ", the newest is ",
                  item.limits().newest_generation);
  }
  const uint64_t flags = item.Load<uint64_t>(208);
  if ((flags & ~(kReadOnlyFlag | kDeadFlag)) != 0) [[unlikely]] {
    return Reject(Rejection::kRootFlags, "flags 0x", absl::Hex(flags));
  }
  return absl::OkStatus();
}

absl::Status CheckRootReference(const CheckedItem& item) {
  if (item.size() < kRootReferenceBytes) [[unlikely]] {
    return Reject(Rejection::kNameTruncated, item.size(), " bytes, without the name it has ",
                  kRootReferenceBytes);
  }
  const uint32_t name_bytes = item.Load<uint16_t>(16);
  absl::Status status = CheckName(item, kRootReferenceBytes, name_bytes);
  if (!status.ok()) return status;
  return CheckExactSize(item, kRootReferenceBytes + name_bytes);
}

}  // namespace ebcache
