// Transactions: begun, looked at, ended.

#include "ebcache/transaction.h"

#include <absl/status/status.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/capi/errors.h"
#include "lib/capi/handles.h"
#include "lib/capi/session_handles.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

static_assert(EBCACHE_STAGE_OPEN == static_cast<int>(TransactionStage::kOpen));
static_assert(EBCACHE_STAGE_FLUSHING == static_cast<int>(TransactionStage::kFlushing));
static_assert(EBCACHE_STAGE_COMMITTED == static_cast<int>(TransactionStage::kCommitted));
static_assert(EBCACHE_STAGE_ABORTED == static_cast<int>(TransactionStage::kAborted));
static_assert(EBCACHE_STAGE_UNKNOWN == static_cast<int>(TransactionStage::kUnknown));

bool HasOpenTransaction(const ebcache_session& session) {
  return session.last != nullptr && !IsOver(session.last->transaction->stage());
}

// Allocates nothing: the commit has happened, and nothing is an error any more.
void TellOf(const SuperblockFailure& failure,
            void (*tell)(void* context, const ebcache_superblock_failure* failure), void* context) {
  std::array<char, 1024> words{};
  const absl::string_view message = failure.status.message();
  std::memcpy(words.data(), message.data(), std::min(message.size(), words.size() - 1));
  const ebcache_superblock_failure outside{.size = sizeof(outside),
                                           .offset = failure.offset,
                                           .device = failure.device.c_str(),
                                           .message = words.data(),
                                           .error = -ErrnoOf(failure.status)};
  tell(context, &outside);
}

}  // namespace

int CheckChangeable(const ebcache_transaction& transaction) {
  const absl::Status status = transaction.transaction->CheckOpen();
  if (status.ok()) return 0;
  const absl::string_view words = status.message();
  const int number = IsOver(transaction.transaction->stage()) ? EINVAL : ECANCELED;
  if (words.empty()) return Fail(number, "the transaction cannot go on");
  return Fail(number, {words.data(), words.size()});
}

}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_transaction_begin(ebcache_session* session, ebcache_transaction** transaction) {
  if (transaction == nullptr) return NullArgument("transaction");
  *transaction = nullptr;
  if (session == nullptr) return NullArgument("session");
  const SessionCall call(session);
  if (const int error = call.Check(); error != 0) return error;
  return Guard([&] {
    auto handle = std::make_unique<ebcache_transaction>();
    handle->session = session;
    handle->changes = std::make_shared<uint64_t>(0);
    absl::StatusOr<std::unique_ptr<Transaction>> begun = session->session->Begin();
    if (!begun.ok()) {
      return FailAs(HasOpenTransaction(*session) ? EBUSY : ENOTRECOVERABLE, begun.status());
    }
    handle->transaction = *std::move(begun);
    ++session->transactions;
    session->last = handle.get();
    *transaction = handle.release();
    return 0;
  });
}

int ebcache_transaction_close(ebcache_transaction* transaction) {
  if (transaction == nullptr) return 0;
  ebcache_session* const session = transaction->session;
  const SessionCall call(session);
  if (const int error = call.Check(); error != 0) return error;
  ++*transaction->changes;
  if (session->last == transaction) session->last = nullptr;
  delete transaction;
  --session->transactions;
  return 0;
}

int ebcache_transaction_commit(ebcache_transaction* transaction,
                               void (*tell)(void* context,
                                            const ebcache_superblock_failure* failure),
                               void* context) {
  std::vector<SuperblockFailure> failures;
  const int result = ChangeBy(transaction, [&](Transaction& inside) {
    const absl::Status status = inside.Commit(&failures);
    // It could be committed, and is refused: there was no progress.
    const bool refused = !status.ok() && inside.CheckOpen().ok();
    return refused ? FailAs(EPERM, status) : ResultOf(status);
  });
  if (result != 0 || tell == nullptr) return result;
  for (const SuperblockFailure& failure : failures) TellOf(failure, tell, context);
  return 0;
}

int ebcache_transaction_abort(ebcache_transaction* transaction) {
  if (transaction == nullptr) return NullArgument("transaction");
  const SessionCall call(transaction->session);
  if (const int error = call.Check(); error != 0) return error;
  return Guard([&] {
    Transaction& inside = *transaction->transaction;
    if (inside.stage() == TransactionStage::kCommitted) {
      return Fail(EINVAL, "the transaction is committed");
    }
    if (inside.stage() == TransactionStage::kUnknown) {
      return Fail(EINVAL, "it is not known whether the transaction was committed");
    }
    ++*transaction->changes;
    inside.Abort();
    return 0;
  });
}

uint32_t ebcache_transaction_stage(const ebcache_transaction* transaction) {
  if (transaction == nullptr) return EBCACHE_STAGE_ABORTED;
  return static_cast<uint32_t>(transaction->transaction->stage());
}

const char* ebcache_transaction_stage_name(uint32_t stage) {
  // The names are literals, and end with a zero.
  return stage <= EBCACHE_STAGE_UNKNOWN
             ? TransactionStageName(static_cast<TransactionStage>(stage)).data()
             : "";
}

int ebcache_transaction_check(const ebcache_transaction* transaction) {
  if (transaction == nullptr) return NullArgument("transaction");
  return Guard([&] { return CheckChangeable(*transaction); });
}

uint64_t ebcache_transaction_generation(const ebcache_transaction* transaction) {
  return transaction != nullptr ? transaction->transaction->generation() : 0;
}

int ebcache_transaction_counts(const ebcache_transaction* transaction,
                               struct ebcache_transaction_counts* counts) {
  if (transaction == nullptr) return NullArgument("transaction");
  const TransactionCounts now = transaction->transaction->counts();
  return CopyOut({.size = sizeof(*counts),
                  .blocks_copied = now.blocks_copied,
                  .blocks_made = now.blocks_made,
                  .blocks_freed = now.blocks_freed,
                  .blocks_recycled = now.blocks_recycled,
                  .blocks_written = now.blocks_written,
                  .blocks_written_early = now.blocks_written_early,
                  .extents_told = now.extents_told},
                 counts, "counts");
}

int ebcache_transaction_tree(ebcache_transaction* transaction, uint64_t id, ebcache_tree** tree) {
  if (tree == nullptr) return NullArgument("tree");
  *tree = nullptr;
  if (transaction == nullptr) return NullArgument("transaction");
  const SessionCall call(transaction->session);
  if (const int error = call.Check(); error != 0) return error;
  return Guard([&] {
    if (const int error = CheckChangeable(*transaction); error != 0) return error;
    absl::StatusOr<BTree> found = transaction->transaction->Tree(id);
    if (!found.ok()) return FailAs(ECANCELED, found.status());
    *tree = new ebcache_tree{*std::move(found), transaction->changes, *transaction->changes};
    return 0;
  });
}
