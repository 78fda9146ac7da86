// Superblocks, written: in which order, to which places, and what is said of those that failed.

#include "lib/volume/superblock_writer.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lib/volume/superblock_reader.h"
#include "tests/volume/logging_device.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr uint64_t kPrimary = kSuperblockOffsets[0];
constexpr uint64_t kMirror = kSuperblockOffsets[1];

std::vector<std::string> Texts(const std::vector<SuperblockFailure>& failures) {
  std::vector<std::string> texts;
  for (const SuperblockFailure& failure : failures) {
    texts.push_back(
        absl::StrCat(failure.device, " at ", failure.offset, ": ", failure.status.ToString()));
  }
  return texts;
}

// Three devices of 1 GiB, whose items say 256 MiB: each has a primary and a mirror.
class SuperblockWriterTest : public ::testing::Test {
 protected:
  SuperblockWriterTest() : next_(t_.volume().superblock()), items_(t_.volume().devices()) {
    next_.generation = 8;
    next_.label = "the next one";
    next_.bytes_used += 16384;
    next_.device = {.id = 77};  // not looked at, and neither is this:
    next_.bytenr = 12345;
    for (DeviceItem& item : items_) item.bytes_used = 4096 * item.id;
  }

  absl::Status Write() { return t_.volume().WriteSuperblocks(next_, items_, &failures_); }
  // What is to be on device `id`.
  Superblock Expected(uint64_t id, uint64_t offset) {
    Superblock expected = next_;
    expected.device = items_[id - 1];
    expected.bytenr = offset;
    return expected;
  }
  absl::StatusOr<Superblock> OnDevice(uint64_t id, uint64_t offset) {
    return ParseSuperblock(t_.device(id).Load(offset, kSuperblockBytes), offset);
  }
  void ExpectOnDevice(uint64_t id, uint64_t offset) {
    absl::StatusOr<Superblock> found = OnDevice(id, offset);
    ASSERT_TRUE(found.ok()) << found.status();
    found->checksum = next_.checksum;
    EXPECT_TRUE(*found == Expected(id, offset)) << id << " at " << offset;
  }
  void FailWrites(uint64_t id, uint64_t offset) {
    t_.device(id).FailWritesAt(offset, kSuperblockBytes);
  }

  DeviceLog log_;
  TestVolume t_{{.profile = RaidProfile::kRaid1c3, .writable = true, .wrap = LogTo(&log_)}};
  Superblock next_;
  std::vector<DeviceItem> items_;
  std::vector<SuperblockFailure> failures_;
};

TEST_F(SuperblockWriterTest, PrimariesThenMirrorsThenFlushes) {
  failures_.push_back({});
  EXPECT_EQ(Write(), absl::OkStatus());
  EXPECT_THAT(failures_, IsEmpty());
  EXPECT_THAT(log_.Take(), ElementsAre("disk1.img write 65536", "disk2.img write 65536",
                                       "disk3.img write 65536", "disk1.img cached 67108864",
                                       "disk2.img cached 67108864", "disk3.img cached 67108864",
                                       "disk1.img flush", "disk2.img flush", "disk3.img flush"));
}

TEST_F(SuperblockWriterTest, EachDeviceHasItsOwnItemAndEachCopyItsOwnPlace) {
  std::swap(items_[0], items_[2]);
  items_.push_back({.id = 9, .total_bytes = 4096});  // of a device that is missing
  ASSERT_EQ(Write(), absl::OkStatus());
  items_.pop_back();
  std::swap(items_[0], items_[2]);
  for (uint64_t id : {1, 2, 3}) {
    ExpectOnDevice(id, kPrimary);
    ExpectOnDevice(id, kMirror);
    const absl::StatusOr<DeviceSuperblock> read = ReadSuperblock(t_.device(id));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_THAT(read->warnings, IsEmpty());
    EXPECT_EQ(read->superblock.label, "the next one");
  }
  EXPECT_EQ(t_.volume().devices(), items_);
}

TEST_F(SuperblockWriterTest, NothingIsPublished) {
  ASSERT_EQ(Write(), absl::OkStatus());
  EXPECT_EQ(t_.volume().superblock().generation, 7);
  EXPECT_EQ(t_.volume().superblock().label, "sound");
}

// ---- Copies that are not written ----------------------------------------------------------------

TEST_F(SuperblockWriterTest, OnePrimaryIsEnough) {
  const std::vector<DeviceItem> before = t_.volume().devices();
  FailWrites(1, kPrimary);
  FailWrites(3, kPrimary);
  EXPECT_EQ(Write(), absl::OkStatus());
  EXPECT_THAT(Texts(failures_), ElementsAre("disk1.img at 65536: UNAVAILABLE: bad sector",
                                            "disk3.img at 65536: UNAVAILABLE: bad sector"));
  EXPECT_EQ(OnDevice(1, kPrimary)->generation, 7);
  ExpectOnDevice(2, kPrimary);
  for (uint64_t id : {1, 2, 3}) ExpectOnDevice(id, kMirror);
  // Of which devices it is known.
  EXPECT_THAT(t_.volume().devices(), ElementsAre(before[0], items_[1], before[2]));
}

// They have what leads to blocks that are there, and keep it.
TEST_F(SuperblockWriterTest, DevicesThatHaveNotFlushedArePassedOver) {
  const std::vector<DeviceItem> before = t_.volume().devices();
  const std::vector<DeviceFlush> flushes = {
      {.id = 3, .device = "disk3.img", .status = absl::OkStatus()},
      {.id = 2, .device = "disk2.img", .status = absl::UnavailableError("disk2.img: EIO")}};
  EXPECT_EQ(t_.volume().WriteSuperblocks(next_, items_, &failures_, flushes), absl::OkStatus());
  EXPECT_THAT(Texts(failures_),
              ElementsAre("disk2.img at 65536: UNAVAILABLE: its blocks may be lost: disk2.img: EIO",
                          "disk2.img at 67108864: UNAVAILABLE: its blocks may be lost: disk2.img: "
                          "EIO"));
  EXPECT_THAT(log_.Take(), ElementsAre("disk1.img write 65536", "disk3.img write 65536",
                                       "disk1.img cached 67108864", "disk3.img cached 67108864",
                                       "disk1.img flush", "disk3.img flush"));
  EXPECT_EQ(OnDevice(2, kPrimary)->generation, 7);
  EXPECT_THAT(t_.volume().devices(), ElementsAre(items_[0], before[1], items_[2]));
}

TEST_F(SuperblockWriterTest, NoDeviceHasFlushed) {
  std::vector<DeviceFlush> flushes;
  for (uint64_t id : {1, 2, 3}) {
    flushes.push_back({.id = id, .device = "", .status = absl::UnavailableError("EIO")});
  }
  const absl::Status status = t_.volume().WriteSuperblocks(next_, items_, &failures_, flushes);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(failures_, IsEmpty());
  EXPECT_THAT(log_.Take(), IsEmpty());
}

// Those that have are all there is to be tried.
TEST_F(SuperblockWriterTest, NoneOfThoseThatHaveFlushedIsWritten) {
  FailWrites(1, kPrimary);
  FailWrites(3, kPrimary);
  const DeviceFlush second{.id = 2, .device = "", .status = absl::UnavailableError("EIO")};
  const absl::Status status = t_.volume().WriteSuperblocks(next_, items_, &failures_, {&second, 1});
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(failures_.size(), 3u);
  EXPECT_EQ(OnDevice(2, kPrimary)->generation, 7);
}

TEST_F(SuperblockWriterTest, AMirrorThatIsNotWritten) {
  FailWrites(2, kMirror);
  EXPECT_EQ(Write(), absl::OkStatus());
  EXPECT_THAT(Texts(failures_), ElementsAre("disk2.img at 67108864: UNAVAILABLE: bad sector"));
  EXPECT_THAT(log_.Take(), ::testing::Contains("disk3.img flush"));
}

TEST_F(SuperblockWriterTest, AFlushThatFails) {
  log_.flush_errors["disk1.img"] = absl::UnavailableError("disk1.img: EIO");
  EXPECT_EQ(Write(), absl::OkStatus());
  EXPECT_THAT(Texts(failures_), ElementsAre("disk1.img at 67108864: UNAVAILABLE: disk1.img: EIO"));
  EXPECT_THAT(log_.Take(), ::testing::Contains("disk3.img flush"));
}

// There is no other copy that the flush could have been for.
TEST_F(SuperblockWriterTest, AFlushThatFailsWhereThereIsNoMirror) {
  items_[0].total_bytes = kMirror;
  log_.flush_errors["disk1.img"] = absl::UnavailableError("disk1.img: EIO");
  EXPECT_EQ(Write(), absl::OkStatus());
  EXPECT_THAT(Texts(failures_), ElementsAre("disk1.img at 65536: UNAVAILABLE: disk1.img: EIO"));
}

TEST_F(SuperblockWriterTest, NoPrimaryAndNothingElseIsTouched) {
  const std::vector<DeviceItem> before = t_.volume().devices();
  for (uint64_t id : {1, 2, 3}) FailWrites(id, kPrimary);
  EXPECT_EQ(Write(),
            absl::UnavailableError("no superblock written: disk1.img at 65536: bad sector; "
                                   "disk2.img at 65536: bad sector; disk3.img at 65536: bad "
                                   "sector"));
  EXPECT_THAT(Texts(failures_),
              ElementsAre(StartsWith("disk1.img at 65536: "), StartsWith("disk2.img at 65536: "),
                          StartsWith("disk3.img at 65536: ")));
  EXPECT_THAT(log_.Take(), ElementsAre("disk1.img write 65536", "disk2.img write 65536",
                                       "disk3.img write 65536"));
  EXPECT_EQ(t_.volume().devices(), before);
  for (uint64_t id : {1, 2, 3}) {
    EXPECT_EQ(OnDevice(id, kMirror)->generation, 7);
    t_.device(id).Heal();
  }
  EXPECT_EQ(Write(), absl::OkStatus());
  EXPECT_THAT(failures_, IsEmpty());
}

TEST_F(SuperblockWriterTest, NoPrimaryForWantOfMemory) {
  for (uint64_t id : {1, 2, 3}) FailWrites(id, kPrimary);
  t_.device(2).set_write_error(absl::ResourceExhaustedError("no memory now"));
  EXPECT_TRUE(absl::IsResourceExhausted(Write()));
}

TEST_F(SuperblockWriterTest, DevicesThatThrow) {
  log_.on_call = [] { throw std::bad_alloc(); };
  EXPECT_TRUE(absl::IsResourceExhausted(Write()));
  log_.on_call = [] { throw std::runtime_error("surprise"); };
  EXPECT_EQ(Write().message(),
            "no superblock written: disk1.img at 65536: INTERNAL; disk2.img at 65536: INTERNAL; "
            "disk3.img at 65536: INTERNAL");
  int calls = 0;
  log_.on_call = [&calls] {
    if (++calls != 2) throw std::bad_alloc();
  };
  EXPECT_EQ(Write(), absl::OkStatus());
  EXPECT_EQ(failures_.size(), 5);
}

// ---- What is refused ----------------------------------------------------------------------------

TEST_F(SuperblockWriterTest, WhatMustNotReachTheDisk) {
  const Superblock sound = next_;
  const std::vector<DeviceItem> sound_items = items_;
  const auto expect_refused = [&](absl::StatusCode code, const std::string& words) {
    failures_.push_back({});
    const absl::Status status = Write();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    EXPECT_THAT(failures_, IsEmpty());
    EXPECT_THAT(log_.Take(), IsEmpty());
    next_ = sound;
    items_ = sound_items;
  };
  next_.generation = 7;
  expect_refused(absl::StatusCode::kFailedPrecondition,
                 "generation 7, which is not newer than the last committed, 7");
  next_.node_bytes = next_.leaf_bytes = 4096;
  expect_refused(absl::StatusCode::kInvalidArgument, "of node size 4096");
  next_.sector_bytes = next_.stripe_bytes = 16384;
  expect_refused(absl::StatusCode::kInvalidArgument, "sector size 16384");
  next_.label.assign(257, 'x');
  expect_refused(absl::StatusCode::kInvalidArgument, "disk1.img: not written: superblock at 65536");
  next_.system_chunk_array.resize(next_.system_chunk_array.size() - 1);
  expect_refused(absl::StatusCode::kDataLoss, "disk1.img: not written: superblock at 65536");
  next_.root += 1;
  expect_refused(absl::StatusCode::kDataLoss, "root");
  next_.incompat_flags |= uint64_t{1} << 60;
  expect_refused(absl::StatusCode::kUnimplemented, "disk1.img: not written");
  items_.pop_back();
  expect_refused(absl::StatusCode::kInvalidArgument,
                 "disk3.img: the item of device 3 is not given");
  items_[1].uuid = UuidOf(0x77);
  expect_refused(absl::StatusCode::kInvalidArgument,
                 "disk2.img: the item of device 2 is of another device's uuid");
  EXPECT_EQ(Write(), absl::OkStatus());
}

TEST_F(SuperblockWriterTest, AnotherFsidIsMeant) {
  next_.fsid = UuidOf(0x44);
  next_.metadata_uuid = UuidOf(0x11);
  next_.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kMetadataUuid);
  EXPECT_EQ(Write(), absl::OkStatus());
  EXPECT_EQ(OnDevice(3, kPrimary)->fsid, UuidOf(0x44));
}

TEST(SuperblockWriter, ReadOnly) {
  DeviceLog log;
  TestVolume t({.profile = RaidProfile::kSingle, .wrap = LogTo(&log)});
  Superblock next = t.volume().superblock();
  ++next.generation;
  std::vector<SuperblockFailure> failures;
  EXPECT_EQ(t.volume().WriteSuperblocks(next, t.volume().devices(), &failures),
            absl::PermissionDeniedError("the volume is open read-only"));
  EXPECT_THAT(log.Take(), IsEmpty());
}

// ---- Which copies a device has ------------------------------------------------------------------

// How many are written to a device of this size, whose item says that it has so much.
size_t CopiesOn(uint64_t size_bytes, uint64_t total_bytes) {
  MemoryDevice device("disk1.img", size_bytes);
  Superblock superblock = SoundSuperblock();
  superblock.leaf_bytes = superblock.node_bytes;
  superblock.stripe_bytes = superblock.sector_bytes;
  superblock.device.total_bytes = total_bytes;
  SuperblockWriter writer;
  EXPECT_EQ(writer.Add(&device, superblock), absl::OkStatus());
  EXPECT_EQ(writer.Write(), absl::OkStatus());
  EXPECT_THAT(writer.TakeFailures(), IsEmpty());
  return device.writes().size();
}

TEST(SuperblockWriter, MirrorsThatFit) {
  constexpr uint64_t kLarge = uint64_t{1} << 40;
  for (size_t copy = 0; copy < 3; ++copy) {
    const uint64_t end = kSuperblockOffsets[copy] + kSuperblockBytes;
    EXPECT_EQ(CopiesOn(end, kLarge), copy + 1);
    EXPECT_EQ(CopiesOn(kLarge, end), copy + 1);
    if (copy == 0) continue;
    EXPECT_EQ(CopiesOn(end - 1, kLarge), copy);
    EXPECT_EQ(CopiesOn(kLarge, end - 1), copy);
  }
}

}  // namespace
}  // namespace ebcache::testing
