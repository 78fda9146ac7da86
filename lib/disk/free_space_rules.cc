// The free space tree: extents, or bits, a sector each.

#include "lib/disk/item_rules.h"
#include "lib/disk/rejection.h"

namespace ebcache {
namespace {

absl::Status CheckFreeSpaceKey(const CheckedItem& item) {
  if (item.offset() == 0 || !item.Aligned(item.objectid() | item.offset()) ||
      !FitsAddressSpace(item.objectid(), item.offset())) [[unlikely]] {
    return Reject(Rejection::kFreeSpaceRange, "length ", item.offset());
  }
  if (item.slot() == 0) return absl::OkStatus();
  const CheckedItem previous = item.previous();
  const bool space =
      previous.type() == kFreeSpaceExtentType || previous.type() == kFreeSpaceBitmapType;
  if (space && item.objectid() - previous.objectid() < previous.offset()) [[unlikely]] {
    return Reject(Rejection::kFreeSpaceOverlap, "overlaps ", previous.key().ToString());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFreeSpaceExtent(const CheckedItem& item) {
  if (absl::Status status = CheckExactSize(item, 0); !status.ok()) return status;
  return CheckFreeSpaceKey(item);
}

absl::Status CheckFreeSpaceBitmap(const CheckedItem& item) {
  if (absl::Status status = CheckFreeSpaceKey(item); !status.ok()) return status;
  const uint64_t sectors = item.offset() / item.limits().sector_bytes;
  const uint64_t bytes = sectors / 8 + (sectors % 8 != 0);
  if (item.size() == bytes) [[likely]]
    return absl::OkStatus();
  return Reject(Rejection::kFreeSpaceBitmap, item.size(), " bytes for ", sectors, " sectors");
}

}  // namespace ebcache
