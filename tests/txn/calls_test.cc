// Calls and filesystems that a transaction has to refuse, because what they lead to is refused by
// kernels, or loses what is there.

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_quota.h"
#include "ebcache/transaction.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class CallsTest : public SessionTest {
 protected:
  static void Fill(Session& session, uint64_t first, uint64_t count, size_t bytes = 60,
                   uint8_t salt = 0) {
    auto transaction = session.Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    for (uint64_t number = first; number < first + count; ++number) {
      const absl::Status status = PutAttribute(**transaction, number, bytes, salt);
      ASSERT_TRUE(status.ok()) << status;
    }
    const absl::Status committed = (*transaction)->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
  }
};

TEST_F(CallsTest, RangesThatHaveRootItemsBehindOtherKeysAreRefused) {
  Make("-n 4096");
  Open();
  auto transaction = session_->Begin();
  ASSERT_TRUE(transaction.ok());
  const Key behind_fs_root{kFsTreeId, 133, 0};
  const Key behind_csum_root{kCsumTreeId, 0xff, kMaxKey.offset};
  for (const KeyRange& range :
       {KeyRange{behind_fs_root, behind_csum_root},
        KeyRange{behind_fs_root, {kCsumTreeId + 1, 0, 0}},
        KeyRange{{kFsTreeId, 132, 0}, {kFsTreeId, 132, 0}}, KeyRange{kMinKey, kMaxKey}}) {
    EXPECT_TRUE(absl::IsInvalidArgument((*transaction)->RemoveRange(kRootTreeId, range).status()));
  }
  for (const KeyRange& range :
       {KeyRange{behind_fs_root, {kFsTreeId + 1, 131, kMaxKey.offset}},
        KeyRange{{kFsTreeId, 133, 0}, {kFsTreeId, 150, 0}}, KeyRange{kMaxKey, kMaxKey}}) {
    EXPECT_TRUE((*transaction)->RemoveRange(kRootTreeId, range).ok());
  }
  (*transaction)->Abort();
}

TEST_F(CallsTest, SystemChunksHaveNoOtherType) {
  Make("");
  Open();
  auto transaction = session_->Begin();
  ASSERT_TRUE(transaction.ok());
  for (const uint64_t other : {kBlockGroupData, kBlockGroupMetadata}) {
    EXPECT_TRUE(absl::IsInvalidArgument(
        (*transaction)
            ->MakeChunk(kBlockGroupSystem | other, RaidProfile::kSingle, 1 << 24)
            .status()));
  }
  ASSERT_TRUE((*transaction)->Commit().ok());
  ExpectSound();
}

TEST_F(CallsTest, TreesThatNoKernelTakesAreNotMade) {
  Make("");
  Open();
  auto transaction = session_->Begin();
  ASSERT_TRUE(transaction.ok());
  for (const uint64_t id : {uint64_t{0}, kTreeLogId, kTreeRelocId}) {
    EXPECT_TRUE(absl::IsInvalidArgument((*transaction)->CreateTree(id))) << id;
  }
  ASSERT_TRUE((*transaction)->Commit().ok());
  ExpectSound();
}

TEST_F(CallsTest, OneSessionOfAFilesystemAtATime) {
  Make("-n 4096");
  Open();
  Fill(*session_, 0, 300);
  {
    absl::StatusOr<std::unique_ptr<Session>> other = Session::Open(filesystem_.get());
    EXPECT_TRUE(absl::IsFailedPrecondition(other.status())) << other.status();
    if (other.ok()) {
      Fill(*session_, 300, 300);
      Fill(**other, 600, 300);
      Fill(*session_, 900, 300);
    }
  }
  session_.reset();
  {
    absl::StatusOr<std::unique_ptr<Session>> other = Session::Open(filesystem_.get());
    ASSERT_TRUE(other.ok()) << other.status();
    Fill(**other, 600, 300);
  }
  ExpectSound();
}

// What the extent tree says while more is told, between two changes, is no refusal: a change that was
// taken from what waits is lost with it.
TEST_F(CallsTest, AnExtentThatCannotBeToldEndsTheTransaction) {
  Make("-n 4096");
  Open();
  auto transaction = session_->Begin();
  ASSERT_TRUE(transaction.ok());
  // More than may wait, in data chunks, where nothing is: the first that is told has no item.
  absl::Status status;
  for (int chunks = 0; status.ok() && chunks < 8; ++chunks) {
    const auto chunk = (*transaction)->MakeChunk(kBlockGroupData, RaidProfile::kSingle);
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    for (uint64_t at = 0; status.ok() && at < chunk->length; at += 4096) {
      status =
          (*transaction)
              ->ChangeDataReference(
                  {.extent = chunk->logical + at, .bytes = 4096, .tree = kFsTreeId, .inode = 257},
                  1);
    }
  }
  ASSERT_FALSE(status.ok());
  const SampleItem item = MakeAttribute(1, 60);
  EXPECT_FALSE(absl::IsNotFound(status)) << status;
  EXPECT_FALSE((*transaction)->Insert(kFsTreeId, item.key, item.data).ok()) << status;
  EXPECT_FALSE((*transaction)->Commit().ok());
}

// What waits at an address that was free is the caller's mistake, and no item that exists.
TEST_F(CallsTest, ReferencesToWhatIsFreeEndTheTransaction) {
  Make("-n 4096");
  Open();
  auto transaction = session_->Begin();
  ASSERT_TRUE(transaction.ok());
  for (const Chunk& chunk : filesystem_->volume().chunks()) {
    if ((chunk.type & kBlockGroupMetadata) == 0) continue;
    for (uint64_t i = 0; i < 1000; ++i) {
      (void)(*transaction)
          ->ChangeDataReference(
              {.extent = chunk.logical + i * 4096, .bytes = 4096, .tree = kFsTreeId, .inode = 257},
              1);
    }
  }
  const SampleItem item = MakeAttribute(1, 60);
  const absl::Status status = (*transaction)->Insert(kFsTreeId, item.key, item.data);
  ASSERT_FALSE(status.ok());
  EXPECT_FALSE(absl::IsAlreadyExists(status)) << status;
  EXPECT_FALSE((*transaction)->Commit().ok());
}

// Without joins a block beside the way is not read, not even where it is the only one that is left.
TEST_F(CallsTest, TheLastBlockBesideTheWayIsNotReadForALowerRoot) {
  Make("-n 4096 -m dup");
  Open();
  Fill(*session_, 0, 40);
  std::vector<KeyPointer> leaves;
  uint64_t damaged_at = 0;
  std::vector<uint64_t> places;
  {
    const absl::StatusOr<BTree> tree = filesystem_->Tree(kFsTreeId);
    ASSERT_TRUE(tree.ok());
    const absl::StatusOr<ExtentBufferRef> root = filesystem_->ReadTreeBlock(tree->root().bytenr);
    ASSERT_TRUE(root.ok());
    ASSERT_EQ(Header(**root).level(), 1);
    for (uint32_t i = 0; i < Header(**root).item_count(); ++i) {
      leaves.push_back(LoadKeyPointer(**root, i));
    }
    damaged_at = leaves[0].bytenr;
    const auto copies = filesystem_->volume().Map(damaged_at, 4096);
    ASSERT_TRUE(copies.ok());
    for (const PhysicalExtent& copy : *copies) places.push_back(copy.place.offset);
  }
  ASSERT_GE(leaves.size(), 2u);
  const ItemMap items = ItemsOf(paths_, kFsTreeId);
  Close();
  for (const uint64_t place : places) {
    std::fstream file(paths_[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(place));
    file << std::string(4096, 'x');
  }
  Open({.join_neighbours = false, .undo_file = ""});
  auto transaction = session_->Begin();
  ASSERT_TRUE(transaction.ok());
  for (auto item = items.lower_bound(leaves[1].key); item != items.end(); ++item) {
    const absl::Status status = (*transaction)->Remove(kFsTreeId, item->first);
    ASSERT_TRUE(status.ok()) << status;
  }
  const absl::Status committed = (*transaction)->Commit();
  EXPECT_TRUE(committed.ok()) << committed;
}

// More references than the extent tree has room to count, and sums of such that no number holds.
TEST_F(CallsTest, CountsThatNoExtentHas) {
  Make("-n 4096");
  Open();
  auto transaction = Begin();
  const Transaction::DataReference reference{.extent = 1 << 20, .bytes = 4096, .tree = kFsTreeId};
  for (const int64_t count : {std::numeric_limits<int64_t>::min(),
                              std::numeric_limits<int64_t>::max(), int64_t{1} << 32}) {
    EXPECT_TRUE(absl::IsInvalidArgument(transaction->ChangeDataReference(reference, count)));
  }
  EXPECT_TRUE(transaction->Commit().ok());
}

// What is freed would have to go from that tree, too.
TEST_F(CallsTest, ARaidStripeTreeIsRefused) {
  Make("-n 4096");
  std::array<std::byte, kSuperblockBytes> bytes;
  std::fstream file(paths_[0], std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(kSuperblockOffsets[0]));
  file.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
  absl::StatusOr<Superblock> superblock = ParseSuperblock(bytes, kSuperblockOffsets[0]);
  ASSERT_TRUE(superblock.ok()) << superblock.status();
  superblock->incompat_flags |= static_cast<uint64_t>(IncompatFlag::kRaidStripeTree);
  ASSERT_TRUE(EncodeSuperblock(*superblock, absl::MakeSpan(bytes)).ok());
  file.seekp(static_cast<std::streamoff>(kSuperblockOffsets[0]));
  file.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  file.close();
  filesystem_ = OpenWritable(paths_);
  ASSERT_NE(filesystem_, nullptr);
  EXPECT_TRUE(absl::IsUnimplemented(Session::Open(filesystem_.get()).status()));
}

// One call that changes more than may wait in memory.
TEST_F(CallsTest, LongOnesAreBoundedInMemory) {
  Make("-n 4096");
  filesystem_ = OpenWritable(paths_, uint64_t{1} << 20);
  ASSERT_NE(filesystem_, nullptr);
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Open(filesystem_.get(), {.most_unwritten_bytes = 64 * 4096});
  ASSERT_TRUE(session.ok()) << session.status();
  session_ = *std::move(session);
  Fill(*session_, 0, 4000, 1000);
  for (const bool rewrite : {true, false}) {
    auto transaction = Begin();
    const uint64_t written = transaction->counts().blocks_written_early;
    EXPECT_EQ(written, 0u);
    if (rewrite) {
      const auto next = transaction->Rewrite(kFsTreeId, kMinKey, ~uint64_t{0});
      ASSERT_TRUE(next.ok()) << next.status();
      EXPECT_FALSE(next->has_value());
      EXPECT_GT(transaction->counts().blocks_copied, 1000u);
      EXPECT_GT(transaction->counts().blocks_written_early, 900u);
    } else {
      const auto removed = transaction->RemoveRange(
          kFsTreeId, {.from = {256, kXattrItemType, 0}, .to = {256, kXattrItemType, ~uint64_t{0}}});
      ASSERT_TRUE(removed.ok()) << removed.status();
      EXPECT_EQ(*removed, 4000u);
    }
    EXPECT_LE(filesystem_->cache().stats().dirty_buffers, 64u + 200u);
    // The budget's 256 blocks, and what the commit itself has to hold.
    EXPECT_LE(filesystem_->cache().stats().peak_cached_buffers, 256u + 200u);
    const absl::Status status = transaction->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }
  ExpectSound();
}

// They are not counted here, and the next kernel is told.
TEST_F(CallsTest, QuotasAreInconsistentAfterwards) {
  Make("-n 4096 -R quota");
  Open();
  const auto flags = [this]() -> uint64_t {
    const absl::StatusOr<Path> path =
        filesystem_->Tree(kQuotaTreeId)->Find({0, kQgroupStatusType, 0});
    EXPECT_TRUE(path.ok()) << path.status();
    Item item;
    EXPECT_TRUE(path->Load(item).ok());
    return ParseItem<QgroupStatus>(item.data())->flags;
  };
  ASSERT_EQ(flags() & (kQgroupStatusOn | kQgroupStatusInconsistent), kQgroupStatusOn);
  Fill(*session_, 0, 10);
  EXPECT_NE(flags() & kQgroupStatusInconsistent, 0u);
  EXPECT_NE(flags() & kQgroupStatusOn, 0u);
}

// A rescan that a kernel has begun would go on behind what it has counted: it is begun again, as is
// measured in docs/transactions.md.
TEST_F(CallsTest, ARescanOfQuotasBeginsAgain) {
  Make("-n 4096 -R quota");
  Open();
  const Key status_key{0, kQgroupStatusType, 0};
  const Key info_key{0, kQgroupInfoType, kFsTreeId};
  const Key group_key{0, kQgroupInfoType, uint64_t{1} << 48};
  const auto quotas = [this] { return ItemsOf(*filesystem_->Tree(kQuotaTreeId)); };
  const auto status_of = [&] { return ParseItem<QgroupStatus>(quotas().at(status_key)).value(); };
  const auto info_of = [&](const Key& key) {
    return ParseItem<QgroupInfo>(quotas().at(key)).value();
  };
  const QgroupInfo counted{3, 1 << 20, 1 << 19, 4096, 2048};
  for (const bool rescan : {false, true}) {
    QgroupStatus status = status_of();
    status.flags = kQgroupStatusOn | (rescan ? kQgroupStatusRescan | kQgroupStatusInconsistent : 0);
    status.rescan = 20000000;
    std::vector<std::byte> status_bytes;
    std::vector<std::byte> info_bytes;
    ASSERT_TRUE(AppendItem(status, status_bytes).ok());
    ASSERT_TRUE(AppendItem(counted, info_bytes).ok());
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->Replace(kQuotaTreeId, status_key, status_bytes).ok());
    ASSERT_TRUE(transaction->Replace(kQuotaTreeId, info_key, info_bytes).ok());
    ASSERT_TRUE((rescan ? transaction->Replace(kQuotaTreeId, group_key, info_bytes)
                        : transaction->Insert(kQuotaTreeId, group_key, info_bytes))
                    .ok());
    ASSERT_TRUE(transaction->Commit().ok());
    EXPECT_EQ(status_of().flags, status.flags | kQgroupStatusInconsistent);
    EXPECT_EQ(status_of().rescan, rescan ? 0u : 20000000u);
    for (const Key& key : {info_key, group_key}) {
      EXPECT_EQ(info_of(key), rescan ? QgroupInfo{.generation = 3} : counted);
    }
  }
}

}  // namespace
}  // namespace ebcache::testing
