// ThreadList: the free frames that one thread keeps at hand, and what it has counted, for one
// depot.
//
// A list is touched by its own thread only: taking and giving frames needs neither lock nor atomic
// read-modify-write. It goes to the depot, under the depot's lock, in batches; and for good when
// its thread ends. A list never refers to its depot's memory, only to frame numbers, so an
// allocator that goes before its threads leaves nothing dangling.

#ifndef EBCACHE_LIB_MM_THREAD_LIST_H_
#define EBCACHE_LIB_MM_THREAD_LIST_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "ebcache/internal/sync.h"
#include "lib/mm/frame_stack.h"

namespace ebcache {

class FrameDepot;
enum class BlockForm;

// A statistic that one thread writes and any thread may read. Relaxed, and no read-modify-write:
// there is one writer, and nothing is ordered by it.
class ThreadCounter {
 public:
  void Add(uint64_t n) { value_.store(Load() + n, std::memory_order_relaxed); }
  uint64_t Load() const { return value_.load(std::memory_order_relaxed); }

 private:
  sync::Atomic<uint64_t> value_{0};
};

// Since the start. What one thread allocates another may free: only sums over all threads mean
// anything.
struct FolioCounters {
  ThreadCounter allocated_folios;
  ThreadCounter allocated_bytes;
  ThreadCounter freed_folios;
  ThreadCounter freed_bytes;
  ThreadCounter allocated_blocks;
  ThreadCounter contiguous_blocks;
  ThreadCounter lucky_blocks;
  ThreadCounter large_blocks;
  ThreadCounter mapped_blocks;

  void Add(const FolioCounters& other);
  void AddBlock(BlockForm form);
};

class alignas(64) ThreadList : public FrameStack {
 public:
  // REQUIRES: 2 <= capacity <= kMaxCapacity
  explicit ThreadList(uint32_t capacity) : capacity_(capacity) {}

  uint32_t capacity() const { return capacity_; }
  bool full() const { return size() == capacity_; }

  FolioCounters counters;

 private:
  const uint32_t capacity_;
};

// This thread's list for a depot, for the length of one call of an allocator.
class ThreadListLease {
 public:
  explicit ThreadListLease(const std::shared_ptr<FrameDepot>& depot);
  ~ThreadListLease() {
    if (passing_depot_ != nullptr) [[unlikely]] {
      ReturnPassing();
    }
  }
  ThreadListLease(const ThreadListLease&) = delete;
  ThreadListLease& operator=(const ThreadListLease&) = delete;

  ThreadList& operator*() const { return *list_; }
  ThreadList* operator->() const { return list_; }

 private:
  void FindOrCreate(const std::shared_ptr<FrameDepot>& depot);
  void ReturnPassing();

  ThreadList* list_ = nullptr;
  // Set where the thread can have no list: there is no memory for one (and frees must not fail), or
  // it is past the end of its thread-local storage (an allocator used by the destructor of a static
  // object). The list then lives as long as the lease.
  FrameDepot* passing_depot_ = nullptr;
  std::optional<ThreadList> passing_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_THREAD_LIST_H_
