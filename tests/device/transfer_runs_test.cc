// Which reads, or writes, of a batch become one transfer.

#include "lib/device/transfer_runs.h"

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
class TransferRunsTest : public ::testing::Test {
 protected:
  void Add(uint64_t offset, std::vector<absl::Span<std::byte>> segments) {
    DeviceRead read{.offset = offset, .status = absl::OkStatus()};
    for (const auto& segment : segments) read.segments.push_back(segment);
    reads_.push_back(std::move(read));
  }
  TransferRuns Runs(const std::vector<uint64_t>& pages) {
    for (uint64_t page : pages) {
      Add(page * kPage, {{memory_ + 2 * reads_.size() * kPage, kPage}});
    }
    return TransferRuns(absl::MakeSpan(reads_));
  }

  alignas(kPage) std::byte memory_[2 * kPage * (kMostPages + 8)];
  std::vector<DeviceRead> reads_;
};

TEST_F(TransferRunsTest, NeighboursOnTheDeviceAreOne) {
  const TransferRuns plan = Runs({4, 5, 6, 8, 9, 3});
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

TEST_F(TransferRunsTest, NoneIsLongerThanItShould) {
  std::vector<uint64_t> pages(kMostPages + 2);
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = i;
  const TransferRuns plan = Runs(pages);
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].count, kMostPages);
  EXPECT_EQ(plan.runs[1].count, 2u);
}

// One may be longer than that by itself.
TEST_F(TransferRunsTest, OneReadIsNeverDivided) {
  std::vector<std::byte> large(2 * kMostPages * kPage);
  Add(0, {{large.data(), large.size()}});
  const TransferRuns plan = Runs({2 * kMostPages, 2 * kMostPages + 1});
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].count, 1u);
  EXPECT_EQ(plan.runs[1].count, 2u);
}

TEST_F(TransferRunsTest, WhatHasFailedIsLeftOut) {
  Runs({1, 2, 3});
  reads_[1].status = absl::OutOfRangeError("beyond the end");
  const TransferRuns plan{absl::MakeSpan(reads_)};
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].count, 1u);
  EXPECT_EQ(plan.runs[1].first, 2u);
}

// Memory side by side is one piece.
TEST_F(TransferRunsTest, MemorySideBySideIsOnePiece) {
  Add(0, {{memory_, kPage}, {memory_ + kPage, kPage}});
  Add(2 * kPage, {{memory_ + 2 * kPage, kPage}});
  const TransferRuns plan{absl::MakeSpan(reads_)};
  ASSERT_EQ(plan.runs.size(), 1u);
  ASSERT_EQ(plan.VectorsOf(plan.runs[0]).size(), 1u);
  EXPECT_EQ(plan.VectorsOf(plan.runs[0])[0].iov_len, 3 * kPage);
}

TEST_F(TransferRunsTest, OfWritesAsWell) {
  std::vector<DeviceWrite> writes;
  for (const uint64_t page : {4, 5, 7}) {
    writes.push_back({.offset = page * kPage,
                      .segments = {{memory_ + 2 * page * kPage, kPage}},
                      .status = absl::OkStatus()});
  }
  const TransferRuns plan{absl::MakeConstSpan(writes)};
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].bytes, 2 * kPage);
  EXPECT_EQ(plan.runs[1].first, 2u);
  EXPECT_EQ(plan.VectorsOf(plan.runs[0])[1].iov_base, memory_ + 10 * kPage);
}

// What direct reads cannot take stands in no run with what they can.
TEST_F(TransferRunsTest, UnalignedOnesAreApart) {
  Add(0, {{memory_, kPage}});
  Add(kPage, {{memory_ + 2 * kPage + 8, kPage}});
  const TransferRuns plan{absl::MakeSpan(reads_)};
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_TRUE(plan.runs[0].aligned);
  EXPECT_FALSE(plan.runs[1].aligned);
}

}  // namespace
}  // namespace ebcache
