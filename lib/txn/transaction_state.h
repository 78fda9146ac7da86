// An open transaction, and how it ends. For lib/txn/ only.
//
//   transaction.cc         what callers change
//   space_conversions.cc   other forms of keeping space
//   commit.cc              the stages of a commit, and what an abort undoes

#ifndef EBCACHE_LIB_TXN_TRANSACTION_STATE_H_
#define EBCACHE_LIB_TXN_TRANSACTION_STATE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/readahead.h"
#include "ebcache/transaction.h"
#include "lib/space/delayed_refs.h"
#include "lib/txn/block_writer.h"
#include "lib/txn/chunk_maker.h"
#include "lib/txn/extent_updates.h"
#include "lib/txn/session_state.h"
#include "lib/txn/transaction_trees.h"

namespace ebcache {

struct Transaction::Impl {
  explicit Impl(Session::Impl* of_session);

  // Whether a change may be made now: the transaction is open, and none has failed.
  absl::Status CheckOpen() const;
  // Ends a change: one that was refused leaves the transaction as it was, other errors spoil it. Where
  // more waits in memory than may, some of it is written.
  // `progress`: whether the change, where it was made, has changed anything.
  absl::Status Finish(absl::Status status, bool progress = true);
  // Between two changes, when no way down is in use.
  absl::Status MakeRoom();
  // The part of it that writes.
  absl::Status WriteSome();
  // That no extent of the last commit is where blocks are about to be written early. A commit tells the
  // extent tree of each block before it writes it, which finds that; what is written early may be gone
  // again by then, and what it was written over as well.
  absl::Status CheckPlacesAreFree();
  // Room on the devices for as much as the changes that wait may take.
  absl::Status KeepReserve();

  // ---- Trees that go, and how space is kept (space_conversions.cc) ----
  // Errors that leave all as it was: NotFound. All others end the transaction.
  absl::Status DropTree(uint64_t tree);
  absl::Status DropBlocks(txn::TreeState& tree);
  // REQUIRES of these: what is to change is not so already, and may be changed.
  absl::Status MakeFreeSpaceTree();
  absl::Status AddFreeSpace(const txn::BlockGroup& group);
  absl::Status RemoveFreeSpaceTree();
  absl::Status MakeBlockGroupTree();
  absl::Status RemoveBlockGroupTree();
  // Has the superblock say that the filesystem has a feature, or has it not.
  void SetFeature(CompatRoFlag feature, bool on);
  // Whether there is a tree of that id. Errors: those of reading the root tree.
  absl::StatusOr<bool> HasTree(uint64_t tree);
  absl::Status MakeSpaceTree(uint64_t tree);
  absl::Status CopyGroupItem(const Key& key, uint64_t from, uint64_t to);

  // Whether the item has these bytes already. Not where it cannot be told: the change will say why.
  bool HasItem(uint64_t tree, const Key& key, absl::Span<const std::byte> data);
  absl::Status CheckMaySetFsid(const Uuid& fsid) const;
  absl::Status CheckProgress() const;
  absl::Status Commit(std::vector<SuperblockFailure>* failures);
  absl::Status PrepareCommit();
  absl::StatusOr<Superblock> MakeSuperblock();
  absl::Status MakeDurable(Superblock& next);
  // Has the devices make durable what was written, as far as they do: where one does not, its copies
  // count as not written.
  absl::Status Flush();
  // `written`: that a superblock is on disk, whatever comes behind it.
  absl::Status WriteSuperblocks(Superblock& next, std::vector<SuperblockFailure>& failures,
                                bool& written);
  void Abort();
  void End(TransactionStage how);

  Session::Impl& session;
  const Superblock committed;  // the last one
  TransactionStage stage = TransactionStage::kOpen;
  // What the commit writes: the last one, and what callers and new chunks have changed of it.
  Superblock changed;
  absl::Status failed;               // not OK: why only Abort works
  bool progress = false;             // callers have changed something
  std::vector<DeviceFlush> flushes;  // of the blocks of the commit
  space::DelayedRefs delayed;
  txn::BlockWriter writer;
  txn::TransactionTrees trees;
  txn::SpaceForm form;  // the session's, until a conversion changes it
  txn::ExtentUpdates updates;
  txn::ChunkMaker chunks;
  // What it has been asked for, and not read yet, may be freed by then: it ends before the transaction
  // does, and before another block can be at such an address.
  std::optional<Readahead> readahead;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_TXN_TRANSACTION_STATE_H_
