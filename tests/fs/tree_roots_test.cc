#include "lib/fs/tree_roots.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "ebcache/btree.h"
#include "ebcache/on_disk.h"

namespace ebcache {
namespace {

// A root item as it is on disk.
class RootItemBytes {
 public:
  RootItemBytes() {
    Store(160, 31, 8);       // generation
    Store(176, 1 << 20, 8);  // address
    Store(216, 1, 4);        // references
    Store(238, 2, 1);        // level
  }
  void Store(size_t offset, uint64_t value, size_t bytes) {
    std::memcpy(bytes_.data() + offset, &value, bytes);
  }
  absl::StatusOr<TreeRoot> Parse(const Key& key) const { return ParseTreeRoot(key, bytes_); }

 private:
  std::array<std::byte, 439> bytes_{};
};

TEST(ParseTreeRoot, SaysWhereTheTreeIs) {
  const absl::StatusOr<TreeRoot> root = RootItemBytes().Parse({257, kRootItemType, 30});
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->id, 257);
  EXPECT_EQ(root->key_offset, 30);
  EXPECT_EQ(root->bytenr, 1 << 20);
  EXPECT_EQ(root->generation, 31);
  EXPECT_EQ(root->level, 2);
  EXPECT_EQ(root->name, "257");
  EXPECT_EQ(root->drop_progress, kMinKey);
}

TEST(ParseTreeRoot, KnowsHowFarDeletingCame) {
  RootItemBytes item;
  item.Store(216, 0, 4);
  item.Store(220, 300, 8);
  item.Store(228, kInodeItemType, 1);
  item.Store(237, 1, 1);
  const absl::StatusOr<TreeRoot> root = item.Parse({257, kRootItemType, 0});
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->drop_progress, (Key{300, kInodeItemType, 0}));
  EXPECT_EQ(root->drop_level, 1);
}

TEST(ParseTreeRoot, RefusesRootsThatCannotBe) {
  RootItemBytes nowhere;
  nowhere.Store(176, 0, 8);
  EXPECT_TRUE(absl::IsDataLoss(nowhere.Parse({5, kRootItemType, 0}).status()));
  for (size_t level_field : {237, 238}) {
    RootItemBytes too_high;
    too_high.Store(level_field, 8, 1);
    EXPECT_TRUE(absl::IsDataLoss(too_high.Parse({5, kRootItemType, 0}).status())) << level_field;
  }
}

TEST(SuperblockRoots, ALogIsOfTheTransactionThatIsOpen) {
  Superblock superblock;
  superblock.generation = 20;
  superblock.root = 4096;
  superblock.root_level = 1;
  superblock.chunk_root = 8192;
  superblock.chunk_root_generation = 12;
  superblock.log_root = 16384;
  const TreeRoot root_tree = RootTreeRoot(superblock);
  EXPECT_EQ(root_tree.name, "ROOT_TREE");
  EXPECT_EQ(root_tree.bytenr, 4096);
  EXPECT_EQ(root_tree.generation, 20);
  EXPECT_EQ(root_tree.level, 1);
  const TreeRoot chunk_tree = ChunkTreeRoot(superblock);
  EXPECT_EQ(chunk_tree.name, "CHUNK_TREE");
  EXPECT_EQ(chunk_tree.generation, 12);
  const TreeRoot log_tree = LogTreeRoot(superblock);
  EXPECT_EQ(log_tree.name, "TREE_LOG");
  EXPECT_EQ(log_tree.key_offset, 0);
  EXPECT_EQ(log_tree.generation, 21);
}

}  // namespace
}  // namespace ebcache
