// What refers to an extent: references added to and dropped from the extent tree.
//
// An extent's item counts all of its references and has some of them inside, in an order of their
// own; the others have items of their own behind it. The rules are the kernel's: where a new
// reference goes, in which order inline ones lie, what the key of a keyed one is.
//
// Thread safety: one thread at a time for a store.

#ifndef EBCACHE_LIB_SPACE_EXTENT_REFS_H_
#define EBCACHE_LIB_SPACE_EXTENT_REFS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/items_extent.h"
#include "lib/space/item_store.h"
#include "lib/space/range.h"

namespace ebcache::space {

// What one holder of an extent refers to it by.
struct ExtentRef {
  uint8_t type = 0;   // kTreeBlockRefType, kSharedBlockRefType, kExtentDataRefType, ...
  uint64_t root = 0;  // id of the tree; of shared ones the address of the parent block
  uint64_t inode = 0;
  uint64_t offset = 0;  // as ExtentDataRef::offset

  // A tree refers to a block, a block to a block, a file to data, a leaf to data.
  static ExtentRef OfTree(uint64_t root) { return {.type = kTreeBlockRefType, .root = root}; }
  static ExtentRef OfParent(uint64_t parent) {
    return {.type = kSharedBlockRefType, .root = parent};
  }
  static ExtentRef OfFile(uint64_t root, uint64_t inode, uint64_t offset) {
    return {.type = kExtentDataRefType, .root = root, .inode = inode, .offset = offset};
  }
  static ExtentRef OfLeaf(uint64_t leaf) { return {.type = kSharedDataRefType, .root = leaf}; }

  bool of_data() const { return type == kExtentDataRefType || type == kSharedDataRefType; }
  friend constexpr auto operator<=>(const ExtentRef&, const ExtentRef&) = default;
  // "tree 5", "parent 30408704", "file 257 of tree 5 from 0", "leaf 30408704".
  std::string ToString() const;
};

// By which references of a file to data are sorted, and which their keys have as offset.
uint64_t DataRefHash(uint64_t root, uint64_t inode, uint64_t offset);

// How the extent tree of a filesystem is written.
struct ExtentRules {
  uint32_t node_bytes = 0;
  // Whether new blocks have METADATA_ITEMs. Items of both kinds are found.
  bool skinny_metadata = true;
  // What to do when an extent that is new has an item already: a repair may want any of these.
  enum class Existing {
    kRefuse,   // AlreadyExists
    kKeep,     // references that are there already are kept, and count once
    kReplace,  // the old item goes first, with every reference
  };
  Existing existing = Existing::kRefuse;
};

// A change of one extent: all that a transaction wants of it, added up.
struct ExtentChange {
  uint64_t bytenr = 0;
  uint64_t bytes = 0;
  bool data = false;  // else a tree block
  uint8_t level = 0;  // of a tree block
  // An extent that is new: it is given an item, with these.
  bool is_new = false;
  // Which generation has made it. Of a block that is not new, as its header or what leads to it has
  // it: what is not told is 0. The item's own is no witness.
  uint64_t generation = 0;
  Key first_key;  // of a tree block; only items that are not skinny have it
  // A tree block's references are by its address from now on.
  bool set_full_backref = false;
  // Below zero: dropped. One entry a reference, none of them 0.
  struct Delta {
    ExtentRef ref;
    int64_t count = 0;
  };
  std::vector<Delta> deltas;
};

// The state that a change has led to.
struct ExtentState {
  uint64_t references = 0;  // 0: the extent is free, and its item is gone
  uint64_t flags = 0;
  uint64_t generation = 0;
};

// Makes the change. References are added before others are dropped. All or nothing, up to errors of
// the store between two changes. Errors name the extent:
//   NotFound           it has no item, or not the reference that is to be dropped
//   AlreadyExists      see ExtentRules; or a block's reference is added that is there
//   DataLoss           the item cannot be parsed; its count is not the sum of its references, as
//                      far as that is seen
//   InvalidArgument    a reference to data of a block, or the other way round
//   Unimplemented      references in the form of before 2009
absl::StatusOr<ExtentState> ChangeExtent(ItemStore& store, const ExtentChange& change,
                                         const ExtentRules& rules);

// Whether ChangeExtent could make the change, with the error that it would have. Changes nothing.
absl::Status CheckExtentChange(ItemStore& store, const ExtentChange& change,
                               const ExtentRules& rules);

// The state of a tree block's extent as the tree has it; nullopt where it has no item.
absl::StatusOr<std::optional<ExtentState>> FindBlockExtent(ItemStore& store, uint64_t bytenr,
                                                           uint32_t node_bytes);

// An extent that has a part of a range, as the tree has it; nullopt where none has. REQUIRES: a range
// that is not empty.
absl::StatusOr<std::optional<Range>> FindExtentIn(ItemStore& store, const Range& range,
                                                  uint32_t node_bytes);

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_EXTENT_REFS_H_
