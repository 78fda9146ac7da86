// In an ordinary build ebcache/internal/sync.h adds nothing: its types are the standard library's.

#include "ebcache/internal/sync.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>

namespace ebcache::sync {
namespace {

// The same types, so the same machine code.
static_assert(std::is_same_v<Atomic<uint64_t>, std::atomic<uint64_t>>);
static_assert(std::is_same_v<Atomic<void*>, std::atomic<void*>>);
static_assert(std::is_same_v<Mutex, std::mutex>);
static_assert(std::is_same_v<ConditionVariable, std::condition_variable>);
static_assert(std::is_same_v<Thread, std::thread>);

static_assert(ModelOr(1, 2) == 2);

TEST(SyncTest, AddAdds) {
  Atomic<uint64_t> counter{1};
  Add(counter, 2);
  Add(counter, ~uint64_t{0});
  EXPECT_EQ(counter.load(), 2u);
}

}  // namespace
}  // namespace ebcache::sync
