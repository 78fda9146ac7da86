// Writing blocks to all their copies.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/format/buffer_pool.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kLogical = TestVolume::kLogical;
// The superblock's is 7.
constexpr uint64_t kNewGeneration = 8;

class MirrorWriterTest : public ::testing::TestWithParam<Layout> {
 protected:
  ExtentBufferRef NewBlock(uint64_t logical = kLogical) {
    return pool_.Make(logical, BlockAt(logical, kNewGeneration));
  }

  BufferPool pool_{16384, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Layouts, MirrorWriterTest,
                         ::testing::Values(Layout::kContiguous, Layout::kPages),
                         [](const auto& info) {
                           return info.param == Layout::kContiguous ? "Contiguous" : "Pages";
                         });

TEST_P(MirrorWriterTest, AllCopiesAreWrittenAndReadBack) {
  for (RaidProfile profile : {RaidProfile::kSingle, RaidProfile::kDup, RaidProfile::kRaid1,
                              RaidProfile::kRaid1c3, RaidProfile::kRaid1c4}) {
    TestVolume t({.profile = profile, .writable = true});
    EXPECT_EQ(t.Write(*NewBlock()), absl::OkStatus());
    for (int mirror = 1; mirror <= SoundChunk(profile, 0, 4096).copies(); ++mirror) {
      EXPECT_EQ(t.LoadCopy(mirror, kLogical), BlockAt(kLogical, kNewGeneration));
    }
    EXPECT_EQ(t.Read(*pool_.Make(kLogical)), absl::OkStatus());
    EXPECT_THAT(t.damage(), IsEmpty());
  }
}

TEST_P(MirrorWriterTest, StripedProfilesRoundTrip) {
  for (RaidProfile profile : {RaidProfile::kRaid0, RaidProfile::kRaid10}) {
    TestVolume t({.profile = profile, .stripes = 4, .writable = true});
    for (uint64_t i = 0; i < 40; ++i) {
      EXPECT_EQ(t.Write(*NewBlock(kLogical + i * 16384)), absl::OkStatus());
    }
    for (uint64_t i = 0; i < 40; ++i) {
      EXPECT_EQ(t.Read(*pool_.Make(kLogical + i * 16384)), absl::OkStatus());
    }
    for (uint64_t id = 1; id <= 4; ++id) EXPECT_FALSE(t.device(id).writes().empty());
  }
}

// More blocks than are written together.
TEST_P(MirrorWriterTest, LargeBatch) {
  TestVolume t({.profile = RaidProfile::kDup, .writable = true});
  std::vector<ExtentBufferRef> buffers;
  std::vector<BlockWrite> writes;
  for (uint64_t i = 0; i < 150; ++i) {
    buffers.push_back(NewBlock(kLogical + i * 16384));
    writes.push_back({.buffer = buffers.back().get(), .status = absl::UnknownError("not set")});
  }
  t.volume().Write(absl::MakeSpan(writes));
  for (const BlockWrite& write : writes) EXPECT_EQ(write.status, absl::OkStatus());
  for (uint64_t i = 0; i < 150; ++i) {
    EXPECT_EQ(t.Read(*pool_.Make(kLogical + i * 16384)), absl::OkStatus());
  }
  EXPECT_EQ(t.device(1).writes().size(), 300);
}

TEST_P(MirrorWriterTest, TheBufferStaysAsItIs) {
  TestVolume t({.profile = RaidProfile::kSingle, .writable = true});
  Bytes bytes = BlockAt(kLogical, kNewGeneration);
  std::fill_n(bytes.begin(), 32, std::byte{0xee});         // no checksum yet
  bytes[kHeaderBytes + kItemBytes + 7] = std::byte{0xee};  // between heads and data
  const ExtentBufferRef buffer = pool_.Make(kLogical, bytes);
  EXPECT_EQ(t.Write(*buffer), absl::OkStatus());
  Bytes after(16384);
  ASSERT_TRUE(buffer->Read(0, absl::MakeSpan(after)).ok());
  EXPECT_EQ(after, bytes);
  EXPECT_EQ(t.LoadCopy(1, kLogical), BlockAt(kLogical, kNewGeneration));
}

TEST_P(MirrorWriterTest, OneCopyIsEnough) {
  TestVolume t({.profile = RaidProfile::kRaid1c3, .writable = true});
  t.device(1).FailWritesAt(0, uint64_t{1} << 30);
  t.device(3).FailWritesAt(0, uint64_t{1} << 30);
  EXPECT_EQ(t.Write(*NewBlock()), absl::OkStatus());
  EXPECT_THAT(t.damage(),
              ::testing::UnorderedElementsAre(
                  "22020096: mirror 1 on disk1.img at 1048576: not written: bad sector (recovered)",
                  "22020096: mirror 3 on disk3.img at 135266304: not written: bad sector "
                  "(recovered)"));
}

// The same write may succeed later. A copy that alone was not written is behind the others, though.
TEST_P(MirrorWriterTest, NoMemoryToWriteWith) {
  MirrorDamage last;
  TestVolume t({.profile = RaidProfile::kRaid1,
                .writable = true,
                .on_damage = [&](const MirrorDamage& damage) { last = damage; }});
  for (uint64_t id : {1, 2}) {
    t.device(id).set_write_error(absl::ResourceExhaustedError("no memory now"));
    t.device(id).FailWritesAt(0, uint64_t{1} << 30);
  }
  EXPECT_EQ(t.Write(*NewBlock()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(last.no_memory);
  t.device(2).set_write_error(absl::OkStatus());  // fails for good
  EXPECT_EQ(t.Write(*NewBlock()).code(), absl::StatusCode::kResourceExhausted);
  t.device(2).Heal();
  EXPECT_EQ(t.Write(*NewBlock()), absl::OkStatus());
  EXPECT_THAT(t.damage().back(), HasSubstr("mirror 1 on disk1.img"));
  EXPECT_THAT(t.damage().back(), HasSubstr("not written: no memory now (recovered)"));
  EXPECT_FALSE(last.no_memory);
}

TEST_P(MirrorWriterTest, NoCopyWritten) {
  TestVolume t({.profile = RaidProfile::kDup, .writable = true});
  t.device(1).FailWritesAt(0, uint64_t{1} << 30);
  const absl::Status status = t.Write(*NewBlock());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "block 22020096: no copy written: mirror 1 on disk1.img at 1048576: bad sector; "
            "mirror 2 on disk1.img at 68157440: bad sector");
  EXPECT_THAT(t.damage(), ElementsAre(HasSubstr("(lost)"), HasSubstr("(lost)")));
}

TEST_P(MirrorWriterTest, MissingDevices) {
  TestVolume degraded({.profile = RaidProfile::kRaid1, .writable = true, .missing = {2}});
  EXPECT_EQ(degraded.Write(*NewBlock()), absl::OkStatus());
  EXPECT_THAT(degraded.damage(), IsEmpty());
  TestVolume gone({.profile = RaidProfile::kRaid1c3, .writable = true, .missing = {1, 2}});
  gone.device(3).FailWritesAt(0, uint64_t{1} << 30);
  EXPECT_THAT(std::string(gone.Write(*NewBlock()).message()),
              HasSubstr("mirror 1 on missing device 1 at 1048576: the device is missing"));
}

TEST_P(MirrorWriterTest, ReadOnly) {
  TestVolume t({.profile = RaidProfile::kSingle});
  const absl::Status status = t.Write(*NewBlock());
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(), "block 22020096: not written: the volume is open read-only");
  EXPECT_THAT(t.device(1).writes(), IsEmpty());
}

TEST_P(MirrorWriterTest, WhatMustNotReachTheDisk) {
  TestVolume t({.profile = RaidProfile::kSingle, .writable = true});
  Bytes malformed = BlockAt(kLogical, kNewGeneration);
  Put<uint32_t>(malformed, 96, 10000);
  struct {
    Bytes bytes;
    uint64_t logical;
    const char* message;
  } const cases[] = {
      {BlockAt(kLogical, 7), kLogical,
       "block 22020096: not written: generation 7 is not newer than the last committed, 7"},
      {BlockAt(kLogical + 16384, 8), kLogical,
       "block 22020096: not written: the header has address 22036480, not 22020096"},
      {malformed, kLogical,
       "block 22020096: not written: leaf with 10000 items, room is for 651 [leaf-count]"},
      {BlockAt(4096, 8), 4096, "block 4096: no chunk at this address"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(t.Write(*pool_.Make(c.logical, c.bytes)).message(), c.message);
  }
  EXPECT_THAT(t.device(1).writes(), IsEmpty());
}

TEST(MirrorWriter, OnlyUptodateBuffers) {
  TestVolume t({.profile = RaidProfile::kSingle, .writable = true});
  BufferCache cache({.node_bytes = 16384});
  const ExtentBufferRef buffer = *cache.Create(kLogical);
  EXPECT_EQ(t.Write(*buffer).message(), "block 22020096: not written: the buffer is not UPTODATE");
}

}  // namespace
}  // namespace ebcache::testing
