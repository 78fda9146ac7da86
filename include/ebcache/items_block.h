// The parts that every tree block has, as structs to be parsed and encoded: header, heads of items,
// key pointers. To read blocks that are in a cache, there are cheaper views.

#ifndef EBCACHE_ITEMS_BLOCK_H_
#define EBCACHE_ITEMS_BLOCK_H_

#include <cstddef>
#include <cstdint>

#include "ebcache/on_disk.h"

namespace ebcache {

// BlockHeader::flags. The highest byte is no flag, but the revision of back references.
inline constexpr uint64_t kHeaderWritten = 1 << 0;  // was on a disk, or is being written to it
inline constexpr uint64_t kHeaderReloc = 1 << 1;    // belongs to a relocation tree
inline constexpr int kBackrefRevisionShift = 56;
inline constexpr uint64_t kMixedBackrefRevision = 1;  // the only one in use

// In front of every tree block.
struct BlockHeader {
  static constexpr size_t kBytes = 101;

  Checksum checksum{};  // of all that follows it in the block
  Uuid fsid{};          // the metadata uuid where the filesystem has one of its own
  uint64_t bytenr = 0;  // logical, of the block itself
  uint64_t flags = 0;
  Uuid chunk_tree_uuid{};
  uint64_t generation = 0;
  uint64_t owner = 0;       // id of the tree that it was made for
  uint32_t item_count = 0;  // items of a leaf, pointers of a node
  uint8_t level = 0;        // 0: leaf

  constexpr uint8_t backref_revision() const {
    return static_cast<uint8_t>(flags >> kBackrefRevisionShift);
  }
  friend constexpr bool operator==(const BlockHeader&, const BlockHeader&) = default;
};

// The head of an item as it is in a leaf. ItemHead has the same with the offset as a reader wants
// it, which is more by BlockHeader::kBytes.
struct DiskItemHead {
  static constexpr size_t kBytes = 25;

  Key key;
  uint32_t offset = 0;  // of the item's data, from the end of the header
  uint32_t size = 0;    // of the item's data

  friend constexpr bool operator==(const DiskItemHead&, const DiskItemHead&) = default;
};

}  // namespace ebcache

#endif  // EBCACHE_ITEMS_BLOCK_H_
