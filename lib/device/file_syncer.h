// FileSyncer: has the kernel write to the device what its page cache has of a file.
//
// The kernel tells of what it could not write once for each open file, to the first that asks: with
// several threads at it, perhaps not to the one whose bytes they were. So a failure is that of all
// threads that had written by then and had not been told yet that all is well.
//
// Forks: a child never waits for a thread of its parent's. The open file is the same in both, and
// so is what the kernel tells once: only one of them is to write.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_DEVICE_FILE_SYNCER_H_
#define EBCACHE_LIB_DEVICE_FILE_SYNCER_H_

#include <cstdint>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"

namespace ebcache {

class FileSyncer {
 public:
  // Of a file that stays open.
  explicit FileSyncer(int fd);
  FileSyncer(const FileSyncer&) = delete;
  FileSyncer& operator=(const FileSyncer&) = delete;

  // How often Sync has failed. To be asked before the first byte is written that a Sync is to be
  // about.
  uint32_t failed() const {
    // Acquire, with the release of a failure: what is written after a look that sees it comes after
    // it, and is none of what that failure was about.
    return failed_.load(std::memory_order_acquire);
  }

  // 0: what the caller has written since `failed_before` is on the device. Else errno's number:
  // that of fdatasync, by this thread or by another one meanwhile. The bytes are then to be written
  // again, and not only to be synced: the page cache may take them for written.
  int Sync(uint32_t failed_before);

  // Bytes have been written since `failed_before` that a Flush is to be about.
  void NoteCached(uint32_t failed_before);

  // The same as Sync, for all that was noted before this call and that no Flush has been about yet.
  // After an error nothing is left that later ones are about: what was noted is lost. Bytes that
  // are noted while a Flush is under way, in which it or a Sync fails, are told so by the next one.
  int Flush();

 private:
  static constexpr uint64_t kNothingNoted = ~uint64_t{0};

  const int fd_;
  sync::Atomic<uint32_t> taken_{0};  // 1: a thread is in Sync
  sync::Atomic<uint32_t> failed_{0};
  // The least `failed_before` that was noted since the last Flush began. Relaxed: of its value all
  // that counts is that a thread which notes and then flushes finds its own or a lesser one, or
  // that another Flush has taken it; the count that it is held against has its own order.
  sync::Atomic<uint64_t> noted_{kNothingNoted};
  int last_error_ = 0;   // guarded by taken_
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_FILE_SYNCER_H_
