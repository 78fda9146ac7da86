// What the system tells of mounts, read from files made for the purpose. Real mounts are in
// tests/images/in_use_test.py.

#include "ebcache/device_use.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace ebcache::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kFsid[] = "c9f687ab-85ef-40c7-89b5-cee0bba2c2ee";

class DeviceUseTest : public ::testing::Test {
 protected:
  DeviceUseTest() {
    fs::remove_all(top_);
    Write(image_, "no filesystem, which does not matter");
    Write(top_ / "sys/block/sda/dev", "8:0\n");
    Loop(3, image_);
  }

  static void Write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void Loop(int number, const fs::path& backing) {
    const fs::path loop = top_ / "sys/block" / ("loop" + std::to_string(number));
    Write(loop / "dev", "7:" + std::to_string(number) + "\n");
    Write(loop / "loop/backing_file", backing.string() + "\n");
  }
  void BelongsToMounted(const std::string& name, const std::string& number) {
    Write(top_ / "sys/fs/btrfs" / kFsid / "devices" / name / "dev", number + "\n");
  }
  void Mounts(const std::string& lines) { Write(top_ / "proc/self/mountinfo", lines); }
  std::string Dev(const std::string& name) { return (top_ / "dev" / name).string(); }

  std::optional<std::string> Use(const fs::path& path) {
    return FindDeviceUse(path, {.proc = top_ / "proc", .sys = top_ / "sys", .dev = top_ / "dev"});
  }

  const fs::path top_ = fs::path(::testing::TempDir()) / "device_use";
  const fs::path image_ = top_ / "disk.img";
};

TEST_F(DeviceUseTest, ALoopDeviceThatIsNotMounted) { EXPECT_EQ(Use(image_), std::nullopt); }

TEST_F(DeviceUseTest, MountedByThatDevice) {
  BelongsToMounted("loop3", "7:3");
  Mounts(
      "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "2 1 0:57 / /mnt/a\\040b\\134 rw,relatime shared:1 - btrfs " +
      Dev("loop3") + " rw,subvol=/\n");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which is mounted at /mnt/a b\\");
}

// mountinfo names one device of a filesystem, whichever it was mounted by.
TEST_F(DeviceUseTest, MountedByAnotherDeviceOfTheFilesystem) {
  BelongsToMounted("loop3", "7:3");
  BelongsToMounted("loop4", "7:4");
  Mounts("2 1 0:57 / /mnt rw - btrfs " + Dev("loop4") + " rw\n");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which is mounted at /mnt");
}

TEST_F(DeviceUseTest, MountedWhereThisProcessDoesNotSeeIt) {
  BelongsToMounted("loop3", "7:3");
  Mounts("2 1 0:58 / /other rw - btrfs " + Dev("loop4") + " rw\n");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") +
                             " reads, which belongs to a filesystem that is mounted (" + kFsid +
                             ")");
}

TEST_F(DeviceUseTest, AnotherFilesystemIsMounted) {
  BelongsToMounted("loop4", "7:4");
  Mounts("2 1 0:57 / /mnt rw - btrfs " + Dev("loop4") + " rw\n");
  EXPECT_EQ(Use(image_), std::nullopt);
}

// The same file by another name is the same file; another file of that name is not.
TEST_F(DeviceUseTest, NamesDoNotMatter) {
  BelongsToMounted("loop3", "7:3");
  fs::create_hard_link(image_, top_ / "other.img");
  EXPECT_NE(Use(top_ / "other.img"), std::nullopt);
  Write(top_ / "elsewhere/disk.img", "another one");
  EXPECT_EQ(Use(top_ / "elsewhere/disk.img"), std::nullopt);
}

// The second of two loop devices over one file.
TEST_F(DeviceUseTest, EveryLoopDeviceIsLookedAt) {
  Loop(5, image_);
  BelongsToMounted("loop5", "7:5");
  Mounts("");
  EXPECT_NE(Use(image_), std::nullopt);
}

TEST_F(DeviceUseTest, WhatIsNotThereIsNotInUse) {
  EXPECT_EQ(Use(top_ / "nowhere"), std::nullopt);
  EXPECT_EQ(Use(top_), std::nullopt);
  EXPECT_EQ(FindDeviceUse(image_, {.proc = "/nowhere", .sys = "/nowhere", .dev = "/nowhere"}),
            std::nullopt);
}

TEST_F(DeviceUseTest, WordsThatMeanNothing) {
  BelongsToMounted("loop3", "seven:three");
  BelongsToMounted("loop4", "7:4");
  Mounts("\n - \n1 2 3\n1 2 3 4 5 6 - btrfs\n2 1 0:57 / /m\\04 rw - btrfs " + Dev("loop4") +
         " rw\n");
  EXPECT_EQ(Use(image_), std::nullopt);
}

}  // namespace
}  // namespace ebcache::testing
