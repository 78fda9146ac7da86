// Runs a piece of a test in a child of a fork.

#ifndef EBCACHE_TESTS_SUPPORT_IN_CHILD_H_
#define EBCACHE_TESTS_SUPPORT_IN_CHILD_H_

#include <absl/functional/function_ref.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace ebcache {

// A child that hangs is killed by SIGALRM, and seen as that.
inline constexpr unsigned kChildSeconds = 60;

// Whether a child can begin threads where its parent has some: the thread sanitizer confuses them.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kChildrenHaveThreads = false;
#else
inline constexpr bool kChildrenHaveThreads = true;
#endif
inline constexpr const char* kNoThreadsInChildren =
    "SKIPPED: the thread sanitizer has no threads in a child of a process that has some";

// Whether a process may fork while another thread of it is in malloc: the address and the thread
// sanitizer's leave their locks as they are in the child.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kForksBesideMalloc = false;
#else
inline constexpr bool kForksBesideMalloc = true;
#endif
inline constexpr const char* kNoForksBesideMalloc =
    "SKIPPED: a sanitizer's malloc has no forks beside threads that are in it";

#if defined(__SANITIZE_THREAD__)
// A thread of the parent's that had ended and was not joined is no leak of the child's, which has
// no way to join it.
extern "C" __attribute__((used, weak)) const char* __tsan_default_options() {
  return "report_thread_leaks=0";
}
#endif

// What became of a child that did `work`: "", or "exit code 1" where an expectation failed in it
// (which says so on stderr itself), or the signal that killed it.
inline std::string InChild(absl::FunctionRef<void()> work) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    alarm(kChildSeconds);
    work();
    std::fflush(nullptr);
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  if (child < 0) return "no child to be had";
  int status = 0;
  if (waitpid(child, &status, 0) != child) return "the child is lost";
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace ebcache

#endif  // EBCACHE_TESTS_SUPPORT_IN_CHILD_H_
