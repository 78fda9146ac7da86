// Finding a cached buffer and putting the reference: no allocation, no lock, no system call.
//
// Allocations and locks are counted by standing in front of the C library's; system calls are made
// impossible: the loop runs in a child under strict seccomp, where any but read, write and exit
// kills.

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "tests/support/counted_calls.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;
constexpr uint64_t kBlocks = 1000;

class FastPathTest : public testing::Test {
 protected:
  FastPathTest() {
    for (uint64_t i = 0; i < kBlocks; ++i) (void)*cache_.Create(i * kNode);
  }
  // Returns how many were found.
  uint64_t FindAll() {
    uint64_t found = 0;
    for (uint64_t i = 0; i < kBlocks; ++i) {
      ExtentBufferRef block = cache_.Find(i * kNode);
      if (block) ++found;
      ExtentBufferRef other = block.Share();
    }
    return found;
  }
  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 0}};
};

TEST_F(FastPathTest, FindAndPutAllocateNothingAndTakeNoLock) {
  if (EBCACHE_TEST_SANITIZED) {
    GTEST_SKIP() << "SKIPPED: the sanitizer's runtime stands in front of malloc and mutexes";
  }
  const uint64_t allocations_before = AllocationsSoFar();
  const uint64_t locks_before = LocksSoFar();
  const uint64_t found = FindAll();
  const uint64_t allocations_after = AllocationsSoFar();
  const uint64_t locks_after = LocksSoFar();
  EXPECT_EQ(found, kBlocks);
  EXPECT_EQ(allocations_after, allocations_before);
  EXPECT_EQ(locks_after, locks_before);
}

// That the counters count: making a block takes locks, and a vector allocates.
TEST_F(FastPathTest, TheCountersSeeWhatTheyAreFor) {
  if (EBCACHE_TEST_SANITIZED) GTEST_SKIP() << "SKIPPED: as above";
  const uint64_t locks_before = LocksSoFar();
  (void)*cache_.Create(kBlocks * kNode);
  EXPECT_GT(LocksSoFar(), locks_before);
  const uint64_t allocations_before = AllocationsSoFar();
  auto memory = std::make_unique<std::vector<int>>(10);
  EXPECT_GT(AllocationsSoFar(), allocations_before);
}

// Runs `body` in a child that may not make system calls. True when it came to its end.
template <typename Body>
bool RunsWithoutSystemCalls(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(3);
    const bool good = body();
    syscall(SYS_exit, good ? 0 : 1);  // exit_group, which _exit makes, is not allowed either
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << "no seccomp on this kernel";
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(FastPathTest, FindAndPutMakeNoSystemCall) {
#if defined(EBCACHE_UBSAN)
  GTEST_SKIP() << "SKIPPED: the sanitizer's checks make system calls of their own";
#endif
  if (EBCACHE_TEST_SANITIZED) {
    GTEST_SKIP() << "SKIPPED: the sanitizer's runtime makes system calls of its own";
  }
  EXPECT_TRUE(RunsWithoutSystemCalls([&] { return FindAll() == kBlocks; }));
  EXPECT_FALSE(RunsWithoutSystemCalls([] { return getppid() != 0; }));  // it would be noticed
}

}  // namespace
}  // namespace ebcache
