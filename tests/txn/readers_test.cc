// Readers beside one writer: each view is of one commit, whole, for as long as it is held.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_file.h"
#include "ebcache/transaction.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kAttributes = 400;
constexpr int kCommits = 25;
constexpr int kReaders = 2;

// Attributes that each commit gives one value, the same for all.
absl::Status SetAll(Transaction& transaction, uint64_t tree, int commit) {
  for (uint64_t number = 0; number < kAttributes; ++number) {
    // Of its number nothing but the key: the value is that of the commit.
    const Key key = MakeAttribute(number, 0).key;
    const std::string name = "user." + std::to_string(number);
    const std::string value(120, static_cast<char>('A' + commit));
    std::vector<std::byte> data;
    absl::Status status = AppendItem(DirEntry{.type = 8, .name = name, .data = value}, data);
    if (status.ok()) {
      status =
          commit == 0 ? transaction.Insert(tree, key, data) : transaction.Replace(tree, key, data);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// The values that a tree has of these attributes, and how many there are.
void ExpectOneCommit(const BTree& tree) {
  std::set<std::string> values;
  uint64_t attributes = 0;
  ItemRange items = tree.Items();
  for (const Item& item : items) {
    if (item.key().type != kXattrItemType) continue;
    const absl::StatusOr<DirEntry> entry = ParseItem<DirEntry>(item.data());
    ASSERT_TRUE(entry.ok()) << entry.status();
    values.emplace(entry->data);
    ++attributes;
  }
  ASSERT_TRUE(items.status().ok()) << items.status();
  EXPECT_EQ(attributes, kAttributes);
  EXPECT_EQ(values.size(), 1u);
}

TEST(ReadersTest, SeeOneCommitEachBesideAWriterAndReclaim) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  const std::vector<std::string> paths = MakeImages("-n 4096");
  ASSERT_FALSE(paths.empty());
  // So small that blocks leave the cache while they are wanted.
  const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths, uint64_t{256} << 10);
  ASSERT_NE(filesystem, nullptr);
  absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(filesystem.get());
  ASSERT_TRUE(session.ok()) << session.status();
  const auto commit = [&](int number) {
    auto transaction = (*session)->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    absl::Status status = SetAll(**transaction, kFsTreeId, number);
    if (status.ok()) status = (*transaction)->Commit();
    ASSERT_TRUE(status.ok()) << status;
  };
  commit(0);
  // Relaxed: it says when to stop, and guards nothing.
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < kReaders; ++reader) {
    readers.emplace_back([&] {
      bool last = false;
      while (!last) {
        last = done.load(std::memory_order_relaxed);
        const CommittedView view = *(*session)->View();
        // Twice: what the first look has seen is still there, whatever was committed meanwhile.
        for (int look = 0; look < 2; ++look) {
          const absl::StatusOr<BTree> tree = view.Tree(kFsTreeId);
          ASSERT_TRUE(tree.ok()) << tree.status();
          ASSERT_NO_FATAL_FAILURE(ExpectOneCommit(*tree));
        }
      }
    });
  }
  for (int number = 1; number < kCommits; ++number) commit(number);
  done.store(true, std::memory_order_relaxed);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(CheckComplaintOf(paths), "");
}

}  // namespace
}  // namespace ebcache::testing
