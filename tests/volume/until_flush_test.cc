// Writes that are on disk with the next flush: what devices are asked for, and what is said.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "tests/format/buffer_pool.h"
#include "tests/volume/logging_device.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kLogical = TestVolume::kLogical;

class UntilFlushTest : public ::testing::Test {
 protected:
  // Block `n` of the chunk in the cache, with new bytes.
  ExtentBufferRef NewBlock(BufferCache& cache, uint64_t n) {
    const uint64_t logical = kLogical + n * 16384;
    ExtentBufferRef block = *cache.Create(logical);
    EXPECT_TRUE(block->Write(0, BlockAt(logical, 8)).ok());
    block.SetUptodate();
    block.SetDirty();
    return block;
  }

  DeviceLog log_;
  TestVolume t_{{.profile = RaidProfile::kRaid1, .writable = true, .wrap = LogTo(&log_)}};
};

TEST_F(UntilFlushTest, DevicesAreAskedForNoMoreThanTheCallerIs) {
  BufferCache cache({.node_bytes = 16384}, &t_.volume());
  ExtentBufferRef block = NewBlock(cache, 0);
  EXPECT_EQ(cache.WritebackMany({&block, 1}, WriteDurability::kUntilFlush), absl::OkStatus());
  EXPECT_THAT(log_.Take(),
              UnorderedElementsAre("disk1.img cached 1048576", "disk2.img cached 68157440"));
  block.SetDirty();
  EXPECT_EQ(cache.WritebackMany({&block, 1}, WriteDurability::kDurable), absl::OkStatus());
  EXPECT_THAT(log_.Take(),
              UnorderedElementsAre("disk1.img write 1048576", "disk2.img write 68157440"));
}

TEST_F(UntilFlushTest, BothInOneBatch) {
  BufferPool pool;
  std::vector<ExtentBufferRef> buffers;
  std::array<BlockWrite, 3> writes;
  for (size_t i = 0; i < writes.size(); ++i) {
    const uint64_t logical = kLogical + i * 16384;
    buffers.push_back(pool.Make(logical, BlockAt(logical, 8)));
    writes[i] = {.buffer = buffers[i].get(), .until_flush = i == 1};
  }
  t_.volume().Write(absl::MakeSpan(writes));
  for (const BlockWrite& write : writes) EXPECT_EQ(write.status, absl::OkStatus());
  EXPECT_THAT(log_.Take(), ::testing::UnorderedElementsAre(
                               "disk1.img write 1048576", "disk1.img write 1081344",
                               "disk2.img write 68157440", "disk2.img write 68190208",
                               "disk1.img cached 1064960", "disk2.img cached 68173824"));
  for (int mirror : {1, 2}) {
    EXPECT_EQ(t_.LoadCopy(mirror, kLogical + 16384), BlockAt(kLogical + 16384, 8));
  }
}

// A copy that was not taken is behind the other, flush or no flush.
TEST_F(UntilFlushTest, ACopyThatWasNotTaken) {
  BufferCache cache({.node_bytes = 16384}, &t_.volume());
  t_.device(2).FailWritesAt(0, uint64_t{1} << 30);
  ExtentBufferRef block = NewBlock(cache, 0);
  EXPECT_EQ(cache.WritebackMany({&block, 1}, WriteDurability::kUntilFlush), absl::OkStatus());
  EXPECT_THAT(t_.damage(), ElementsAre(HasSubstr("mirror 2 on disk2.img at 68157440: not written: "
                                                 "bad sector (recovered)")));
  EXPECT_TRUE(t_.volume().CheckCopy(kLogical, 1).ok());
  EXPECT_TRUE(absl::IsUnavailable(t_.volume().CheckCopy(kLogical, 2)));
  t_.device(1).FailWritesAt(0, uint64_t{1} << 30);
  ExtentBufferRef other = NewBlock(cache, 1);
  EXPECT_TRUE(absl::IsUnavailable(cache.WritebackMany({&other, 1}, WriteDurability::kUntilFlush)));
  EXPECT_TRUE(other->dirty());
  EXPECT_TRUE(*cache.GiveUpWrite(other));
}

TEST_F(UntilFlushTest, AllDevicesAreFlushed) {
  EXPECT_EQ(t_.volume().Flush(), absl::OkStatus());
  EXPECT_THAT(log_.Take(), ElementsAre("disk1.img flush", "disk2.img flush"));
  log_.flush_errors["disk1.img"] = absl::UnavailableError("disk1.img: EIO");
  log_.flush_errors["disk2.img"] = absl::UnavailableError("disk2.img: ENOSPC");
  EXPECT_EQ(t_.volume().Flush(), absl::UnavailableError("disk1.img: EIO"));
  EXPECT_THAT(log_.Take(), ElementsAre("disk1.img flush", "disk2.img flush"));
  log_.flush_errors.erase("disk1.img");
  EXPECT_EQ(t_.volume().Flush(), absl::UnavailableError("disk2.img: ENOSPC"));
  log_.flush_errors.clear();
  EXPECT_EQ(t_.volume().Flush(), absl::OkStatus());
}

// ---- Devices that do not flush ------------------------------------------------------------------

class LostCopiesTest : public UntilFlushTest {
 protected:
  void SetUp() override { WriteBlock(0); }
  void WriteBlock(uint64_t n) {
    ExtentBufferRef block = NewBlock(cache_, n);
    ASSERT_TRUE(cache_.WritebackMany({&block, 1}, WriteDurability::kUntilFlush).ok());
  }
  void FailFlush(const std::string& name) {
    log_.flush_errors[name] = absl::UnavailableError(name + ": EIO");
  }
  bool MayRead(uint64_t n, int mirror) {
    return t_.volume().CheckCopy(kLogical + n * 16384, mirror).ok();
  }

  BufferCache cache_{{.node_bytes = 16384}, &t_.volume()};
};

TEST_F(LostCopiesTest, EachDeviceSaysHowItsFlushWent) {
  log_.Take();
  FailFlush("disk1.img");
  const std::vector<DeviceFlush> flushes = t_.volume().FlushDevices();
  EXPECT_THAT(log_.Take(), ElementsAre("disk1.img flush", "disk2.img flush"));
  ASSERT_EQ(flushes.size(), 2u);
  EXPECT_EQ(flushes[0].id, 1u);
  EXPECT_EQ(flushes[0].device, "disk1.img");
  EXPECT_EQ(flushes[0].status, absl::UnavailableError("disk1.img: EIO"));
  EXPECT_EQ(flushes[1].id, 2u);
  EXPECT_EQ(flushes[1].device, "disk2.img");
  EXPECT_EQ(flushes[1].status, absl::OkStatus());
}

TEST_F(LostCopiesTest, TheOtherCopyStandsIn) {
  WriteBlock(1);
  WriteBlock(2);
  FailFlush("disk2.img");
  const std::array<uint64_t, 2> blocks = {kLogical, kLogical + 16384};
  EXPECT_EQ(t_.volume().LoseUnflushed(blocks, t_.volume().FlushDevices()), absl::OkStatus());
  EXPECT_THAT(
      t_.damage(),
      ElementsAre(HasSubstr("mirror 2 on disk2.img at 68157440: not written: disk2.img: EIO "
                            "(recovered)"),
                  HasSubstr("mirror 2 on disk2.img at 68173824: not written")));
  EXPECT_TRUE(MayRead(0, 1));
  EXPECT_FALSE(MayRead(0, 2));
  EXPECT_FALSE(MayRead(1, 2));
  EXPECT_TRUE(MayRead(2, 2));  // it was not named
  WriteBlock(0);
  EXPECT_TRUE(MayRead(0, 2));
}

TEST_F(LostCopiesTest, NoCopyIsDurable) {
  WriteBlock(1);
  FailFlush("disk1.img");
  FailFlush("disk2.img");
  const std::array<uint64_t, 2> blocks = {kLogical + 16384, kLogical};
  const absl::Status status = t_.volume().LoseUnflushed(blocks, t_.volume().FlushDevices());
  EXPECT_EQ(status, absl::UnavailableError(
                        "block 22036480: no copy is durable: mirror 1 on disk1.img at 1064960: "
                        "disk1.img: EIO; mirror 2 on disk2.img at 68173824: disk2.img: EIO"));
  EXPECT_THAT(t_.damage(), IsEmpty());
  for (const int mirror : {1, 2}) EXPECT_TRUE(MayRead(0, mirror) && MayRead(1, mirror));
}

TEST_F(LostCopiesTest, TheOtherCopyWasNotTaken) {
  t_.device(1).FailWritesAt(0, uint64_t{1} << 30);
  WriteBlock(1);
  FailFlush("disk2.img");
  const std::array<uint64_t, 2> blocks = {kLogical, kLogical + 16384};
  const absl::Status status = t_.volume().LoseUnflushed(blocks, t_.volume().FlushDevices());
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("its last write failed: bad sector"));
  EXPECT_TRUE(MayRead(0, 2));  // nothing has changed, of those before it either
}

TEST_F(LostCopiesTest, AnAddressWithoutAChunk) {
  FailFlush("disk2.img");
  const uint64_t nowhere = uint64_t{1} << 50;
  EXPECT_TRUE(
      absl::IsNotFound(t_.volume().LoseUnflushed({&nowhere, 1}, t_.volume().FlushDevices())));
}

TEST_F(UntilFlushTest, AFlushThatThrows) {
  log_.on_call = [] { throw std::bad_alloc(); };
  EXPECT_TRUE(absl::IsResourceExhausted(t_.volume().Flush()));
  EXPECT_THAT(log_.Take(), IsEmpty());
}

}  // namespace
}  // namespace ebcache::testing
