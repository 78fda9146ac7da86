// Commits without progress: how many there may be in a row, and what counts as one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include "ebcache/transaction.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class ProgressTest : public SessionTest {
 protected:
  using Change = std::function<absl::Status(Transaction&)>;

  void SetUp() override {
    SessionTest::SetUp();
    if (IsSkipped()) return;
    Make("-n 4096");
    Open();
    ASSERT_TRUE(Commit([](Transaction& transaction) {
                  absl::Status status;
                  for (uint64_t i = 0; i < 300 && status.ok(); ++i) {
                    status = PutAttribute(transaction, i, 60);
                  }
                  return status;
                }).ok());
  }
  absl::Status Commit(const Change& change) {
    const std::unique_ptr<Transaction> transaction = Begin();
    absl::Status status = change(*transaction);
    EXPECT_TRUE(status.ok()) << status;
    return transaction->Commit();
  }
  // So many commits as there may be. Then no more.
  void UseUp(uint32_t limit) {
    for (uint32_t i = 0; i < limit; ++i) {
      const absl::Status status = Commit(Nothing);
      ASSERT_TRUE(status.ok()) << status;
    }
    ASSERT_TRUE(absl::IsFailedPrecondition(Commit(Nothing)));
  }
  static absl::Status Nothing(Transaction&) { return absl::OkStatus(); }
  static absl::Status Put(Transaction& transaction, uint8_t salt) {
    return PutAttribute(transaction, 7, 60, salt);
  }
};

constexpr uint32_t kDefault = 3;

TEST_F(ProgressTest, NoMoreThanTheLimitInARow) {
  const Superblock before = filesystem_->superblock();
  UseUp(kDefault);
  const Superblock after = filesystem_->superblock();
  EXPECT_EQ(after.generation, before.generation + kDefault);
  // What was there before is a backup root still.
  EXPECT_TRUE(std::any_of(after.backup_roots.begin(), after.backup_roots.end(),
                          [&](const BackupRoot& backup) { return backup.root == before.root; }));
}

TEST_F(ProgressTest, WhatIsRefusedIsNamedAndNotWritten) {
  UseUp(kDefault);
  const std::string superblocks = SuperblocksOf(paths_[0]);
  const std::unique_ptr<Transaction> transaction = Begin();
  const absl::Status status = transaction->Commit();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_NE(status.message().find("most_commits_without_progress"), std::string::npos) << status;
  EXPECT_EQ(transaction->counts().blocks_written, 0u);
  EXPECT_EQ(transaction->stage(), TransactionStage::kOpen);
  EXPECT_TRUE(SuperblocksOf(paths_[0]) == superblocks);
  // It goes on, and does something.
  ASSERT_TRUE(Put(*transaction, 9).ok());
  EXPECT_TRUE(transaction->Commit().ok());
}

TEST_F(ProgressTest, ProgressBeginsTheCountAnew) {
  const auto count = [this] { return filesystem_->superblock().generation; };
  const uint64_t before = count();
  for (uint8_t round = 1; round <= 3; ++round) {
    UseUp(kDefault);
    ASSERT_TRUE(Commit([&](Transaction& transaction) { return Put(transaction, round); }).ok());
  }
  EXPECT_EQ(count(), before + 3 * (kDefault + 1));
  Close();
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

TEST_F(ProgressTest, AnotherLimitOrNone) {
  Open({.most_commits_without_progress = 1});
  UseUp(1);
  Open({.most_commits_without_progress = 0});
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(Commit(Nothing).ok()) << i;
}

// Each of these leaves trees of files as they were: the commit behind those that use the limit up is
// refused.
TEST_F(ProgressTest, WhatIsNone) {
  const auto same = [](Transaction& transaction) {
    const SampleItem item = MakeAttribute(7, 60);
    return transaction.Replace(kFsTreeId, item.key, item.data);
  };
  const auto no_items = [](Transaction& transaction) {
    const Key key = MakeAttribute(5000, 0).key;
    return transaction.RemoveRange(kFsTreeId, {key, key}).status();
  };
  const auto label = [](Transaction& transaction) { return transaction.SetLabel("music"); };
  const auto refused = [](Transaction& transaction) {
    const SampleItem item = MakeAttribute(7, 60);
    EXPECT_TRUE(absl::IsAlreadyExists(transaction.Insert(kFsTreeId, item.key, item.data)));
    EXPECT_TRUE(absl::IsNotFound(transaction.Remove(kFsTreeId, MakeAttribute(5000, 0).key)));
    return absl::OkStatus();
  };
  const Change changes[] = {same, no_items, label, refused};
  for (const Change& change : changes) {
    Open({.most_commits_without_progress = 1});
    ASSERT_TRUE(Commit(change).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(Commit(change))) << (&change - changes);
  }
}

TEST_F(ProgressTest, WhatIsSome) {
  uint64_t next = 1000;
  const Change changes[] = {
      [&](Transaction& transaction) {
        const SampleItem item = MakeAttribute(++next, 60);
        return transaction.Insert(kFsTreeId, item.key, item.data);
      },
      [&](Transaction& transaction) {
        const SampleItem item = MakeAttribute(7, 60, static_cast<uint8_t>(++next));
        return transaction.Replace(kFsTreeId, item.key, item.data);
      },
      // As long as before, and one byte of it is another.
      [&](Transaction& transaction) {
        SampleItem item = MakeAttribute(8, 60);
        item.data.back() = static_cast<std::byte>(++next);
        return transaction.Replace(kFsTreeId, item.key, item.data);
      },
      [&](Transaction& transaction) {
        return transaction.Remove(kFsTreeId, MakeAttribute(++next - 1000 + 20, 0).key);
      },
      [&](Transaction& transaction) {
        const Key key = MakeAttribute(++next - 1000 + 20, 0).key;
        return transaction.RemoveRange(kFsTreeId, {key, key}).status();
      },
      [](Transaction& transaction) {
        return transaction.Rewrite(kFsTreeId, kMinKey, 100).status();
      },
      [&](Transaction& transaction) { return transaction.CreateTree(++next); },
      [](Transaction& transaction) {
        return transaction.MakeChunk(kBlockGroupData, RaidProfile::kSingle, uint64_t{1} << 20)
            .status();
      },
  };
  for (const Change& change : changes) {
    Open({.most_commits_without_progress = 1});
    UseUp(1);
    for (int i = 0; i < 3; ++i) {
      const absl::Status status = Commit(change);
      EXPECT_TRUE(status.ok()) << (&change - changes) << ": " << status;
    }
    UseUp(1);
  }
}

}  // namespace
}  // namespace ebcache::testing
