// What real loop devices tell of what they read, and whether they are open for one user alone.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "ebcache/device_use.h"
#include "lib/base/unique_fd.h"
#include "tests/device/loop.h"

namespace ebcache::testing {
namespace {

namespace fs = std::filesystem;

class LoopDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(top_);
    fs::create_directories(top_);
    for (const fs::path& file : {image_, other_}) {
      std::ofstream(file) << "no filesystem";
      fs::resize_file(file, 1 << 20);
    }
    loop_.emplace(image_);
    if (!loop_->ok()) GTEST_SKIP() << "SKIPPED: no loop device: " << loop_->why();
  }
  void TearDown() override { fs::remove_all(top_); }

  // Has `path` for one user alone while `look` runs.
  template <typename Look>
  static void Held(const std::string& path, Look look) {
    const UniqueFd holder(open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    ASSERT_TRUE(holder.ok()) << path << ": " << std::strerror(errno);
    look();
  }

  // As if the loop device had this name for what it reads, this number, and this place in /dev.
  std::optional<std::string> UseWith(const fs::path& path, const fs::path& backing, dev_t number,
                                     const fs::path& there) {
    const fs::path sys = top_ / "sys/block" / loop_->name();
    fs::create_directories(sys / "loop");
    fs::create_directories(top_ / "dev");
    std::ofstream(sys / "loop/backing_file") << backing.string() << "\n";
    std::ofstream(sys / "dev") << major(number) << ":" << minor(number) << "\n";
    fs::remove(top_ / "dev" / loop_->name());
    fs::create_symlink(there, top_ / "dev" / loop_->name());
    return FindDeviceUse(path, {.proc = "/proc", .sys = top_ / "sys", .dev = top_ / "dev"});
  }

  const fs::path top_ = fs::path(::testing::TempDir()) / "loop_device";
  const fs::path image_ = top_ / "disk.img";
  const fs::path other_ = top_ / "other.img";
  std::optional<Loop> loop_;
};

constexpr char kInUse[] = "is in use by the kernel or by another program";

TEST_F(LoopDeviceTest, HeldByAnother) {
  EXPECT_EQ(FindDeviceUse(loop_->path()), std::nullopt);
  EXPECT_EQ(FindDeviceUse(image_), std::nullopt);
  Held(loop_->path(), [&] {
    EXPECT_EQ(FindDeviceUse(loop_->path()), kInUse);
    EXPECT_EQ(FindDeviceUse(image_), "is what " + loop_->path() + " reads, which " + kInUse);
    EXPECT_EQ(FindDeviceUse(other_), std::nullopt);
  });
  // The look has not left it held.
  EXPECT_EQ(FindDeviceUse(loop_->path()), std::nullopt);
}

TEST_F(LoopDeviceTest, ItsFileHasLostItsName) {
  fs::create_hard_link(image_, top_ / "link.img");
  fs::remove(image_);
  fs::rename(other_, image_);
  Held(loop_->path(), [&] {
    EXPECT_EQ(FindDeviceUse(top_ / "link.img"),
              "is what " + loop_->path() + " reads, which " + kInUse);
    EXPECT_EQ(FindDeviceUse(image_), std::nullopt);
  });
}

TEST_F(LoopDeviceTest, ALoopDeviceReadsIt) {
  const Loop upper(loop_->path());
  ASSERT_TRUE(upper.ok()) << upper.why();
  EXPECT_EQ(FindDeviceUse(image_), std::nullopt);
  Held(upper.path(), [&] {
    const std::string use = "is what " + upper.path() + " reads, which " + kInUse;
    EXPECT_EQ(FindDeviceUse(upper.path()), kInUse);
    EXPECT_EQ(FindDeviceUse(loop_->path()), use);
    EXPECT_EQ(FindDeviceUse(image_), "is what " + loop_->path() + " reads, which " + use);
  });
}

// What the device tells counts, and the name only where it is another device that is there.
TEST_F(LoopDeviceTest, NamesAndNumbers) {
  const std::string use =
      "is what " + (top_ / "dev" / loop_->name()).string() + " reads, which " + kInUse;
  const dev_t number = loop_->number();
  const dev_t wrong = makedev(major(number), minor(number) + 1000);
  Held(loop_->path(), [&] {
    EXPECT_EQ(UseWith(image_, other_, number, loop_->path()), use);
    EXPECT_EQ(UseWith(other_, other_, number, loop_->path()), std::nullopt);
    EXPECT_EQ(UseWith(image_, other_, wrong, loop_->path()), std::nullopt);
    // By its name it is the image, but nothing else than the device is opened.
    EXPECT_EQ(UseWith(image_, image_, wrong, loop_->path()), std::nullopt);
    EXPECT_EQ(UseWith(image_, image_, number, "/dev/null"), std::nullopt);
    EXPECT_EQ(UseWith(image_, image_, number, "nowhere"), std::nullopt);
  });
}

}  // namespace
}  // namespace ebcache::testing
