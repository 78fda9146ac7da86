// One copy by itself: its bytes and no other copy's, and what is wrong with it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "tests/format/buffer_pool.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kLogical = TestVolume::kLogical;
constexpr uint64_t kNode = 16384;

class CopyReadTest : public ::testing::Test {
 protected:
  absl::Status ReadCopy(Volume& volume, int mirror, const ParentCheck* check = nullptr) {
    buffer_ = *cache_.CreateDummy(kLogical);
    return volume.ReadCopy(*buffer_, mirror, check);
  }
  Bytes Contents() const {
    Bytes bytes(buffer_->length());
    EXPECT_TRUE(buffer_->Read(0, absl::MakeSpan(bytes)).ok());
    return bytes;
  }

  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 0}};
  ExtentBufferRef buffer_;
};

TEST_F(CopyReadTest, GivesTheBytesOfThatCopy) {
  TestVolume volume({.profile = RaidProfile::kRaid1c3});
  for (int mirror = 1; mirror <= 3; ++mirror) {
    volume.StoreCopy(mirror, kLogical, BlockAt(kLogical, static_cast<uint64_t>(mirror)));
  }
  for (int mirror = 1; mirror <= 3; ++mirror) {
    ASSERT_EQ(ReadCopy(volume.volume(), mirror), absl::OkStatus());
    EXPECT_EQ(Contents(), BlockAt(kLogical, static_cast<uint64_t>(mirror)));
    EXPECT_EQ(buffer_->mirror(), mirror);
  }
}

// No other copy takes its place, nothing is repaired, and no listener hears of it.
TEST_F(CopyReadTest, ABadCopyIsAnErrorThoughAnotherIsGood) {
  TestVolume volume({.profile = RaidProfile::kRaid1, .writable = true});
  volume.Store(kLogical, BlockAt(kLogical));
  volume.Damage(2, kLogical);
  const Bytes damaged = volume.LoadCopy(2, kLogical);
  const absl::Status status = ReadCopy(volume.volume(), 2);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("block 22020096: checksum mismatch"));
  EXPECT_EQ(Contents(), damaged);
  EXPECT_EQ(volume.LoadCopy(2, kLogical), damaged);
  EXPECT_THAT(volume.damage(), IsEmpty());
  EXPECT_EQ(ReadCopy(volume.volume(), 1), absl::OkStatus());
}

TEST_F(CopyReadTest, IsHeldAgainstItsParent) {
  TestVolume volume({.profile = RaidProfile::kDup});
  volume.Store(kLogical, BlockAt(kLogical, 7));
  const ParentCheck other{.generation = 8};
  EXPECT_EQ(ReadCopy(volume.volume(), 1, &other),
            absl::DataLossError("block 22020096: generation 7, the parent expects 8"));
}

TEST_F(CopyReadTest, WhatThereIsNot) {
  TestVolume volume({.profile = RaidProfile::kRaid1, .missing = {2}});
  volume.Store(kLogical, BlockAt(kLogical));
  EXPECT_EQ(ReadCopy(volume.volume(), 1), absl::OkStatus());
  EXPECT_EQ(ReadCopy(volume.volume(), 2),
            absl::UnavailableError("block 22020096: device 2 is missing"));
  for (const int mirror : {-1, 0, 3}) {
    EXPECT_EQ(
        ReadCopy(volume.volume(), mirror),
        absl::NotFoundError(absl::StrCat("block 22020096: no mirror ", mirror, ", it has 2")));
  }
  const ExtentBufferRef elsewhere = *cache_.CreateDummy(kLogical + TestVolume::kChunkBytes);
  EXPECT_EQ(volume.volume().ReadCopy(*elsewhere, 1, nullptr).code(), absl::StatusCode::kNotFound);
}

TEST_F(CopyReadTest, ADeviceThatGivesAnErrorIsNoBadCopy) {
  TestVolume volume({.profile = RaidProfile::kRaid1});
  volume.Store(kLogical, BlockAt(kLogical));
  volume.DeviceOf(1).FailReadsAt(volume.PhysicalOf(1, kLogical), kNode);
  EXPECT_EQ(ReadCopy(volume.volume(), 1), absl::UnavailableError("block 22020096: bad sector"));
}

// A copy that a write did not reach is older, and validates as well.
TEST_F(CopyReadTest, ACopyThatMissedAWriteIsNotRead) {
  TestVolume volume({.profile = RaidProfile::kRaid1, .writable = true});
  volume.Store(kLogical, BlockAt(kLogical, 8));  // of the transaction that is open
  volume.DeviceOf(2).FailWritesAt(volume.PhysicalOf(2, kLogical), kNode);
  ASSERT_EQ(ReadCopy(volume.volume(), 1), absl::OkStatus());
  ASSERT_EQ(volume.Write(*buffer_), absl::OkStatus());
  EXPECT_EQ(ReadCopy(volume.volume(), 1), absl::OkStatus());
  EXPECT_EQ(ReadCopy(volume.volume(), 2),
            absl::UnavailableError("block 22020096: its last write failed: bad sector"));
}

// Many together: each has its own answer, in the order in which they were given.
TEST_F(CopyReadTest, ManyTogether) {
  TestVolume volume({.profile = RaidProfile::kRaid1, .missing = {2}});
  std::vector<ExtentBufferRef> buffers;
  std::vector<CopyRead> reads;
  for (uint64_t i = 0; i < 20; ++i) {
    const uint64_t logical = kLogical + (19 - i) * kNode;
    volume.Store(logical, BlockAt(logical));
    if (i % 5 == 0) volume.Damage(1, logical);
    buffers.push_back(*cache_.CreateDummy(logical));
    reads.push_back({.buffer = buffers.back().get(), .mirror = i % 3 == 0 ? 2 : 1});
  }
  volume.volume().ReadCopies(absl::MakeSpan(reads));
  for (uint64_t i = 0; i < 20; ++i) {
    const absl::StatusCode expected = i % 3 == 0   ? absl::StatusCode::kUnavailable
                                      : i % 5 == 0 ? absl::StatusCode::kDataLoss
                                                   : absl::StatusCode::kOk;
    EXPECT_EQ(reads[i].status.code(), expected) << i << ": " << reads[i].status;
  }
  volume.volume().ReadCopies({});
}

}  // namespace
}  // namespace ebcache::testing
