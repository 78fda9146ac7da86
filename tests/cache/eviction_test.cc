// What reclaim's order is worth: hits of the real cache, counted, on accesses that a kernel made
// and on a walk with look-ups, against LRU and Belady's optimum. bench/eviction has the comparison
// with other orders, docs/reclaim.md the figures.

#include <gtest/gtest.h>

#include <memory>

#include "bench/eviction/access_trace.h"
#include "bench/eviction/eviction_policy.h"

namespace ebcache::eviction {
namespace {

struct Promise {
  uint32_t blocks;
  double gap_closed_percent;  // of the gap between LRU and the optimum, at least
};

void ExpectKept(const AccessTrace& trace, Frees frees, const Promise& promise) {
  const uint32_t blocks = promise.blocks;
  const auto lru = ReplayTrace(trace, frees, *MakeLru(blocks, trace.blocks));
  const auto cache = ReplayTrace(trace, frees, *MakeBufferCache(blocks, trace.blocks));
  const auto optimum = ReplayOptimum(trace, frees, blocks);
  ASSERT_EQ(cache.touches, lru.touches);
  ASSERT_EQ(cache.touches, optimum.touches);
  EXPECT_LE(cache.hits, optimum.hits) << "better than the optimum: somebody miscounts";
  const double gap = static_cast<double>(optimum.hits) - static_cast<double>(lru.hits);
  const double closed =
      100 * (static_cast<double>(cache.hits) - static_cast<double>(lru.hits)) / gap;
  testing::Test::RecordProperty("gap_closed_percent", std::to_string(closed));
  EXPECT_GE(closed, promise.gap_closed_percent)
      << blocks << " blocks: LRU " << lru.hits << ", the cache " << cache.hits << ", optimum "
      << optimum.hits << " of " << cache.touches;
}

class KernelRecording : public testing::TestWithParam<Promise> {};
class KernelRecordingWithoutFrees : public testing::TestWithParam<Promise> {};
class Walk : public testing::TestWithParam<Promise> {};

TEST_P(KernelRecording, KeepsThePromise) {
  const auto trace = ReadKernelRecording();
  if (absl::IsNotFound(trace.status())) GTEST_SKIP() << "SKIPPED: " << trace.status();
  ASSERT_TRUE(trace.ok()) << trace.status();
  ExpectKept(*trace, Frees::kHonoured, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Sizes, KernelRecording,
                         testing::Values(Promise{256, 50}, Promise{1024, 50}, Promise{2048, 50}),
                         [](const auto& info) { return std::to_string(info.param.blocks); });

TEST_P(KernelRecordingWithoutFrees, KeepsThePromise) {
  const auto trace = ReadKernelRecording();
  if (absl::IsNotFound(trace.status())) GTEST_SKIP() << "SKIPPED: " << trace.status();
  ASSERT_TRUE(trace.ok()) << trace.status();
  ExpectKept(*trace, Frees::kIgnored, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Sizes, KernelRecordingWithoutFrees,
                         testing::Values(Promise{256, 40}, Promise{1024, 40}, Promise{2048, 40}),
                         [](const auto& info) { return std::to_string(info.param.blocks); });

TEST_P(Walk, KeepsThePromise) {
  ExpectKept(WalkWithLookups(/*seed=*/1), Frees::kHonoured, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Sizes, Walk, testing::Values(Promise{256, 60}, Promise{1024, 35}),
                         [](const auto& info) { return std::to_string(info.param.blocks); });

// The anchors themselves: that LRU and the optimum here are what everybody else's are.
TEST(Yardsticks, AreThoseOfTheRecordingsOwnDescription) {
  const auto trace = ReadKernelRecording();
  if (absl::IsNotFound(trace.status())) GTEST_SKIP() << "SKIPPED: " << trace.status();
  ASSERT_TRUE(trace.ok()) << trace.status();
  const auto percent = [](const Replay& replay) {
    return 100 * static_cast<double>(replay.hits) / static_cast<double>(replay.touches);
  };
  struct Yardstick {
    uint32_t blocks;
    double lru, optimum;
  };
  for (const auto& [blocks, lru, optimum] :
       {Yardstick{256, 97.45, 98.12}, Yardstick{1024, 98.13, 99.03},
        Yardstick{2048, 99.29, 99.55}}) {
    const auto least_recent = MakeLru(blocks, trace->blocks);
    EXPECT_NEAR(percent(ReplayTrace(*trace, Frees::kIgnored, *least_recent)), lru, 0.005);
    EXPECT_NEAR(percent(ReplayOptimum(*trace, Frees::kIgnored, blocks)), optimum, 0.005);
  }
}

}  // namespace
}  // namespace ebcache::eviction
