// Writes: DIRTY becomes WRITEBACK in one step, and nothing can take the bytes away in between.

#include <absl/strings/str_cat.h>

#include <vector>

#include "lib/cache/buffer_cache_impl.h"

namespace ebcache {

namespace {
// How many buffers WritebackAll hands to the source at a time.
constexpr size_t kWriteBatch = 32;
}  // namespace

void BufferCacheImpl::FinishWriteback(ExtentBuffer* buffer, const absl::Status& status) {
  const bool written = status.ok();
  if (!written) Count(counters_.write_failures);
  const auto outcome = state::Apply(
      buffer->state_, [written](BufferState s) { return state::EndWriteback(s, written); });
  EBCACHE_CHECK(outcome.result == state::Result::kChanged, "a write ended that was not under way");
  if (!sync::Planted("write-end-without-wake")) buffer->state_.notify_all();
  Put(buffer);  // a STALE buffer that only waited for this goes here
}

absl::Status BufferCacheImpl::Writeback(ExtentBuffer* buffer) {
  for (;;) {
    const auto begun = state::Apply(buffer->state_, state::BeginWriteback);
    if (begun.result == state::Result::kChanged) {
      Uncount(counters_.dirty);
      Count(counters_.writes);
      BlockWrite write{.buffer = buffer,
                       .status = absl::FailedPreconditionError(absl::StrCat(
                           "block ", buffer->start(), ": the cache has no source to write to"))};
      if (source_ != nullptr) source_->Write(absl::MakeSpan(&write, 1));
      FinishWriteback(buffer, write.status);
      return write.status;
    }
    if (begun.after.has(BufferFlag::kWriteback)) {
      // Somebody else's write. What was dirtied after it began is ours to write.
      state::WaitWhile(buffer->state_, BufferFlag::kWriteback);
      continue;
    }
    if (begun.after.has(BufferFlag::kWriteErr)) {
      return absl::DataLossError(
          absl::StrCat("block ", buffer->start(), ": the last write of it failed"));
    }
    return absl::OkStatus();
  }
}

absl::Status BufferCacheImpl::WritebackAll() {
  absl::Status first_error;
  uint64_t next = 0;
  for (bool more = true; more;) {
    std::vector<ExtentBufferRef> held;
    std::vector<BlockWrite> writes;
    while (writes.size() < kWriteBatch) {
      ExtentBufferRef buffer = Wrap(NextReferenced(next, /*dirty_only=*/true));
      if (!buffer) {
        more = false;
        break;
      }
      next = buffer->start() + 1;
      const auto begun = state::Apply(buffer->state_, state::BeginWriteback);
      if (begun.result == state::Result::kChanged) {
        Uncount(counters_.dirty);
        writes.push_back(
            {.buffer = buffer.get(),
             .status = absl::FailedPreconditionError("the cache has no source to write to")});
      }
      held.push_back(std::move(buffer));
    }
    Count(counters_.writes, writes.size());
    if (source_ != nullptr && !writes.empty()) source_->Write(absl::MakeSpan(writes));
    for (BlockWrite& write : writes) {
      if (first_error.ok()) first_error = write.status;
      FinishWriteback(const_cast<ExtentBuffer*>(write.buffer), write.status);
    }
    // Those that somebody else was writing: wait, or write what was dirtied meanwhile.
    for (const ExtentBufferRef& buffer : held) {
      if (!buffer->state().under_io()) continue;
      if (auto status = Writeback(buffer.get()); first_error.ok()) first_error = status;
    }
  }
  return first_error;
}

absl::Status BufferCacheImpl::ReinitAsNewBlock(ExtentBuffer* buffer, uint32_t header_bytes) {
  if (header_bytes > buffer->length()) return buffer->Zero(0, header_bytes);  // says OutOfRange
  bool was_dirty = false;
  const auto outcome = state::Apply(buffer->state_, [&](BufferState s) {
    was_dirty = s.has(BufferFlag::kDirty);
    return state::ReinitAsNewBlock(s);
  });
  EBCACHE_CHECK(outcome.result != state::Result::kRefused,
                "ReinitAsNewBlock needs a reference, and no read or write under way");
  if (was_dirty) Uncount(counters_.dirty);
  return buffer->Zero(0, header_bytes);
}

}  // namespace ebcache
