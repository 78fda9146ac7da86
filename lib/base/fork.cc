#include "ebcache/fork.h"

#include <pthread.h>

#include <utility>

#include "ebcache/internal/sync.h"
#include "lib/base/check.h"

namespace ebcache {
namespace internal {

// All handlers. Lives for ever: forks happen at any time.
class ForkRegistry {
 public:
  static ForkRegistry& Get() {
    static ForkRegistry* const registry = new ForkRegistry;
    return *registry;
  }

  void Add(ForkHandler* handler) {
    sync::MutexLock lock(mutex_);
    handler->older_ = newest_;
    (newest_ == nullptr ? oldest_ : newest_->newer_) = handler;
    newest_ = handler;
  }

  void Remove(ForkHandler* handler) {
    sync::MutexLock lock(mutex_);
    (handler->newer_ == nullptr ? newest_ : handler->newer_->older_) = handler->older_;
    (handler->older_ == nullptr ? oldest_ : handler->older_->newer_) = handler->newer_;
  }

 private:
  using Phase = ForkHandler::Phase;

  ForkRegistry() {
    EBCACHE_CHECK(pthread_atfork([] { Get().Before(); }, [] { Get().After(false); },
                                 [] { Get().After(true); }) == 0,
                  "no memory to be told of forks");
  }

  // The mutex is held from here to After: the list does not change in between.
  void Before() EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
    mutex_.lock();
    for (const Phase phase : {Phase::kThreads, Phase::kLocks}) {
      for (const ForkHandler* at = newest_; at != nullptr; at = at->older_) {
        if (at->phase_ == phase) at->before_();
      }
    }
  }

  void After(bool in_child) EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
    for (const Phase phase : {Phase::kLocks, Phase::kThreads}) {
      for (const ForkHandler* at = oldest_; at != nullptr; at = at->newer_) {
        if (at->phase_ == phase) at->after_(in_child);
      }
    }
    mutex_.unlock();
  }

  sync::Mutex mutex_;
  ForkHandler* oldest_ EBCACHE_GUARDED_BY(mutex_) = nullptr;
  ForkHandler* newest_ EBCACHE_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace internal

ForkHandler::ForkHandler(Phase phase, std::function<void()> before, std::function<void(bool)> after)
    : phase_(phase), before_(std::move(before)), after_(std::move(after)) {
  internal::ForkRegistry::Get().Add(this);
}

ForkHandler::~ForkHandler() { internal::ForkRegistry::Get().Remove(this); }

}  // namespace ebcache
