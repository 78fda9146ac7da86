// The superblock of a commit.

#include "lib/txn/next_superblock.h"

#include <gtest/gtest.h>

#include <map>

namespace ebcache::txn {
namespace {

constexpr uint64_t kLast = 40;

Superblock Last() {
  Superblock last;
  last.generation = kLast;
  last.root = 1000;
  last.chunk_root = 2000;
  last.chunk_root_generation = 7;
  last.bytes_used = 3000;
  last.total_bytes = 1 << 30;
  last.num_devices = 2;
  last.cache_generation = 33;
  for (size_t i = 0; i < 4; ++i) last.backup_roots[i].root_generation = kLast - 3 + i;
  return last;
}

std::map<uint64_t, TreeState> States() {
  std::map<uint64_t, TreeState> states;
  uint64_t place = 1 << 20;
  for (const uint64_t id :
       {kRootTreeId, kChunkTreeId, kExtentTreeId, kDevTreeId, kFsTreeId, kCsumTreeId}) {
    states[id].id = id;
    states[id].bytenr = place += 16384;
    states[id].generation = kLast + 1;
    states[id].level = static_cast<uint8_t>(id % 3);
  }
  states[kChunkTreeId].generation = 7;
  return states;
}

TEST(NextSuperblockTest, RootsAndWhatIsUsed) {
  const auto states = States();
  const Superblock next = NextSuperblock(Last(), states, kLast + 1, 4000);
  EXPECT_EQ(next.generation, kLast + 1);
  EXPECT_EQ(next.root, states.at(kRootTreeId).bytenr);
  EXPECT_EQ(next.root_level, states.at(kRootTreeId).level);
  EXPECT_EQ(next.chunk_root, states.at(kChunkTreeId).bytenr);
  EXPECT_EQ(next.chunk_root_generation, 7u);
  EXPECT_EQ(next.chunk_root_level, states.at(kChunkTreeId).level);
  EXPECT_EQ(next.bytes_used, 4000u);
  // The space cache of version 1 is old by that.
  EXPECT_EQ(next.cache_generation, 33u);
}

// Equal generations say that the uuid tree is complete; others that it is not.
TEST(NextSuperblockTest, TheUuidTreeIsAsCompleteAsItWas) {
  Superblock last = Last();
  for (const uint64_t generation : {uint64_t{0}, kLast - 1, kLast}) {
    last.uuid_tree_generation = generation;
    EXPECT_EQ(NextSuperblock(last, States(), kLast + 1, 0).uuid_tree_generation,
              generation == kLast ? kLast + 1 : generation);
  }
}

// The oldest backup goes, wherever it is; the others stay.
TEST(NextSuperblockTest, BackupsTakeTurns) {
  const auto states = States();
  for (size_t newest = 0; newest < 4; ++newest) {
    Superblock last = Last();
    for (size_t i = 0; i < 4; ++i) {
      last.backup_roots[(newest + 4 - i) % 4].root_generation = kLast - i;
    }
    const Superblock next = NextSuperblock(last, states, kLast + 1, 4000);
    const size_t oldest = (newest + 1) % 4;
    for (size_t i = 0; i < 4; ++i) {
      if (i == oldest) continue;
      EXPECT_EQ(next.backup_roots[i], last.backup_roots[i]);
    }
    const BackupRoot& backup = next.backup_roots[oldest];
    EXPECT_EQ(backup.root, states.at(kRootTreeId).bytenr);
    EXPECT_EQ(backup.root_generation, kLast + 1);
    EXPECT_EQ(backup.chunk_root, states.at(kChunkTreeId).bytenr);
    EXPECT_EQ(backup.chunk_root_generation, 7u);
    EXPECT_EQ(backup.extent_root, states.at(kExtentTreeId).bytenr);
    EXPECT_EQ(backup.fs_root, states.at(kFsTreeId).bytenr);
    EXPECT_EQ(backup.fs_root_level, states.at(kFsTreeId).level);
    EXPECT_EQ(backup.dev_root, states.at(kDevTreeId).bytenr);
    EXPECT_EQ(backup.csum_root, states.at(kCsumTreeId).bytenr);
    EXPECT_EQ(backup.csum_root_level, states.at(kCsumTreeId).level);
    EXPECT_EQ(backup.bytes_used, 4000u);
    EXPECT_EQ(backup.total_bytes, uint64_t{1} << 30);
    EXPECT_EQ(backup.num_devices, 2u);
  }
}

}  // namespace
}  // namespace ebcache::txn
