#include <absl/strings/str_cat.h>

#include <new>
#include <utility>

#include "ebcache/item_codec.h"
#include "ebcache/items_quota.h"
#include "lib/base/messages.h"
#include "lib/txn/next_superblock.h"
#include "lib/txn/transaction_state.h"

namespace ebcache {

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

// Ordinary quotas count what every tree refers to, which is not done here: the next kernel that
// mounts the filesystem counts anew.
absl::Status Transaction::Impl::MarkQuotasInconsistent() {
  absl::StatusOr<txn::TreeStore> quotas = trees.Store(kQuotaTreeId);
  if (absl::IsNotFound(quotas.status())) return absl::OkStatus();
  if (!quotas.ok()) return quotas.status();
  const Key key{0, kQgroupStatusType, 0};
  const absl::StatusOr<std::optional<space::StoredItem>> item = quotas->Find(key);
  if (!item.ok()) return item.status();
  if (!item->has_value()) return absl::OkStatus();
  absl::StatusOr<QgroupStatus> status = ParseItem<QgroupStatus>((*item)->data);
  if (!status.ok()) return status.status();
  const bool on = (status->flags & kQgroupStatusOn) != 0;
  if (!on || (status->flags & kQgroupStatusInconsistent) != 0) return absl::OkStatus();
  status->flags |= kQgroupStatusInconsistent;
  std::vector<std::byte> data;
  absl::Status encoded = AppendItem(*status, data);
  return encoded.ok() ? quotas->Replace(key, data) : encoded;
}

absl::Status Transaction::Impl::PrepareCommit() {
  absl::Status status = Prefixed("quotas", MarkQuotasInconsistent());
  if (!status.ok()) return status;
  // Superblock and root of the root tree are of one generation, whatever has changed.
  absl::StatusOr<txn::CowTree> roots = trees.Open(kRootTreeId);
  if (!roots.ok()) return roots.status();
  status = roots->CopyRoot();
  return status.ok() ? updates.RunAll() : status;
}

absl::StatusOr<Superblock> Transaction::Impl::MakeSuperblock() {
  for (const uint64_t tree : {kExtentTreeId, kFsTreeId, kDevTreeId, kCsumTreeId}) {
    const absl::Status found = trees.Find(tree).status();
    if (!found.ok() && !absl::IsNotFound(found)) return found;
  }
  Superblock changed = committed;
  if (label) {
    changed.label = *label;
    changed.label_remainder.clear();
  }
  // There is one only where the session is to drop it.
  changed.log_root = 0;
  changed.log_root_level = 0;
  return txn::NextSuperblock(changed, trees.states(), writer.identity().generation,
                             session.space->UsedBytes());
}

absl::Status Transaction::Impl::Commit(std::vector<SuperblockFailure>* failures) {
  if (absl::Status status = CheckOpen(); !status.ok()) return status;
  const auto go_to = [this](TransactionStage next) { stage = next; };
  Volume& volume = session.filesystem->volume();
  absl::Status status;
  absl::StatusOr<Superblock> next = committed;
  try {
    go_to(TransactionStage::kTellingExtents);
    status = PrepareCommit();
    if (status.ok()) {
      next = MakeSuperblock();
      status = next.status();
    }
    if (status.ok()) {
      go_to(TransactionStage::kWritingBlocks);
      status = writer.WriteAll(false);
    }
    if (status.ok()) {
      go_to(TransactionStage::kFlushing);
      status = volume.Flush();
    }
  } catch (const std::bad_alloc&) {
    status = absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
  if (!status.ok()) {
    const std::string_view where = TransactionStageName(stage);
    status = Prefixed(absl::StrCat("not committed, ", AbslView(where)), status);
    Abort();
    return status;
  }
  go_to(TransactionStage::kWritingSuperblocks);
  std::vector<SuperblockFailure> failed_copies;
  bool superblocks_touched = false;
  try {
    // What needs memory comes first: once a superblock is written there is no way back.
    session.states.Freed(next->generation, session.space->TakePinned());
    status = volume.WriteSuperblocks(*next, volume.devices(), &failed_copies);
    superblocks_touched = status.ok() || !failed_copies.empty();
    if (status.ok()) volume.PublishSuperblock(*std::move(next));
  } catch (const std::bad_alloc&) {
    status = absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
  if (!status.ok()) session.states.TakeBack(committed.generation + 1);
  if (!status.ok() && !superblocks_touched) {
    status = Prefixed("not committed, writing superblocks", status);
    Abort();
    return status;
  }
  if (!status.ok()) {
    status =
        Prefixed("it is not known whether this was committed: no superblock was written", status);
    session.unknown = status;
    End(TransactionStage::kUnknown);
    return status;
  }
  if (failures != nullptr) *failures = std::move(failed_copies);
  writer.Keep();
  End(TransactionStage::kCommitted);
  return absl::OkStatus();
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
  stage = how;
  delayed.Clear();
  if (how != TransactionStage::kCommitted) {
    writer.GiveUp();
    session.space.reset();  // what it says is not so: it is read again
  }
  session.transaction_open = false;
}

}  // namespace ebcache
