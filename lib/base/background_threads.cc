#include "ebcache/background_threads.h"

#include <chrono>
#include <memory>
#include <system_error>
#include <utility>

#include "lib/base/check.h"

namespace ebcache {
namespace {

#if !defined(EBCACHE_MODEL)
// Begins the life of an object anew, as if it had never been used. What another thread of the
// parent's did with it when that forked is not to be waited for: a condition variable's destructor
// would, and a thread's would end the process.
template <typename T>
void Renew(T& object) {
  std::construct_at(&object);
}
#endif

}  // namespace

BackgroundThreads::BackgroundThreads(sync::Mutex* mutex, sync::ConditionVariable* changed,
                                     [[maybe_unused]] std::chrono::milliseconds most_rest)
    : mutex_(*mutex),
      changed_(*changed),
#if !defined(EBCACHE_MODEL)
      most_rest_(most_rest),
#endif
      at_fork_(
          ForkHandler::Phase::kThreads, [this] { BeforeFork(); },
          [this](bool in_child) { AfterFork(in_child); }) {
}

BackgroundThreads::~BackgroundThreads() {
  EBCACHE_CHECK(threads_.empty(), "background threads that were not ended");
}

size_t BackgroundThreads::Begin(size_t count, const std::function<void()>& prepare,
                                std::function<void()> body) {
  sync::MutexLock control(control_mutex_);
  if (!threads_.empty()) return threads_.size();
  prepare();
  try {
    threads_.reserve(count);
    while (threads_.size() < count) threads_.emplace_back(body);
  } catch (const std::system_error&) {
    // As many as there are.
  } catch (const std::bad_alloc&) {
  }
  return threads_.size();
}

void BackgroundThreads::End(const std::function<void()>& tell) {
  sync::UniqueLock control(control_mutex_);
  if (threads_.empty()) return;
  tell();
  for (sync::Thread& thread : threads_) thread.join();
  threads_.clear();
}

#if defined(EBCACHE_MODEL)

void BackgroundThreads::EnterPiece() {}
void BackgroundThreads::LeavePiece() {}
void BackgroundThreads::BeforeFork() {}
void BackgroundThreads::AfterFork(bool) {}

#else

void BackgroundThreads::EnterPiece() {
  sync::UniqueLock lock(rest_mutex_);
  rested_.wait(lock, [this]() EBCACHE_REQUIRES(rest_mutex_) { return !forking_; });
  ++pieces_;
}

void BackgroundThreads::LeavePiece() {
  sync::MutexLock lock(rest_mutex_);
  --pieces_;
  if (forking_) rested_.notify_all();
}

// What is not held over the fork is renewed in the child: the holder of control_mutex_ may be
// waiting for a thread that is to rest.
void BackgroundThreads::BeforeFork() {
  {
    sync::UniqueLock lock(rest_mutex_);
    forking_ = true;
    rested_.wait_for(lock, most_rest_,
                     [this]() EBCACHE_REQUIRES(rest_mutex_) { return pieces_ == 0; });
  }
  mutex_.lock();
  rest_mutex_.lock();
}

void BackgroundThreads::AfterFork(bool in_child) {
  forking_ = false;
  if (in_child) {
    for (sync::Thread& thread : threads_) Renew(thread);
    threads_.clear();
    pieces_ = 0;
    Renew(control_mutex_);
    Renew(changed_);
    Renew(rested_);
  }
  rest_mutex_.unlock();
  mutex_.unlock();
  if (!in_child) rested_.notify_all();
}

#endif  // EBCACHE_MODEL

}  // namespace ebcache
