// Calls of a cache's source, which may fail in every way: by a status, by none at all, by an
// exception. None may leave a buffer READING or under WRITEBACK, so nothing here throws.

#ifndef EBCACHE_LIB_CACHE_SOURCE_CALL_H_
#define EBCACHE_LIB_CACHE_SOURCE_CALL_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstdint>
#include <new>

#include "lib/cache/calls_under_way.h"

namespace ebcache {

// Errors of the cache's own, which have no words yet: those need memory, and come by Worded.
inline absl::Status WithoutWords(absl::StatusCode code) { return absl::Status(code, ""); }
// What a block has for a status before the source has set one.
inline absl::Status Unanswered() { return WithoutWords(absl::StatusCode::kUnknown); }
inline absl::Status NoSource() { return WithoutWords(absl::StatusCode::kFailedPrecondition); }

// Makes `call`. What it throws is the error of all blocks that it was about: which of them were
// done before cannot be told.
template <typename BlockIo, typename Call>
void CallSource(absl::Span<BlockIo> blocks, Call call) noexcept {
  const CallUnderWay under_way(blocks);
  absl::StatusCode thrown = absl::StatusCode::kInternal;
  try {
    return call();
  } catch (const std::bad_alloc&) {
    thrown = absl::StatusCode::kResourceExhausted;
  } catch (...) {
  }
  for (BlockIo& block : blocks) block.status = WithoutWords(thrown);
}

// The same error in words; without them where there is no memory. `what`: "read" or "write".
absl::Status Worded(absl::Status status, uint64_t start, const char* what) noexcept;

// What is said to a source that would wait for ever for the block at `start`. Has WouldWaitForEver;
// where there is no memory for that it is ResourceExhausted.
absl::Status WaitForEverRefused(uint64_t start) noexcept;

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_SOURCE_CALL_H_
