// BackgroundReclaim: a thread that keeps room under a cache's budget, as kswapd keeps pages free,
// so that a thread that makes a buffer seldom has to look for one that can go.
//
// It sleeps until it is woken, and then works in small steps until there is room enough, or until a
// step says that nothing can go. It does not try again by itself: the next newcomer wakes it.
//
// Without its thread, which the OS may refuse and which a child of a fork does not have, nothing is
// reclaimed in the background, and newcomers make their own room. A step that throws counts as one
// that found nothing.
//
// Thread safety: Wake from any thread. The destructor stops the thread after at most one more step.

#ifndef EBCACHE_LIB_CACHE_BACKGROUND_RECLAIM_H_
#define EBCACHE_LIB_CACHE_BACKGROUND_RECLAIM_H_

#include <functional>

#include "ebcache/background_threads.h"
#include "ebcache/internal/sync.h"

namespace ebcache {

class BackgroundReclaim {
 public:
  // `step` frees some buffers; true when it makes sense to go on. Called without a lock held.
  explicit BackgroundReclaim(std::function<bool()> step);
  ~BackgroundReclaim();
  BackgroundReclaim(const BackgroundReclaim&) = delete;
  BackgroundReclaim& operator=(const BackgroundReclaim&) = delete;

  // Cheap where a wake is wanted already.
  void Wake();

  // Steps that threw.
  uint64_t failures() const { return threads_.failures(); }

 private:
  void Run();

  const std::function<bool()> step_;
  sync::Mutex mutex_;
  sync::ConditionVariable changed_;
  bool woken_ EBCACHE_GUARDED_BY(mutex_) = false;
  // Set under mutex_. Relaxed when read without, between steps: stopping a step later is as good.
  sync::Atomic<bool> stopping_{false};
  // Whether a wake was asked for that the thread has not begun to answer: another one adds nothing
  // to it. There may be no next, so none is lost.
  sync::Atomic<bool> wanted_{false};
  BackgroundThreads threads_;  // last: one, which uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BACKGROUND_RECLAIM_H_
