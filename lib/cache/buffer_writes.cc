// Writes: DIRTY becomes WRITEBACK in one step, and nothing can take the bytes away in between.
// After a failure they are DIRTY again, until a write of them has succeeded or they are given up by
// name.
//
// From BeginWriteback to FinishWriteback nothing throws: a buffer must not be left under WRITEBACK.

#include <absl/strings/str_cat.h>

#include <array>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "lib/cache/buffer_io.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/source_call.h"

namespace ebcache {

namespace {

// How many buffers WritebackAll hands to the source at a time.
constexpr size_t kWriteBatch = 32;

// First errors are kept.
void Keep(absl::Status& first, absl::Status status) {
  if (first.ok()) first = std::move(status);
}

}  // namespace

// Buffers that are written together, to which the caller has references.
struct BufferIo::WriteBatch {
  // A buffer that another thread is writing.
  struct OthersWrite {
    ExtentBuffer* buffer = nullptr;
    // Whether that write has all the bytes that were there when it was met: nothing has been
    // dirtied since it began.
    bool has_all = false;
  };

  // All the memory that so many buffers need: between the first BeginWriteback and the last
  // FinishWriteback there must be no want of it.
  absl::Status Reserve(size_t buffers) {
    try {
      ours.reserve(buffers);
      others.reserve(buffers);
    } catch (const std::bad_alloc&) {
      return WithoutWords(absl::StatusCode::kResourceExhausted);
    }
    return absl::OkStatus();
  }

  WriteDurability durability = WriteDurability::kDurable;
  std::vector<BlockWrite> ours = {};  // under WRITEBACK by this thread
  std::vector<OthersWrite> others = {};
};

// ---- Single steps -------------------------------------------------------------------------------

// Ends a write that this thread began. On failure the error is in place before the waiters wake.
void BufferIo::FinishWriteback(ExtentBuffer* buffer, const absl::Status& status) {
  const bool written = status.ok();
  // Under WRITEBACK only the writer changes WRITE_ERR.
  const bool had_failed = buffer->state().has(BufferFlag::kWriteErr);
  if (!written) {
    Count(counters_.write_failures);
    if (!had_failed) Count(counters_.write_errors);
    write_errors_.Keep(buffer, status);
  }
  state::Outcome outcome;
  const auto end = [&] {
    outcome = pool_->ApplyIndexed(
        buffer, [written](BufferState s) { return state::EndWriteback(s, written); });
    return written;
  };
  if (written && had_failed) {
    write_errors_.ForgetIf(buffer, end);
    Uncount(counters_.write_errors);
  } else {
    end();
  }
  EBCACHE_CHECK(outcome.result == state::Result::kChanged, "a write ended that was not under way");
  EBCACHE_TRACE(write_end, buffer);
  if (!outcome.after.under_io()) {
    pool_->NoteWritten();
  }
  Inside(buffer).state_.notify_all();
  pool_->Put(buffer);  // a STALE buffer that only waited for this goes here
}

// Makes a step that takes bytes out of the way of being written, and forgets why they were not:
// under the lock, because right after the step another write may begin and fail.
state::Outcome BufferIo::Clean(ExtentBuffer* buffer, state::Outcome (*step)(BufferState before)) {
  BufferState before;
  state::Outcome outcome;
  bool had_failed = false;
  const auto clean = [&] {
    outcome = pool_->ApplyIndexed(buffer, [&](BufferState s) { return step(before = s); });
    had_failed = before.has(BufferFlag::kWriteErr) && !outcome.after.has(BufferFlag::kWriteErr);
    return had_failed;
  };
  write_errors_.ForgetIf(buffer, clean);
  if (had_failed) Uncount(counters_.write_errors);
  if (before.under_io() && !outcome.after.under_io()) pool_->NoteWritten();
  return outcome;
}

absl::Status BufferIo::WriteError(const ExtentBuffer* buffer) {
  bool failed = false;
  std::optional<KeptErrors::Kept> kept = write_errors_.OfWhile(
      buffer, [&] { return failed = buffer->state().has(BufferFlag::kWriteErr); });
  if (!failed) return absl::OkStatus();
  if (!kept.has_value())
    kept = KeptErrors::Kept{.status = WithoutWords(absl::StatusCode::kUnavailable)};
  return Worded(std::move(kept->status), buffer->start(), "write");
}

void BufferIo::ClearDirty(ExtentBuffer* buffer) {
  const auto outcome = Clean(buffer, state::ClearDirty);
  EBCACHE_CHECK(outcome.result != state::Result::kRefused, "ClearDirty without a reference");
}

// ---- Writing ------------------------------------------------------------------------------------

// Writes this thread has begun: hands them to the source and ends them. The first error.
absl::Status BufferIo::WriteBegun(absl::Span<BlockWrite> writes) {
  Count(counters_.writes, writes.size());
  for ([[maybe_unused]] const BlockWrite& write : writes) EBCACHE_TRACE(write_begin, write.buffer);
  if (source_ != nullptr) {
    CallSource(writes, [&] { source_->Write(writes); });
  }
  absl::Status first_error;
  for (BlockWrite& write : writes) {
    const uint64_t start = write.buffer->start();  // ended, it may be gone
    FinishWriteback(const_cast<ExtentBuffer*>(write.buffer), write.status);
    Keep(first_error, Worded(std::move(write.status), start, "write"));
  }
  return first_error;
}

absl::Status BufferIo::AwaitOthersWrite(ExtentBuffer* buffer, bool has_all,
                                        WriteDurability durability) {
  for (;;) {
    if (!WaitUnlessForEver(buffer, Inside(buffer).state_, BufferFlag::kWriteback)) {
      return WaitForEverRefused(buffer->start());
    }
    if (has_all) return WriteError(buffer);
    const auto begun = state::Apply(Inside(buffer).state_, state::BeginWriteback);
    if (begun.result == state::Result::kChanged) {
      BlockWrite write = Unwritten(buffer, durability);
      return WriteBegun(absl::MakeSpan(&write, 1));
    }
    if (!begun.after.has(BufferFlag::kWriteback)) return absl::OkStatus();
    has_all = true;  // that one began after what we want was dirtied
  }
}

absl::Status BufferIo::Writeback(ExtentBuffer* buffer) {
  constexpr WriteDurability kDurable = WriteDurability::kDurable;
  const auto begun = state::Apply(Inside(buffer).state_, state::BeginWriteback);
  if (begun.result == state::Result::kChanged) {
    BlockWrite write = Unwritten(buffer, kDurable);
    return WriteBegun(absl::MakeSpan(&write, 1));
  }
  if (!begun.after.has(BufferFlag::kWriteback)) return absl::OkStatus();
  return AwaitOthersWrite(buffer, /*has_all=*/!begun.after.has(BufferFlag::kDirty), kDurable);
}

// Whether there is something to write of the buffer, by this thread or by another.
bool BufferIo::BeginOrJoin(ExtentBuffer* buffer, WriteBatch& batch) {
  const auto begun = state::Apply(Inside(buffer).state_, state::BeginWriteback);
  if (begun.result == state::Result::kChanged) {
    batch.ours.push_back(Unwritten(buffer, batch.durability));
    return true;
  }
  if (!begun.after.has(BufferFlag::kWriteback)) return false;
  batch.others.push_back({buffer, !begun.after.has(BufferFlag::kDirty)});
  return true;
}

// Our own are ended before any of the others' is waited for: two calls cannot hold each other up.
// The batch is empty afterwards.
absl::Status BufferIo::WriteAndAwait(WriteBatch& batch) {
  absl::Status first_error;
  if (!batch.ours.empty()) Keep(first_error, WriteBegun(absl::MakeSpan(batch.ours)));
  for (const WriteBatch::OthersWrite& other : batch.others) {
    Keep(first_error, AwaitOthersWrite(other.buffer, other.has_all, batch.durability));
  }
  batch.ours.clear();
  batch.others.clear();
  return first_error;
}

absl::Status BufferIo::WritebackAll() {
  WriteBatch batch;
  std::array<ExtentBufferRef, kWriteBatch> held;
  if (absl::Status status = batch.Reserve(held.size()); !status.ok()) return status;
  absl::Status first_error;
  uint64_t next = 0;
  for (bool more = true; more;) {
    size_t count = 0;
    while (count < held.size()) {
      held[count] =
          ExtentBufferRef::Adopt(pool_->NextReferenced(next, BufferPool::Wanted::kUnwritten));
      if (!held[count]) {
        more = false;
        break;
      }
      next = held[count]->start() + 1;
      if (BeginOrJoin(held[count].get(), batch)) ++count;
    }
    Keep(first_error, WriteAndAwait(batch));
    for (size_t i = 0; i < count; ++i) held[i].Put();
  }
  return first_error;
}

absl::Status BufferIo::WritebackMany(absl::Span<const ExtentBufferRef> buffers,
                                     WriteDurability durability) {
  WriteBatch batch{.durability = durability};
  if (absl::Status status = batch.Reserve(buffers.size()); !status.ok()) return status;
  for (const ExtentBufferRef& buffer : buffers) BeginOrJoin(buffer.get(), batch);
  return WriteAndAwait(batch);
}

// A write before the source has said anything of it.
BlockWrite BufferIo::Unwritten(const ExtentBuffer* buffer, WriteDurability durability) const {
  return {.buffer = buffer,
          .status = source_ != nullptr ? Unanswered() : NoSource(),
          .until_flush = durability == WriteDurability::kUntilFlush};
}

// ---- Giving up ----------------------------------------------------------------------------------

absl::StatusOr<bool> BufferIo::GiveUpWrite(ExtentBuffer* buffer) {
  for (;;) {
    const state::Outcome outcome = Clean(buffer, state::GiveUpWrite);
    if (outcome.result == state::Result::kChanged) return true;
    if (!outcome.after.has(BufferFlag::kWriteback)) return false;
    if (!WaitUnlessForEver(buffer, Inside(buffer).state_, BufferFlag::kWriteback)) {
      return WaitForEverRefused(buffer->start());
    }
  }
}

uint64_t BufferIo::GiveUpWrites() {
  uint64_t given_up = 0;
  uint64_t next = 0;
  while (ExtentBufferRef buffer =
             ExtentBufferRef::Adopt(pool_->NextReferenced(next, BufferPool::Wanted::kUnwritten))) {
    next = buffer->start() + 1;
    if (GiveUpWrite(buffer.get()).value_or(false)) ++given_up;
  }
  return given_up;
}

absl::Status BufferIo::TryReinitAsNewBlock(ExtentBuffer* buffer, uint32_t header_bytes) {
  if (header_bytes > buffer->length()) return buffer->Zero(0, header_bytes);  // says OutOfRange
  const state::Outcome outcome = Clean(buffer, state::ReinitAsNewBlock);
  if (outcome.result == state::Result::kRefused) {
    return absl::InvalidArgumentError(
        absl::StrCat("block ", buffer->start(), ": it is being read or written"));
  }
  return buffer->Zero(0, header_bytes);
}

}  // namespace ebcache
