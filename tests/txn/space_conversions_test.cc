// Free space trees and block group trees that are made and removed, alone, together and beside other
// changes: what tells what is free is exact afterwards, in the form that the superblock says.

#include <absl/strings/match.h>
#include <absl/strings/string_view.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/crash/disk_state.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

using Convert = absl::StatusOr<bool> (Transaction::*)();
constexpr Convert kMakeFree = &Transaction::MakeFreeSpaceTree;
constexpr Convert kRemoveFree = &Transaction::RemoveFreeSpaceTree;
constexpr Convert kMakeGroups = &Transaction::MakeBlockGroupTree;
constexpr Convert kRemoveGroups = &Transaction::RemoveBlockGroupTree;

class SpaceConversionsTest : public SessionTest {
 protected:
  static void Fill(Transaction& transaction, uint64_t first, uint64_t count, size_t bytes = 60,
                   uint8_t salt = 0) {
    for (uint64_t number = first; number < first + count; ++number) {
      const absl::Status status = PutAttribute(transaction, number, bytes, salt);
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  static void Do(Transaction& transaction, Convert convert) {
    const absl::StatusOr<bool> done = (transaction.*convert)();
    ASSERT_TRUE(done.ok()) << done.status();
    EXPECT_TRUE(*done);
    const absl::StatusOr<bool> again = (transaction.*convert)();
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_FALSE(*again);
  }

  void Commit(Transaction& transaction) {
    const absl::Status status = transaction.Commit();
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(SpaceComplaintOf(*filesystem_), "");
  }

  // One transaction of these, with changes before them, between them and behind them.
  void ChangeAnd(const std::vector<Convert>& all) {
    const auto transaction = Begin();
    Fill(*transaction, 0, 60, 100, salt_++);
    for (const Convert convert : all) {
      Do(*transaction, convert);
      Fill(*transaction, 30, 60, 120, salt_++);
    }
    Commit(*transaction);
  }

  bool Has(CompatRoFlag flag) { return filesystem_->superblock().has(flag); }

  // Has superblocks say something else; the filesystem is closed.
  void ChangeSuperblocks(void (*change)(Superblock&)) {
    Close();
    for (const std::string& path : paths_) {
      std::string bytes = SuperblocksOf(path);
      for (size_t i = 0; i < 2; ++i) {
        const auto at = absl::MakeSpan(
            reinterpret_cast<std::byte*>(bytes.data()) + i * kSuperblockBytes, kSuperblockBytes);
        absl::StatusOr<Superblock> superblock = ParseSuperblock(at, kSuperblockOffsets[i]);
        ASSERT_TRUE(superblock.ok()) << superblock.status();
        change(*superblock);
        ASSERT_TRUE(EncodeSuperblock(*superblock, at).ok());
      }
      PutSuperblocks(path, bytes);
    }
  }

  uint8_t salt_ = 0;
};

TEST_F(SpaceConversionsTest, EachOfThemInACommitOfItsOwn) {
  for (const char* options : {"-n 4096", "-n 16384 -R ^free-space-tree", "-n 65536 --csum xxhash",
                              "-n 4096 -O ^skinny-metadata"}) {
    SCOPED_TRACE(options);
    Make(options);
    Open();
    if (Has(CompatRoFlag::kFreeSpaceTree)) ChangeAnd({kRemoveFree});
    EXPECT_FALSE(Has(CompatRoFlag::kFreeSpaceTree));
    EXPECT_FALSE(Has(CompatRoFlag::kFreeSpaceTreeValid));
    ChangeAnd({});
    ExpectSound();
    Open();
    ChangeAnd({kMakeFree});
    EXPECT_TRUE(Has(CompatRoFlag::kFreeSpaceTree));
    EXPECT_TRUE(Has(CompatRoFlag::kFreeSpaceTreeValid));
    ChangeAnd({});
    ExpectSound();
    Open();
    ChangeAnd({kMakeGroups});
    EXPECT_TRUE(Has(CompatRoFlag::kBlockGroupTree));
    ChangeAnd({});
    Open();
    ChangeAnd({});
    ChangeAnd({kRemoveGroups});
    EXPECT_FALSE(Has(CompatRoFlag::kBlockGroupTree));
    ChangeAnd({});
    ExpectSound();
  }
}

TEST_F(SpaceConversionsTest, SeveralInOneCommit) {
  Make("-n 4096");
  Open();
  ChangeAnd({kRemoveFree, kMakeFree});
  ExpectSound();
  Open();
  ChangeAnd({kMakeGroups, kRemoveGroups, kRemoveFree});
  ExpectSound();
  Open();
  ChangeAnd({kMakeFree, kMakeGroups});
  Open();
  ChangeAnd({kRemoveGroups, kMakeGroups});
  Open();
  ChangeAnd({kRemoveGroups, kRemoveFree});
  ExpectSound();
}

// So many blocks that the extent tree is told of some of them before the commit: of those the free space
// tree has still to hear when it goes.
TEST_F(SpaceConversionsTest, WhatATreeThatGoesHasNotHeardOf) {
  Make("-n 4096", 1, uint64_t{512} << 20);
  Open();
  const auto transaction = Begin();
  Fill(*transaction, 0, 17'000, 3'500);
  EXPECT_GT(transaction->counts().extents_told, 0u);
  Do(*transaction, kRemoveFree);
  Fill(*transaction, 0, 10, 3'000);
  Commit(*transaction);
  ExpectSound();
}

// A space cache of version 1 is told by its generation that it is old.
TEST_F(SpaceConversionsTest, TheCacheGenerationStays) {
  Make("-n 4096 -R ^free-space-tree");
  Open();
  const uint64_t before = filesystem_->superblock().cache_generation;
  ChangeAnd({kMakeFree});
  EXPECT_EQ(filesystem_->superblock().cache_generation, before);
  ChangeAnd({kRemoveFree});
  EXPECT_EQ(filesystem_->superblock().cache_generation, before);
  EXPECT_NE(filesystem_->superblock().cache_generation, filesystem_->superblock().generation);
}

TEST_F(SpaceConversionsTest, WhatMayNotWaitIsWritten) {
  Make("-n 4096");
  Open({.most_unwritten_bytes = 1});
  for (const std::vector<Convert>& all : std::vector<std::vector<Convert>>{
           {kMakeGroups}, {kRemoveGroups}, {kRemoveFree}, {kMakeFree}}) {
    const auto transaction = Begin();
    Fill(*transaction, 0, 90, 2000, salt_++);
    EXPECT_GT(transaction->counts().blocks_written_early, 0u);
    for (const Convert convert : all) Do(*transaction, convert);
    Fill(*transaction, 50, 90, 2000, salt_++);
    Commit(*transaction);
  }
  ExpectSound();
}

TEST_F(SpaceConversionsTest, ChunksThatAreMadeBesideThem) {
  Make("-n 4096", 1, uint64_t{1} << 30);
  Open();
  for (const Convert convert : {kMakeGroups, kRemoveGroups, kRemoveFree, kMakeFree}) {
    const auto transaction = Begin();
    for (int i = 0; i < 3; ++i) {
      const auto chunk = transaction->MakeChunk(kBlockGroupData, RaidProfile::kSingle, 1 << 20);
      ASSERT_TRUE(chunk.ok()) << chunk.status();
      if (i == 1) Do(*transaction, convert);
    }
    Commit(*transaction);
    const auto next = Begin();
    ASSERT_TRUE(next->MakeChunk(kBlockGroupMetadata, RaidProfile::kDup, 8 << 20).ok());
    Fill(*next, 0, 200, 200, salt_++);
    Commit(*next);
  }
  ExpectSound();
}

TEST_F(SpaceConversionsTest, AnAbortLeavesTheFormThatWas) {
  Make("-n 4096");
  Open();
  ChangeAnd({});
  const auto undo = [&](const std::vector<Convert>& all) {
    const auto transaction = Begin();
    for (const Convert convert : all) Do(*transaction, convert);
    transaction->Abort();
  };
  undo({kRemoveFree});
  ChangeAnd({});
  undo({kMakeGroups, kRemoveGroups, kRemoveFree});
  ChangeAnd({});
  ChangeAnd({kMakeGroups});
  undo({kRemoveGroups, kRemoveFree, kMakeFree});
  ChangeAnd({});
  EXPECT_TRUE(Has(CompatRoFlag::kBlockGroupTree));
  ChangeAnd({kRemoveGroups});
  ExpectSound();
}

// What such a tree says is wrong as soon as something that does not know it has written.
TEST_F(SpaceConversionsTest, ATreeThatIsNotValidIsMadeAnew) {
  Make("-n 4096");
  Open();
  ChangeAnd({});
  ChangeSuperblocks([](Superblock& superblock) {
    superblock.compat_ro_flags &= ~static_cast<uint64_t>(CompatRoFlag::kFreeSpaceTreeValid);
  });
  Open();
  const auto transaction = Begin();
  Fill(*transaction, 500, 200);
  ASSERT_TRUE(absl::IsInvalidArgument(transaction->MakeBlockGroupTree().status()));
  ASSERT_TRUE(transaction->Commit().ok());
  ChangeAnd({kMakeFree});
  EXPECT_TRUE(Has(CompatRoFlag::kFreeSpaceTreeValid));
  ExpectSound();
}

TEST_F(SpaceConversionsTest, ATreeThatIsNotValidIsRemoved) {
  // Such a tree is one too, where even the feature is not there.
  for (const bool has_feature : {true, false}) {
    Make("-n 4096");
    ChangeSuperblocks(has_feature ? [](Superblock& superblock) {
      superblock.compat_ro_flags &= ~static_cast<uint64_t>(CompatRoFlag::kFreeSpaceTreeValid);
    } : [](Superblock& superblock) { superblock.compat_ro_flags = 0; });
    Open();
    ChangeAnd({kRemoveFree});
    ExpectSound();
  }
}

TEST_F(SpaceConversionsTest, RefusalsNameWhatIsMissing) {
  const auto refused = [](const absl::StatusOr<bool>& answer, absl::string_view word) {
    EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << answer.status();
    EXPECT_TRUE(absl::StrContains(answer.status().message(), word)) << answer.status();
  };
  Make("-n 4096 -R ^free-space-tree");
  Open();
  auto transaction = Begin();
  refused(transaction->MakeBlockGroupTree(), "free space tree");
  Do(*transaction, kMakeFree);
  Do(*transaction, kMakeGroups);
  refused(transaction->RemoveFreeSpaceTree(), "block group tree");
  Commit(*transaction);
  transaction.reset();
  Make("-n 4096 -O ^no-holes");
  Open();
  transaction = Begin();
  refused(transaction->MakeBlockGroupTree(), "no-holes");
  Fill(*transaction, 0, 40);
  Commit(*transaction);
  transaction.reset();
  ExpectSound();
}

TEST_F(SpaceConversionsTest, SeveralDevicesAndCopies) {
  struct Profile {
    const char* options;
    int devices;
  };
  for (const Profile& profile :
       {Profile{"-n 4096 -m raid1 -d raid1", 2}, Profile{"-n 4096 -m raid10 -d raid0", 4}}) {
    Make(profile.options, profile.devices);
    Open();
    for (const Convert convert :
         {kMakeGroups, kRemoveGroups, kRemoveFree, kMakeFree, kMakeGroups}) {
      ChangeAnd({convert});
    }
    ExpectSound();
  }
}

}  // namespace
}  // namespace ebcache::testing
