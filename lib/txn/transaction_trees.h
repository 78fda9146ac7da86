// TransactionTrees: the trees of an open transaction, by id, as it has them.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_TXN_TRANSACTION_TREES_H_
#define EBCACHE_LIB_TXN_TRANSACTION_TREES_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "ebcache/on_disk.h"
#include "lib/txn/cow_tree.h"
#include "lib/txn/tree_state.h"
#include "lib/txn/tree_store.h"

namespace ebcache::txn {

class TransactionTrees {
 public:
  // `writer` must outlive this. `superblock` is the last committed one.
  TransactionTrees(BlockWriter* writer, const Superblock& superblock, bool join_neighbours);

  // A tree that there is. Errors: NotFound; DataLoss, its root item is none; those of reading the
  // root tree. The state stays where it is for as long as this.
  absl::StatusOr<TreeState*> Find(uint64_t id);
  // The same, to be changed.
  absl::StatusOr<CowTree> Open(uint64_t id);
  // The same, for a change that a caller asks for. InvalidArgument: a subvolume of which a kernel has
  // deleted a part. To copy a node there would refer to children again that are gone.
  absl::StatusOr<CowTree> OpenForCaller(uint64_t id);
  absl::StatusOr<TreeStore> Store(uint64_t id);
  // A tree that is new, with an empty root. Errors: AlreadyExists.
  absl::StatusOr<TreeState*> Create(uint64_t id, const RootItem& root_item, uint64_t key_offset);

  // A tree whose blocks are all gone, and that was marked as dropped: takes its root item away, and
  // what says that it is to be deleted. One of the same id can be made then.
  absl::Status Forget(uint64_t id);

  // Writes root items of trees that have changed, until none has; true where any was written.
  absl::StatusOr<bool> UpdateRootItems();

  // Those that were asked for.
  const std::map<uint64_t, TreeState>& states() const { return states_; }

 private:
  absl::StatusOr<TreeState> Load(uint64_t id);
  absl::Status UpdateRootItem(TreeState& state);

  BlockWriter& writer_;
  const bool join_neighbours_;
  std::map<uint64_t, TreeState> states_;
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_TRANSACTION_TREES_H_
