// A crash while the UUID of a filesystem changes. On one device: the one state or the other. On several
// there is a third, devices of different UUIDs, which nothing opens: the undo file leads back from it.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/crash/crash_states.h"
#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/device/recording_device.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

constexpr size_t kLeastStates = 60;
constexpr uint64_t kSeed = 20261129;

class FsidCrashTest : public ::testing::TestWithParam<DiskKind> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    path_ = absl::StrCat(::testing::TempDir(), "/fsid-", getpid());
    unlink(path_.c_str());
    begin_ = MakeDisks(GetParam());
    ASSERT_FALSE(begin_.empty());
  }
  void TearDown() override { unlink(path_.c_str()); }

  void SetFsid(DeviceLog* log) {
    const auto filesystem = OpenDisks(begin_, {.writable = true, .log = log});
    ASSERT_TRUE(filesystem.ok()) << filesystem.status();
    const auto session = Session::Open(filesystem->get(), {.undo_file = path_});
    ASSERT_TRUE(session.ok()) << session.status();
    const auto transaction = (*session)->Begin();
    ASSERT_TRUE(transaction.ok());
    Uuid uuid;
    uuid.fill(std::byte{0x11});
    ASSERT_TRUE((*transaction)->SetFsid(uuid).ok());
    const absl::Status committed = (*transaction)->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
    std::ifstream file(path_, std::ios::binary);
    undo_ = {std::istreambuf_iterator<char>(file), {}};
  }
  Disks Undo(const Disks& disks) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << undo_;
    DeviceLog log;
    std::vector<std::unique_ptr<BlockDevice>> devices;
    for (size_t i = 0; i < disks.size(); ++i) {
      devices.push_back(std::make_unique<RecordingDevice>(absl::StrCat("disk", i), disks[i], &log));
    }
    const absl::Status undone = UndoSession(devices, path_);
    EXPECT_TRUE(undone.ok()) << undone;
    return log.After({.entries = log.size()});
  }

  std::string path_;
  std::string undo_;
  Disks begin_;
};

TEST_P(FsidCrashTest, LeavesAStateThatCanBeHad) {
  DeviceLog log;
  ASSERT_NO_FATAL_FAILURE(SetFsid(&log));
  const DiskState base = LookAt(begin_);
  const DiskState next = LookAt(log.After({.entries = log.size()}));
  ASSERT_EQ(base.complaint, "");
  ASSERT_EQ(next.complaint, "");
  ASSERT_NE(base.digest, next.digest);
  size_t mixed = 0;
  CrashStates states(&log, kSeed);
  states.ForEach(kLeastStates, [&](const Crash& crash) {
    const Disks left = log.After(crash);
    const DiskState found = LookAt(left);
    if (found.complaint.empty()) {
      EXPECT_EQ(found.digest, found.generation == base.generation ? base.digest : next.digest);
    } else {
      ++mixed;
      EXPECT_GT(begin_.size(), 1u) << found.complaint;
      EXPECT_NE(found.complaint.find("of another filesystem"), std::string::npos)
          << found.complaint;
      const Disks undone = Undo(left);
      EXPECT_EQ(LookAt(undone).digest, base.digest);
      EXPECT_EQ(SuperblocksOf(undone), SuperblocksOf(begin_));
    }
    return !HasFailure();
  });
  EXPECT_GE(states.visited(), kLeastStates);
  EXPECT_EQ(mixed > 0, begin_.size() > 1) << mixed;
}

INSTANTIATE_TEST_SUITE_P(All, FsidCrashTest, ::testing::ValuesIn(kDiskKinds),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ebcache::testing
