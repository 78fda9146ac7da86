// OwnerTable: the owners an allocator knows, by number, and the migrability contract they are held
// to.
//
// The contract: a movable folio can be taken from its owner at any idle moment. So a request for
// one by an owner that can neither release nor migrate is refused, and counted: such a folio in a
// movable page block would defeat compaction, which finds out only when it comes to move it.
//
// Thread safety: everything may be called from any thread.

#ifndef EBCACHE_LIB_MM_OWNER_TABLE_H_
#define EBCACHE_LIB_MM_OWNER_TABLE_H_

#include <absl/status/status.h>

#include <array>
#include <cstdint>

#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"

namespace ebcache {

// Asks an owner to release a folio. An exception of its counts as a refusal: the allocators' own
// threads ask, too, and would end the process by it.
inline bool AskToRelease(FolioOwner& owner, Folio folio, uint32_t private_bits) noexcept {
  try {
    return owner.Release(folio, private_bits);
  } catch (...) {
    return false;
  }
}

class OwnerTable {
 public:
  // The lowest free number; kNoOwner where there is none, which is beyond 255 owners at a time.
  OwnerId Register(FolioOwner* owner);
  // REQUIRES: registered.
  void Unregister(OwnerId id);

  // Null for kNoOwner. REQUIRES: kNoOwner, or a registration that happened before this call.
  FolioOwner* Find(OwnerId id) const;

  // Whether any owner but `id` is registered. A hint: it may have changed by now.
  bool AnyBut(OwnerId id) const;

  // Between the two, `id` can neither be quiesced nor leave, and may be called. Null: it is not to
  // be called any more, and there is no call to end.
  FolioOwner* BeginCall(OwnerId id);
  void EndCall(OwnerId id);
  // The two, for as long as this lives.
  class Call {
   public:
    Call(OwnerTable* table, OwnerId id) : table_(*table), id_(id), owner_(table->BeginCall(id)) {}
    ~Call() {
      if (owner_ != nullptr) table_.EndCall(id_);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    FolioOwner* owner() const { return owner_; }

   private:
    OwnerTable& table_;
    const OwnerId id_;
    FolioOwner* const owner_;
  };
  // Refuses further calls, and returns when none is under way.
  void Quiesce(OwnerId id);

  // See ForkHandler. In a child no call is under way: the threads that made them are not there.
  void BeforeFork() EBCACHE_ACQUIRE(mutex_) { mutex_.lock(); }
  void AfterFork(bool in_child) EBCACHE_RELEASE(mutex_);

  // InvalidArgument, naming the owner, when `request` breaks the contract.
  absl::Status CheckContract(const FolioRequest& request);

  uint64_t breaches() const { return breaches_.load(std::memory_order_relaxed); }

 private:
  struct Calls {
    bool refused = false;
    uint32_t under_way = 0;
  };

  sync::Mutex mutex_;  // one registration at a time
  std::array<Calls, 256> calls_ EBCACHE_GUARDED_BY(mutex_);
  sync::ConditionVariable calls_ended_;
  // Relaxed. A finder has the number from whoever registered the owner, and what brought it there brought the owner
  // as well; BeginCall, whose numbers come from frames, holds the mutex.
  std::array<sync::Atomic<FolioOwner*>, 256> owners_{};
  // Relaxed: a statistic.
  sync::Atomic<uint64_t> breaches_{0};
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_OWNER_TABLE_H_
