// Filesystems for tests of transactions: made by mkfs.btrfs, changed by us, looked at by others.

#ifndef EBCACHE_TESTS_TXN_TXN_FIXTURE_H_
#define EBCACHE_TESTS_TXN_TXN_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/transaction.h"

namespace ebcache::testing {

using ItemMap = std::map<Key, std::vector<std::byte>>;

// An extended attribute of the top directory, which every filesystem has: the one kind of item that
// may be added to a tree of files, and taken away, with no other item to be changed.
struct SampleItem {
  Key key;
  std::vector<std::byte> data;
};
// Attribute `number`, with a value of that many bytes; other `salt`, other bytes.
SampleItem MakeAttribute(uint64_t number, size_t value_bytes, uint8_t salt = 0);

// Open for writing, with a cache of that budget.
std::unique_ptr<Filesystem> OpenWritable(const std::vector<std::string>& paths,
                                         uint64_t budget_bytes = uint64_t{16} << 20);

// All items of a tree, as a reader has them that opens it anew.
ItemMap ItemsOf(const std::vector<std::string>& paths, uint64_t tree);
ItemMap ItemsOf(const BTree& tree);

// The first two copies of a device's superblock, as they lie there; and put there.
std::string SuperblocksOf(const std::string& path);
void PutSuperblocks(const std::string& path, const std::string& bytes);

// Inserts an attribute, or replaces it where it is there.
absl::Status PutAttribute(Transaction& transaction, uint64_t number, size_t value_bytes,
                          uint8_t salt = 0);

// A filesystem that mkfs.btrfs has made, and a session over it.
class SessionTest : public ::testing::Test {
 protected:
  // Skips the test where there is no mkfs.btrfs.
  void SetUp() override;
  void Make(const std::string& options, int devices = 1,
            uint64_t device_bytes = uint64_t{256} << 20);
  // Opens it, anew where it is open.
  void Open(SessionOptions options = {});
  void Close();
  std::unique_ptr<Transaction> Begin();
  // Closes it, and looks at it as others do.
  void ExpectSound();

  std::vector<std::string> paths_;
  std::unique_ptr<Filesystem> filesystem_;
  std::unique_ptr<Session> session_;
};

// Nothing where each block of each tree can be read and checked; else what is wrong first.
std::string WalkDamageOf(const std::vector<std::string>& paths);

// Nothing where `btrfs check` finds nothing to complain of; else its words.
std::string CheckComplaintOf(const std::vector<std::string>& paths);

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TXN_TXN_FIXTURE_H_
