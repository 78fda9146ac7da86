// Fibers: stacks of their own that one thread runs in turns.

#ifndef EBCACHE_TESTS_MODEL_FIBER_H_
#define EBCACHE_TESTS_MODEL_FIBER_H_

#include <cstddef>

namespace ebcache::model {

// A stack, and where it was left. The body is run by the first Enter, and must not return: it ends
// by leaving for good. Start makes the fiber new, whatever was on its stack.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void Start(void (*body)(void*), void* argument);
  // From the thread's own stack to the fiber's, until it leaves.
  void Enter();
  // From the fiber's stack to the thread's.
  void Leave();

  // Used by the first instructions on the stack only.
  void Run();

 private:
  static constexpr size_t kStackBytes = size_t{256} << 10;

  std::byte* stack_ = nullptr;
  void* inside_ = nullptr;   // stack pointer of the fiber while it is not running
  void* outside_ = nullptr;  // that of the thread while it is
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  // For the sanitizers, which have to be told of the switch.
  void* sanitizer_fiber_ = nullptr;
  void* outside_fiber_ = nullptr;
  const void* outside_stack_ = nullptr;
  size_t outside_stack_bytes_ = 0;
};

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_FIBER_H_
