// Errors that refuse a change, and those that end a transaction.
//
// Callers tell them apart by their codes alone. What goes wrong in the middle of a change, or behind
// one that was made, is no refusal, and must not look like one: the transaction would go on, and
// commit what is half done.

#ifndef EBCACHE_LIB_TXN_REFUSAL_H_
#define EBCACHE_LIB_TXN_REFUSAL_H_

#include <absl/status/status.h>

namespace ebcache::txn {

// Whether the transaction can go on after this error of a change.
inline bool IsRefusal(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsAlreadyExists(status) ||
         absl::IsInvalidArgument(status);
}

// The same, as an error that ends the transaction: FailedPrecondition where it looks like a refusal.
inline absl::Status NoRefusal(absl::Status status) {
  if (!IsRefusal(status)) return status;
  return absl::FailedPreconditionError(status.message());
}

// The same of an error of reading a tree. What leads to an address that no chunk has is damage, and
// no word of whether there is such an item: NotFound from below is DataLoss here.
inline absl::Status ReadError(const absl::Status& status) {
  return IsRefusal(status) ? absl::DataLossError(status.message()) : status;
}

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_REFUSAL_H_
