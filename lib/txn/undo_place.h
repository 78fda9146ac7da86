// Whether an undo file may be where it is to be.

#ifndef EBCACHE_LIB_TXN_UNDO_PLACE_H_
#define EBCACHE_LIB_TXN_UNDO_PLACE_H_

#include <absl/status/status.h>

#include <string>

#include "ebcache/uuid.h"

namespace ebcache::txn {

// InvalidArgument: the folder of `path` is on a mounted btrfs filesystem with this fsid, the one that is
// to be changed, or a copy that cannot be told from it. OK where the system does not tell.
absl::Status CheckUndoPlace(const std::string& path, const Uuid& fsid);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_UNDO_PLACE_H_
