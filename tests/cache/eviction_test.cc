// What reclaim's order is worth: hits of the real cache, counted, on accesses that a kernel and tools made
// and on made-up ones, against LRU and Belady's optimum. bench/eviction has the comparison
// with other orders, docs/reclaim.md the figures.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/eviction/access_trace.h"
#include "bench/eviction/comparison.h"
#include "bench/eviction/eviction_policy.h"
#include "bench/eviction/generated_loads.h"

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
                         testing::Values(Promise{256, 30}, Promise{1024, 40}, Promise{2048, 0}),
                         [](const auto& info) { return std::to_string(info.param.blocks); });

TEST_P(KernelRecordingWithoutFrees, KeepsThePromise) {
  const auto trace = ReadKernelRecording();
  if (absl::IsNotFound(trace.status())) GTEST_SKIP() << "SKIPPED: " << trace.status();
  ASSERT_TRUE(trace.ok()) << trace.status();
  ExpectKept(*trace, Frees::kIgnored, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Sizes, KernelRecordingWithoutFrees,
                         testing::Values(Promise{256, 30}, Promise{1024, 35}, Promise{2048, 35}),
                         [](const auto& info) { return std::to_string(info.param.blocks); });

TEST_P(Walk, KeepsThePromise) {
  ExpectKept(WalkWithLookups(/*seed=*/1), Frees::kHonoured, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Sizes, Walk, testing::Values(Promise{256, 60}, Promise{1024, 35}),
                         [](const auto& info) { return std::to_string(info.param.blocks); });

// Never a point of hits below LRU, on any load at any size; and a good part of the gap on average.
void ExpectRobust(const std::vector<AccessTrace>& traces, double gap_closed_percent) {
  const std::vector<uint32_t> sizes = {64, 256, 1024, 2048, 4096};
  constexpr double kMostPointsBelow = 1;
  double closed = 0;
  int gaps = 0;
  for (const AccessTrace& trace : traces) {
    for (const uint32_t size : sizes) {
      const auto lru = ReplayTrace(trace, Frees::kHonoured, *MakeLru(size, trace.blocks));
      const auto cache = ReplayTrace(trace, Frees::kHonoured, *MakeBufferCache(size, trace.blocks));
      const auto optimum = ReplayOptimum(trace, Frees::kHonoured, size);
      EXPECT_LE(cache.hits, optimum.hits) << trace.name << ", " << size << " blocks";
      EXPECT_GE(HitPercent(cache), HitPercent(lru) - kMostPointsBelow)
          << trace.name << ", " << size << " blocks";
      const double gap = HitPercent(optimum) - HitPercent(lru);
      if (gap < kLeastGapPoints) continue;
      closed += 100 * (HitPercent(cache) - HitPercent(lru)) / gap;
      ++gaps;
    }
  }
  testing::Test::RecordProperty("mean_gap_closed_percent", std::to_string(closed / gaps));
  EXPECT_GE(closed / gaps, gap_closed_percent);
}

TEST(Robustness, OnRecordings) {
  auto traces = ReadToolRecordings();
  auto kernel = ReadKernelRecording();
  if (absl::IsNotFound(traces.status())) GTEST_SKIP() << "SKIPPED: " << traces.status();
  ASSERT_TRUE(traces.ok()) << traces.status();
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  traces->push_back(*std::move(kernel));
  ExpectRobust(*traces, 35);
}

TEST(Robustness, OnMadeUpLoads) { ExpectRobust(GeneratedLoads(/*seed=*/1), 30); }

// What cross-validation replays is what the cache does.
TEST(ReclaimListByItself, HasTheHitsOfTheCache) {
  for (const AccessTrace& trace : GeneratedLoads(/*seed=*/2)) {
    for (const uint32_t size : {64u, 1024u}) {
      const auto cache = ReplayTrace(trace, Frees::kHonoured, *MakeBufferCache(size, trace.blocks));
      const auto list =
          ReplayTrace(trace, Frees::kHonoured, *MakeReclaimList(size, trace.blocks, {}));
      EXPECT_EQ(cache.hits, list.hits) << trace.name << ", " << size << " blocks";
    }
  }
}

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
