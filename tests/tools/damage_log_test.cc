#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "tests/tree/memory_tree.h"
#include "tools/damage.h"

namespace ebcache::tools {
namespace {

using ebcache::testing::BuildTree;
using ebcache::testing::BuiltTree;
using ebcache::testing::MemoryDisk;
using ebcache::testing::NumberedItems;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

MirrorDamage BadMirror(uint64_t logical, int mirror) {
  return {.logical = logical,
          .mirror = mirror,
          .place = {.device_id = 1, .offset = logical + 1000},
          .device = "disk0.img",
          .reason = "checksum mismatch (crc32c)"};
}

WalkDamage Lost(uint64_t logical) {
  return {.tree = kFsTreeId,
          .level = 1,
          .logical = logical,
          .status = absl::DataLossError("no good copy: and so on")};
}

class DamageLogTest : public ::testing::Test {
 protected:
  // Tells the log that a walk has come to the (only) block of the tree.
  void Visit() {
    const ExtentBufferRef block = *cache_.ReadBlock(built_.root.bytenr);
    log_.NoteGoodBlock(built_.root, *block);
  }

  const std::vector<BlockDamage>& lost() const { return log_.lost().kept(Cause::kDamage); }

  MemoryDisk disk_;
  BuiltTree built_ = BuildTree(disk_, NumberedItems(1));
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &disk_};
  DamageLog log_;
};

// Nothing is known of it, and another copy was good: nothing was damaged.
TEST_F(DamageLogTest, ACopyThatThereWasNoMemoryForIsNoneThatWasRecovered) {
  MirrorDamage unread = BadMirror(built_.root.bytenr, 1);
  unread.no_memory = true;
  unread.recovered = true;
  log_.NoteMirror(unread);
  Visit();
  EXPECT_EQ(log_.recovered_count(), 0);
  EXPECT_THAT(log_.recovered(), IsEmpty());
  // Where none was good it is told of with the block, as not read.
  unread.recovered = false;
  log_.NoteMirror(unread);
  WalkDamage damage = Lost(built_.root.bytenr);
  damage.status = absl::ResourceExhaustedError("no good copy: and so on");
  log_.NoteDamage(damage, Cause::kNoMemory);
  EXPECT_THAT(lost(), IsEmpty());
  ASSERT_THAT(log_.lost().kept(Cause::kNoMemory), SizeIs(1));
  EXPECT_THAT(log_.lost().kept(Cause::kNoMemory)[0].mirrors, SizeIs(1));
}

TEST_F(DamageLogTest, NothingToTell) {
  Visit();
  EXPECT_THAT(lost(), IsEmpty());
  EXPECT_THAT(log_.recovered(), IsEmpty());
}

TEST_F(DamageLogTest, ARecoveredBlockIsToldOnceWithItsPlace) {
  log_.NoteMirror(BadMirror(built_.root.bytenr, 1));
  log_.NoteMirror(BadMirror(built_.root.bytenr, 1));  // read twice before the walk got to it
  Visit();
  log_.NoteMirror(BadMirror(built_.root.bytenr, 1));  // and once more for another tree
  Visit();
  ASSERT_THAT(log_.recovered(), SizeIs(1));
  EXPECT_EQ(log_.recovered_count(), 1);
  const BlockDamage& damage = log_.recovered()[0];
  EXPECT_TRUE(damage.recovered);
  EXPECT_EQ(damage.tree, kFsTreeId);
  EXPECT_EQ(damage.level, 0);
  EXPECT_THAT(damage.mirrors, SizeIs(1));
  EXPECT_THAT(damage.ToString(), HasSubstr("tree FS_TREE, level 0, block "));
  EXPECT_THAT(damage.ToString(), HasSubstr("mirror 1 on disk0.img at "));
  EXPECT_EQ(log_.lost_count(), 0);
}

TEST_F(DamageLogTest, ALostBlockHasItsMirrors) {
  log_.NoteMirror(BadMirror(4096, 1));
  log_.NoteMirror(BadMirror(4096, 2));
  log_.NoteMirror(BadMirror(8192, 1));
  log_.NoteDamage(Lost(4096), Cause::kDamage);
  ASSERT_THAT(lost(), SizeIs(1));
  EXPECT_THAT(lost()[0].mirrors, SizeIs(2));
  EXPECT_EQ(lost()[0].ToString(), "tree FS_TREE, level 1, block 4096: no good copy: and so on");
}

// However many trees and pointers lead there, and whatever each of them has to say of it.
TEST_F(DamageLogTest, ABlockCountsOnce) {
  log_.NoteDamage(Lost(4096), Cause::kDamage);
  WalkDamage again = Lost(4096);
  again.tree = 256;
  again.status = absl::DataLossError("met a second time in the same tree");
  log_.NoteDamage(again, Cause::kDamage);
  log_.NoteDamage(again, Cause::kDamage);
  log_.NoteDamage(Lost(8192), Cause::kDamage);
  EXPECT_EQ(log_.lost_count(), 2);
  ASSERT_THAT(lost(), SizeIs(2));
  EXPECT_EQ(lost()[0].places, 3);
  EXPECT_EQ(lost()[0].ToString(),
            "tree FS_TREE, level 1, block 4096: no good copy: and so on (3 pointers lead there)");
  EXPECT_EQ(lost()[1].places, 1);
}

TEST_F(DamageLogTest, ItemsOfOneBlockCountEach) {
  WalkDamage item = Lost(4096);
  for (uint64_t number = 0; number < 3; ++number) {
    item.item = Key{256 + number, kRootItemType, 0};
    log_.NoteDamage(item, Cause::kDamage);
    log_.NoteDamage(item, Cause::kDamage);
  }
  EXPECT_EQ(log_.lost_count(), 3);
}

TEST_F(DamageLogTest, WhatNothingCanBeToldOfIsNoDamage) {
  log_.NoteDamage(Lost(4096), Cause::kMissingDevice);
  log_.NoteDamage(Lost(8192), Cause::kNoMemory);
  // "not read again" follows where many pointers lead to one block; the first word is the true one.
  log_.NoteDamage(Lost(4096), Cause::kDamage);
  EXPECT_EQ(log_.lost_count(), 0);
  EXPECT_EQ(log_.lost().unread_count(), 2);
  EXPECT_EQ(log_.lost().kept(Cause::kMissingDevice)[0].places, 2);
}

TEST_F(DamageLogTest, DeletedSubvolumesAreNamedAsThat) {
  WalkDamage damage = Lost(4096);
  damage.tree = 257;
  damage.tree_deleted = true;
  log_.NoteDamage(damage, Cause::kDamage);
  EXPECT_THAT(lost()[0].ToString(), HasSubstr("tree 257 (deleted), level 1"));
}

TEST_F(DamageLogTest, KeepsABoundedListAndCountsTheRest) {
  constexpr uint64_t kLost = DamageLog::kKept + 17;
  for (uint64_t i = 0; i < kLost; ++i) log_.NoteDamage(Lost(4096 * i), Cause::kDamage);
  EXPECT_EQ(log_.lost_count(), kLost);
  EXPECT_THAT(lost(), SizeIs(DamageLog::kKept));
}

}  // namespace
}  // namespace ebcache::tools
