// What a writer changes of a volume that is open: the superblock that is in use, chunks, devices;
// and readers beside it.

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "tests/format/buffer_pool.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uint64_t kLogical = TestVolume::kLogical;
constexpr uint64_t kMiB = uint64_t{1} << 20;
// Where a chunk may be added: behind that of the test volume.
constexpr uint64_t kMore = kLogical + TestVolume::kChunkBytes;

// A block of the extent tree that tells of a tree block, both of this generation. Generations of
// items are held against that of the transaction that is open; those of headers by what a parent
// says.
Bytes Block(uint64_t logical, uint64_t generation, uint8_t fsid = 0x11) {
  Bytes item(33);
  Put<uint64_t>(item, 0, 1);  // references
  Put<uint64_t>(item, 8, generation);
  Put<uint64_t>(item, 16, 2);  // a tree block
  Put<uint8_t>(item, 24, kTreeBlockRefType);
  Put<uint64_t>(item, 25, kFsTreeId);
  return LeafBytes(
      {.fsid = UuidOf(fsid), .bytenr = logical, .generation = generation, .owner = kExtentTreeId},
      {{{kLogical, kMetadataItemType, 0},
        std::string(reinterpret_cast<const char*>(item.data()), item.size())}});
}

class VolumePublishTest : public ::testing::Test {
 protected:
  Superblock NextOf(uint64_t generation) {
    Superblock next = t_.volume().superblock();
    next.generation = generation;
    return next;
  }
  // Whether a block of this generation, or with another fsid, can be read; and written.
  absl::Status Read(uint64_t generation, uint8_t fsid = 0x11) {
    t_.Store(kLogical, Block(kLogical, generation, fsid));
    return t_.Read(*pool_.Make(kLogical));
  }
  absl::Status Write(uint64_t generation, uint8_t fsid = 0x11) {
    return t_.Write(*pool_.Make(kLogical, Block(kLogical, generation, fsid)));
  }

  BufferPool pool_;
  TestVolume t_{{.profile = RaidProfile::kSingle, .writable = true}};
};

// ---- The superblock -----------------------------------------------------------------------------

// The transaction that is open writes blocks of the generation after the committed one, and reads
// them.
TEST_F(VolumePublishTest, GenerationsGoByTheOneThatWasPublished) {
  for (uint64_t committed = 7; committed < 12; ++committed) {
    if (committed > 7) t_.volume().PublishSuperblock(NextOf(committed));
    EXPECT_EQ(t_.volume().superblock().generation, committed);
    EXPECT_EQ(Write(committed + 1), absl::OkStatus());
    EXPECT_EQ(Read(committed), absl::OkStatus());
    EXPECT_EQ(Read(committed + 1), absl::OkStatus());
    EXPECT_THAT(std::string(Read(committed + 2).message()),
                HasSubstr(absl::StrCat("the newest is ", committed + 1)));
    EXPECT_THAT(std::string(Write(committed).message()),
                HasSubstr(absl::StrCat("is not newer than the last committed, ", committed)));
    EXPECT_FALSE(Write(committed + 2).ok());
  }
}

TEST_F(VolumePublishTest, ASuperblockThatWasHadBeforeStays) {
  const Superblock& before = t_.volume().superblock();
  Superblock next = NextOf(8);
  next.label = "another";
  t_.volume().PublishSuperblock(next);
  EXPECT_EQ(before.label, "sound");
  EXPECT_TRUE(t_.volume().superblock() == next);
  EXPECT_EQ(t_.volume().superblock_copy().generation, 7) << "the one that it was opened by";
}

// To and fro: what was published last counts.
TEST_F(VolumePublishTest, FsidsGoByIt) {
  const Superblock first = t_.volume().superblock();
  Superblock second = NextOf(8);
  second.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kMetadataUuid);
  second.metadata_uuid = UuidOf(0x22);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(Read(7, 0x11), absl::OkStatus());
    EXPECT_THAT(std::string(Read(7, 0x22).message()), HasSubstr("the filesystem's is 11111111"));
    t_.volume().PublishSuperblock(second);
    EXPECT_EQ(Read(7, 0x22), absl::OkStatus());
    EXPECT_THAT(std::string(Read(7, 0x11).message()), HasSubstr("the filesystem's is 22222222"));
    EXPECT_EQ(Write(9, 0x22), absl::OkStatus());
    EXPECT_FALSE(Write(9, 0x11).ok());
    t_.volume().PublishSuperblock(first);
  }
}

TEST_F(VolumePublishTest, FeaturesAndChecksumsGoByIt) {
  Superblock next = NextOf(8);
  next.checksum_type = ChecksumType::kXxhash64;
  t_.volume().PublishSuperblock(next);
  EXPECT_THAT(std::string(Read(7).message()), HasSubstr("checksum mismatch (xxhash64)"));
  EXPECT_EQ(Write(9), absl::OkStatus());
  EXPECT_EQ(t_.Read(*pool_.Make(kLogical)), absl::OkStatus());
}

// A device is a seed where its item has another fsid than blocks have.
TEST_F(VolumePublishTest, DevicesGoByIt) {
  Superblock next = NextOf(8);
  next.fsid = UuidOf(0x44);
  t_.volume().PublishSuperblock(next);
  ASSERT_TRUE(t_.volume().AddDevice({.id = 5, .uuid = UuidOf(5), .fsid = UuidOf(0x44)}).ok());
  ASSERT_TRUE(t_.volume().AddDevice({.id = 6, .uuid = UuidOf(6), .fsid = UuidOf(0x11)}).ok());
  const std::vector<MissingDevice> missing = t_.volume().missing_devices();
  ASSERT_THAT(missing, SizeIs(2));
  EXPECT_FALSE(missing[0].seed);
  EXPECT_TRUE(missing[1].seed);
}

TEST_F(VolumePublishTest, AnotherNodeSize) {
  Superblock next = NextOf(8);
  next.node_bytes = 4096;
  EXPECT_DEATH(t_.volume().PublishSuperblock(next), "of another node or sector size");
  next = NextOf(8);
  next.sector_bytes = 16384;
  EXPECT_DEATH(t_.volume().PublishSuperblock(next), "of another node or sector size");
}

TEST_F(VolumePublishTest, DevicesAsTheirSuperblocksSay) {
  TestVolume t({.profile = RaidProfile::kRaid1});
  const std::vector<DeviceItem> items = t.volume().devices();
  ASSERT_THAT(items, SizeIs(2));
  for (uint64_t i = 0; i < 2; ++i) {
    EXPECT_EQ(items[i].id, i + 1);
    EXPECT_EQ(items[i].uuid, DeviceUuid(i + 1));
    EXPECT_EQ(items[i].total_bytes, 256 * kMiB);
  }
}

// ---- Chunks -------------------------------------------------------------------------------------

TEST_F(VolumePublishTest, ARemovedChunkHasNoAddresses) {
  Volume& volume = t_.volume();
  const std::vector<Chunk> before = volume.chunks();
  ASSERT_TRUE(volume.AddChunk(SoundChunk(RaidProfile::kDup, kMore, kMiB)).ok());
  EXPECT_EQ(volume.Map(kMore, 4096)->size(), 2);
  EXPECT_EQ(volume.RemoveChunk(kMore + 4096).message(),
            absl::StrCat("no chunk begins at ", kMore + 4096));
  EXPECT_THAT(volume.chunks(), SizeIs(2));
  EXPECT_EQ(volume.RemoveChunk(kMore), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(volume.Map(kMore, 4096).status()));
  EXPECT_TRUE(absl::IsNotFound(volume.RemoveChunk(kMore)));
  EXPECT_TRUE(volume.Map(kLogical, 4096).ok());
  EXPECT_THAT(volume.chunks(), SizeIs(1));
  EXPECT_EQ(before[0].stripes, volume.chunks()[0].stripes);
  // And another one may have them.
  ASSERT_TRUE(volume.AddChunk(SoundChunk(RaidProfile::kSingle, kMore + 4096, kMiB)).ok());
  EXPECT_TRUE(absl::IsNotFound(volume.Map(kMore, 4096).status()));
  EXPECT_EQ(volume.Map(kMore + 4096, 4096)->size(), 1);
}

// ---- Beside readers -----------------------------------------------------------------------------

// Everything that a writer changes while others read, for the thread sanitizer. A reader finds the
// state before a change or the one after it.
TEST(VolumeBesideReaders, EverythingThatChanges) {
  constexpr int kRounds = 300;
  constexpr uint64_t kLast = 7 + kRounds;
  TestVolume t({.profile = RaidProfile::kRaid1, .writable = true});
  Volume& volume = t.volume();
  t.Store(kLogical, BlockAt(kLogical));
  t.Store(kLogical + 16384, Block(kLogical + 16384, kLast + 2));
  const Chunk more = SoundChunk(RaidProfile::kRaid1, kMore, kMiB);
  std::latch start(3);
  std::atomic<bool> done = false;
  const auto read = [&] {
    BufferPool pool;
    start.arrive_and_wait();
    uint64_t newest = 7;
    for (bool last = false; !last;) {
      last = done.load();  // one more round, after the last change
      EXPECT_EQ(t.Read(*pool.Make(kLogical)), absl::OkStatus());
      EXPECT_FALSE(t.Read(*pool.Make(kLogical + 16384)).ok());
      const Superblock superblock = volume.superblock();
      EXPECT_GE(superblock.generation, newest);
      EXPECT_EQ(superblock.label, absl::StrCat("label of generation ", superblock.generation));
      newest = superblock.generation;
      const auto copies = volume.Map(kMore, 4096);
      EXPECT_TRUE(copies.ok() ? copies->size() == 2 : absl::IsNotFound(copies.status()));
      const size_t chunks = volume.chunks().size();
      EXPECT_TRUE(chunks == 1 || chunks == 2);
      EXPECT_EQ(volume.devices()[1].id, 2);
      (void)volume.OnMissingDevices(kMore);
      (void)volume.missing_devices();
    }
    EXPECT_EQ(newest, kLast);
  };
  Superblock next = volume.superblock();
  next.label = "label of generation 7";
  volume.PublishSuperblock(next);
  std::thread readers[] = {std::thread(read), std::thread(read)};
  start.arrive_and_wait();
  std::vector<SuperblockFailure> failures;
  for (next.generation = 8; next.generation <= kLast; ++next.generation) {
    EXPECT_TRUE(volume.AddChunk(more).ok());
    const uint64_t id = 3 + next.generation % 5;
    EXPECT_TRUE(volume.AddDevice({.id = id, .uuid = UuidOf(0x66)}).ok());
    next.label = absl::StrCat("label of generation ", next.generation);
    next.compat_flags = next.generation % 2;
    next.incompat_flags ^= static_cast<uint64_t>(IncompatFlag::kRaidStripeTree);
    EXPECT_TRUE(volume.WriteSuperblocks(next, volume.devices(), &failures).ok());
    volume.PublishSuperblock(next);
    EXPECT_TRUE(volume.RemoveChunk(kMore).ok());
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(volume.superblock().generation, kLast);
}

}  // namespace
}  // namespace ebcache::testing
