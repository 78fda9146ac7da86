// Readahead: threads that read blocks into a cache before a reader comes for them.
//
//   ebcache::Readahead readahead(&filesystem.cache());
//   ebcache::WalkTree(filesystem.cache(), root, visitor, {.readahead = &readahead});
//
// What is asked for is a hint, as the kernel's readahead of tree blocks is: its success or failure
// is not reported here. A reader that comes for the block finds it in the cache, or waits for the
// read that is under way, or reads it again and gets the error.
//
// Thread safety: all methods, from any thread. Reads, and what the block source calls for them
// (checksums, reports of damage), are made on the readahead's own threads, and in ReadSome on the
// caller's. A caller that wants no threads at all (kNoThreads) asks, and calls ReadSome when it likes:
// the blocks come in batches all the same.

#ifndef EBCACHE_READAHEAD_H_
#define EBCACHE_READAHEAD_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "ebcache/background_threads.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/internal/sync.h"
#include "ebcache/key.h"

namespace ebcache {

// How many threads read ahead.
struct ReadaheadOptions {
  static constexpr uint32_t kMostThreads = 1024;
  static constexpr size_t kMostInBatch = 65536;
  static constexpr uint32_t kNoThreads = UINT32_MAX;
  // Up to kMostThreads, or kNoThreads: then only ReadSome reads. 0: one for each processor but the
  // caller's, and at least one.
  uint32_t threads = 0;
  // Blocks that one thread reads together: what a device can sort and have under way at once. For
  // what comes out of the page cache few are better, which are still in the processor's cache when
  // they are verified; for a disk, as many as it takes. 1 to kMostInBatch.
  size_t batch = 16;
  // Blocks that wait to be read, at the most; what is asked for beyond that is forgotten. 0: all.
  size_t most_waiting = 1024;
};

class Readahead {
 public:
  // `cache` must outlive the readahead. Options out of range are a CHECK. Where the OS refuses
  // threads there are fewer, or none: then only ReadSome reads. A child of a fork has none.
  explicit Readahead(BufferCache* cache, ReadaheadOptions options = {});
  // Finishes the reads that are under way, and forgets what waits.
  ~Readahead();
  Readahead(const Readahead&) = delete;
  Readahead& operator=(const Readahead&) = delete;

  // Asks for the block at `start`, of which its parent says `check`. False when too many wait.
  // A thread is woken when a batch has come together; see Flush. `asker` is for Forget; it is not
  // looked into. True, and nothing waits, where the block is in the cache. Neither that nor a false
  // takes a lock: a walk may ask for the children of every node, again and again.
  bool Ask(uint64_t start, const ParentCheck& check, const void* asker = nullptr);
  // The same for many, with one lock for all. `checks` has one for each, null where nothing is
  // expected; or is empty. How many of them, from the front, were dealt with: the rest found no room.
  size_t AskMany(absl::Span<const uint64_t> starts, absl::Span<const ParentCheck* const> checks,
                 const void* asker = nullptr);
  // Forgets what `asker` has asked for and no thread has begun to read.
  void Forget(const void* asker);
  // Wakes a thread for what waits, however little it is.
  void Flush();

  // Blocks that wait to be read. A moment old.
  size_t waiting() const { return waiting_count_.load(std::memory_order_relaxed); }

  // Reads one batch of what waits on the caller's thread: for a caller that has to wait for a read
  // anyway, and would rather be of use. False, at once, when nothing waits; and when an exception
  // ended it (memory is out, for example), after which nothing waits.
  bool ReadSome() noexcept;

  // Blocks read by its threads and by ReadSome: those that were not in the cache when their turn
  // came. A statistic.
  uint64_t blocks_read() const { return blocks_read_.load(std::memory_order_relaxed); }

  // Batches that an exception ended, on the readahead's threads: memory was out, for example. What
  // waited then is forgotten, and the threads go on with what is asked for next.
  uint64_t failures() const { return threads_.failures(); }

 private:
  struct Request {
    uint64_t start;
    ParentCheck check;
    const void* asker;
  };
  void Run();
  // Whether there is room; keeps waiting_count_ what it is to be.
  bool Enqueue(uint64_t start, const ParentCheck& check, const void* asker)
      EBCACHE_REQUIRES(mutex_);
  void NoteWaiting() EBCACHE_REQUIRES(mutex_) {
    waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
  }
  std::vector<Request> TakeBatch() EBCACHE_REQUIRES(mutex_);
  bool ReadNextBatch();  // false when nothing waits
  void ForgetAll();
  void ReadBatch(const std::vector<Request>& batch);

  BufferCache* const cache_;
  const ReadaheadOptions options_;
  sync::Mutex mutex_;
  sync::ConditionVariable changed_;
  std::deque<Request> waiting_ EBCACHE_GUARDED_BY(mutex_);
  bool stopping_ EBCACHE_GUARDED_BY(mutex_) = false;
  // Of waiting_, which it follows under the mutex. Relaxed: a caller that finds no room here gives up
  // a hint, and one that finds some looks again with the mutex held.
  sync::Atomic<size_t> waiting_count_{0};
  sync::Atomic<uint64_t> blocks_read_{0};  // relaxed: a statistic
  BackgroundThreads threads_;              // last: they use the others
};

}  // namespace ebcache

#endif  // EBCACHE_READAHEAD_H_
