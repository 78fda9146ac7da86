// Blocks of which a write reached some copies and not others: what it did not reach is older, and
// validates as well, so no reader may get it, and no copy may be repaired with it.

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "tests/format/buffer_pool.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kLogical = TestVolume::kLogical;
constexpr uint64_t kGeneration = 8;  // all versions have it: a session has no other
constexpr ParentCheck kCheck{.level = 0, .generation = kGeneration};

Bytes Version(int version, uint64_t logical = kLogical, uint64_t objectid = 256) {
  return LeafBytes({.bytenr = logical, .generation = kGeneration},
                   {{{objectid, kStringItemType, 1}, absl::StrCat("version ", version)}});
}

Bytes Contents(const ExtentBuffer& buffer) {
  Bytes bytes(buffer.length());
  EXPECT_TRUE(buffer.Read(0, absl::MakeSpan(bytes)).ok());
  return bytes;
}

class HalfWrittenTest : public ::testing::TestWithParam<RaidProfile> {
 protected:
  HalfWrittenTest() : volume_({.profile = GetParam(), .writable = true}) {
    copies_ = *volume_.volume().Map(kLogical, 16384);
  }
  MemoryDevice& device_of(size_t copy) { return volume_.device(copies_[copy].place.device_id); }
  Bytes Copy(size_t copy) { return device_of(copy).Load(copies_[copy].place.offset, 16384); }
  void FailWrites(size_t copy) { device_of(copy).FailWritesAt(copies_[copy].place.offset, 16384); }
  void FailReads(size_t copy) { device_of(copy).FailReadsAt(copies_[copy].place.offset, 16384); }
  void Heal() {
    for (size_t copy = 0; copy < copies_.size(); ++copy) device_of(copy).Heal();
  }
  // Makes a version the block's, through the cache, and takes it out of memory.
  absl::Status Put(const Bytes& bytes) {
    {
      ExtentBufferRef block = *cache_.Create(kLogical);
      EXPECT_TRUE(block->Write(0, bytes).ok());
      block.SetUptodate();
      block.SetDirty();
    }
    absl::Status status = cache_.WritebackAll();
    EXPECT_EQ(cache_.DropCaches(), status.ok() ? 1u : 0u);
    return status;
  }
  // Version 1 on all copies, then version 2 on all but one.
  void PutTwoVersions(size_t missed) {
    ASSERT_EQ(Put(Version(1)), absl::OkStatus());
    FailWrites(missed);
    ASSERT_EQ(Put(Version(2)), absl::OkStatus());
    Heal();
  }
  absl::StatusOr<Bytes> Read(const ParentCheck* check = &kCheck) {
    absl::StatusOr<ExtentBufferRef> block = cache_.ReadBlock(kLogical, check);
    if (!block.ok()) return block.status();
    Bytes bytes = Contents(**block);
    block->Put();
    cache_.DropCaches();
    return bytes;
  }

  TestVolume volume_;
  std::vector<PhysicalExtent> copies_;
  BufferCache cache_{{.node_bytes = 16384}, &volume_.volume()};
};

INSTANTIATE_TEST_SUITE_P(Profiles, HalfWrittenTest,
                         ::testing::Values(RaidProfile::kDup, RaidProfile::kRaid1,
                                           RaidProfile::kRaid1c3, RaidProfile::kRaid10),
                         [](const auto& info) { return std::string(RaidProfileName(info.param)); });

TEST_P(HalfWrittenTest, AReaderGetsWhatWasWrittenLast) {
  for (size_t missed = 0; missed < copies_.size(); ++missed) {
    PutTwoVersions(missed);
    EXPECT_EQ(Copy(missed), Version(1));
    EXPECT_EQ(*Read(), Version(2)) << missed;
    for (size_t copy = 0; copy < copies_.size(); ++copy) {
      EXPECT_EQ(Copy(copy), Version(2)) << "not repaired: " << copy;
    }
    EXPECT_THAT(volume_.damage(),
                Contains(AllOf(HasSubstr(absl::StrCat("mirror ", missed + 1, " on disk")),
                               HasSubstr("its last write failed: bad sector (recovered, "
                                         "repaired)"))));
    EXPECT_EQ(volume_.volume().CheckCopy(kLogical, static_cast<int>(missed) + 1), absl::OkStatus())
        << "it was repaired";
  }
}

TEST_P(HalfWrittenTest, NeverTheOlderBytesWhereTheOthersCannotBeRead) {
  const size_t last = copies_.size() - 1;
  PutTwoVersions(last);
  for (size_t copy = 0; copy < last; ++copy) FailReads(copy);
  const std::string error(Read().status().message());
  EXPECT_THAT(error, HasSubstr("no good copy"));
  EXPECT_THAT(error, HasSubstr("its last write failed: bad sector"));
  EXPECT_TRUE(absl::IsUnavailable(Read().status()));
  for (size_t copy = 0; copy < last; ++copy) EXPECT_EQ(Copy(copy), Version(2)) << "overwritten";
  Heal();
  EXPECT_EQ(*Read(), Version(2));
}

TEST_P(HalfWrittenTest, NothingNewIsOverwrittenForAReaderWhoExpectsTheOld) {
  const size_t last = copies_.size() - 1;
  ASSERT_EQ(Put(Version(1)), absl::OkStatus());
  FailWrites(last);
  ASSERT_EQ(Put(Version(2, kLogical, 300)), absl::OkStatus());
  Heal();
  const ParentCheck old{
      .level = 0, .generation = kGeneration, .first_key = Key{256, kStringItemType, 1}};
  EXPECT_FALSE(Read(&old).ok());
  for (size_t copy = 0; copy < last; ++copy) EXPECT_EQ(Copy(copy), Version(2, kLogical, 300));
  EXPECT_EQ(*Read(), Version(2, kLogical, 300));
}

// Also where it is not known that one of them is older: they may come from another session.
TEST_P(HalfWrittenTest, OfTwoSoundCopiesOfAGenerationNeitherIsRepairedWithTheOther) {
  for (size_t copy = 0; copy < copies_.size(); ++copy) {
    device_of(copy).Store(copies_[copy].place.offset, Version(1, kLogical, copy == 0 ? 300 : 256));
  }
  const ParentCheck second{
      .level = 0, .generation = kGeneration, .first_key = Key{256, kStringItemType, 1}};
  EXPECT_EQ(*Read(&second), Version(1));
  EXPECT_EQ(Copy(0), Version(1, kLogical, 300));
  EXPECT_THAT(volume_.damage(), Contains(HasSubstr("not repaired: it is sound, and not older")));
  EXPECT_EQ(*Read(), Version(1, kLogical, 300));
}

TEST_P(HalfWrittenTest, ACopyThatMissedAWriteIsNotRepairedWithWhatMayBeOlder) {
  if (copies_.size() < 3) return;  // it takes one that is read, one that is not, one that missed it
  PutTwoVersions(2);
  // The first copy is sound, and another version than the second.
  device_of(0).Store(copies_[0].place.offset, Version(3, kLogical, 300));
  const ParentCheck second{
      .level = 0, .generation = kGeneration, .first_key = Key{256, kStringItemType, 1}};
  EXPECT_EQ(*Read(&second), Version(2));
  EXPECT_EQ(Copy(2), Version(1));
  EXPECT_FALSE(volume_.volume().CheckCopy(kLogical, 3).ok());
  EXPECT_THAT(volume_.damage(), Contains(HasSubstr("not repaired: another copy may be newer")));
}

TEST_P(HalfWrittenTest, ACopyByItsNumber) {
  PutTwoVersions(1);
  const Volume& volume = volume_.volume();
  EXPECT_EQ(volume.CheckCopy(kLogical, 1), absl::OkStatus());
  EXPECT_EQ(volume.CheckCopy(kLogical, 2),
            absl::UnavailableError("block 22020096: mirror 2: its last write failed: bad sector"));
  EXPECT_EQ(volume.CheckCopy(kLogical + 16384, 2), absl::OkStatus());
  EXPECT_EQ(volume.CheckCopy(kLogical, 9), absl::OkStatus());
}

TEST_P(HalfWrittenTest, TheNextWriteThatReachesItClearsIt) {
  PutTwoVersions(1);
  FailWrites(0);
  ASSERT_EQ(Put(Version(3)), absl::OkStatus());
  Heal();
  EXPECT_EQ(volume_.volume().CheckCopy(kLogical, 2), absl::OkStatus());
  EXPECT_FALSE(volume_.volume().CheckCopy(kLogical, 1).ok());
  EXPECT_EQ(*Read(), Version(3));
}

TEST_P(HalfWrittenTest, ARepairThatFailsDoesNot) {
  PutTwoVersions(1);
  FailWrites(1);
  EXPECT_EQ(*Read(), Version(2));
  EXPECT_FALSE(volume_.volume().CheckCopy(kLogical, 2).ok());
  EXPECT_THAT(volume_.damage(), Contains(HasSubstr("its last write failed: bad sector; not "
                                                   "repaired: bad sector (recovered)")));
  Heal();
  EXPECT_EQ(*Read(), Version(2));
  EXPECT_EQ(volume_.volume().CheckCopy(kLogical, 2), absl::OkStatus());
}

// A write that reached no copy is an error, and leaves what can be read as it was.
TEST_P(HalfWrittenTest, AWriteThatReachedNoneChangesNothing) {
  PutTwoVersions(1);
  for (size_t copy = 0; copy < copies_.size(); ++copy) FailWrites(copy);
  EXPECT_FALSE(Put(Version(3)).ok());
  EXPECT_EQ(cache_.GiveUpWrites(), 1u);
  EXPECT_EQ(cache_.DropCaches(), 1u);
  EXPECT_EQ(*Read(), Version(2));
  EXPECT_FALSE(volume_.volume().CheckCopy(kLogical, 2).ok());
}

// Three writes, each of which fails in any set of copies, then a read while any set of copies
// cannot be read. No reader gets anything but what was written last with OK, and where a copy that
// has it can be read, all get it.
TEST_P(HalfWrittenTest, EverySetOfFailuresOfThreeWritesAndARead) {
  const unsigned sets = 1u << copies_.size();
  BufferPool pool;
  for (unsigned writes = 0; writes < sets * sets * sets; ++writes) {
    TestVolume t({.profile = GetParam(), .writable = true});
    for (unsigned unread = 0; unread < sets; ++unread) {
      // A block of its own: the chunk has room for them, and each its own bad sectors.
      const uint64_t logical = kLogical + unread * 16384;
      const std::vector<PhysicalExtent> places = *t.volume().Map(logical, 16384);
      const auto device = [&](size_t copy) -> MemoryDevice& {
        return t.device(places[copy].place.device_id);
      };
      const auto for_each = [&](unsigned set, auto step) {
        for (size_t copy = 0; copy < places.size(); ++copy) {
          if ((set >> copy & 1) != 0) step(copy);
        }
      };
      for_each(sets - 1, [&](size_t copy) {
        device(copy).Store(places[copy].place.offset, Version(0, logical));
      });
      const auto heal = [&] { for_each(sets - 1, [&](size_t copy) { device(copy).Heal(); }); };
      unsigned acknowledged = 0;
      unsigned newest = sets - 1;  // the copies that have it
      for (unsigned version = 1, left = writes; version <= 3; ++version) {
        const unsigned failing = left % sets;
        left /= sets;
        for_each(failing,
                 [&](size_t copy) { device(copy).FailWritesAt(places[copy].place.offset, 16384); });
        const absl::Status status = t.Write(*pool.Make(logical, Version(version, logical)));
        ASSERT_EQ(status.ok(), failing != sets - 1) << status;
        heal();
        if (!status.ok()) continue;
        acknowledged = version;
        newest = ~failing & (sets - 1);
      }
      const std::string what = absl::StrCat("writes ", writes, ", unread ", unread);
      for_each(unread,
               [&](size_t copy) { device(copy).FailReadsAt(places[copy].place.offset, 16384); });
      const ExtentBufferRef buffer = pool.Make(logical);
      const absl::Status status = t.Read(*buffer, unread % 2 == 0 ? &kCheck : nullptr);
      ASSERT_EQ(status.ok(), (newest & ~unread) != 0) << what << ": " << status;
      if (status.ok()) {
        ASSERT_EQ(Contents(*buffer), Version(acknowledged, logical)) << what;
      }
      heal();
      const auto expect_newest = [&](unsigned copies, const char* else_it_was) {
        for_each(copies, [&](size_t copy) {
          ASSERT_EQ(device(copy).Load(places[copy].place.offset, 16384),
                    Version(acknowledged, logical))
              << what << ": " << else_it_was << ": " << copy;
        });
      };
      ASSERT_NO_FATAL_FAILURE(expect_newest(newest, "overwritten"));
      const ExtentBufferRef again = pool.Make(logical);
      ASSERT_EQ(t.Read(*again), absl::OkStatus()) << what;
      ASSERT_EQ(Contents(*again), Version(acknowledged, logical)) << what;
      ASSERT_NO_FATAL_FAILURE(expect_newest(sets - 1, "not repaired"));
    }
  }
}

// A batch, as readahead and ReadBlocks make them: each block has its own copies that missed one.
TEST_P(HalfWrittenTest, Batches) {
  constexpr size_t kBlocks = 8;
  std::vector<uint64_t> starts;
  for (size_t i = 0; i < kBlocks; ++i) starts.push_back(kLogical + i * 16384);
  for (int version = 1; version <= 2; ++version) {
    std::vector<ExtentBufferRef> blocks;
    for (size_t i = 0; i < kBlocks; ++i) {
      blocks.push_back(*cache_.Create(starts[i]));
      ASSERT_TRUE(blocks.back()->Write(0, Version(version, starts[i])).ok());
      blocks.back().SetUptodate();
      blocks.back().SetDirty();
      const PhysicalExtent missed = (*volume_.volume().Map(starts[i], 16384))[i % copies_.size()];
      if (version == 2)
        volume_.device(missed.place.device_id).FailWritesAt(missed.place.offset, 16384);
    }
    ASSERT_EQ(cache_.WritebackAll(), absl::OkStatus());
  }
  Heal();
  ASSERT_EQ(cache_.DropCaches(), kBlocks);
  const size_t told = volume_.damage().size();
  std::vector<absl::StatusOr<ExtentBufferRef>> results(kBlocks);
  cache_.ReadBlocks(starts, {}, absl::MakeSpan(results));
  for (size_t i = 0; i < kBlocks; ++i) {
    ASSERT_TRUE(results[i].ok()) << results[i].status();
    EXPECT_EQ(Contents(**results[i]), Version(2, starts[i])) << i;
  }
  EXPECT_EQ(volume_.damage().size() - told, kBlocks);
}

}  // namespace
}  // namespace ebcache::testing
