// A write that reaches some copies only, while memory is out at each allocation in turn: where it
// cannot be remembered which copies it did not reach, it is not OK.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <new>
#include <string>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "lib/volume/missed_writes.h"
#include "tests/support/failing_new.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kLogical = TestVolume::kLogical;

Bytes Version(int version) {
  return LeafBytes({.bytenr = kLogical, .generation = 8},
                   {{{256, kStringItemType, 1}, absl::StrCat("version ", version)}});
}

absl::Status Put(BufferCache& cache, int version, int64_t nth, NewFails how, bool* failed) {
  const Bytes bytes = Version(version);
  ExtentBufferRef block = *cache.Create(kLogical);
  EXPECT_TRUE(block->Write(0, bytes).ok());
  block.SetUptodate();
  block.SetDirty();
  FailNew(nth, how);
  absl::Status status = cache.Writeback(block);
  *failed = StopFailingNew();
  return status;
}

class HalfWrittenMemoryTest : public ::testing::TestWithParam<NewFails> {};

INSTANTIATE_TEST_SUITE_P(All, HalfWrittenMemoryTest,
                         ::testing::Values(NewFails::kOnce, NewFails::kFromThenOn));

TEST_P(HalfWrittenMemoryTest, WhatCannotBeRememberedIsNoSuccess) {
  for (size_t missed = 0; missed < 2; ++missed) {
    bool failed = true;
    for (int64_t nth = 0; failed; ++nth) {
      ASSERT_LT(nth, 10'000);
      TestVolume t({.profile = RaidProfile::kRaid1, .writable = true});
      BufferCache cache({.node_bytes = 16384}, &t.volume());
      ASSERT_TRUE(Put(cache, 1, 1 << 20, NewFails::kOnce, &failed).ok());
      const int mirror = static_cast<int>(missed) + 1;
      t.DeviceOf(mirror).FailWritesAt(t.PhysicalOf(mirror, kLogical), 16384);
      const absl::Status status = Put(cache, 2, nth, GetParam(), &failed);
      t.DeviceOf(mirror).Heal();
      EXPECT_EQ(cache.DropCaches(), status.ok() ? 1u : 0u) << "what was not written stays";
      EXPECT_FALSE(status.ok() && t.volume().CheckCopy(kLogical, mirror).ok()) << nth;
      const absl::StatusOr<ExtentBufferRef> block = cache.ReadBlock(kLogical);
      ASSERT_TRUE(block.ok()) << block.status();
      Bytes bytes(16384);
      ASSERT_TRUE((*block)->Read(0, absl::MakeSpan(bytes)).ok());
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(&bytes[16384 - 9]), 9), "version 2")
          << nth << ": " << status;
      EXPECT_EQ(cache.WritebackAll(), absl::OkStatus());
    }
  }
}

MirrorDamage FailedIn(int mirror, const std::string& why) {
  return {.logical = kLogical, .mirror = mirror, .reason = why};
}
std::vector<std::string> MissedOf(const MissedWrites& missed) {
  std::vector<std::string> found;
  missed.ForEachOf(kLogical, [&](size_t copy, const absl::Status& why) {
    found.push_back(absl::StrCat(copy, ": ", why.message()));
  });
  return found;
}

// What a copy lacks is told with the error of its last write, not of an earlier one.
TEST(MissedWrites, TheLastErrorIsTold) {
  MissedWrites missed;
  for (const char* why : {"an error", "another"}) {
    const MirrorDamage failure = FailedIn(2, why);
    missed.Note(kLogical, 0b01, absl::MakeSpan(&failure, 1));
    EXPECT_EQ(MissedOf(missed),
              std::vector<std::string>{absl::StrCat("1: its last write failed: ", why)});
  }
  missed.Repaired(kLogical, 1);
  EXPECT_FALSE(missed.any());
}

// Where a failure cannot be remembered, what the write did reach can be read all the same.
TEST_P(HalfWrittenMemoryTest, TheCopyThatWasWrittenMayBeRead) {
  MissedWrites missed;
  const MirrorDamage second = FailedIn(2, "an error");
  const MirrorDamage first = FailedIn(1, "an error that is too long to be kept in place");
  missed.Note(kLogical, 0b01, absl::MakeSpan(&second, 1));
  FailNew(0, GetParam());
  EXPECT_THROW(missed.Note(kLogical, 0b10, absl::MakeSpan(&first, 1)), std::bad_alloc);
  StopFailingNew();
  EXPECT_FALSE(missed.any());
}

}  // namespace
}  // namespace ebcache::testing
