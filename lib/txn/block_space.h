// BlockSpace: where a transaction may put blocks, and what is used of each block group.
//
// It knows every block group of the filesystem. Of those that tree blocks may be in it also knows
// what is free: what the trees say is free, without what superblocks would be covered by, and without
// what may not be used yet.
//
// Space that was freed is *pinned* while a state of the filesystem that has it may still be read: the
// last committed one, until the next is durable; those that readers hold; and, in a session with a way
// back, the state that it began with.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_TXN_BLOCK_SPACE_H_
#define EBCACHE_LIB_TXN_BLOCK_SPACE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>

#include "ebcache/on_disk.h"
#include "lib/space/range.h"
#include "lib/txn/committed_states.h"

namespace ebcache::txn {

// A block group, with its chunk.
struct BlockGroup {
  space::Range range;
  uint64_t flags = 0;  // type and profile bits
  uint64_t used = 0;   // bytes of extents in it, as the open transaction has it
  // What its item says. Where it differs from `used`, the item is to be written.
  uint64_t stored_used = 0;
  uint64_t chunk_objectid = kFirstChunkTreeObjectId;
  // Of one that tree blocks may be in: what can be given out. Empty otherwise.
  space::RangeSet free;

  bool holds_blocks() const { return (flags & (kBlockGroupMetadata | kBlockGroupSystem)) != 0; }
  bool system() const { return (flags & kBlockGroupSystem) != 0; }
};

class BlockSpace {
 public:
  explicit BlockSpace(uint32_t node_bytes) : node_bytes_(node_bytes) {}

  // Errors: DataLoss, it overlaps another.
  absl::Status AddGroup(BlockGroup group);
  // Takes a group away that was added in vain.
  void RemoveGroup(uint64_t start) { groups_.erase(start); }

  // The group that `bytenr` lies in; null when there is none.
  BlockGroup* Find(uint64_t bytenr);
  const std::map<uint64_t, BlockGroup>& groups() const { return groups_; }
  std::map<uint64_t, BlockGroup>& groups() { return groups_; }

  // Takes the place of a block, and gives its address: behind the one that was given before, if it
  // can be, so that what is made in order lies in order. `usable` is asked whether a block may be at
  // an address, and may say no for reasons of its own. Errors: ResourceExhausted, there is no room.
  absl::StatusOr<uint64_t> Allocate(bool system, absl::FunctionRef<bool(uint64_t)> usable);
  // Takes it back: it was never used, or what used it was never on a disk that matters.
  void GiveBack(uint64_t bytenr);

  // Says that nothing refers to a range any more, from this transaction on. `made`: the generation
  // that made what is there; 0, or a lower one than that, keeps it longer.
  void Pin(const space::Range& range, uint64_t made) { pinned_[made].Unite(range); }
  // The transaction is over: what it has pinned is the caller's, and may be released when no state
  // that has it is wanted any more.
  FreedRanges TakePinned();
  // Keeps a range that is free from being given out, until it is released.
  void Withhold(const space::Range& range);
  // Gives it out again.
  void Release(const space::RangeSet& ranges);

  // What can be given out to blocks, in bytes.
  uint64_t FreeBytes(bool system) const;
  // Of all groups, `used`.
  uint64_t UsedBytes() const;

 private:
  template <typename Visit>
  void ForEachPart(const space::Range& range, Visit visit);
  std::optional<uint64_t> AllocateIn(BlockGroup& group, uint64_t from,
                                     absl::FunctionRef<bool(uint64_t)> usable);

  const uint32_t node_bytes_;
  std::map<uint64_t, BlockGroup> groups_;  // by start
  FreedRanges pinned_;
  uint64_t cursors_[2] = {0, 0};  // of blocks, of system blocks: behind the last that was given
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_BLOCK_SPACE_H_
