// Writes through a Volume that fail and are tried again, for each profile and each set of copies
// that cannot be written: held against the bytes of every copy.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kLogical = TestVolume::kLogical;
constexpr uint64_t kNewGeneration = 8;  // the superblock's is 7

class VolumeRetryTest : public ::testing::TestWithParam<RaidProfile> {
 protected:
  VolumeRetryTest() : volume_({.profile = GetParam(), .writable = true}) {
    copies_ = *volume_.volume().Map(kLogical, 16384);
  }
  // A new block in the cache, DIRTY.
  ExtentBufferRef NewBlock() {
    ExtentBufferRef block = *cache_.Create(kLogical);
    EXPECT_TRUE(block->Write(0, BlockAt(kLogical, kNewGeneration)).ok());
    block.SetUptodate();
    block.SetDirty();
    return block;
  }
  MemoryDevice& device_of(size_t copy) { return volume_.device(copies_[copy].place.device_id); }
  bool IsNew(size_t copy) {
    return device_of(copy).Load(copies_[copy].place.offset, 16384) ==
           BlockAt(kLogical, kNewGeneration);
  }
  // Writes to the copies whose bits are set fail.
  void Fail(unsigned set) {
    for (size_t copy = 0; copy < copies_.size(); ++copy) {
      if ((set >> copy & 1) != 0) device_of(copy).FailWritesAt(copies_[copy].place.offset, 16384);
    }
  }
  void Heal() {
    for (size_t copy = 0; copy < copies_.size(); ++copy) device_of(copy).Heal();
  }
  unsigned all_copies() const { return (1u << copies_.size()) - 1; }

  TestVolume volume_;
  std::vector<PhysicalExtent> copies_;
  BufferCache cache_{{.node_bytes = 16384}, &volume_.volume()};
};

INSTANTIATE_TEST_SUITE_P(Profiles, VolumeRetryTest,
                         ::testing::Values(RaidProfile::kSingle, RaidProfile::kDup,
                                           RaidProfile::kRaid0, RaidProfile::kRaid1,
                                           RaidProfile::kRaid1c3, RaidProfile::kRaid1c4,
                                           RaidProfile::kRaid10),
                         [](const auto& info) { return std::string(RaidProfileName(info.param)); });

TEST_P(VolumeRetryTest, NoCopyWrittenThenAll) {
  ExtentBufferRef block = NewBlock();
  Fail(all_copies());
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::string error(cache_.WritebackAll().message());
    EXPECT_THAT(error, HasSubstr("block 22020096: no copy written: mirror 1 on disk"));
    EXPECT_THAT(error, HasSubstr("bad sector"));
    EXPECT_EQ(cache_.WriteError(block).message(), error);
    for (size_t copy = 0; copy < copies_.size(); ++copy) EXPECT_FALSE(IsNew(copy));
  }
  EXPECT_TRUE(cache_.Read(block).ok()) << "the newest bytes are in memory";
  Heal();
  EXPECT_EQ(cache_.WritebackAll(), absl::OkStatus());
  for (size_t copy = 0; copy < copies_.size(); ++copy) EXPECT_TRUE(IsNew(copy)) << copy;
  block.Put();
  EXPECT_EQ(cache_.DropCaches(), 1u);
  EXPECT_TRUE(cache_.ReadBlock(kLogical).ok());
}

// One good copy is enough. What is wrong with the others is told, and the next write tries them
// too.
TEST_P(VolumeRetryTest, EachSetOfCopiesThenAll) {
  for (unsigned set = 1; set < all_copies(); ++set) {
    ExtentBufferRef block = NewBlock();
    const size_t told = volume_.damage().size();
    Fail(set);
    EXPECT_EQ(cache_.Writeback(block), absl::OkStatus()) << set;
    EXPECT_EQ(volume_.damage().size() - told, static_cast<size_t>(__builtin_popcount(set)));
    EXPECT_FALSE(block->state().under_io());
    Heal();
    block.SetDirty();
    EXPECT_EQ(cache_.WritebackAll(), absl::OkStatus());
    for (size_t copy = 0; copy < copies_.size(); ++copy) EXPECT_TRUE(IsNew(copy)) << set;
    // Of the past again, for the next set.
    for (size_t copy = 0; copy < copies_.size(); ++copy) {
      device_of(copy).Store(copies_[copy].place.offset, BlockAt(kLogical, 7));
    }
    block.PutStale();
  }
}

// A block that is refused for what is in it can be changed, and tried again.
TEST_P(VolumeRetryTest, RefusedThenCorrected) {
  ExtentBufferRef block = NewBlock();
  ASSERT_TRUE(block->Write(0, BlockAt(kLogical, 7)).ok());
  EXPECT_THAT(std::string(cache_.WritebackAll().message()), HasSubstr("not newer than the last"));
  ASSERT_TRUE(block->Write(0, BlockAt(kLogical, kNewGeneration)).ok());
  block.SetDirty();
  EXPECT_EQ(cache_.WritebackAll(), absl::OkStatus());
  for (size_t copy = 0; copy < copies_.size(); ++copy) EXPECT_TRUE(IsNew(copy));
}

TEST_P(VolumeRetryTest, GivenUp) {
  for (size_t copy = 0; copy < copies_.size(); ++copy) {
    device_of(copy).Store(copies_[copy].place.offset, BlockAt(kLogical, 7));
  }
  ExtentBufferRef block = NewBlock();
  Fail(all_copies());
  EXPECT_FALSE(cache_.WritebackAll().ok());
  EXPECT_TRUE(*cache_.GiveUpWrite(block));
  EXPECT_EQ(cache_.WritebackAll(), absl::OkStatus());
  EXPECT_TRUE(cache_.Read(block).ok());
  EXPECT_EQ(*block->Get<uint64_t>(80), 7u);
}

}  // namespace
}  // namespace ebcache::testing
