// Rules that items of many types share: of lengths, and of what stands before them.

#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"

namespace ebcache {

absl::Status CheckExactSize(const CheckedItem& item, uint32_t bytes) {
  if (item.size() == bytes) [[likely]]
    return absl::OkStatus();
  return Reject(Rejection::kItemSize, item.size(), " bytes, its type has ", bytes);
}

absl::Status CheckRecords(const CheckedItem& item, uint32_t record_bytes) {
  if (item.size() % record_bytes == 0) [[likely]]
    return absl::OkStatus();
  return Reject(Rejection::kItemRecords, item.size(), " bytes are not records of ", record_bytes);
}

absl::Status CheckName(const CheckedItem& item, uint64_t at, uint32_t length) {
  if (length == 0) [[unlikely]]
    return Reject(Rejection::kNameLength, "name of 0 bytes");
  if (at + length > item.size()) [[unlikely]] {
    return Reject(Rejection::kNameTruncated, "name of ", length, " bytes at ", at,
                  " leaves the item, which has ", item.size());
  }
  return absl::OkStatus();
}

absl::Status CheckFollowsInode(const CheckedItem& item) {
  // Only trees of files have all items of an inode behind it: a log has those that changed.
  if (item.slot() == 0 || item.previous().objectid() == item.objectid() ||
      !IsFsTree(item.leaf_owner())) [[likely]] {
    return absl::OkStatus();
  }
  return Reject(Rejection::kInodeMissing, "no item of inode ", item.objectid(), " before it, but ",
                item.previous().key().ToString());
}

}  // namespace ebcache
