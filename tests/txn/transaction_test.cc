// What a transaction promises, on filesystems that mkfs.btrfs has made.

#include "ebcache/transaction.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class TransactionTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    if (IsSkipped()) return;
    Make("-n 4096");
    Open();
  }

  static absl::Status Add(Transaction& transaction, uint64_t first, uint64_t count,
                          size_t bytes = 100) {
    for (uint64_t i = first; i < first + count; ++i) {
      const SampleItem item = MakeAttribute(i, bytes);
      absl::Status status = transaction.Insert(kFsTreeId, item.key, item.data);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
};

TEST_F(TransactionTest, WhatIsCommittedIsThereForAllThatLook) {
  const ItemMap before = ItemsOf(paths_, kFsTreeId);
  const uint64_t generation = filesystem_->superblock().generation;
  auto transaction = Begin();
  ASSERT_TRUE(Add(*transaction, 0, 500).ok());
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(transaction->stage(), TransactionStage::kCommitted);
  EXPECT_EQ(filesystem_->superblock().generation, generation + 1);
  transaction.reset();
  Close();
  ItemMap expected = before;
  for (uint64_t i = 0; i < 500; ++i) {
    const SampleItem item = MakeAttribute(i, 100);
    expected[item.key] = item.data;
  }
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), expected);
  EXPECT_EQ(WalkDamageOf(paths_), "");
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

TEST_F(TransactionTest, OneAfterTheOther) {
  for (uint64_t i = 0; i < 20; ++i) {
    auto transaction = Begin();
    ASSERT_TRUE(Add(*transaction, i * 100, 100).ok());
    if (i % 3 == 2) {
      for (uint64_t gone = 0; gone < 50; ++gone) {
        const Key key = MakeAttribute((i - 1) * 100 + gone, 0).key;
        ASSERT_TRUE(transaction->Remove(kFsTreeId, key).ok());
      }
    }
    const absl::Status status = transaction->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }
  ExpectSound();
}

TEST_F(TransactionTest, AnAbortLeavesWhatTheLastCommitReachesAndTheNextWorks) {
  const ItemMap before = ItemsOf(paths_, kFsTreeId);
  const uint64_t free_before = session_->free_bytes();
  {
    auto transaction = Begin();
    ASSERT_TRUE(Add(*transaction, 0, 3000).ok());
    transaction->Abort();
    EXPECT_EQ(transaction->stage(), TransactionStage::kAborted);
    EXPECT_TRUE(absl::IsFailedPrecondition(Add(*transaction, 9000, 1)));
    EXPECT_TRUE(absl::IsFailedPrecondition(transaction->Commit()));
  }
  EXPECT_EQ(filesystem_->cache().stats().dirty_buffers, 0u);
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), before);
  auto transaction = Begin();
  EXPECT_EQ(session_->free_bytes(), free_before);
  ASSERT_TRUE(Add(*transaction, 0, 10).ok());
  ASSERT_TRUE(transaction->Commit().ok());
  transaction.reset();
  Close();
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId).size(), before.size() + 10);
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

TEST_F(TransactionTest, WithoutACommitTheImageIsAsItWas) {
  const std::string before = BytesOf(paths_[0]);
  {
    auto transaction = Begin();
    ASSERT_TRUE(Add(*transaction, 0, 100).ok());
  }
  Close();
  EXPECT_TRUE(BytesOf(paths_[0]) == before);
}

TEST_F(TransactionTest, MoreThanMayWaitInMemoryIsWrittenEarly) {
  session_.reset();
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Open(filesystem_.get(), {.most_unwritten_bytes = 1});
  ASSERT_TRUE(session.ok());
  session_ = *std::move(session);
  auto transaction = Begin();
  ASSERT_TRUE(Add(*transaction, 0, 5000, 300).ok());
  EXPECT_GT(transaction->counts().blocks_written_early, 300u);
  EXPECT_LE(filesystem_->cache().stats().dirty_buffers, 80u);
  const absl::Status status = transaction->Commit();
  ASSERT_TRUE(status.ok()) << status;
  transaction.reset();
  ExpectSound();
}

// The heart of it: each block that was copied leaves the cache by way of STALE.
TEST_F(TransactionTest, EveryCopiedBlockIsPutStale) {
  auto transaction = Begin();
  ASSERT_TRUE(Add(*transaction, 0, 2000).ok());
  ASSERT_TRUE(transaction->Commit().ok());
  transaction.reset();
  const uint64_t stale_before = filesystem_->cache().stats().stale_frees;
  transaction = Begin();
  for (uint64_t i = 0; i < 2000; i += 7) {
    const SampleItem item = MakeAttribute(i, 100, 1);
    ASSERT_TRUE(transaction->Replace(kFsTreeId, item.key, item.data).ok());
  }
  ASSERT_TRUE(transaction->Commit().ok());
  const TransactionCounts counts = transaction->counts();
  EXPECT_GT(counts.blocks_copied, 50u);
  EXPECT_EQ(filesystem_->cache().stats().stale_frees - stale_before,
            counts.blocks_copied + counts.blocks_freed);
}

// A block that is in use when it is copied stays, as it was, for as long as it is used.
TEST_F(TransactionTest, AReaderKeepsTheBlockThatWasCopied) {
  const CommittedView view = *session_->View();
  const absl::StatusOr<BTree> tree = view.Tree(kFsTreeId);
  ASSERT_TRUE(tree.ok());
  absl::StatusOr<Path> path = tree->Search(kMinKey);
  ASSERT_TRUE(path.ok());
  const ItemMap before = ItemsOf(*tree);
  for (uint64_t i = 0; i < 5; ++i) {
    auto transaction = Begin();
    ASSERT_TRUE(Add(*transaction, i * 100, 100).ok());
    ASSERT_TRUE(transaction->Commit().ok());
    EXPECT_TRUE(path->leaf()->stale());
    EXPECT_EQ(ItemsOf(*tree), before);
  }
  EXPECT_EQ(ItemsOf(*session_->View()->Tree(kFsTreeId)).size(), before.size() + 500);
}

TEST_F(TransactionTest, WhatIsRefusedLeavesTheTransactionAsItWas) {
  auto transaction = Begin();
  ASSERT_TRUE(Add(*transaction, 0, 10).ok());
  const SampleItem item = MakeAttribute(3, 100);
  EXPECT_TRUE(absl::IsAlreadyExists(transaction->Insert(kFsTreeId, item.key, item.data)));
  const Key missing = MakeAttribute(77, 0).key;
  EXPECT_TRUE(absl::IsNotFound(transaction->Remove(kFsTreeId, missing)));
  EXPECT_TRUE(absl::IsNotFound(transaction->Replace(kFsTreeId, missing, item.data)));
  EXPECT_TRUE(absl::IsNotFound(transaction->Insert(4711, item.key, item.data)));
  const std::vector<std::byte> large(4096);
  EXPECT_TRUE(absl::IsInvalidArgument(transaction->Insert(kFsTreeId, missing, large)));
  for (const uint64_t tree : {kExtentTreeId, kChunkTreeId, kDevTreeId, kFreeSpaceTreeId}) {
    EXPECT_TRUE(absl::IsInvalidArgument(transaction->Insert(tree, item.key, item.data))) << tree;
  }
  EXPECT_TRUE(
      absl::IsInvalidArgument(transaction->Remove(kRootTreeId, {kFsTreeId, kRootItemType, 0})));
  EXPECT_TRUE(absl::IsInvalidArgument(transaction->SetLabel(std::string(256, 'x'))));
  EXPECT_TRUE(absl::IsInvalidArgument(transaction->SetLabel("two\nlines")));
  const absl::Status status = transaction->Commit();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(TransactionTest, OnlyOneIsOpenAtATime) {
  auto transaction = Begin();
  EXPECT_TRUE(absl::IsFailedPrecondition(session_->Begin().status()));
  transaction->Abort();
  EXPECT_TRUE(session_->Begin().ok());
}

TEST_F(TransactionTest, TheLabelChangesAndNothingElse) {
  auto transaction = Begin();
  ASSERT_TRUE(transaction->SetLabel("music").ok());
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(filesystem_->superblock().label, "music");
  transaction.reset();
  Open();
  EXPECT_EQ(filesystem_->superblock().label, "music");
  Close();
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

TEST_F(TransactionTest, AFilesystemThatIsOnlyReadHasNoSession) {
  Close();
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(paths_);
  ASSERT_TRUE(filesystem.ok());
  EXPECT_TRUE(absl::IsPermissionDenied(Session::Open(filesystem->get()).status()));
}

TEST_F(TransactionTest, RewritingATreeMovesEachOfItsBlocks) {
  auto transaction = Begin();
  ASSERT_TRUE(Add(*transaction, 0, 3000).ok());
  ASSERT_TRUE(transaction->Commit().ok());
  transaction.reset();
  const ItemMap before = ItemsOf(paths_, kFsTreeId);
  const uint64_t generation = filesystem_->superblock().generation;
  transaction = Begin();
  Key from = kMinKey;
  while (true) {
    const absl::StatusOr<std::optional<Key>> next = transaction->Rewrite(kFsTreeId, from, 16);
    ASSERT_TRUE(next.ok()) << next.status();
    if (!*next) break;
    EXPECT_GT(**next, from);
    from = **next;
  }
  ASSERT_TRUE(transaction->Commit().ok());
  transaction.reset();
  class Generations : public TreeVisitor {
   public:
    bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
      generations.insert(Header(block).generation());
      ++blocks;
      return true;
    }
    void VisitDamage(const WalkDamage& damage) override { ADD_FAILURE() << damage.ToString(); }
    std::set<uint64_t> generations;
    uint64_t blocks = 0;
  } visitor;
  WalkTree(filesystem_->cache(), filesystem_->Tree(kFsTreeId)->root(), visitor);
  EXPECT_EQ(visitor.generations, std::set<uint64_t>{generation + 1});
  EXPECT_GT(visitor.blocks, 100u);
  Close();
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), before);
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

// Every insertion is in front of all that there is.
TEST_F(TransactionTest, KeysThatFall) {
  constexpr uint64_t kTree = 300;
  ItemMap expected;
  {
    auto transaction = Begin();
    ASSERT_TRUE(transaction->CreateTree(kTree).ok());
    for (uint64_t i = 3000; i > 0; --i) {
      const Key key{1000, kStringItemType, i};
      std::vector<std::byte> data(20 + i % 50, static_cast<std::byte>(i));
      const absl::Status status = transaction->Insert(kTree, key, data);
      ASSERT_TRUE(status.ok()) << status;
      expected[key] = std::move(data);
    }
    ASSERT_TRUE(transaction->Commit().ok());
  }
  Close();
  EXPECT_EQ(ItemsOf(paths_, kTree), expected);
  EXPECT_EQ(WalkDamageOf(paths_), "");
}

// Filesystems so small that all of their space is given out several times over.
class ReuseTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    if (IsSkipped()) return;
    Make("--mixed -n 4096", 1, uint64_t{32} << 20);
    Open();
    Commit([](Transaction& transaction) {
      for (uint64_t number = 0; number < 2000; ++number) {
        const absl::Status status = PutAttribute(transaction, number, 300);
        if (!status.ok()) return status;
      }
      return absl::OkStatus();
    });
  }
  template <typename Change>
  TransactionCounts Commit(Change change) {
    auto transaction = Begin();
    absl::Status status = change(*transaction);
    if (status.ok()) status = transaction->Commit();
    EXPECT_TRUE(status.ok()) << status;
    return transaction->counts();
  }
  // Until every address has had its turn, and more; says how many were used that the cache still
  // had.
  uint64_t RewriteOverAndOver() {
    uint64_t copied = 0;
    uint64_t recycled = 0;
    while (copied < 3 * (uint64_t{32} << 20) / 4096) {
      const TransactionCounts counts = Commit([](Transaction& transaction) {
        return transaction.Rewrite(kFsTreeId, kMinKey, ~uint64_t{0}).status();
      });
      copied += counts.blocks_copied;
      recycled += counts.blocks_recycled;
      if (HasFailure()) break;
    }
    return recycled;
  }
};

TEST_F(ReuseTest, WhatAViewReachesIsNotWrittenOver) {
  const CommittedView view = *session_->View();
  const ItemMap before = ItemsOf(*view.Tree(kFsTreeId));
  Commit([](Transaction& transaction) {
    return transaction.Rewrite(kFsTreeId, kMinKey, ~uint64_t{0}).status();
  });
  // What is free is read anew after that.
  Begin()->Abort();
  RewriteOverAndOver();
  filesystem_->cache().DropCaches();
  EXPECT_EQ(ItemsOf(*view.Tree(kFsTreeId)), before);
}

// A reader without a view has no more than its block: the address is not given out.
TEST_F(ReuseTest, ABlockThatIsHeldKeepsItsBytes) {
  {
    const absl::StatusOr<Path> path = filesystem_->Tree(kFsTreeId)->Search(kMinKey);
    ASSERT_TRUE(path.ok());
    std::vector<std::byte> before(4096);
    std::vector<std::byte> after(4096);
    ASSERT_TRUE(path->leaf()->Read(0, absl::MakeSpan(before)).ok());
    RewriteOverAndOver();
    ASSERT_TRUE(path->leaf()->Read(0, absl::MakeSpan(after)).ok());
    EXPECT_TRUE(before == after);
  }
  ExpectSound();
}

}  // namespace
}  // namespace ebcache::testing
