// Real block devices, opened for writing: for one writer, and not while something has them.

#include <absl/status/status.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/device_use.h"
#include "lib/base/status_number.h"
#include "lib/base/unique_fd.h"
#include "tests/device/loop.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kInUse[] = "is in use by the kernel or by another program";

absl::StatusOr<std::unique_ptr<BlockDevice>> OpenToWrite(const std::string& path) {
  return OpenFileDevice(path, {.writable = true});
}
absl::Status Refused(const std::string& path, const std::string& use) {
  return WithNumber(absl::FailedPreconditionError(path + " " + use), EBUSY);
}

class ExclusiveDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(top_);
    fs::create_directories(top_);
    std::ofstream(image_) << "no filesystem";
    fs::resize_file(image_, 1 << 20);
    loop_.emplace(image_);
    if (!loop_->ok()) GTEST_SKIP() << "SKIPPED: no loop device: " << loop_->why();
  }
  void TearDown() override {
    // What a test that failed has left mounted, however often.
    while (umount2(mounted_.c_str(), 0) == 0) {
    }
    fs::remove_all(top_);
  }

  const fs::path top_ = fs::path(::testing::TempDir()) / "exclusive_device";
  const std::string image_ = top_ / "disk.img";
  const std::string mounted_ = top_ / "mounted";
  std::optional<Loop> loop_;
};

TEST_F(ExclusiveDeviceTest, ASecondWriterIsRefusedAndReadersAreNot) {
  auto first = OpenToWrite(loop_->path());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(OpenToWrite(loop_->path()).status(), Refused(loop_->path(), kInUse));
  EXPECT_EQ(OpenToWrite(image_).status(),
            Refused(image_, "is open for writing by another program"));
  EXPECT_TRUE(OpenFileDevice(loop_->path()).ok());
  EXPECT_TRUE(OpenFileDevice(image_).ok());
  EXPECT_EQ(open(loop_->path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC), -1);
  first->reset();
  EXPECT_EQ(OpenToWrite(loop_->path()).status(), absl::OkStatus());
}

// The other way round: a loop device is its file as well.
TEST_F(ExclusiveDeviceTest, AWriterOfItsFile) {
  auto image = OpenToWrite(image_);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(
      OpenToWrite(loop_->path()).status(),
      Refused(loop_->path(), "reads " + image_ + ", which is open for writing by another program"));
  image->reset();
  EXPECT_EQ(OpenToWrite(loop_->path()).status(), absl::OkStatus());
}

TEST_F(ExclusiveDeviceTest, AnotherLoopDeviceThatReadsTheSame) {
  const Loop other(image_);
  ASSERT_TRUE(other.ok()) << other.why();
  auto device = OpenToWrite(other.path());
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(OpenToWrite(loop_->path()).status(),
            Refused(loop_->path(), "reads the same as " + other.path() + ", which " + kInUse));
  device->reset();
  EXPECT_EQ(OpenToWrite(loop_->path()).status(), absl::OkStatus());
}

// One file may have several devices in it.
TEST_F(ExclusiveDeviceTest, LoopDevicesThatReadOtherPartsOfAFile) {
  const Loop front(image_, 0, 256 << 10);
  const Loop back(image_, 256 << 10);
  loop_.reset();
  ASSERT_TRUE(front.ok()) << front.why();
  ASSERT_TRUE(back.ok()) << back.why();
  auto device = OpenToWrite(front.path());
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(OpenToWrite(back.path()).status(), absl::OkStatus());
}

TEST_F(ExclusiveDeviceTest, WhatItReadsAllOf) {
  const Loop upper(loop_->path());
  ASSERT_TRUE(upper.ok()) << upper.why();
  auto device = OpenToWrite(loop_->path());
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(OpenToWrite(upper.path()).status(),
            Refused(upper.path(), "reads " + loop_->path() + ", which " + kInUse));
}

TEST_F(ExclusiveDeviceTest, WhatItWritesIsThere) {
  auto device = OpenToWrite(loop_->path());
  ASSERT_TRUE(device.ok()) << device.status();
  const std::string text = "written";
  for (const uint64_t offset : {uint64_t{512}, uint64_t{65536}}) {
    DeviceWrite write{.offset = offset,
                      .segments = {{reinterpret_cast<const std::byte*>(text.data()), text.size()}}};
    (*device)->WriteCached(absl::MakeSpan(&write, 1));
    EXPECT_EQ(write.status, absl::OkStatus());
  }
  EXPECT_EQ((*device)->Flush(), absl::OkStatus());
  std::string found(text.size(), '?');
  std::ifstream(image_).seekg(65536).read(found.data(), static_cast<long>(found.size()));
  EXPECT_EQ(found, text);
}

TEST_F(ExclusiveDeviceTest, ALoopDeviceThatReadsIt) {
  const Loop upper(loop_->path());
  ASSERT_TRUE(upper.ok()) << upper.why();
  EXPECT_EQ(OpenToWrite(loop_->path()).status(), absl::OkStatus());
  const UniqueFd holder(open(upper.path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  ASSERT_TRUE(holder.ok()) << std::strerror(errno);
  EXPECT_EQ(OpenToWrite(loop_->path()).status(),
            Refused(loop_->path(), "is what " + upper.path() + " reads, which " + kInUse));
}

// Whichever way it is reached; and nothing mounts it while it is open.
TEST_F(ExclusiveDeviceTest, AMountedFilesystem) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: no mkfs.btrfs";
  const std::vector<std::string> images = MakeImages("", 1);
  ASSERT_EQ(images.size(), 1u);
  const Loop loop(images[0]);
  ASSERT_TRUE(loop.ok()) << loop.why();
  const std::string& where = mounted_;
  fs::create_directories(where);
  const auto mount_it = [&] {
    return mount(loop.path().c_str(), where.c_str(), "btrfs", MS_RDONLY, nullptr);
  };
  auto device = OpenToWrite(loop.path());
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(mount_it(), -1);
  if (errno == EPERM || errno == ENODEV) {
    GTEST_SKIP() << "SKIPPED: no mounts of btrfs here: " << std::strerror(errno);
  }
  EXPECT_EQ(errno, EBUSY);
  device->reset();
  ASSERT_EQ(mount_it(), 0) << std::strerror(errno);
  const std::string use = "is mounted at " + where;
  EXPECT_EQ(OpenToWrite(loop.path()).status(), Refused(loop.path(), use));
  EXPECT_EQ(OpenToWrite(images[0]).status(),
            Refused(images[0], "is what " + loop.path() + " reads, which " + use));
  EXPECT_TRUE(OpenFileDevice(loop.path()).ok());
  EXPECT_EQ(umount2(where.c_str(), 0), 0) << std::strerror(errno);
  EXPECT_EQ(OpenToWrite(loop.path()).status(), absl::OkStatus());
  EXPECT_EQ(OpenToWrite(images[0]).status(), absl::OkStatus());
}

}  // namespace
}  // namespace ebcache::testing
