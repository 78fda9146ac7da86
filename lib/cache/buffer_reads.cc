// Reads: one reader a buffer; all others wait for it and get what it got.
//
// From BeginRead to FinishRead nothing throws: a buffer must not be left READING.

#include <absl/strings/str_cat.h>

#include <cerrno>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/status_number.h"
#include "lib/cache/buffer_io.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/source_call.h"

namespace ebcache {

namespace {

// Which readers the error of a read is the answer for: those that expect the same as the reader, if
// the source may have refused the block for that; null: all.
const ParentCheck* ExpectedBy(const BlockRead& read) { return read.damaged ? nullptr : read.check; }

bool IsAnswerFor(const KeptErrors::Kept& error, const ParentCheck* check) {
  return !error.expected.has_value() || (check != nullptr && *check == *error.expected);
}

}  // namespace

// Ends a read that this thread began. On failure the error is in place before the waiters wake, and
// EndRead makes the buffer STALE, so that it cannot stay in the cache.
void BufferIo::FinishRead(const BlockRead& read) {
  ExtentBuffer* const buffer = read.buffer;
  const bool valid = read.status.ok();
  if (valid) {
    pool_->read_errors().Forget(buffer);
  } else {
    Count(counters_.read_failures);
    pool_->read_errors().Keep(buffer, read.status, ExpectedBy(read));
  }
  const auto outcome = state::Apply(Inside(buffer).state_,
                                    [valid](BufferState s) { return state::EndRead(s, valid); });
  EBCACHE_CHECK(outcome.result == state::Result::kChanged, "a read ended that was not under way");
  EBCACHE_TRACE(read_end, buffer);
  Inside(buffer).state_.notify_all();
  pool_->Put(buffer);
}

// A read that this thread has begun.
absl::Status BufferIo::ReadBegun(ExtentBuffer* buffer, const ParentCheck* check, int bad_mirror) {
  BlockRead read{.buffer = buffer, .check = check, .status = NoSource(), .bad_mirror = bad_mirror};
  if (source_ != nullptr) {
    Count(counters_.reads);
    read.status = Unanswered();
    const auto reads = absl::MakeSpan(&read, 1);
    CallSource(reads, [&] { source_->Read(reads); });
  }
  FinishRead(read);
  return Worded(std::move(read.status), buffer->start(), "read");
}

// Waits for the read of another. Nothing, when there is still no answer for this reader: the other
// expected something else, and that may have been why it failed. The caller holds a reference, so
// the buffer stays what it is.
std::optional<absl::Status> BufferIo::WaitForRead(ExtentBuffer* buffer, const ParentCheck* check) {
  Count(counters_.read_waits);
  if (!WaitUnlessForEver(buffer, Inside(buffer).state_, BufferFlag::kReading)) {
    return WaitForEverRefused(buffer->start());
  }
  if (buffer->uptodate()) return absl::OkStatus();
  std::optional<KeptErrors::Kept> kept = pool_->read_errors().Of(buffer);
  if (!kept.has_value() || !IsAnswerFor(*kept, check)) return std::nullopt;
  return Worded(std::move(kept->status), buffer->start(), "read");
}

// What the source throws is the answer, as in its reads.
absl::Status BufferIo::CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) noexcept {
  absl::StatusCode thrown = absl::StatusCode::kInternal;
  try {
    return source_->CheckParent(buffer, check);
  } catch (const std::bad_alloc&) {
    thrown = absl::StatusCode::kResourceExhausted;
  } catch (...) {
  }
  return Worded(WithoutWords(thrown), buffer.start(), "check");
}

absl::Status BufferIo::Read(ExtentBuffer* buffer, const ParentCheck* check) {
  // Goes round once for each read of others' that gave this reader no answer; reads once at most.
  for (;;) {
    const auto begun = state::Apply(Inside(buffer).state_, state::BeginRead);
    if (begun.result == state::Result::kChanged) {
      EBCACHE_TRACE(read_begin, buffer);
      return ReadBegun(buffer, check, 0);
    }
    if (begun.after.has(BufferFlag::kUptodate)) break;
    EBCACHE_CHECK(begun.after.has(BufferFlag::kReading), "Read without a reference");
    const std::optional<absl::Status> answer = WaitForRead(buffer, check);
    if (!answer.has_value()) continue;
    if (!answer->ok()) return *answer;
    break;
  }
  // UPTODATE, by another reader or from before: but perhaps not what this parent expects.
  if (check == nullptr || source_ == nullptr) return absl::OkStatus();
  return CheckParent(*buffer, *check);
}

absl::Status BufferIo::Reread(ExtentBuffer* buffer, const ParentCheck* check) {
  const auto begun = state::Apply(Inside(buffer).state_, state::BeginReread);
  if (begun.result == state::Result::kChanged) {
    EBCACHE_TRACE(read_begin, buffer);
    return ReadBegun(buffer, check, buffer->mirror());
  }
  // Another reader is at it, be it that it has found the same, or that it is the first of all.
  if (begun.after.has(BufferFlag::kReading)) return Read(buffer, check);
  const char* const why = begun.after.has(BufferFlag::kUnmapped)
                              ? "it is a dummy or a clone"
                              : "its bytes are newer than the disk's";
  // By a number of its own: that there is no source is another error of this kind.
  return WithNumber(absl::FailedPreconditionError(
                        absl::StrCat("block ", buffer->start(), ": not read again: ", why)),
                    EINVAL);
}

void BufferIo::ReadBlocks(absl::Span<const uint64_t> starts,
                          absl::Span<const ParentCheck* const> checks,
                          absl::Span<absl::StatusOr<ExtentBufferRef>> results) {
  std::vector<BlockRead> reads;
  std::vector<size_t> places;  // in results, of each read
  std::vector<size_t> others;  // those that another thread has read or is reading
  // All the memory that is needed, before the first read begins.
  reads.reserve(starts.size());
  places.reserve(starts.size());
  others.reserve(starts.size());
  pool_->CreateMany(starts, results);
  for (size_t i = 0; i < starts.size(); ++i) {
    if (!results[i].ok()) continue;
    ExtentBuffer* const buffer = results[i]->get();
    const auto begun = state::Apply(Inside(buffer).state_, state::BeginRead);
    if (begun.result != state::Result::kChanged) {
      others.push_back(i);
      continue;
    }
    EBCACHE_TRACE(read_begin, buffer);
    reads.push_back({.buffer = buffer,
                     .check = checks.empty() ? nullptr : checks[i],
                     .status = source_ != nullptr ? Unanswered() : NoSource()});
    places.push_back(i);
  }
  if (!reads.empty() && source_ != nullptr) {
    Count(counters_.reads, reads.size());
    const auto all = absl::MakeSpan(reads);
    CallSource(all, [&] { source_->Read(all); });
  }
  // All of our own reads are ended before any of the others' is waited for: two batches that want
  // each other's blocks cannot hold each other up.
  for (size_t n = 0; n < reads.size(); ++n) {
    FinishRead(reads[n]);
    if (reads[n].status.ok()) continue;
    results[places[n]] = Worded(std::move(reads[n].status), starts[places[n]], "read");
  }
  for (const size_t i : others) {
    auto status = Read(results[i]->get(), checks.empty() ? nullptr : checks[i]);
    if (!status.ok()) results[i] = std::move(status);
  }
}

}  // namespace ebcache
