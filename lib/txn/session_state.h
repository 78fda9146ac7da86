// What a session and its transactions share. For lib/txn/ only.

#ifndef EBCACHE_LIB_TXN_SESSION_STATE_H_
#define EBCACHE_LIB_TXN_SESSION_STATE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "ebcache/transaction.h"
#include "lib/txn/block_space.h"
#include "lib/txn/committed_states.h"
#include "lib/txn/extent_updates.h"
#include "lib/txn/undo_file.h"

namespace ebcache {

struct Session::Impl {
  Impl(Filesystem* fs, const SessionOptions& session_options);
  ~Impl();

  // Has the filesystem to itself as long as this is there. FailedPrecondition: another session does.
  absl::Status Claim();

  // Reads block groups and what is free, as the last commit has them.
  absl::Status LoadSpace();
  uint64_t MostUnwrittenBytes() const;
  // Makes the undo file that the options ask for.
  absl::Status BeginUndo();

  Filesystem* const filesystem;
  bool has_claim = false;
  const SessionOptions options;
  const txn::SpaceForm form;
  Uuid chunk_tree_uuid{};
  space::RangeSet log;  // what a log that the first commit drops lies in, and tells of
  // Null: to be loaded, after a transaction that has not happened.
  std::unique_ptr<txn::BlockSpace> space;
  txn::CommittedStates states;
  std::optional<txn::UndoFile> undo;
  uint64_t base_generation =
      0;  // with an undo file: the state that it leads back to, which is held
  bool transaction_open = false;
  // Not OK: it is not known how a commit has ended.
  absl::Status unknown;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_TXN_SESSION_STATE_H_
