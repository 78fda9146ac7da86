// MutableBlock: the bytes of one tree block, to be edited. A value that points to bytes of others.
//
// A view is had by opening a block, by making an empty one, or by copying one; each sees to it that
// the number of items and the places of their data are sound, and no edit makes them unsound. So
// the edits need no look of their own, and none reads or writes outside of the block.
//
// A view holds no state beside the bytes: copies of it may be used one after the other.
//
// Thread safety: none; the bytes are their owner's.
// REQUIRES: while a view is in use, the bytes are changed by no other means than the functions of
// lib/tree/edit/. After any other change the owner opens the block again.

#ifndef EBCACHE_LIB_TREE_EDIT_MUTABLE_BLOCK_H_
#define EBCACHE_LIB_TREE_EDIT_MUTABLE_BLOCK_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/items_block.h"
#include "ebcache/key.h"
#include "ebcache/on_disk.h"
#include "ebcache/uuid.h"
#include "lib/tree/edit/result.h"

namespace ebcache::edit {

// What the header of a new, empty block says.
struct NewBlock {
  Uuid fsid{};  // the metadata uuid where the filesystem has one of its own
  Uuid chunk_tree_uuid{};
  uint64_t bytenr = 0;
  uint64_t generation = 0;
  uint64_t owner = 0;  // id of the tree
  uint8_t level = 0;   // 0 to 7; 0: leaf
};

// Where a copy goes, and for which tree and transaction it is made.
struct CopyPlace {
  uint64_t bytenr = 0;
  uint64_t generation = 0;
  uint64_t owner = 0;
};

class MutableBlock {
 public:
  // The block that is in `bytes`. Errors: InvalidArgument for a size that no tree block has (a power
  // of two from 4096 to 65536); DataLoss, with the slot, for a level above 7, more items than there
  // is room for, item data that overlaps, leaves a gap or lies outside, keys that do not rise. An
  // empty block of any level is let pass. What is in items and pointers is not looked at: that is
  // the checker's.
  static absl::StatusOr<MutableBlock> Open(absl::Span<std::byte> bytes);

  // The same without a look at them. REQUIRES: they are what Init, CopyForCow or Open has let pass, and
  // nothing but edits has changed them since; each edit leaves a block that Open lets pass.
  static MutableBlock Reopen(absl::Span<std::byte> bytes) { return MutableBlock(bytes); }

  // Makes `bytes` an empty block: a header of no flags and the backref revision 1, all else zero.
  // Errors: InvalidArgument, for sizes as Open, and for levels above 7; then no byte was changed.
  static absl::StatusOr<MutableBlock> Init(absl::Span<std::byte> bytes, const NewBlock& header);

  // Makes `bytes` the copy of `from` that a change is to be made in: the place's address, generation
  // and owner; no flags, but the backref revision of `from`; the checksum and the unused bytes are
  // zero, whatever they were. Errors: InvalidArgument when `bytes` is of another size or overlaps
  // `from`; then no byte was changed.
  static absl::StatusOr<MutableBlock> CopyForCow(const MutableBlock& from,
                                                 absl::Span<std::byte> bytes,
                                                 const CopyPlace& place);

  // ---- The header -------------------------------------------------------------------------------

  uint64_t bytenr() const;
  uint64_t generation() const;
  uint64_t flags() const;  // without the backref revision
  uint8_t backref_revision() const;
  uint64_t owner() const;
  uint8_t level() const;
  bool is_leaf() const { return level() == 0; }
  uint32_t item_count() const;  // items of a leaf, pointers of a node

  void set_bytenr(uint64_t bytenr);
  void set_generation(uint64_t generation);
  void set_flags(uint64_t flags);  // the highest byte is dropped: the backref revision stays
  void set_owner(uint64_t owner);

  // ---- The contents -----------------------------------------------------------------------------

  absl::Span<const std::byte> bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  // Of what is behind the header.
  uint32_t area_bytes() const { return static_cast<uint32_t>(bytes_.size()) - kHeaderBytes; }
  // Room for more: between heads and data of a leaf, behind the pointers of a node.
  uint32_t free_bytes() const;

  // Of what is not there (a slot behind the last, items of a node, pointers of a leaf) these give an
  // empty key, data or pointer.
  Key key(uint32_t slot) const;
  absl::Span<const std::byte> data(uint32_t slot) const;
  KeyPointer pointer(uint32_t slot) const;

  // The data of an item, for fields to be changed where they lie.
  absl::Span<std::byte> mutable_data(uint32_t slot);

 private:
  friend class BlockEditor;

  explicit MutableBlock(absl::Span<std::byte> bytes) : bytes_(bytes) {}

  absl::Span<std::byte> bytes_;
};

// A place in a block.
struct Place {
  uint32_t slot = 0;  // of the first key that is not below the one that was looked for
  bool found = false;

  friend constexpr bool operator==(const Place&, const Place&) = default;
};

// Where `key` is or would have to be inserted; of leaves and nodes.
Place FindSlot(const MutableBlock& block, const Key& key);

// Gives a slot another key, in a leaf or a node. Refuses: kBadSlot, kKeyOrder when the key is not
// between those of its neighbours.
Result ChangeKey(MutableBlock block, uint32_t slot, const Key& key);

// Zeroes what is unused in a block that came from elsewhere. Edits leave no stale bytes behind.
void ZeroUnused(MutableBlock block);

}  // namespace ebcache::edit

#endif  // EBCACHE_LIB_TREE_EDIT_MUTABLE_BLOCK_H_
