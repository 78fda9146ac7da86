// ForkHandler: how what the library has locks, threads or handles of learns of a fork().
//
// A child of fork() has the memory of its parent as it was, and of its threads only the one that
// forked. So a lock that another thread had is never given back there, a thread that is to be
// joined never ends, and what the kernel shares between the two (an io_uring, an eventfd, pages of
// a memfd) is used by both unless one keeps its hands off. docs/forks.md has what a child may do
// with each part of the library. The parent never notices a child.
//
// For the library's own use, and for implementations of its interfaces that have the same cares.

#ifndef EBCACHE_FORK_H_
#define EBCACHE_FORK_H_

#include <functional>

namespace ebcache {

#if defined(EBCACHE_MODEL)

// In the model no thread forks.
class ForkHandler {
 public:
  enum class Phase { kThreads, kLocks };
  ForkHandler(Phase, std::function<void()>, std::function<void(bool)>) {}
};

#else

namespace internal {
class ForkRegistry;  // all handlers there are
}  // namespace internal

class ForkHandler {
 public:
  // Threads are brought to rest before locks are taken: they may need those to come to rest.
  enum class Phase { kThreads, kLocks };

  // From here on each fork() of the process calls `before` in the thread that forks, and afterwards
  // `after`, in parent and child; of several handlers of a phase, in the reverse of the order in
  // which they were made, and back. `before` takes the locks that the child is to find free, and
  // `after` gives them back. Neither may make or end a ForkHandler, nor throw. To be the last
  // member of a class: what they use must be there.
  ForkHandler(Phase phase, std::function<void()> before, std::function<void(bool in_child)> after);
  // Waits for a fork that is under way in another thread.
  ~ForkHandler();
  ForkHandler(const ForkHandler&) = delete;
  ForkHandler& operator=(const ForkHandler&) = delete;

 private:
  friend class internal::ForkRegistry;
  const Phase phase_;
  const std::function<void()> before_;
  const std::function<void(bool)> after_;
  ForkHandler* older_ = nullptr;  // neighbours in the registry
  ForkHandler* newer_ = nullptr;
};

#endif  // EBCACHE_MODEL

}  // namespace ebcache

#endif  // EBCACHE_FORK_H_
