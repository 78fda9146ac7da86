// Undo in steps: what a file says, a look that is ended, and what each step refuses.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/transaction.h"
#include "ebcache/undo.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class UndoStepsTest : public SessionTest {
 protected:
  // Three commits that can be undone.
  void SetUp() override {
    SessionTest::SetUp();
    if (IsSkipped()) return;
    Make("-n 4096");
    Open();
    Commit(1000);
    Close();
    undo_file_ = paths_[0] + ".undo";
    std::filesystem::remove(undo_file_);
    superblocks_ = SuperblocksOf(paths_[0]);
    Open({.undo_file = undo_file_});
    generation_ = filesystem_->superblock().generation;
    for (int i = 0; i < 3; ++i) Commit(100);
    Close();
  }
  void Commit(uint64_t attributes) {
    const std::unique_ptr<Transaction> transaction = Begin();
    for (uint64_t i = 0; i < attributes; ++i) {
      ASSERT_TRUE(PutAttribute(*transaction, i, 60, ++salt_).ok());
    }
    ASSERT_TRUE(transaction->Commit().ok());
  }
  void ExpectNotUndone() {
    EXPECT_TRUE(std::filesystem::exists(undo_file_));
    EXPECT_FALSE(SuperblocksOf(paths_[0]) == superblocks_);
  }

  std::string undo_file_;
  std::string superblocks_;
  uint64_t generation_ = 0;
  uint8_t salt_ = 0;
};

TEST_F(UndoStepsTest, SayWhatTheyGoBackTo) {
  const absl::StatusOr<UndoFileSummary> file = ReadUndoFile(undo_file_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->old_state.generation, generation_);
  EXPECT_EQ(file->commits, 3u);
  const auto undo = Undo::Open(paths_, undo_file_);
  ASSERT_TRUE(undo.ok()) << undo.status();
  EXPECT_EQ((*undo)->file().old_state.generation, generation_);
  EXPECT_EQ((*undo)->found_generation(), generation_ + 3);
}

TEST_F(UndoStepsTest, TellHowFarTheyAre) {
  const auto undo = Undo::Open(paths_, undo_file_, {.writable = true});
  ASSERT_TRUE(undo.ok()) << undo.status();
  std::vector<uint64_t> told;
  bool fs_tree = false;
  const absl::Status status = (*undo)->Check([&](uint64_t blocks, const std::string& tree) {
    told.push_back(blocks);
    fs_tree |= tree == "FS_TREE";
    return true;
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(fs_tree);
  ASSERT_GT(told.size(), 20u);
  for (size_t i = 0; i < told.size(); ++i) EXPECT_EQ(told[i], i + 1);
  EXPECT_EQ((*undo)->counts().blocks, told.size());
  EXPECT_EQ((*undo)->counts().damaged_blocks, 0u);
  ExpectNotUndone();
  ASSERT_TRUE((*undo)->Write().ok());
  EXPECT_TRUE(SuperblocksOf(paths_[0]) == superblocks_);
  EXPECT_FALSE(std::filesystem::exists(undo_file_));
}

TEST_F(UndoStepsTest, ALookThatIsEnded) {
  const auto undo = Undo::Open(paths_, undo_file_, {.writable = true});
  ASSERT_TRUE(undo.ok()) << undo.status();
  const absl::Status status =
      (*undo)->Check([](uint64_t blocks, const std::string&) { return blocks < 7; });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ((*undo)->counts().blocks, 7u);
  EXPECT_TRUE(absl::IsFailedPrecondition((*undo)->Write()));
  ExpectNotUndone();
  ASSERT_TRUE((*undo)->Check().ok());
  EXPECT_TRUE((*undo)->Write().ok());
}

TEST_F(UndoStepsTest, WritingIsRefused) {
  {
    const auto undo = Undo::Open(paths_, undo_file_, {.writable = true});
    ASSERT_TRUE(undo.ok());
    EXPECT_TRUE(absl::IsFailedPrecondition((*undo)->Write()));  // nothing was looked at
  }
  const auto undo = Undo::Open(paths_, undo_file_);
  ASSERT_TRUE(undo.ok());
  ASSERT_TRUE((*undo)->Check().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition((*undo)->Write()));  // for reading only
  ExpectNotUndone();
}

// A look that was good before does not count once it was found otherwise.
TEST_F(UndoStepsTest, ALaterLookThatFails) {
  const auto undo = Undo::Open(paths_, undo_file_, {.writable = true});
  ASSERT_TRUE(undo.ok());
  ASSERT_TRUE((*undo)->Check().ok());
  EXPECT_FALSE((*undo)->Check([](uint64_t, const std::string&) { return false; }).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition((*undo)->Write()));
  ExpectNotUndone();
}

TEST_F(UndoStepsTest, Settling) {
  const std::string superblocks = SuperblocksOf(paths_[0]);
  ASSERT_TRUE(SettleUndoFile(undo_file_).ok());
  EXPECT_FALSE(std::filesystem::exists(undo_file_));
  EXPECT_TRUE(SuperblocksOf(paths_[0]) == superblocks);
  EXPECT_TRUE(absl::IsNotFound(SettleUndoFile(undo_file_)));
  EXPECT_TRUE(absl::IsNotFound(Undo::Open(paths_, undo_file_).status()));
  std::ofstream(undo_file_) << "something of a user's";
  EXPECT_TRUE(absl::IsDataLoss(SettleUndoFile(undo_file_)));
  EXPECT_TRUE(std::filesystem::exists(undo_file_));
}

}  // namespace
}  // namespace ebcache::testing
