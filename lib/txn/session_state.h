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
#include "lib/txn/written_places.h"

namespace ebcache {

struct Session::Impl {
  Impl(Filesystem* fs, const SessionOptions& session_options);
  ~Impl();

  // Session::Open.
  absl::Status Open();
  // Has the filesystem to itself as long as this is there. FailedPrecondition: another session does.
  absl::Status Claim();

  // Reads block groups and what is free, as the last commit has them.
  absl::Status LoadSpace();
  uint64_t MostUnwrittenBytes() const;
  // Makes the undo file that the options ask for.
  absl::Status BeginUndo();
  // Of a filesystem of a preview that can be applied: keeps what the devices have, and says at the end
  // what that is.
  void JoinPreview();
  void TellPreview();

  Filesystem* const filesystem;
  bool has_claim = false;
  bool never_written = false;  // the filesystem is of a preview that cannot be applied
  internal::PreviewState* preview = nullptr;  // null: none that can be applied
  const SessionOptions options;
  txn::SpaceForm form;  // as the last commit has it
  Uuid chunk_tree_uuid{};
  space::RangeSet log;  // what a log that the first commit drops lies in, and tells of
  // Null: to be loaded, after a transaction that has not happened.
  std::unique_ptr<txn::BlockSpace> space;
  txn::CommittedStates states;
  txn::WrittenPlaces written;  // since the last commit, by transactions that were aborted as well
  std::optional<txn::UndoFile> undo;
  uint64_t base_generation =
      0;  // with an undo file: the state that it leads back to, which is held
  bool transaction_open = false;
  uint32_t commits_without_progress = 0;  // since the last one with
  // Not OK: it is not known how a commit has ended.
  absl::Status unknown;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_TXN_SESSION_STATE_H_
