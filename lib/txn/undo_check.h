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

#include <cstdint>

#include "ebcache/undo.h"
#include "lib/volume/superblock_images.h"

namespace ebcache::txn {

// Reads every block that the images lead to; nothing is written. FailedPrecondition: one of them is a
// sound block by now, with its address, of the generation behind `newest`, the last that superblocks
// tell of: what has written it has not committed. The session itself writes nothing there, so that
// blocks of other generations, as blocks that are damaged in another way, were so when it began, which
// is what repairs begin with: they are no error here. `progress` may be null, and ends it by false:
// Cancelled. What was read is in `counts`, also after an error.
absl::Status CheckOldStateIsThere(absl::Span<const DeviceImages> devices, uint64_t newest,
                                  const Undo::Progress& progress, UndoCounts& counts);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_UNDO_CHECK_H_
