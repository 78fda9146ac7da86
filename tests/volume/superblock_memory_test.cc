// Superblocks that are written and published while memory is out, at each allocation in turn.

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "lib/volume/superblock_reader.h"
#include "tests/support/failing_new.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

Superblock NextOf(const Volume& volume) {
  Superblock next = volume.superblock();
  ++next.generation;
  next.label = "a label that is too long to be kept in place";
  return next;
}

class SuperblockMemoryTest : public ::testing::TestWithParam<NewFails> {};

INSTANTIATE_TEST_SUITE_P(All, SuperblockMemoryTest,
                         ::testing::Values(NewFails::kOnce, NewFails::kFromThenOn));

// The copies that are not there are those that were told of. Devices need memory as well, and
// without it have not written.
TEST_P(SuperblockMemoryTest, WhatIsSaidIsWhatIsOnDisk) {
  int64_t nth = 0;
  bool succeeded = false;
  for (bool failed = true; failed; ++nth) {
    ASSERT_LT(nth, 10'000);
    TestVolume t({.profile = RaidProfile::kRaid1, .writable = true});
    const Superblock next = NextOf(t.volume());
    const std::vector<DeviceItem> items = t.volume().devices();
    std::vector<SuperblockFailure> failures;
    absl::Status status;
    FailNew(nth, GetParam());
    EXPECT_NO_THROW(status = t.volume().WriteSuperblocks(next, items, &failures));
    failed = StopFailingNew();
    size_t primaries = 0;
    size_t copies = 0;
    for (uint64_t id : {1, 2}) {
      for (uint64_t offset : {kSuperblockOffsets[0], kSuperblockOffsets[1]}) {
        const auto found = ParseSuperblock(t.device(id).Load(offset, kSuperblockBytes), offset);
        if (!found.ok() || found->generation != next.generation) continue;
        ++copies;
        if (offset == kSuperblockOffsets[0]) ++primaries;
      }
    }
    EXPECT_TRUE(status.ok() || (failed && absl::IsResourceExhausted(status))) << status;
    if (status.ok()) {
      succeeded = true;
      EXPECT_GE(primaries, 1) << nth;
      EXPECT_EQ(copies + failures.size(), 4) << nth;
    } else {
      EXPECT_EQ(copies, 0) << nth;
    }
  }
  EXPECT_TRUE(succeeded);
  EXPECT_GT(nth, 10);
}

// What is on disk by now must not be forgotten for want of memory.
TEST(SuperblockMemory, PublishingNeedsNone) {
  TestVolume t({.profile = RaidProfile::kSingle, .writable = true});
  for (int commit = 0; commit < 3; ++commit) {
    Superblock next = NextOf(t.volume());
    FailNew(0, NewFails::kFromThenOn);
    t.volume().PublishSuperblock(std::move(next));
    EXPECT_FALSE(StopFailingNew());
  }
  EXPECT_EQ(t.volume().superblock().generation, 10);
}

// Another fsid is another set of rules, which takes some: all of it is published, or none.
TEST(SuperblockMemory, AnotherFsidIsPublishedWholeOrNotAtAll) {
  int64_t nth = 0;
  for (bool failed = true; failed; ++nth) {
    ASSERT_LT(nth, 100);
    TestVolume t({.profile = RaidProfile::kSingle, .writable = true});
    Superblock next = NextOf(t.volume());
    next.fsid = UuidOf(0x44);
    bool threw = false;
    FailNew(nth, NewFails::kOnce);
    try {
      t.volume().PublishSuperblock(std::move(next));
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    failed = StopFailingNew();
    EXPECT_EQ(threw, failed);
    EXPECT_EQ(t.volume().superblock().generation, threw ? 7 : 8);
    BufferCache cache({.node_bytes = 16384}, &t.volume());
    const uint64_t logical = TestVolume::kLogical;
    const Bytes block = LeafBytes({.fsid = UuidOf(threw ? 0x11 : 0x44), .bytenr = logical},
                                  {{{256, kStringItemType, 1}, "a"}});
    t.Store(logical, block);
    EXPECT_TRUE(cache.ReadBlock(logical).ok());
  }
  EXPECT_GT(nth, 1);
}

}  // namespace
}  // namespace ebcache::testing
