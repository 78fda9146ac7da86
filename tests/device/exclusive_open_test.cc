// One writer at a time, and none of what is in use. What uses it is read from files made for the
// purpose; real loop devices are in exclusive_device_test.cc.

#include "lib/device/exclusive_open.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "ebcache/block_device.h"
#include "lib/base/status_number.h"
#include "lib/base/unique_fd.h"
#include "tests/support/in_child.h"

namespace ebcache {
namespace {

namespace fs = std::filesystem;

class ExclusiveOpenTest : public ::testing::Test {
 protected:
  ExclusiveOpenTest() {
    fs::remove_all(top_);
    fs::create_directories(top_);
    Write(image_, "an image");
  }

  static void Write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  static absl::StatusOr<std::unique_ptr<BlockDevice>> OpenToWrite(const std::string& path) {
    return OpenFileDevice(path, {.writable = true});
  }

  const fs::path top_ = fs::path(::testing::TempDir()) / "exclusive_open";
  const std::string image_ = top_ / "disk.img";
  const absl::Status refused_ = WithNumber(
      absl::FailedPreconditionError(image_ + " is open for writing by another program"), EBUSY);
};

TEST_F(ExclusiveOpenTest, ASecondWriterIsRefusedAndReadersAreNot) {
  auto first = OpenToWrite(image_);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(OpenToWrite(image_).status(), refused_);
  fs::create_hard_link(image_, top_ / "link.img");
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenToWrite(top_ / "link.img").status()));
  EXPECT_TRUE(OpenFileDevice(image_).ok());
  first->reset();
  auto reader = OpenFileDevice(image_);
  EXPECT_EQ(OpenToWrite(image_).status(), absl::OkStatus()) << "a reader keeps no writer out";
}

TEST_F(ExclusiveOpenTest, AnotherProgramsLock) {
  const UniqueFd other(open(image_.c_str(), O_RDONLY | O_CLOEXEC));
  for (const int kind : {LOCK_EX, LOCK_SH}) {
    ASSERT_EQ(flock(other.get(), kind), 0);
    EXPECT_EQ(OpenToWrite(image_).status(), refused_);
  }
  ASSERT_EQ(flock(other.get(), LOCK_UN), 0);
  EXPECT_EQ(OpenToWrite(image_).status(), absl::OkStatus());
}

// A child that lets go of it does not let go of its parent's lock.
TEST_F(ExclusiveOpenTest, AChildTakesNothingFromItsParent) {
  auto device = OpenToWrite(image_);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(InChild([&] { device->reset(); }), "");
  EXPECT_EQ(OpenToWrite(image_).status(), refused_);
  device->reset();
  EXPECT_EQ(OpenToWrite(image_).status(), absl::OkStatus());
}

// While a child has it, that could write.
TEST_F(ExclusiveOpenTest, AChildKeepsWhatItHas) {
  auto device = OpenToWrite(image_);
  ASSERT_TRUE(device.ok()) << device.status();
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    write_end.Reset();
    char byte = 0;
    _exit(read(read_end.get(), &byte, 1) == 0 ? 0 : 1);  // until the parent has closed its end
  }
  ASSERT_GT(child, 0);
  device->reset();
  EXPECT_EQ(OpenToWrite(image_).status(), refused_);
  write_end.Reset();
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(OpenToWrite(image_).status(), absl::OkStatus());
}

TEST_F(ExclusiveOpenTest, WhatIsMountedIsRefusedAndNotKept) {
  const SystemPaths system = {.proc = top_ / "proc",
                              .sys = top_ / "sys",
                              .dev = top_ / "dev",
                              .loop_source = [](const std::string&, dev_t) { return std::nullopt; },
                              .open_alone = [](const std::string&, dev_t) { return 0; }};
  Write(top_ / "sys/block/loop3/dev", "7:3\n");
  Write(top_ / "sys/block/loop3/loop/backing_file", image_ + "\n");
  EXPECT_EQ(OpenForWriting(image_, system).status(), absl::OkStatus()) << "it is only read";
  Write(top_ / "sys/dev/block/7:3/loop3p1/dev", "259:1\n");
  Write(top_ / "sys/dev/block/7:3/loop3p1/partition", "1\n");
  Write(top_ / "sys/fs/btrfs/an-fsid/devices/loop3p1/dev", "259:1\n");
  const std::string loop = top_ / "dev/loop3";
  Write(top_ / "proc/self/mountinfo", "2 1 0:57 / /mnt rw - btrfs " + loop + "p1 rw\n");
  EXPECT_EQ(OpenForWriting(image_, system).status(),
            WithNumber(absl::FailedPreconditionError(image_ + " is what " + loop +
                                                     " reads, which has the partition " + loop +
                                                     "p1, which is mounted at /mnt"),
                       EBUSY));
  fs::remove_all(top_ / "sys/fs");
  EXPECT_EQ(OpenForWriting(image_, system).status(), absl::OkStatus()) << "its lock is gone";
}

// Of two that open it at the same moment one looks while the other one has the lock.
TEST_F(ExclusiveOpenTest, TheLockIsTakenBeforeTheLook) {
  int looks = 0;
  const SystemPaths system = {.sys = top_ / "sys", .loop_source = [&](const std::string&, dev_t) {
                                ++looks;
                                EXPECT_EQ(OpenToWrite(image_).status(), refused_);
                                return std::nullopt;
                              }};
  Write(top_ / "sys/block/loop3/dev", "7:3\n");
  Write(top_ / "sys/block/loop3/loop/backing_file", "/nowhere\n");
  EXPECT_EQ(OpenForWriting(image_, system).status(), absl::OkStatus());
  EXPECT_EQ(looks, 1);
}

TEST_F(ExclusiveOpenTest, Errors) {
  EXPECT_TRUE(absl::IsNotFound(OpenToWrite(top_ / "nothing").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(OpenToWrite(top_).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(OpenToWrite("/dev/null").status()));
  const std::string pipe = top_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(OpenToWrite(pipe).status()));
}

}  // namespace
}  // namespace ebcache
