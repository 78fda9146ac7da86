// What root items say of trees after commits, of which no program that checks filesystems looks at all.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/items_root.h"
#include "ebcache/transaction.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class BlockCounter : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer&) override {
    ++blocks;
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { ADD_FAILURE() << damage.ToString(); }
  uint64_t blocks = 0;
};

// Bytes of the blocks of each tree that has a root item, counted.
std::map<uint64_t, uint64_t> BytesThatTreesHave(Filesystem& filesystem) {
  std::map<uint64_t, uint64_t> bytes;
  std::vector<WalkDamage> damage;
  for (const TreeRoot& tree : filesystem.Trees(&damage)) {
    if (tree.id == kRootTreeId || tree.id == kChunkTreeId) continue;
    BlockCounter counter;
    WalkTree(filesystem.cache(), tree, counter);
    bytes[tree.id] = counter.blocks * filesystem.superblock().node_bytes;
  }
  return bytes;
}

std::map<uint64_t, uint64_t> BytesThatRootItemsTell(Filesystem& filesystem) {
  std::map<uint64_t, uint64_t> bytes;
  ItemRange items = filesystem.Tree(kRootTreeId)->Items();
  for (const Item& item : items) {
    if (item.key().type != kRootItemType) continue;
    const std::vector<std::byte> data(item.data().begin(), item.data().end());
    const absl::StatusOr<RootItem> root = ParseRootItem(data);
    EXPECT_TRUE(root.ok()) << root.status();
    if (root.ok()) bytes[item.key().objectid] = root->bytes_used;
  }
  EXPECT_TRUE(items.status().ok()) << items.status();
  return bytes;
}

// The tree of extents grows while a commit tells it of its own new blocks, at times without that its
// root moves.
TEST(RootItemsTest, TheyTellHowManyBytesTreesHave) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  const std::vector<std::string> paths = MakeImages("-n 4096");
  ASSERT_FALSE(paths.empty());
  const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths);
  ASSERT_NE(filesystem, nullptr);
  absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(filesystem.get());
  ASSERT_TRUE(session.ok()) << session.status();
  constexpr uint64_t kFirstTree = 1000;
  constexpr uint64_t kTrees = 400;  // whose items are on several leaves, each of which is copied
  for (uint64_t round = 0; round < 15; ++round) {
    const absl::StatusOr<std::unique_ptr<Transaction>> transaction = (*session)->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    for (uint64_t tree = kFirstTree; tree < kFirstTree + kTrees; ++tree) {
      if (round == 0) {
        ASSERT_TRUE((*transaction)->CreateTree(tree).ok());
      }
      const SampleItem item = MakeAttribute(round, 100);
      ASSERT_TRUE((*transaction)->Insert(tree, item.key, item.data).ok());
    }
    const absl::Status status = (*transaction)->Commit();
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(BytesThatRootItemsTell(*filesystem), BytesThatTreesHave(*filesystem)) << round;
  }
}

}  // namespace
}  // namespace ebcache::testing
