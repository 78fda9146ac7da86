// Rules that items of many types share: of lengths.

#include "lib/disk/item_rules.h"
#include "lib/disk/rejection.h"

namespace ebcache {

absl::Status CheckExactSize(const CheckedItem& item, uint32_t bytes) {
  if (item.size() == bytes) [[likely]]
    return absl::OkStatus();
  return Reject(Rejection::kItemSize, item.size(), " bytes, its type has ", bytes);
}

absl::Status CheckRecords(const CheckedItem& item, uint32_t record_bytes) {
  if (item.size() != 0 && item.size() % record_bytes == 0) [[likely]]
    return absl::OkStatus();
  return Reject(Rejection::kItemRecords, item.size(), " bytes are not one or more records of ",
                record_bytes);
}

absl::Status CheckName(const CheckedItem& item, uint64_t at, uint32_t length) {
  if (length == 0 || length > kMaxNameBytes) [[unlikely]] {
    return Reject(Rejection::kNameLength, "name of ", length, " bytes, legal is 1 to ",
                  kMaxNameBytes);
  }
  if (at + length > item.size()) [[unlikely]] {
    return Reject(Rejection::kNameTruncated, "name of ", length, " bytes at ", at,
                  " leaves the item, which has ", item.size());
  }
  return absl::OkStatus();
}

}  // namespace ebcache
