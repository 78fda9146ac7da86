// Validation of blocks as read: every rejection, and the order in which they come.

#include "lib/volume/block_validator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "lib/format/check/parent_check.h"
#include "tests/format/buffer_pool.h"
#include "tests/format/format_bytes.h"
#include "tests/format/item_bytes.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kBytenr = 30408704;

BlockShape Shape() { return {.bytenr = kBytenr, .generation = 7, .owner = kFsTreeId}; }
Bytes Leaf() {
  return LeafBytes(Shape(), {{{256, kStringItemType, 0}, "a"}, {{257, kStringItemType, 0}, "b"}});
}
ParentCheck SoundCheck() {
  return {
      .level = 0, .generation = 7, .owner = kFsTreeId, .first_key = Key{256, kStringItemType, 0}};
}

class BlockValidatorTest : public ::testing::TestWithParam<Layout> {
 protected:
  absl::Status Validate(const Bytes& block, const ParentCheck* check = nullptr) {
    const ExtentBufferRef buffer = pool_.Make(kBytenr, block);
    return validator_.Validate(*buffer, check);
  }
  std::string Error(const Bytes& block, const ParentCheck* check = nullptr) {
    const absl::Status status = Validate(block, check);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    return std::string(status.message());
  }

  BufferPool pool_{16384, GetParam()};
  BlockValidator validator_{SoundSuperblock()};
};

INSTANTIATE_TEST_SUITE_P(Layouts, BlockValidatorTest,
                         ::testing::Values(Layout::kContiguous, Layout::kPages),
                         [](const auto& info) {
                           return info.param == Layout::kContiguous ? "Contiguous" : "Pages";
                         });

TEST_P(BlockValidatorTest, SoundBlockPasses) {
  const ParentCheck check = SoundCheck();
  EXPECT_EQ(Validate(Leaf()), absl::OkStatus());
  EXPECT_EQ(Validate(Leaf(), &check), absl::OkStatus());
}

TEST_P(BlockValidatorTest, EveryChecksum) {
  for (ChecksumType type : {ChecksumType::kCrc32c, ChecksumType::kXxhash64, ChecksumType::kSha256,
                            ChecksumType::kBlake2b}) {
    Superblock sb = SoundSuperblock();
    sb.checksum_type = type;
    Bytes leaf = Leaf();
    Seal(leaf, type);
    EXPECT_EQ(BlockValidator(sb).Validate(*pool_.Make(kBytenr, leaf), nullptr), absl::OkStatus());
    leaf.back() ^= std::byte{1};
    EXPECT_THAT(
        std::string(BlockValidator(sb).Validate(*pool_.Make(kBytenr, leaf), nullptr).message()),
        HasSubstr("checksum mismatch"));
  }
}

TEST_P(BlockValidatorTest, MetadataUuid) {
  Superblock sb = SoundSuperblock();
  sb.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kMetadataUuid);
  sb.metadata_uuid = UuidOf(0x22);
  EXPECT_FALSE(BlockValidator(sb).Validate(*pool_.Make(kBytenr, Leaf()), nullptr).ok());
  BlockShape shape = Shape();
  shape.fsid = UuidOf(0x22);
  const Bytes leaf = LeafBytes(shape, {{{256, kStringItemType, 0}, "a"}});
  EXPECT_EQ(BlockValidator(sb).Validate(*pool_.Make(kBytenr, leaf), nullptr), absl::OkStatus());
}

TEST_P(BlockValidatorTest, OnlyWhatWasWritten) {
  Bytes block = Leaf();
  Put<uint64_t>(block, 56, uint64_t{1} << 56);
  Seal(block, ChecksumType::kCrc32c);
  EXPECT_THAT(Error(block), HasSubstr("[not-written]"));
}

// A seed's blocks are those of the filesystem grown on it, and carry the seed's fsid.
TEST_P(BlockValidatorTest, FsidsOfSeeds) {
  const BlockValidator grown(SoundSuperblock(), {UuidOf(0x33), UuidOf(0x44)});
  for (uint8_t digit : {0x11, 0x33, 0x44, 0x55}) {
    BlockShape shape = Shape();
    shape.fsid = UuidOf(digit);
    const Bytes leaf = LeafBytes(shape, {{{256, kStringItemType, 0}, "a"}});
    EXPECT_EQ(grown.Validate(*pool_.Make(kBytenr, leaf), nullptr).ok(), digit != 0x55);
    EXPECT_EQ(Validate(leaf).ok(), digit == 0x11);
  }
}

// btrfstune -u was killed: the superblock has the new fsid, and its device item still the old one.
TEST_P(BlockValidatorTest, BothFsidsOfAnInterruptedChange) {
  Superblock sb = SoundSuperblock();
  sb.device.fsid = UuidOf(0x11);
  sb.fsid = UuidOf(0x22);
  for (bool changing : {false, true}) {
    if (changing) sb.flags |= static_cast<uint64_t>(SuperblockFlag::kChangingFsid);
    for (uint8_t digit : {0x11, 0x22, 0x33}) {
      BlockShape shape = Shape();
      shape.fsid = UuidOf(digit);
      const Bytes leaf = LeafBytes(shape, {{{256, kStringItemType, 0}, "a"}});
      EXPECT_EQ(BlockValidator(sb).Validate(*pool_.Make(kBytenr, leaf), nullptr).ok(),
                digit == 0x22 || (digit == 0x11 && changing));
    }
  }
}

TEST_P(BlockValidatorTest, EveryChecksumDuringAChangeOfThem) {
  for (ChecksumType type : {ChecksumType::kCrc32c, ChecksumType::kXxhash64, ChecksumType::kSha256,
                            ChecksumType::kBlake2b}) {
    Bytes leaf = Leaf();
    Seal(leaf, type);
    Superblock sb = SoundSuperblock();
    sb.checksum_type = ChecksumType::kSha256;
    const auto validate = [&] {
      return BlockValidator(sb).Validate(*pool_.Make(kBytenr, leaf), nullptr);
    };
    EXPECT_EQ(validate().ok(), type == ChecksumType::kSha256);
    // That of data is another change.
    sb.flags |= static_cast<uint64_t>(SuperblockFlag::kChangingDataChecksums);
    EXPECT_EQ(validate().ok(), type == ChecksumType::kSha256);
    sb.flags |= static_cast<uint64_t>(SuperblockFlag::kChangingBlockChecksums);
    EXPECT_EQ(validate(), absl::OkStatus());
    leaf[5000] ^= std::byte{1};
    EXPECT_THAT(std::string(validate().message()), HasSubstr("checksum mismatch (sha256)"));
  }
}

// What the superblock says of the filesystem reaches the rules that ask for it.
TEST_P(BlockValidatorTest, FeaturesReachTheRules) {
  const auto leaf = [](uint64_t owner, const LeafItem& item) {
    BlockShape shape = Shape();
    shape.owner = owner;
    return LeafBytes(shape, {item});
  };
  const Chunk mixed = [] {
    Chunk chunk = SoundChunk(RaidProfile::kSingle, 1 << 20, 8 << 20);
    chunk.type = kBlockGroupData | kBlockGroupMetadata;
    return chunk;
  }();
  const Bytes chunk = ChunkItemOf(mixed);
  const std::string chunk_item(reinterpret_cast<const char*>(chunk.data()), chunk.size());
  const struct {
    IncompatFlag feature;
    Bytes block;
    const char* rule;
  } cases[] = {
      {IncompatFlag::kSkinnyMetadata,
       leaf(kExtentTreeId, {{1 << 20, kMetadataItemType, 0}, std::string(ExtentHeader(1, 2))}),
       "[extent-skinny]"},
      {IncompatFlag::kMixedGroups, leaf(kChunkTreeId, {{256, kChunkItemType, 1 << 20}, chunk_item}),
       "[chunk-item]"},
      {IncompatFlag::kRaidStripeTree,
       leaf(kRaidStripeTreeId, {{1 << 20, kRaidStripeType, 4096}, std::string(16, 's')}),
       "[stripe-feature]"},
  };
  for (const auto& c : cases) {
    const ExtentBufferRef buffer = pool_.Make(kBytenr, c.block);
    Superblock sb = SoundSuperblock();
    sb.incompat_flags |= static_cast<uint64_t>(c.feature);
    EXPECT_EQ(BlockValidator(sb).Validate(*buffer, nullptr), absl::OkStatus()) << c.rule;
    sb.incompat_flags &= ~static_cast<uint64_t>(c.feature);
    EXPECT_THAT(std::string(BlockValidator(sb).Validate(*buffer, nullptr).message()),
                HasSubstr(c.rule));
  }
}

TEST_P(BlockValidatorTest, GenerationsAndChecksumSizesReachTheRules) {
  const auto inode = [&](uint64_t generation) {
    return Validate(
        LeafBytes(Shape(), {{{257, kInodeItemType, 0}, InodeItem().Put<uint64_t>(0, generation)}}));
  };
  EXPECT_EQ(inode(8), absl::OkStatus());  // the superblock has 7: the transaction that is open
  EXPECT_THAT(std::string(inode(9).message()), HasSubstr("[inode-generation]"));
  const auto sums = [&](const Superblock& sb, uint64_t objectid, size_t bytes) {
    BlockShape shape = Shape();
    shape.owner = kCsumTreeId;
    const Bytes leaf =
        LeafBytes(shape, {{{objectid, kExtentCsumType, 1 << 20}, std::string(bytes, 'c')}});
    return BlockValidator(sb).Validate(*pool_.Make(kBytenr, leaf), nullptr).ok();
  };
  Superblock sb = SoundSuperblock();
  const uint64_t old_sums = static_cast<uint64_t>(-10);
  const uint64_t new_sums = static_cast<uint64_t>(-13);
  EXPECT_TRUE(sums(sb, old_sums, 12));
  EXPECT_FALSE(sums(sb, old_sums, 13));
  EXPECT_FALSE(sums(sb, new_sums, 12));
  for (SuperblockFlag flag :
       {SuperblockFlag::kChangingDataChecksums, SuperblockFlag::kChangingBlockChecksums}) {
    sb.flags = 1 | static_cast<uint64_t>(flag);
    EXPECT_TRUE(sums(sb, new_sums, 12));
    EXPECT_TRUE(sums(sb, old_sums, 64));
    EXPECT_FALSE(sums(sb, new_sums, 13));
  }
}

TEST_P(BlockValidatorTest, WritersMustKnowMore) {
  const Bytes leaf = LeafBytes(
      Shape(), {{{257, kInodeItemType, 0}, InodeItem().Put<uint64_t>(64, uint64_t{1} << 40)}});
  EXPECT_EQ(Validate(leaf), absl::OkStatus());
  const BlockValidator writer(SoundSuperblock(), {}, /*writable=*/true);
  EXPECT_THAT(std::string(writer.Validate(*pool_.Make(kBytenr, leaf), nullptr).message()),
              HasSubstr("[inode-flags]"));
}

// Breaks everything, then mends one thing after the other: each rejection comes in its turn.
TEST_P(BlockValidatorTest, InTheKernelsOrder) {
  Bytes block = Leaf();
  ParentCheck check{.level = 1,
                    .generation = 9,
                    .owner = kExtentTreeId,
                    .first_key = Key{300, kStringItemType, 0}};
  Put<uint64_t>(block, 48, 4096);
  PutUuid(block, 32, UuidOf(0x99));
  Put<uint8_t>(block, 100, 9);
  PutKey(block, kHeaderBytes + kItemBytes, kMinKey);
  EXPECT_EQ(Error(block, &check), "the header has address 4096, not 30408704");
  Put<uint64_t>(block, 48, kBytenr);
  EXPECT_EQ(Error(block, &check),
            "fsid 99999999-9999-9999-9999-999999999999, the filesystem's is "
            "11111111-1111-1111-1111-111111111111");
  PutUuid(block, 32, UuidOf(0x11));
  EXPECT_EQ(Error(block, &check), "level 9, the highest is 7");
  Put<uint8_t>(block, 100, 0);
  EXPECT_THAT(Error(block, &check), HasSubstr("checksum mismatch (crc32c): wanted 0x"));
  Seal(block, ChecksumType::kCrc32c);
  EXPECT_EQ(Error(block, &check), "level 0, the parent expects 1");
  check.level = 0;
  EXPECT_EQ(Error(block, &check), "generation 7, the parent expects 9");
  check.generation = 7;
  EXPECT_EQ(Error(block, &check),
            "first key (256 STRING_ITEM 0), the parent expects (300 STRING_ITEM 0)");
  check.first_key = Key{256, kStringItemType, 0};
  EXPECT_EQ(Error(block, &check), "owner FS_TREE, read as part of EXTENT_TREE");
  check.owner = kFsTreeId;
  EXPECT_EQ(Error(block, &check),
            "slot 1: key (0 0 0) is not above (256 STRING_ITEM 0) of slot 0 [key-order]");
  PutKey(block, kHeaderBytes + kItemBytes, {257, kStringItemType, 0});
  Seal(block, ChecksumType::kCrc32c);
  EXPECT_EQ(Validate(block, &check), absl::OkStatus());
}

TEST_P(BlockValidatorTest, NothingExpectedNothingChecked) {
  const ParentCheck anything;
  EXPECT_EQ(Validate(Leaf(), &anything), absl::OkStatus());
}

TEST_P(BlockValidatorTest, FirstKeyOfABlockThatHasNone) {
  const Bytes empty = LeafBytes({.bytenr = kBytenr, .owner = 256}, {});
  const ParentCheck check{.first_key = kMinKey};
  EXPECT_EQ(Error(empty, &check), "empty, the parent expects first key (0 0 0)");
}

TEST_P(BlockValidatorTest, FirstKeyOfANode) {
  BlockShape shape = Shape();
  shape.level = 1;
  const Bytes node = NodeBytes(shape, {{{256, kStringItemType, 5}, 4096, 7}});
  ParentCheck check{.first_key = Key{256, kStringItemType, 5}};
  EXPECT_EQ(Validate(node, &check), absl::OkStatus());
  check.first_key->offset = 4;
  EXPECT_FALSE(Validate(node, &check).ok());
}

TEST(ParentCheckTest, Owners) {
  struct {
    uint64_t owner;     // what the block has
    uint64_t expected;  // what tree it is read as part of
    bool passes;
  } const cases[] = {
      {kExtentTreeId, kExtentTreeId, true},
      {kExtentTreeId, kCsumTreeId, false},
      {256, kFsTreeId, true},  // shared with a snapshot
      {kFsTreeId, 300, true},
      {256, 300, true},
      {kDataRelocTreeId, kDataRelocTreeId, true},
      {kDataRelocTreeId, 256, false},
      {256, kDataRelocTreeId, false},
      {kRootTreeId, kFsTreeId, false},
      {kTreeLogId, kTreeLogId, true},
      {257, kTreeLogId, true},  // the log of a subvolume
      {257, kTreeRelocId, true},
      {kTreeLogId, 257, false},
      {uint64_t{1} << 48 | 256, 256, false},
      {kExtentTreeId, 0, true},  // nothing expected
  };
  BufferPool pool;
  for (const auto& c : cases) {
    const ExtentBufferRef buffer =
        pool.Make(kBytenr, LeafBytes({.bytenr = kBytenr, .owner = c.owner}, {{{1, 1, 1}, "x"}}));
    EXPECT_EQ(CheckAgainstParent(*buffer, {.owner = c.expected}).ok(), c.passes)
        << TreeName(c.owner) << " in " << TreeName(c.expected);
  }
}

// ---- Before a write -----------------------------------------------------------------------------

Bytes NewLeaf() {
  BlockShape shape = Shape();
  shape.generation = 8;
  return LeafBytes(shape, {{{256, kStringItemType, 0}, "a"}});
}

std::string SealError(Bytes block) {
  const absl::Status status =
      BlockValidator(SoundSuperblock()).Seal(kBytenr, absl::MakeSpan(block));
  EXPECT_FALSE(status.ok());
  return std::string(status.message());
}

TEST(SealTest, PutsChecksumAndZeroes) {
  Bytes block = NewLeaf();
  const Bytes sound = block;
  std::fill_n(block.begin(), 32, std::byte{0xee});
  std::fill_n(block.begin() + kHeaderBytes + kItemBytes, 5000, std::byte{0xee});
  const BlockValidator validator(SoundSuperblock());
  EXPECT_EQ(validator.Seal(kBytenr, absl::MakeSpan(block)), absl::OkStatus());
  EXPECT_EQ(block, sound);
}

TEST(SealTest, WhatIsWrittenSaysSo) {
  Bytes block = NewLeaf();
  const Bytes sound = block;
  Put<uint64_t>(block, 56, uint64_t{1} << 56);
  EXPECT_EQ(BlockValidator(SoundSuperblock()).Seal(kBytenr, absl::MakeSpan(block)),
            absl::OkStatus());
  EXPECT_EQ(block, sound);
}

TEST(SealTest, Refusals) {
  Bytes block = NewLeaf();
  Put<uint64_t>(block, 48, 4096);
  EXPECT_EQ(SealError(block), "the header has address 4096, not 30408704");
  block = NewLeaf();
  PutUuid(block, 32, UuidOf(0));
  EXPECT_THAT(SealError(block), HasSubstr("fsid 00000000"));
  block = NewLeaf();
  Put<uint32_t>(block, 96, 100000);
  EXPECT_THAT(SealError(block), HasSubstr("leaf with 100000 items"));
  block = NewLeaf();
  Put<uint64_t>(block, 80, 7);
  EXPECT_EQ(SealError(block), "generation 7 is not newer than the last committed, 7");
}

}  // namespace
}  // namespace ebcache::testing
