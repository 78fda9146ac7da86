#include "lib/cache/calls_under_way.h"

#include <mutex>

#include "ebcache/fork.h"
#include "lib/cache/state_word.h"

namespace ebcache {
namespace {

// All of them. The list has no circle: see Join.
class Waiters {
 public:
  // Adds `waiter`, which is to wait for `buffer`, unless it would close a circle; then false. From a
  // block to the thread that has it, from there to the block that this one waits for, and so on.
  bool Join(Waiter& waiter, const ExtentBuffer* buffer) {
    sync::UniqueLock lock(mutex_);
    for (const ExtentBuffer* block = buffer; block != nullptr; block = WaitedForBy(block)) {
      if (waiter.call->IsAbout(block)) return false;
    }
    waiter.buffer = buffer;
    waiter.next = first_;
    first_ = &waiter;
    return true;
  }

  void Leave(const Waiter& waiter) {
    sync::MutexLock lock(mutex_);
    Waiter** link = &first_;
    while (*link != &waiter) link = &(*link)->next;
    *link = waiter.next;
  }

  // A child finds the lock free and the list empty: those in it are threads that it does not have,
  // and their stacks may be given to threads of its own.
  // (From one call to the other, which the analysis does not follow.)
  void BeforeFork() EBCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
  void AfterFork(bool in_child) EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
    if (in_child) first_ = nullptr;
    mutex_.unlock();
  }

 private:
  // The block that a thread waits for: the thread one of whose calls is about `block`. Null when
  // that thread does not wait.
  const ExtentBuffer* WaitedForBy(const ExtentBuffer* block) const EBCACHE_REQUIRES(mutex_) {
    for (const Waiter* waiter = first_; waiter != nullptr; waiter = waiter->next) {
      if (waiter->call->IsAbout(block)) return waiter->buffer;
    }
    return nullptr;
  }

  sync::Mutex mutex_;
  Waiter* first_ EBCACHE_GUARDED_BY(mutex_) = nullptr;
};

constinit Waiters waiters;
const ForkHandler at_fork(
    ForkHandler::Phase::kLocks, [] { waiters.BeforeFork(); },
    [](bool in_child) { waiters.AfterFork(in_child); });

const CallUnderWay*& ThisThreadsCall() {
  return sync::OfThisThread<CallUnderWay, const CallUnderWay*>();
}

}  // namespace

CallUnderWay::CallUnderWay(const void* blocks, size_t count, Has has)
    : blocks_(blocks), count_(count), has_(has), outer_(ThisThreadsCall()) {
  ThisThreadsCall() = this;
}

CallUnderWay::~CallUnderWay() { ThisThreadsCall() = outer_; }

const CallUnderWay* CallUnderWay::Innermost() { return ThisThreadsCall(); }

bool CallUnderWay::IsAbout(const ExtentBuffer* buffer) const {
  for (const CallUnderWay* call = this; call != nullptr; call = call->outer_) {
    if (call->has_(call->blocks_, call->count_, buffer)) return true;
  }
  return false;
}

bool WaitUnlessForEver(const ExtentBuffer* buffer, const sync::Atomic<uint64_t>& word,
                       BufferFlag flag) {
  const CallUnderWay* const call = CallUnderWay::Innermost();
  if (call == nullptr) {
    state::WaitWhile(word, flag);
    return true;
  }
  if (!waiters.Join(call->waiter(), buffer)) return false;
  state::WaitWhile(word, flag);
  waiters.Leave(call->waiter());
  return true;
}

}  // namespace ebcache
