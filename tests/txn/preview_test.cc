// Previews over images: what they show, what Apply makes of it, and what it refuses.

#include "ebcache/preview.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

std::string BytesOf(const std::string& path) {
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// Attributes from `first` on, in so many commits of one session.
void Change(Filesystem& filesystem, uint64_t first, uint64_t count, int commits) {
  const auto session = Session::Open(&filesystem);
  ASSERT_TRUE(session.ok()) << session.status();
  for (int i = 0; i < commits; ++i) {
    const auto transaction = (*session)->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    for (uint64_t number = first; number < first + count; ++number) {
      ASSERT_TRUE(PutAttribute(**transaction, number, 60, static_cast<uint8_t>(i)).ok());
    }
    const absl::Status status = (*transaction)->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }
}

struct Case {
  const char* name;
  const char* options;
  int devices;
  bool in_file;
};

class PreviewTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    paths_ = MakeImages(GetParam().options, GetParam().devices, uint64_t{128} << 20);
    ASSERT_FALSE(paths_.empty());
    Change(*OpenWritable(paths_), 0, 1000, 1);
    items_ = ItemsOf(paths_, kFsTreeId);
  }
  std::unique_ptr<Preview> Open(PreviewOptions options = {}) {
    if (GetParam().in_file) {
      options.file = paths_[0] + ".preview";
      std::filesystem::remove(options.file);
    }
    absl::StatusOr<std::unique_ptr<Preview>> preview = Preview::Open(paths_, options);
    EXPECT_TRUE(preview.ok()) << preview.status();
    return preview.ok() ? *std::move(preview) : nullptr;
  }
  // Items of the tree of files as the preview has them now.
  static ItemMap ItemsIn(Preview& preview) {
    const auto filesystem = preview.OpenFilesystem({});
    EXPECT_TRUE(filesystem.ok()) << filesystem.status();
    return filesystem.ok() ? ItemsOf(*(*filesystem)->Tree(kFsTreeId)) : ItemMap();
  }
  static void ChangeIn(Preview& preview, uint64_t first, int commits) {
    const auto filesystem = preview.OpenFilesystem({.writable = true});
    ASSERT_TRUE(filesystem.ok()) << filesystem.status();
    Change(**filesystem, first, 700, commits);
  }
  std::vector<std::string> Bytes() {
    std::vector<std::string> bytes;
    for (const std::string& path : paths_) bytes.push_back(BytesOf(path));
    return bytes;
  }

  std::vector<std::string> paths_;
  ItemMap items_;
};

TEST_P(PreviewTest, IsThrownAway) {
  const std::vector<std::string> before = Bytes();
  ItemMap changed;
  {
    const std::unique_ptr<Preview> preview = Open();
    EXPECT_EQ(preview->changed_bytes(), 0u);
    ChangeIn(*preview, 500, 2);
    EXPECT_GT(preview->changed_bytes(), 8u * 4096);
    EXPECT_EQ(preview->changed_bytes() % 4096, 0u);
    changed = ItemsIn(*preview);
    EXPECT_NE(changed, items_);
    EXPECT_TRUE(Bytes() == before);
  }
  EXPECT_TRUE(Bytes() == before);
  EXPECT_FALSE(std::filesystem::exists(paths_[0] + ".preview"));
}

// Over sessions and commits, each of which uses again what those before it have freed.
TEST_P(PreviewTest, IsApplied) {
  const std::unique_ptr<Preview> preview = Open();
  ChangeIn(*preview, 500, 6);
  ChangeIn(*preview, 0, 6);
  const ItemMap changed = ItemsIn(*preview);
  ASSERT_NE(changed, items_);
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), items_);
  const absl::Status status = preview->Apply();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), changed);
  EXPECT_EQ(WalkDamageOf(paths_), "");
  EXPECT_EQ(CheckComplaintOf(paths_), "");
  // It is over.
  EXPECT_TRUE(absl::IsFailedPrecondition(preview->Apply()));
  EXPECT_TRUE(absl::IsFailedPrecondition(preview->OpenFilesystem({}).status()));
}

TEST_P(PreviewTest, WithoutAChangeChangesNothing) {
  const std::vector<std::string> before = Bytes();
  ASSERT_TRUE(Open()->Apply().ok());
  EXPECT_TRUE(Bytes() == before);
}

TEST_P(PreviewTest, IsNotAppliedToWhatHasChanged) {
  const std::unique_ptr<Preview> preview = Open();
  ChangeIn(*preview, 500, 2);
  Change(*OpenWritable(paths_), 5000, 10, 1);
  const std::vector<std::string> before = Bytes();
  const absl::Status status = preview->Apply();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("was changed since the preview began"), std::string::npos);
  EXPECT_TRUE(Bytes() == before);
}

// One device of a filesystem, and the last mirror of one: each is looked at.
TEST_P(PreviewTest, IsNotAppliedWhereAnySuperblockIsAnother) {
  for (const std::string& path : paths_) {
    for (const std::streamoff offset : {65536, 64 << 20}) {
      const std::unique_ptr<Preview> preview = Open();
      ChangeIn(*preview, 500, 1);
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(offset + 4000);
      const char byte = static_cast<char>(file.get());
      file.seekp(offset + 4000);
      file.put(static_cast<char>(byte ^ 1)).flush();
      const std::vector<std::string> before = Bytes();
      EXPECT_TRUE(absl::IsFailedPrecondition(preview->Apply())) << path << offset;
      EXPECT_TRUE(Bytes() == before);
      file.seekp(offset + 4000);
      file.put(byte).flush();
      EXPECT_TRUE(preview->Apply().ok()) << path << offset;
    }
  }
}

TEST_P(PreviewTest, IsNotAppliedWhileADeviceIsInUse) {
  const std::unique_ptr<Preview> preview = Open();
  ChangeIn(*preview, 500, 2);
  {
    const auto other = OpenFileDevice(paths_.back(), {.writable = true});
    ASSERT_TRUE(other.ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(preview->Apply()));
    EXPECT_EQ(ItemsOf(paths_, kFsTreeId), items_);
  }
  const absl::Status status = preview->Apply();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_NE(ItemsOf(paths_, kFsTreeId), items_);
}

TEST_P(PreviewTest, OneFilesystemIsOpenForWriting) {
  const std::unique_ptr<Preview> preview = Open();
  {
    const auto filesystem = preview->OpenFilesystem({.writable = true});
    ASSERT_TRUE(filesystem.ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(preview->OpenFilesystem({.writable = true}).status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(preview->Apply()));
  }
  ChangeIn(*preview, 500, 1);
  EXPECT_TRUE(preview->Apply().ok());
}

TEST_P(PreviewTest, OneThatIsNotToBeApplied) {
  const std::unique_ptr<Preview> preview = Open({.applicable = false});
  ChangeIn(*preview, 500, 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(preview->Apply()));
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), items_);
}

// It needs room for all that it changes, as one that is applied does; one that is not needs none more
// than a session on the devices.
TEST_P(PreviewTest, WhatTheDevicesHaveIsKept) {
  for (const bool applicable : {true, false}) {
    const std::unique_ptr<Preview> preview = Open({.applicable = applicable});
    const auto filesystem = preview->OpenFilesystem({.writable = true});
    ASSERT_TRUE(filesystem.ok());
    uint64_t free_before = 0;
    for (int sessions = 0; sessions < 2; ++sessions) {
      const auto session = Session::Open(filesystem->get());
      ASSERT_TRUE(session.ok()) << session.status();
      if (sessions == 0) free_before = (*session)->free_bytes();
      const bool less = (*session)->free_bytes() < free_before;
      EXPECT_EQ(less, sessions == 1 && applicable);
      const auto transaction = (*session)->Begin();
      ASSERT_TRUE((*transaction)->Rewrite(kFsTreeId, kMinKey, 1000).ok());
      ASSERT_TRUE((*transaction)->Commit().ok());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PreviewTest,
                         ::testing::Values(Case{"Memory", "-n 4096", 1, false},
                                           Case{"File", "-n 4096", 1, true},
                                           Case{"Raid1File", "-n 16384 -m raid1 -d raid1", 2, true},
                                           Case{"NoTree", "-n 4096 -R ^free-space-tree", 1, false}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PreviewOpenTest, NoFilesystemAndNoDevice) {
  EXPECT_TRUE(absl::IsNotFound(Preview::Open({"/nowhere/disk.img"}).status()));
  const std::string path = ::testing::TempDir() + "/no-filesystem.img";
  std::ofstream(path, std::ios::binary) << std::string(1 << 20, 'x');
  EXPECT_FALSE(Preview::Open({path}).ok());
}

}  // namespace
}  // namespace ebcache::testing
