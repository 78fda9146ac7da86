// The check of a whole filesystem on what a transaction would leave: findings that items bring about which
// were put in or taken out, each kind alone.

#include <absl/types/span.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/items.h"
#include "ebcache/preview.h"
#include "ebcache/transaction.h"
#include "lib/format/checksum.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"
#include "tools/check/checker.h"
#include "tools/progress.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kTop = 256;
constexpr uint64_t kFile = 300;
constexpr uint64_t kOrphans = static_cast<uint64_t>(-5);
constexpr uint64_t kIndex = 7;
constexpr char kName[] = "name";
const Key kInodeOfFile{kFile, kInodeItemType, 0};

using Counts = std::map<std::string, uint64_t>;

Counts CheckOf(Filesystem& filesystem, uint32_t threads) {
  tools::Progress progress;
  const tools::CheckReport report =
      tools::CheckFilesystem(filesystem, {.memory_bytes = 16 << 20, .threads = threads}, progress);
  Counts counts;
  for (size_t i = 0; i < tools::kFindingKinds; ++i) {
    const auto kind = static_cast<tools::FindingKind>(i);
    if (report.findings->count(kind) == 0) continue;
    counts[std::string(tools::FindingKindName(kind))] = report.findings->count(kind);
  }
  return counts;
}

template <typename T>
std::vector<std::byte> Bytes(const T& value) {
  std::vector<std::byte> bytes;
  EXPECT_TRUE(AppendItem(value, bytes).ok());
  return bytes;
}

class CheckPreviewTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    paths_ = MakeImages("-O no-holes", 1, uint64_t{128} << 20);
    ASSERT_FALSE(paths_.empty());
    auto preview = Preview::Open(paths_);
    ASSERT_TRUE(preview.ok()) << preview.status();
    preview_ = *std::move(preview);
  }

  // What the check says of the preview after these changes, with one thread and with two.
  Counts After(const std::function<void(Transaction&)>& change) {
    const auto filesystem = preview_->OpenFilesystem({.writable = true});
    EXPECT_TRUE(filesystem.ok()) << filesystem.status();
    {
      const auto session = Session::Open(filesystem->get());
      EXPECT_TRUE(session.ok()) << session.status();
      const auto transaction = (*session)->Begin();
      EXPECT_TRUE(transaction.ok()) << transaction.status();
      change(**transaction);
      const absl::Status committed = (*transaction)->Commit();
      EXPECT_TRUE(committed.ok()) << committed;
    }
    const Counts counts = CheckOf(**filesystem, 1);
    EXPECT_EQ(CheckOf(**filesystem, 2), counts);
    return counts;
  }

  template <typename T>
  static void Put(Transaction& transaction, const Key& key, const T& value) {
    const absl::Status status = transaction.Insert(kFsTreeId, key, Bytes(value));
    EXPECT_TRUE(status.ok()) << status;
  }
  static void PutFile(Transaction& transaction, uint32_t links) {
    InodeItem inode;
    inode.generation = inode.transaction = 1;
    inode.link_count = links;
    inode.mode = S_IFREG | 0644;
    Put(transaction, kInodeOfFile, inode);
  }
  static void PutOrphan(Transaction& transaction) {
    Put(transaction, {kOrphans, kOrphanItemType, kFile}, EmptyItem{});
  }
  static void PutName(Transaction& transaction) {
    Put(transaction, {kFile, kInodeRefType, kTop}, InodeRef{.index = kIndex, .name = kName});
  }
  // To the file, or to a subvolume.
  static DirEntry Entry(bool subvolume) {
    const Key to = subvolume ? Key{kFile, kRootItemType, ~uint64_t{0}} : kInodeOfFile;
    const auto type = subvolume ? DirEntryType::kDirectory : DirEntryType::kFile;
    return {.location = to,
            .transaction = 1,
            .type = static_cast<uint8_t>(type),
            .name = kName,
            .data = {}};
  }
  static void PutEntry(Transaction& transaction, bool subvolume) {
    const std::string name = kName;
    const uint32_t hash =
        NameHash(absl::MakeSpan(reinterpret_cast<const std::byte*>(name.data()), name.size()));
    Put(transaction, {kTop, kDirItemType, hash}, Entry(subvolume));
  }
  static void PutIndex(Transaction& transaction, bool subvolume) {
    Put(transaction, {kTop, kDirIndexType, kIndex}, Entry(subvolume));
  }
  static void SetTopSize(Transaction& transaction, uint64_t size) {
    const Key key{kTop, kInodeItemType, 0};
    const auto tree = transaction.Tree(kFsTreeId);
    ASSERT_TRUE(tree.ok());
    Item item;
    ASSERT_TRUE(tree->Find(key)->Load(item).ok());
    InodeItem inode = *ParseItem<InodeItem>(item.data());
    inode.size = size;
    EXPECT_TRUE(transaction.Replace(kFsTreeId, key, Bytes(inode)).ok());
  }

  std::vector<std::string> paths_;
  std::unique_ptr<Preview> preview_;
};

constexpr uint64_t kNameBytes = sizeof(kName) - 1;

TEST_F(CheckPreviewTest, AFileThatIsWhollyThereIsSound) {
  EXPECT_EQ(After([](Transaction& transaction) {
              PutFile(transaction, 1);
              PutName(transaction);
              PutEntry(transaction, false);
              PutIndex(transaction, false);
              SetTopSize(transaction, 2 * kNameBytes);
            }),
            Counts());
}

TEST_F(CheckPreviewTest, AnUnlinkedFileWithItsOrphanIsSound) {
  EXPECT_EQ(After([](Transaction& transaction) {
              PutFile(transaction, 0);
              PutOrphan(transaction);
            }),
            Counts());
}

// Kernels leave such where a file was being truncated.
TEST_F(CheckPreviewTest, AnOrphanOfALinkedFileIsSound) {
  EXPECT_EQ(After([](Transaction& transaction) {
              PutOrphan(transaction);
              PutFile(transaction, 1);
              PutName(transaction);
              PutEntry(transaction, false);
              PutIndex(transaction, false);
              SetTopSize(transaction, 2 * kNameBytes);
            }),
            Counts());
}

TEST_F(CheckPreviewTest, OrphanMissing) {
  EXPECT_EQ(After([](Transaction& transaction) { PutFile(transaction, 0); }),
            Counts({{"orphan-missing", 1}}));
}

TEST_F(CheckPreviewTest, InodeMissing) {
  EXPECT_EQ(After([](Transaction& transaction) {
              Put(transaction, {kFile, kVerityDescriptorType, 1}, EmptyItem{});
            }),
            Counts({{"inode-missing", 1}}));
}

TEST_F(CheckPreviewTest, EntryWithoutIndex) {
  EXPECT_EQ(After([](Transaction& transaction) {
              PutEntry(transaction, true);
              SetTopSize(transaction, kNameBytes);
            }),
            Counts({{"entry-without-index", 1}}));
}

TEST_F(CheckPreviewTest, IndexWithoutEntry) {
  EXPECT_EQ(After([](Transaction& transaction) {
              PutIndex(transaction, true);
              SetTopSize(transaction, kNameBytes);
            }),
            Counts({{"index-without-entry", 1}}));
}

TEST_F(CheckPreviewTest, EntryWithoutName) {
  EXPECT_EQ(After([](Transaction& transaction) {
              PutFile(transaction, 0);
              PutOrphan(transaction);
              PutEntry(transaction, false);
              PutIndex(transaction, false);
              SetTopSize(transaction, 2 * kNameBytes);
            }),
            Counts({{"entry-without-name", 1}}));
}

TEST_F(CheckPreviewTest, NameWithoutEntry) {
  EXPECT_EQ(After([](Transaction& transaction) {
              PutFile(transaction, 1);
              PutName(transaction);
            }),
            Counts({{"name-without-entry", 1}}));
}

}  // namespace
}  // namespace ebcache::testing
