#include "tests/model/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#if !defined(__x86_64__)
#error "fibers are written for x86-64"
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

// Keeps what a called function has to keep, swaps stack pointers, and returns on the other stack.
//   rdi: where to put the stack pointer of the one that leaves; rsi: that of the one to go on.
asm(R"(
.text
.globl ebcache_switch_stacks
.type ebcache_switch_stacks, @function
ebcache_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ebcache_switch_stacks, .-ebcache_switch_stacks
.globl ebcache_first_on_stack
.type ebcache_first_on_stack, @function
ebcache_first_on_stack:
  movq %r12, %rdi
  call ebcache_run_fiber
  ud2
.size ebcache_first_on_stack, .-ebcache_first_on_stack
)");

extern "C" void ebcache_switch_stacks(void** leaving, void* going_on);
extern "C" void ebcache_first_on_stack();
extern "C" void ebcache_run_fiber(ebcache::model::Fiber* fiber) { fiber->Run(); }

namespace ebcache::model {

Fiber::Fiber() {
  void* const memory =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  stack_ = static_cast<std::byte*>(memory);
#if defined(__SANITIZE_THREAD__)
  sanitizer_fiber_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(sanitizer_fiber_);
#endif
  munmap(stack_, kStackBytes);
}

void Fiber::Start(void (*body)(void*), void* argument) {
  body_ = body;
  argument_ = argument;
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack_, kStackBytes);  // what the last body left there
  sanitizer_fiber_ = nullptr;
#endif
  // As if the first instruction had been left by a switch: six registers (the fourth from the
  // bottom is r12) and an address to return to, after which the stack is aligned as at a call.
  auto** top = reinterpret_cast<void**>(stack_ + kStackBytes);
  *--top = nullptr;
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&ebcache_first_on_stack);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  top[3] = this;
  inside_ = top;
}

void Fiber::Run() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &outside_stack_, &outside_stack_bytes_);
#endif
  body_(argument_);
}

void Fiber::Enter() {
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_, kStackBytes);
#endif
#if defined(__SANITIZE_THREAD__)
  outside_fiber_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(sanitizer_fiber_, 0);
#endif
  ebcache_switch_stacks(&outside_, inside_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::Leave() {
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, outside_stack_, outside_stack_bytes_);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(outside_fiber_, 0);
#endif
  ebcache_switch_stacks(&inside_, outside_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, &outside_stack_, &outside_stack_bytes_);
#endif
}

}  // namespace ebcache::model
