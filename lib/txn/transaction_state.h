// An open transaction, and how it ends. For lib/txn/ only.
//
//   transaction.cc   what callers change
//   commit.cc        the stages of a commit, and what an abort undoes

#ifndef EBCACHE_LIB_TXN_TRANSACTION_STATE_H_
#define EBCACHE_LIB_TXN_TRANSACTION_STATE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
  absl::Status Finish(absl::Status status);
  // Between two changes, when no way down is in use.
  absl::Status MakeRoom();
  // That no extent of the last commit is where blocks are about to be written early. A commit tells the
  // extent tree of each block before it writes it, which finds that; what is written early may be gone
  // again by then, and what it was written over as well.
  absl::Status CheckPlacesAreFree();
  // Room on the devices for as much as the changes that wait may take.
  absl::Status KeepReserve();

  absl::Status Commit(std::vector<SuperblockFailure>* failures);
  absl::Status PrepareCommit();
  absl::Status MarkQuotasInconsistent();
  absl::StatusOr<Superblock> MakeSuperblock();
  absl::Status MakeDurable(Superblock& next);
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
  absl::Status failed;  // not OK: why only Abort works
  space::DelayedRefs delayed;
  txn::BlockWriter writer;
  txn::TransactionTrees trees;
  txn::ExtentUpdates updates;
  txn::ChunkMaker chunks;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_TXN_TRANSACTION_STATE_H_
