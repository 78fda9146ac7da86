// Which filesystems must not be written by a transaction, and why.

#ifndef EBCACHE_LIB_TXN_WRITE_GATE_H_
#define EBCACHE_LIB_TXN_WRITE_GATE_H_

#include <absl/status/status.h>

#include "ebcache/filesystem.h"

namespace ebcache::txn {

// OK, or what stands in the way: see Session::Open. What Volume::Open refuses of those that are open
// for writing is not asked again.
absl::Status CheckMayWrite(Filesystem& filesystem, bool drop_log);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_WRITE_GATE_H_
