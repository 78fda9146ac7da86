#include "ebcache/readahead.h"

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "ebcache/extent_buffer.h"
#include "lib/base/check.h"

namespace ebcache {
namespace {

uint32_t ThreadsOf(const ReadaheadOptions& options) {
  if (options.threads == ReadaheadOptions::kNoThreads) return 0;
  if (options.threads != 0) return options.threads;
  return std::max(2u, sync::Thread::hardware_concurrency()) - 1;
}

ReadaheadOptions InRange(ReadaheadOptions options) {
  EBCACHE_CHECK(options.threads <= ReadaheadOptions::kMostThreads ||
                    options.threads == ReadaheadOptions::kNoThreads,
                "ReadaheadOptions::threads must be 1024 at the most, or kNoThreads");
  EBCACHE_CHECK(options.batch >= 1 && options.batch <= ReadaheadOptions::kMostInBatch,
                "ReadaheadOptions::batch must be from 1 to 65536");
  return options;
}

}  // namespace

Readahead::Readahead(BufferCache* cache, ReadaheadOptions options)
    : cache_(cache), options_(InRange(options)), threads_(&mutex_, &changed_) {
  threads_.Begin(
      ThreadsOf(options), [] {}, [this] { Run(); });
}

Readahead::~Readahead() {
  threads_.End([this] {
    {
      sync::MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
  });
}

bool Readahead::Enqueue(uint64_t start, const ParentCheck& check, const void* asker) {
  if (waiting_.size() >= options_.most_waiting) return false;
  waiting_.push_back({start, check, asker});
  NoteWaiting();
  return true;
}

bool Readahead::Ask(uint64_t start, const ParentCheck& check, const void* asker) {
  if (cache_->MayBeCached(start)) return true;
  if (waiting() >= options_.most_waiting) return false;
  bool full_batch;
  {
    sync::MutexLock lock(mutex_);
    if (!Enqueue(start, check, asker)) return false;
    full_batch = waiting_.size() % options_.batch == 0;
  }
  if (full_batch) changed_.notify_one();
  return true;
}

size_t Readahead::AskMany(absl::Span<const uint64_t> starts,
                          absl::Span<const ParentCheck* const> checks, const void* asker) {
  EBCACHE_CHECK(checks.empty() || checks.size() == starts.size(),
                "AskMany: no checks, or one for each block");
  size_t dealt_with = 0;
  const auto pass_over_cached = [&] {
    while (dealt_with < starts.size() && cache_->MayBeCached(starts[dealt_with])) ++dealt_with;
    return dealt_with < starts.size();
  };
  if (!pass_over_cached() || waiting() >= options_.most_waiting) return dealt_with;
  size_t full_batches;
  {
    sync::MutexLock lock(mutex_);
    const size_t before = waiting_.size();
    while (pass_over_cached()) {
      const ParentCheck* const check = checks.empty() ? nullptr : checks[dealt_with];
      if (!Enqueue(starts[dealt_with], check != nullptr ? *check : ParentCheck(), asker)) break;
      ++dealt_with;
    }
    full_batches = waiting_.size() / options_.batch - before / options_.batch;
  }
  if (full_batches == 1) changed_.notify_one();
  if (full_batches > 1) changed_.notify_all();
  return dealt_with;
}

void Readahead::Forget(const void* asker) {
  sync::MutexLock lock(mutex_);
  std::erase_if(waiting_, [asker](const Request& request) { return request.asker == asker; });
  NoteWaiting();
}

void Readahead::Flush() { changed_.notify_one(); }

std::vector<Readahead::Request> Readahead::TakeBatch() {
  const auto end =
      waiting_.begin() + static_cast<ptrdiff_t>(std::min(waiting_.size(), options_.batch));
  std::vector<Request> batch(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  NoteWaiting();
  return batch;
}

bool Readahead::ReadNextBatch() {
  std::vector<Request> batch;
  {
    sync::MutexLock lock(mutex_);
    batch = TakeBatch();
  }
  ReadBatch(batch);
  return !batch.empty();
}

// Only an advance is lost: the readers that come for the blocks read them.
void Readahead::ForgetAll() {
  sync::MutexLock lock(mutex_);
  waiting_.clear();
  NoteWaiting();
}

bool Readahead::ReadSome() noexcept try { return ReadNextBatch(); } catch (...) {
  ForgetAll();
  return false;
}

void Readahead::Run() {
  sync::UniqueLock lock(mutex_);
  for (;;) {
    changed_.wait(lock,
                  [this]() EBCACHE_REQUIRES(mutex_) { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    lock.unlock();
    if (!threads_.Work([this] { ReadNextBatch(); })) ForgetAll();
    lock.lock();
  }
}

void Readahead::ReadBatch(const std::vector<Request>& batch) {
  std::vector<uint64_t> starts;
  std::vector<const ParentCheck*> checks;
  for (const Request& request : batch) {
    // A reader that was there first needs no company: to wait for a read is not to read ahead.
    if (cache_->Find(request.start)) continue;
    starts.push_back(request.start);
    checks.push_back(&request.check);
  }
  if (starts.empty()) return;
  std::vector<absl::StatusOr<ExtentBufferRef>> results;
  results.reserve(starts.size());
  for (size_t i = 0; i < starts.size(); ++i) results.emplace_back(ExtentBufferRef());
  cache_->ReadBlocks(starts, checks, absl::MakeSpan(results));
  sync::Add(blocks_read_, starts.size());
}

}  // namespace ebcache
