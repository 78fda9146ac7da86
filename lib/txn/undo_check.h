// Whether the state that a session began with is still there, before superblocks that lead to it are
// put back.
//
// While a session lasts, it is. What writes afterwards knows nothing of it: another session, or a
// kernel, may have put its blocks over those of the old state, and not have committed, so that the
// superblocks are still the session's.

#ifndef EBCACHE_LIB_TXN_UNDO_CHECK_H_
#define EBCACHE_LIB_TXN_UNDO_CHECK_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include "lib/volume/superblock_images.h"

namespace ebcache::txn {

// Reads every block that the images lead to; nothing is written. FailedPrecondition: one of them is a
// sound block of a later generation by now, with its address. A block that is damaged in another way
// may have been so when the session began, which is what repairs begin with: it is no error here.
absl::Status CheckOldStateIsThere(absl::Span<const DeviceImages> devices);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_UNDO_CHECK_H_
