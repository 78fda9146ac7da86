// Caches, their threads and what watches them, across a fork: docs/forks.md.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "ebcache/pressure_monitor.h"
#include "lib/cache/calls_under_way.h"
#include "lib/cache/state_word.h"
#include "tests/support/in_child.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;
constexpr uint64_t kBlocks = 64;

void AwaitTrue(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

void ExpectBlock(BufferCache& cache, MemorySource& source, uint64_t start) {
  auto block = cache.ReadBlock(start);
  ASSERT_TRUE(block.ok()) << block.status();
  std::vector<std::byte> bytes(kNode);
  ASSERT_TRUE((*block)->Read(0, absl::MakeSpan(bytes)).ok());
  EXPECT_EQ(bytes, source.Contents(start, kNode)) << start;
}

TEST(CacheFork, AChildGoesOnWithWhatWasCached) {
  MemorySource source;
  BufferCache cache({.budget_bytes = kBlocks * kNode}, &source);
  for (uint64_t i = 0; i < kBlocks; ++i) ExpectBlock(cache, source, i * kNode);
  const int reads = source.reads();
  EXPECT_EQ(InChild([&] {
              for (uint64_t i = 0; i < kBlocks; ++i) ExpectBlock(cache, source, i * kNode);
              EXPECT_EQ(source.reads(), reads);
              for (uint64_t i = 0; i < 2 * kBlocks; ++i) ExpectBlock(cache, source, i * kNode);
              cache.DropCaches();
            }),
            "");
  for (uint64_t i = 0; i < kBlocks; ++i) ExpectBlock(cache, source, i * kNode);
  EXPECT_EQ(source.reads(), reads);
}

// Sources that use caches, in a thread that is nowhere else: nearly every fork meets the lock of
// the list of those that wait inside of such calls. A child can wait inside of a call too.
TEST(CacheFork, CallsOfOtherThreadsLeaveNoLockInAChild) {
  BufferCache cache({.node_bytes = kNode});
  const auto here = cache.Create(0);
  const auto there = cache.Create(kNode);
  ASSERT_TRUE(here.ok() && there.ok());
  const auto wait_in_call = [&] {
    BlockRead read{.buffer = here->get(), .check = nullptr, .status = absl::OkStatus()};
    const CallUnderWay call(absl::MakeSpan(&read, 1));
    const sync::Atomic<uint64_t> over{0};
    return WaitUnlessForEver(there->get(), over, BufferFlag::kReading);
  };
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    while (!stop) EXPECT_TRUE(wait_in_call());
  });
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(InChild([&] { EXPECT_TRUE(wait_in_call()); }), "") << i;
  }
  stop = true;
  thread.join();
}

// What a thread of the parent's waits for closes no circle in a child, which does not have it.
TEST(CacheFork, WaitsOfOtherThreadsAreNotTheChilds) {
  BufferCache cache({.node_bytes = kNode});
  const ExtentBufferRef here = *cache.Create(0);
  const ExtentBufferRef there = *cache.Create(kNode);
  sync::Atomic<uint64_t> reading{state::Pack({1, state::Bit(BufferFlag::kReading)})};
  const sync::Atomic<uint64_t> over{0};
  const auto wait = [](const ExtentBufferRef& about, const ExtentBufferRef& wanted,
                       const sync::Atomic<uint64_t>& word) {
    BlockRead read{.buffer = about.get(), .check = nullptr, .status = absl::OkStatus()};
    const CallUnderWay call(absl::MakeSpan(&read, 1));
    return WaitUnlessForEver(wanted.get(), word, BufferFlag::kReading);
  };
  // Refused as long as it meets the other's wait, which is the same circle.
  std::thread thread([&] {
    while (!wait(here, there, reading)) std::this_thread::yield();
  });
  AwaitTrue([&] { return !wait(there, here, over); });  // the circle is seen: the thread waits
  EXPECT_EQ(InChild([&] { EXPECT_TRUE(wait(there, here, over)); }), "");
  reading.store(0);
  reading.notify_all();
  thread.join();
}

// Forked over and over while the thread works: the child has no thread, makes its own room, and its
// end waits for nobody.
TEST(CacheFork, BackgroundReclaimIsTheParents) {
  MemorySource source;
  auto cache = std::make_unique<BufferCache>(
      BufferCacheOptions{.budget_bytes = kBlocks * kNode, .background_reclaim = true}, &source);
  uint64_t next = 0;
  for (int round = 0; round < 10; ++round) {
    for (uint64_t i = 0; i < kBlocks; ++i) ExpectBlock(*cache, source, next++ * kNode);
    EXPECT_EQ(InChild([&] {
                for (uint64_t i = 0; i < 3 * kBlocks; ++i) {
                  ExpectBlock(*cache, source, (next + i) * kNode);
                }
                EXPECT_LE(cache->stats().cached_buffers, kBlocks);
                cache.reset();
              }),
              "");
  }
  // The parent's thread is still there: newcomers wake it, and it makes room.
  const uint64_t before = cache->stats().reclaimed_in_background;
  while (cache->stats().reclaimed_in_background == before) {
    ExpectBlock(*cache, source, next++ * kNode);
  }
}

TEST(CacheFork, TheMonitorOfPressureIsTheParents) {
  const std::string path = testing::TempDir() + "/fork_pressure";
  const auto tell = [&](uint64_t total_us) {
    std::ofstream(path) << "some avg10=0.00 avg60=0.00 avg300=0.00 total=" << total_us << "\n";
  };
  tell(1'000);
  MemorySource source;
  BufferCache cache({.budget_bytes = 0}, &source);
  for (uint64_t i = 0; i < kBlocks; ++i) ExpectBlock(cache, source, i * kNode);
  auto monitor = PressureMonitor::Start(
      &cache, {.path = path, .window = std::chrono::milliseconds(1), .stall_percent = 10});
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  EXPECT_EQ(InChild([&] { monitor->reset(); }), "");
  // Many windows later the thread is still there to see it.
  tell(90'000);
  AwaitTrue([&] { return (*monitor)->pressures() != 0; });
  EXPECT_EQ((*monitor)->failures(), 0u);
}

}  // namespace
}  // namespace ebcache
