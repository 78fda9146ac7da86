// The UUID that a filesystem is known by: superblocks have it, and blocks keep theirs.

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/transaction.h"
#include "ebcache/undo.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

Uuid MakeUuid(uint8_t byte) {
  Uuid uuid;
  uuid.fill(static_cast<std::byte>(byte));
  return uuid;
}

class FsidTest : public SessionTest {
 protected:
  void MakeAndOpen(const std::string& options, int devices = 1) {
    Make(options, devices);
    undo_file_ = paths_[0] + ".undo";
    std::filesystem::remove(undo_file_);
    Open();
    made_ = filesystem_->superblock().fsid;
    items_ = ItemsOf(paths_, kFsTreeId);
  }
  absl::Status Set(const Uuid& uuid) {
    const std::unique_ptr<Transaction> transaction = Begin();
    absl::Status status = transaction->SetFsid(uuid);
    if (!status.ok()) return status;
    status = transaction->Commit();
    EXPECT_TRUE(status.ok()) << status;
    return status;
  }
  // As readers have it that open it anew.
  void ExpectFsid(const Uuid& fsid, bool has_metadata_uuid) {
    Open();
    const Superblock superblock = filesystem_->superblock();
    EXPECT_EQ(superblock.fsid, fsid);
    EXPECT_EQ(superblock.has(IncompatFlag::kMetadataUuid), has_metadata_uuid);
    EXPECT_EQ(superblock.metadata_uuid, has_metadata_uuid ? made_ : Uuid{});
    EXPECT_EQ(superblock.header_fsid(), made_);
    for (const DeviceItem& device : filesystem_->volume().devices()) {
      EXPECT_EQ(device.fsid, made_);
    }
    Close();
    EXPECT_EQ(WalkDamageOf(paths_), "");
    EXPECT_EQ(CheckComplaintOf(paths_), "");
    EXPECT_EQ(ItemsOf(paths_, kFsTreeId), items_);
  }

  std::string undo_file_;
  Uuid made_{};
  ItemMap items_;
};

TEST_F(FsidTest, ChangesAndGoesBack) {
  MakeAndOpen("-n 4096");
  ASSERT_TRUE(Set(MakeUuid(0x11)).ok());
  // Readers of the filesystem that was open all the time, and what is written from here on.
  EXPECT_EQ(filesystem_->superblock().fsid, MakeUuid(0x11));
  {
    const std::unique_ptr<Transaction> transaction = Begin();
    ASSERT_TRUE(PutAttribute(*transaction, 1, 60).ok());
    ASSERT_TRUE(transaction->Commit().ok());
  }
  Close();
  items_ = ItemsOf(paths_, kFsTreeId);
  ExpectFsid(MakeUuid(0x11), true);
  Open();
  ASSERT_TRUE(Set(MakeUuid(0x22)).ok());
  ExpectFsid(MakeUuid(0x22), true);
  Open();
  ASSERT_TRUE(Set(made_).ok());
  ExpectFsid(made_, false);
}

TEST_F(FsidTest, TheSameOneIsNoFeature) {
  MakeAndOpen("-n 4096");
  ASSERT_TRUE(Set(made_).ok());
  ExpectFsid(made_, false);
}

// The last one counts.
TEST_F(FsidTest, TwiceInOneTransaction) {
  MakeAndOpen("-n 4096");
  const std::unique_ptr<Transaction> transaction = Begin();
  ASSERT_TRUE(transaction->SetFsid(MakeUuid(0x11)).ok());
  ASSERT_TRUE(transaction->SetFsid(MakeUuid(0x22)).ok());
  ASSERT_TRUE(transaction->Commit().ok());
  ExpectFsid(MakeUuid(0x22), true);
}

TEST_F(FsidTest, NoneIsRefused) {
  MakeAndOpen("-n 4096");
  EXPECT_TRUE(absl::IsInvalidArgument(Set(Uuid{})));
  ExpectFsid(made_, false);
}

TEST_F(FsidTest, OnSeveralDevicesItTakesAWayBack) {
  MakeAndOpen("-n 4096 -m raid1 -d raid1", 2);
  const absl::Status refused = Set(MakeUuid(0x11));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_NE(refused.message().find("undo_file"), std::string::npos) << refused;
  Close();
  std::vector<std::string> superblocks;
  for (const std::string& path : paths_) superblocks.push_back(SuperblocksOf(path));
  Open({.undo_file = undo_file_});
  ASSERT_TRUE(Set(MakeUuid(0x11)).ok());
  ExpectFsid(MakeUuid(0x11), true);
  const absl::Status undone = UndoSession(paths_, undo_file_);
  ASSERT_TRUE(undone.ok()) << undone;
  for (size_t i = 0; i < paths_.size(); ++i) {
    EXPECT_TRUE(SuperblocksOf(paths_[i]) == superblocks[i]);
  }
  ExpectFsid(made_, false);
}

// A crash between the superblocks of two devices: nothing puts them together, and the undo file leads
// back.
TEST_F(FsidTest, DevicesOfDifferentFsidsAreUndone) {
  MakeAndOpen("-n 4096 -m raid1 -d raid1", 2);
  Close();
  const std::string old = SuperblocksOf(paths_[1]);
  Open({.undo_file = undo_file_});
  ASSERT_TRUE(Set(MakeUuid(0x11)).ok());
  Close();
  PutSuperblocks(paths_[1], old);
  EXPECT_TRUE(absl::IsInvalidArgument(Filesystem::Open(paths_).status()));
  const absl::Status undone = UndoSession(paths_, undo_file_);
  ASSERT_TRUE(undone.ok()) << undone;
  ExpectFsid(made_, false);
}

// One that is not there would keep the old one.
TEST_F(FsidTest, WithoutAllDevicesItIsRefused) {
  MakeAndOpen("-n 4096 -m raid1 -d raid1", 2);
  Close();
  paths_.pop_back();
  Open({.undo_file = undo_file_});
  const absl::Status refused = Set(MakeUuid(0x11));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_NE(refused.message().find("missing"), std::string::npos) << refused;
}

}  // namespace
}  // namespace ebcache::testing
