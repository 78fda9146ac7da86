// Where the log of a filesystem lies, which no tree that tells what is free knows of.

#ifndef EBCACHE_LIB_TXN_LOG_SPACE_H_
#define EBCACHE_LIB_TXN_LOG_SPACE_H_

#include <absl/status/statusor.h>

#include "ebcache/filesystem.h"
#include "lib/space/range.h"

namespace ebcache::txn {

// Where its blocks lie, and the extents of data that it tells of, which in mixed block groups lie
// between blocks. What cannot be read of it is passed over: no kernel could replay that. Nothing
// without a log. Errors: ResourceExhausted, memory was out; Unavailable, a part is on missing devices,
// and may be good.
absl::StatusOr<space::RangeSet> FindLog(Filesystem& filesystem);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_LOG_SPACE_H_
