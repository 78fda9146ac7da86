// Sets of ranges against a bit for each byte.

#include "lib/space/range.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace ebcache::space {
namespace {

constexpr uint64_t kEnd = 160;

class Model {
 public:
  void Set(const Range& range, bool value) {
    for (uint64_t at = range.start; at < range.end(); ++at) bits_[at] = value;
  }
  uint64_t Count(const Range& range) const {
    uint64_t count = 0;
    for (uint64_t at = range.start; at < range.end(); ++at) count += bits_[at];
    return count;
  }
  std::vector<Range> Runs() const {
    std::vector<Range> runs;
    for (uint64_t at = 0; at < kEnd; ++at) {
      if (!bits_[at]) continue;
      if (at > 0 && bits_[at - 1]) {
        ++runs.back().length;
      } else {
        runs.push_back({at, 1});
      }
    }
    return runs;
  }
  std::optional<uint64_t> Find(uint64_t bytes, uint64_t alignment, uint64_t from) const {
    for (uint64_t at = from; at + bytes <= kEnd; ++at) {
      if (at % alignment == 0 && Count({at, bytes}) == bytes) return at;
    }
    return std::nullopt;
  }

 private:
  std::vector<bool> bits_ = std::vector<bool>(kEnd);
};

std::vector<Range> RangesOf(const RangeSet& set) {
  std::vector<Range> ranges;
  for (const auto& [start, end] : set.ends()) ranges.push_back({start, end - start});
  return ranges;
}

TEST(RangeSet, EqualsBits) {
  std::mt19937_64 random(11);
  RangeSet set;
  Model model;
  for (int step = 0; step < 30000; ++step) {
    const uint64_t start = random() % kEnd;
    const Range range{start, 1 + random() % std::min<uint64_t>(12, kEnd - start)};
    const uint64_t there = model.Count(range);
    EXPECT_EQ(set.Contains(range), there == range.length);
    EXPECT_EQ(set.Intersects(range), there > 0);
    switch (random() % 4) {
      case 0:
        ASSERT_EQ(set.Add(range).ok(), there == 0);
        if (there == 0) model.Set(range, true);
        break;
      case 1:
        ASSERT_EQ(set.Remove(range).ok(), there == range.length);
        if (there == range.length) model.Set(range, false);
        break;
      case 2:
        set.Unite(range);
        model.Set(range, true);
        break;
      default:
        set.Subtract(range);
        model.Set(range, false);
    }
    const std::vector<Range> runs = model.Runs();
    ASSERT_EQ(RangesOf(set), runs) << "step " << step;
    ASSERT_EQ(set.bytes(), model.Count({0, kEnd}));
    const uint64_t bytes = 1 + random() % 8, alignment = 1 + random() % 5, from = random() % kEnd;
    ASSERT_EQ(set.Find(bytes, alignment, from), model.Find(bytes, alignment, from));
    std::optional<Range> longest;
    for (const Range& run : runs) {
      if (!longest || run.length > longest->length) longest = run;
    }
    ASSERT_EQ(set.Longest(), longest);
  }
}

TEST(RangeSet, WhatIsNoRange) {
  RangeSet set;
  EXPECT_EQ(set.Add({5, 0}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(set.Add({~uint64_t{0} - 1, 4}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(set.Remove({5, 0}).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(set.Add({4096, 4096}).ok());
  EXPECT_EQ(set.Add({8191, 2}).message(), "[8191, 8193) is there already, or a part of it");
  EXPECT_EQ(set.Remove({8191, 2}).message(), "[8191, 8193) is not there, or a part of it");
}

// At the upper end of the address space nothing wraps around.
TEST(RangeSet, FindsNothingBehindTheEnd) {
  RangeSet set;
  const uint64_t top = ~uint64_t{0};
  ASSERT_TRUE(set.Add({top - 100, 100}).ok());
  EXPECT_EQ(set.Find(50, 1, top - 40), std::nullopt);
  EXPECT_EQ(set.Find(1, uint64_t{1} << 63, top - 50), std::nullopt);
  EXPECT_EQ(set.Find(10, 1, top - 50), top - 50);
}

}  // namespace
}  // namespace ebcache::space
