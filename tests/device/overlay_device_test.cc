// What is written to an overlay stays there, until it is applied.

#include "lib/device/overlay_device.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/device/memory_device.h"
#include "tests/support/in_child.h"

namespace ebcache {
namespace {

using testing::MemoryDevice;

constexpr uint64_t kBlock = OverlayDevice::kBlockBytes;
// Not a multiple of blocks: the last one is shorter.
constexpr uint64_t kBytes = 16 * kBlock + 512;

absl::Span<const std::byte> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

class OverlayDeviceTest : public ::testing::TestWithParam<bool> {
 protected:
  OverlayDeviceTest() : base_("base", kBytes), target_("target", kBytes) {
    contents_.resize(kBytes);
    for (size_t at = 0; at < kBytes; ++at) contents_[at] = static_cast<char>('a' + at / 512 % 26);
    base_.Store(0, BytesOf(contents_));
    target_.Store(0, BytesOf(contents_));
    std::filesystem::remove(path_);
    auto overlay = OverlayDevice::Create(&base_, GetParam() ? path_ : "");
    EXPECT_TRUE(overlay.ok()) << overlay.status();
    overlay_ = *std::move(overlay);
  }

  // In two pieces of memory.
  absl::Status Write(uint64_t offset, const std::string& text) {
    const auto bytes = BytesOf(text);
    DeviceWrite write{
        .offset = offset,
        .segments = {bytes.subspan(0, text.size() / 3), bytes.subspan(text.size() / 3)}};
    overlay_->Write(absl::MakeSpan(&write, 1));
    if (write.status.ok()) contents_.replace(offset, text.size(), text);
    return write.status;
  }
  static std::string ReadFrom(BlockDevice& device, uint64_t offset, uint64_t length,
                              absl::Status* status) {
    std::string text(length, '?');
    const absl::Span<std::byte> bytes(reinterpret_cast<std::byte*>(text.data()), text.size());
    DeviceRead read{.offset = offset,
                    .segments = {bytes.subspan(0, length / 2), bytes.subspan(length / 2)}};
    device.Read(absl::MakeSpan(&read, 1));
    *status = read.status;
    return text;
  }
  std::string Read(uint64_t offset, uint64_t length) {
    absl::Status status;
    std::string text = ReadFrom(*overlay_, offset, length, &status);
    EXPECT_EQ(status, absl::OkStatus());
    return text;
  }
  static std::string All(MemoryDevice& device) {
    const std::vector<std::byte> bytes = device.Load(0, kBytes);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::vector<uint64_t> Changes() {
    std::vector<uint64_t> offsets;
    EXPECT_EQ(overlay_->ForEachChange([&](uint64_t offset, absl::Span<const std::byte> bytes) {
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                contents_.substr(offset, bytes.size()));
      EXPECT_EQ(bytes.size(), std::min(kBlock, kBytes - offset));
      offsets.push_back(offset);
      return absl::OkStatus();
    }),
              absl::OkStatus());
    return offsets;
  }

  const std::string path_ = ::testing::TempDir() + "/overlay";
  MemoryDevice base_;
  MemoryDevice target_;
  std::string contents_;  // what the overlay has
  std::unique_ptr<OverlayDevice> overlay_;
};

INSTANTIATE_TEST_SUITE_P(Stores, OverlayDeviceTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "file" : "memory"; });

TEST_P(OverlayDeviceTest, LooksAsTheOneBelowUntilItIsWritten) {
  EXPECT_EQ(overlay_->name(), "base");
  EXPECT_EQ(overlay_->size_bytes(), kBytes);
  EXPECT_EQ(Read(0, kBytes), contents_);
  EXPECT_EQ(overlay_->changed_blocks(), 0u);
  EXPECT_EQ(Changes(), std::vector<uint64_t>());
  EXPECT_EQ(overlay_->Flush(), absl::OkStatus());
}

TEST_P(OverlayDeviceTest, WhatIsWrittenIsReadAndNotBelow) {
  const std::string before = contents_;
  ASSERT_EQ(Write(3 * kBlock + 100, std::string(50, '1')), absl::OkStatus());
  ASSERT_EQ(Write(3 * kBlock + 120, std::string(2 * kBlock, '2')), absl::OkStatus());
  ASSERT_EQ(Write(8 * kBlock, std::string(kBlock, '3')), absl::OkStatus());
  ASSERT_EQ(Write(kBytes - 3, "end"), absl::OkStatus());
  EXPECT_EQ(Read(0, kBytes), contents_);
  EXPECT_EQ(Changes(),
            (std::vector<uint64_t>{3 * kBlock, 4 * kBlock, 5 * kBlock, 8 * kBlock, 16 * kBlock}));
  EXPECT_EQ(overlay_->changed_blocks(), 5u);
  EXPECT_EQ(All(base_), before);
  EXPECT_EQ(base_.writes(), std::vector<uint64_t>());
}

TEST_P(OverlayDeviceTest, RandomWritesMatchAFlatArray) {
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    const uint64_t offset = random() % kBytes;
    const uint64_t length = random() % std::min<uint64_t>(kBytes - offset, 3 * kBlock) + 1;
    ASSERT_EQ(Write(offset, std::string(length, static_cast<char>('A' + i % 26))),
              absl::OkStatus());
    const uint64_t from = random() % kBytes;
    const uint64_t read = random() % (kBytes - from + 1);
    ASSERT_EQ(Read(from, read), contents_.substr(from, read)) << i;
    if (i % 100 == 50) {
      ASSERT_EQ(overlay_->Discard(), absl::OkStatus());
      contents_ = All(base_);
      ASSERT_EQ(Read(0, kBytes), contents_);
    }
  }
}

TEST_P(OverlayDeviceTest, EachReadOfABatchIsToldOfOnce) {
  ASSERT_EQ(Write(kBlock, std::string(kBlock, 'n')), absl::OkStatus());
  std::vector<std::string> texts(4, std::string(kBlock, '?'));
  std::vector<DeviceRead> reads;
  for (size_t i = 0; i < texts.size(); ++i) {
    reads.push_back({.offset = i * kBlock + (i == 3 ? kBytes : 0),
                     .segments = {{reinterpret_cast<std::byte*>(texts[i].data()), kBlock}}});
  }
  std::vector<int> told(reads.size());
  overlay_->ReadEach(absl::MakeSpan(reads), [&](size_t i) {
    ++told[i];
    EXPECT_NE(reads[i].status.code(), absl::StatusCode::kUnknown);
    EXPECT_TRUE(i == 3 || texts[i] == contents_.substr(i * kBlock, kBlock)) << i;
  });
  EXPECT_EQ(told, (std::vector<int>{1, 1, 1, 1}));
  EXPECT_TRUE(absl::IsOutOfRange(reads[3].status));
}

// What the device below cannot read can be written over, but no part of it.
TEST_P(OverlayDeviceTest, BadSectorsBelow) {
  base_.FailReadsAt(2 * kBlock, kBlock);
  EXPECT_EQ(Write(2 * kBlock, "part"), absl::UnavailableError("bad sector"));
  EXPECT_EQ(overlay_->changed_blocks(), 0u);
  absl::Status status;
  ReadFrom(*overlay_, kBlock, 3 * kBlock, &status);
  EXPECT_EQ(status, absl::UnavailableError("bad sector"));
  ASSERT_EQ(Write(kBlock + 1, "elsewhere"), absl::OkStatus());
  ReadFrom(*overlay_, kBlock, 3 * kBlock, &status);
  EXPECT_EQ(status, absl::UnavailableError("bad sector"));
  ASSERT_EQ(Write(2 * kBlock, std::string(kBlock, 'w')), absl::OkStatus());
  EXPECT_EQ(Read(kBlock, 3 * kBlock), contents_.substr(kBlock, 3 * kBlock));
}

TEST_P(OverlayDeviceTest, OutOfRange) {
  EXPECT_TRUE(absl::IsOutOfRange(Write(kBytes - 1, "xx")));
  EXPECT_EQ(overlay_->changed_blocks(), 0u);
}

TEST_P(OverlayDeviceTest, Discard) {
  const std::string before = contents_;
  ASSERT_EQ(Write(5, "x"), absl::OkStatus());
  EXPECT_EQ(overlay_->Discard(), absl::OkStatus());
  EXPECT_EQ(overlay_->changed_blocks(), 0u);
  EXPECT_EQ(Read(0, kBytes), before);
  contents_ = before;
  ASSERT_EQ(Write(kBlock + 5, "y"), absl::OkStatus());
  EXPECT_EQ(Read(0, kBytes), contents_);
}

// A device that tells cached writes from others, and flushes.
class CachingDevice : public MemoryDevice {
 public:
  using MemoryDevice::MemoryDevice;
  void Write(absl::Span<DeviceWrite>) override { ADD_FAILURE() << "each would wait for itself"; }
  void WriteCached(absl::Span<DeviceWrite> writes) override {
    calls.push_back(absl::StrCat("write ", writes.size()));
    MemoryDevice::Write(writes);
  }
  absl::Status Flush() override {
    calls.push_back("flush");
    return flush;
  }
  std::vector<std::string> calls;
  absl::Status flush;
};

TEST_P(OverlayDeviceTest, ApplyWritesAllAndFlushes) {
  CachingDevice target("target", kBytes);
  target.Store(0, BytesOf(contents_));
  ASSERT_EQ(Write(9 * kBlock + 7, "late"), absl::OkStatus());
  ASSERT_EQ(Write(kBlock, "early"), absl::OkStatus());
  ASSERT_EQ(Write(kBytes - 1, "z"), absl::OkStatus());
  EXPECT_EQ(overlay_->Apply(target), absl::OkStatus());
  EXPECT_EQ(All(target), contents_);
  EXPECT_EQ(target.writes(), (std::vector<uint64_t>{kBlock, 9 * kBlock, 16 * kBlock}));
  EXPECT_EQ(target.calls, (std::vector<std::string>{"write 3", "flush"}));
  EXPECT_EQ(overlay_->changed_blocks(), 3u) << "they are here as well";
  target.flush = absl::UnavailableError("target: no");
  EXPECT_EQ(overlay_->Apply(target), target.flush);
}

// Superblocks, say, after all that they point to.
TEST_P(OverlayDeviceTest, ApplyInSteps) {
  CachingDevice target("target", kBytes);
  target.Store(0, BytesOf(contents_));
  for (const uint64_t block : {1, 2, 3}) ASSERT_EQ(Write(block * kBlock, "x"), absl::OkStatus());
  const auto is_last = [](uint64_t offset) { return offset == 2 * kBlock; };
  EXPECT_EQ(overlay_->Apply(target, [&](uint64_t offset) { return !is_last(offset); }),
            absl::OkStatus());
  EXPECT_EQ(overlay_->Apply(target, is_last), absl::OkStatus());
  EXPECT_EQ(target.writes(), (std::vector<uint64_t>{kBlock, 3 * kBlock, 2 * kBlock}));
  EXPECT_EQ(target.calls, (std::vector<std::string>{"write 2", "flush", "write 1", "flush"}));
}

TEST_P(OverlayDeviceTest, ApplyThatFails) {
  ASSERT_EQ(Write(kBlock, "x"), absl::OkStatus());
  target_.FailWritesAt(kBlock, 1);
  EXPECT_EQ(overlay_->Apply(target_), absl::UnavailableError("target: at 4096: bad sector"));
  MemoryDevice small("small", kBytes - 1);
  EXPECT_TRUE(absl::IsInvalidArgument(overlay_->Apply(small)));
  EXPECT_EQ(small.writes(), std::vector<uint64_t>());
}

// More than are written together.
TEST(OverlayDevice, ApplyOfMany) {
  constexpr uint64_t kBlocks = 1000;
  MemoryDevice base("base", kBlocks * kBlock);
  CachingDevice target("target", kBlocks * kBlock);
  auto overlay = OverlayDevice::Create(&base);
  ASSERT_TRUE(overlay.ok());
  for (uint64_t block = 0; block < kBlocks; ++block) {
    const std::string text = absl::StrCat("block ", block);
    DeviceWrite write{.offset = block * kBlock, .segments = {BytesOf(text)}};
    (*overlay)->Write(absl::MakeSpan(&write, 1));
    ASSERT_EQ(write.status, absl::OkStatus());
  }
  EXPECT_EQ((*overlay)->Apply(target), absl::OkStatus());
  EXPECT_EQ(target.writes().size(), kBlocks);
  EXPECT_EQ(std::count(target.calls.begin(), target.calls.end(), "flush"), 1);
  for (uint64_t block = 0; block < kBlocks; ++block) {
    const std::string text = absl::StrCat("block ", block);
    const std::vector<std::byte> found = target.Load(block * kBlock, text.size());
    ASSERT_EQ(std::string(reinterpret_cast<const char*>(found.data()), found.size()), text);
  }
}

TEST_P(OverlayDeviceTest, ForEachChangeEndsWithTheFirstError) {
  ASSERT_EQ(Write(0, "x"), absl::OkStatus());
  ASSERT_EQ(Write(kBlock, "x"), absl::OkStatus());
  int calls = 0;
  EXPECT_EQ(overlay_->ForEachChange([&](uint64_t, absl::Span<const std::byte>) {
    ++calls;
    return absl::CancelledError("enough");
  }),
            absl::CancelledError("enough"));
  EXPECT_EQ(calls, 1);
}

// Threads that write parts of the same blocks lose nothing of each other's.
TEST_P(OverlayDeviceTest, ManyThreads) {
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t at = t * 16; at + 16 <= 8 * kBlock; at += 64) {
        const std::string text(16, static_cast<char>('0' + t));
        DeviceWrite write{.offset = at, .segments = {BytesOf(text)}};
        overlay_->Write(absl::MakeSpan(&write, 1));
        EXPECT_EQ(write.status, absl::OkStatus());
        EXPECT_EQ(Read(at, 16), text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t at = 0; at < 8 * kBlock; ++at) contents_[at] = static_cast<char>('0' + at / 16 % 4);
  EXPECT_EQ(Read(0, kBytes), contents_);
}

TEST_P(OverlayDeviceTest, AChildDisturbsNothing) {
  ASSERT_EQ(Write(0, "parent"), absl::OkStatus());
  EXPECT_EQ(InChild([&] {
              EXPECT_EQ(Read(0, 6), "parent");
              const absl::Status status = Write(0, "child!");
              EXPECT_EQ(status.code(),
                        GetParam() ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kOk);
              const std::string before = Read(kBlock, kBlock);
              const absl::Status of_new = Write(kBlock, std::string(kBlock, 'c'));
              EXPECT_EQ(of_new.code(), status.code());
              EXPECT_EQ(overlay_->changed_blocks(), of_new.ok() ? 2u : 1u);
              EXPECT_EQ(Read(kBlock, kBlock), of_new.ok() ? std::string(kBlock, 'c') : before);
              EXPECT_EQ(overlay_->Discard(), absl::OkStatus());
              overlay_.reset();
            }),
            "");
  EXPECT_EQ(Read(0, kBytes), contents_);
}

TEST(OverlayDevice, ItsFileIsNewAndLosesItsName) {
  const std::string path = ::testing::TempDir() + "/overlay_file";
  MemoryDevice base("base", kBytes);
  { std::ofstream(path) << "something"; }
  EXPECT_EQ(OverlayDevice::Create(&base, path).status(),
            absl::AlreadyExistsError(path + ": File exists"));
  ASSERT_TRUE(std::filesystem::remove(path));
  EXPECT_EQ(OverlayDevice::Create(&base, path).status(), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(absl::IsNotFound(OverlayDevice::Create(&base, path + "/below").status()));
}

}  // namespace
}  // namespace ebcache
