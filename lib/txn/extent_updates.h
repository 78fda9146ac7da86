// ExtentUpdates: what a transaction has done to extents, told to the trees that keep space.
//
// The extent tree says what refers to an extent, its block group how much is used, the free space
// tree what is free. All three have blocks of their own, so that telling them makes more to be told;
// each round makes less of it, because a block is copied once.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_TXN_EXTENT_UPDATES_H_
#define EBCACHE_LIB_TXN_EXTENT_UPDATES_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ebcache/on_disk.h"
#include "lib/space/delayed_refs.h"
#include "lib/space/extent_refs.h"
#include "lib/space/free_space_changes.h"
#include "lib/txn/block_space.h"
#include "lib/txn/transaction_trees.h"

namespace ebcache::txn {

// How a filesystem keeps its space.
struct SpaceForm {
  space::ExtentRules rules;
  uint32_t sector_bytes = 0;
  uint32_t checksum_bytes = 0;  // of a sector of data
  // A free space tree that is kept exact. False: there is none, or one that is not valid, which a
  // kernel makes anew.
  bool free_space_tree = false;
  bool block_group_tree = false;  // block group items have a tree of their own

  static SpaceForm Of(const Superblock& superblock, space::ExtentRules::Existing existing);
  uint64_t block_group_tree_id() const {
    return block_group_tree ? kBlockGroupTreeId : kExtentTreeId;
  }
};

class ExtentUpdates {
 public:
  // All must outlive this. `form` is looked at anew for each extent: a transaction may change it.
  ExtentUpdates(TransactionTrees* trees, BlockSpace* space, space::DelayedRefs* delayed,
                const SpaceForm* form)
      : trees_(*trees), space_(*space), delayed_(*delayed), form_(*form) {}

  // Tells the trees of at most `most` extents and, once no extent is left, ranges of free space.
  // False: there is nothing left. An error ends the transaction.
  absl::StatusOr<bool> RunSome(uint64_t most);
  // The free space tree goes: what it has not heard of is of no use.
  void ForgetFreeSpace() { free_space_ = {}; }
  // Tells of all extents, writes block group items and root items, until nothing changes any more.
  absl::Status RunAll();

  // Ranges of which the free space tree has not heard.
  size_t ranges_waiting() const { return free_space_.size(); }
  uint64_t extents_told() const { return extents_told_; }

 private:
  std::optional<space::ExtentChange> NextExtent();
  absl::Status Tell(const space::ExtentChange& change);
  // Notes what the free space tree is to hear; tells it of one of the ranges that were noted.
  absl::Status NoteFreeSpace(const BlockGroup& group, const space::Range& range, bool free);
  absl::Status TellFreeSpace();
  absl::StatusOr<bool> UpdateGroupItems();
  // Of data that is free: nothing tells what it was any more.
  absl::Status RemoveChecksums(const space::Range& range);

  TransactionTrees& trees_;
  BlockSpace& space_;
  space::DelayedRefs& delayed_;
  const SpaceForm& form_;
  space::FreeSpaceChanges free_space_;
  uint64_t position_ = 0;  // behind the extent that was told of last
  uint64_t extents_told_ = 0;
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_EXTENT_UPDATES_H_
