#include "tools/writing/interrupts.h"

#include <time.h>

namespace ebcache::tools {

HeldInterrupts::HeldInterrupts() {
  sigemptyset(&held_);
  sigaddset(&held_, SIGINT);
  sigaddset(&held_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &held_, &before_);
}

HeldInterrupts::~HeldInterrupts() {
  const timespec at_once{};
  while (pending() && sigtimedwait(&held_, nullptr, &at_once) >= 0) {
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool HeldInterrupts::pending() const {
  sigset_t waiting;
  sigemptyset(&waiting);
  sigpending(&waiting);
  return sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1;
}

}  // namespace ebcache::tools
