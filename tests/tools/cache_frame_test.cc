#include "tools/top/cache_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ebcache::tools {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

CacheSample Sample() {
  CacheSample sample;
  sample.node_bytes = 16384;
  sample.budget_bytes = uint64_t{64} << 20;
  sample.walk = {.blocks = 4000, .passes = 2, .lost_blocks = 1};
  sample.total = {.seconds = 4, .blocks = 4000, .reads = 1000};
  sample.lately = {.seconds = 1, .blocks = 2000, .reads = 20};
  sample.cache.cached_buffers = 1024;
  sample.cache.cached_bytes = uint64_t{16} << 20;
  for (int i = 0; i < kReleaseVerdicts; ++i) {
    sample.pins[static_cast<size_t>(i)] = {static_cast<ReleaseVerdict>(i), 0};
  }
  sample.pins[0].second = 1000;
  sample.pins[static_cast<size_t>(ReleaseVerdict::kInUse)].second = 24;
  sample.allocator = "heap";
  sample.pages.page_bytes = 4096;
  return sample;
}

RegionSample Region() {
  RegionSample region;
  region.pageblocks = 10;
  region.free_blocks = {0, 3, 0, 7};
  region.map = "MMm..u";
  return region;
}

TEST(WalkRates, HitsAreVisitsWithoutAReadOfTheirOwn) {
  EXPECT_EQ((WalkRates{.seconds = 1, .blocks = 0, .reads = 0}.hit_percent()), 0);
  EXPECT_EQ((WalkRates{.seconds = 1, .blocks = 200, .reads = 50}.hit_percent()), 75);
  // Reading ahead can be ahead of all visits.
  EXPECT_EQ((WalkRates{.seconds = 1, .blocks = 10, .reads = 64}.hit_percent()), 0);
}

// 54 blocks in what a clock showed to be 62 nanoseconds were 864,792,503 blocks a second once.
TEST(WalkRates, NoneFromTooShortATime) {
  EXPECT_EQ((WalkRates{.seconds = 0}.PerSecond(10)), std::nullopt);
  EXPECT_EQ((WalkRates{.seconds = 62e-9}.PerSecond(54)), std::nullopt);
  EXPECT_EQ((WalkRates{.seconds = 0.002}.PerSecond(10)), 5000);
  CacheSample sample = Sample();
  sample.lately = {.seconds = 62e-9, .blocks = 54, .reads = 54};
  EXPECT_THAT(CacheFrame(sample, 200, false), Contains(HasSubstr("1 lost; - blocks/s, -")));
  EXPECT_THAT(CacheLine(sample), HasSubstr("  - blocks/s  "));
  const auto json = nlohmann::json::parse(CacheJsonLine(sample));
  EXPECT_TRUE(json["lately"]["blocks_per_s"].is_null());
  EXPECT_EQ(json["total"]["blocks_per_s"], 1000);
}

TEST(CacheSampler, ASampleTakenAMomentAfterAnotherLooksBackFurther) {
  const BufferCache cache({.node_bytes = 4096}, nullptr);
  CacheSampler sampler(cache, nullptr, 0);
  sampler.Take({.blocks = 100, .seconds = 1}, 0);
  EXPECT_EQ(sampler.Take({.blocks = 300, .seconds = 2}, 0).lately.blocks, 200);
  const WalkRates lately = sampler.Take({.blocks = 301, .seconds = 2.0000001}, 0).lately;
  EXPECT_EQ(lately.blocks, 201);
  EXPECT_NEAR(*lately.PerSecond(lately.blocks), 201, 0.1);
  EXPECT_EQ(sampler.Take({.blocks = 401, .seconds = 3}, 0).lately.blocks, 100);
}

TEST(CacheFrame, HasTheFigures) {
  const std::vector<std::string> lines = CacheFrame(Sample(), 200, false);
  EXPECT_THAT(lines, Contains(HasSubstr("4000 blocks, 2 passes, 1 lost; 2000 blocks/s")));
  EXPECT_THAT(lines, Contains(HasSubstr("99.0 % lately, 75.0 % in all; 1000 blocks read")));
  EXPECT_THAT(lines, Contains("budget  16 MiB of 64 MiB [#######                       ]"));
  // What there is none of needs no room.
  EXPECT_THAT(lines, Contains("pins    eligible 1000, in use 24"));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("map"))));
}

TEST(CacheFrame, NoBudgetIsNoBar) {
  CacheSample sample = Sample();
  sample.budget_bytes = 0;
  EXPECT_THAT(CacheFrame(sample, 80, false), Contains("budget  16 MiB, no limit"));
}

TEST(CacheFrame, TheMapIsLastAndInRows) {
  CacheSample sample = Sample();
  sample.region = Region();
  std::vector<std::string> lines = CacheFrame(sample, 4, false);
  ASSERT_GT(lines.size(), 2);
  EXPECT_EQ(lines[lines.size() - 2], "MMm.");
  EXPECT_EQ(lines[lines.size() - 1], ".u");
  lines = CacheFrame(sample, 80, false);
  EXPECT_THAT(lines, Contains("free    order:blocks  1:3  3:7"));
  EXPECT_THAT(lines, Contains("map     6 of 10 page blocks"));
}

TEST(CacheFrame, NoLineIsLongerThanTheScreenColoursApart) {
  CacheSample sample = Sample();
  sample.region = Region();
  for (const size_t columns : {1, 20, 80}) {
    const std::vector<std::string> lines = CacheFrame(sample, columns, false);
    EXPECT_LE(lines.size(), kFrameLinesAboveMap + (6 + columns - 1) / columns);
    for (const std::string& line : lines) EXPECT_LE(line.size(), columns) << line;
  }
  EXPECT_EQ(CacheFrame(sample, 80, true).back(),
            "\x1b[0;1;32mMM\x1b[0;32mm\x1b[0;2m..\x1b[0;31mu\x1b[0m");
}

TEST(CacheJsonLine, IsOneObjectInOneLine) {
  CacheSample sample = Sample();
  sample.region = Region();
  const std::string line = CacheJsonLine(sample);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(line);
  EXPECT_EQ(json["total"]["hit_percent"], 75);
  EXPECT_EQ(json["pins"]["in use"], 24);
  EXPECT_EQ(json["region"]["map"], "MMm..u");
  sample.region.reset();
  EXPECT_TRUE(nlohmann::json::parse(CacheJsonLine(sample))["region"].is_null());
}

}  // namespace
}  // namespace ebcache::tools
