// Changes beside damage: what is wrong with a neighbour is no concern of a change, and what cannot be
// read is no item that there is not.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_root.h"
#include "ebcache/transaction.h"
#include "lib/format/checksum.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

constexpr uint32_t kNodeBytes = 4096;
constexpr uint64_t kItems = 300;
constexpr SessionOptions kRepair = {.change_space_trees = true, .undo_file = ""};

// A leaf of the tree of files.
struct Leaf {
  uint64_t bytenr = 0;
  std::vector<Key> keys;
};

class LeafCollector : public TreeVisitor {
 public:
  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    const Header header(block);
    if (header.level() != 0) return true;
    Leaf& leaf = leaves.emplace_back();
    leaf.bytenr = block.start();
    for (uint32_t i = 0; i < header.item_count(); ++i) leaf.keys.push_back(LeafKey(block, i));
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override { ADD_FAILURE() << damage.ToString(); }
  std::vector<Leaf> leaves;
};

class DamagedTreesTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    if (IsSkipped()) return;
    Make("-n 4096 -m single -R free-space-tree");
    Open(kRepair);
    const auto transaction = Begin();
    for (uint64_t i = 0; i < kItems; ++i) ASSERT_TRUE(PutAttribute(*transaction, i, 60).ok());
    ASSERT_TRUE(transaction->Commit().ok());
    leaves_ = Leaves();
    ASSERT_GT(leaves_.size(), 6u);
  }

  std::vector<Leaf> Leaves() {
    LeafCollector collector;
    WalkTree(filesystem_->cache(), filesystem_->Tree(kFsTreeId)->root(), collector);
    return std::move(collector.leaves);
  }
  static bool Has(const std::vector<Leaf>& leaves, uint64_t bytenr) {
    for (const Leaf& leaf : leaves) {
      if (leaf.bytenr == bytenr) return true;
    }
    return false;
  }

  // Changes or removes what the extent tree says of a leaf.
  void DamageExtent(const Leaf& leaf, const std::vector<std::byte>* item) {
    const auto transaction = Begin();
    const Key key{leaf.bytenr, kMetadataItemType, 0};
    const absl::Status status = item == nullptr ? transaction->Remove(kExtentTreeId, key)
                                                : transaction->Replace(kExtentTreeId, key, *item);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(transaction->Commit().ok());
  }
  void DamageBesideLeafThree(const std::vector<std::byte>* item) {
    DamageExtent(leaves_[2], item);
    DamageExtent(leaves_[4], item);
  }

  // Leaves one item in leaf 3, which would be put together with a neighbour.
  void EmptyLeafThree() {
    ItemMap expected = ItemsOf(*filesystem_->Tree(kFsTreeId));
    const auto transaction = Begin();
    const std::vector<Key>& keys = leaves_[3].keys;
    for (size_t i = 1; i < keys.size(); ++i) {
      ASSERT_TRUE(transaction->Remove(kFsTreeId, keys[i]).ok());
      expected.erase(keys[i]);
    }
    const absl::Status committed = transaction->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
    EXPECT_EQ(ItemsOf(*filesystem_->Tree(kFsTreeId)), expected);
  }

  std::vector<Leaf> leaves_;
};

// What the others are held against.
TEST_F(DamagedTreesTest, ASoundNeighbourTakesWhatIsLeft) {
  EmptyLeafThree();
  const std::vector<Leaf> after = Leaves();
  EXPECT_EQ(after.size(), leaves_.size() - 1);
  EXPECT_FALSE(Has(after, leaves_[2].bytenr));
}

TEST_F(DamagedTreesTest, NeighboursWithoutExtentsStayAsTheyAre) {
  DamageBesideLeafThree(nullptr);
  EmptyLeafThree();
  const std::vector<Leaf> after = Leaves();
  EXPECT_EQ(after.size(), leaves_.size());
  EXPECT_TRUE(Has(after, leaves_[2].bytenr));
  EXPECT_TRUE(Has(after, leaves_[4].bytenr));
}

TEST_F(DamagedTreesTest, NeighboursThatAnotherTreeIsSaidToHaveStayAsTheyAre) {
  const auto extents = ItemsOf(*filesystem_->Tree(kExtentTreeId));
  std::vector<std::byte> item = extents.at({leaves_[2].bytenr, kMetadataItemType, 0});
  ASSERT_EQ(item.size(), 33u);
  item[25] = std::byte{9};  // the tree that refers to it
  DamageBesideLeafThree(&item);
  EmptyLeafThree();
  EXPECT_EQ(Leaves().size(), leaves_.size());
}

TEST_F(DamagedTreesTest, OneOfTheTwoIsEnough) {
  DamageExtent(leaves_[2], nullptr);
  EmptyLeafThree();
  const std::vector<Leaf> after = Leaves();
  EXPECT_EQ(after.size(), leaves_.size() - 1);
  EXPECT_TRUE(Has(after, leaves_[2].bytenr));
}

// The last leaf would be the root: it stays below one that leads to nothing else.
TEST_F(DamagedTreesTest, ARootIsNotLoweredToADamagedLeaf) {
  DamageExtent(leaves_.back(), nullptr);
  const auto transaction = Begin();
  ASSERT_EQ(filesystem_->Tree(kFsTreeId)->root().level, 1);
  const Key last = leaves_[leaves_.size() - 2].keys.back();
  ASSERT_TRUE(transaction->RemoveRange(kFsTreeId, {.from = kMinKey, .to = last}).ok());
  const absl::Status committed = transaction->Commit();
  ASSERT_TRUE(committed.ok()) << committed;
  EXPECT_EQ(filesystem_->Tree(kFsTreeId)->root().level, 1);
  EXPECT_TRUE(Has(Leaves(), leaves_.back().bytenr));
}

// ---- A pointer to an address that no chunk has --------------------------------------------------

class UnmappedLeafTest : public DamagedTreesTest {
 protected:
  void SetUp() override {
    DamagedTreesTest::SetUp();
    if (IsSkipped()) return;
    const uint64_t root = filesystem_->Tree(kFsTreeId)->root().bytenr;
    const uint64_t place = filesystem_->volume().Map(root, kNodeBytes).value()[0].place.offset;
    Close();
    LeadNowhere(place, 3);
    Open();
  }

  // Has slot `slot` of a node lead where there is no chunk.
  void LeadNowhere(uint64_t place, size_t slot) {
    std::vector<std::byte> node(kNodeBytes);
    const int fd = open(paths_[0].c_str(), O_RDWR);
    ASSERT_EQ(pread(fd, node.data(), node.size(), static_cast<off_t>(place)), kNodeBytes);
    const uint64_t nowhere = uint64_t{1} << 50;
    std::memcpy(&node[101 + slot * 33 + 17], &nowhere, 8);
    const absl::Span<const std::byte> bytes(node);
    const Checksum checksum = ComputeBlockChecksum(ChecksumType::kCrc32c, {&bytes, 1}).value();
    std::memcpy(node.data(), &checksum, 4);
    ASSERT_EQ(pwrite(fd, node.data(), node.size(), static_cast<off_t>(place)), kNodeBytes);
    close(fd);
  }
};

// Three leaves are gone by then.
TEST_F(UnmappedLeafTest, APartialRemoveRangeEndsTheTransaction) {
  const auto transaction = Begin();
  const absl::Status removed = transaction->RemoveRange(kFsTreeId, KeyRange{}).status();
  EXPECT_TRUE(absl::IsDataLoss(removed)) << removed;
  const absl::Status next = transaction->Insert(kFsTreeId, {7, 24, 7}, {});
  EXPECT_FALSE(next.ok());
  EXPECT_FALSE(transaction->Commit().ok());
  transaction->Abort();
  // Nothing has happened.
  EXPECT_TRUE(filesystem_->Tree(kFsTreeId)->Find(leaves_[0].keys[0]).ok());
}

// It may be there.
TEST_F(UnmappedLeafTest, IsNotTakenForNoItem) {
  const std::vector<std::function<absl::Status(Transaction&, const Key&)>> changes = {
      [](Transaction& transaction, const Key& key) {
        return transaction.Replace(kFsTreeId, key, {});
      },
      [](Transaction& transaction, const Key& key) { return transaction.Remove(kFsTreeId, key); },
      [](Transaction& transaction, const Key& key) {
        return transaction.Insert(kFsTreeId, key, {});
      },
      [](Transaction& transaction, const Key& key) {
        return transaction.RemoveRange(kFsTreeId, {.from = key, .to = key}).status();
      },
      [](Transaction& transaction, const Key& key) {
        return transaction.Rewrite(kFsTreeId, key, 1).status();
      },
  };
  for (const auto& change : changes) {
    const auto transaction = Begin();
    const absl::Status status = change(*transaction, leaves_[3].keys[1]);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_FALSE(transaction->Commit().ok());
  }
}

// ---- A subvolume that is being deleted ----------------------------------------------------------

constexpr uint64_t kSubvolume = 300;

class PartlyDeletedTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    if (IsSkipped()) return;
    Make("-n 4096");
    Open(kRepair);
    {
      const auto transaction = Begin();
      ASSERT_TRUE(transaction->CreateTree(kSubvolume, {.refs = 1}).ok());
      for (uint64_t i = 0; i < kItems; ++i) {
        const SampleItem item = MakeAttribute(i, 60);
        ASSERT_TRUE(transaction->Insert(kSubvolume, item.key, item.data).ok());
      }
      ASSERT_TRUE(transaction->Commit().ok());
    }
    all_ = ItemsOf(*filesystem_->Tree(kSubvolume));
    LeafCollector collector;
    WalkTree(filesystem_->cache(), filesystem_->Tree(kSubvolume)->root(), collector);
    ASSERT_GT(collector.leaves.size(), 4u);
    progress_ = collector.leaves[3].keys[0];
    SayGone();
  }

  // As a kernel leaves it that was stopped: the leaves before that key are gone.
  void SayGone() {
    const Key key{kSubvolume, kRootItemType, 0};
    RootItem root = ParseRootItem(ItemsOf(*filesystem_->Tree(kRootTreeId)).at(key)).value();
    root.refs = 0;
    root.drop_progress = progress_;
    root.drop_level = 1;
    std::vector<std::byte> data;
    ASSERT_TRUE(AppendItem(root, data).ok());
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->Replace(kRootTreeId, key, data).ok());
    ASSERT_TRUE(transaction->Commit().ok());
  }

  ItemMap all_;
  Key progress_;
};

TEST_F(PartlyDeletedTest, IsReadFromWhereItIsLeft) {
  const auto transaction = Begin();
  const absl::StatusOr<BTree> tree = transaction->Tree(kSubvolume);
  ASSERT_TRUE(tree.ok()) << tree.status();
  EXPECT_EQ(ItemsOf(*tree), ItemMap(all_.lower_bound(progress_), all_.end()));
}

TEST_F(PartlyDeletedTest, IsNotChanged) {
  const SampleItem there = MakeAttribute(kItems - 1, 60);
  const SampleItem fresh = MakeAttribute(kItems + 1, 60);
  const auto transaction = Begin();
  for (const absl::Status& status : {transaction->Insert(kSubvolume, fresh.key, fresh.data),
                                     transaction->Replace(kSubvolume, there.key, fresh.data),
                                     transaction->Remove(kSubvolume, there.key),
                                     transaction->RemoveRange(kSubvolume, KeyRange{}).status(),
                                     transaction->Rewrite(kSubvolume, kMinKey, 100).status()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.message().find("a part is deleted"), std::string::npos) << status;
  }
  // The transaction goes on.
  ASSERT_TRUE(transaction->Insert(kFsTreeId, fresh.key, fresh.data).ok());
  EXPECT_EQ(transaction->counts().blocks_copied, 1u);
  ASSERT_TRUE(transaction->Commit().ok());
}

}  // namespace
}  // namespace ebcache::testing
