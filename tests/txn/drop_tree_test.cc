// Trees that are dropped. Those that share blocks with others are a kernel's:
// kernel_conversions_test.py.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/crash/disk_state.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kTree = 1000;

class DropTreeTest : public SessionTest {
 protected:
  static void Fill(Transaction& transaction, uint64_t count) {
    for (uint64_t number = 0; number < count; ++number) {
      const SampleItem item = MakeAttribute(number, 300);
      ASSERT_TRUE(transaction.Insert(kTree, item.key, item.data).ok());
    }
  }
  void Commit(Transaction& transaction) {
    const absl::Status status = transaction.Commit();
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(SpaceComplaintOf(*filesystem_), "");
  }
  void MakeTree(uint64_t items) {
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->CreateTree(kTree).ok());
    Fill(*transaction, items);
    Commit(*transaction);
  }
};

TEST_F(DropTreeTest, OneThatWasCommitted) {
  Make("-n 4096");
  Open();
  const uint64_t used = filesystem_->superblock().bytes_used;
  MakeTree(2000);
  const uint64_t blocks = (filesystem_->superblock().bytes_used - used) / 4096;
  ASSERT_GT(blocks, 200u);
  {
    const auto transaction = Begin();
    const absl::Status dropped = transaction->DropTree(kTree);
    ASSERT_TRUE(dropped.ok()) << dropped;
    EXPECT_TRUE(absl::IsNotFound(transaction->Tree(kTree).status()));
    EXPECT_TRUE(absl::IsNotFound(transaction->DropTree(kTree)));
    EXPECT_GE(transaction->counts().blocks_freed, 200u);
    Commit(*transaction);
  }
  EXPECT_TRUE(absl::IsNotFound(filesystem_->Tree(kTree).status()));
  EXPECT_LT(filesystem_->superblock().bytes_used, used + 20 * 4096);
  ExpectSound();
}

TEST_F(DropTreeTest, AnotherOfTheSameId) {
  Make("-n 4096");
  Open();
  MakeTree(500);
  {
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->DropTree(kTree).ok());
    ASSERT_TRUE(transaction->CreateTree(kTree).ok());
    Fill(*transaction, 30);
    // One that is new has blocks that were never told of.
    ASSERT_TRUE(transaction->DropTree(kTree).ok());
    ASSERT_TRUE(transaction->CreateTree(kTree).ok());
    Fill(*transaction, 20);
    Commit(*transaction);
  }
  Close();
  EXPECT_EQ(ItemsOf(paths_, kTree).size(), 20u);
  Open();
  {
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->DropTree(kTree).ok());
    Commit(*transaction);
  }
  ExpectSound();
}

// With the least that may wait in memory, over blocks that are in part of this transaction.
TEST_F(DropTreeTest, MoreThanMayWait) {
  Make("-n 4096");
  Open({.most_unwritten_bytes = 1});
  MakeTree(3000);
  const auto transaction = Begin();
  for (uint64_t number = 0; number < 400; ++number) {
    const SampleItem item = MakeAttribute(number, 200, 1);
    ASSERT_TRUE(transaction->Replace(kTree, item.key, item.data).ok());
  }
  EXPECT_GT(transaction->counts().blocks_written_early, 0u);
  ASSERT_TRUE(transaction->DropTree(kTree).ok());
  Commit(*transaction);
  ExpectSound();
}

TEST_F(DropTreeTest, AnAbortLeavesIt) {
  Make("-n 4096");
  Open();
  MakeTree(500);
  const ItemMap before = ItemsOf(*filesystem_->Tree(kTree));
  {
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->DropTree(kTree).ok());
    transaction->Abort();
  }
  EXPECT_EQ(ItemsOf(*filesystem_->Tree(kTree)), before);
  {
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->DropTree(kTree).ok());
    Commit(*transaction);
  }
  ExpectSound();
}

TEST_F(DropTreeTest, TreesThatATransactionCannotDoWithout) {
  Make("-n 4096");
  Open();
  {
    const auto transaction = Begin();
    for (const uint64_t tree : {kRootTreeId, kChunkTreeId, kExtentTreeId, kDevTreeId,
                                kFreeSpaceTreeId, kBlockGroupTreeId}) {
      EXPECT_TRUE(absl::IsInvalidArgument(transaction->DropTree(tree))) << tree;
    }
    EXPECT_TRUE(absl::IsNotFound(transaction->DropTree(kTree)));
    ASSERT_TRUE(PutAttribute(*transaction, 1, 100).ok());
    Commit(*transaction);
  }
  ExpectSound();
  Open({.change_space_trees = true});
  const auto transaction = Begin();
  for (const uint64_t tree : {kRootTreeId, kChunkTreeId, kExtentTreeId}) {
    EXPECT_TRUE(absl::IsInvalidArgument(transaction->DropTree(tree))) << tree;
  }
  EXPECT_TRUE(absl::IsNotFound(transaction->DropTree(kBlockGroupTreeId)));
  EXPECT_TRUE(transaction->DropTree(kFreeSpaceTreeId).ok());
  EXPECT_FALSE(transaction->Commit().ok());  // it is told of what is free, and is not there
}

}  // namespace
}  // namespace ebcache::testing
