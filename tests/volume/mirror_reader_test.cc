// Reading through the copies of a block.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "tests/format/buffer_pool.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr uint64_t kLogical = TestVolume::kLogical;
constexpr uint64_t kPhysical1 = uint64_t{1} << 20;
constexpr uint64_t kPhysical2 = uint64_t{65} << 20;

class MirrorReaderTest : public ::testing::TestWithParam<Layout> {
 protected:
  ExtentBufferRef Buffer(uint64_t logical = kLogical) { return pool_.Make(logical); }
  static Bytes Contents(const ExtentBufferRef& buffer) {
    Bytes bytes(buffer->length());
    EXPECT_TRUE(buffer->Read(0, absl::MakeSpan(bytes)).ok());
    return bytes;
  }

  BufferPool pool_{16384, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Layouts, MirrorReaderTest,
                         ::testing::Values(Layout::kContiguous, Layout::kPages),
                         [](const auto& info) {
                           return info.param == Layout::kContiguous ? "Contiguous" : "Pages";
                         });

TEST_P(MirrorReaderTest, GoodBlock) {
  TestVolume t({.profile = RaidProfile::kDup});
  t.Store(kLogical, BlockAt(kLogical));
  const ExtentBufferRef buffer = Buffer();
  EXPECT_EQ(t.Read(*buffer), absl::OkStatus());
  EXPECT_EQ(Contents(buffer), BlockAt(kLogical));
  EXPECT_EQ(buffer->mirror(), 1);
  EXPECT_THAT(t.damage(), IsEmpty());
}

TEST_P(MirrorReaderTest, EveryMirrorCanStandInAlone) {
  for (RaidProfile profile :
       {RaidProfile::kDup, RaidProfile::kRaid1, RaidProfile::kRaid1c3, RaidProfile::kRaid1c4}) {
    const int copies = SoundChunk(profile, 0, 4096).copies();
    for (int good = 1; good <= copies; ++good) {
      TestVolume t({.profile = profile});
      t.StoreCopy(good, kLogical, BlockAt(kLogical));
      const ExtentBufferRef buffer = Buffer();
      EXPECT_EQ(t.Read(*buffer), absl::OkStatus());
      EXPECT_EQ(Contents(buffer), BlockAt(kLogical));
      EXPECT_EQ(buffer->mirror(), good);
      EXPECT_EQ(t.damage().size(), good - 1);
    }
  }
}

TEST_P(MirrorReaderTest, DamageIsReported) {
  TestVolume t({.profile = RaidProfile::kDup});
  t.Store(kLogical, BlockAt(kLogical));
  t.Damage(1, kLogical);
  EXPECT_EQ(t.Read(*Buffer()), absl::OkStatus());
  EXPECT_THAT(t.damage(),
              ElementsAre(MatchesRegex("22020096: mirror 1 on disk1.img at 1048576: checksum "
                                       "mismatch \\(crc32c\\): wanted 0x[0-9a-f]{8}, found "
                                       "0x[0-9a-f]{8} \\(recovered\\)")));
  EXPECT_THAT(t.device(1).writes(), IsEmpty());
}

TEST_P(MirrorReaderTest, EveryKindOfBadCopy) {
  Bytes elsewhere = BlockAt(kLogical + 16384);
  Bytes stale = BlockAt(kLogical, 6);
  Bytes malformed = BlockAt(kLogical);
  Put<uint32_t>(malformed, 96, 10000);
  Seal(malformed, ChecksumType::kCrc32c);
  const ParentCheck check{.generation = 7};
  struct {
    Bytes bytes;
    const char* reason;
  } const cases[] = {
      {Bytes(16384), "the header has address 0, not 22020096"},
      {elsewhere, "the header has address 22036480, not 22020096"},
      {stale, "generation 6, the parent expects 7"},
      {malformed, "leaf with 10000 items, room is for 651"},
  };
  for (const auto& c : cases) {
    TestVolume t({.profile = RaidProfile::kRaid1});
    t.Store(kLogical, BlockAt(kLogical));
    t.StoreCopy(1, kLogical, c.bytes);
    const ExtentBufferRef buffer = Buffer();
    EXPECT_EQ(t.Read(*buffer, &check), absl::OkStatus());
    EXPECT_EQ(buffer->mirror(), 2);
    EXPECT_THAT(t.damage(), ElementsAre(HasSubstr(c.reason)));
  }
}

TEST_P(MirrorReaderTest, ReadErrorOnOneMirror) {
  TestVolume t({.profile = RaidProfile::kRaid1});
  t.Store(kLogical, BlockAt(kLogical));
  t.device(1).FailRead(1);
  EXPECT_EQ(t.Read(*Buffer()), absl::OkStatus());
  EXPECT_THAT(t.damage(), ElementsAre("22020096: mirror 1 on disk1.img at 1048576: injected read "
                                      "error (recovered)"));
}

TEST_P(MirrorReaderTest, NoGoodCopy) {
  TestVolume t({.profile = RaidProfile::kRaid1});
  t.Store(kLogical, BlockAt(kLogical));
  t.Damage(1, kLogical);
  t.device(2).FailRead(1);
  const absl::Status status = t.Read(*Buffer());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              MatchesRegex("block 22020096: no good copy: mirror 1 on disk1.img at 1048576: "
                           "checksum mismatch \\(crc32c\\): wanted 0x[0-9a-f]{8}, found "
                           "0x[0-9a-f]{8}; mirror 2 on disk2.img at 68157440: injected read "
                           "error"));
  EXPECT_THAT(t.damage(), ElementsAre(HasSubstr("(lost)"), HasSubstr("(lost)")));
}

TEST_P(MirrorReaderTest, OnlyReadErrorsAreUnavailable) {
  TestVolume t({.profile = RaidProfile::kDup});
  t.device(1).FailReadsAt(0, uint64_t{1} << 30);
  EXPECT_EQ(t.Read(*Buffer()).code(), absl::StatusCode::kUnavailable);
}

// ---- Memory that is out -------------------------------------------------------------------------

TEST_P(MirrorReaderTest, MemoryThatIsOutIsNoDamage) {
  TestVolume t({.profile = RaidProfile::kDup});
  t.Store(kLogical, BlockAt(kLogical));
  t.device(1).set_read_error(absl::ResourceExhaustedError("no memory now"));
  t.device(1).FailReadsAt(0, uint64_t{1} << 30);
  const absl::Status status = t.Read(*Buffer());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("mirror 2 on disk1.img"));
  t.device(1).Heal();
  EXPECT_EQ(t.Read(*Buffer()), absl::OkStatus());
}

// That one may be good, whatever the others are like.
TEST_P(MirrorReaderTest, OneCopyWithoutMemoryBesideABadOne) {
  for (int without = 1; without <= 2; ++without) {
    TestVolume t({.profile = RaidProfile::kRaid1});
    t.Store(kLogical, BlockAt(kLogical));
    t.device(without).set_read_error(absl::ResourceExhaustedError("no memory now"));
    t.device(without).FailReadsAt(0, uint64_t{1} << 30);
    t.Damage(3 - without, kLogical);
    EXPECT_EQ(t.Read(*Buffer()).code(), absl::StatusCode::kResourceExhausted);
    // Nor does a device that fails, or that is not there, make damage of it.
    t.device(3 - without).FailReadsAt(0, uint64_t{1} << 30);
    EXPECT_EQ(t.Read(*Buffer()).code(), absl::StatusCode::kResourceExhausted);
  }
  TestVolume t({.profile = RaidProfile::kRaid1, .missing = {1}});
  t.device(2).set_read_error(absl::ResourceExhaustedError("no memory now"));
  t.device(2).FailReadsAt(0, uint64_t{1} << 30);
  EXPECT_EQ(t.Read(*Buffer()).code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(MirrorReaderTest, AnotherCopyIsAsGood) {
  TestVolume t({.profile = RaidProfile::kRaid1, .writable = true});
  t.Store(kLogical, BlockAt(kLogical));
  t.device(1).set_read_error(absl::ResourceExhaustedError("no memory now"));
  t.device(1).FailReadsAt(0, uint64_t{1} << 30);
  EXPECT_EQ(t.Read(*Buffer()), absl::OkStatus());
  EXPECT_THAT(t.damage(), ElementsAre(HasSubstr("no memory now (recovered)")));
  // Nothing is known to be wrong with it, so there is nothing to repair.
  EXPECT_THAT(t.device(1).writes(), IsEmpty());
}

TEST_P(MirrorReaderTest, UnmappedAddress) {
  TestVolume t({.profile = RaidProfile::kSingle});
  const absl::Status status = t.Read(*Buffer(4096));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "block 4096: no chunk at this address");
  EXPECT_THAT(t.damage(), IsEmpty());
}

TEST_P(MirrorReaderTest, BehindTheEndOfTheDevice) {
  TestVolume t({.profile = RaidProfile::kSingle});
  Chunk far = SoundChunk(RaidProfile::kSingle, uint64_t{1} << 40, 1 << 20);
  far.stripes[0].physical = uint64_t{1} << 50;
  ASSERT_TRUE(t.volume().AddChunk(far).ok());
  const absl::Status status = t.Read(*Buffer(uint64_t{1} << 40));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("mirror 1 on disk1.img at 1125899906842624"));
}

// ---- Missing devices ----------------------------------------------------------------------------

TEST_P(MirrorReaderTest, AMissingDeviceIsNotAskedAndNotReported) {
  TestVolume t({.profile = RaidProfile::kRaid1, .missing = {1}});
  t.Store(kLogical, BlockAt(kLogical));
  EXPECT_THAT(t.volume().missing_devices(), ElementsAre(Field(&MissingDevice::id, 1)));
  const ExtentBufferRef buffer = Buffer();
  EXPECT_EQ(t.Read(*buffer), absl::OkStatus());
  EXPECT_EQ(buffer->mirror(), 2);
  EXPECT_THAT(t.damage(), IsEmpty());
}

TEST_P(MirrorReaderTest, AMissingDeviceIsNamedWhenNothingElseIsLeft) {
  TestVolume t({.profile = RaidProfile::kRaid1, .missing = {1}});
  t.device(2).FailRead(1);
  const absl::Status status = t.Read(*Buffer());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "block 22020096: no good copy: mirror 2 on disk2.img at 68157440: injected read error; "
            "mirror 1 on missing device 1 at 1048576: the device is missing");
  EXPECT_THAT(t.damage(), ElementsAre(HasSubstr("mirror 2 on disk2.img"),
                                      HasSubstr("mirror 1 on missing device 1")));
}

TEST_P(MirrorReaderTest, WithoutRedundancyAMissingDeviceLosesItsBlocks) {
  TestVolume t({.profile = RaidProfile::kRaid0, .stripes = 2, .missing = {2}});
  t.device(1).Store(kPhysical1, BlockAt(kLogical));
  EXPECT_EQ(t.Read(*Buffer(kLogical)), absl::OkStatus());
  EXPECT_THAT(std::string(t.Read(*Buffer(kLogical + 65536)).message()),
              HasSubstr("mirror 1 on missing device 2"));
}

// ---- Batches ------------------------------------------------------------------------------------

struct Batch {
  explicit Batch(BufferPool& pool, const std::vector<uint64_t>& addresses) {
    for (uint64_t logical : addresses) {
      buffers.push_back(pool.Make(logical));
      reads.push_back({.buffer = buffers.back().get(), .status = absl::UnknownError("not set")});
    }
  }
  std::vector<ExtentBufferRef> buffers;
  std::vector<BlockRead> reads;
};

TEST_P(MirrorReaderTest, ABatchIsOneReadPerDeviceInTheOrderOfOffsets) {
  TestVolume t({.profile = RaidProfile::kRaid0, .stripes = 2});
  std::vector<uint64_t> addresses;
  for (uint64_t i : {9, 2, 7, 0, 5}) {
    addresses.push_back(kLogical + i * 65536);
    t.device(1 + i % 2).Store((i % 2 ? kPhysical2 : kPhysical1) + i / 2 * 65536,
                              BlockAt(addresses.back()));
  }
  Batch batch(pool_, addresses);
  const size_t before1 = t.device(1).reads().size();
  const size_t before2 = t.device(2).reads().size();
  const size_t batches = t.device(1).read_batches().size();
  t.volume().Read(absl::MakeSpan(batch.reads));
  for (size_t i = 0; i < batch.reads.size(); ++i) {
    EXPECT_EQ(batch.reads[i].status, absl::OkStatus());
    EXPECT_EQ(Contents(batch.buffers[i]), BlockAt(addresses[i]));
  }
  const std::vector<uint64_t> reads1 = t.device(1).reads();
  const std::vector<uint64_t> reads2 = t.device(2).reads();
  EXPECT_THAT(std::vector<uint64_t>(reads1.begin() + before1, reads1.end()),
              ElementsAre(kPhysical1, kPhysical1 + 65536));
  EXPECT_THAT(std::vector<uint64_t>(reads2.begin() + before2, reads2.end()),
              ElementsAre(kPhysical2 + 2 * 65536, kPhysical2 + 3 * 65536, kPhysical2 + 4 * 65536));
  EXPECT_EQ(t.device(1).read_batches().size(), batches + 1);
}

TEST_P(MirrorReaderTest, InABatchEachBlockHasItsOwnFate) {
  TestVolume t({.profile = RaidProfile::kDup});
  const std::vector<uint64_t> addresses = {kLogical, kLogical + 16384, kLogical + 32768, 4096};
  for (int i = 0; i < 3; ++i) t.Store(addresses[i], BlockAt(addresses[i]));
  t.Damage(1, addresses[1]);
  t.Damage(1, addresses[2]);
  t.Damage(2, addresses[2]);
  Batch batch(pool_, addresses);
  t.volume().Read(absl::MakeSpan(batch.reads));
  EXPECT_EQ(batch.reads[0].status, absl::OkStatus());
  EXPECT_EQ(batch.buffers[0]->mirror(), 1);
  EXPECT_EQ(batch.reads[1].status, absl::OkStatus());
  EXPECT_EQ(batch.buffers[1]->mirror(), 2);
  EXPECT_EQ(batch.reads[2].status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(batch.reads[3].status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(t.damage(),
              ElementsAre(StartsWith("22036480: mirror 1"), StartsWith("22052864: mirror 1"),
                          StartsWith("22052864: mirror 2")));
}

// For the thread sanitizer: readers share everything but their buffers.
TEST_P(MirrorReaderTest, ManyThreads) {
  TestVolume t({.profile = RaidProfile::kRaid1, .writable = true});
  for (uint64_t i = 0; i < 16; ++i) {
    t.Store(kLogical + i * 16384, BlockAt(kLogical + i * 16384));
    t.Damage(1 + i % 2, kLogical + i * 16384);
  }
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < 16; ++i) {
        EXPECT_EQ(t.Read(*Buffer(kLogical + i * 16384)), absl::OkStatus());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(MirrorReaderTest, AnEmptyBatch) {
  TestVolume t({.profile = RaidProfile::kSingle});
  const auto reads = t.device(1).reads();
  t.volume().Read({});
  t.volume().Write({});
  EXPECT_EQ(t.device(1).reads(), reads);
}

// The N-th read fails, for every N: with two copies nothing is ever lost.
TEST_P(MirrorReaderTest, EveryReadFailsOnce) {
  for (uint64_t n = 1;; ++n) {
    TestVolume t({.profile = RaidProfile::kDup});
    std::vector<uint64_t> addresses;
    for (uint64_t i = 0; i < 5; ++i) {
      addresses.push_back(kLogical + i * 16384);
      t.Store(addresses.back(), BlockAt(addresses.back()));
    }
    t.Damage(1, addresses[3]);  // so that n can also be a second try
    t.device(1).FailRead(n);
    Batch batch(pool_, addresses);
    t.volume().Read(absl::MakeSpan(batch.reads));
    for (size_t i = 0; i < batch.reads.size(); ++i) {
      const bool both = n == 6 && i == 3;  // the only other copy of the damaged block
      EXPECT_EQ(batch.reads[i].status.ok(), !both) << n << ", " << i;
    }
    if (t.damage().size() == 1) break;
    ASSERT_LT(n, 20);
  }
}

// ---- Repair -------------------------------------------------------------------------------------

TEST_P(MirrorReaderTest, BadCopiesAreReplacedWhenWritable) {
  TestVolume t({.profile = RaidProfile::kRaid1c3, .writable = true});
  t.Store(kLogical, BlockAt(kLogical));
  t.Damage(1, kLogical);
  t.Damage(2, kLogical);
  EXPECT_EQ(t.Read(*Buffer()), absl::OkStatus());
  EXPECT_THAT(t.damage(),
              ElementsAre(HasSubstr("(recovered, repaired)"), HasSubstr("(recovered, repaired)")));
  for (int mirror : {1, 2, 3}) EXPECT_EQ(t.LoadCopy(mirror, kLogical), BlockAt(kLogical));
  EXPECT_THAT(t.device(3).writes(), IsEmpty());
}

TEST_P(MirrorReaderTest, ARepairMayFail) {
  TestVolume t({.profile = RaidProfile::kRaid1, .writable = true});
  t.Store(kLogical, BlockAt(kLogical));
  t.Damage(1, kLogical);
  t.device(1).FailWritesAt(kPhysical1, 16384);
  EXPECT_EQ(t.Read(*Buffer()), absl::OkStatus());
  EXPECT_THAT(t.damage(), ElementsAre(HasSubstr("; not repaired: bad sector (recovered)")));
}

// A reader with an old parent finds the old block in another copy. The newest is not overwritten.
TEST_P(MirrorReaderTest, ANewerCopyIsNotRepairedByAnOlder) {
  TestVolume t({.profile = RaidProfile::kDup, .writable = true});
  t.StoreCopy(1, kLogical, BlockAt(kLogical, 7));
  t.StoreCopy(2, kLogical, BlockAt(kLogical, 6));
  const ParentCheck old{.generation = 6};
  EXPECT_EQ(t.Read(*pool_.Make(kLogical), &old), absl::OkStatus());
  EXPECT_EQ(t.LoadCopy(1, kLogical), BlockAt(kLogical, 7));
  EXPECT_THAT(
      t.damage(),
      ElementsAre(HasSubstr("not repaired: it is sound, and not older than the good copy")));
  // The other way round it is.
  t.StoreCopy(1, kLogical, BlockAt(kLogical, 6));
  t.StoreCopy(2, kLogical, BlockAt(kLogical, 7));
  const ParentCheck current{.generation = 7};
  EXPECT_EQ(t.Read(*pool_.Make(kLogical), &current), absl::OkStatus());
  EXPECT_EQ(t.LoadCopy(1, kLogical), BlockAt(kLogical, 7));
}

// Damage is told from a sound block that is not what the reader expects: another may expect it.
TEST_P(MirrorReaderTest, DamageIsToldFromWhatIsNotExpected) {
  TestVolume t({.profile = RaidProfile::kDup});
  const ParentCheck wrong{.generation = 5};
  const auto read = [&] {
    const ExtentBufferRef buffer = pool_.Make(kLogical);
    BlockRead one{.buffer = buffer.get(), .check = &wrong, .status = absl::UnknownError("not set")};
    t.volume().Read(absl::MakeSpan(&one, 1));
    EXPECT_FALSE(one.status.ok());
    return one.damaged;
  };
  t.Store(kLogical, BlockAt(kLogical));
  EXPECT_FALSE(read());
  t.Damage(1, kLogical);
  EXPECT_FALSE(read());
  t.Damage(2, kLogical);
  EXPECT_TRUE(read());
}

TEST_P(MirrorReaderTest, NothingIsRepairedFromNothing) {
  TestVolume t({.profile = RaidProfile::kDup, .writable = true});
  EXPECT_FALSE(t.Read(*Buffer()).ok());
  EXPECT_THAT(t.device(1).writes(), IsEmpty());
}

TEST(MirrorReaderDeathTest, BuffersOfAnotherSize) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  TestVolume t({.profile = RaidProfile::kSingle});
  BufferPool pool(4096);
  const ExtentBufferRef buffer = pool.Make(kLogical);
  EXPECT_DEATH((void)t.Read(*buffer), "not of the filesystem's node size");
}

}  // namespace
}  // namespace ebcache::testing
