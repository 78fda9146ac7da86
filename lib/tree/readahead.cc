#include "ebcache/readahead.h"

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "ebcache/extent_buffer.h"
#include "lib/base/check.h"

namespace ebcache {
namespace {

uint32_t ThreadsOf(const ReadaheadOptions& options) {
  if (options.threads != 0) return options.threads;
  return std::max(2u, sync::Thread::hardware_concurrency()) - 1;
}

ReadaheadOptions InRange(ReadaheadOptions options) {
  EBCACHE_CHECK(options.threads <= ReadaheadOptions::kMostThreads,
                "ReadaheadOptions::threads must be 1024 at the most");
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

bool Readahead::Ask(uint64_t start, const ParentCheck& check, const void* asker) {
  bool full_batch;
  {
    sync::MutexLock lock(mutex_);
    if (waiting_.size() >= options_.most_waiting) return false;
    waiting_.push_back({start, check, asker});
    full_batch = waiting_.size() % options_.batch == 0;
  }
  if (full_batch) changed_.notify_one();
  return true;
}

void Readahead::Forget(const void* asker) {
  sync::MutexLock lock(mutex_);
  std::erase_if(waiting_, [asker](const Request& request) { return request.asker == asker; });
}

void Readahead::Flush() { changed_.notify_one(); }

std::vector<Readahead::Request> Readahead::TakeBatch() {
  const auto end =
      waiting_.begin() + static_cast<ptrdiff_t>(std::min(waiting_.size(), options_.batch));
  std::vector<Request> batch(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
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
