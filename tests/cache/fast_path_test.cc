// Finding a cached buffer and putting the reference: no allocation, no lock, no system call.
//
// Allocations and locks are counted by standing in front of the C library's; system calls are made
// impossible: the loop runs in a child under strict seccomp, where any but read, write and exit
// kills.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EBCACHE_TEST_SANITIZED 1
#else
#define EBCACHE_TEST_SANITIZED 0
#endif

namespace {
std::atomic<uint64_t> allocations{0};  // counters of this test only
std::atomic<uint64_t> locks{0};
}  // namespace

#if !EBCACHE_TEST_SANITIZED
// Replacements for the whole program.
void* operator new(size_t bytes) {
  allocations.fetch_add(1);
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static auto* real =
      reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  locks.fetch_add(1);
  return real(mutex);
}
#endif

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
  const uint64_t allocations_before = allocations.load();
  const uint64_t locks_before = locks.load();
  const uint64_t found = FindAll();
  const uint64_t allocations_after = allocations.load();
  const uint64_t locks_after = locks.load();
  EXPECT_EQ(found, kBlocks);
  EXPECT_EQ(allocations_after, allocations_before);
  EXPECT_EQ(locks_after, locks_before);
}

// That the counters count: making a block takes locks, and a vector allocates.
TEST_F(FastPathTest, TheCountersSeeWhatTheyAreFor) {
  if (EBCACHE_TEST_SANITIZED) GTEST_SKIP() << "SKIPPED: as above";
  const uint64_t locks_before = locks.load();
  (void)*cache_.Create(kBlocks * kNode);
  EXPECT_GT(locks.load(), locks_before);
  const uint64_t allocations_before = allocations.load();
  auto memory = std::make_unique<std::vector<int>>(10);
  EXPECT_GT(allocations.load(), allocations_before);
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
