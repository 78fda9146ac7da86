// BackgroundThreads: the threads of one part of the library: begun and ended from any thread, left
// alone by exceptions, brought to rest by forks.
//
// What a thread does is a `body`, which sleeps on a condition variable of its owner's, and makes
// each piece of work through Work. How a body learns that it is to end is its owner's business.
//
// Exceptions: one that a piece of work lets out ends that piece and not the process. It is counted.
//
// Forks: fork() waits until no piece of work is under way, for one second at the most where the
// owner does not say otherwise. In the child the threads are not there: there is nothing to join,
// and none is begun by itself. A child that was forked when that was not enough has what was worked
// on as it was in the middle of that.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_BACKGROUND_THREADS_H_
#define EBCACHE_BACKGROUND_THREADS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"

namespace ebcache {

class BackgroundThreads {
 public:
  // What the bodies sleep on. A child of a fork finds both as new. They must outlive this.
  // `most_rest`: the longest that a fork waits for pieces of work.
  BackgroundThreads(sync::Mutex* mutex, sync::ConditionVariable* changed,
                    std::chrono::milliseconds most_rest = std::chrono::seconds(1));
  // REQUIRES: no thread is left.
  ~BackgroundThreads();
  BackgroundThreads(const BackgroundThreads&) = delete;
  BackgroundThreads& operator=(const BackgroundThreads&) = delete;

  // Begins `count` threads unless there are some. `prepare` is called before, with no other
  // thread in Begin or End: it takes back what told the last ones to end. How many there are now:
  // fewer than `count`, and maybe none, where the OS refuses more.
  size_t Begin(size_t count, const std::function<void()>& prepare, std::function<void()> body);
  // Calls `tell`, which tells the bodies to end, and returns when they have. Nothing, where there
  // is no thread, as in a child of a fork. Begin waits for it, and so does another End. REQUIRES:
  // not called by one of the threads.
  void End(const std::function<void()>& tell);

  // Makes a piece of work, on one of the threads. False when it threw. REQUIRES: the mutex that the
  // bodies sleep with is not held.
  template <typename Piece>
  bool Work(Piece piece) {
    const Rest rest(this);
    try {
      piece();
      return true;
    } catch (...) {
      sync::Add(failures_, 1);
      return false;
    }
  }

  // Pieces of work that threw.
  uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

 private:
  // No fork while this lives.
  class Rest {
   public:
    explicit Rest(BackgroundThreads* threads) : threads_(*threads) { threads_.EnterPiece(); }
    ~Rest() { threads_.LeavePiece(); }
    Rest(const Rest&) = delete;
    Rest& operator=(const Rest&) = delete;

   private:
    BackgroundThreads& threads_;
  };

  void EnterPiece();
  void LeavePiece();
  // The locks that fork handlers hold are held over the fork: the two are halves of one function.
  void BeforeFork() EBCACHE_NO_THREAD_SAFETY_ANALYSIS;
  void AfterFork(bool in_child) EBCACHE_NO_THREAD_SAFETY_ANALYSIS;

  sync::Mutex& mutex_;
  sync::ConditionVariable& changed_;
  sync::Mutex control_mutex_;  // one Begin or End at a time, the joins included
  std::vector<sync::Thread> threads_ EBCACHE_GUARDED_BY(control_mutex_);
  sync::Atomic<uint64_t> failures_{0};  // relaxed: a statistic
#if !defined(EBCACHE_MODEL)
  const std::chrono::milliseconds most_rest_;
  sync::Mutex rest_mutex_;
  sync::ConditionVariable rested_;
  uint32_t pieces_ EBCACHE_GUARDED_BY(rest_mutex_) = 0;  // under way
  bool forking_ EBCACHE_GUARDED_BY(rest_mutex_) = false;
#endif
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_BACKGROUND_THREADS_H_
