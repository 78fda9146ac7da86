// The rules for items, by type: what kernels refuse in an item, and nothing more.
//
// They make decoding safe: a reader of an item of a type with rules, in a leaf that passed, can
// load each field and follow each length without another check. They do not prove that a filesystem
// is consistent: what one item says of another block is not their business.
//
// Each function takes an item of its type that lies inside its leaf. Errors: DataLoss, the reason
// with the name of the rule, without where it is.

#ifndef EBCACHE_LIB_FORMAT_CHECK_ITEM_RULES_H_
#define EBCACHE_LIB_FORMAT_CHECK_ITEM_RULES_H_

#include <absl/status/status.h>

#include <cstdint>

#include "lib/format/check/checked_item.h"

namespace ebcache {

// `block_bytes` is the size of the leaf. OK for types without rules.
absl::Status CheckItem(const CheckedItem& item, uint32_t block_bytes);

// inode_rules.cc
absl::Status CheckInodeItem(const CheckedItem& item);
absl::Status CheckInodeRefs(const CheckedItem& item);
absl::Status CheckInodeExtrefs(const CheckedItem& item);

// directory_rules.cc
absl::Status CheckDirectoryEntries(const CheckedItem& item);

// file_extent_rules.cc
absl::Status CheckFileExtent(const CheckedItem& item);
absl::Status CheckDataChecksums(const CheckedItem& item);

// extent_rules.cc
absl::Status CheckExtentItem(const CheckedItem& item, uint32_t block_bytes);
absl::Status CheckTreeReference(const CheckedItem& item);
absl::Status CheckDataReference(const CheckedItem& item);
absl::Status CheckSharedDataReference(const CheckedItem& item);

// root_rules.cc
absl::Status CheckRoot(const CheckedItem& item);

// space_rules.cc
absl::Status CheckChunkItem(const CheckedItem& item);
absl::Status CheckDeviceItem(const CheckedItem& item);
absl::Status CheckDeviceExtent(const CheckedItem& item);
absl::Status CheckBlockGroup(const CheckedItem& item);
absl::Status CheckRaidStripe(const CheckedItem& item);

// size_rules.cc
// A name of `length` bytes at `at` of an item: not empty, and inside.
absl::Status CheckName(const CheckedItem& item, uint64_t at, uint32_t length);
// The item is exactly so many bytes, or records of so many one after the other.
absl::Status CheckExactSize(const CheckedItem& item, uint32_t bytes);
absl::Status CheckRecords(const CheckedItem& item, uint32_t record_bytes);
// The item before has the same object, as all items of an inode have behind its INODE_ITEM. The
// first item of a leaf may follow one in another leaf.
absl::Status CheckFollowsInode(const CheckedItem& item);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_CHECK_ITEM_RULES_H_
