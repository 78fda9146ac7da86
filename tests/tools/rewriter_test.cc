// Rewriting trees step by step: where it stops, and what stands then.

#include "tools/rewrite/rewriter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::tools {
namespace {

using testing::CheckComplaintOf;
using testing::ItemMap;
using testing::ItemsOf;

class RewriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    paths_ = testing::MakeImages("-n 4096");
    ASSERT_FALSE(paths_.empty());
    filesystem_ = testing::OpenWritable(paths_);
    ASSERT_NE(filesystem_, nullptr);
    auto session = Session::Open(filesystem_.get());
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
    Fill();
    before_ = ItemsOf(filesystem_->Tree(kFsTreeId).value());
  }

  void Fill() {
    const auto transaction = session_->Begin();
    ASSERT_TRUE(transaction.ok());
    for (uint64_t i = 0; i < 20000; ++i) {
      const testing::SampleItem item = testing::MakeAttribute(i, 200);
      ASSERT_TRUE((*transaction)->Insert(kFsTreeId, item.key, item.data).ok());
    }
    ASSERT_TRUE((*transaction)->Commit().ok());
  }

  RewriteReport Report(const std::vector<std::string>& words) {
    const auto trees = TreesToRewrite(*filesystem_, words);
    EXPECT_TRUE(trees.ok()) << trees.status();
    return {.trees = *trees, .writing = {}};
  }

  void CheckWhole() {
    session_.reset();
    filesystem_.reset();
    EXPECT_EQ(testing::WalkDamageOf(paths_), "");
    EXPECT_EQ(CheckComplaintOf(paths_), "");
    EXPECT_EQ(ItemsOf(paths_, kFsTreeId), before_);
  }

  std::vector<std::string> paths_;
  std::unique_ptr<Filesystem> filesystem_;
  std::unique_ptr<Session> session_;
  ItemMap before_;
};

TEST_F(RewriterTest, StopsInTheMiddleOfATreeWithACommit) {
  RewriteReport report = Report({"fs", "root"});
  int asked = 0;
  RewriteTrees(
      *session_, 1 << 20, [&](uint64_t, const std::string&) { return ++asked == 3; }, report);
  EXPECT_EQ(asked, 3);
  ASSERT_TRUE(report.writing.status.ok()) << report.writing.status;
  EXPECT_TRUE(report.writing.interrupted);
  EXPECT_EQ(report.writing.commits, 1u);
  EXPECT_GE(report.writing.counts.blocks_copied, 3u * 256);
  EXPECT_EQ(filesystem_->superblock().generation, report.writing.generation);
  for (const RewrittenTree& tree : report.trees) EXPECT_FALSE(tree.done) << tree.name;
  CheckWhole();
}

TEST_F(RewriterTest, StopsBetweenTreesWithWhatIsDone) {
  RewriteReport report = Report({"root", "uuid", "fs"});
  EXPECT_EQ(report.trees.back().id, kRootTreeId);
  RewriteTrees(
      *session_, 1 << 20,
      [&](uint64_t, const std::string& tree) { return tree == report.trees[0].name; }, report);
  EXPECT_TRUE(report.writing.interrupted);
  EXPECT_EQ(report.writing.commits, 1u);
  CheckWhole();
}

TEST_F(RewriterTest, AStopAtTheEndIsNoInterrupt) {
  RewriteReport report = Report({"uuid"});
  RewriteTrees(
      *session_, 1, [](uint64_t, const std::string&) { return true; }, report);
  EXPECT_FALSE(report.writing.interrupted);
  EXPECT_TRUE(report.trees[0].done);
  CheckWhole();
}

TEST_F(RewriterTest, CommitsAreOfBoundedSize) {
  RewriteReport report = Report({"fs"});
  uint64_t seen = 0;
  uint64_t largest = 0;
  RewriteTrees(
      *session_, 100,
      [&](uint64_t copied, const std::string&) {
        largest = std::max(largest, copied - seen);
        seen = copied;
        return false;
      },
      report);
  ASSERT_TRUE(report.writing.status.ok()) << report.writing.status;
  EXPECT_TRUE(report.trees[0].done);
  // Those of the ways to the leaves, and what tells of space, are copied besides.
  EXPECT_LT(largest, 300u);
  EXPECT_GE(report.writing.commits, 10u);
  CheckWhole();
}

TEST_F(RewriterTest, AnErrorLeavesTheCommitsBeforeIt) {
  RewriteReport report = Report({"uuid"});
  report.trees.push_back({.id = 999, .name = "999"});
  RewriteTrees(
      *session_, 1, [](uint64_t, const std::string&) { return false; }, report);
  EXPECT_TRUE(absl::IsNotFound(report.writing.status)) << report.writing.status;
  EXPECT_TRUE(report.trees[0].done);
  EXPECT_FALSE(report.trees[1].done);
  EXPECT_FALSE(report.writing.interrupted);
  EXPECT_EQ(report.writing.commits, 1u);
  CheckWhole();
}

}  // namespace
}  // namespace ebcache::tools
