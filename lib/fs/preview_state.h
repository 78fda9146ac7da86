// What the filesystems of a preview, and sessions on them, share with it. For lib/fs and lib/txn.

#ifndef EBCACHE_LIB_FS_PREVIEW_STATE_H_
#define EBCACHE_LIB_FS_PREVIEW_STATE_H_

#include <cstdint>
#include <map>

namespace ebcache::internal {

// Thread safety: one thread at a time, that of the session that is open.
struct PreviewState {
  const bool applicable;
  // What sessions that have ended have freed, and what the devices may have in use: ranges of logical
  // addresses that must not be given out, ends by starts.
  std::map<uint64_t, uint64_t> freed = {};
  // Memory was out for some of it: there is no state to apply any more.
  bool lost = false;
};

}  // namespace ebcache::internal

#endif  // EBCACHE_LIB_FS_PREVIEW_STATE_H_
