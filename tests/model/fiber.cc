#include "tests/model/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "fibers are written for x86-64 and arm64"
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

// Keeps what a called function has to keep, swaps stack pointers, and returns on the other stack.
#if defined(__x86_64__)
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
#else
//   x0: where to put the stack pointer of the one that leaves; x1: that of the one to go on.
asm(R"(
.text
.globl ebcache_switch_stacks
.type ebcache_switch_stacks, %function
ebcache_switch_stacks:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size ebcache_switch_stacks, .-ebcache_switch_stacks
.globl ebcache_first_on_stack
.type ebcache_first_on_stack, %function
ebcache_first_on_stack:
  mov x0, x19
  bl ebcache_run_fiber
  brk #1
.size ebcache_first_on_stack, .-ebcache_first_on_stack
)");
#endif

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
  // As if the first instruction had been left by a switch.
  auto** top = reinterpret_cast<void**>(stack_ + kStackBytes);
#if defined(__x86_64__)
  // Six registers, of which the fourth from the bottom is r12, and an address to return to, after which
  // the stack is aligned as at a call.
  *--top = nullptr;
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&ebcache_first_on_stack);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  top[3] = this;
#else
  // Twenty registers, from x19; the twelfth, x30, is the address to return to.
  for (int i = 0; i < 20; ++i) *--top = nullptr;
  top[0] = this;
  top[11] = reinterpret_cast<void*>(&ebcache_first_on_stack);
#endif
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
