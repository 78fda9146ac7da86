// Which reads of a batch become one transfer.

#include "lib/device/read_runs.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace ebcache {
namespace {

constexpr uint64_t kPage = 4096;
// A transfer has 256 KiB at the most: enough to be worth a call, and still in the cache of a core
// when what is in it is looked at.
constexpr size_t kMostPages = 64;

// Reads of a page each into memory of its own, at these pages of the device.
class ReadRunsTest : public ::testing::Test {
 protected:
  void Add(uint64_t offset, std::vector<absl::Span<std::byte>> segments) {
    DeviceRead read{.offset = offset, .status = absl::OkStatus()};
    for (const auto& segment : segments) read.segments.push_back(segment);
    reads_.push_back(std::move(read));
  }
  ReadRuns Runs(const std::vector<uint64_t>& pages) {
    for (uint64_t page : pages) {
      Add(page * kPage, {{memory_ + 2 * reads_.size() * kPage, kPage}});
    }
    return ReadRuns(absl::MakeSpan(reads_));
  }

  alignas(kPage) std::byte memory_[2 * kPage * (kMostPages + 8)];
  std::vector<DeviceRead> reads_;
};

TEST_F(ReadRunsTest, NeighboursOnTheDeviceAreOne) {
  const ReadRuns plan = Runs({4, 5, 6, 8, 9, 3});
  ASSERT_EQ(plan.runs.size(), 3u);
  EXPECT_EQ(plan.runs[0].offset, 4 * kPage);
  EXPECT_EQ(plan.runs[0].bytes, 3 * kPage);
  EXPECT_EQ(plan.runs[0].count, 3u);
  EXPECT_EQ(plan.runs[1].first, 3u);
  EXPECT_EQ(plan.runs[1].count, 2u);
  EXPECT_EQ(plan.runs[2].offset, 3 * kPage);
  EXPECT_EQ(plan.runs[2].count, 1u);
  EXPECT_EQ(plan.VectorsOf(plan.runs[1]).size(), 2u);
  EXPECT_EQ(plan.VectorsOf(plan.runs[1])[0].iov_base, memory_ + 6 * kPage);
}

TEST_F(ReadRunsTest, NoneIsLongerThanItShould) {
  std::vector<uint64_t> pages(kMostPages + 2);
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = i;
  const ReadRuns plan = Runs(pages);
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].count, kMostPages);
  EXPECT_EQ(plan.runs[1].count, 2u);
}

// One may be longer than that by itself.
TEST_F(ReadRunsTest, OneReadIsNeverDivided) {
  std::vector<std::byte> large(2 * kMostPages * kPage);
  Add(0, {{large.data(), large.size()}});
  const ReadRuns plan = Runs({2 * kMostPages, 2 * kMostPages + 1});
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].count, 1u);
  EXPECT_EQ(plan.runs[1].count, 2u);
}

TEST_F(ReadRunsTest, WhatHasFailedIsLeftOut) {
  Runs({1, 2, 3});
  reads_[1].status = absl::OutOfRangeError("beyond the end");
  const ReadRuns plan{absl::MakeSpan(reads_)};
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].count, 1u);
  EXPECT_EQ(plan.runs[1].first, 2u);
}

// Memory side by side is one piece.
TEST_F(ReadRunsTest, MemorySideBySideIsOnePiece) {
  Add(0, {{memory_, kPage}, {memory_ + kPage, kPage}});
  Add(2 * kPage, {{memory_ + 2 * kPage, kPage}});
  const ReadRuns plan{absl::MakeSpan(reads_)};
  ASSERT_EQ(plan.runs.size(), 1u);
  ASSERT_EQ(plan.VectorsOf(plan.runs[0]).size(), 1u);
  EXPECT_EQ(plan.VectorsOf(plan.runs[0])[0].iov_len, 3 * kPage);
}

// What direct reads cannot take stands in no run with what they can.
TEST_F(ReadRunsTest, UnalignedOnesAreApart) {
  Add(0, {{memory_, kPage}});
  Add(kPage, {{memory_ + 2 * kPage + 8, kPage}});
  const ReadRuns plan{absl::MakeSpan(reads_)};
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_TRUE(plan.runs[0].aligned);
  EXPECT_FALSE(plan.runs[1].aligned);
}

}  // namespace
}  // namespace ebcache
