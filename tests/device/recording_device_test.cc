// What crash tests stand on: the order that is written down, and the states that a crash may leave.

#include "tests/device/recording_device.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace ebcache::testing {
namespace {

constexpr uint64_t kBlock = 4096;
constexpr uint64_t kBytes = 64 * kBlock;

class RecordingDeviceTest : public ::testing::Test {
 protected:
  // One byte value for all of [offset, offset + length).
  static absl::Status Write(BlockDevice& device, uint64_t offset, uint64_t length, char value,
                            void (BlockDevice::*how)(absl::Span<DeviceWrite>)) {
    const std::string text(length, value);
    const auto* const bytes = reinterpret_cast<const std::byte*>(text.data());
    DeviceWrite write{.offset = offset,
                      .segments = {{bytes, length / 2}, {bytes + length / 2, length - length / 2}}};
    (device.*how)(absl::MakeSpan(&write, 1));
    return write.status;
  }
  static absl::Status Cached(BlockDevice& device, uint64_t offset, uint64_t length, char value) {
    return Write(device, offset, length, value, &BlockDevice::WriteCached);
  }
  static absl::Status Durable(BlockDevice& device, uint64_t offset, uint64_t length, char value) {
    return Write(device, offset, length, value, &BlockDevice::Write);
  }
  static char At(const CowImage& image, uint64_t offset) {
    std::byte byte{};
    image.Read(offset, {&byte, 1});
    return static_cast<char>(byte);
  }
  static char At(BlockDevice& device, uint64_t offset, absl::Status* status) {
    std::byte byte{};
    DeviceRead read{.offset = offset, .segments = {{&byte, 1}}};
    device.Read(absl::MakeSpan(&read, 1));
    *status = read.status;
    return static_cast<char>(byte);
  }
  using Lost = std::vector<size_t>;

  const std::shared_ptr<const BaseImage> base_ =
      BaseImage::Of(std::vector<std::byte>(kBytes, std::byte{'.'}));
  DeviceLog log_;
  RecordingDevice one_{"one", CowImage(base_), &log_};
  RecordingDevice two_{"two", CowImage(base_), &log_};
};

TEST_F(RecordingDeviceTest, OneOrderForAllDevices) {
  EXPECT_EQ(Cached(one_, 0, 10, 'a'), absl::OkStatus());
  EXPECT_EQ(Durable(two_, kBlock, 20, 'b'), absl::OkStatus());
  EXPECT_EQ(one_.Flush(), absl::OkStatus());
  EXPECT_TRUE(absl::IsOutOfRange(Cached(one_, kBytes, 1, 'x')));
  ASSERT_EQ(log_.size(), 3u);
  EXPECT_EQ(log_.entry(0).kind, LogEntry::Kind::kCached);
  EXPECT_EQ(log_.entry(0).device, one_.number());
  EXPECT_EQ(log_.entry(1).kind, LogEntry::Kind::kDurable);
  EXPECT_EQ(log_.entry(1).device, two_.number());
  EXPECT_EQ(log_.entry(1).offset, kBlock);
  EXPECT_EQ(log_.entry(1).bytes->size(), 20u);
  EXPECT_EQ(log_.entry(2).kind, LogEntry::Kind::kFlush);
  absl::Status status;
  EXPECT_EQ(At(one_, 9, &status), 'a');
  EXPECT_EQ(At(one_, 10, &status), '.');
  EXPECT_EQ(At(two_, kBlock + 19, &status), 'b');
  EXPECT_EQ(At(two_.image(), kBlock), 'b');
}

TEST_F(RecordingDeviceTest, AFlushMakesDurableWhatItsDeviceHasTaken) {
  EXPECT_EQ(Cached(one_, 0, kBlock, 'a'), absl::OkStatus());       // 0
  EXPECT_EQ(Cached(two_, 0, kBlock, 'b'), absl::OkStatus());       // 1
  EXPECT_EQ(one_.Flush(), absl::OkStatus());                       // 2
  EXPECT_EQ(Cached(one_, kBlock, kBlock, 'c'), absl::OkStatus());  // 3
  EXPECT_EQ(log_.MayBeLost(0), Lost());
  EXPECT_EQ(log_.MayBeLost(2), (Lost{0, 1}));
  EXPECT_EQ(log_.MayBeLost(3), (Lost{1}));
  EXPECT_EQ(log_.MayBeLost(4), (Lost{1, 3}));
}

// What was cached before a flush that failed is lost for good, whatever later flushes say.
TEST_F(RecordingDeviceTest, AFlushThatFailsMakesNothingDurableEver) {
  EXPECT_EQ(Cached(one_, 0, kBlock, 'a'), absl::OkStatus());  // 0
  log_.FailNth(DeviceEvent::Kind::kFlush, 1);
  EXPECT_EQ(one_.Flush(), absl::UnavailableError("one: injected failure of event 1"));  // 1
  EXPECT_EQ(log_.entry(1).kind, LogEntry::Kind::kFailedFlush);
  EXPECT_EQ(Cached(one_, kBlock, kBlock, 'b'), absl::OkStatus());  // 2
  EXPECT_EQ(one_.Flush(), absl::OkStatus());                       // 3
  EXPECT_EQ(log_.MayBeLost(4), (Lost{0}));
  EXPECT_EQ(At(log_.After({.entries = 4, .lost = {0}})[0], 0), '.');
}

// A call of Write that had not said how it went, and only that.
TEST_F(RecordingDeviceTest, DurableWritesMayBeLostOnlyWhileTheyAreUnderWay) {
  const std::string text(kBlock, 'd');
  std::vector<DeviceWrite> writes;
  for (uint64_t block : {3, 4}) {
    writes.push_back(
        {.offset = block * kBlock,
         .segments = {{reinterpret_cast<const std::byte*>(text.data()), text.size()}}});
  }
  one_.Write(absl::MakeSpan(writes));                          // 0, 1
  EXPECT_EQ(Durable(one_, 0, kBlock, 'e'), absl::OkStatus());  // 2
  EXPECT_EQ(Cached(two_, 0, kBlock, 'f'), absl::OkStatus());   // 3
  EXPECT_EQ(log_.MayBeLost(1), (Lost{0}));
  EXPECT_EQ(log_.MayBeLost(2), (Lost{0, 1}));
  EXPECT_EQ(log_.MayBeLost(3), (Lost{2}));
  EXPECT_EQ(log_.MayBeLost(4), (Lost{3}));
}

TEST_F(RecordingDeviceTest, PrefixesWithoutWhatWasLost) {
  EXPECT_EQ(Cached(one_, 0, kBlock, 'a'), absl::OkStatus());
  EXPECT_EQ(Cached(one_, 0, 2 * kBlock, 'b'), absl::OkStatus());
  EXPECT_EQ(Cached(two_, 5, 10, 'c'), absl::OkStatus());
  std::vector<CowImage> images = log_.After({.entries = 0});
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(At(images[0], 0), '.');
  images = log_.After({.entries = 1});
  EXPECT_EQ(At(images[0], 0), 'a');
  EXPECT_EQ(At(images[0], kBlock), '.');
  images = log_.After({.entries = 3});
  EXPECT_EQ(At(images[0], 0), 'b');
  EXPECT_EQ(At(images[0], kBlock), 'b');
  EXPECT_EQ(At(images[1], 14), 'c');
  images = log_.After({.entries = 3, .lost = {1, 2}});
  EXPECT_EQ(At(images[0], 0), 'a');
  EXPECT_EQ(At(images[0], kBlock), '.');
  EXPECT_EQ(At(images[1], 14), '.');
}

TEST_F(RecordingDeviceTest, ATornWriteHasItsSectors) {
  EXPECT_EQ(Cached(one_, 512, 4 * 512, 'a'), absl::OkStatus());
  const CowImage image = log_.After(
      {.entries = 1, .torn = TornWrite{.entry = 0, .arrived = {false, true, false, true}}})[0];
  const std::string found = {At(image, 512),    At(image, 1023), At(image, 1024),
                             At(image, 1535),   At(image, 1536), At(image, 512 * 5 - 1),
                             At(image, 512 * 5)};
  EXPECT_EQ(found, "..aa.a.");
  // Sectors that are not named did not arrive, and there are none behind the last.
  const CowImage front =
      log_.After({.entries = 1, .torn = TornWrite{.entry = 0, .arrived = {true}}})[0];
  EXPECT_EQ(At(front, 512), 'a');
  EXPECT_EQ(At(front, 1024), '.');
  const CowImage all = log_.After(
      {.entries = 1, .torn = TornWrite{.entry = 0, .arrived = std::vector<bool>(9, true)}})[0];
  EXPECT_EQ(At(all, 512 * 5 - 1), 'a');
  EXPECT_EQ(At(all, 512 * 5), '.');
}

TEST_F(RecordingDeviceTest, NothingDurableCanBeLost) {
  EXPECT_EQ(Cached(one_, 0, 1, 'a'), absl::OkStatus());
  EXPECT_EQ(one_.Flush(), absl::OkStatus());
  EXPECT_DEATH((void)log_.After({.entries = 2, .lost = {0}}), "loses what was durable");
  EXPECT_DEATH((void)log_.After({.entries = 2, .torn = TornWrite{.entry = 0}}),
               "loses what was durable");
  EXPECT_DEATH((void)log_.After({.entries = 3}), "beyond the end of the log");
}

// States share what they have in common, and none sees another's changes.
TEST_F(RecordingDeviceTest, StatesAreApartAndCheap) {
  EXPECT_EQ(Cached(one_, 0, 8 * kBlock, 'a'), absl::OkStatus());
  const std::vector<CowImage> images = log_.After({.entries = 1});
  EXPECT_EQ(images[0].changed_blocks(), 8u);
  RecordingDevice opened("opened", images[0]);
  RecordingDevice again("again", images[0]);
  EXPECT_EQ(Durable(opened, 100, 1, 'x'), absl::OkStatus());
  EXPECT_EQ(opened.Flush(), absl::OkStatus());
  EXPECT_EQ(At(opened.image(), 100), 'x');
  EXPECT_EQ(At(opened.image(), 99), 'a');
  EXPECT_EQ(At(again.image(), 100), 'a');
  EXPECT_EQ(At(images[0], 100), 'a');
  EXPECT_EQ(At(one_.image(), 100), 'a');
  EXPECT_EQ(log_.size(), 1u);
}

TEST_F(RecordingDeviceTest, TheNthOfAKindFails) {
  for (uint64_t n = 1; n <= 3; ++n) {
    log_.FailNth(DeviceEvent::Kind::kWrite, n);
    for (uint64_t i = 1; i <= 3; ++i) {
      BlockDevice& device = i % 2 == 0 ? one_ : two_;
      const absl::Status status = Cached(device, i * kBlock, 1, static_cast<char>('0' + n));
      EXPECT_EQ(absl::IsUnavailable(status), i == n) << status;
      absl::Status read;
      EXPECT_EQ(At(device, i * kBlock, &read) == static_cast<char>('0' + n), i != n);
      EXPECT_EQ(read, absl::OkStatus());
    }
  }
  EXPECT_EQ(log_.size(), 6u) << "what failed is not there";
  EXPECT_EQ(log_.count(DeviceEvent::Kind::kWrite), 9u);
  log_.FailNth(DeviceEvent::Kind::kRead, 2);
  absl::Status status;
  At(one_, 0, &status);
  EXPECT_EQ(status, absl::OkStatus());
  At(two_, 0, &status);
  EXPECT_TRUE(absl::IsUnavailable(status));
  At(two_, 0, &status);
  EXPECT_EQ(status, absl::OkStatus());
  log_.FailNth(DeviceEvent::Kind::kRead, 1);
  log_.FailNth(DeviceEvent::Kind::kRead, 0);
  At(two_, 0, &status);
  EXPECT_EQ(status, absl::OkStatus());
}

TEST_F(RecordingDeviceTest, OneDeviceFails) {
  log_.FailBy([this](const DeviceEvent& event) {
    return event.device == two_.number() ? absl::UnavailableError("gone") : absl::OkStatus();
  });
  EXPECT_EQ(Durable(one_, 0, 1, 'x'), absl::OkStatus());
  EXPECT_EQ(Durable(two_, 0, 1, 'x'), absl::UnavailableError("gone"));
  EXPECT_EQ(one_.Flush(), absl::OkStatus());
  EXPECT_EQ(two_.Flush(), absl::UnavailableError("two: gone"));
}

TEST(CowImage, AFileAsBaseAndAsCopy) {
  const std::string path = ::testing::TempDir() + "/base.img";
  std::string contents(3 * kBlock + 100, 'f');
  std::ofstream(path, std::ios::binary) << contents;
  const auto base = BaseImage::OfFile(path);
  ASSERT_NE(base, nullptr);
  EXPECT_EQ(BaseImage::OfFile(path + ".nowhere"), nullptr);
  CowImage image(base);
  EXPECT_EQ(image.size_bytes(), contents.size());
  const std::string text = "over two blocks";
  image.Write(kBlock - 4, {reinterpret_cast<const std::byte*>(text.data()), text.size()});
  contents.replace(kBlock - 4, text.size(), text);
  image.Write(contents.size() - 1, {reinterpret_cast<const std::byte*>("e"), 1});
  contents.back() = 'e';
  const std::string copy = ::testing::TempDir() + "/copy.img";
  std::filesystem::remove(copy);
  ASSERT_TRUE(image.WriteTo(copy));
  std::ifstream file(copy, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), contents);
  EXPECT_FALSE(image.WriteTo(copy)) << "it is there";
}

TEST(CowImage, ZeroesTakeNoMemory) {
  CowImage image(BaseImage::OfZeroes(uint64_t{1} << 50));
  const std::byte value{'v'};
  image.Write((uint64_t{1} << 50) - 1, {&value, 1});
  std::byte found{};
  image.Read((uint64_t{1} << 50) - 1, {&found, 1});
  EXPECT_EQ(found, value);
  EXPECT_EQ(image.changed_blocks(), 1u);
}

}  // namespace
}  // namespace ebcache::testing
