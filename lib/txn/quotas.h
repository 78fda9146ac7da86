// What a commit tells quotas.

#ifndef EBCACHE_LIB_TXN_QUOTAS_H_
#define EBCACHE_LIB_TXN_QUOTAS_H_

#include <absl/status/status.h>

#include "lib/txn/transaction_trees.h"

namespace ebcache::txn {

// Ordinary quotas count what every tree refers to, which is not done here: they are marked
// inconsistent. A rescan that a kernel has begun goes on, at the next mount, behind the extents that
// it has counted, adds to the numbers that there are, and takes the mark away: some of what it has
// counted is not so any more. So it is begun again, with all numbers at 0. OK where there are no
// quotas. Errors: DataLoss, items that are none; as changes of trees.
absl::Status MarkQuotasInconsistent(TransactionTrees& trees);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_QUOTAS_H_
