// What is behind the handles of c/transaction.h, and what keeps their callers apart.
//
// A session is freed after the handles that stand on it: it is not closed while there are any. So no
// handle leads to what is gone.

#ifndef EBCACHE_LIB_CAPI_SESSION_HANDLES_H_
#define EBCACHE_LIB_CAPI_SESSION_HANDLES_H_

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>

#include "ebcache/ebcache.h"
#include "ebcache/transaction.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"

struct ebcache_session {
  ebcache_filesystem* filesystem = nullptr;
  std::unique_ptr<ebcache::Session> session;
  // Whether a call is under way that only one thread may make at a time: SessionCall.
  std::atomic_flag busy;
  // Handles, and the one that was begun last, if it is left. Touched in a SessionCall only.
  uint64_t transactions = 0;
  const ebcache_transaction* last = nullptr;
  // Views, which go on any thread. A release when one has gone, an acquire before the session goes:
  // all that a view did comes before.
  std::atomic<uint64_t> views{0};
};

struct ebcache_transaction {
  ebcache_session* session = nullptr;
  std::unique_ptr<ebcache::Transaction> transaction;
  // How often trees have changed, or may have. Trees that callers have of it outlive it.
  std::shared_ptr<uint64_t> changes;
};

struct ebcache_view {
  ebcache_session* session = nullptr;
  std::optional<ebcache::CommittedView> view;
};

namespace ebcache::capi {

// One call on a session, or its transactions. Another one beside it, from a callback of the caller's
// or from a thread that should not, is refused.
class SessionCall {
 public:
  // Acquire, with the release of the call before: what that one did is seen by this one.
  explicit SessionCall(ebcache_session* session)
      : session_(session), taken_(!session->busy.test_and_set(std::memory_order_acquire)) {}
  ~SessionCall() {
    if (taken_) session_->busy.clear(std::memory_order_release);
  }
  SessionCall(const SessionCall&) = delete;
  SessionCall& operator=(const SessionCall&) = delete;

  // 0, or -EBUSY: then nothing may be done.
  int Check() const { return taken_ ? 0 : Fail(EBUSY, "another call on the session is under way"); }
  // The session is gone.
  void Forget() { taken_ = false; }

 private:
  ebcache_session* const session_;
  bool taken_;
};

inline bool IsOver(TransactionStage stage) {
  return stage == TransactionStage::kCommitted || stage == TransactionStage::kAborted ||
         stage == TransactionStage::kUnknown;
}

// 0 where the transaction can be changed: else -EINVAL, it is over, or -ECANCELED, by an error.
int CheckChangeable(const ebcache_transaction& transaction);

// Runs `change`, which returns what the function of the API does, as one call on the transaction,
// whose trees are other ones from then on.
template <typename Change>
int ChangeBy(ebcache_transaction* transaction, Change change) {
  if (transaction == nullptr) return NullArgument("transaction");
  const SessionCall call(transaction->session);
  if (const int error = call.Check(); error != 0) return error;
  return Guard([&] {
    if (const int error = CheckChangeable(*transaction); error != 0) return error;
    ++*transaction->changes;
    return change(*transaction->transaction);
  });
}

// The result of a change.
inline int ResultOf(const absl::Status& status) {
  return status.ok() ? 0 : FailAs(ECANCELED, status);
}

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_SESSION_HANDLES_H_
