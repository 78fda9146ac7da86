// Items of the extent tree: what is allocated, and what refers to it.
//
// An extent item is a head; of a tree block whose item is not skinny, what the block is; and inline
// references, as many as fit. Further references have items of their own, right behind.

#ifndef EBCACHE_ITEMS_EXTENT_H_
#define EBCACHE_ITEMS_EXTENT_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "ebcache/on_disk.h"

namespace ebcache {

// ExtentHead::flags.
inline constexpr uint64_t kExtentData = 1 << 0;
inline constexpr uint64_t kExtentTreeBlock = 1 << 1;
inline constexpr uint64_t kExtentFullBackref = 1 << 8;  // a block's references are by parent

// In front of (logical, EXTENT_ITEM, length) and (logical, METADATA_ITEM, level).
struct ExtentHead {
  static constexpr size_t kBytes = 24;

  uint64_t references = 0;  // inline ones and others, each as often as it counts
  uint64_t generation = 0;  // that made it
  uint64_t flags = 0;

  friend constexpr bool operator==(const ExtentHead&, const ExtentHead&) = default;
};

// Behind the head of a tree block's EXTENT_ITEM.
struct TreeBlockInfo {
  static constexpr size_t kBytes = 18;

  Key first_key;
  uint8_t level = 0;

  friend constexpr bool operator==(const TreeBlockInfo&, const TreeBlockInfo&) = default;
};

// A tree refers to a block. Inline; with a key of its own: (logical, TREE_BLOCK_REF, root), no
// data.
struct TreeBlockRef {
  static constexpr size_t kBytes = 8;
  static constexpr uint8_t kType = kTreeBlockRefType;

  uint64_t root = 0;  // id of the tree

  friend constexpr bool operator==(const TreeBlockRef&, const TreeBlockRef&) = default;
};

// A block refers to a block. With a key of its own: (logical, SHARED_BLOCK_REF, parent), no data.
struct SharedBlockRef {
  static constexpr size_t kBytes = 8;
  static constexpr uint8_t kType = kSharedBlockRefType;

  uint64_t parent = 0;  // logical

  friend constexpr bool operator==(const SharedBlockRef&, const SharedBlockRef&) = default;
};

// A file of a tree refers to data. Inline, or (logical, EXTENT_DATA_REF, hash of the first three).
struct ExtentDataRef {
  static constexpr size_t kBytes = 28;
  static constexpr uint8_t kType = kExtentDataRefType;

  uint64_t root = 0;
  uint64_t inode = 0;
  uint64_t offset = 0;  // of the file's part, less where it begins in the extent; may be below zero
  uint32_t count = 0;

  friend constexpr bool operator==(const ExtentDataRef&, const ExtentDataRef&) = default;
};

// A leaf refers to data; inline.
struct SharedDataRef {
  static constexpr size_t kBytes = 12;
  static constexpr uint8_t kType = kSharedDataRefType;

  uint64_t parent = 0;  // logical
  uint32_t count = 0;

  friend constexpr bool operator==(const SharedDataRef&, const SharedDataRef&) = default;
};

// The same with a key of its own, (logical, SHARED_DATA_REF, parent).
struct SharedDataCount {
  static constexpr size_t kBytes = 4;

  uint32_t count = 0;

  friend constexpr bool operator==(const SharedDataCount&, const SharedDataCount&) = default;
};

// Which subvolume data is charged to, with simple quotas. Inline and the first; holds nothing.
struct ExtentOwnerRef {
  static constexpr size_t kBytes = 8;
  static constexpr uint8_t kType = kExtentOwnerRefType;

  uint64_t root = 0;

  friend constexpr bool operator==(const ExtentOwnerRef&, const ExtentOwnerRef&) = default;
};

// An inline reference: a type, and what its struct has. Records of ItemRecords<InlineRef>.
using InlineRef =
    std::variant<TreeBlockRef, SharedBlockRef, ExtentDataRef, SharedDataRef, ExtentOwnerRef>;

// The key type that an inline reference begins with.
constexpr uint8_t InlineRefType(const InlineRef& ref) {
  return std::visit([](const auto& of) { return of.kType; }, ref);
}

// How many of an extent's references it stands for.
uint64_t ReferencesOf(const InlineRef& ref);

// An extent item taken apart. `inline_refs` is a view of the item.
struct ExtentItem {
  ExtentHead head;
  std::optional<TreeBlockInfo> block;
  absl::Span<const std::byte> inline_refs;  // for ItemRecords<InlineRef>
};

// `item` is the data of an item with key type `type`, EXTENT_ITEM or METADATA_ITEM: the first has a
// TreeBlockInfo where the flags say that it is a tree block. Errors: DataLoss (too short for what
// it has to have), InvalidArgument (another type). The inline references are not looked at.
absl::StatusOr<ExtentItem> ParseExtentItem(uint8_t type, absl::Span<const std::byte> item);

// Puts the bytes of an extent item behind `out`. REQUIRES: `refs` are in the order that the format
// has for them: by type ascending, within one by root, parent or hash descending.
// Errors: InvalidArgument, and `out` is as it was: `block` is there and `head` is no tree block's.
absl::Status AppendExtentItem(const ExtentHead& head, const std::optional<TreeBlockInfo>& block,
                              absl::Span<const InlineRef> refs, std::vector<std::byte>& out);

}  // namespace ebcache

#endif  // EBCACHE_ITEMS_EXTENT_H_
