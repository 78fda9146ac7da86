// What the system tells of mounts, read from files made for the purpose; devices answer what the
// test wants. Real loop devices are in loop_device_test.cc, real mounts by btrfs in
// tests/images/in_use_test.py.

#include "ebcache/device_use.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <system_error>

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
  // The loop device tells what it reads, as those do that the process may open.
  void Tells(int number, const fs::path& file) {
    struct stat info;
    ASSERT_EQ(stat(file.c_str(), &info), 0) << file;
    sources_[number] = {.filesystem = info.st_dev, .inode = info.st_ino, .device = 0};
  }
  void Tells(int number, dev_t device) {
    sources_[number] = {.filesystem = 6, .inode = 95, .device = device};
  }
  void Partition(const std::string& whole, const std::string& name, const std::string& number) {
    Write(top_ / "sys/dev/block" / whole / name / "dev", number + "\n");
    Write(top_ / "sys/dev/block" / whole / name / "partition", "1\n");
  }
  void Holder(const std::string& held, const std::string& name, const std::string& number) {
    Write(top_ / "sys/dev/block" / held / "holders" / name / "dev", number + "\n");
  }
  void BelongsToMounted(const std::string& name, const std::string& number) {
    Write(top_ / "sys/fs/btrfs" / kFsid / "devices" / name / "dev", number + "\n");
  }
  void Mounts(const std::string& lines) { Write(top_ / "proc/self/mountinfo", lines); }
  std::string Dev(const std::string& name) { return (top_ / "dev" / name).string(); }

  std::optional<std::string> Use(const fs::path& path) {
    return FindDeviceUse(
        path,
        {.proc = top_ / "proc",
         .sys = top_ / "sys",
         .dev = top_ / "dev",
         .loop_source = [&](const std::string& loop, dev_t number) -> std::optional<LoopSource> {
           EXPECT_TRUE(!names_by_number_ || loop == Dev("loop" + std::to_string(minor(number))))
               << loop;
           const auto source = sources_.find(minor(number));
           if (source == sources_.end()) return std::nullopt;
           return source->second;
         },
         .open_alone =
             [&](const std::string& device, dev_t number) {
               opened_[device] = number;
               const auto error = open_errors_.find(number);
               return error == open_errors_.end() ? 0 : error->second;
             }});
  }
  // A block device of this machine, which is only looked at by stat(). Empty: there is none.
  static std::string SomeBlockDevice() {
    std::error_code error;
    for (fs::directory_iterator at("/dev", error), end; !error && at != end; at.increment(error)) {
      if (at->is_block_file(error)) return at->path();
    }
    return {};
  }

  const fs::path top_ = fs::path(::testing::TempDir()) / "device_use";
  const fs::path image_ = top_ / "disk.img";
  std::map<unsigned, LoopSource> sources_;  // by minor number
  bool names_by_number_ = true;             // of loop devices
  std::map<dev_t, int> open_errors_;
  std::map<std::string, dev_t> opened_;
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

// What looks like the beginning of an escape and is none stays as it is.
TEST_F(DeviceUseTest, MountedWhereABackslashIsJustThat) {
  BelongsToMounted("loop3", "7:3");
  Mounts("2 1 0:57 / /mnt/a\\09x\\04 rw,relatime shared:1 - btrfs " + Dev("loop3") +
         " rw,subvol=/\n");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which is mounted at /mnt/a\\09x\\04");
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

// A loop device has its file open: it goes on reading it when it has lost its name, and in a mount
// namespace where it has another one.
TEST_F(DeviceUseTest, TheNameThatALoopDeviceKnowsDoesNotMatter) {
  BelongsToMounted("loop3", "7:3");
  Mounts("");
  Loop(3, image_.string() + " (deleted)");
  Tells(3, image_);
  EXPECT_NE(Use(image_), std::nullopt);
  Loop(3, "/a/name/of/another/mount/namespace");
  EXPECT_NE(Use(image_), std::nullopt);
}

// What the loop device tells is true, also where there is another file of that name by now.
TEST_F(DeviceUseTest, AnotherFileHasTheNameNow) {
  BelongsToMounted("loop3", "7:3");
  Write(top_ / "moved.img", "what the loop device reads");
  Tells(3, top_ / "moved.img");
  EXPECT_EQ(Use(image_), std::nullopt);
  EXPECT_NE(Use(top_ / "moved.img"), std::nullopt);
}

// Inode numbers are of one filesystem.
TEST_F(DeviceUseTest, AFileOfAnotherFilesystem) {
  BelongsToMounted("loop3", "7:3");
  Tells(3, image_);
  EXPECT_NE(Use(image_), std::nullopt);
  ++sources_[3].filesystem;
  EXPECT_EQ(Use(image_), std::nullopt);
  --sources_[3].filesystem;
  ++sources_[3].inode;
  EXPECT_EQ(Use(image_), std::nullopt);
}

TEST_F(DeviceUseTest, EndsOfLinesInANameThatIsAllThereIs) {
  BelongsToMounted("loop4", "7:4");
  for (const char* name : {"two\nlines.img", "\n", "end\n", "\nbegin", "none (deleted)"}) {
    Write(top_ / "names" / name, "an image");
    Loop(4, top_ / "names" / name);
    EXPECT_NE(Use(top_ / "names" / name), std::nullopt) << name;
    EXPECT_EQ(Use(image_), std::nullopt) << name;
  }
}

TEST_F(DeviceUseTest, ALoopDeviceThatALoopDeviceReads) {
  Tells(3, image_);
  Loop(4, "/dev/loop3");
  Tells(4, makedev(7, 3));
  EXPECT_EQ(Use(image_), std::nullopt);
  BelongsToMounted("loop4", "7:4");
  Mounts("2 1 0:57 / /mnt rw - btrfs " + Dev("loop4") + " rw\n");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which is what " + Dev("loop4") +
                             " reads, which is mounted at /mnt");
}

// What is written by way of one of them changes what the other one reads.
TEST_F(DeviceUseTest, TwoLoopDevicesOverOneFile) {
  Partition("7:3", "loop3p1", "259:1");
  const std::string device = SomeBlockDevice();
  if (device.empty()) GTEST_SKIP() << "SKIPPED: no block device in /dev";
  struct stat info;
  ASSERT_EQ(stat(device.c_str(), &info), 0);
  // As if that were a loop device, which cannot be asked.
  const fs::path loop = top_ / "sys/block/loop9";
  Write(loop / "dev",
        std::to_string(major(info.st_rdev)) + ":" + std::to_string(minor(info.st_rdev)) + "\n");
  Write(loop / "loop/backing_file", image_.string() + "\n");
  names_by_number_ = false;
  EXPECT_EQ(Use(device), std::nullopt);
  BelongsToMounted("loop3p1", "259:1");
  Mounts("2 1 0:57 / /mnt rw - btrfs " + Dev("loop3p1") + " rw\n");
  const std::string use = "reads the same as " + Dev("loop3") + ", which has the partition " +
                          Dev("loop3p1") + ", which is mounted at /mnt";
  EXPECT_EQ(Use(device), use);
  // Other parts of the file are other bytes.
  const fs::path other = top_ / "sys/block/loop3/loop";
  Write(loop / "loop/offset", "4096\n");
  EXPECT_EQ(Use(device), use);
  Write(other / "sizelimit", "4096\n");
  EXPECT_EQ(Use(device), std::nullopt);
  Write(other / "sizelimit", "4097\n");
  EXPECT_EQ(Use(device), use);
  Write(other / "offset", "4096\n");
  Write(loop / "loop/offset", "0\n");
  Write(loop / "loop/sizelimit", "4096\n");
  EXPECT_EQ(Use(device), std::nullopt);
  // A limit that reaches beyond all numbers is none.
  Write(loop / "loop/offset", "4096\n");
  Write(loop / "loop/sizelimit", "18446744073709551615\n");
  EXPECT_EQ(Use(device), use);
  Write(loop / "loop/backing_file", (top_ / "another.img").string() + "\n");
  EXPECT_EQ(Use(device), std::nullopt);
}

// In whichever order the system lists them, and however many they are.
TEST_F(DeviceUseTest, AChainOfLoopDevices) {
  constexpr int kLast = 40;
  Loop(kLast, image_);
  Tells(kLast, image_);
  for (int number = 4; number < kLast; ++number) {
    Loop(number, "/dev/loop" + std::to_string(number + 1));
    Tells(number, makedev(7, number + 1));
  }
  EXPECT_EQ(Use(image_), std::nullopt);
  BelongsToMounted("loop4", "7:4");
  EXPECT_NE(Use(image_), std::nullopt);
}

// The kernel makes none, but what is read of devices that change meanwhile may look like it.
TEST_F(DeviceUseTest, ACircleHasAnEnd) {
  for (const int number : {3, 4, 5}) {
    Loop(number, "/dev/loop");
    Partition("7:" + std::to_string(number), "loop3p1", "259:1");
    Tells(number, makedev(259, 1));
  }
  Partition("259:1", "loop3p1", "259:1");
  Tells(3, image_);
  EXPECT_EQ(Use(image_), std::nullopt);
  BelongsToMounted("loop5", "7:5");
  EXPECT_NE(Use(image_), std::nullopt);
}

TEST_F(DeviceUseTest, PartitionsOfALoopDevice) {
  Partition("7:3", "loop3p1", "259:1");
  Write(top_ / "sys/dev/block/7:3/queue/dev", "259:2\n");  // no partition
  BelongsToMounted("loop9", "259:2");
  EXPECT_EQ(Use(image_), std::nullopt);
  BelongsToMounted("loop3p1", "259:1");
  Mounts("2 1 0:57 / /mnt rw - btrfs " + Dev("loop3p1") + " rw\n");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which has the partition " +
                             Dev("loop3p1") + ", which is mounted at /mnt");
}

// Also where the process may not open them.
TEST_F(DeviceUseTest, PartOfAnotherDevice) {
  open_errors_[makedev(7, 3)] = EACCES;
  Holder("7:3", "md!a", "9:0");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which is part of " + Dev("md/a"));
  Loop(4, "/dev/md/a");
  Tells(4, makedev(9, 0));
  BelongsToMounted("loop4", "7:4");
  Mounts("2 1 0:57 / /mnt rw - btrfs " + Dev("loop4") + " rw\n");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which is part of " + Dev("md/a") +
                             ", which is what " + Dev("loop4") +
                             " reads, which is mounted at /mnt");
}

TEST_F(DeviceUseTest, HeldByAnother) {
  Tells(3, image_);
  Loop(4, "/dev/loop3");
  Tells(4, makedev(7, 3));
  EXPECT_EQ(Use(image_), std::nullopt);
  EXPECT_EQ(opened_, (std::map<std::string, dev_t>{{Dev("loop3"), makedev(7, 3)},
                                                   {Dev("loop4"), makedev(7, 4)}}));
  // Not known is not in use.
  for (const int error : {EACCES, EPERM, ENODEV, ENXIO, ENOMEDIUM, EIO}) {
    open_errors_[makedev(7, 3)] = open_errors_[makedev(7, 4)] = error;
    EXPECT_EQ(Use(image_), std::nullopt) << error;
  }
  open_errors_[makedev(7, 4)] = EBUSY;
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which is what " + Dev("loop4") +
                             " reads, which is in use by the kernel or by another program");
  open_errors_[makedev(7, 3)] = EBUSY;
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") +
                             " reads, which is in use by the kernel or by another program");
  // A mount says more.
  BelongsToMounted("loop4", "7:4");
  Mounts("2 1 0:57 / /mnt rw - btrfs " + Dev("loop4") + " rw\n");
  EXPECT_EQ(Use(image_), "is what " + Dev("loop3") + " reads, which is what " + Dev("loop4") +
                             " reads, which is mounted at /mnt");
}

TEST_F(DeviceUseTest, BlockDevices) {
  const std::string device = SomeBlockDevice();
  if (device.empty()) GTEST_SKIP() << "SKIPPED: no block device in /dev";
  struct stat info;
  ASSERT_EQ(stat(device.c_str(), &info), 0);
  EXPECT_EQ(Use(device), std::nullopt);
  EXPECT_EQ(opened_, (std::map<std::string, dev_t>{{device, info.st_rdev}}));
  open_errors_[info.st_rdev] = EBUSY;
  EXPECT_EQ(Use(device), "is in use by the kernel or by another program");

  // The loop device tells, or there is only the name.
  constexpr unsigned kLoop = 1000;
  Loop(kLoop, device);
  BelongsToMounted("loop1000", "7:1000");
  Mounts("2 1 0:57 / /mnt rw - btrfs " + Dev("loop1000") + " rw\n");
  const std::string through = "is what " + Dev("loop1000") + " reads, which is mounted at /mnt";
  EXPECT_EQ(Use(device), through);
  Loop(kLoop, "/dev/of another mount namespace");
  EXPECT_NE(Use(device), through);
  Tells(kLoop, info.st_rdev);
  EXPECT_EQ(Use(device), through);
  // The file of its node is not what it reads.
  sources_[kLoop] = {.filesystem = info.st_dev, .inode = info.st_ino, .device = 0};
  EXPECT_NE(Use(device), through);

  BelongsToMounted("this",
                   std::to_string(major(info.st_rdev)) + ":" + std::to_string(minor(info.st_rdev)));
  Mounts("2 1 0:57 / /mnt rw - btrfs " + device + " rw\n");
  EXPECT_EQ(Use(device), "is mounted at /mnt");
}

// The second of two loop devices over one file.
TEST_F(DeviceUseTest, EveryLoopDeviceIsLookedAt) {
  Loop(5, image_);
  BelongsToMounted("loop5", "7:5");
  Mounts("");
  EXPECT_NE(Use(image_), std::nullopt);
}

// As it is with a loop device that goes between the opening of what is said of it and the reading.
TEST_F(DeviceUseTest, WhatCannotBeReadSaysNothing) {
  fs::create_directories(top_ / "sys/block/loop4/loop/backing_file");
  EXPECT_EQ(Use(image_), std::nullopt);
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
