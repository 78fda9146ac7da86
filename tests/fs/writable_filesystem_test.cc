// Filesystems opened for writing: what is written to the devices, and what is not.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"
#include "tests/device/memory_device.h"
#include "tests/format/format_bytes.h"
#include "tests/fs/sample_device.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr size_t kNode = 4096;

// An image of which one copy of the root tree's root is bad, opened in both ways: with its path, or
// with a device of the caller's.
class WritableFilesystemTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: mkfs.btrfs is not installed";
    paths_ = MakeImages("-m dup -n 4096");
    ASSERT_THAT(paths_, SizeIs(1));
    reader_ = *OpenFileDevice(paths_[0]);
    // By paths the filesystem opens it for itself: there is one writer at a time.
    if (!GetParam()) device_ = *OpenFileDevice(paths_[0], {.writable = true});
    const std::unique_ptr<Filesystem> filesystem = Open(false);
    ASSERT_NE(filesystem, nullptr);
    root_ = filesystem->superblock().root;
    const auto copies = filesystem->volume().Map(root_, kNode);
    ASSERT_TRUE(copies.ok());
    ASSERT_EQ(copies->size(), 2);
    for (size_t i = 0; i < 2; ++i) places_[i] = (*copies)[i].place.offset;
  }

  std::unique_ptr<Filesystem> Open(bool writable) {
    FilesystemOptions options{.writable = writable};
    auto opened = GetParam() ? Filesystem::Open(paths_, std::move(options))
                             : Filesystem::OpenDevices(Borrow(*device_), std::move(options));
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  Bytes Load(uint64_t offset, size_t bytes = kNode) {
    Bytes loaded(bytes);
    DeviceRead read{.offset = offset, .segments = {absl::MakeSpan(loaded)}};
    reader_->Read(absl::MakeSpan(&read, 1));
    EXPECT_EQ(read.status, absl::OkStatus());
    return loaded;
  }
  void Damage(uint64_t offset) {
    Bytes bytes = Load(offset);
    bytes[3000] ^= std::byte{1};
    DeviceWrite write{.offset = offset, .segments = {absl::MakeSpan(bytes)}};
    if (device_ != nullptr) {
      device_->Write(absl::MakeSpan(&write, 1));
    } else {
      (*OpenFileDevice(paths_[0], {.writable = true}))->Write(absl::MakeSpan(&write, 1));
    }
    ASSERT_EQ(write.status, absl::OkStatus());
  }

  std::vector<std::string> paths_;
  std::unique_ptr<BlockDevice> reader_;
  std::unique_ptr<BlockDevice> device_;  // null where the filesystem opens its own
  uint64_t root_ = 0;
  std::array<uint64_t, 2> places_{};
};

INSTANTIATE_TEST_SUITE_P(Both, WritableFilesystemTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Paths" : "Devices"; });

TEST_P(WritableFilesystemTest, BadCopiesAreReplacedWhereItIsWritable) {
  const Bytes sound = Load(places_[0]);
  ASSERT_EQ(sound, Load(places_[1]));
  Damage(places_[0]);
  const Bytes damaged = Load(places_[0]);
  EXPECT_TRUE(Open(false)->ReadTreeBlock(root_).ok());
  EXPECT_EQ(Load(places_[0]), damaged);
  EXPECT_TRUE(Open(true)->ReadTreeBlock(root_).ok());
  EXPECT_EQ(Load(places_[0]), sound);
}

// The next superblock, of a commit that changes nothing but the label.
TEST_P(WritableFilesystemTest, Superblocks) {
  const std::unique_ptr<Filesystem> filesystem = Open(true);
  Volume& volume = filesystem->volume();
  Superblock next = volume.superblock();
  ++next.generation;
  next.label = "written";
  std::vector<SuperblockFailure> failures;
  EXPECT_TRUE(absl::IsPermissionDenied(
      Open(false)->volume().WriteSuperblocks(next, volume.devices(), &failures)));
  ASSERT_EQ(volume.WriteSuperblocks(next, volume.devices(), &failures), absl::OkStatus());
  EXPECT_THAT(failures, IsEmpty());
  volume.PublishSuperblock(next);
  EXPECT_EQ(filesystem->superblock().label, "written");

  for (const uint64_t offset : {kSuperblockOffsets[0], kSuperblockOffsets[1]}) {
    const auto found = ParseSuperblock(Load(offset, kSuperblockBytes), offset);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->label, "written");
    EXPECT_EQ(found->generation, next.generation);
    EXPECT_EQ(found->device, next.device);
  }
  std::vector<std::unique_ptr<BlockDevice>> devices;
  devices.push_back(*OpenFileDevice(paths_[0]));
  const auto again = Volume::Open(std::move(devices));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT((*again)->superblock_warnings(), IsEmpty());
  EXPECT_EQ((*again)->superblock().generation, next.generation);
}

std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> some;
  while (size_t bytes = fread(some.data(), 1, some.size(), pipe)) output.append(some.data(), bytes);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

size_t Count(const std::string& text, const std::string& words) {
  size_t count = 0;
  for (size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
    ++count;
  }
  return count;
}

// What btrfs-progs makes of them.
TEST_P(WritableFilesystemTest, SuperblocksAsOthersReadThem) {
  constexpr char kBtrfs[] = "/usr/bin/btrfs";
  if (access(kBtrfs, X_OK) != 0) GTEST_SKIP() << "SKIPPED: btrfs is not installed";
  const std::string dump = absl::StrCat(kBtrfs, " inspect-internal dump-super -a ", paths_[0]);
  const std::string before = OutputOf(dump);
  ASSERT_EQ(Count(before, "superblock: bytenr="), 2);
  ASSERT_GE(Count(before, "[match]"), 2) << before;
  const std::unique_ptr<Filesystem> filesystem = Open(true);
  Volume& volume = filesystem->volume();
  Superblock next = volume.superblock();
  next.generation += 1000;
  next.label = "written";
  std::vector<SuperblockFailure> failures;
  ASSERT_EQ(volume.WriteSuperblocks(next, volume.devices(), &failures), absl::OkStatus());
  const std::string after = OutputOf(dump);
  EXPECT_EQ(Count(after, "superblock: bytenr="), 2);
  EXPECT_EQ(Count(after, "DON'T MATCH"), 0) << after;
  EXPECT_EQ(Count(after, "label\t\t\twritten\n"), 2) << after;
  EXPECT_EQ(Count(after, absl::StrCat("\ngeneration\t\t", next.generation, "\n")), 2) << after;
  EXPECT_EQ(Count(after, "[match]"), Count(before, "[match]")) << after;
}

}  // namespace
}  // namespace ebcache::testing
