// Reads: one reader a buffer, everybody else waits for it and gets what it got.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <vector>

#include "lib/cache/buffer_cache_impl.h"

namespace ebcache {

namespace {

absl::Status NoSource(uint64_t start) {
  return absl::FailedPreconditionError(
      absl::StrCat("block ", start, ": not cached, and the cache has no source to read from"));
}

absl::Status UnreadableAfterWriteError(uint64_t start) {
  return absl::DataLossError(absl::StrCat(
      "block ", start, ": the last write of it failed; what is on disk is not to be trusted"));
}

}  // namespace

absl::Status BufferCacheImpl::FailureOf(const ExtentBuffer* buffer) {
  std::lock_guard lock(failures_mutex_);
  const auto it = failures_.find(buffer);
  if (it != failures_.end()) return absl::Status(it->second.code, it->second.message);
  // It was there and is gone: another holder has begun to read again.
  return absl::UnavailableError(absl::StrCat("block ", buffer->start(), ": the read failed"));
}

void BufferCacheImpl::ForgetFailure(const ExtentBuffer* buffer) {
  if (failure_count_.load(std::memory_order_relaxed) == 0) return;
  std::lock_guard lock(failures_mutex_);
  if (failures_.erase(buffer) != 0) failure_count_.fetch_sub(1, std::memory_order_relaxed);
}

// Ends a read that this thread began. On failure the error is in place before the waiters wake, and
// the buffer is STALE before the reader's reference goes, so that it cannot stay in the cache.
void BufferCacheImpl::FinishRead(ExtentBuffer* buffer, const absl::Status& status) {
  const bool valid = status.ok();
  if (valid) {
    ForgetFailure(buffer);
  } else {
    Count(counters_.read_failures);
    std::lock_guard lock(failures_mutex_);
    Failure failure{status.code(), std::string(status.message())};
    if (failures_.insert_or_assign(buffer, std::move(failure)).second) {
      failure_count_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  const auto outcome =
      state::Apply(buffer->state_, [valid](BufferState s) { return state::EndRead(s, valid); });
  EBCACHE_CHECK(outcome.result == state::Result::kChanged, "a read ended that was not under way");
  if (!sync::Planted("read-end-without-wake")) buffer->state_.notify_all();
  if (valid || sync::Planted("failed-read-stays")) {
    Put(buffer);
  } else {
    PutStale(buffer);
  }
}

// The caller holds a reference, so the buffer stays what it is.
absl::Status BufferCacheImpl::WaitForRead(ExtentBuffer* buffer) {
  Count(counters_.read_waits);
  state::WaitWhile(buffer->state_, BufferFlag::kReading);
  if (buffer->uptodate()) return absl::OkStatus();
  return FailureOf(buffer);
}

absl::Status BufferCacheImpl::Read(ExtentBuffer* buffer, const ParentCheck* check) {
  bool looked = sync::Planted("read-without-second-look") && !buffer->uptodate();
  const auto begun = state::Apply(buffer->state_, [looked](BufferState s) {
    return state::BeginRead(looked ? state::Without(s, BufferFlag::kUptodate) : s);
  });
  if (begun.result == state::Result::kChanged) {
    BlockRead read{.buffer = buffer, .check = check, .status = NoSource(buffer->start())};
    if (source_ != nullptr) {
      Count(counters_.reads);
      source_->Read(absl::MakeSpan(&read, 1));
    }
    FinishRead(buffer, read.status);
    return read.status;
  }
  if (begun.after.has(BufferFlag::kReading)) {
    if (auto status = WaitForRead(buffer); !status.ok()) return status;
  } else if (!begun.after.has(BufferFlag::kUptodate)) {
    return UnreadableAfterWriteError(buffer->start());
  }
  // UPTODATE, by whoever: but perhaps not what this parent expects.
  if (check == nullptr || source_ == nullptr) return absl::OkStatus();
  return source_->CheckParent(*buffer, *check);
}

void BufferCacheImpl::ReadBlocks(absl::Span<const uint64_t> starts,
                                 absl::Span<const ParentCheck* const> checks,
                                 absl::Span<absl::StatusOr<ExtentBufferRef>> results) {
  std::vector<BlockRead> reads;
  std::vector<size_t> places;  // in results, of each read
  std::vector<size_t> others;  // those that somebody else has read or is reading
  reads.reserve(starts.size());
  places.reserve(starts.size());
  CreateMany(starts, results);
  for (size_t i = 0; i < starts.size(); ++i) {
    if (!results[i].ok()) continue;
    ExtentBuffer* const buffer = results[i]->get();
    const auto begun = state::Apply(buffer->state_, state::BeginRead);
    if (begun.result != state::Result::kChanged || source_ == nullptr) {
      if (begun.result == state::Result::kChanged) FinishRead(buffer, NoSource(starts[i]));
      others.push_back(i);
      continue;
    }
    reads.push_back({.buffer = buffer, .check = checks.empty() ? nullptr : checks[i]});
    places.push_back(i);
  }
  if (!reads.empty()) {
    Count(counters_.reads, reads.size());
    source_->Read(absl::MakeSpan(reads));
  }
  // All of our own reads are ended before any of the others' is waited for: two batches that want
  // each other's blocks cannot hold each other up.
  for (size_t n = 0; n < reads.size(); ++n) {
    FinishRead(reads[n].buffer, reads[n].status);
    if (!reads[n].status.ok()) results[places[n]] = std::move(reads[n].status);
  }
  for (const size_t i : others) {
    auto status = Read(results[i]->get(), checks.empty() ? nullptr : checks[i]);
    if (!status.ok()) results[i] = std::move(status);
  }
}

}  // namespace ebcache
