// Filesystems made by mkfs.btrfs, opened, searched, walked, and damaged in known places.

#include "ebcache/filesystem.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/btree.h"
#include "ebcache/on_disk.h"
#include "tests/fs/sample_device.h"
#include "tests/support/mkfs_image.h"
#include "tests/tree/recording_visitor.h"

namespace ebcache::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int kFiles = 1000;

class FilesystemTest : public ::testing::Test {
 protected:
  // One image for all tests: metadata in two copies, nodes so small that trees have levels, and the
  // quota tree, whose root item is one more than a leaf of the root tree has room for.
  static void SetUpTestSuite() {
    if (HaveMkfs())
      pristine_ = MakeSampleDevice("-m dup -n 4096 -R quota,free-space-tree", kFiles).release();
  }
  static void TearDownTestSuite() { delete std::exchange(pristine_, nullptr); }

  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "mkfs.btrfs is not installed";
    ASSERT_NE(pristine_, nullptr) << "mkfs.btrfs failed";
  }

  std::unique_ptr<Filesystem> Open() {
    absl::StatusOr<std::unique_ptr<Filesystem>> opened = Filesystem::OpenDevices(
        Borrow(*pristine_),
        {.cache = {.allocator = nullptr},
         .on_damage = [this](const MirrorDamage& damage) { mirrors_.push_back(damage); }});
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  // Where the copies of a block are on the device.
  std::vector<uint64_t> CopiesOf(Filesystem& filesystem, uint64_t logical) {
    std::vector<uint64_t> copies;
    const std::vector<PhysicalExtent> extents = *filesystem.volume().Map(logical, 4096);
    for (const PhysicalExtent& extent : extents) copies.push_back(extent.place.offset);
    return copies;
  }

  // A byte in the middle of a block, changed for as long as the object lives.
  class Flipped {
   public:
    explicit Flipped(uint64_t block) : offset_(block + 2000) { pristine_->Flip(offset_); }
    ~Flipped() { pristine_->Flip(offset_); }
    Flipped(const Flipped&) = delete;

   private:
    const uint64_t offset_;
  };

  static inline MemoryDevice* pristine_ = nullptr;
  std::vector<MirrorDamage> mirrors_;
};

TEST_F(FilesystemTest, AnAllocatorCanBeMadeForTheSizeOfBlocks) {
  std::vector<uint32_t> asked;
  std::shared_ptr<PageAllocator> made = Order0Allocator({.page_bytes = 4096});
  FilesystemOptions options;
  options.make_allocator = [&](uint32_t node_bytes) {
    asked.push_back(node_bytes);
    return made;
  };
  {
    const auto opened = Filesystem::OpenDevices(Borrow(*pristine_), options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_THAT(asked, ElementsAre(4096));
    EXPECT_GT(made->stats().in_use_bytes, 0u);
  }
  EXPECT_EQ(made->stats().in_use_bytes, 0u);
  // None is the cache's own.
  made = nullptr;
  EXPECT_TRUE(Filesystem::OpenDevices(Borrow(*pristine_), options).ok());
  EXPECT_THAT(asked, ElementsAre(4096, 4096));
  // One that is given goes before it.
  options.cache.allocator = HeapAllocator({.page_bytes = 4096});
  EXPECT_TRUE(Filesystem::OpenDevices(Borrow(*pristine_), options).ok());
  EXPECT_THAT(asked, SizeIs(2));
}

TEST_F(FilesystemTest, ListsEveryTree) {
  const std::unique_ptr<Filesystem> filesystem = Open();
  std::vector<WalkDamage> damage;
  std::vector<std::string> names;
  for (const TreeRoot& tree : filesystem->Trees(&damage)) names.push_back(tree.name);
  EXPECT_THAT(names, ElementsAre("ROOT_TREE", "CHUNK_TREE", "EXTENT_TREE", "DEV_TREE", "FS_TREE",
                                 "CSUM_TREE", "QUOTA_TREE", "UUID_TREE", "FREE_SPACE_TREE",
                                 "DATA_RELOC_TREE"));
  EXPECT_THAT(damage, IsEmpty());
  EXPECT_THAT(filesystem->open_damage(), IsEmpty());
}

TEST_F(FilesystemTest, FindsEachTreeById) {
  const std::unique_ptr<Filesystem> filesystem = Open();
  for (const TreeRoot& root : filesystem->Trees(nullptr)) {
    const absl::StatusOr<BTree> tree = filesystem->Tree(root.id);
    ASSERT_TRUE(tree.ok()) << tree.status();
    EXPECT_EQ(tree->root().bytenr, root.bytenr) << root.name;
    EXPECT_EQ(tree->root().name, root.name);
  }
  EXPECT_TRUE(absl::IsNotFound(filesystem->Tree(300).status()));
  EXPECT_TRUE(absl::IsNotFound(filesystem->Tree(kTreeLogId).status()));
}

TEST_F(FilesystemTest, IterationMeetsWhatTheWalkCounts) {
  const std::unique_ptr<Filesystem> filesystem = Open();
  for (const TreeRoot& root : filesystem->Trees(nullptr)) {
    RecordingVisitor walk;
    WalkTree(filesystem->cache(), root, walk);
    EXPECT_THAT(walk.damage, IsEmpty()) << root.name;
    ItemRange items = BTree(&filesystem->cache(), root).Items();
    uint64_t count = 0;
    Key last = kMinKey;
    for (const Item& item : items) {
      EXPECT_TRUE(count == 0 || last < item.key()) << item.key().ToString();
      last = item.key();
      ++count;
    }
    EXPECT_TRUE(items.status().ok()) << items.status();
    EXPECT_EQ(count, walk.items) << root.name;
  }
}

TEST_F(FilesystemTest, EveryFileHasAnInode) {
  const std::unique_ptr<Filesystem> filesystem = Open();
  const absl::StatusOr<BTree> tree = filesystem->Tree(kFsTreeId);
  ASSERT_TRUE(tree.ok());
  ASSERT_GE(tree->root().level, 2) << "the image is too small for this test";
  int inodes = 0;
  ItemRange items = tree->Items();
  for (const Item& item : items) inodes += item.key().type == kInodeItemType;
  EXPECT_EQ(inodes, kFiles + 1) << "the files and the directory";
  EXPECT_TRUE(tree->Find({256, kInodeItemType, 0}).ok());
}

TEST_F(FilesystemTest, ReadsAndChecksSingleBlocks) {
  const std::unique_ptr<Filesystem> filesystem = Open();
  const uint64_t root = filesystem->superblock().root;
  EXPECT_TRUE(filesystem->ReadTreeBlock(root).ok());
  EXPECT_TRUE(filesystem->ReadTreeBlock(root, {.owner = kRootTreeId}).ok());
  EXPECT_TRUE(absl::IsDataLoss(filesystem->ReadTreeBlock(root, {.owner = kExtentTreeId}).status()));
}

TEST_F(FilesystemTest, OneBadCopyIsRecoveredFrom) {
  const BTree tree = *Open()->Tree(kFsTreeId);
  const std::unique_ptr<Filesystem> filesystem = Open();
  const std::vector<uint64_t> copies = CopiesOf(*filesystem, tree.root().bytenr);
  ASSERT_THAT(copies, SizeIs(2));
  const Flipped flipped(copies[0]);
  RecordingVisitor walk;
  WalkTree(filesystem->cache(), tree.root(), walk);
  EXPECT_THAT(walk.damage, IsEmpty());
  ASSERT_THAT(mirrors_, SizeIs(1));
  EXPECT_EQ(mirrors_[0].logical, tree.root().bytenr);
  EXPECT_EQ(mirrors_[0].mirror, 1);
  EXPECT_EQ(mirrors_[0].place.offset, copies[0]);
  EXPECT_TRUE(mirrors_[0].recovered);
}

TEST_F(FilesystemTest, TwoBadCopiesAreDamageThatNamesBoth) {
  const std::unique_ptr<Filesystem> filesystem = Open();
  const TreeRoot root = filesystem->Tree(kFsTreeId)->root();
  RecordingVisitor whole;
  WalkTree(filesystem->cache(), root, whole);
  filesystem->cache().DropCaches();

  const uint64_t leaf = whole.visited.back();
  const std::vector<uint64_t> copies = CopiesOf(*filesystem, leaf);
  const Flipped first(copies[0]);
  const Flipped second(copies[1]);
  RecordingVisitor walk;
  WalkTree(filesystem->cache(), root, walk);
  ASSERT_THAT(walk.damage, SizeIs(1));
  const std::string message = walk.damage[0].ToString();
  EXPECT_THAT(message,
              HasSubstr(absl::StrCat("tree FS_TREE, level 0, block ", leaf, ": no good copy")));
  EXPECT_THAT(message, HasSubstr(absl::StrCat("mirror 1 on sample at ", copies[0])));
  EXPECT_THAT(message, HasSubstr(absl::StrCat("mirror 2 on sample at ", copies[1])));
  EXPECT_THAT(message, HasSubstr("checksum mismatch (crc32c)"));
  EXPECT_EQ(walk.visited.size() + 1, whole.visited.size()) << "the rest is visited";
}

TEST_F(FilesystemTest, OpensWithoutTheChunkTree) {
  uint64_t chunk_root = 0;
  std::vector<uint64_t> copies;
  {
    const std::unique_ptr<Filesystem> filesystem = Open();
    chunk_root = filesystem->superblock().chunk_root;
    copies = CopiesOf(*filesystem, chunk_root);
  }
  std::vector<std::unique_ptr<Flipped>> flipped;
  for (uint64_t copy : copies) flipped.push_back(std::make_unique<Flipped>(copy));
  const std::unique_ptr<Filesystem> filesystem = Open();
  ASSERT_NE(filesystem, nullptr);
  ASSERT_THAT(filesystem->open_damage(), SizeIs(1));
  EXPECT_EQ(filesystem->open_damage()[0].tree, kChunkTreeId);
  EXPECT_EQ(filesystem->open_damage()[0].logical, chunk_root);

  std::vector<WalkDamage> damage;
  EXPECT_THAT(filesystem->Trees(&damage), SizeIs(2)) << "what the superblock knows";
  EXPECT_THAT(damage, Contains(Field(&WalkDamage::tree, kRootTreeId)));
}

TEST_F(FilesystemTest, FindsTreesInTheLeavesThatAreLeft) {
  const std::unique_ptr<Filesystem> whole = Open();
  const BTree root_tree = *whole->Tree(kRootTreeId);
  ASSERT_GE(root_tree.root().level, 1) << "the image is too small for this test";
  const uint64_t last_leaf = root_tree.SearchBackward(kMaxKey)->leaf()->start();
  std::vector<std::unique_ptr<Flipped>> flipped;
  for (uint64_t copy : CopiesOf(*whole, last_leaf)) {
    flipped.push_back(std::make_unique<Flipped>(copy));
  }
  const std::unique_ptr<Filesystem> filesystem = Open();
  std::vector<WalkDamage> damage;
  const std::vector<TreeRoot> trees = filesystem->Trees(&damage);
  EXPECT_LT(trees.size(), whole->Trees(nullptr).size());
  EXPECT_THAT(trees, Contains(Field(&TreeRoot::name, "EXTENT_TREE")));
  ASSERT_THAT(damage, SizeIs(1));
  EXPECT_EQ(damage[0].logical, last_leaf);
}

TEST(FilesystemErrors, OneDeviceUnderTwoNames) {
  const std::string path = ::testing::TempDir() + "/one-device";
  const std::string link = ::testing::TempDir() + "/the-same-device";
  const std::string other = ::testing::TempDir() + "/another-device";
  for (const std::string& name : {path, other}) std::ofstream(name) << "no filesystem";
  unlink(link.c_str());
  ASSERT_EQ(symlink(path.c_str(), link.c_str()), 0);
  const auto message = [](const std::vector<std::string>& paths) {
    return std::string(Filesystem::Open(paths).status().message());
  };
  EXPECT_EQ(message({path, link}), absl::StrCat(path, " and ", link, " are the same device"));
  EXPECT_EQ(message({other, path, path}), absl::StrCat(path, " is given twice"));
  EXPECT_THAT(message({path, other}), Not(HasSubstr("same device")));
  // Of one that is not there opening it says more.
  EXPECT_THAT(message({"/nowhere", "/nowhere"}), HasSubstr("No such file"));
}

TEST(FilesystemErrors, NameThePath) {
  const absl::Status missing = Filesystem::Open({"/no/such/image"}).status();
  EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
  EXPECT_THAT(std::string(missing.message()), HasSubstr("/no/such/image"));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Filesystem::OpenDevices(std::vector<std::unique_ptr<BlockDevice>>()).status()));
}

}  // namespace
}  // namespace ebcache::testing
