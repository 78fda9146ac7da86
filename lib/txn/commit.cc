#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "lib/base/messages.h"
#include "lib/txn/next_superblock.h"
#include "lib/txn/no_exceptions.h"
#include "lib/txn/quotas.h"
#include "lib/txn/transaction_state.h"

namespace ebcache {
namespace {

// Extents that are told between two looks at what room is left.
constexpr uint64_t kToldAtOnce = 512;

}  // namespace

std::string_view TransactionStageName(TransactionStage stage) {
  switch (stage) {
    case TransactionStage::kOpen:
      return "open";
    case TransactionStage::kTellingExtents:
      return "telling extents";
    case TransactionStage::kWritingBlocks:
      return "writing blocks";
    case TransactionStage::kFlushing:
      return "flushing";
    case TransactionStage::kWritingSuperblocks:
      return "writing superblocks";
    case TransactionStage::kCommitted:
      return "committed";
    case TransactionStage::kAborted:
      return "aborted";
    case TransactionStage::kUnknown:
      return "unknown";
  }
  return "?";
}

absl::Status Transaction::Impl::PrepareCommit() {
  absl::Status status = Prefixed("quotas", txn::MarkQuotasInconsistent(trees));
  if (!status.ok()) return status;
  // Superblock and root of the root tree are of one generation, whatever has changed.
  absl::StatusOr<txn::CowTree> roots = trees.Open(kRootTreeId);
  if (!roots.ok()) return roots.status();
  status = roots->CopyRoot();
  // Most of what waits is told with new chunks still allowed: the last round makes none.
  bool more = true;
  while (status.ok() && more) {
    status = KeepReserve();
    if (!status.ok()) break;
    const absl::StatusOr<bool> told = updates.RunSome(kToldAtOnce);
    status = told.status();
    more = told.ok() && *told;
  }
  return status.ok() ? updates.RunAll() : status;
}

absl::StatusOr<Superblock> Transaction::Impl::MakeSuperblock() {
  for (const uint64_t tree : {kExtentTreeId, kFsTreeId, kDevTreeId, kCsumTreeId}) {
    const absl::Status found = trees.Find(tree).status();
    if (!found.ok() && !absl::IsNotFound(found)) return found;
  }
  chunks.TakeBytesUsed();
  // There is one only where the session is to drop it.
  changed.log_root = 0;
  changed.log_root_level = 0;
  return txn::NextSuperblock(changed, trees.states(), writer.identity().generation,
                             session.space->UsedBytes());
}

// Up to the flush nothing leads to what is written: an error leaves the last commit as it is.
absl::Status Transaction::Impl::MakeDurable(Superblock& next) {
  stage = TransactionStage::kTellingExtents;
  if (absl::Status status = PrepareCommit(); !status.ok()) return status;
  absl::StatusOr<Superblock> made = MakeSuperblock();
  if (!made.ok()) return made.status();
  next = *std::move(made);
  stage = TransactionStage::kWritingBlocks;
  if (absl::Status status = writer.WriteAll(false); !status.ok()) return status;
  stage = TransactionStage::kFlushing;
  return Flush();
}

absl::Status Transaction::Impl::Flush() {
  Volume& volume = session.filesystem->volume();
  flushes = volume.FlushDevices();
  const bool failed = std::any_of(flushes.begin(), flushes.end(),
                                  [](const DeviceFlush& flush) { return !flush.status.ok(); });
  if (failed) {
    absl::Status status = volume.LoseUnflushed(session.written.Live(), flushes);
    if (!status.ok()) return status;
  }
  return writer.CheckMissedCopies();
}

// What needs memory comes first: once a superblock is written there is no way back.
absl::Status Transaction::Impl::WriteSuperblocks(Superblock& next,
                                                 std::vector<SuperblockFailure>& failures,
                                                 bool& written) {
  stage = TransactionStage::kWritingSuperblocks;
  Volume& volume = session.filesystem->volume();
  session.states.Freed(next.generation, session.space->TakePinned());
  if (session.undo) {
    const uint64_t hash = SuperblockStateHash(next);
    absl::Status kept = session.undo->Append({next.generation, hash});
    if (!kept.ok()) return kept;
  }
  absl::Status status = volume.WriteSuperblocks(next, chunks.devices(), &failures, flushes);
  written = status.ok();
  if (written) volume.PublishSuperblock(std::move(next));
  return status;
}

// Each commit takes the place of the oldest backup root.
absl::Status Transaction::Impl::CheckProgress() const {
  const uint32_t most = session.options.most_commits_without_progress;
  if (progress || most == 0 || session.commits_without_progress < most) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "not committed: it changes no block of a tree, as the last ", most,
      " commits of this session did not "
      "(SessionOptions::most_commits_without_progress); each takes a backup root away"));
}

absl::Status Transaction::Impl::Commit(std::vector<SuperblockFailure>* failures) {
  if (absl::Status status = CheckOpen(); !status.ok()) return status;
  if (absl::Status status = CheckProgress(); !status.ok()) return status;
  readahead.reset();
  Superblock next;
  std::vector<SuperblockFailure> failed_copies;
  bool written = false;
  absl::Status status = txn::WithoutExceptions([&] { return MakeDurable(next); });
  if (status.ok()) {
    status = txn::WithoutExceptions([&] { return WriteSuperblocks(next, failed_copies, written); });
  }
  if (status.ok()) {
    session.commits_without_progress = progress ? 0 : session.commits_without_progress + 1;
    writer.Keep();
    End(TransactionStage::kCommitted);
    if (failures != nullptr) *failures = std::move(failed_copies);
    return status;
  }
  // The words come last: they may find no memory.
  const TransactionStage where = stage;
  session.states.TakeBack(committed.generation + 1);
  if (failed_copies.empty() && !written) {
    End(TransactionStage::kAborted);
    const std::string_view name = TransactionStageName(where);
    return txn::WithoutExceptions(
        [&] { return Prefixed(absl::StrCat("not committed, ", AbslView(name)), status); });
  }
  session.unknown = absl::Status(status.code(), "");
  End(TransactionStage::kUnknown);
  return txn::WithoutExceptions([&] {
    session.unknown = Prefixed(
        "it is not known whether the last transaction was committed: open the filesystem again",
        status);
    return session.unknown;
  });
}

void Transaction::Impl::Abort() {
  switch (stage) {
    case TransactionStage::kCommitted:
    case TransactionStage::kAborted:
    case TransactionStage::kUnknown:
      return;
    default:
      End(TransactionStage::kAborted);
  }
}

void Transaction::Impl::End(TransactionStage how) {
  readahead.reset();
  stage = how;
  delayed.Clear();
  if (how == TransactionStage::kCommitted) {
    session.form = form;
  } else {
    writer.GiveUp();
    chunks.GiveUp();
    session.space.reset();  // what it says is not so: it is read again
  }
  session.transaction_open = false;
}

}  // namespace ebcache
